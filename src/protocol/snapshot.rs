//! `hello-ok`: what a client is told when it is accepted (§1.13).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::frame::{Policy, StateVersion};
use super::text::Credential;

/// The methods and events this gateway has; made from the tables.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Features {
    /// Names of methods.
    pub methods: Vec<&'static str>,
    /// Names of events.
    pub events: Vec<&'static str>,
    /// Protocol 4: optional behaviours. None yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<&'static str>>,
}

/// The payload of the response to `connect`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelloOk<'a> {
    /// `hello-ok`.
    #[serde(rename = "type")]
    pub kind: HelloOkTag,
    /// The protocol that will be spoken.
    pub protocol: u32,
    /// Who answers.
    pub server: Server<'a>,
    /// What it can do.
    pub features: &'a Features,
    /// What it knows at this moment.
    pub snapshot: Snapshot<'a>,
    /// What the client was granted. Protocol 3 has it only for devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Granted>,
    /// Limits.
    pub policy: PolicyOut,
}

/// `hello-ok`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub enum HelloOkTag {
    /// `hello-ok`.
    #[serde(rename = "hello-ok")]
    HelloOk,
}

/// Who answers.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Server<'a> {
    /// The program's version.
    pub version: &'a str,
    /// Protocol 4: this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<&'a str>,
    /// This connection.
    pub conn_id: &'a str,
}

/// What the gateway knows at this moment.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot<'a> {
    /// Presence entries, newest first.
    #[schemars(with = "Vec<super::presence::PresenceEntry>")]
    pub presence: &'a [&'a RawValue],
    /// The health snapshot.
    #[schemars(with = "serde_json::Value")]
    pub health: &'a RawValue,
    /// How often these changed.
    pub state_version: StateVersion,
    /// Milliseconds since the gateway began.
    pub uptime_ms: u64,
    /// Protocol 4: hex SHA-256 of the configuration file in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_config_hash: Option<&'a str>,
    /// The configuration file. Protocol 4 tells only those who may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_path: Option<&'a str>,
    /// The state directory. Protocol 4 tells only those who may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<&'a str>,
    /// How sessions are named.
    pub session_defaults: &'a SessionDefaults,
    /// `none`, `token`, `password`, `trusted-proxy`. Protocol 4 tells only those who may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_mode: Option<&'static str>,
}

/// How sessions are named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionDefaults {
    /// The default agent's id.
    pub default_agent_id: String,
    /// The short name of the main session.
    pub main_key: String,
    /// The full name of the main session.
    pub main_session_key: String,
    /// `per-sender` or `global`.
    pub scope: String,
}

impl SessionDefaults {
    /// The names for a default agent.
    pub fn of(agent_id: &str) -> Self {
        Self {
            default_agent_id: agent_id.to_owned(),
            main_key: "main".to_owned(),
            main_session_key: format!("agent:{agent_id}:main"),
            scope: "per-sender".to_owned(),
        }
    }
}

/// What a client was granted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// Protocol 4: how it was let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'static str>,
    /// A token that this device may present from now on.
    #[serde(default, skip_serializing_if = "Credential::is_absent")]
    pub device_token: Credential,
    /// Its role.
    pub role: &'static str,
    /// Its scopes, sorted.
    pub scopes: Vec<String>,
    /// When the device token was made, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_at_ms: Option<u64>,
}

/// Limits, with what protocol 4 adds.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyOut {
    /// The limits of every protocol.
    #[serde(flatten)]
    pub policy: Policy,
    /// Protocol 4: sizes of attachments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachments: Option<AttachmentLimits>,
}

/// Sizes of attachments, bytes.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentLimits {
    /// All of one message.
    pub max_bytes: u64,
    /// One image.
    pub max_image_bytes: u64,
}

/// The attachment limits of protocol 4 (§1.13).
pub const ATTACHMENTS: AttachmentLimits =
    AttachmentLimits { max_bytes: 20_971_520, max_image_bytes: 6_291_456 };
