//! Credentials: what each mode asks for, what each kind of client is told, and what guessing leads to (protocol notes
//! §1.7, §1.10, §2.8, §6.5).

use serde_json::{Value, json};

use crate::support::device::Device;
use crate::support::gateway::{Setup, TOKEN, TestGateway};
use crate::support::ws::{Ws, connect};

const LOCAL_PAGE: [(&str, &str); 1] = [("Origin", "http://127.0.0.1:5173")];

/// Connects from a place with these headers, with this `auth`, as this client; a device if one is given.
fn answer(
    gateway: &TestGateway,
    headers: &[(&str, &str)],
    client: (&str, &str),
    auth: Value,
    device: Option<&Device>,
) -> (Value, Ws) {
    let mut params = connect(3, &["operator.read"]);
    (params["client"]["id"], params["client"]["mode"]) = (json!(client.0), json!(client.1));
    params["auth"] = auth;
    let mut ws = Ws::open_with(gateway.port, headers);
    let answer = match device {
        Some(device) => ws.connect_device(params, device),
        None => ws.connect(params),
    };
    (answer, ws)
}

/// The same, which must be refused as unauthorized. Returns message, `details.code` and `details.authReason`.
fn unauthorized(
    gateway: &TestGateway,
    headers: &[(&str, &str)],
    client: (&str, &str),
    auth: Value,
    device: Option<&Device>,
) -> (String, String, String) {
    let (answer, mut ws) = answer(gateway, headers, client, auth, device);
    let error = &answer["error"];
    assert_eq!((&answer["ok"], &error["code"]), (&json!(false), &json!("INVALID_REQUEST")), "{answer}");
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    let message = text(&error["message"]);
    assert_eq!(ws.end(), (1008, message[..message.len().min(120)].to_owned()));
    (message, text(&error["details"]["code"]), text(&error["details"]["authReason"]))
}

fn told(message: &str, code: &str, reason: &str) -> (String, String, String) {
    (message.to_owned(), code.to_owned(), reason.to_owned())
}

const CLI: (&str, &str) = ("cli", "cli");
const UI: (&str, &str) = ("openclaw-control-ui", "webchat");
const PROGRAM: (&str, &str) = ("gateway-client", "backend");

#[test]
fn token_mode_says_what_is_wrong_in_words_for_the_client_at_hand() {
    let gateway = TestGateway::start();
    let device = Device::new(3);
    let wrong = json!({ "token": "wrong" });
    let (cli, ui, other) = (
        "set gateway.remote.token to match gateway.auth.token",
        "open the dashboard URL and paste the token in Control UI settings",
        "provide gateway auth token",
    );
    for (client, headers, hint) in [(CLI, &[][..], cli), (UI, &LOCAL_PAGE, ui), (PROGRAM, &[], other)] {
        let message = format!("unauthorized: gateway token mismatch ({hint})");
        let expected = told(&message, "AUTH_TOKEN_MISMATCH", "token_mismatch");
        assert_eq!(unauthorized(&gateway, headers, client, wrong.clone(), Some(&device)), expected);
        // A device shows itself, so that the credentials are what is spoken of.
        let message = format!("unauthorized: gateway token missing ({hint})");
        let expected = told(&message, "AUTH_TOKEN_MISSING", "token_missing");
        for auth in [json!({}), json!({ "token": "" }), json!({ "password": TOKEN })] {
            assert_eq!(unauthorized(&gateway, headers, client, auth, Some(&device)), expected);
        }
    }
    let expected = told(
        "unauthorized: device token mismatch (rotate/reissue device token)",
        "AUTH_DEVICE_TOKEN_MISMATCH",
        "device_token_mismatch",
    );
    let auth = json!({ "deviceToken": "never-given" });
    assert_eq!(unauthorized(&gateway, &[], CLI, auth, Some(&device)), expected);
    // Without a device a wrong token is named too.
    let message = "unauthorized: gateway token mismatch (provide gateway auth token)";
    let expected = told(message, "AUTH_TOKEN_MISMATCH", "token_mismatch");
    assert_eq!(unauthorized(&gateway, &[], PROGRAM, wrong, None), expected);
}

#[test]
fn password_mode_asks_for_the_password() {
    let settings = json!({ "gateway": { "auth": { "mode": "password", "password": "pass word" } } });
    let gateway = Setup::with(settings).start();
    let device = Device::new(4);
    let (right, _ws) = answer(&gateway, &[], PROGRAM, json!({ "password": "pass word" }), None);
    assert_eq!((&right["ok"], &right["payload"]["snapshot"]["authMode"]), (&json!(true), &json!("password")));
    for (client, headers, hint) in [
        (CLI, &[][..], "set gateway.remote.password to match gateway.auth.password"),
        (UI, &LOCAL_PAGE, "enter the password in Control UI settings"),
        (PROGRAM, &[], "provide gateway auth password"),
    ] {
        let message = format!("unauthorized: gateway password mismatch ({hint})");
        let expected = told(&message, "AUTH_PASSWORD_MISMATCH", "password_mismatch");
        let auth = json!({ "password": "wrong" });
        assert_eq!(unauthorized(&gateway, headers, client, auth, Some(&device)), expected);
        // The token counts for nothing here.
        let message = format!("unauthorized: gateway password missing ({hint})");
        let expected = told(&message, "AUTH_PASSWORD_MISSING", "password_missing");
        assert_eq!(
            unauthorized(&gateway, headers, client, json!({ "token": TOKEN }), Some(&device)),
            expected
        );
    }
}

#[test]
fn mode_none_still_wants_a_device() {
    let gateway = Setup::with(json!({ "gateway": { "auth": { "mode": "none" } } })).start();
    let (refused, mut ws) = answer(&gateway, &[], PROGRAM, json!({}), None);
    assert_eq!(refused["error"]["message"], "device identity required");
    assert_eq!(ws.end(), (1008, "device identity required".to_owned()));
    let (accepted, _ws) = answer(&gateway, &[], PROGRAM, json!({}), Some(&Device::new(5)));
    assert_eq!(accepted["payload"]["snapshot"]["authMode"], "none", "{accepted}");
    let stderr = gateway.stop().ran.stderr;
    assert!(stderr.contains("all gateway connections are unauthenticated"), "{stderr}");
}

fn proxied(trusted: &str) -> TestGateway {
    let auth = json!({ "mode": "trusted-proxy", "trustedProxy": {
        "userHeader": "X-User", "requiredHeaders": ["X-Verified"], "allowUsers": ["ada"] } });
    Setup::with(json!({ "gateway": { "auth": auth, "trustedProxies": [trusted], "bind": "auto" } })).start()
}

#[test]
fn trusted_proxy_mode_believes_the_proxy_and_nobody_else() {
    let gateway = proxied("127.0.0.1");
    let good = [("X-User", "ada"), ("X-Verified", "yes"), ("X-Forwarded-For", "203.0.113.9")];
    let (accepted, _ws) = answer(&gateway, &good, PROGRAM, json!({}), None);
    assert_eq!(accepted["payload"]["snapshot"]["authMode"], "trusted-proxy", "{accepted}");
    let device = Device::new(6);
    let table: [(&[(&str, &str)], &str); 4] = [
        (&[("X-User", "ada")], "trusted_proxy_missing_header"),
        (&[("X-User", "ada"), ("X-Verified", " ")], "trusted_proxy_missing_header"),
        (&[("X-Verified", "yes")], "trusted_proxy_user_missing"),
        (&[("X-User", "eve"), ("X-Verified", "yes")], "trusted_proxy_user_not_allowed"),
    ];
    for (headers, reason) in table {
        // Neither the token nor a password is asked for instead.
        let auth = json!({ "token": TOKEN });
        let expected = told("unauthorized", "AUTH_UNAUTHORIZED", reason);
        assert_eq!(unauthorized(&gateway, headers, PROGRAM, auth, Some(&device)), expected, "{headers:?}");
    }
    let elsewhere = proxied("10.0.0.0/8");
    let expected = told("unauthorized", "AUTH_UNAUTHORIZED", "trusted_proxy_untrusted_source");
    assert_eq!(unauthorized(&elsewhere, &good, PROGRAM, json!({ "token": TOKEN }), Some(&device)), expected);
}

#[test]
fn a_trusted_proxys_control_ui_needs_no_device() {
    let gateway = proxied("127.0.0.1");
    let headers = [
        ("X-User", "ada"),
        ("X-Verified", "yes"),
        ("Origin", "http://localhost"),
        ("X-Forwarded-For", "203.0.113.9"),
    ];
    let (accepted, _ws) = answer(&gateway, &headers, UI, json!({}), None);
    assert_eq!(accepted["ok"], true, "{accepted}");
}

/// Guesses until the lock-out, which must come after `allowed` wrong answers.
fn guess(gateway: &TestGateway, headers: &[(&str, &str)], allowed: usize) {
    for attempt in 0..allowed {
        let (_, _, reason) = unauthorized(gateway, headers, PROGRAM, json!({ "token": "wrong" }), None);
        assert_eq!(reason, "token_mismatch", "attempt {attempt}");
    }
    let (answer, mut ws) = answer(gateway, headers, PROGRAM, json!({ "token": "wrong" }), None);
    let error = &answer["error"];
    assert_eq!(error["message"], "unauthorized: too many failed authentication attempts (retry later)");
    assert_eq!(error["details"], json!({ "code": "AUTH_RATE_LIMITED", "authReason": "rate_limited" }));
    assert_eq!(error["retryable"], true);
    assert!((1..=300_000).contains(&error["retryAfterMs"].as_u64().unwrap()), "{error}");
    assert_eq!(ws.end().0, 1008);
}

#[test]
fn a_page_that_guesses_is_locked_out_after_ten_attempts_and_programs_are_not() {
    let gateway = TestGateway::start();
    guess(&gateway, &LOCAL_PAGE, 10);
    // Knowing the token does not help now, nor does another page.
    let page = [("Origin", "http://localhost:9999")];
    let (_, _, reason) = unauthorized(&gateway, &page, PROGRAM, json!({ "token": TOKEN }), None);
    assert_eq!(reason, "rate_limited");
    for _ in 0..15 {
        let (_, _, reason) = unauthorized(&gateway, &[], PROGRAM, json!({ "token": "wrong" }), None);
        assert_eq!(reason, "token_mismatch", "loopback is exempt");
    }
    Ws::admin(&gateway).call("status", json!({}));
}

#[test]
fn a_success_resets_the_count() {
    let gateway =
        Setup::with(json!({ "gateway": { "auth": { "rateLimit": { "maxAttempts": 3 } } } })).start();
    for _ in 0..2 {
        for _ in 0..2 {
            unauthorized(&gateway, &LOCAL_PAGE, PROGRAM, json!({ "token": "wrong" }), None);
        }
        let (accepted, _ws) = answer(&gateway, &LOCAL_PAGE, PROGRAM, json!({ "token": TOKEN }), None);
        assert_eq!(accepted["ok"], true);
    }
    guess(&gateway, &LOCAL_PAGE, 3);
}

#[test]
fn guessing_through_a_proxy_is_not_exempt_because_the_proxy_is_on_this_machine() {
    // Not configured as trusted, so the address it names is not believed; but that it names one is.
    let gateway =
        Setup::with(json!({ "gateway": { "auth": { "rateLimit": { "maxAttempts": 3 } } } })).start();
    guess(&gateway, &[("X-Forwarded-For", "203.0.113.9")], 3);
    Ws::admin(&gateway).call("status", json!({}));
}

#[test]
fn behind_a_trusted_proxy_each_client_has_its_own_count() {
    let settings = json!({ "gateway": { "trustedProxies": ["127.0.0.1"], "auth": { "rateLimit": { "maxAttempts": 3 } } } });
    let gateway = Setup::with(settings).start();
    guess(&gateway, &[("X-Forwarded-For", "203.0.113.9")], 3);
    // What is left of the proxy's own word anybody can write, also in a header line of its own.
    guess(&gateway, &[("X-Forwarded-For", "198.51.100.1, 203.0.113.10")], 3);
    let spoofed = [("X-Forwarded-For", "198.51.100.2"), ("X-Forwarded-For", "203.0.113.10")];
    let (_, _, reason) = unauthorized(&gateway, &spoofed, PROGRAM, json!({ "token": TOKEN }), None);
    assert_eq!(reason, "rate_limited");
    let (accepted, _ws) =
        answer(&gateway, &[("X-Forwarded-For", "203.0.113.11")], PROGRAM, json!({ "token": TOKEN }), None);
    assert_eq!(accepted["ok"], true);
}

#[test]
fn pages_from_elsewhere_are_kept_out_whatever_they_know() {
    let evil = ("Origin", "https://evil.example");
    let fallback =
        json!({ "gateway": { "controlUi": { "dangerouslyAllowHostHeaderOriginFallback": true } } });
    let listed = json!({ "gateway": { "controlUi": { "allowedOrigins": ["https://evil.example"] } } });
    let table: [(Value, &[(&str, &str)], (&str, &str), bool); 10] = [
        (json!({}), &[evil], PROGRAM, false),
        (json!({}), &[("Origin", "null")], PROGRAM, false),
        // A name that was made to point here.
        (
            json!({}),
            &[("Origin", "http://evil.example:18789"), ("Host", "evil.example:18789")],
            PROGRAM,
            false,
        ),
        (json!({}), &[("Origin", "http://localhost:1")], PROGRAM, true),
        (json!({}), &[("Origin", "http://[::1]:1"), ("Host", "[::1]:18789")], PROGRAM, true),
        // A web chat without an origin is no browser's.
        (json!({}), &[], ("webchat-ui", "ui"), false),
        (json!({}), &[], ("test", "webchat"), false),
        (listed, &[evil], PROGRAM, true),
        (fallback.clone(), &[("Origin", "http://gw.example:1"), ("Host", "gw.example:1")], PROGRAM, true),
        (fallback, &[("Origin", "http://gw.example:2"), ("Host", "gw.example:1")], PROGRAM, false),
    ];
    for (settings, headers, client, allowed) in table {
        let gateway = Setup::with(settings).start();
        let (answer, mut ws) = answer(&gateway, headers, client, json!({ "token": TOKEN }), None);
        assert_eq!(answer["ok"], allowed, "{headers:?} {client:?}: {answer}");
        if !allowed {
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.starts_with("origin not allowed"), "{message}");
            assert_eq!(ws.end(), (1008, message[..message.len().min(120)].to_owned()));
        }
    }
}

/// Without a token the oldest dialect lets everybody in. That must not be every page of the web.
#[test]
fn pages_from_elsewhere_cannot_use_the_oldest_dialect_either() {
    let hello = json!({
        "type": "hello", "minProtocol": 1, "maxProtocol": 1,
        "client": { "name": "page", "version": "1", "platform": "web", "mode": "webchat" },
    });
    for brand in ["idlehands", "clawdis"] {
        let gateway = Setup::of_brand(brand, json!({ "gateway": { "auth": { "mode": "none" } } })).start();
        let say_hello = |headers: &[(&str, &str)]| {
            let mut ws = Ws::silent(gateway.port, headers);
            ws.send(&hello);
            let frame = ws.frame();
            let frame = if frame["event"] == "connect.challenge" { ws.frame() } else { frame };
            (frame, ws)
        };
        let (refused, mut ws) = say_hello(&[("Origin", "https://evil.example")]);
        assert_eq!(refused["type"], "hello-error", "{brand}");
        assert!(refused["reason"].as_str().unwrap().starts_with("origin not allowed"), "{refused}");
        assert_eq!(ws.end().0, 1008);
        for headers in [&[][..], &LOCAL_PAGE] {
            assert_eq!(say_hello(headers).0["type"], "hello-ok", "{brand}");
        }
    }
}

#[test]
fn the_switches_for_the_control_ui_let_it_in_without_a_device_but_not_without_the_token() {
    let insecure = json!({ "gateway": { "controlUi": { "allowInsecureAuth": true } } });
    let disabled = json!({ "gateway": { "controlUi": { "dangerouslyDisableDeviceAuth": true } } });
    let away = [("Origin", "http://127.0.0.1:5173"), ("X-Forwarded-For", "203.0.113.9")];
    let device_wanted = "control ui requires device identity (use HTTPS or localhost secure context)";
    let mismatch = "unauthorized: gateway token mismatch (open the dashboard URL and paste the token in Control UI settings)";
    let table = [
        (json!({}), &LOCAL_PAGE[..], TOKEN, device_wanted),
        (insecure.clone(), &LOCAL_PAGE, TOKEN, ""),
        (insecure.clone(), &away, TOKEN, device_wanted),
        (insecure, &LOCAL_PAGE, "wrong", mismatch),
        (disabled.clone(), &away, TOKEN, ""),
        (disabled, &away, "wrong", mismatch),
    ];
    for (settings, headers, token, message) in table {
        let gateway = Setup::with(settings.clone()).start();
        let (answer, _ws) = answer(&gateway, headers, UI, json!({ "token": token }), None);
        assert_eq!(
            answer["error"]["message"].as_str().unwrap_or_default(),
            message,
            "{settings} {headers:?}"
        );
    }
}

#[test]
fn scopes_are_those_asked_for_and_no_others() {
    let gateway = TestGateway::start();
    let (mut ws, hello) = Ws::connect_with(gateway.port, connect(4, &["operator.read"]));
    assert_eq!(hello["auth"]["scopes"], json!(["operator.read"]));
    ws.call("status", json!({}));
    assert_eq!(ws.refusal("wake", json!({}))["message"], "missing scope: operator.write");
    // Words that are no scope grant nothing.
    let (mut ws, _) =
        Ws::connect_with(gateway.port, connect(3, &["operator", "admin", "operator.*", "OPERATOR.ADMIN"]));
    assert_eq!(ws.refusal("status", json!({}))["message"], "missing scope: operator.read");
    assert_eq!(ws.call("health", json!({}))["ok"], true);
}
