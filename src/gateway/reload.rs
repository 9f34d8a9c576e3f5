//! Looking at the configuration again while the gateway runs.

use std::sync::Arc;

use super::credentials::Credentials;
use super::prepare::hindrance;
use super::settings::Settings;
use super::state::State;
use super::wishes::Wish;
use crate::config::reload::{Decision, Part, decide_reload};
use crate::config::{Config, Loaded, Source, changed_paths};
use crate::host::log::Log;

/// What came of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// This was decided, and done but for a restart, which is the caller's.
    Decided(Decision),
    /// The file cannot be used; what was in force still is.
    Invalid(String),
    /// There was no time to look: the gateway is stopping.
    TooLate,
}

/// Remembers what is in force, and where it came from.
#[derive(Debug)]
pub struct Reloader {
    source: Source,
    credentials: Credentials,
    in_force: Loaded,
    log: Log,
    verbose: bool,
}

impl Reloader {
    /// Begins with what the gateway was started with.
    pub fn new(source: Source, credentials: Credentials, in_force: Loaded, log: Log, verbose: bool) -> Self {
        Self { source, credentials, in_force, log, verbose }
    }

    /// Reads the file again and applies what may be applied. What is read becomes what later changes are compared
    /// with, whether it was applied or not (protocol notes §7.7).
    pub async fn reload(&mut self, state: &Arc<State>) -> Reloaded {
        let source = self.source.clone();
        let Some(loaded) = state.tasks.blocking(move || source.load()).await else {
            return Reloaded::TooLate;
        };
        if self.in_force.exists && !loaded.exists {
            return Reloaded::Invalid("config file not found".to_owned());
        }
        let config = match &loaded.config {
            Ok(config) => config.clone(),
            Err(problems) => {
                let problems = problems.iter().map(ToString::to_string).collect::<Vec<_>>();
                return Reloaded::Invalid(problems.join("; "));
            }
        };
        let changed = changed_paths(&self.in_force.resolved, &loaded.resolved);
        let decision = decide_reload(config.gateway.reload.mode, changed);
        // The next process would be refused, and nobody would serve; unless flags help it as they helped this one.
        let refused = |config: &Config| hindrance(config, &state.instance);
        let hindered = self.in_force.config.as_ref().is_ok_and(|config| refused(config).is_some());
        if let (Decision::Restart { .. }, Some(refusal), false) = (&decision, refused(&config), hindered) {
            return Reloaded::Invalid(refusal.to_string());
        }
        let settings = state.settings.load_full();
        match &decision {
            Decision::Apply { parts, .. } => {
                self.apply(state, &config, loaded.hash.clone());
                for part in parts {
                    self.tell(*part, state, &config);
                }
            }
            // What is in force is what the file says now, in other words.
            Decision::Keep if settings.hash == self.in_force.hash => {
                let settings = Settings { hash: loaded.hash.clone(), ..Settings::clone(&settings) };
                state.settings.store(Arc::new(settings));
            }
            Decision::Keep | Decision::Restart { .. } | Decision::Ignored { .. } => {}
        }
        self.in_force = loaded;
        Reloaded::Decided(decision)
    }

    fn apply(&self, state: &State, config: &Config, hash: String) {
        state.settings.store(Arc::new(Settings::new(config, &self.credentials, hash)));
    }

    /// What is read at every use needs no telling; these parts keep something.
    fn tell(&self, part: Part, state: &State, config: &Config) {
        match part {
            Part::Log => {
                self.log.set_level(super::start::level(config, self.verbose));
                let may_write = state.log.load().is_some();
                let file = super::start::log_file(config, &state.instance, may_write);
                state.log.store(file.as_ref().map(|(path, _)| Arc::new(path.clone())));
                self.log.set_file(file);
            }
            Part::RateLimit => state.limiters.set_limits(state.settings.load().limits),
            Part::Heartbeat | Part::Channels => state.wishes.make(Wish::Health),
        }
    }
}
