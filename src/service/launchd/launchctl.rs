//! `launchctl`, one call at a time: what is asked, and what the answer is called.
//!
//! Each call has a deadline. What an answer means for a service is decided elsewhere; no answer but a clear one is taken
//! for the end of anything (lifecycle notes B1, D1).

use std::time::Duration;

use super::failure::Failure;
use super::print::{self, Printed};
use crate::host::process::{self, RunError};

/// How long one call may take. launchctl itself waits for nothing.
pub const CALL_DEADLINE: Duration = Duration::from_secs(8);

/// Where jobs are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// A user's graphical session.
    Gui(u32),
    /// A user, with or without a session.
    User(u32),
    /// The machine.
    System,
}

impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gui(uid) => write!(f, "gui/{uid}"),
            Self::User(uid) => write!(f, "user/{uid}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// What launchctl answered, by its exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done, or asked for.
    Done,
    /// There is no such job (3, 113).
    NoJob,
    /// There is no such domain, or it does not do that (112, 125, 134).
    NoDomain(String),
    /// Something is under way, or is there already, or cannot be read: only a look tells (5, 17, 36, 37, 130).
    Unclear(String),
    /// It is disabled (119).
    Disabled,
    /// Not allowed (1 with these words, 150).
    Denied(String),
    /// Something else.
    Other(String),
}

impl Answer {
    /// The meaning of an exit code, and of the words that came with it.
    fn of(code: i32, said: &str) -> Self {
        let words = || first_line(code, said);
        match code {
            0 => Self::Done,
            3 | 113 => Self::NoJob,
            112 | 125 | 134 => Self::NoDomain(words()),
            5 | 17 | 36 | 37 | 130 => Self::Unclear(words()),
            119 => Self::Disabled,
            150 => Self::Denied(words()),
            1 if ["not permitted", "Not privileged"].iter().any(|denied| said.contains(denied)) => {
                Self::Denied(words())
            }
            _ => Self::Other(words()),
        }
    }
}

/// The line that says what happened, for people.
fn first_line(code: i32, said: &str) -> String {
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "Bad request.");
    lines.next().map_or_else(|| format!("exit status {code}"), str::to_owned)
}

/// What a look at a job shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is loaded.
    Loaded(Box<Printed>),
    /// It is not.
    Absent,
}

/// Loads a job from its definition.
pub async fn bootstrap(domain: Domain, plist: &std::path::Path) -> Result<Answer, Failure> {
    call(&["bootstrap", &domain.to_string(), &plist.to_string_lossy()]).await
}

/// Unloads a job. It goes on until its process has ended.
pub async fn bootout(domain: Domain, label: &str) -> Result<Answer, Failure> {
    call(&["bootout", &format!("{domain}/{label}")]).await
}

/// Starts a loaded job now; `anew` ends its process first.
pub async fn kickstart(domain: Domain, label: &str, anew: bool) -> Result<Answer, Failure> {
    let target = format!("{domain}/{label}");
    if anew { call(&["kickstart", "-k", &target]).await } else { call(&["kickstart", &target]).await }
}

/// Allows a label to be loaded, or forbids it; a job that is loaded stays as it is.
pub async fn set_enabled(domain: Domain, label: &str, enabled: bool) -> Result<Answer, Failure> {
    call(&[if enabled { "enable" } else { "disable" }, &format!("{domain}/{label}")]).await
}

/// Has a job's process look at its configuration again.
pub async fn hang_up(domain: Domain, label: &str) -> Result<Answer, Failure> {
    call(&["kill", "HUP", &format!("{domain}/{label}")]).await
}

/// Takes variables out of launchd's own environment, which every job that starts after that inherits.
pub async fn unset_environment(names: &[&str]) -> Result<(), Failure> {
    for name in names {
        match call(&["unsetenv", name]).await? {
            Answer::Done => {}
            other => return Err(Failure::refused("forget", name, other)),
        }
    }
    Ok(())
}

/// Looks at a job.
pub async fn look(domain: Domain, label: &str) -> Result<Look, Failure> {
    let target = format!("{domain}/{label}");
    let (answer, text) = ask(&["print", &target]).await?;
    match answer {
        Answer::Done => match print::job(&text) {
            Some(printed) => Ok(Look::Loaded(Box::new(printed))),
            None => Err(Failure::Unintelligible { target }),
        },
        Answer::NoJob => Ok(Look::Absent),
        Answer::NoDomain(said) => Err(Failure::NoDomain { domain: domain.to_string(), said }),
        other => Err(Failure::refused("describe", &target, other)),
    }
}

/// Whether a label is forbidden by an override.
pub async fn is_disabled(domain: Domain, label: &str) -> Result<bool, Failure> {
    Ok(print::override_of(&overrides(domain).await?, label).unwrap_or(false))
}

/// What launchctl says of the labels that are forbidden, or allowed again.
pub async fn overrides(domain: Domain) -> Result<String, Failure> {
    let (answer, text) = ask(&["print-disabled", &domain.to_string()]).await?;
    match answer {
        Answer::Done => Ok(text),
        other => Err(Failure::refused("list what is disabled in", &domain.to_string(), other)),
    }
}

/// Whether a domain is there and answers.
pub async fn answers(domain: Domain) -> Result<Answer, Failure> {
    Ok(ask(&["print", &domain.to_string()]).await?.0)
}

async fn call(args: &[&str]) -> Result<Answer, Failure> {
    Ok(ask(args).await?.0)
}

async fn ask(args: &[&str]) -> Result<(Answer, String), Failure> {
    let mut command = process::command("launchctl");
    command.args(args);
    match process::run(command, CALL_DEADLINE).await {
        Ok(finished) => {
            let code = finished.status.code().unwrap_or(-1);
            Ok((Answer::of(code, &finished.stderr), finished.stdout))
        }
        Err(RunError::Deadline { deadline, .. }) => {
            Err(Failure::Silent { verb: args.join(" "), seconds: deadline.as_secs() })
        }
        Err(RunError::Start { source, .. }) => Err(Failure::NoTool { source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lifecycle notes D1.
    #[test]
    fn answers_are_told_apart_by_their_codes() {
        let eio = "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors.\n";
        let gone = "Bad request.\nCould not find service \"L\" in domain for user gui: 501\n";
        let denied = "Not privileged to signal service.";
        let table = [
            (0, "", Answer::Done),
            (113, gone, Answer::NoJob),
            (3, "Boot-out failed: 3: No such process", Answer::NoJob),
            (5, eio, Answer::Unclear("Bootstrap failed: 5: Input/output error".to_owned())),
            (17, "", Answer::Unclear("exit status 17".to_owned())),
            (36, "", Answer::Unclear("exit status 36".to_owned())),
            (37, "", Answer::Unclear("exit status 37".to_owned())),
            (119, "Bootstrap failed: 119: Service is disabled", Answer::Disabled),
            (
                112,
                "Bad request.\nCould not find domain\n",
                Answer::NoDomain("Could not find domain".to_owned()),
            ),
            (125, "", Answer::NoDomain("exit status 125".to_owned())),
            (1, denied, Answer::Denied(denied.to_owned())),
            (1, "Unrecognized subcommand", Answer::Other("Unrecognized subcommand".to_owned())),
            (22, "", Answer::Other("exit status 22".to_owned())),
            (-1, "", Answer::Other("exit status -1".to_owned())),
        ];
        for (code, said, answer) in table {
            assert_eq!(Answer::of(code, said), answer, "{code}");
        }
    }
}
