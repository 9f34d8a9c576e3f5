//! `health`: the full snapshot (§3.3).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::method::Method;
use crate::protocol::scope::Access;

/// `health`: whoever is connected may ask.
pub enum Health {}

impl Method for Health {
    const NAME: &'static str = "health";
    const ACCESS: Access = Access::Anyone;
    type Params = Params;
    type Output = HealthSnapshot;
}

/// What `health` is asked with; read loosely.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct Params {
    /// Make a new snapshot, asking every channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<bool>,
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self { probe: value.get("probe").and_then(Value::as_bool) })
    }
}

/// How the gateway is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthSnapshot {
    /// The gateway answers.
    pub ok: bool,
    /// When it was made, milliseconds since 1970.
    pub ts: u64,
    /// How long that took, milliseconds.
    pub duration_ms: u64,
    /// Every channel.
    pub channels: BTreeMap<String, ChannelHealth>,
    /// The channels in the order to show them.
    pub channel_order: Vec<String>,
    /// What people call them.
    pub channel_labels: BTreeMap<String, String>,
    /// Seconds between the default agent's heartbeats.
    pub heartbeat_seconds: u64,
    /// The default agent.
    pub default_agent_id: String,
    /// Every agent.
    pub agents: Vec<AgentHealth>,
    /// The default agent's sessions.
    pub sessions: SessionsSummary,
    /// Readiness as the oldest runbook asks for it: `ok` and `web.linked`.
    pub web: WebHealth,
}

/// How a channel is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelHealth {
    /// Whether it is set up.
    pub configured: bool,
    /// Whether it has an account.
    pub linked: bool,
    /// Whether it is running.
    pub running: bool,
    /// The account it was asked for.
    pub account_id: String,
    /// When it was last asked, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_probe_at: Option<u64>,
}

/// Whether the channel of the web is there.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WebHealth {
    /// It takes messages.
    pub linked: bool,
}

/// How an agent is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentHealth {
    /// Its id.
    pub agent_id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it answers when nobody else is named.
    pub is_default: bool,
    /// Its heartbeat.
    pub heartbeat: HeartbeatSetting,
    /// Its sessions.
    pub sessions: SessionsSummary,
}

/// How an agent's heartbeat is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatSetting {
    /// Whether it runs.
    pub enabled: bool,
    /// How often, as configured: `30m`.
    pub every: String,
    /// How often, milliseconds.
    pub every_ms: u64,
}

/// Sessions in short.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionsSummary {
    /// Where they are kept.
    pub path: String,
    /// How many there are.
    pub count: u64,
    /// The latest.
    pub recent: Vec<Value>,
}
