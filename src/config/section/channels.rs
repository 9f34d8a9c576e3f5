//! `channels`: where messages come from and go to.

use schemars::JsonSchema;
use serde::Deserialize;

/// The channels through which messages come and go.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Channels {
    /// Chat in the Control UI and other clients of the gateway itself.
    pub webchat: Webchat,
}

/// Chat in the Control UI and other clients of the gateway itself.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Webchat {
    /// Whether the channel is there.
    pub enabled: bool,
}

impl Default for Webchat {
    fn default() -> Self {
        Self { enabled: true }
    }
}
