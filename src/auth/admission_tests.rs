//! The decision table of `connect`, row by row as the protocol notes have it.

use axum::http::HeaderName;
use serde_json::{Value, json};

use super::super::policy::SecretHash;
use super::*;

const NOW: u64 = 1_795_210_888_231;

fn params(change: impl Fn(&mut Value)) -> ConnectParams {
    let mut value = json!({
        "minProtocol": 3, "maxProtocol": 3,
        "client": { "id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend" },
        "scopes": ["operator.read"],
        "auth": { "token": "right" },
    });
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

fn rules() -> Rules {
    Rules {
        policy: Policy::Token(SecretHash::of(&Secret::new("right").unwrap())),
        proxies: Proxies::default(),
        ui: UiRules::default(),
    }
}

fn limits() -> Limits {
    Limits { max_attempts: 3, window_ms: 60_000, lockout_ms: 300_000, exempt_loopback: false }
}

fn decide(params: &ConnectParams, rules: &Rules, headers: &[(&str, &str)]) -> Result<Admitted, Refused> {
    decide_with(params, rules, headers, &Limiters::new(limits()))
}

fn decide_with(
    params: &ConnectParams,
    rules: &Rules,
    headers: &[(&str, &str)],
    limiters: &Limiters,
) -> Result<Admitted, Refused> {
    let headers: HeaderMap = [("host", "127.0.0.1:18789")]
        .iter()
        .chain(headers)
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap()))
        .collect();
    let peer = Peer::resolve([127, 0, 0, 1].into(), &headers, &rules.proxies);
    let at = Circumstances { peer, headers: &headers, nonce: "nonce", now_ms: NOW };
    admit(params, at, rules, limiters, &Pairing::default())
}

fn refused(params: &ConnectParams, rules: &Rules, headers: &[(&str, &str)]) -> (String, Value, u16) {
    let refused = decide(params, rules, headers).unwrap_err();
    let details = refused.error.details.unwrap_or_default();
    (refused.error.message, details, refused.close)
}

#[test]
fn the_right_token_lets_a_program_in_without_a_device() {
    let admitted = decide(&params(|_| {}), &rules(), &[]).unwrap();
    assert_eq!((admitted.protocol, admitted.role, admitted.method), (3, Role::Operator, Method::Token));
    assert_eq!(admitted.scopes, ["operator.read"]);
    assert!(admitted.device.is_none());
    let newer = decide(&params(|value| value["maxProtocol"] = json!(4)), &rules(), &[]).unwrap();
    assert_eq!(newer.protocol, 4);
}

#[test]
fn a_protocol_nobody_speaks_closes_1002() {
    let old = params(|value| (value["minProtocol"], value["maxProtocol"]) = (json!(1), json!(2)));
    let (message, details, close) = refused(&old, &rules(), &[]);
    assert_eq!(
        (message.as_str(), &details["expectedProtocol"], close),
        ("protocol mismatch", &json!(3), 1002)
    );
    let future = params(|value| (value["minProtocol"], value["maxProtocol"]) = (json!(5), json!(6)));
    assert_eq!(refused(&future, &rules(), &[]).1["expectedProtocol"], json!(4));
}

#[test]
fn a_role_nobody_has_is_refused_before_the_token_is_looked_at() {
    let params = params(|value| (value["role"], value["auth"]) = (json!("king"), json!({})));
    assert_eq!(refused(&params, &rules(), &[]), ("invalid role".to_owned(), Value::Null, 1008));
}

#[test]
fn wrong_and_missing_credentials_say_what_and_for_whom() {
    let cli = |auth: Value| {
        params(move |value| {
            value["auth"] = auth.clone();
            (value["client"]["id"], value["client"]["mode"]) = (json!("cli"), json!("cli"));
        })
    };
    let program = |auth: Value| params(move |value| value["auth"] = auth.clone());
    let password = Rules { policy: Policy::Password(SecretHash::of(&Secret::new("pw").unwrap())), ..rules() };
    let table = [
        (
            program(json!({ "token": "wrong" })),
            rules(),
            "unauthorized: gateway token mismatch (provide gateway auth token)",
            json!({ "code": "AUTH_TOKEN_MISMATCH", "authReason": "token_mismatch" }),
        ),
        (
            cli(json!({ "token": "wrong" })),
            rules(),
            "unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)",
            json!({ "code": "AUTH_TOKEN_MISMATCH", "authReason": "token_mismatch" }),
        ),
        (
            program(json!({ "password": "pw" })),
            rules(),
            "unauthorized: gateway token missing (provide gateway auth token)",
            json!({ "code": "AUTH_TOKEN_MISSING", "authReason": "token_missing" }),
        ),
        (
            cli(json!({ "password": "no" })),
            password.clone(),
            "unauthorized: gateway password mismatch (set gateway.remote.password to match gateway.auth.password)",
            json!({ "code": "AUTH_PASSWORD_MISMATCH", "authReason": "password_mismatch" }),
        ),
    ];
    for (params, rules, message, details) in table {
        assert_eq!(refused(&params, &rules, &[]), (message.to_owned(), details, 1008));
    }
    assert!(decide(&program(json!({ "password": "pw" })), &password, &[]).is_ok());
}

#[test]
fn without_credentials_a_device_is_asked_for() {
    let nothing = params(|value| value["auth"] = json!({}));
    let refused = decide(&nothing, &rules(), &[]).unwrap_err();
    assert_eq!(refused.error.code, ErrorCode::NotPaired);
    assert_eq!(refused.error.message, "device identity required");
    let open = Rules { policy: Policy::None, ..rules() };
    let refused = decide(&nothing, &open, &[]).unwrap_err();
    assert_eq!(refused.error.message, "device identity required", "mode none does not relax the device rule");
    let node = params(|value| value["role"] = json!("node"));
    assert_eq!(decide(&node, &rules(), &[]).unwrap_err().error.message, "device identity required");
}

#[test]
fn a_control_ui_needs_an_origin_and_a_device() {
    let ui = params(|value| {
        (value["client"]["id"], value["client"]["mode"]) = (json!("openclaw-control-ui"), json!("webchat"));
    });
    let (message, _, close) = refused(&ui, &rules(), &[]);
    assert!(message.starts_with("origin not allowed") && close == 1008, "{message}");
    let local = [("origin", "http://localhost:18789")];
    let (message, details, _) = refused(&ui, &rules(), &local);
    assert!(message.starts_with("control ui requires device identity"), "{message}");
    assert_eq!(details["code"], json!("CONTROL_UI_DEVICE_IDENTITY_REQUIRED"));
    let insecure = Rules { ui: UiRules { allow_insecure_auth: true, ..UiRules::default() }, ..rules() };
    assert!(decide(&ui, &insecure, &local).is_ok());
    let wrong = params(|value| {
        (value["client"]["id"], value["client"]["mode"]) = (json!("openclaw-control-ui"), json!("webchat"));
        value["auth"]["token"] = json!("wrong");
    });
    assert!(refused(&wrong, &insecure, &local).0.starts_with("unauthorized: gateway token mismatch"));
}

#[test]
fn a_page_of_another_site_may_not_connect_whatever_client_it_says_it_is() {
    let (message, _, _) = refused(&params(|_| {}), &rules(), &[("origin", "https://evil.example")]);
    assert!(message.starts_with("origin not allowed"), "{message}");
}

#[test]
fn too_many_failures_lock_out_even_the_right_token() {
    let limiters = Limiters::new(limits());
    let wrong = params(|value| value["auth"]["token"] = json!("wrong"));
    for _ in 0..3 {
        assert!(decide_with(&wrong, &rules(), &[], &limiters).is_err());
    }
    let refused = decide_with(&params(|_| {}), &rules(), &[], &limiters).unwrap_err();
    assert_eq!(refused.error.message, "unauthorized: too many failed authentication attempts (retry later)");
    assert_eq!(refused.error.retry_after_ms, Some(300_000));
}

#[test]
fn a_broken_proof_is_refused_with_its_reason() {
    let params = params(|value| {
        value["device"] =
            json!({ "id": "00", "publicKey": "AAAA", "signature": "AA", "signedAt": NOW, "nonce": "nonce" });
    });
    let details = json!({ "code": "DEVICE_AUTH_INVALID", "reason": "device-id-mismatch" });
    assert_eq!(refused(&params, &rules(), &[]), ("device identity mismatch".to_owned(), details, 1008));
}

#[test]
fn a_fresh_token_has_256_bits() {
    let (a, b) = (fresh_token().unwrap(), fresh_token().unwrap());
    assert_eq!(a.expose().len(), 43);
    assert_ne!(a, b);
}
