//! Why credentials were refused, in the protocol's words (protocol notes §1.10).

use crate::protocol::connect::{ClientKind, ClientMode, ConnectParams};

/// Why credentials were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Token mode, and no token was presented.
    TokenMissing,
    /// Another token than ours.
    TokenMismatch,
    /// Password mode, and no password was presented.
    PasswordMissing,
    /// Another password than ours.
    PasswordMismatch,
    /// Too many failures from this address.
    RateLimited {
        /// Milliseconds until it may try again.
        retry_after_ms: u64,
    },
    /// A device's token that is not, or no longer, its own.
    DeviceTokenMismatch,
    /// Trusted-proxy mode, and the request did not come from a proxy that says who the user is.
    TrustedProxy(ProxyRefusal),
}

/// Why a request is not one of a trusted proxy (protocol notes §6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyRefusal {
    /// It came from elsewhere.
    UntrustedSource,
    /// A required header is missing or blank.
    MissingHeader,
    /// The user header is missing or blank.
    UserMissing,
    /// The user is not among those allowed.
    UserNotAllowed,
}

/// Whom the hint in a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintFor {
    /// A command line.
    Cli,
    /// The Control UI or a web chat.
    Browser,
    /// Anybody else.
    Other,
}

impl HintFor {
    /// Whom the hint is for when these parameters are refused.
    pub fn client(params: &ConnectParams) -> Self {
        match (params.client.id.kind(), params.client.mode) {
            (ClientKind::Cli, _) | (_, ClientMode::Cli) => Self::Cli,
            (ClientKind::ControlUi | ClientKind::WebchatUi, _) | (_, ClientMode::Webchat) => Self::Browser,
            _ => Self::Other,
        }
    }
}

impl Refusal {
    /// `details.authReason`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TokenMissing => "token_missing",
            Self::TokenMismatch => "token_mismatch",
            Self::PasswordMissing => "password_missing",
            Self::PasswordMismatch => "password_mismatch",
            Self::RateLimited { .. } => "rate_limited",
            Self::DeviceTokenMismatch => "device_token_mismatch",
            Self::TrustedProxy(ProxyRefusal::UntrustedSource) => "trusted_proxy_untrusted_source",
            Self::TrustedProxy(ProxyRefusal::MissingHeader) => "trusted_proxy_missing_header",
            Self::TrustedProxy(ProxyRefusal::UserMissing) => "trusted_proxy_user_missing",
            Self::TrustedProxy(ProxyRefusal::UserNotAllowed) => "trusted_proxy_user_not_allowed",
        }
    }

    /// `details.code`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TokenMissing => "AUTH_TOKEN_MISSING",
            Self::TokenMismatch => "AUTH_TOKEN_MISMATCH",
            Self::PasswordMissing => "AUTH_PASSWORD_MISSING",
            Self::PasswordMismatch => "AUTH_PASSWORD_MISMATCH",
            Self::RateLimited { .. } => "AUTH_RATE_LIMITED",
            Self::DeviceTokenMismatch => "AUTH_DEVICE_TOKEN_MISMATCH",
            Self::TrustedProxy(_) => "AUTH_UNAUTHORIZED",
        }
    }

    /// The error message and the reason of the close frame; always begins with `unauthorized`.
    pub fn message(self, hint: HintFor) -> String {
        let token_hint = match hint {
            HintFor::Cli => "set gateway.remote.token to match gateway.auth.token",
            HintFor::Browser => "open the dashboard URL and paste the token in Control UI settings",
            HintFor::Other => "provide gateway auth token",
        };
        let password_hint = match hint {
            HintFor::Cli => "set gateway.remote.password to match gateway.auth.password",
            HintFor::Browser => "enter the password in Control UI settings",
            HintFor::Other => "provide gateway auth password",
        };
        match self {
            Self::TokenMissing => format!("unauthorized: gateway token missing ({token_hint})"),
            Self::TokenMismatch => format!("unauthorized: gateway token mismatch ({token_hint})"),
            Self::PasswordMissing => format!("unauthorized: gateway password missing ({password_hint})"),
            Self::PasswordMismatch => format!("unauthorized: gateway password mismatch ({password_hint})"),
            Self::RateLimited { .. } => {
                "unauthorized: too many failed authentication attempts (retry later)".to_owned()
            }
            Self::DeviceTokenMismatch => {
                "unauthorized: device token mismatch (rotate/reissue device token)".to_owned()
            }
            Self::TrustedProxy(_) => "unauthorized".to_owned(),
        }
    }
}
