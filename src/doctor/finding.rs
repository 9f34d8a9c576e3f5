//! What a check may say: findings as typed values; words for people are made of them at the edge.
//!
//! Pure. Holds no value that sounds like a secret: checks hand in what is fit to be shown.

use std::path::PathBuf;

use serde::Serialize;

use super::foreign::Foreign;
use crate::service::inspection::{Name, Spot};
use crate::service::observed::lossy;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Info,
    /// It works, and not as it should.
    Warning,
    /// It does not work, or not for long.
    Error,
}

impl Severity {
    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What kind of finding it is: stable, for programs.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// In a sentence.
    pub summary: String,
    /// The setting it is about: a directive, `Environment:NAME`, or a path in the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// Where it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
    /// What can be done about it.
    pub repair: Repair,
    /// What the operator can do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// Where something is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct At {
    /// The file.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

impl From<&Spot> for At {
    fn from(spot: &Spot) -> Self {
        Self { file: spot.path.clone(), line: (spot.line > 0).then_some(spot.line) }
    }
}

/// Who may repair it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The operator alone.
    Manual,
    /// `--fix`: nothing that anybody meant is lost.
    Fix,
    /// `--fix --force`: something that somebody wrote is overwritten (a copy is kept).
    Force,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Repair {
    /// Who may.
    pub class: Class,
    /// What.
    #[serde(skip)]
    pub actions: Vec<Action>,
}

/// One thing to do. Data; performing it decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Directives of the unit get our values; everything else in it stays.
    Keys(Vec<Name>),
    /// The whole definition is written.
    Rewrite,
    /// What was chosen over a package's definition is written, or taken away.
    Settings,
    /// Directives are taken out of a drop-in.
    Uncover {
        /// The drop-in.
        path: PathBuf,
        /// The directives.
        names: Vec<Name>,
    },
    /// Directives get our values by a drop-in of our own.
    Correct(Vec<Name>),
    /// A file that has no content of its own is removed: a mask, a link.
    Remove(PathBuf),
    /// A file is moved to where we keep what we replace.
    MoveAside(PathBuf),
    /// A file or directory gets these permissions.
    Mode(PathBuf, u32),
    /// The manager reads its files again.
    Reload,
    /// It starts by itself.
    Enable,
    /// The links that start it are made anew.
    Reenable,
    /// What is installed is remembered.
    Remember,
    /// Variables are taken out of the manager's environment.
    Unset(Vec<String>),
    /// A token is made and put into the configuration.
    Token,
    /// This user's services outlive the last session.
    Linger,
    /// Another product's gateway is stopped and disabled, and its port and its token are taken over.
    TakeOver(Box<Foreign>),
    /// The service is restarted.
    Restart,
}

impl Finding {
    /// A finding that nothing can be done about from here.
    pub fn new(id: &'static str, severity: Severity, summary: impl Into<String>) -> Self {
        Self {
            id,
            severity,
            summary: summary.into(),
            key: None,
            expected: None,
            found: None,
            at: None,
            repair: Repair { class: Class::Manual, actions: Vec::new() },
            hints: Vec::new(),
        }
    }

    /// About this setting.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// What should be and what is.
    pub fn differs(mut self, expected: Option<String>, found: Option<String>) -> Self {
        self.expected = expected;
        self.found = found;
        self
    }

    /// Set there.
    pub fn at(mut self, file: impl Into<PathBuf>, line: Option<usize>) -> Self {
        self.at = Some(At { file: file.into(), line });
        self
    }

    /// Can be repaired.
    pub fn repair(mut self, class: Class, actions: impl IntoIterator<Item = Action>) -> Self {
        self.repair = Repair { class, actions: actions.into_iter().collect() };
        self
    }

    /// What the operator can do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Whether it counts against the exit code.
    pub fn counts(&self) -> bool {
        self.severity >= Severity::Warning
    }

    /// Whether `--fix`, or `--fix --force`, does something about it.
    pub fn is_repaired(&self, force: bool) -> bool {
        match self.repair.class {
            Class::Manual => false,
            Class::Fix => true,
            Class::Force => force,
        }
    }
}
