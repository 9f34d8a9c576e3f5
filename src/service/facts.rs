//! What was found, for people: six facts that do not follow from each other, each with its source, and one headline.
//!
//! Pure. What is not known is told as such and never as "no" (lifecycle notes B12).

use serde::Serialize;

use super::definition::Standing;
use super::observed::{Manager, Observed};
use crate::exit::ExitCode;

/// Yes, no, or nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is so.
    Yes,
    /// It is not so.
    No,
    /// Nobody could tell.
    Unknown,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// An answer and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// The answer.
    pub is: Answer,
    /// Its source, in words.
    pub because: String,
}

/// The six facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// There is a definition.
    pub installed: Fact,
    /// It starts by itself: with the user's manager, or at boot.
    pub enabled: Fact,
    /// The manager has the definition in memory.
    pub loaded: Fact,
    /// There is a process.
    pub running: Fact,
    /// The process said that it is ready.
    pub ready: Fact,
    /// The process answers.
    pub healthy: Fact,
    /// The one line that follows from them.
    pub headline: Headline,
}

/// The state in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Headline {
    /// It runs and, as far as it was asked, is well.
    Running,
    /// It runs, is ready, and does not answer.
    Unhealthy,
    /// It runs and is not ready yet.
    Starting,
    /// It is applying a changed configuration.
    Reloading,
    /// It is on its way down.
    Stopping,
    /// It failed, and the manager will start it again.
    Restarting,
    /// It does not run.
    Stopped,
    /// It failed, and stays down.
    Failed,
    /// It runs, and its definition is gone.
    Orphan,
    /// There is none.
    NotInstalled,
    /// Somebody forbade it.
    Masked,
    /// The manager cannot use the definition.
    BadDefinition,
    /// Nobody could tell.
    Unknown,
}

impl Headline {
    /// How `status` ends.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Running => ExitCode::Ok,
            Self::Unhealthy | Self::Starting | Self::Reloading | Self::Stopping | Self::Restarting => {
                ExitCode::Unhealthy
            }
            Self::Stopped | Self::Failed | Self::Masked | Self::BadDefinition => ExitCode::NotRunning,
            Self::Orphan => ExitCode::Drift,
            Self::NotInstalled => ExitCode::NotInstalled,
            Self::Unknown => ExitCode::NoManager,
        }
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Unhealthy => "running, but not healthy",
            Self::Starting => "starting",
            Self::Reloading => "reloading",
            Self::Stopping => "stopping",
            Self::Restarting => "failed, waiting to be restarted",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Orphan => "running without a definition",
            Self::NotInstalled => "not installed",
            Self::Masked => "masked",
            Self::BadDefinition => "not usable: bad definition",
            Self::Unknown => "unknown",
        }
    }
}

impl Facts {
    /// Derives the facts. `health` is what the gateway answered, if it was asked.
    pub fn of(observed: &Observed, health: Option<Result<(), String>>) -> Self {
        let installed = installed(observed);
        let healthy = match health {
            None => Fact { is: Answer::Unknown, because: "it was not asked".to_owned() },
            Some(Ok(())) => Fact { is: Answer::Yes, because: "it answers".to_owned() },
            Some(Err(why)) => Fact { is: Answer::No, because: why },
        };
        let reached = match &observed.manager {
            Manager::Reached(reached) => reached,
            Manager::Unreachable { unreachable } => {
                let unknown = || Fact { is: Answer::Unknown, because: unreachable.to_string() };
                let headline = if healthy.is == Answer::Yes { Headline::Running } else { Headline::Unknown };
                return Self {
                    installed,
                    enabled: unknown(),
                    loaded: unknown(),
                    running: unknown(),
                    ready: unknown(),
                    healthy,
                    headline,
                };
            }
        };
        let state = &reached.state;
        let on = state.unit_file_state == "enabled" && state.wanted_at_login;
        let ready = match (state.is_active(), state.says_when_ready()) {
            (true, true) => Fact { is: Answer::Yes, because: "it said READY".to_owned() },
            (true, false) => {
                let because =
                    format!("a service of type \"{}\" does not say when it is ready", state.service_type);
                Fact { is: Answer::Unknown, because }
            }
            (false, _) => {
                Fact { is: Answer::No, because: active_words(&state.active_state, &state.sub_state) }
            }
        };
        let headline = headline(observed, healthy.is);
        Self {
            installed,
            enabled: Fact {
                is: on.into(),
                because: observed.platform.starts(
                    observed.scope,
                    &state.unit_file_state,
                    state.wanted_at_login,
                ),
            },
            loaded: Fact {
                is: state.is_loaded().into(),
                because: match &state.load_error {
                    Some(why) => format!("{}: {why}", state.load_state),
                    None => state.load_state.clone(),
                },
            },
            running: match (state.main_pid, &reached.failure) {
                (Some(pid), _) => Fact { is: Answer::Yes, because: format!("process {pid}") },
                (None, Some(why)) => Fact { is: Answer::No, because: why.clone() },
                (None, None) => {
                    Fact { is: Answer::No, because: active_words(&state.active_state, &state.sub_state) }
                }
            },
            ready,
            healthy,
            headline,
        }
    }
}

fn active_words(active: &str, sub: &str) -> String {
    format!("{active} ({sub})")
}

fn installed(observed: &Observed) -> Fact {
    let path = observed.definition.path.display();
    let fragment = observed.manager.reached().and_then(|reached| reached.state.fragment_path.as_ref());
    match (observed.definition.standing, fragment) {
        (Standing::Missing, Some(fragment)) if *fragment != observed.definition.path => Fact {
            is: Answer::Yes,
            because: format!("{} has it from {}", observed.platform.name(), fragment.display()),
        },
        (Standing::Missing, _) => Fact { is: Answer::No, because: format!("{path} does not exist") },
        (Standing::Unreadable, _) => Fact { is: Answer::Unknown, because: format!("{path} cannot be read") },
        (Standing::Masked, _) => Fact { is: Answer::No, because: format!("{path} is a mask") },
        (Standing::Ours | Standing::Edited | Standing::Foreign | Standing::Linked, _) => {
            Fact { is: Answer::Yes, because: path.to_string() }
        }
    }
}

/// The table from what was found to the one word.
fn headline(observed: &Observed, healthy: Answer) -> Headline {
    let Some(reached) = observed.manager.reached() else { return Headline::Unknown };
    let state = &reached.state;
    let gone = observed.definition.standing == Standing::Missing && state.load_state == "not-found";
    match state.active_state.as_str() {
        _ if gone && state.is_up() => Headline::Orphan,
        _ if gone => Headline::NotInstalled,
        "active" if healthy == Answer::No => Headline::Unhealthy,
        "active" => Headline::Running,
        "reloading" | "refreshing" => Headline::Reloading,
        "deactivating" => Headline::Stopping,
        "activating" if state.awaits_restart() => Headline::Restarting,
        "activating" => Headline::Starting,
        _ if state.load_state == "masked" || observed.definition.standing == Standing::Masked => {
            Headline::Masked
        }
        _ if matches!(state.load_state.as_str(), "bad-setting" | "error") => Headline::BadDefinition,
        "failed" => Headline::Failed,
        "inactive" => Headline::Stopped,
        _ => Headline::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::observed::{Reached, UnitState, Via, sample};
    use crate::service::reach::{Place, Unreachable};

    fn observed(standing: Standing, manager: Manager) -> Observed {
        let mut observed = sample("a.service", "/a.service");
        observed.definition.standing = standing;
        observed.manager = manager;
        observed
    }

    fn reached(load: &str, active: &str, sub: &str) -> Reached {
        let state = UnitState {
            load_state: load.to_owned(),
            active_state: active.to_owned(),
            sub_state: sub.to_owned(),
            service_type: "notify".to_owned(),
            main_pid: (active == "active").then_some(7),
            ..UnitState::default()
        };
        Reached { via: Via::Bus, version: "252".to_owned(), reads_directory: true, failure: None, state }
    }

    fn facts(standing: Standing, reached: Reached, health: Option<Result<(), String>>) -> Facts {
        Facts::of(&observed(standing, Manager::Reached(Box::new(reached))), health)
    }

    #[test]
    fn the_headline_follows_from_what_was_found() {
        use Headline::*;
        let ours = Standing::Ours;
        let table = [
            (ours, "loaded", "active", "running", Running),
            (ours, "loaded", "reloading", "reload", Reloading),
            (ours, "loaded", "refreshing", "", Reloading),
            (ours, "loaded", "activating", "start", Starting),
            (ours, "loaded", "activating", "auto-restart", Restarting),
            (ours, "loaded", "activating", "auto-restart-queued", Restarting),
            (ours, "loaded", "deactivating", "stop-sigterm", Stopping),
            (ours, "loaded", "inactive", "dead", Stopped),
            (ours, "loaded", "failed", "failed", Failed),
            (ours, "not-found", "inactive", "dead", Stopped),
            (ours, "bad-setting", "inactive", "dead", BadDefinition),
            (Standing::Masked, "masked", "inactive", "dead", Masked),
            (Standing::Missing, "not-found", "inactive", "dead", NotInstalled),
            (Standing::Missing, "not-found", "active", "running", Orphan),
            (Standing::Missing, "loaded", "active", "running", Running),
            (ours, "loaded", "maintenance", "", Unknown),
        ];
        for (standing, load, active, sub, headline) in table {
            let found = facts(standing, reached(load, active, sub), None).headline;
            assert_eq!(found, headline, "{standing:?} {load} {active} {sub}");
        }
        let sick = Some(Err("no answer".to_owned()));
        assert_eq!(facts(ours, reached("loaded", "active", "running"), sick).headline, Unhealthy);
    }

    #[test]
    fn no_fact_follows_from_another() {
        let mut now = reached("loaded", "active", "running");
        now.state.unit_file_state = "enabled".to_owned();
        let found = facts(Standing::Ours, now.clone(), None);
        assert_eq!(
            (found.enabled.is, found.ready.is, found.healthy.is),
            (Answer::No, Answer::Yes, Answer::Unknown)
        );
        assert_eq!(found.enabled.because, "its file is \"enabled\", default.target does not want it");
        now.state.wanted_at_login = true;
        now.state.service_type = "simple".to_owned();
        let found = facts(Standing::Ours, now, Some(Ok(())));
        assert_eq!(
            (found.enabled.is, found.ready.is, found.healthy.is),
            (Answer::Yes, Answer::Unknown, Answer::Yes)
        );
    }

    #[test]
    fn what_nobody_could_tell_is_unknown_and_not_no() {
        let unreachable = Unreachable::NoSystemd { place: Place::OtherSystem };
        let alone = observed(Standing::Ours, Manager::Unreachable { unreachable });
        let found = Facts::of(&alone, None);
        assert_eq!(found.installed.is, Answer::Yes);
        for fact in [&found.enabled, &found.loaded, &found.running, &found.ready, &found.healthy] {
            assert_eq!(fact.is, Answer::Unknown, "{fact:?}");
        }
        assert_eq!(found.headline.exit_code(), ExitCode::NoManager);
        assert_eq!(Facts::of(&alone, Some(Ok(()))).headline, Headline::Running);
    }
}
