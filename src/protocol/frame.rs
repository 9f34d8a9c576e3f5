//! Frames: one JSON object per WebSocket text message (§2.1).

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::ErrorShape;
use super::text::NonEmpty;

/// Largest frame a client may send, bytes (§2.9).
pub const MAX_PAYLOAD: usize = 25 * 1024 * 1024;
/// Bytes that may wait for a slow client before it loses events or its connection (§2.6).
pub const MAX_BUFFERED: usize = 50 * 1024 * 1024;
/// Bytes a client may send before it is known (§1.6, later revision).
pub const MAX_PREAUTH: usize = 64 * 1024;
/// Time between two ticks, milliseconds (§4.2).
pub const TICK_INTERVAL_MS: u64 = 30_000;
/// Time a client has for its handshake, milliseconds (§1.6).
pub const HANDSHAKE_TIMEOUT_MS: u64 = 10_000;

/// The policy a client is told in `hello-ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Largest frame it may send, bytes.
    pub max_payload: usize,
    /// Bytes that may wait for it.
    pub max_buffered_bytes: usize,
    /// Time between two ticks, milliseconds.
    pub tick_interval_ms: u64,
}

/// The policy for protocol 3 and 4.
pub const POLICY: Policy =
    Policy { max_payload: MAX_PAYLOAD, max_buffered_bytes: MAX_BUFFERED, tick_interval_ms: TICK_INTERVAL_MS };

/// A request as it lies in the received text: nothing is copied unless it has to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestRef<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    /// Chosen by the client; the response carries it.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// What is asked for.
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// With what.
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
    // Later clients add these two (§2.1); nothing here reads them.
    #[serde(default, rename = "traceparent")]
    _traceparent: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "expectedProfileId")]
    _expected_profile_id: Option<serde::de::IgnoredAny>,
}

impl<'a> RequestRef<'a> {
    /// Reads a request frame; `None` when the text is not one.
    pub fn parse(text: &'a str) -> Option<Self> {
        let request: Self = serde_json::from_str(text).ok()?;
        (request.kind == "req" && !request.id.is_empty() && !request.method.is_empty()).then_some(request)
    }

    /// The parameters as text; absent ones are an empty object.
    pub fn params_text(&self) -> &'a str {
        self.params.map_or("{}", RawValue::get)
    }
}

/// A request, for clients and for the schema.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Request {
    /// `req`.
    #[serde(rename = "type")]
    pub kind: RequestTag,
    /// Chosen by the client; the response carries it.
    pub id: NonEmpty,
    /// What is asked for.
    pub method: NonEmpty,
    /// With what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Value>,
    /// Later clients: a W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Later clients: the profile they think they talk to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_profile_id: Option<String>,
}

/// `req`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub enum RequestTag {
    /// `req`.
    #[serde(rename = "req")]
    Req,
}

/// A response. A request may get two with the same id: accepted, then final.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Response {
    /// `res`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The request's.
    pub id: String,
    /// Whether it was granted.
    pub ok: bool,
    /// The result.
    #[serde(default)]
    pub payload: Option<Value>,
    /// The refusal.
    #[serde(default)]
    pub error: Option<ErrorShape>,
}

/// An event. Broadcast ones carry a sequence number.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct EventFrame {
    /// `event`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub event: String,
    /// What it says.
    #[serde(default)]
    pub payload: Option<Value>,
    /// Counts broadcasts of this process.
    #[serde(default)]
    pub seq: Option<u64>,
    /// The state it describes.
    #[serde(default, rename = "stateVersion")]
    pub state_version: Option<StateVersion>,
}

/// How often presence and health changed since the process began; both start at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateVersion {
    /// Changes of the presence list.
    pub presence: u64,
    /// Changes of the health snapshot.
    pub health: u64,
}

/// A granted response, ready to be serialised.
#[derive(Debug, Serialize)]
pub struct OkFrame<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    ok: bool,
    payload: &'a T,
}

impl<'a, T: Serialize> OkFrame<'a, T> {
    /// Answers the request `id`.
    pub const fn new(id: &'a str, payload: &'a T) -> Self {
        Self { kind: "res", id, ok: true, payload }
    }
}

/// A refused response, ready to be serialised.
#[derive(Debug, Serialize)]
pub struct ErrorFrame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    ok: bool,
    error: &'a ErrorShape,
}

impl<'a> ErrorFrame<'a> {
    /// Answers the request `id`.
    pub const fn new(id: &'a str, error: &'a ErrorShape) -> Self {
        Self { kind: "res", id, ok: false, error }
    }
}

/// An event, ready to be serialised.
#[derive(Debug, Serialize)]
pub struct EventOut<'a, T: ?Sized> {
    #[serde(rename = "type")]
    kind: &'static str,
    event: &'static str,
    payload: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(rename = "stateVersion", skip_serializing_if = "Option::is_none")]
    state_version: Option<StateVersion>,
}

impl<'a, T: Serialize + ?Sized> EventOut<'a, T> {
    /// An event to one client: it has no sequence number.
    pub const fn direct(event: &'static str, payload: &'a T) -> Self {
        Self { kind: "event", event, payload, seq: None, state_version: None }
    }

    /// An event to all clients.
    pub const fn broadcast(
        event: &'static str,
        payload: &'a T,
        seq: u64,
        state_version: Option<StateVersion>,
    ) -> Self {
        Self { kind: "event", event, payload, seq: Some(seq), state_version }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_request_and_what_is_not() {
        let good = r#"{"type":"req","id":"a","method":"health","params":{"x":1}}"#;
        let request = RequestRef::parse(good).unwrap();
        assert_eq!((&*request.id, &*request.method, request.params_text()), ("a", "health", r#"{"x":1}"#));
        assert_eq!(RequestRef::parse(r#"{"type":"req","id":"a","method":"m"}"#).unwrap().params_text(), "{}");
        assert!(
            RequestRef::parse(r#"{"type":"req","id":"\u0061","method":"m","traceparent":"t"}"#).is_some()
        );
        for bad in [
            "",
            "[]",
            r#"{"type":"res","id":"a","method":"m"}"#,
            r#"{"type":"req","id":"","method":"m"}"#,
            r#"{"type":"req","id":"a","method":""}"#,
            r#"{"type":"req","id":1,"method":"m"}"#,
            r#"{"type":"req","id":"a","method":"m","extra":1}"#,
            r#"{"type":"req","id":"a"}"#,
        ] {
            assert!(RequestRef::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn frames_have_no_keys_beyond_the_protocols() {
        let ok = serde_json::to_string(&OkFrame::new("1", &true)).unwrap();
        assert_eq!(ok, r#"{"type":"res","id":"1","ok":true,"payload":true}"#);
        let error = ErrorShape::invalid("no");
        let refused = serde_json::to_string(&ErrorFrame::new("1", &error)).unwrap();
        let shape = r#"{"type":"res","id":"1","ok":false,"error":{"code":"INVALID_REQUEST","message":"no"}}"#;
        assert_eq!(refused, shape);
        let direct = serde_json::to_string(&EventOut::direct("tick", &1)).unwrap();
        assert_eq!(direct, r#"{"type":"event","event":"tick","payload":1}"#);
        let version = StateVersion { presence: 2, health: 3 };
        let all = serde_json::to_string(&EventOut::broadcast("tick", &1, 7, Some(version))).unwrap();
        let shape =
            r#"{"type":"event","event":"tick","payload":1,"seq":7,"stateVersion":{"presence":2,"health":3}}"#;
        assert_eq!(all, shape);
    }
}
