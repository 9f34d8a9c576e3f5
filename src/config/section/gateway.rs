//! `gateway`: where the gateway listens, how it reloads and stops, and where a remote one is.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Auth, Bounded, IpRange, Origin, Port, SocketUrl};
use crate::secret::Secret;

/// The gateway: where it listens and who may speak to it.
// Source: protocol notes §7.3.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Gateway {
    /// The port. Without it: 18789, 19001 for the dev profile, and one of its own for every other profile.
    pub port: Option<Port>,
    /// Whether the gateway runs here or elsewhere. A gateway starts only when it is `local`.
    pub mode: Option<Mode>,
    /// The addresses to listen on. Without it: `loopback`.
    pub bind: Option<Bind>,
    /// The IPv4 address to listen on when `bind` is `custom`.
    #[serde(deserialize_with = "ipv4")]
    pub custom_bind_host: Option<Ipv4Addr>,
    /// Who may speak to the gateway.
    pub auth: Auth,
    /// The proxies in front of the gateway whose `X-Forwarded-For` is believed: addresses or networks.
    pub trusted_proxies: Vec<IpRange>,
    /// Whether a trusted proxy's `X-Real-IP` is believed when there is no `X-Forwarded-For`.
    pub allow_real_ip_fallback: bool,
    /// The user interface in the browser.
    pub control_ui: ControlUi,
    /// The gateway that commands talk to when `mode` is `remote`.
    pub remote: Remote,
    /// What happens when this file changes while the gateway runs.
    pub reload: Reload,
    /// How long a gateway that stops waits for the work in flight, in milliseconds.
    pub drain_timeout_ms: Bounded<0, 3_600_000>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            port: None,
            mode: None,
            bind: None,
            custom_bind_host: None,
            auth: Auth::default(),
            trusted_proxies: Vec::new(),
            allow_real_ip_fallback: false,
            control_ui: ControlUi::default(),
            remote: Remote::default(),
            reload: Reload::default(),
            drain_timeout_ms: const { Bounded::of(30_000) },
        }
    }
}

/// The IPv4 address of `customBindHost`, refused in the words of protocol notes §6.4.
fn ipv4<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ipv4Addr>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let refused = || format!("gateway.bind=custom requires a valid IPv4 customBindHost (got {text})");
    text.trim().parse().map(Some).map_err(|_| serde::de::Error::custom(refused()))
}

/// Whether the gateway runs here or elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Mode {
    /// On this machine.
    Local,
    /// Elsewhere: `gateway.remote` says where.
    Remote,
}

impl Mode {
    /// The spelling in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }
}

/// The addresses to listen on.
// Source: protocol notes §7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Bind {
    /// This machine only, or every interface where that is not possible.
    Auto,
    /// Every IPv4 interface.
    Lan,
    /// This machine only.
    Loopback,
    /// The address in `customBindHost`.
    Custom,
    /// The Tailscale address, or this machine only where there is none.
    Tailnet,
}

impl Bind {
    /// Every way to bind, in the order of the protocol notes.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Lan, Self::Loopback, Self::Custom, Self::Tailnet];

    /// The spelling in the configuration and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Lan => "lan",
            Self::Loopback => "loopback",
            Self::Custom => "custom",
            Self::Tailnet => "tailnet",
        }
    }
}

/// The user interface in the browser.
// Source: protocol notes §1.7, §1.8.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ControlUi {
    /// Whether it is served.
    pub enabled: bool,
    /// The web pages that may connect from elsewhere, such as `https://gateway.example.org`.
    pub allowed_origins: Vec<Origin>,
    /// Dangerous: also let in a page whose address equals the request's `Host` header.
    pub dangerously_allow_host_header_origin_fallback: bool,
    /// Let the interface in over plain HTTP by token or password alone, without a device identity.
    pub allow_insecure_auth: bool,
    /// Dangerous: never ask the interface for a device identity.
    pub dangerously_disable_device_auth: bool,
}

impl Default for ControlUi {
    fn default() -> Self {
        Self {
            enabled: true,
            allowed_origins: Vec::new(),
            dangerously_allow_host_header_origin_fallback: false,
            allow_insecure_auth: false,
            dangerously_disable_device_auth: false,
        }
    }
}

/// The gateway that commands talk to when `mode` is `remote`.
// Source: protocol notes §6.7.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Remote {
    /// Its address, `ws://` or `wss://`.
    pub url: Option<SocketUrl>,
    /// The token for it.
    pub token: Option<Secret>,
    /// The password for it.
    pub password: Option<Secret>,
}

/// What happens when the file changes while the gateway runs.
// Source: protocol notes §7.7.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Reload {
    /// What a change may do.
    pub mode: ReloadMode,
    /// How long the file must have been still, in milliseconds.
    pub debounce_ms: Bounded<0, 60_000>,
}

impl Default for Reload {
    fn default() -> Self {
        Self { mode: ReloadMode::Hybrid, debounce_ms: const { Bounded::of(300) } }
    }
}

/// What a change of the file may do.
// Source: runbooks, "Hot reload modes".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ReloadMode {
    /// Nothing, until the gateway is restarted.
    Off,
    /// Restart the gateway.
    Restart,
    /// Be applied, if no restart is needed for it; else nothing.
    Hot,
    /// Be applied where that is possible, and restart the gateway where it is not.
    Hybrid,
}
