//! What a close look at an installed service finds, for the doctor: the definition that counts, everything that differs
//! from what should be there and where it is set, and who writes the texts of repairs.
//!
//! No backend's words: how a definition is read, merged and compared is each backend's business.

use std::fmt::Debug;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::error::ServiceError;
use super::hardening::Hardening;
use super::observed::{Observed, lossy};
use super::plan::Desired;
use crate::instance::BaseDirs;

/// A service manager that can be looked at closely.
pub trait Inspect {
    /// Takes the look. Nothing is changed.
    fn inspect(&self, question: Question<'_>) -> impl Future<Output = Inspection>;

    /// Takes variables out of the manager's own environment.
    fn unset_environment(&self, names: &[&str]) -> impl Future<Output = Result<(), ServiceError>>;
}

/// What the look needs to know of the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// This user's directories.
    pub dirs: &'a BaseDirs,
    /// The program of this command, for a service whose own is not known.
    pub program: &'a Path,
    /// How long the gateway lets running work finish.
    pub drain: Duration,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Everything that every command looks at.
    pub observed: Observed,
    /// What should be there, or why that cannot be written.
    pub desired: Result<Desired, String>,
    /// What is different.
    pub drift: Vec<Drift>,
    /// Why the manager has something else than what is on disk.
    pub stale: Vec<String>,
    /// Whether only its own hint says so, and nothing that is known differs.
    pub stale_by_hint: bool,
    /// The definition that counts, where there is one: ours, or somebody else's.
    pub unit: Option<PathBuf>,
    /// Whether that file is ours to write.
    pub own: bool,
    /// Its permissions, where others could change it and the manager therefore does not use it.
    pub open_to_others: Option<u32>,
    /// Definitions of the same name that are not the one that counts.
    pub others: Vec<PathBuf>,
    /// Drop-ins that apply, in order.
    pub drop_ins: Vec<PathBuf>,
    /// Files that could not be read, and why.
    pub unreadable: Vec<(PathBuf, String)>,
    /// The manager's own environment, names and values; or why it is not known.
    pub environment: Result<Vec<(String, String)>, String>,
    /// Files that the service needs and that cannot be used.
    pub needs: Vec<Need>,
    /// The command that the manager would run.
    pub command: Vec<String>,
    /// How tightly it is shut in, as its definition says.
    pub hardening: Option<Hardening>,
    /// The account that reads the secrets itself, user and group, where the manager hands out none.
    pub account: Option<(u32, u32)>,
    /// Whether somebody froze it.
    pub frozen: bool,
    /// Other gateways.
    pub siblings: Vec<Sibling>,
    /// Makes the texts of repairs.
    pub mender: Arc<dyn Mender>,
}

impl Inspection {
    /// The port that the service's command names.
    pub fn port(&self) -> Option<u16> {
        let mut words = self.command.iter().skip_while(|word| *word != "--port");
        words.nth(1)?.parse().ok()
    }
}

/// Makes the texts of repairs, from what was read in the look.
pub trait Mender: Debug + Send + Sync {
    /// The definition with our values for these names, everything else as it is. None where there is nothing to mend.
    fn definition(&self, names: &[Name]) -> Option<String>;

    /// A drop-in as it is, and without these names: none where nothing is left in it. None of both where there is no
    /// such drop-in.
    fn drop_in(&self, path: &Path, names: &[Name]) -> Option<(String, Option<String>)>;

    /// A drop-in of our own that puts these names right over everything else: its place, what is there now, and what
    /// should be.
    fn corrective(&self, command: &str, names: &[Name]) -> Option<(PathBuf, String, String)>;

    /// Whether the definition or a drop-in sets this variable, so that the manager's own does not count.
    fn sets_variable(&self, name: &str) -> bool;

    /// A definition in lines of which each has its name: for people, and for whoever has to find a secret by its name.
    fn legible(&self, text: &str) -> String;

    /// Whether a definition is one of ours, as we wrote it.
    fn is_intact(&self, text: &str) -> bool;
}

/// A setting: a key of the definition, or one variable of its environment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The section, without brackets, where definitions have such.
    pub section: String,
    /// The key.
    pub key: String,
    /// The variable, for keys that set variables.
    pub variable: Option<String>,
}

/// `Restart`, `Environment:PATH`.
impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.variable {
            Some(variable) => write!(f, "{}:{variable}", self.key),
            None => f.write_str(&self.key),
        }
    }
}

/// Where a line stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; 0 where there is no such line.
    pub line: usize,
}

/// How much it matters that a setting has another value than ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The operator's choice.
    Taste,
    /// The service runs, and is not looked after as it should be.
    Contract,
    /// It is another service: another program, profile, port or place; or none at all.
    Identity,
}

/// How a difference came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// We wrote it, and want it otherwise since.
    Outdated,
    /// It is gone from the definition.
    Missing,
    /// The manager drops the value, and a default is in force.
    Dropped,
    /// Somebody changed it in the definition.
    Edited,
    /// Somebody changed it in the definition, and we want it otherwise since.
    Conflict,
    /// The definition is somebody else's, and has it otherwise.
    Elsewhere,
    /// A drop-in has it otherwise.
    Overridden,
    /// It is none of ours, and does harm.
    Harmful,
    /// The manager ignores the line.
    Ignored,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// How it came about.
    pub verdict: Verdict,
    /// What is different.
    pub name: Name,
    /// How much it matters.
    pub weight: Weight,
    /// What follows from it.
    pub why: String,
    /// What should be there, fit to be shown.
    pub wanted: Option<String>,
    /// What is there, fit to be shown.
    pub found: Option<String>,
    /// Where it is set.
    pub spot: Option<Spot>,
    /// Whether the definition itself has it otherwise, and not a drop-in.
    pub in_unit: bool,
    /// Whether the definition can be given our value without overwriting what somebody meant.
    pub mends: bool,
}

/// A file that a service cannot start without, and that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What it is needed for.
    pub kind: NeedKind,
    /// The setting that names it.
    pub name: Name,
    /// Where that stands.
    pub spot: Option<Spot>,
    /// The file.
    pub path: PathBuf,
    /// Why it cannot be used.
    pub problem: String,
}

/// What a file is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedKind {
    /// To be run.
    Program,
    /// To run in.
    WorkingDirectory,
    /// A secret.
    Credential,
    /// Variables.
    Variables,
    /// To write to what it says.
    Output,
}

/// Another gateway's service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sibling {
    /// Its name with the manager.
    pub unit: String,
    /// Its file.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Whether it is a user's.
    pub user: bool,
    /// The slug of its product.
    pub product: String,
    /// Its profile; the default one has none.
    pub profile: Option<String>,
    /// The port that its definition names.
    pub port: Option<u16>,
    /// Where its token comes from, as far as its definition says.
    pub token_from: Option<String>,
    /// Whether it starts by itself.
    pub enabled: bool,
    /// Whether it runs, if that is known.
    pub running: Option<bool>,
}
