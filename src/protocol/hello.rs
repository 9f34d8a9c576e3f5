//! The oldest dialect: a bare `hello` first, a bare `hello-ok` or `hello-error` in return (§9.1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::frame::{Policy, StateVersion, TICK_INTERVAL_MS};
use super::snapshot::Features;
use super::text::{Credential, NonEmpty, one_or_more};

/// The number of the oldest protocol.
pub const PROTOCOL: u32 = 1;

/// What a client of the oldest dialect is told about limits.
pub const POLICY: Policy =
    Policy { max_payload: 512 * 1024, max_buffered_bytes: 1536 * 1024, tick_interval_ms: TICK_INTERVAL_MS };

/// The first frame of the oldest dialect.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hello {
    /// `hello`.
    #[serde(rename = "type")]
    #[schemars(extend("const" = "hello"))]
    pub kind: String,
    /// The oldest protocol the client knows.
    #[serde(deserialize_with = "one_or_more")]
    #[schemars(range(min = 1))]
    pub min_protocol: u32,
    /// The newest protocol the client knows.
    #[serde(deserialize_with = "one_or_more")]
    #[schemars(range(min = 1))]
    pub max_protocol: u32,
    /// Who it is.
    pub client: HelloClient,
    /// What it can do.
    #[serde(default)]
    pub caps: Option<Vec<NonEmpty>>,
    /// Its credentials.
    #[serde(default)]
    pub auth: Option<HelloAuth>,
    /// Informational.
    #[serde(default)]
    pub locale: Option<String>,
    /// Informational.
    #[serde(default)]
    pub user_agent: Option<String>,
}

/// Who a client of the oldest dialect says it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HelloClient {
    /// Free text.
    pub name: NonEmpty,
    /// Free text.
    pub version: NonEmpty,
    /// Free text.
    pub platform: NonEmpty,
    /// Free text: `webchat`, `cli`, `app`.
    pub mode: NonEmpty,
    /// Tells two runs of one client apart.
    #[serde(default)]
    pub instance_id: Option<NonEmpty>,
}

/// The credentials of the oldest dialect.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HelloAuth {
    /// The gateway's token.
    #[serde(default)]
    pub token: Credential,
}

/// Whether the text of a first frame is meant as a `hello`.
pub fn is_hello(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(rename = "type", borrow)]
        kind: std::borrow::Cow<'a, str>,
    }
    serde_json::from_str::<Kind<'_>>(text).is_ok_and(|frame| frame.kind == "hello")
}

/// The answer to a `hello` that is accepted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloOkV1<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    protocol: u32,
    server: HelloServer<'a>,
    features: &'a Features,
    snapshot: HelloSnapshot<'a>,
    policy: Policy,
}

/// Who answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloServer<'a> {
    /// The program's version.
    pub version: &'a str,
    /// The machine.
    pub host: &'a str,
    /// This connection.
    pub conn_id: &'a str,
}

/// What the gateway knows at this moment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloSnapshot<'a> {
    /// Presence entries, newest first.
    pub presence: &'a [&'a RawValue],
    /// The health snapshot.
    pub health: &'a RawValue,
    /// How often these changed.
    pub state_version: StateVersion,
    /// Milliseconds since the gateway began.
    pub uptime_ms: u64,
}

impl<'a> HelloOkV1<'a> {
    /// Accepts a client.
    pub const fn new(server: HelloServer<'a>, features: &'a Features, snapshot: HelloSnapshot<'a>) -> Self {
        Self { kind: "hello-ok", protocol: PROTOCOL, server, features, snapshot, policy: POLICY }
    }
}

/// The answer to a `hello` that is refused; the connection is closed after it.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HelloError {
    #[serde(rename = "type")]
    kind: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_protocol: Option<u32>,
}

impl HelloError {
    /// Refuses with a reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { kind: "hello-error", reason: reason.into(), expected_protocol: None }
    }

    /// Refuses because the protocols do not overlap.
    pub fn protocol_mismatch() -> Self {
        Self { expected_protocol: Some(PROTOCOL), ..Self::new("protocol mismatch") }
    }
}
