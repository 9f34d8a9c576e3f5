//! `wake`: leaves a note for the main session and may wake its agent (§3.6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::method::{Done, Method};
use crate::protocol::scope::{Access, Scope};
use crate::protocol::text::NonEmpty;

/// `wake`.
pub enum Wake {}

impl Method for Wake {
    const NAME: &'static str = "wake";
    const ACCESS: Access = Access::Operator(Scope::Write);
    type Params = Params;
    type Output = Done;
}

/// What `wake` is told.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// When the note is read.
    pub mode: WakeMode,
    /// The note.
    pub text: NonEmpty,
}

/// When the note is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WakeMode {
    /// A heartbeat runs at once.
    Now,
    /// At the next heartbeat.
    NextHeartbeat,
}
