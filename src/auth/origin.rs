//! Whether the web page that opened a connection may do so (protocol notes §1.7).

use axum::http::Uri;

use super::peer::is_loopback_name;

/// What is allowed, from `gateway.controlUi`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UiRules {
    /// Origins that are allowed, lower-case.
    pub allowed_origins: Vec<String>,
    /// Whether an origin that equals the Host header is allowed.
    pub host_header_fallback: bool,
    /// Whether a local Control UI may connect without a device key.
    pub allow_insecure_auth: bool,
    /// Whether any Control UI may connect without a device key.
    pub disable_device_auth: bool,
}

/// Whether an origin is allowed. A missing, unreadable or `null` origin is not.
pub fn allowed(rules: &UiRules, origin: Option<&str>, host: Option<&str>) -> bool {
    let Some(origin) = origin.map(|origin| origin.trim().to_ascii_lowercase()) else { return false };
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let (Some(origin_host), Some(_)) = (uri.authority(), uri.scheme()) else { return false };
    if rules.allowed_origins.contains(&origin) {
        return true;
    }
    let Some(host) = host.map(|host| host.trim().to_ascii_lowercase()) else { return false };
    if rules.host_header_fallback && origin_host.as_str() == host {
        return true;
    }
    let bare = origin_host.host().trim_start_matches('[').trim_end_matches(']');
    is_loopback_name(bare) && is_loopback_name(super::peer::name_in_host(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let strict = UiRules { allowed_origins: vec!["https://ui.example".to_owned()], ..UiRules::default() };
        let lax = UiRules { host_header_fallback: true, ..UiRules::default() };
        let table = [
            (&strict, Some("https://UI.example"), Some("gw.example"), true),
            (&strict, Some("https://ui.example:8443"), Some("gw.example"), false),
            (&strict, Some("http://localhost:5173"), Some("127.0.0.1:18789"), true),
            (&strict, Some("http://[::1]:5173"), Some("[::1]:18789"), true),
            (&strict, Some("http://localhost:5173"), Some("gw.example"), false),
            (&strict, Some("http://evil.example"), Some("127.0.0.1:18789"), false),
            (&strict, Some("null"), Some("localhost"), false),
            (&strict, None, Some("localhost"), false),
            (&strict, Some("http://gw.example:1"), Some("gw.example:1"), false),
            (&lax, Some("http://gw.example:1"), Some("GW.example:1"), true),
            (&lax, Some("http://gw.example:2"), Some("gw.example:1"), false),
        ];
        for (rules, origin, host, expected) in table {
            assert_eq!(allowed(rules, origin, host), expected, "{origin:?} {host:?}");
        }
    }
}
