//! `last-heartbeat`, `set-heartbeats`: the agents' heartbeat (§3.6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::event::HeartbeatNote;
use crate::protocol::method::{Ignored, Method};
use crate::protocol::scope::{Access, Scope};

/// `last-heartbeat`: the last heartbeat event, or `null`.
pub enum LastHeartbeat {}

impl Method for LastHeartbeat {
    const NAME: &'static str = "last-heartbeat";
    const ACCESS: Access = Access::Operator(Scope::Read);
    type Params = Ignored;
    type Output = Option<HeartbeatNote>;
}

/// `set-heartbeats`: turns heartbeats on or off until the gateway ends.
pub enum SetHeartbeats {}

impl Method for SetHeartbeats {
    const NAME: &'static str = "set-heartbeats";
    const ACCESS: Access = Access::Operator(Scope::Admin);
    const INVALID_PARAMS: Option<&'static str> = Some("enabled (boolean) required");
    type Params = Switch;
    type Output = Switched;
}

/// On or off.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Switch {
    /// Whether heartbeats run.
    pub enabled: bool,
}

/// What it is now.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Switched {
    /// Done.
    pub ok: bool,
    /// Whether heartbeats run.
    pub enabled: bool,
}
