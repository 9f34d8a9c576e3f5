//! One step of a plan.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::service::observed::{lossy, lossy_list};
use crate::service::record::Record;

/// A step and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// What is done.
    #[serde(flatten)]
    pub step: Step,
    /// Why.
    pub because: String,
}

/// What a service's account needs of the machine: a manager that makes no directories and hands out no secrets leaves that
/// to the install.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provision {
    /// The account, by name.
    pub account: String,
    /// Directories that it writes to: made where they are missing, and its own, for nobody else to see.
    #[serde(serialize_with = "lossy_list")]
    pub directories: Vec<PathBuf>,
    /// The directory of secrets, which it alone reads.
    #[serde(serialize_with = "lossy")]
    pub secrets: PathBuf,
}

/// Something that is done to a service. Whatever it needs is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "do")]
pub enum Step {
    /// Keep the definition that is about to go, privately.
    BackUp {
        /// Where.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
        /// Its text.
        #[serde(skip)]
        text: String,
    },
    /// Make what the manager does not make for the service's account, and give it to that.
    Provide {
        /// What, and to whom.
        #[serde(flatten)]
        provision: Provision,
    },
    /// Write the definition.
    WriteDefinition {
        /// Where.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
        /// Its text.
        #[serde(skip)]
        text: String,
        /// What that changes.
        diff: Option<String>,
    },
    /// Remove the definition.
    RemoveDefinition {
        /// Where.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
    },
    /// Have the manager read all definitions again.
    Reload,
    /// Look whether the manager understood the definition as it is written.
    CheckDefinition {
        /// Whether a value that is not in force is an error, or only told.
        strict: bool,
    },
    /// Start it at every login, or at boot.
    Enable,
    /// Do not start it by itself.
    Disable,
    /// Clear earlier failures: they, and restarts by hand, count against the start limit.
    ResetFailed,
    /// Start it.
    Start {
        /// Whether the end of the job is waited for.
        wait: bool,
    },
    /// Stop it.
    Stop {
        /// Whether the end of the job is waited for.
        wait: bool,
    },
    /// Stop it if it runs, and start it.
    Restart {
        /// Whether the end of the job is waited for.
        wait: bool,
    },
    /// Look whether the manager took settings of the operator's as they are written.
    CheckDropIn {
        /// The settings.
        #[serde(skip)]
        text: String,
    },
    /// Have it look at its configuration again.
    ReloadService,
    /// Wait until it is at rest and runs, be it the same process or a new one.
    Settle,
    /// Wait until a new process is ready and stays so.
    Prove {
        /// Whether it must also answer.
        answers: bool,
    },
    /// Let this user's services outlive the last session.
    EnableLinger,
    /// End this user's services with the last session.
    DisableLinger,
    /// Remember what was installed.
    SaveRecord {
        /// What.
        #[serde(skip)]
        record: Box<Record>,
    },
    /// Forget what was installed.
    RemoveRecord,
}

impl Step {
    /// Whether it changes what the service is or whether it runs, so that its failure must be undone.
    pub(super) fn is_undoable(&self) -> bool {
        !matches!(
            self,
            Self::SaveRecord { .. } | Self::RemoveRecord | Self::EnableLinger | Self::DisableLinger
        )
    }
}

impl Step {
    /// Whether it only waits for what the manager or the service does, and can be left at any time.
    pub(in crate::service) fn waits(&self) -> bool {
        matches!(
            self,
            Self::Start { .. }
                | Self::Stop { .. }
                | Self::Restart { .. }
                | Self::ReloadService
                | Self::Settle
                | Self::Prove { .. }
        )
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BackUp { path, .. } => write!(f, "keep the present definition in {}", path.display()),
            Self::Provide { provision } => {
                write!(f, "give {} its directories and secrets", provision.account)
            }
            Self::WriteDefinition { path, .. } => write!(f, "write {}", path.display()),
            Self::RemoveDefinition { path } => write!(f, "remove {}", path.display()),
            Self::Reload => f.write_str("reload the manager's definitions"),
            Self::CheckDropIn { .. } => f.write_str("check what the manager understood of them"),
            Self::CheckDefinition { .. } => f.write_str("check what the manager understood"),
            Self::Enable => f.write_str("enable"),
            Self::Disable => f.write_str("disable"),
            Self::ResetFailed => f.write_str("clear earlier failures"),
            Self::Start { wait: true } => f.write_str("start"),
            Self::Stop { wait: true } => f.write_str("stop"),
            Self::Restart { wait: true } => f.write_str("restart"),
            Self::Start { wait: false } => f.write_str("ask for a start"),
            Self::Stop { wait: false } => f.write_str("ask for a stop"),
            Self::Restart { wait: false } => f.write_str("ask for a restart"),
            Self::ReloadService => f.write_str("reload its configuration"),
            Self::Settle => f.write_str("wait until it has done so"),
            Self::Prove { answers: true } => f.write_str("wait until it is ready and answers"),
            Self::Prove { answers: false } => f.write_str("wait until it is ready"),
            Self::EnableLinger => f.write_str("enable lingering"),
            Self::DisableLinger => f.write_str("disable lingering"),
            Self::SaveRecord { .. } => f.write_str("remember what was installed"),
            Self::RemoveRecord => f.write_str("forget what was installed"),
        }
    }
}
