//! `connect`: the first request of protocols 3 and 4 (§1.3, §1.4).

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::text::{Credential, NonEmpty, one_or_more};
use crate::instance::Brand;

/// The oldest protocol of the `connect` era.
pub const PROTOCOL_MIN: u32 = 3;
/// The newest protocol.
pub const PROTOCOL_MAX: u32 = 4;

/// The protocol to speak with a client that knows `min` to `max`: the newest both know.
pub fn negotiate(min: u32, max: u32) -> Option<u32> {
    let chosen = max.min(PROTOCOL_MAX);
    (chosen >= min.max(PROTOCOL_MIN)).then_some(chosen)
}

/// Parameters of `connect`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectParams {
    /// The oldest protocol the client knows.
    #[serde(deserialize_with = "one_or_more")]
    #[schemars(range(min = 1))]
    pub min_protocol: u32,
    /// The newest protocol the client knows.
    #[serde(deserialize_with = "one_or_more")]
    #[schemars(range(min = 1))]
    pub max_protocol: u32,
    /// Who it is.
    pub client: ClientInfo,
    /// What it can do; only `tool-events` is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<Vec<NonEmpty>>,
    /// Node role: commands it can run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<Vec<NonEmpty>>,
    /// Node role: what it permits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<std::collections::BTreeMap<NonEmpty, bool>>,
    /// Node role: its search path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_env: Option<String>,
    /// `operator` (the default) or `node`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<NonEmpty>,
    /// What it wants to be allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<NonEmpty>>,
    /// Its key, and the proof that it holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceProof>,
    /// Its credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<ConnectAuth>,
    /// Informational.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Informational.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Later clients: accepted, not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computer_use: Option<Value>,
    /// Later clients: accepted, not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_runs: Option<Value>,
    /// Later clients: accepted, not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_catalog: Option<Value>,
}

/// Who a client says it is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientInfo {
    /// Which program.
    pub id: ClientId,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<NonEmpty>,
    /// Free text.
    pub version: NonEmpty,
    /// Free text: `linux`, `darwin`, `web`.
    pub platform: NonEmpty,
    /// Part of a version 3 signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<NonEmpty>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identifier: Option<NonEmpty>,
    /// How it is used.
    pub mode: ClientMode,
    /// Tells two runs of one client apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<NonEmpty>,
    /// Later clients: accepted, not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<NonEmpty>,
    /// Later clients: accepted, not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<NonEmpty>,
}

/// The credentials in `connect`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectAuth {
    /// The gateway's token, or a device's.
    #[serde(default, skip_serializing_if = "Credential::is_absent")]
    pub token: Credential,
    /// A device's token.
    #[serde(default, skip_serializing_if = "Credential::is_absent")]
    pub device_token: Credential,
    /// The gateway's password.
    #[serde(default, skip_serializing_if = "Credential::is_absent")]
    pub password: Credential,
    /// Later clients: accepted, not used.
    #[serde(default, skip_serializing_if = "Credential::is_absent")]
    pub bootstrap_token: Credential,
    /// Later clients: accepted, not used.
    #[serde(default, skip_serializing_if = "Credential::is_absent")]
    pub approval_runtime_token: Credential,
    /// Later clients: accepted, not used.
    #[serde(default, skip_serializing_if = "Credential::is_absent")]
    pub agent_runtime_identity_token: Credential,
}

/// A device's key and its signature over the challenge (§1.9).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceProof {
    /// Lower-case hex SHA-256 of the raw public key.
    pub id: NonEmpty,
    /// The Ed25519 public key: base64url of the 32 bytes, or PEM.
    pub public_key: NonEmpty,
    /// The signature: base64url (or base64) of the 64 bytes.
    pub signature: NonEmpty,
    /// When it was signed, milliseconds since 1970.
    pub signed_at: u64,
    /// The challenge's nonce.
    pub nonce: NonEmpty,
}

/// The programs that may connect. Those that carry a brand are known under every brand and the reference's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// The Control UI.
    ControlUi,
    /// A web chat.
    WebchatUi,
    /// A command line.
    Cli,
    /// An app of a phone or a desktop.
    App,
    /// Any other program.
    Other,
}

/// A client id that the protocol knows (§1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientId {
    text: Cow<'static, str>,
    kind: ClientKind,
}

const PLAIN_IDS: [(&str, ClientKind); 7] = [
    ("webchat-ui", ClientKind::WebchatUi),
    ("webchat", ClientKind::Other),
    ("cli", ClientKind::Cli),
    ("gateway-client", ClientKind::Other),
    ("node-host", ClientKind::Other),
    ("test", ClientKind::Other),
    ("fingerprint", ClientKind::Other),
];

const BRANDED_IDS: [(&str, ClientKind); 5] = [
    ("control-ui", ClientKind::ControlUi),
    ("macos", ClientKind::App),
    ("ios", ClientKind::App),
    ("android", ClientKind::App),
    ("probe", ClientKind::Other),
];

/// The reference implementation, whose clients are known too.
const REFERENCE: &str = "openclaw";

impl ClientId {
    /// The command line's id.
    pub const CLI: Self = Self { text: Cow::Borrowed("cli"), kind: ClientKind::Cli };

    fn parse(text: &str) -> Option<Self> {
        let plain = PLAIN_IDS.into_iter().find(|(id, _)| *id == text).map(|(_, kind)| kind);
        let kind = plain.or_else(|| {
            let brands = Brand::ALL.map(Brand::slug);
            let rest = brands
                .iter()
                .chain([&REFERENCE])
                .find_map(|brand| text.strip_prefix(brand).and_then(|rest| rest.strip_prefix('-')))?;
            BRANDED_IDS.into_iter().find(|(id, _)| *id == rest).map(|(_, kind)| kind)
        })?;
        Some(Self { text: Cow::Owned(text.to_owned()), kind })
    }

    /// Every id there is.
    fn all() -> Vec<String> {
        let brands = Brand::ALL.map(Brand::slug);
        let branded = brands
            .iter()
            .chain([&REFERENCE])
            .flat_map(|brand| BRANDED_IDS.iter().map(move |(id, _)| format!("{brand}-{id}")));
        PLAIN_IDS.iter().map(|(id, _)| (*id).to_owned()).chain(branded).collect()
    }

    /// The id as the client sent it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it is.
    pub fn kind(&self) -> ClientKind {
        self.kind
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("must be equal to constant"))
    }
}

impl JsonSchema for ClientId {
    fn schema_name() -> Cow<'static, str> {
        "ClientId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let constants = Self::all().into_iter().map(|id| json_schema!({ "const": id }));
        json_schema!({ "anyOf": constants.collect::<Vec<_>>() })
    }
}

/// How a client is used (§1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientMode {
    /// A web chat; the Control UI says this too.
    Webchat,
    /// A command line: it has no presence entry.
    Cli,
    /// A user interface.
    Ui,
    /// A program.
    Backend,
    /// A node.
    Node,
    /// A health probe.
    Probe,
    /// A test.
    Test,
}

impl ClientMode {
    const ALL: [Self; 7] =
        [Self::Webchat, Self::Cli, Self::Ui, Self::Backend, Self::Node, Self::Probe, Self::Test];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webchat => "webchat",
            Self::Cli => "cli",
            Self::Ui => "ui",
            Self::Backend => "backend",
            Self::Node => "node",
            Self::Probe => "probe",
            Self::Test => "test",
        }
    }
}

impl JsonSchema for ClientMode {
    fn schema_name() -> Cow<'static, str> {
        "ClientMode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let constants = Self::ALL.map(|mode| json_schema!({ "const": mode.as_str() }));
        json_schema!({ "anyOf": constants.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_protocol_both_know_is_spoken() {
        let table = [
            ((3, 3), Some(3)),
            ((4, 4), Some(4)),
            ((3, 4), Some(4)),
            ((1, 9), Some(4)),
            ((1, 3), Some(3)),
            ((1, 2), None),
            ((5, 6), None),
            ((4, 3), None),
        ];
        for ((min, max), chosen) in table {
            assert_eq!(negotiate(min, max), chosen, "{min}..{max}");
        }
    }

    #[test]
    fn client_ids_of_every_brand_and_of_the_reference_are_known() {
        let table = [
            ("cli", Some(ClientKind::Cli)),
            ("gateway-client", Some(ClientKind::Other)),
            ("openclaw-control-ui", Some(ClientKind::ControlUi)),
            ("mayros-control-ui", Some(ClientKind::ControlUi)),
            ("smart-agent-neo-ios", Some(ClientKind::App)),
            ("my-tool", None),
            ("openclaw-", None),
            ("openclawcli", None),
            ("", None),
        ];
        for (text, kind) in table {
            assert_eq!(ClientId::parse(text).map(|id| id.kind()), kind, "{text}");
        }
        assert!(ClientId::all().iter().all(|id| ClientId::parse(id).is_some()));
    }

    #[test]
    fn credentials_do_not_print() {
        let auth: ConnectAuth = serde_json::from_str(r#"{"token":"hunter2","password":" "}"#).unwrap();
        assert!(!format!("{auth:?}").contains("hunter2"));
        assert!(auth.password.is_absent());
        assert_eq!(serde_json::to_string(&auth).unwrap(), r#"{"token":"hunter2"}"#);
    }
}
