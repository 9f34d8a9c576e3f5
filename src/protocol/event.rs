//! Events: one type and one row each (§4).

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::presence::PresenceEntry;

/// Who receives an event (§4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everybody who finished the handshake.
    Everyone,
    /// Operators who may pair devices.
    Pairing,
    /// One connection; never broadcast.
    Direct,
}

/// An event: its name, what it says and how it travels.
pub trait Event {
    /// The name on the wire.
    const NAME: &'static str;
    /// Who receives it.
    const AUDIENCE: Audience = Audience::Everyone;
    /// Whether a slow client misses it rather than lose its connection (§2.6).
    const DROP_IF_SLOW: bool;
    /// Whether it carries `stateVersion` (§2.5).
    const VERSIONED: bool = false;
    /// What it says.
    type Payload: Serialize + JsonSchema;
}

/// A row of the table of events.
pub struct EventRow {
    /// The name on the wire.
    pub name: &'static str,
    /// Who receives it.
    pub audience: Audience,
    /// Whether a slow client misses it.
    pub drop_if_slow: bool,
    /// Whether it carries `stateVersion`.
    pub versioned: bool,
    /// The schema of what it says.
    pub payload: fn(&mut SchemaGenerator) -> Schema,
}

const fn event_row<E: Event>() -> EventRow {
    EventRow {
        name: E::NAME,
        audience: E::AUDIENCE,
        drop_if_slow: E::DROP_IF_SLOW,
        versioned: E::VERSIONED,
        payload: |generator| generator.subschema_for::<E::Payload>(),
    }
}

/// Every event, in the order clients are told them.
pub const EVENTS: &[EventRow] = &[
    event_row::<ConnectChallenge>(),
    event_row::<Presence>(),
    event_row::<Tick>(),
    event_row::<Shutdown>(),
    event_row::<Health>(),
    event_row::<Heartbeat>(),
    event_row::<DevicePairRequested>(),
    event_row::<DevicePairResolved>(),
];

/// The first frame of a connection: a nonce to sign (§1.2).
pub enum ConnectChallenge {}

/// What [`ConnectChallenge`] says.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Challenge {
    /// A UUID; stays valid for the handshake.
    pub nonce: String,
    /// Milliseconds since 1970.
    pub ts: u64,
}

impl Event for ConnectChallenge {
    const NAME: &'static str = "connect.challenge";
    const AUDIENCE: Audience = Audience::Direct;
    const DROP_IF_SLOW: bool = false;
    type Payload = Challenge;
}

/// Who is there has changed: the full list, never a delta.
pub enum Presence {}

/// What [`Presence`] says.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct PresenceList {
    /// Newest first.
    pub presence: Vec<PresenceEntry>,
}

impl Event for Presence {
    const NAME: &'static str = "presence";
    const DROP_IF_SLOW: bool = true;
    const VERSIONED: bool = true;
    type Payload = PresenceList;
}

/// The gateway is alive.
pub enum Tick {}

/// A moment.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub ts: u64,
}

impl Event for Tick {
    const NAME: &'static str = "tick";
    const DROP_IF_SLOW: bool = true;
    type Payload = Moment;
}

/// The gateway is about to close every connection.
pub enum Shutdown {}

/// What [`Shutdown`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShutdownNotice {
    /// `gateway stopping` or `gateway restarting`.
    pub reason: String,
    /// When it will be back, milliseconds; `null` on a plain stop (§4.2, notes).
    pub restart_expected_ms: Option<u64>,
}

impl Event for Shutdown {
    const NAME: &'static str = "shutdown";
    const DROP_IF_SLOW: bool = false;
    type Payload = ShutdownNotice;
}

/// The health snapshot was made anew.
pub enum Health {}

impl Event for Health {
    const NAME: &'static str = "health";
    const DROP_IF_SLOW: bool = false;
    const VERSIONED: bool = true;
    type Payload = Value;
}

/// An agent's heartbeat ran, or was passed over (§4.5). It is no keepalive.
pub enum Heartbeat {}

/// What [`Heartbeat`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatNote {
    /// Milliseconds since 1970.
    pub ts: u64,
    /// What came of it.
    pub status: HeartbeatStatus,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it took, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// What came of a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeartbeatStatus {
    /// It was passed over.
    Skipped,
}

impl Event for Heartbeat {
    const NAME: &'static str = "heartbeat";
    const DROP_IF_SLOW: bool = true;
    type Payload = HeartbeatNote;
}

/// A device asks to be paired.
pub enum DevicePairRequested {}

impl Event for DevicePairRequested {
    const NAME: &'static str = "device.pair.requested";
    const AUDIENCE: Audience = Audience::Pairing;
    const DROP_IF_SLOW: bool = true;
    type Payload = PairRequest;
}

/// A pending pairing request (§4.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PairRequest {
    /// Names the request.
    pub request_id: String,
    /// The device.
    pub device_id: String,
    /// Its public key, base64url.
    pub public_key: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Its platform, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Its family, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// The client's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The client's mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_mode: Option<String>,
    /// The role it asks for.
    pub role: String,
    /// The scopes it asks for.
    pub scopes: Vec<String>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
    /// Whether the device is known already and asks for more or again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_repair: Option<bool>,
    /// When, milliseconds since 1970.
    pub ts: u64,
}

/// A pairing request was decided.
pub enum DevicePairResolved {}

/// What [`DevicePairResolved`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PairDecision {
    /// Names the request.
    pub request_id: String,
    /// The device.
    pub device_id: String,
    /// How it was decided.
    pub decision: Decision,
    /// When, milliseconds since 1970.
    pub ts: u64,
}

/// How a request was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Granted.
    Approved,
    /// Refused.
    Rejected,
}

impl Event for DevicePairResolved {
    const NAME: &'static str = "device.pair.resolved";
    const AUDIENCE: Audience = Audience::Pairing;
    const DROP_IF_SLOW: bool = true;
    type Payload = PairDecision;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_stop_says_null_as_the_captured_one_does() {
        let stop = ShutdownNotice { reason: "gateway stopping".to_owned(), restart_expected_ms: None };
        let text = serde_json::to_string(&stop).unwrap();
        assert_eq!(text, r#"{"reason":"gateway stopping","restartExpectedMs":null}"#);
    }

    #[test]
    fn no_two_events_share_a_name() {
        let mut names: Vec<_> = EVENTS.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EVENTS.len());
    }
}
