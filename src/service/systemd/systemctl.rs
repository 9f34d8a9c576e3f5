//! The manager by `systemctl`, for machines without a bus: it alone can use the manager's own socket.
//!
//! The same questions and the same jobs as [`super::bus`], in the few commands that answer them. Text that is meant
//! for people is never read, but for the reason of a failure.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, interval};

use super::filter::Groups;
use super::link::{JobEnd, Tick, Verb};
use super::properties::{Properties, Value, shell_words};
use super::surroundings::Ways;
use super::words;
use crate::host::process::{self, Finished, RunError};
use crate::instance::Scope;
use crate::service::error::{CallKind, ServiceError};
use crate::service::reach::Unreachable;

const QUERY_DEADLINE: Duration = Duration::from_secs(60);
/// A manager that does not tell its version in this time tells nothing else either.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// A program that reads nothing but itself.
const GROUPS_DEADLINE: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_secs(1);

/// `systemctl` for the manager of one runtime directory, or of the machine.
#[derive(Clone, Debug)]
pub struct Systemctl {
    scope: Scope,
    runtime_dir: PathBuf,
    version: String,
}

impl Systemctl {
    /// Asks the manager for its version, to see whether there is a way at all, and for the directories that it reads
    /// units from.
    pub async fn connect(ways: &Ways) -> Result<(Self, Vec<PathBuf>), Unreachable> {
        let mut this =
            Self { scope: ways.scope, runtime_dir: ways.runtime_dir.clone(), version: String::new() };
        let args = ["show", "--property=Version,UnitPath"];
        match this.run(&args, CONNECT_DEADLINE).await {
            Ok(finished) if finished.status.success() => {
                let shown = shown(&finished.stdout);
                shown.text("Version").clone_into(&mut this.version);
                Ok((this, shown.list("UnitPath").into_iter().map(PathBuf::from).collect()))
            }
            Ok(finished) if kind_of_text(&finished.stderr) == CallKind::Lost => Err(ways.not_running()),
            Ok(finished) => Err(Unreachable::NoTool { why: finished.stderr.trim().to_owned() }),
            Err(RunError::Deadline { deadline, .. }) => {
                Err(Unreachable::Silent { seconds: deadline.as_secs() })
            }
            Err(error @ RunError::Start { .. }) => Err(Unreachable::NoTool { why: chain(&error) }),
        }
    }

    /// The manager's version, as it prints it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The variables that it gives to everything it starts.
    pub async fn environment(&self) -> Result<Vec<String>, ServiceError> {
        let args = ["show", "--property=Environment", "--value"];
        Ok(shell_words(&self.call("tell its own environment", &args).await?))
    }

    /// Takes variables out of that environment.
    pub async fn unset_environment(&self, names: &[&str]) -> Result<(), ServiceError> {
        let args: Vec<&str> = ["unset-environment"].iter().chain(names).copied().collect();
        self.call("change its own environment", &args).await.map(drop)
    }

    /// The properties of a unit.
    pub async fn unit(&self, name: &str) -> Result<Properties, ServiceError> {
        self.call(&format!("describe {name}"), &["show", "--all", "--", name]).await.map(|text| shown(&text))
    }

    /// What the manager has in memory about a unit: `systemctl show` would make it open the unit's file.
    pub async fn known(&self, name: &str) -> Result<Properties, ServiceError> {
        let args = ["list-units", "--all", "--full", "--plain", "--no-legend", "--", name];
        let listed = self.call(&format!("describe {name}"), &args).await?;
        let words = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let found = words.into_iter().find(|words| words.first() == Some(&name));
        let states = match found.as_deref() {
            Some([_, load, active, sub, ..]) => [*load, *active, *sub],
            _ => ["not-found", "inactive", "dead"],
        };
        let names = ["LoadState", "ActiveState", "SubState"];
        let pairs = names.into_iter().zip(states);
        Ok(Properties(pairs.map(|(key, value)| (key.to_owned(), Value::Text(value.to_owned()))).collect()))
    }

    /// Reads all definitions again.
    pub async fn reload(&self) -> Result<(), ServiceError> {
        self.call("reload its definitions", &["daemon-reload"]).await.map(drop)
    }

    /// Makes the links of the `[Install]` section.
    pub async fn enable(&self, unit: &str) -> Result<(), ServiceError> {
        self.call(&format!("enable {unit}"), &["enable", "--no-reload", "--", unit]).await.map(drop)
    }

    /// Removes the links to the unit.
    pub async fn disable(&self, unit: &str) -> Result<(), ServiceError> {
        self.call(&format!("disable {unit}"), &["disable", "--no-reload", "--", unit]).await.map(drop)
    }

    /// Clears failures and counters. A unit that is not loaded has none.
    pub async fn reset_failed(&self, unit: &str) -> Result<(), ServiceError> {
        match self.call(&format!("clear the failures of {unit}"), &["reset-failed", "--", unit]).await {
            Err(ServiceError::Call { kind: CallKind::NoSuchUnit, .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Hands a job over without waiting for it.
    pub async fn enqueue(&self, verb: Verb, unit: &str) -> Result<(), ServiceError> {
        let operation = format!("{} {unit}", verb.word());
        self.call(&operation, &[verb.word(), "--no-block", "--", unit]).await.map(drop)
    }

    /// Runs a job and waits for its end, telling at every tick what the unit is like: all of it, or only what the manager
    /// has in memory.
    pub async fn job(
        &self,
        verb: Verb,
        unit: &str,
        deadline: Duration,
        in_memory: bool,
        tick: &mut Tick<'_>,
    ) -> Result<JobEnd, ServiceError> {
        let begin = Instant::now();
        let args = [verb.word(), "--", unit];
        // systemctl itself listens before it asks.
        let run = self.run(&args, deadline);
        tokio::pin!(run);
        let mut ticks = interval(TICK);
        loop {
            tokio::select! {
                finished = &mut run => return match finished {
                    Ok(finished) if finished.status.success() => Ok(JobEnd::Done),
                    Ok(finished) => end_of(verb, unit, &finished),
                    Err(RunError::Deadline { deadline, .. }) => {
                        Err(ServiceError::JobDeadline { verb: verb.word(), unit: unit.to_owned(), deadline })
                    }
                    Err(error) => Err(call_refused(&format!("{} {unit}", verb.word()), CallKind::Other, chain(&error))),
                },
                _ = ticks.tick() => {
                    let asked = if in_memory { self.known(unit).await } else { self.unit(unit).await };
                    if let Ok(properties) = asked {
                        tick(begin.elapsed(), &properties.unit_state(false));
                    }
                }
            }
        }
    }

    async fn call(&self, operation: &str, args: &[&str]) -> Result<String, ServiceError> {
        match self.run(args, QUERY_DEADLINE).await {
            Ok(finished) if finished.status.success() => Ok(finished.stdout),
            Ok(finished) => Err(call_refused(
                operation,
                kind_of_text(&finished.stderr),
                finished.stderr.trim().to_owned(),
            )),
            Err(error @ RunError::Deadline { .. }) => {
                Err(call_refused(operation, CallKind::Silent, error.to_string()))
            }
            Err(error @ RunError::Start { .. }) => {
                Err(call_refused(operation, CallKind::Lost, chain(&error)))
            }
        }
    }

    async fn run(&self, args: &[&str], deadline: Duration) -> Result<Finished, RunError> {
        let mut command = process::command("systemctl");
        command.args([words::manager_option(self.scope), "--no-ask-password", "--no-pager"]).args(args);
        if self.scope == Scope::User {
            command.env("XDG_RUNTIME_DIR", &self.runtime_dir);
        }
        command.env("LC_ALL", "C.UTF-8").env("SYSTEMD_COLORS", "0");
        process::run(command, deadline).await
    }
}

/// The groups of system calls that this machine's systemd knows; none where it cannot be asked.
pub(super) async fn call_groups() -> Option<Groups> {
    let mut command = process::command("systemd-analyze");
    command.args(["--no-pager", "syscall-filter"]).env("LC_ALL", "C.UTF-8").env("SYSTEMD_COLORS", "0");
    let finished = process::run(command, GROUPS_DEADLINE).await.ok()?;
    finished.status.success().then(|| Groups::parse(&finished.stdout))
}

/// What `systemctl show` prints.
fn shown(text: &str) -> Properties {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Properties(pairs.map(|(key, value)| (key.to_owned(), Value::Text(value.to_owned()))).collect())
}

/// How a job ended, by the words of systemctl, which has no other way to say it.
fn end_of(verb: Verb, unit: &str, finished: &Finished) -> Result<JobEnd, ServiceError> {
    let said = finished.stderr.trim();
    let words = [
        ("canceled", JobEnd::Canceled),
        ("timeout was exceeded", JobEnd::Timeout),
        ("timed out", JobEnd::Timeout),
        ("dependency job", JobEnd::Dependency),
        ("skipped", JobEnd::Skipped),
        ("Job for", JobEnd::Failed),
    ];
    match words.into_iter().find(|(words, _)| said.contains(words)) {
        Some((_, end)) => Ok(end),
        None => Err(call_refused(&format!("{} {unit}", verb.word()), kind_of_text(said), said.to_owned())),
    }
}

/// What a refusal is about, by the words of systemctl (lifecycle notes E2).
fn kind_of_text(said: &str) -> CallKind {
    let words = [
        ("not loaded", CallKind::NoSuchUnit),
        ("not found", CallKind::NoSuchUnit),
        ("does not exist", CallKind::NoSuchUnit),
        ("is masked", CallKind::Masked),
        ("bad unit file setting", CallKind::BadDefinition),
        ("authentication required", CallKind::NotPermitted),
        ("Access denied", CallKind::NotPermitted),
        ("Permission denied", CallKind::NotPermitted),
        ("Failed to connect", CallKind::Lost),
    ];
    words.into_iter().find(|(words, _)| said.contains(words)).map_or(CallKind::Other, |(_, kind)| kind)
}

fn call_refused(operation: &str, kind: CallKind, said: String) -> ServiceError {
    ServiceError::Call { operation: operation.to_owned(), kind, source: said.into() }
}

pub(super) fn chain(error: &RunError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart_by_their_words() {
        let table = [
            (
                "Failed to reset failed state of unit x.service: Unit x.service not loaded.",
                CallKind::NoSuchUnit,
            ),
            ("Failed to start x.service: Unit x.service not found.", CallKind::NoSuchUnit),
            ("Failed to start x.service: Unit x.service is masked.", CallKind::Masked),
            (
                "Failed to start x.service: Unit x.service has a bad unit file setting.",
                CallKind::BadDefinition,
            ),
            ("Failed to connect to bus: No medium found", CallKind::Lost),
            ("something new", CallKind::Other),
        ];
        for (said, kind) in table {
            assert_eq!(kind_of_text(said), kind, "{said}");
        }
    }
}
