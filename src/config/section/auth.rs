//! `gateway.auth`: who may speak to the gateway.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bounded, Header};
use crate::secret::Secret;

/// Who may speak to the gateway.
// Source: protocol notes §6.1, §6.2.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Auth {
    /// How clients prove that they may. Without it: `password` if there is one, else `token`.
    pub mode: Option<AuthMode>,
    /// The token clients present.
    pub token: Option<Secret>,
    /// The password clients present.
    pub password: Option<Secret>,
    /// What happens to those who guess.
    pub rate_limit: RateLimit,
    /// How a proxy in front of the gateway says who the user is (mode `trusted-proxy`).
    pub trusted_proxy: Option<TrustedProxy>,
}

/// How clients prove that they may speak to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum AuthMode {
    /// Not at all: everybody who can reach the port is let in.
    None,
    /// By a token.
    Token,
    /// By a password.
    Password,
    /// By what a proxy in front of the gateway says.
    TrustedProxy,
}

impl AuthMode {
    /// The spelling in the configuration and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Token => "token",
            Self::Password => "password",
            Self::TrustedProxy => "trusted-proxy",
        }
    }
}

/// What happens to those who guess.
// Source: protocol notes §2.8.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RateLimit {
    /// How many failures within the window are too many.
    pub max_attempts: Bounded<1, 1_000_000>,
    /// The window, in milliseconds.
    pub window_ms: Bounded<1_000, 86_400_000>,
    /// How long whoever failed too often is turned away, in milliseconds.
    pub lockout_ms: Bounded<0, 86_400_000>,
    /// Whether clients on this machine may fail as often as they like.
    pub exempt_loopback: bool,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            max_attempts: const { Bounded::of(10) },
            window_ms: const { Bounded::of(60_000) },
            lockout_ms: const { Bounded::of(300_000) },
            exempt_loopback: true,
        }
    }
}

/// How a proxy in front of the gateway says who the user is.
// Source: protocol notes §6.5.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedProxy {
    /// The header that names the user.
    pub user_header: Header,
    /// Headers that must be there and not blank.
    #[serde(default)]
    pub required_headers: Vec<Header>,
    /// The users that are let in; none means all that the proxy names.
    #[serde(default)]
    pub allow_users: Vec<String>,
}
