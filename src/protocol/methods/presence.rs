//! `system-presence`, `system-event`: who is there, and telling so (§3.5).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::method::{Done, Ignored, Method};
use crate::protocol::presence::PresenceEntry;
use crate::protocol::scope::{Access, Scope};
use crate::protocol::text::lenient;

/// `system-presence`: the list, newest first.
pub enum SystemPresence {}

impl Method for SystemPresence {
    const NAME: &'static str = "system-presence";
    const ACCESS: Access = Access::Operator(Scope::Read);
    type Params = Ignored;
    type Output = Vec<PresenceEntry>;
}

/// `system-event`: posts a note and what it says of who is there.
pub enum SystemEvent {}

impl Method for SystemEvent {
    const NAME: &'static str = "system-event";
    const ACCESS: Access = Access::Operator(Scope::Admin);
    type Params = Note;
    type Output = Done;
}

/// What `system-event` is told. Optional values of the wrong type are ignored.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// The note; `text required` when blank.
    #[serde(default, deserialize_with = "lenient")]
    #[schemars(with = "String")]
    pub text: Option<String>,
    /// The device it is about.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// The run of a client it is about.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// The machine it is about.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its address.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// How it is used.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Its version.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its platform.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Its family.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// Its model.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<String>,
    /// Seconds since a person last used it.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub last_input_seconds: Option<f64>,
    /// Why the note is posted.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its roles.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Its scopes.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Free words.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}
