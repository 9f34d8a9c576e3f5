//! Secrets stay where they belong: in no output, no log, no command line, no record, no answer, no error.

use serde_json::{Value, json};

use crate::support::device::Device;
use crate::support::gateway::{Setup, TestGateway};
use crate::support::ws::{ALL_SCOPES, Next, Ws, connect};

const TOKEN: &str = "tok-secret-of-the-gateway";
const PASSWORD: &str = "pw-secret-of-the-gateway";
const REMOTE: &str = "tok-secret-of-another-gateway";
const FROM_ENV: &str = "tok-secret-of-the-environment";
const GUESSED: &str = "tok-guessed-by-a-stranger";

fn noisy() -> TestGateway {
    let auth = json!({ "mode": "token", "token": TOKEN, "password": PASSWORD });
    let settings = json!({
        "gateway": { "auth": auth, "remote": { "token": REMOTE, "password": "${A_KEY}" } },
        "logging": { "level": "trace" },
    });
    Setup::with(settings).env("A_KEY", FROM_ENV).args(["--verbose", "--ws-log=full"]).start()
}

fn with_auth(auth: Value) -> Value {
    let mut params = connect(4, &ALL_SCOPES);
    params["auth"] = auth;
    params
}

/// Everything that comes until the connection ends or nothing more does.
fn rest(ws: &mut Ws) -> String {
    let mut all = String::new();
    while let Some(next) = ws.next_within(std::time::Duration::from_millis(50)) {
        all.push_str(&format!("{next:?}\n"));
        if !matches!(next, Next::Frame(_)) {
            break;
        }
    }
    all
}

#[test]
fn nothing_that_can_be_seen_holds_a_secret() {
    let gateway = noisy();
    let mut seen = String::new();
    // Strangers of every kind.
    for auth in [
        json!({ "token": GUESSED }),
        json!({ "password": GUESSED }),
        json!({ "deviceToken": GUESSED }),
        json!({ "token": { "nested": GUESSED } }),
        json!({ "bootstrapToken": GUESSED }),
    ] {
        let mut ws = Ws::open(gateway.port);
        seen.push_str(&ws.connect(with_auth(auth.clone())).to_string());
        seen.push_str(&rest(&mut ws));
        let mut ws = Ws::open(gateway.port);
        seen.push_str(&ws.connect_device(with_auth(auth), &Device::new(9)).to_string());
        seen.push_str(&rest(&mut ws));
    }
    let mut ws = Ws::open(gateway.port);
    ws.send(&json!({ "type": "hello", "minProtocol": 1, "maxProtocol": 1, "auth": { "token": GUESSED }, "client": {} }));
    seen.push_str(&rest(&mut ws));
    // A device that is let in, and an operator who looks at everything.
    let device = Device::new(1);
    let mut own = Ws::open(gateway.port);
    let granted = own.connect_device(with_auth(json!({ "token": TOKEN })), &device);
    let device_token = granted["payload"]["auth"]["deviceToken"].as_str().unwrap().to_owned();
    let (mut admin, hello) = Ws::connect_with(gateway.port, with_auth(json!({ "token": TOKEN })));
    seen.push_str(&hello.to_string());
    for method in [
        "health",
        "status",
        "config.get",
        "config.schema",
        "system-presence",
        "device.pair.list",
        "models.list",
        "agents.list",
        "logs.tail",
        "channels.status",
        "nope",
        "connect",
    ] {
        seen.push_str(
            &admin.request(method, with_auth(json!({ "token": TOKEN, "password": PASSWORD }))).to_string(),
        );
        seen.push_str(&admin.request(method, json!({})).to_string());
    }
    let rotated = admin.call("device.token.rotate", json!({ "deviceId": device.id(), "role": "operator" }));
    let new_token = rotated["token"].as_str().unwrap().to_owned();
    seen.push_str(&rest(&mut admin));
    // Configurations that cannot be used, and one that takes a restart.
    for text in [
        format!("{{ gateway: {{ auth: {{ token: '{TOKEN}', passwrd: 1 }} }} }}"),
        format!("{{ gateway: {{ auth: {{ token: '{TOKEN}' "),
        format!("{{ gateway: {{ auth: {{ token: ['{TOKEN}'] }} }} }}"),
    ] {
        let invalid = gateway.process().all_output().matches("invalid config").count();
        gateway.write_config(&text);
        gateway.signal(rustix::process::Signal::HUP);
        gateway.process().line_number("invalid config", invalid + 1);
        seen.push_str(&admin.request("config.get", json!({})).to_string());
        let refused = gateway.run(&["gateway", "run", "--port=0"]);
        seen.push_str(&format!("{refused:?}"));
    }
    gateway.configure(json!({ "gateway": { "auth": { "token": "tok-secret-new" } } }));
    gateway.signal(rustix::process::Signal::HUP);
    gateway.process().line("requires gateway restart");

    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    seen.push_str(&read(&format!("/proc/{}/cmdline", gateway.pid())));
    for file in ["gateway.lock", "logs/gateway.log"] {
        seen.push_str(&read(gateway.state(file).to_str().unwrap()));
    }
    let pending = gateway.state("devices/pending.json");
    seen.push_str(&read(pending.to_str().unwrap()));
    let ended = gateway.ended();
    assert_eq!(ended.ran.code, 75);
    seen.push_str(&format!("{ended:?}"));
    assert!(
        seen.contains("__IDLEHANDS_REDACTED__") && seen.contains("refused 127.0.0.1"),
        "it was looked at the right things"
    );
    for secret in [TOKEN, PASSWORD, REMOTE, FROM_ENV, "tok-secret-new", &device_token, &new_token] {
        let at = seen.find(secret).map(|at| &seen[at.saturating_sub(300)..at + secret.len()]);
        assert_eq!(at, None, "{secret}");
    }
}

#[test]
fn the_lock_record_of_a_configured_gateway_says_who_and_where_and_nothing_else() {
    let gateway = noisy();
    let text = std::fs::read_to_string(gateway.state("gateway.lock")).unwrap();
    let mut holder: Value = serde_json::from_str(&text).unwrap();
    assert!(holder["startedAtMs"].take().as_u64().is_some() && holder["version"].take().is_string());
    let expected = json!({ "pid": gateway.pid(), "url": format!("ws://127.0.0.1:{}", gateway.port), "version": null, "startedAtMs": null });
    assert_eq!(holder, expected);
}
