//! Looking at the configuration again while the gateway runs.

use std::sync::Arc;

use super::credentials::Credentials;
use super::settings::Settings;
use super::state::State;
use crate::config::{Loaded, Source};

/// What came of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// The file says what it said before.
    Nothing,
    /// These keys changed and are in force.
    Applied(Vec<String>),
    /// The change is not applied, and why.
    Ignored(String),
    /// The file cannot be used; what was in force still is.
    Invalid(String),
    /// These keys changed, and need a restart.
    Restart(Vec<String>),
}

/// Remembers what is in force, and where it came from.
#[derive(Debug)]
pub struct Reloader {
    source: Source,
    credentials: Credentials,
    in_force: Loaded,
}

impl Reloader {
    /// Begins with what the gateway was started with.
    pub fn new(source: Source, credentials: Credentials, in_force: Loaded) -> Self {
        Self { source, credentials, in_force }
    }

    /// Reads the file again and applies what may be applied.
    pub async fn reload(&mut self, state: &Arc<State>) -> Reloaded {
        let source = self.source.clone();
        let Some(loaded) = state.tasks.blocking(move || source.load()).await else {
            return Reloaded::Ignored("the gateway is stopping".to_owned());
        };
        if loaded.hash == self.in_force.hash {
            return Reloaded::Nothing;
        }
        let config = match &loaded.config {
            Ok(config) => config,
            Err(problems) => {
                return Reloaded::Invalid(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
            }
        };
        let settings = Settings::new(config, &self.credentials, loaded.hash.clone());
        state.limiters.set_limits(settings.limits);
        state.settings.store(Arc::new(settings));
        self.in_force = loaded;
        Reloaded::Applied(Vec::new())
    }
}
