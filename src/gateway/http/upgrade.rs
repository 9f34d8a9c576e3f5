//! The upgrade of an HTTP request to a WebSocket (RFC 6455 §4.2).

use axum::http::{HeaderMap, Method, Request, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Whether a request asks for a WebSocket.
pub(super) fn is_wanted<B>(request: &Request<B>) -> bool {
    has_token(request.headers(), &header::UPGRADE, "websocket")
}

/// The answer to a request that asks for a WebSocket: 101, or what is wrong with it.
pub(super) fn switch_protocols<B>(request: &Request<B>) -> Response {
    let headers = request.headers();
    if request.method() != Method::GET || request.version() < Version::HTTP_11 {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")], "Method Not Allowed")
            .into_response();
    }
    if !has_token(headers, &header::CONNECTION, "upgrade") {
        return (StatusCode::BAD_REQUEST, "Connection must say Upgrade").into_response();
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return (StatusCode::UPGRADE_REQUIRED, [(header::SEC_WEBSOCKET_VERSION, "13")], "Upgrade Required")
            .into_response();
    }
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24) else {
        return (StatusCode::BAD_REQUEST, "Sec-WebSocket-Key must be 16 bytes in base64").into_response();
    };
    let accept = derive_accept_key(key.as_bytes());
    let head = [
        (header::UPGRADE, "websocket"),
        (header::CONNECTION, "Upgrade"),
        (header::SEC_WEBSOCKET_ACCEPT, accept.as_str()),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, head).into_response()
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::get("/any/path");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    const GOOD: [(&str, &str); 4] = [
        ("Upgrade", "WebSocket"),
        ("Connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    /// The example of RFC 6455 §1.3.
    #[test]
    fn a_good_request_is_accepted() {
        let request = request(&GOOD);
        assert!(is_wanted(&request));
        let response = switch_protocols(&request);
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_bad_one_is_told_why() {
        let without =
            |name: &str| request(&GOOD.into_iter().filter(|(have, _)| *have != name).collect::<Vec<_>>());
        assert!(!is_wanted(&without("Upgrade")));
        let table = [
            ("Connection", StatusCode::BAD_REQUEST),
            ("Sec-WebSocket-Version", StatusCode::UPGRADE_REQUIRED),
            ("Sec-WebSocket-Key", StatusCode::BAD_REQUEST),
        ];
        for (missing, status) in table {
            assert_eq!(switch_protocols(&without(missing)).status(), status, "{missing}");
        }
    }
}
