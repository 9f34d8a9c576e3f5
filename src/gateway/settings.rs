//! What a running gateway takes from its configuration. A reload makes a new one and swaps it in whole.

use std::time::Duration;

use crate::auth::admission::Rules;
use crate::auth::limit::Limits;
use crate::protocol::methods::agents::{Agent, Agents};
use crate::protocol::methods::health::HeartbeatSetting;
use crate::protocol::methods::models::Models;

/// The part of a configuration that is read while the gateway runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who may connect.
    pub rules: Rules,
    /// Failed attempts.
    pub limits: Limits,
    /// The agents.
    pub agents: Agents,
    /// Their heartbeat.
    pub heartbeat: HeartbeatSetting,
    /// The models.
    pub models: Models,
    /// Whether the web chat takes messages.
    pub webchat: bool,
    /// How long a stop waits for work in flight.
    pub drain: Duration,
    /// Hex SHA-256 of the configuration file's text.
    pub hash: String,
}

impl Settings {
    /// The agent that answers when nobody is named.
    pub fn default_agent(&self) -> &str {
        &self.agents.default_id
    }

    /// Whether an agent is the default one.
    pub fn is_default(&self, agent: &Agent) -> bool {
        agent.id == self.agents.default_id
    }
}
