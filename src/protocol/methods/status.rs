//! `status`: the gateway in short (§3.4).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::method::{Ignored, Method};
use crate::protocol::scope::{Access, Scope};

/// `status`.
pub enum Status {}

impl Method for Status {
    const NAME: &'static str = "status";
    const ACCESS: Access = Access::Operator(Scope::Read);
    type Params = Ignored;
    type Output = StatusSummary;
}

/// The gateway in short. Those who are not `operator.admin` see no paths.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusSummary {
    /// The first channel that links an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_channel: Option<LinkChannel>,
    /// Heartbeats of the agents.
    pub heartbeat: HeartbeatSummary,
    /// A line a channel.
    pub channel_summary: Vec<String>,
    /// Notes that wait for the next turn of the main session.
    pub queued_system_events: Vec<String>,
    /// Sessions of all agents.
    pub sessions: SessionsOverview,
}

/// A channel and its account.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinkChannel {
    /// The channel.
    pub id: String,
    /// What people call it.
    pub label: String,
    /// Whether it has an account.
    pub linked: bool,
    /// The age of the account's credentials, milliseconds; `null` where there are none to age.
    pub auth_age_ms: Option<u64>,
}

/// Heartbeats of the agents.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatSummary {
    /// The default agent.
    pub default_agent_id: String,
    /// Every agent.
    pub agents: Vec<AgentHeartbeat>,
}

/// An agent's heartbeat.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentHeartbeat {
    /// The agent.
    pub agent_id: String,
    /// Whether it runs.
    pub enabled: bool,
    /// How often, as configured.
    pub every: String,
    /// How often, milliseconds; `null` when it does not run.
    pub every_ms: Option<u64>,
}

/// Sessions of all agents.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionsOverview {
    /// Where they are kept.
    pub paths: Vec<String>,
    /// How many there are.
    pub count: u64,
    /// What a new one gets.
    pub defaults: SessionModel,
    /// The latest.
    pub recent: Vec<Value>,
    /// The same, an agent each.
    pub by_agent: Vec<AgentSessions>,
}

/// The model of a new session.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionModel {
    /// Its name; `null` when none is configured.
    pub model: Option<String>,
    /// Its context, tokens.
    pub context_tokens: Option<u64>,
}

/// Sessions of one agent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentSessions {
    /// The agent.
    pub agent_id: String,
    /// Where they are kept.
    pub path: String,
    /// How many there are.
    pub count: u64,
    /// The latest.
    pub recent: Vec<Value>,
}
