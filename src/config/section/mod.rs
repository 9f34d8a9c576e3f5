//! The shape of the configuration: one file per section, and the words they share.
//!
//! Every key is known: an unknown one is an error, because a setting that is silently ignored is worse than one that
//! is refused. The documentation of each field is its description in the JSON Schema. Nothing here reads or writes.

mod address;
mod agents;
mod auth;
mod channels;
mod file_path;
mod gateway;
mod interval;
mod logging;
mod meta;
mod models;
mod number;

use schemars::JsonSchema;
use serde::Deserialize;

pub use address::{Header, IpRange, Origin, SocketUrl};
pub use agents::{Agent, AgentDefaults, AgentId, Agents, Heartbeat, Identity};
pub use auth::{Auth, AuthMode, RateLimit, TrustedProxy};
pub use channels::{Channels, Webchat};
pub use file_path::FilePath;
pub use gateway::{Bind, ControlUi, Gateway, Mode, Reload, ReloadMode, Remote};
pub use interval::Interval;
pub use logging::{Level, Logging};
pub use meta::Meta;
pub use models::{Model, Models, Provider};
pub use number::{Bounded, Port};

use crate::secret::Secret;

/// The configuration of a gateway. Every key may be left out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// The gateway: where it listens and who may speak to it.
    pub gateway: Gateway,
    /// The gateway's own log.
    pub logging: Logging,
    /// The agents and what they have in common.
    pub agents: Agents,
    /// The models that agents may use.
    pub models: Models,
    /// The channels through which messages come and go.
    pub channels: Channels,
    /// Who touched this file last. Written by tools, read by nobody.
    pub meta: Meta,
}

impl Config {
    /// Every secret that is set, with its path. The same keys as [`crate::config::SECRETS`].
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &Secret)> {
        let (auth, remote) = (&self.gateway.auth, &self.gateway.remote);
        [
            ("gateway.auth.token", &auth.token),
            ("gateway.auth.password", &auth.password),
            ("gateway.remote.token", &remote.token),
            ("gateway.remote.password", &remote.password),
        ]
        .into_iter()
        .filter_map(|(path, secret)| secret.as_ref().map(|secret| (path, secret)))
    }
}
