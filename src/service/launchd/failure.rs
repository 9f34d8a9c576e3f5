//! How handling a job of launchd fails: what, why, what to do next, and the exit code.

use std::io;

use super::launchctl::Answer;
use crate::exit::ExitCode;

/// A failure of launchd's side.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// launchctl cannot be run.
    #[error("cannot run launchctl")]
    NoTool {
        /// The system's answer.
        source: io::Error,
    },
    /// launchctl did not come back.
    #[error("launchctl {verb} did not finish within {seconds} s")]
    Silent {
        /// What it was to do.
        verb: String,
        /// How long it had.
        seconds: u64,
    },
    /// launchctl's description of a job is none.
    #[error("launchctl's description of {target} cannot be understood")]
    Unintelligible {
        /// The job.
        target: String,
    },
    /// The domain is not there, or does not take jobs.
    #[error("launchd has no usable domain {domain}: {said}")]
    NoDomain {
        /// The domain.
        domain: String,
        /// launchctl's words.
        said: String,
    },
    /// launchd said no.
    #[error("launchd would not {verb} {target}: {said}")]
    Refused {
        /// What was asked for.
        verb: &'static str,
        /// Of what.
        target: String,
        /// launchctl's words.
        said: String,
        /// Whether it was for lack of permission.
        denied: bool,
    },
    /// The definition was handed over again and again, and the job is still not loaded.
    #[error("launchd did not load {label} within {seconds} s: {said}")]
    NotLoaded {
        /// The label.
        label: String,
        /// How long it was tried.
        seconds: u64,
        /// launchctl's last words.
        said: String,
        /// Whether the job that was loaded before is loaded again.
        restored: bool,
    },
    /// The job was told to go and is still there.
    #[error("{label} is still leaving after {seconds} s")]
    Leaving {
        /// The label.
        label: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The file cannot be what launchd is given.
    #[error("{path} is no definition of {label}: {why}")]
    BadDefinition {
        /// The file.
        path: String,
        /// The label.
        label: String,
        /// Why.
        why: String,
    },
    /// The account that the job is to run under does not exist.
    #[error("there is no account {name} on this machine for the gateway to run under")]
    NoAccount {
        /// Its name.
        name: String,
    },
    /// It was started and does not run.
    #[error("{label} was started, but {why}")]
    NotProven {
        /// The label.
        label: String,
        /// What is wrong.
        why: String,
        /// How the command should end.
        code: ExitCode,
    },
}

impl Failure {
    /// The failure that an answer is when another one was needed.
    pub fn refused(verb: &'static str, target: &str, answer: Answer) -> Self {
        let target = target.to_owned();
        let (said, denied) = match answer {
            Answer::NoDomain(said) => return Self::NoDomain { domain: target, said },
            Answer::Denied(said) => (said, true),
            Answer::Unclear(said) | Answer::Other(said) => (said, false),
            Answer::NoJob => ("there is no such job".to_owned(), false),
            Answer::Disabled => ("it is disabled".to_owned(), false),
            Answer::Done => ("it says that it did".to_owned(), false),
        };
        Self::Refused { verb, target, said, denied }
    }

    /// How the command ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::NoTool { .. } | Self::NoDomain { .. } | Self::Unintelligible { .. } => ExitCode::NoManager,
            Self::Silent { .. } | Self::Leaving { .. } => ExitCode::TimedOut,
            Self::Refused { denied: true, .. } => ExitCode::NotPermitted,
            Self::NotProven { code, .. } => *code,
            Self::NoAccount { .. }
            | Self::Refused { .. }
            | Self::NotLoaded { .. }
            | Self::BadDefinition { .. } => ExitCode::Failed,
        }
    }

    /// What to do next. `command` is the command for the instance, without a verb.
    pub fn hints(&self, command: &str) -> Vec<String> {
        match self {
            Self::NoTool { .. } => vec![format!("run it in the foreground instead: {command} gateway run")],
            Self::NoDomain { domain, .. } if domain.starts_with("gui/") => vec![
                "log in at the screen of this machine, or over ssh for a job without a screen".to_owned(),
                format!("or run it in the foreground: {command} gateway run"),
            ],
            Self::NoDomain { .. } => vec![format!("run it in the foreground instead: {command} gateway run")],
            Self::Silent { .. }
            | Self::Unintelligible { .. }
            | Self::Leaving { .. }
            | Self::Refused { denied: false, .. } => {
                vec![format!("see how it is: {command} gateway status")]
            }
            Self::Refused { denied: true, .. } => vec!["run the same command with sudo".to_owned()],
            Self::NotLoaded { restored: true, .. } => {
                vec!["the definition before is loaded again; launchd gives no reason, see its log: log show --last 5m --predicate 'process == \"launchd\"'".to_owned()]
            }
            Self::NotLoaded { .. } => vec![
                "launchd gives no reason; look for it: log show --last 5m --predicate 'process == \"launchd\"'"
                    .to_owned(),
                format!("write the definition anew: {command} gateway install --force"),
            ],
            Self::BadDefinition { path, .. } => vec![
                format!("look at it: plutil -lint {path}"),
                format!("write it anew: {command} gateway install --force"),
            ],
            Self::NoAccount { name } => {
                vec![format!(
                    "make it: sudo sysadminctl -addUser {name} -shell /usr/bin/false, or name another one with --run-as"
                )]
            }
            Self::NotProven { .. } => vec![
                format!("see why: {command} logs"),
                format!("look closer: {command} gateway status --deep"),
            ],
        }
    }
}
