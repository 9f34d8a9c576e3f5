//! `hello-ok`: what a client is told when it is let in, for every protocol the gateway speaks (protocol notes §1.13,
//! captures of the reference).

use serde_json::{Value, json};

use crate::support::device::Device;
use crate::support::gateway::{Setup, TOKEN, TestGateway};
use crate::support::schema;
use crate::support::ws::{ALL_SCOPES, Ws, connect};

/// The methods of the reference in the order it tells them (protocol notes §3.1).
const METHODS_IN_ORDER: &str = "health doctor.memory.status logs.tail channels.status channels.logout status \
    usage.status usage.cost tts.status tts.providers tts.enable tts.disable tts.convert tts.setProvider config.get \
    config.set config.apply config.patch config.schema exec.approvals.get exec.approvals.set exec.approvals.node.get \
    exec.approvals.node.set exec.approval.request exec.approval.waitDecision exec.approval.resolve wizard.start \
    wizard.next wizard.cancel wizard.status talk.config talk.mode models.list tools.catalog agents.list agents.create \
    agents.update agents.delete agents.files.list agents.files.get agents.files.set skills.status skills.bins \
    skills.install skills.update update.run voicewake.get voicewake.set secrets.reload sessions.list sessions.preview \
    sessions.patch sessions.reset sessions.delete sessions.compact last-heartbeat set-heartbeats wake node.pair.request \
    node.pair.list node.pair.approve node.pair.reject node.pair.verify device.pair.list device.pair.approve \
    device.pair.reject device.pair.remove device.token.rotate device.token.revoke node.rename node.list node.describe \
    node.invoke node.invoke.result node.event cron.list cron.status cron.add cron.update cron.remove cron.run cron.runs \
    system-presence system-event send agent agent.identity.get agent.wait browser.request chat.history chat.abort \
    chat.send";

/// The events of the reference in the order it tells them (protocol notes §4).
const EVENTS_IN_ORDER: &str = "connect.challenge agent chat presence tick talk.mode shutdown health heartbeat cron \
    node.pair.requested node.pair.resolved node.invoke.request device.pair.requested device.pair.resolved \
    voicewake.changed exec.approval.requested exec.approval.resolved update.available";

/// The keys of an object, in alphabetical order.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// Asserts that the names are some of `all`, in the same order.
fn assert_in_order(names: &Value, all: &str) {
    let mut rest = all.split_whitespace();
    for name in names.as_array().unwrap() {
        assert!(
            rest.any(|known| known == name),
            "{name} is unknown to the reference, or out of order: {names}"
        );
    }
}

#[test]
fn protocol_3_is_told_exactly_what_the_reference_tells() {
    let gateway = TestGateway::start();
    let mut ws = Ws::open(gateway.port);
    assert_eq!(keys(&ws.challenge), ["nonce", "ts"]);
    assert_eq!(ws.nonce().len(), 36);
    let answer = ws.connect(connect(3, &ALL_SCOPES));
    assert_eq!(keys(&answer), ["id", "ok", "payload", "type"]);
    let hello = &answer["payload"];
    schema::assert_valid("/frames/response", &answer);
    schema::assert_valid("/frames/hello-ok", hello);

    assert_eq!(keys(hello), ["features", "policy", "protocol", "server", "snapshot", "type"]);
    assert_eq!((&hello["type"], &hello["protocol"]), (&json!("hello-ok"), &json!(3)));
    assert_eq!(keys(&hello["server"]), ["connId", "version"]);
    assert_eq!(hello["server"]["connId"].as_str().unwrap().len(), 36);
    let policy =
        json!({ "maxPayload": 26_214_400, "maxBufferedBytes": 52_428_800, "tickIntervalMs": 30_000 });
    assert_eq!(hello["policy"], policy);
    assert_eq!(keys(&hello["features"]), ["events", "methods"]);
    assert_in_order(&hello["features"]["methods"], METHODS_IN_ORDER);
    assert_in_order(&hello["features"]["events"], EVENTS_IN_ORDER);

    let snapshot = &hello["snapshot"];
    let expected = [
        "authMode",
        "configPath",
        "health",
        "presence",
        "sessionDefaults",
        "stateDir",
        "stateVersion",
        "uptimeMs",
    ];
    assert_eq!(keys(snapshot), expected);
    assert_eq!(snapshot["authMode"], "token");
    assert_eq!(snapshot["configPath"], gateway.state("idlehands.json").to_str().unwrap());
    assert_eq!(snapshot["stateDir"], gateway.state("").to_str().unwrap().trim_end_matches('/'));
    let defaults = json!({
        "defaultAgentId": "main", "mainKey": "main", "mainSessionKey": "agent:main:main", "scope": "per-sender",
    });
    assert_eq!(snapshot["sessionDefaults"], defaults);
    // Both begin at 1; this connection has its entry already.
    assert_eq!(snapshot["stateVersion"], json!({ "presence": 2, "health": 1 }));
    assert_eq!(snapshot["health"]["ok"], true);
    assert!(snapshot["uptimeMs"].as_u64().is_some());
}

#[test]
fn the_advertised_methods_are_those_of_the_schema_and_all_of_them_exist() {
    let gateway = TestGateway::start();
    let (mut ws, hello) = Ws::connect_with(gateway.port, connect(3, &ALL_SCOPES));
    let methods = schema::document()["methods"].as_object().unwrap();
    let described: Vec<_> =
        methods.iter().filter(|(_, row)| row["advertised"] == true).map(|(name, _)| name).collect();
    assert_eq!(hello["features"]["methods"], json!(described));
    let events: Vec<_> = schema::document()["events"].as_object().unwrap().keys().collect();
    assert_eq!(hello["features"]["events"], json!(events));
    for name in methods.keys() {
        let answer = ws.request(name, json!({}));
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.starts_with("unknown method"), "{name}: {answer}");
    }
}

#[test]
fn the_newest_protocol_that_both_speak_is_spoken() {
    let gateway = TestGateway::start();
    for (min, max, spoken) in
        [(3, 3, 3), (3, 4, 4), (4, 4, 4), (1, 3, 3), (2, 9, 4), (4, 4_000_000_000_u32, 4)]
    {
        let mut params = connect(3, &ALL_SCOPES);
        (params["minProtocol"], params["maxProtocol"]) = (json!(min), json!(max));
        let (_ws, hello) = Ws::connect_with(gateway.port, params);
        assert_eq!(hello["protocol"], spoken, "{min}..{max}");
    }
}

#[test]
fn protocol_4_is_told_what_it_adds() {
    let gateway = TestGateway::start();
    let (mut ws, hello) = Ws::connect_with(gateway.port, connect(4, &["operator.write", "operator.read"]));
    schema::assert_valid("/frames/hello-ok", &hello);
    assert_eq!(keys(&hello), ["auth", "features", "policy", "protocol", "server", "snapshot", "type"]);
    assert_eq!(keys(&hello["server"]), ["bootId", "connId", "version"]);
    assert_eq!(keys(&hello["features"]), ["capabilities", "events", "methods"]);
    let auth =
        json!({ "method": "token", "role": "operator", "scopes": ["operator.read", "operator.write"] });
    assert_eq!(hello["auth"], auth);
    let attachments = json!({ "maxBytes": 20_971_520, "maxImageBytes": 6_291_456 });
    assert_eq!(hello["policy"]["attachments"], attachments);
    assert_eq!(hello["snapshot"]["appliedConfigHash"], ws.call("config.get", json!({}))["hash"]);
    let (_other, again) = Ws::connect_with(gateway.port, connect(4, &ALL_SCOPES));
    assert_eq!(again["server"]["bootId"], hello["server"]["bootId"], "one process, one boot");
    assert_ne!(again["server"]["connId"], hello["server"]["connId"]);
}

#[test]
fn protocol_4_hides_places_and_people_from_those_who_may_not_read() {
    let gateway = TestGateway::start();
    let _somebody = Ws::admin(&gateway);
    let (_ws, hello) = Ws::connect_with(gateway.port, connect(4, &[]));
    let snapshot = &hello["snapshot"];
    let expected = ["appliedConfigHash", "health", "presence", "sessionDefaults", "stateVersion", "uptimeMs"];
    assert_eq!(keys(snapshot), expected);
    assert_eq!(snapshot["presence"], json!([]));
}

#[test]
fn presence_lists_the_gateway_and_every_client_but_command_lines() {
    let gateway = TestGateway::start();
    let mut shell = connect(3, &ALL_SCOPES);
    shell["client"] = json!({ "id": "cli", "version": "1", "platform": "linux", "mode": "cli" });
    let (_shell, _) = Ws::connect_with(gateway.port, shell);
    let mut app = connect(3, &[]);
    app["client"] = json!({
        "id": "openclaw-macos", "displayName": "Ada's Mac", "version": "2", "platform": "darwin", "mode": "ui",
        "deviceFamily": "Mac", "modelIdentifier": "Mac15,3", "instanceId": "I-1",
    });
    let (_app, _) = Ws::connect_with(gateway.port, app);
    let (_ws, hello) = Ws::connect_with(gateway.port, connect(3, &ALL_SCOPES));
    let mut presence = hello["snapshot"]["presence"].as_array().unwrap().clone();
    for entry in &mut presence {
        assert!(entry["ts"].take().as_u64().is_some());
    }
    assert_eq!(presence.len(), 3, "{presence:?}");
    let find = |mode: &str| presence.iter().find(|entry| entry["mode"] == mode).unwrap();
    assert_eq!(find("gateway")["reason"], "self");
    assert_eq!(
        *find("backend"),
        json!({
            "host": "gateway-client", "version": "0.0.1", "platform": "linux", "mode": "backend", "reason": "connect",
            "text": "Node: gateway-client · mode backend", "roles": ["operator"], "scopes": ALL_SCOPES, "ts": null,
        })
    );
    assert_eq!(
        *find("ui"),
        json!({
            "host": "Ada's Mac", "version": "2", "platform": "darwin", "deviceFamily": "Mac",
            "modelIdentifier": "Mac15,3", "mode": "ui", "reason": "connect", "text": "Node: Ada's Mac · mode ui",
            "roles": ["operator"], "instanceId": "I-1", "ts": null,
        })
    );
}

#[test]
fn a_device_is_granted_a_token_and_told_its_scopes_in_order() {
    let gateway = TestGateway::start();
    let device = Device::new(1);
    for version in [2, 3] {
        let mut ws = Ws::open(gateway.port);
        let mut params = connect(3, &["operator.write", "operator.admin"]);
        device.prove(&mut params, ws.nonce(), version);
        let answer = ws.connect(params);
        let auth = &answer["payload"]["auth"];
        assert_eq!(keys(auth), ["deviceToken", "issuedAtMs", "role", "scopes"], "{answer}");
        assert_eq!(auth["role"], "operator");
        assert_eq!(auth["scopes"], json!(["operator.admin", "operator.write"]));
        assert_eq!(auth["deviceToken"].as_str().unwrap().len(), 43);
        let presence = answer["payload"]["snapshot"]["presence"].as_array().unwrap();
        let own = presence.iter().find(|entry| entry["mode"] == "backend").unwrap();
        assert_eq!((&own["deviceId"], &own["instanceId"]), (&json!(device.id()), &json!(device.id())));
    }
}

/// A bare `hello` of the oldest dialect (protocol notes §9.1).
fn hello(token: Option<&str>) -> Value {
    let mut hello = json!({
        "type": "hello", "minProtocol": 1, "maxProtocol": 1, "caps": [],
        "client": { "name": "webchat", "version": "1", "platform": "web", "mode": "webchat", "instanceId": "i" },
    });
    if let Some(token) = token {
        hello["auth"] = json!({ "token": token });
    }
    hello
}

#[test]
fn the_oldest_dialect_is_answered_in_its_own_words() {
    let gateway = TestGateway::start();
    let mut ws = Ws::open(gateway.port);
    ws.send(&hello(Some(TOKEN)));
    let answer = ws.frame();
    assert_eq!(keys(&answer), ["features", "policy", "protocol", "server", "snapshot", "type"]);
    assert_eq!((&answer["type"], &answer["protocol"]), (&json!("hello-ok"), &json!(1)));
    assert_eq!(keys(&answer["server"]), ["connId", "host", "version"]);
    assert_eq!(keys(&answer["features"]), ["events", "methods"]);
    assert_eq!(keys(&answer["snapshot"]), ["health", "presence", "stateVersion", "uptimeMs"]);
    let policy = json!({ "maxPayload": 524_288, "maxBufferedBytes": 1_572_864, "tickIntervalMs": 30_000 });
    assert_eq!(answer["policy"], policy);
    // Readiness as the oldest runbook asks for it.
    let health = ws.call("health", Value::Null);
    assert_eq!((&health["ok"], &health["web"]["linked"]), (&json!(true), &json!(true)));
    assert_eq!(ws.call("system-event", json!({ "text": "note" })), json!({ "ok": true }));
    assert_eq!(ws.refusal("nope", json!({}))["message"], "unknown method: nope");
    // A second hello is no request.
    ws.send(&hello(Some(TOKEN)));
    let answer = ws.response("invalid");
    assert_eq!(answer["error"]["code"], "INVALID_REQUEST");
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("invalid request frame: "), "{answer}");
}

#[test]
fn the_oldest_dialect_is_refused_in_its_own_words() {
    let gateway = TestGateway::start();
    let changed = |change: fn(&mut Value)| {
        let mut hello = hello(Some(TOKEN));
        change(&mut hello);
        hello
    };
    let error = |reason: &str| json!({ "type": "hello-error", "reason": reason });
    let mismatch = json!({ "type": "hello-error", "reason": "protocol mismatch", "expectedProtocol": 1 });
    let table = [
        (hello(None), error("unauthorized"), 1008, "unauthorized"),
        (hello(Some("wrong")), error("unauthorized"), 1008, "unauthorized"),
        (
            changed(|hello| hello["client"]["name"] = json!("")),
            error("invalid hello: at /client/name: must NOT have fewer than 1 characters"),
            1008,
            "invalid hello",
        ),
        (
            changed(|hello| hello["extra"] = json!(1)),
            error("invalid hello: at root: unexpected property 'extra'"),
            1008,
            "invalid hello",
        ),
        (changed(|hello| hello["minProtocol"] = json!(2)), mismatch, 1002, "protocol mismatch"),
    ];
    for (sent, answered, code, reason) in table {
        let mut ws = Ws::open(gateway.port);
        ws.send(&sent);
        assert_eq!(ws.frame(), answered, "{sent}");
        assert_eq!(ws.end(), (code, reason.to_owned()), "{sent}");
    }
}

#[test]
fn a_clawdis_client_that_speaks_first_is_not_challenged() {
    let gateway = Setup::of_brand("clawdis", json!({})).start();
    let mut ws = Ws::silent(gateway.port, &[]);
    ws.send(&hello(Some(TOKEN)));
    assert_eq!(ws.frame()["type"], "hello-ok");
    let later = ws.so_far();
    assert!(later.iter().all(|frame| frame["event"] != "connect.challenge"), "{later:?}");
}

#[test]
fn a_clawdis_client_that_waits_is_challenged_after_a_quarter_of_a_second() {
    let gateway = Setup::of_brand("clawdis", json!({})).start();
    let began = std::time::Instant::now();
    let mut ws = Ws::open(gateway.port);
    assert!(began.elapsed().as_millis() >= 250, "challenged after {:?}", began.elapsed());
    assert_eq!(ws.connect(connect(3, &[]))["ok"], true);
}
