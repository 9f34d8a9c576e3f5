//! Methods: who may call what and in which order that is looked at, what each answers, and what wrong parameters are
//! told (protocol notes §2.4, §3).

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::gateway::{Setup, TestGateway};
use crate::support::schema;
use crate::support::ws::{ALL_SCOPES, Ws, connect};

/// Calls a method, judges the answer by the schema, and returns it.
fn call(ws: &mut Ws, method: &str, params: Value) -> Value {
    let result = ws.call(method, params);
    schema::assert_valid(&format!("/methods/{method}/result"), &result);
    result
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn each_method_asks_for_the_scope_of_the_protocol() {
    // §3.2; config.schema for readers as the later revision has it (§3.2, last line).
    let table = [
        (
            "operator.read",
            "logs.tail channels.status status config.get config.schema models.list agents.list last-heartbeat system-presence",
        ),
        ("operator.write", "wake"),
        (
            "operator.pairing",
            "device.pair.list device.pair.approve device.pair.reject device.pair.remove device.token.rotate device.token.revoke",
        ),
        ("operator.admin", "set-heartbeats system-event connect"),
    ];
    let mut described: HashMap<String, Value> =
        schema::document()["methods"].as_object().unwrap().clone().into_iter().collect();
    assert_eq!(described.remove("health").unwrap()["scope"], Value::Null);
    let gateway = TestGateway::start();
    let mut nobody = Ws::operator(&gateway, &[]);
    let mut newer = Ws::connect_with(gateway.port, connect(4, &[])).0;
    for (scope, methods) in table {
        for method in methods.split_whitespace() {
            let row = described.remove(method).unwrap_or_else(|| panic!("{method} is not described"));
            assert_eq!(row["scope"], scope, "{method}");
            let message = format!("missing scope: {scope}");
            let refusal = json!({ "code": "INVALID_REQUEST", "message": message });
            assert_eq!(nobody.refusal(method, json!({})), refusal, "{method}");
            let details =
                json!({ "code": "MISSING_SCOPE", "missingScope": scope, "requiredScopes": [scope] });
            let refusal = json!({ "code": "FORBIDDEN", "message": message, "details": details });
            assert_eq!(newer.refusal(method, json!({})), refusal, "{method}");
        }
    }
    assert!(described.is_empty(), "say what these ask for: {:?}", described.keys());
}

#[test]
fn scopes_are_looked_at_before_the_method_and_the_method_before_its_parameters() {
    let gateway = TestGateway::start();
    let table: [(&[&str], &str, &str); 9] = [
        (&[], "nope", "missing scope: operator.admin"),
        (
            &["operator.read", "operator.write", "operator.pairing", "operator.approvals"],
            "nope",
            "missing scope: operator.admin",
        ),
        (&["operator.admin"], "nope", "unknown method: nope"),
        (&["operator.admin"], "Health", "unknown method: Health"),
        (&["operator.read"], "wake", "missing scope: operator.write"),
        (&["operator.approvals"], "status", "missing scope: operator.read"),
        (&["operator.pairing"], "status", "missing scope: operator.read"),
        (
            &["operator.write"],
            "wake",
            "invalid wake params: must have required property 'mode'; must have required property 'text'",
        ),
        (&["operator.admin"], "connect", "connect is only valid as the first request"),
    ];
    for (scopes, method, message) in table {
        let refusal = Ws::operator(&gateway, scopes).refusal(method, json!({}));
        assert_eq!(refusal, json!({ "code": "INVALID_REQUEST", "message": message }), "{scopes:?} {method}");
    }
    // Writing includes reading, and administration includes everything.
    assert_eq!(Ws::operator(&gateway, &["operator.write"]).request("status", json!({}))["ok"], true);
    for method in ["status", "device.pair.list", "last-heartbeat"] {
        assert_eq!(
            Ws::operator(&gateway, &["operator.admin"]).request(method, json!({}))["ok"],
            true,
            "{method}"
        );
    }
}

#[test]
fn health_is_there_for_everybody_who_is_connected() {
    let gateway = TestGateway::start();
    let mut ws = Ws::operator(&gateway, &[]);
    for params in
        [json!({}), Value::Null, json!({ "probe": true }), json!({ "probe": "yes" }), json!([1]), json!(7)]
    {
        let health = call(&mut ws, "health", params);
        assert_eq!(
            keys(&health),
            [
                "agents",
                "channelLabels",
                "channelOrder",
                "channels",
                "defaultAgentId",
                "durationMs",
                "heartbeatSeconds",
                "ok",
                "sessions",
                "ts",
                "web"
            ]
        );
        assert_eq!((&health["ok"], &health["web"]), (&json!(true), &json!({ "linked": true })));
        assert_eq!((&health["heartbeatSeconds"], &health["defaultAgentId"]), (&json!(1800), &json!("main")));
        let agent = &health["agents"][0];
        assert_eq!(keys(agent), ["agentId", "heartbeat", "isDefault", "sessions"]);
        assert_eq!(agent["heartbeat"], json!({ "enabled": true, "every": "30m", "everyMs": 1_800_000 }));
    }
}

#[test]
fn a_disabled_web_chat_is_not_linked() {
    let gateway = Setup::with(json!({ "channels": { "webchat": { "enabled": false } } })).start();
    let mut ws = Ws::admin(&gateway);
    assert_eq!(call(&mut ws, "health", json!({}))["web"]["linked"], false);
    let report = call(&mut ws, "channels.status", json!({ "probe": true }));
    let account = &report["channelAccounts"]["webchat"][0];
    assert_eq!((&account["running"], &account["probe"]["ok"]), (&json!(false), &json!(false)));
}

#[test]
fn status_shows_places_to_administrators_only() {
    let gateway = TestGateway::start();
    let (mut admin, mut reader) = (Ws::admin(&gateway), Ws::operator(&gateway, &["operator.read"]));
    let full = call(&mut admin, "status", json!({}));
    assert_eq!(keys(&full), ["channelSummary", "heartbeat", "linkChannel", "queuedSystemEvents", "sessions"]);
    let path = gateway.state("agents/main/sessions/sessions.json");
    assert_eq!(full["sessions"]["paths"], json!([path]));
    assert_eq!(full["sessions"]["byAgent"][0]["path"], json!(path));
    let short = call(&mut reader, "status", json!({}));
    assert_eq!(short["sessions"]["paths"], json!([]));
    assert_eq!(short["sessions"]["byAgent"][0]["path"], "[redacted]");
}

#[test]
fn agents_and_models_are_those_of_the_configuration() {
    let settings = json!({
        "agents": { "list": [{ "id": "a", "name": "Ann" }, { "id": "b", "default": true, "identity": { "emoji": "*" } }] },
        "models": { "providers": { "local": { "models": [{ "id": "m1", "contextWindow": 4096 }, { "id": "m2", "name": "Two" }] } } },
    });
    let gateway = Setup::with(settings).start();
    let mut ws = Ws::admin(&gateway);
    let agents = json!([{ "id": "a", "name": "Ann" }, { "id": "b", "identity": { "emoji": "*" } }]);
    let expected = json!({ "defaultId": "b", "mainKey": "main", "scope": "per-sender", "agents": agents });
    assert_eq!(call(&mut ws, "agents.list", json!({})), expected);
    let models = json!([
        { "id": "m1", "name": "m1", "provider": "local", "contextWindow": 4096 },
        { "id": "m2", "name": "Two", "provider": "local" },
    ]);
    assert_eq!(call(&mut ws, "models.list", json!({})), json!({ "models": models }));
    let (_ws, hello) = Ws::connect_with(gateway.port, connect(3, &[]));
    assert_eq!(hello["snapshot"]["sessionDefaults"]["mainSessionKey"], "agent:b:main");
}

#[test]
fn config_get_is_the_file_and_what_it_means_without_its_secrets() {
    let gateway = TestGateway::start();
    let mut ws = Ws::operator(&gateway, &["operator.read"]);
    let text =
        "{\n  // mine\n  gateway: { mode: 'local', port: 4711, auth: { token: 'tok-never-shown' } },\n}\n";
    gateway.write_config(text);
    let config = call(&mut ws, "config.get", json!({}));
    assert_eq!(
        keys(&config),
        [
            "config",
            "exists",
            "hash",
            "issues",
            "legacyIssues",
            "parsed",
            "path",
            "raw",
            "resolved",
            "valid",
            "warnings"
        ]
    );
    assert_eq!(config["path"], json!(gateway.state("idlehands.json")));
    assert_eq!((&config["exists"], &config["valid"]), (&json!(true), &json!(true)));
    assert_eq!(config["parsed"]["gateway"]["auth"]["token"], "__IDLEHANDS_REDACTED__");
    assert_eq!(config["config"]["gateway"]["reload"]["mode"], "hybrid");
    assert!(config["raw"].as_str().unwrap().contains("// mine"), "{config}");
    assert_eq!(config["hash"], sha256(text));
    assert!(!config.to_string().contains("tok-never-shown"));
    // A file that cannot be used is shown as such, and what runs goes on.
    gateway.write_config("{ gateway: { prot: 1 } }");
    let config = call(&mut ws, "config.get", json!({}));
    assert_eq!(config["valid"], false);
    assert_eq!(config["issues"][0]["path"], "gateway.prot");
    gateway.write_config("{ gateway: { auth: { token: 'tok-never-shown' ");
    let broken = ws.call("config.get", json!({}));
    assert!(!broken.to_string().contains("tok-never-shown"), "{broken}");
    std::fs::remove_file(gateway.state("idlehands.json")).unwrap();
    let config = call(&mut ws, "config.get", json!({}));
    assert_eq!((&config["exists"], &config["raw"]), (&json!(false), &Value::Null));
    assert_eq!(config["hash"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let answer = call(&mut ws, "config.schema", json!({}));
    assert_eq!(keys(&answer), ["generatedAt", "schema", "uiHints", "version"]);
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_log_is_read_from_a_cursor_on_and_every_line_once() {
    let gateway = TestGateway::start();
    let mut ws = Ws::operator(&gateway, &["operator.read"]);
    let first = call(&mut ws, "logs.tail", json!({}));
    assert_eq!(keys(&first), ["cursor", "file", "lines", "reset", "size", "truncated"]);
    assert_eq!(first["file"], json!(gateway.state("logs/gateway.log")));
    let line: Value = serde_json::from_str(first["lines"][0].as_str().unwrap()).unwrap();
    assert_eq!((&line["level"], &line["subsystem"]), (&json!("info"), &json!("gateway")));
    assert!(line["message"].as_str().unwrap().starts_with("listening on ws://"), "{line}");
    // A refused stranger is a line.
    Ws::open(gateway.port).connect(json!({ "minProtocol": 3, "maxProtocol": 3, "auth": { "token": "x" },
        "client": { "id": "cli", "version": "1", "platform": "linux", "mode": "cli" } }));
    let mut after = call(&mut ws, "logs.tail", json!({ "cursor": first["cursor"] }));
    while after["lines"] == json!([]) {
        after = call(&mut ws, "logs.tail", json!({ "cursor": first["cursor"] }));
    }
    assert!(after["lines"][0].as_str().unwrap().contains("refused 127.0.0.1"), "{after}");
    assert_eq!(call(&mut ws, "logs.tail", json!({ "cursor": after["cursor"] }))["lines"], json!([]));
    let latest = call(&mut ws, "logs.tail", json!({ "limit": 1 }));
    assert_eq!((latest["lines"].as_array().unwrap().len(), &latest["truncated"]), (1, &json!(true)));
    let beyond = call(&mut ws, "logs.tail", json!({ "cursor": 999_999_999_u64 }));
    assert_eq!(beyond["reset"], true);
}

#[test]
fn heartbeats_are_switched_and_remembered() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    assert_eq!(call(&mut ws, "last-heartbeat", json!({})), Value::Null);
    assert_eq!(call(&mut ws, "wake", json!({ "mode": "now", "text": "look" })), json!({ "ok": true }));
    let beat = ws.event("heartbeat");
    schema::assert_event(&beat);
    assert_eq!(call(&mut ws, "last-heartbeat", json!({})), beat["payload"]);
    assert_eq!(call(&mut ws, "status", json!({}))["queuedSystemEvents"], json!(["look"]));
    assert_eq!(
        call(&mut ws, "wake", json!({ "mode": "next-heartbeat", "text": "  " })),
        json!({ "ok": false })
    );
    for enabled in [false, true] {
        let expected = json!({ "ok": true, "enabled": enabled });
        assert_eq!(call(&mut ws, "set-heartbeats", json!({ "enabled": enabled })), expected);
        assert_eq!(call(&mut ws, "status", json!({}))["heartbeat"]["agents"][0]["enabled"], enabled);
    }
}

#[test]
fn wrong_parameters_are_told_what_is_wrong() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    let table = [
        (
            "wake",
            json!({ "mode": "later", "text": "" }),
            "at /mode: must be equal to one of the allowed values; at /text: must NOT have fewer than 1 characters",
        ),
        ("wake", json!({ "mode": "now", "text": "x", "more": 1 }), "at root: unexpected property 'more'"),
        ("wake", json!("now"), "must be object"),
        ("set-heartbeats", json!({ "enabled": "yes" }), "enabled (boolean) required"),
        ("set-heartbeats", Value::Null, "enabled (boolean) required"),
        ("logs.tail", json!({ "limit": 0 }), "at /limit: must be >= 1"),
        ("logs.tail", json!({ "limit": 5001 }), "at /limit: must be <= 5000"),
        ("logs.tail", json!({ "maxBytes": 1_000_001 }), "at /maxBytes: must be <= 1000000"),
        ("logs.tail", json!({ "cursor": -1 }), "at /cursor: must be >= 0"),
        (
            "logs.tail",
            json!({ "cursor": "0", "x": 1 }),
            "at root: unexpected property 'x'; at /cursor: must be integer",
        ),
        ("channels.status", json!({ "timeoutMs": 10 }), "at /timeoutMs: must be >= 1000"),
        ("channels.status", json!({ "probe": 1 }), "at /probe: must be boolean"),
        ("device.pair.approve", json!({}), "must have required property 'requestId'"),
        (
            "device.pair.remove",
            json!({ "deviceId": "" }),
            "at /deviceId: must NOT have fewer than 1 characters",
        ),
        (
            "device.token.rotate",
            json!({ "deviceId": "d", "role": "operator", "scopes": [1] }),
            "at /scopes/0: must be string",
        ),
    ];
    for (method, params, issues) in table {
        let message = ws.refusal(method, params.clone())["message"]
            .as_str()
            .unwrap()
            .replace("constant", "one of the allowed values");
        let message = message
            .replace("; at /mode: must match a schema in anyOf", "")
            .replace("; at /mode: must match exactly one schema in oneOf", "");
        assert_eq!(message, format!("invalid {method} params: {issues}"), "{params}");
    }
    for params in [json!({}), json!({ "text": " " }), json!({ "text": 7 }), Value::Null] {
        assert_eq!(ws.refusal("system-event", params)["message"], "text required");
    }
}

#[test]
fn a_node_that_keeps_calling_what_it_may_not_is_closed_after_eleven_refusals() {
    let gateway = TestGateway::start();
    let device = crate::support::device::Device::new(1);
    let node = || {
        let mut params = connect(3, &[]);
        (params["role"], params["client"]["mode"]) = (json!("node"), json!("node"));
        let mut ws = Ws::open(gateway.port);
        assert_eq!(ws.connect_device(params, &device)["ok"], true);
        ws
    };
    let mut patient = node();
    for _ in 0..10 {
        assert_eq!(patient.refusal("status", json!({}))["message"], "unauthorized role: node");
    }
    // Something it may call begins the count anew.
    patient.call("health", json!({}));
    for _ in 0..10 {
        patient.refusal("status", json!({}));
    }
    let last = patient.ask("status", json!({}));
    assert_eq!(
        patient.response(&last)["error"]["message"],
        "unauthorized role: node",
        "every request is answered"
    );
    assert_eq!(patient.end(), (1008, "repeated unauthorized calls".to_owned()));
    // An operator is never counted.
    let mut operator = Ws::operator(&gateway, &[]);
    for _ in 0..30 {
        operator.refusal("status", json!({}));
    }
}

#[test]
fn a_thousand_requests_at_once_are_each_answered_once() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    let methods = [
        "health",
        "status",
        "config.get",
        "system-presence",
        "logs.tail",
        "nope",
        "agents.list",
        "device.pair.list",
    ];
    let asked: Vec<(String, &str)> = (0..1000)
        .map(|number| methods[number % methods.len()])
        .map(|method| (ws.ask(method, json!({})), method))
        .collect();
    let mut answers: HashMap<String, Vec<Value>> = HashMap::new();
    let mut left = asked.len();
    while left > 0 {
        let frame = ws.frame();
        if frame["type"] == "res" {
            answers.entry(frame["id"].as_str().unwrap().to_owned()).or_default().push(frame);
            left -= 1;
        }
    }
    for (id, method) in asked {
        let [answer] =
            answers.remove(&id).unwrap_or_default().try_into().unwrap_or_else(|_| panic!("{id} {method}"));
        assert_eq!(answer["ok"], method != "nope", "{answer}");
    }
    assert!(answers.is_empty());
    // And none comes twice later.
    assert!(ws.so_far().iter().all(|frame| frame["type"] == "event"));
}

#[test]
fn many_clients_are_served_side_by_side() {
    let gateway = TestGateway::start();
    let mut clients: Vec<Ws> = (0..100).map(|_| Ws::admin(&gateway)).collect();
    let ids: Vec<String> = clients.iter_mut().map(|ws| ws.ask("status", json!({}))).collect();
    for (ws, id) in clients.iter_mut().zip(&ids) {
        assert_eq!(ws.response(id)["ok"], true);
    }
    let presence = clients[0].call("system-presence", json!({}));
    assert_eq!(presence.as_array().unwrap().len(), 101);
    assert_eq!(ALL_SCOPES.len(), 5);
}
