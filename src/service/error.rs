//! How handling a service fails: what, why, what to do next, and the exit code.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::plan::Refusal;
use super::platform::Platform;
use super::reach::Unreachable;
use super::systemd::words::{journal_option, systemctl};
use crate::exit::ExitCode;
use crate::instance::Scope;

/// A failure on the way of a plan.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The manager cannot be asked.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// Nothing was done, on purpose.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another install or uninstall is under way.
    #[error("another install or uninstall of {unit} is under way (after waiting {} s)", .waited.as_secs())]
    Busy {
        /// The unit.
        unit: String,
        /// How long we waited for it.
        waited: Duration,
    },
    /// A file could not be read or written.
    #[error("cannot {operation} {}", .path.display())]
    File {
        /// What was attempted.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The manager refused a call, or it failed.
    #[error("systemd would not {operation}")]
    Call {
        /// What was asked for.
        operation: String,
        /// The kind of refusal.
        kind: CallKind,
        /// The manager's words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A job ended otherwise than asked for.
    #[error("systemd could not {verb} {unit}: {why}")]
    Job {
        /// `start`, `stop`, `restart` or `reload`.
        verb: &'static str,
        /// The unit.
        unit: String,
        /// What became of it, in words.
        why: String,
        /// How the command should end.
        code: ExitCode,
    },
    /// The job was still under way at the deadline.
    #[error("systemd has not finished to {verb} {unit} after {} s; it goes on by itself", .deadline.as_secs())]
    JobDeadline {
        /// `start`, `stop` or `restart`.
        verb: &'static str,
        /// The unit.
        unit: String,
        /// How long we waited.
        deadline: Duration,
    },
    /// The definition is on disk, and the manager has something else.
    #[error("systemd did not take the definition of {unit} as it is written: {why}")]
    NotTaken {
        /// The unit.
        unit: String,
        /// What differs.
        why: String,
    },
    /// The job is done, and still the service is not what it should be.
    #[error("{unit} was started, but {why}")]
    NotProven {
        /// The unit.
        unit: String,
        /// What is wrong.
        why: String,
        /// How the command should end.
        code: ExitCode,
    },
    /// Whoever gave the command had enough of waiting.
    #[error("interrupted while it was to {step}")]
    Interrupted {
        /// What was waited for.
        step: String,
    },
    /// launchd's side of it failed.
    #[error(transparent)]
    Launchd(#[from] super::launchd::failure::Failure),
    /// logind would not change lingering, or did not.
    #[error("lingering could not be changed for {user}: {why}")]
    Linger {
        /// The user.
        user: String,
        /// Whether it was to be turned on.
        enable: bool,
        /// Why.
        why: String,
    },
}

/// What kind of refusal a call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// The unit is not known.
    NoSuchUnit,
    /// The unit is masked.
    Masked,
    /// The definition cannot be loaded.
    BadDefinition,
    /// polkit or the manager says no.
    NotPermitted,
    /// No answer in time.
    Silent,
    /// The connection broke.
    Lost,
    /// Something else.
    Other,
}

impl ServiceError {
    /// How the command ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Unreachable(unreachable) => unreachable.exit_code(),
            Self::Launchd(failure) => failure.exit_code(),
            Self::Refused(refusal) => refusal.exit_code(),
            Self::Busy { .. } => ExitCode::Temporary,
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                ExitCode::NotPermitted
            }
            Self::Call { kind, .. } => match kind {
                CallKind::NoSuchUnit => ExitCode::NotInstalled,
                CallKind::NotPermitted => ExitCode::NotPermitted,
                CallKind::Silent => ExitCode::TimedOut,
                CallKind::Lost => ExitCode::NoManager,
                CallKind::Masked | CallKind::BadDefinition | CallKind::Other => ExitCode::Failed,
            },
            Self::Job { code, .. } | Self::NotProven { code, .. } => *code,
            Self::JobDeadline { .. } => ExitCode::TimedOut,
            Self::Linger { .. } => ExitCode::NotPermitted,
            Self::File { .. } | Self::NotTaken { .. } | Self::Interrupted { .. } => ExitCode::Failed,
        }
    }

    /// What to do next. `command` is the command for the instance, without a verb.
    pub fn hints(&self, command: &str, scope: Scope, platform: Platform) -> Vec<String> {
        match self {
            Self::Unreachable(unreachable) => vec![unreachable.hint(command)],
            Self::Launchd(failure) => failure.hints(command),
            Self::Refused(refusal) => refusal.hints(command, scope, platform),
            Self::Busy { .. } => vec!["wait for it to end, and try again".to_owned()],
            Self::Job { unit, .. } | Self::NotProven { unit, .. } => {
                vec![
                    format!("see why: journalctl {} {unit} -n 50", journal_option(scope)),
                    format!("look closer: {command} gateway status --deep"),
                ]
            }
            Self::JobDeadline { unit, .. } => vec![format!("watch it: {} status {unit}", systemctl(scope))],
            Self::Interrupted { .. } => {
                vec![format!("what was begun may go on by itself; see: {command} gateway status")]
            }
            Self::NotTaken { unit, .. } => vec![format!("{} status {unit}", systemctl(scope))],
            Self::Linger { user, enable, .. } => {
                let verb = if *enable { "enable" } else { "disable" };
                vec![format!("sudo loginctl {verb}-linger {user}")]
            }
            Self::Call { kind: CallKind::NotPermitted, .. } if scope == Scope::System => {
                vec!["run the same command with sudo".to_owned()]
            }
            Self::File { .. } | Self::Call { .. } => Vec::new(),
        }
    }
}
