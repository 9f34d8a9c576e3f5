//! Events: who gets which, in which order and with which numbers (protocol notes §2.5, §4).

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::device::Device;
use crate::support::gateway::TestGateway;
use crate::support::schema;
use crate::support::ws::{Next, Ws, connect};

fn seq(frame: &Value) -> u64 {
    frame["seq"].as_u64().unwrap_or_else(|| panic!("no number: {frame}"))
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_connect_is_followed_by_health_and_not_by_presence() {
    let gateway = TestGateway::start();
    let mut first = Ws::admin(&gateway);
    let health = first.event("health");
    schema::assert_event(&health);
    assert_eq!(keys(&health), ["event", "payload", "seq", "stateVersion", "type"]);
    assert_eq!(health["stateVersion"], json!({ "presence": 2, "health": 2 }));
    schema::assert_valid("/methods/health/result", &health["payload"]);
    let _second = Ws::admin(&gateway);
    let health = first.event("health");
    assert_eq!(health["stateVersion"], json!({ "presence": 3, "health": 3 }));
    let others = first.so_far();
    assert!(others.iter().all(|frame| frame["event"] != "presence"), "{others:?}");
}

#[test]
fn a_disconnect_is_told_to_everybody_with_the_whole_list() {
    let gateway = TestGateway::start();
    let mut watcher = Ws::operator(&gateway, &[]);
    let mut leaver = connect(3, &[]);
    leaver["client"]["instanceId"] = json!("Leaver");
    let (leaver, hello) = Ws::connect_with(gateway.port, leaver);
    let before = hello["snapshot"]["stateVersion"]["presence"].as_u64().unwrap();
    leaver.leave();
    let presence = watcher.event("presence");
    schema::assert_event(&presence);
    assert_eq!(keys(&presence), ["event", "payload", "seq", "stateVersion", "type"]);
    assert!(presence["stateVersion"]["presence"].as_u64().unwrap() > before, "{presence}");
    let list = presence["payload"]["presence"].as_array().unwrap();
    assert_eq!(list.len(), 3);
    let gone = list.iter().find(|entry| entry["instanceId"] == "Leaver").unwrap();
    assert_eq!((&gone["reason"], &gone["mode"]), (&json!("disconnect"), &json!("backend")));
    assert!(list.is_sorted_by_key(|entry| std::cmp::Reverse(entry["ts"].as_u64())), "{list:?}");

    // A client that is killed is gone, too, and a command line was never there.
    drop(Ws::connect_with(gateway.port, connect(3, &[])).0.into_stream());
    watcher.event("presence");
    let mut shell = connect(3, &[]);
    shell["client"]["mode"] = json!("cli");
    Ws::connect_with(gateway.port, shell).0.leave();
    assert_eq!(next_presence(&gateway, &mut watcher), "marker");
}

/// Makes a presence event, and returns the text of the latest note in the next one that a client gets.
fn next_presence(gateway: &TestGateway, ws: &mut Ws) -> Value {
    let mut admin = connect(3, &["operator.admin"]);
    admin["client"]["mode"] = json!("cli");
    Ws::connect_with(gateway.port, admin).0.call("system-event", json!({ "text": "marker" }));
    let list = ws.event("presence")["payload"]["presence"].clone();
    let notes = list.as_array().unwrap().iter().find(|entry| entry.get("mode").is_none());
    notes.map_or(Value::Null, |note| note["text"].clone())
}

#[test]
fn of_two_connections_of_a_device_the_first_to_end_is_not_told() {
    let gateway = TestGateway::start();
    let device = Device::new(1);
    let enter = || {
        let mut ws = Ws::open(gateway.port);
        assert_eq!(ws.connect_device(connect(3, &["operator.read"]), &device)["ok"], true);
        ws
    };
    let (first, mut second) = (enter(), enter());
    first.leave();
    let list = second.call("system-presence", json!({}));
    let entry = list.as_array().unwrap().iter().find(|entry| entry["deviceId"] == device.id()).unwrap();
    assert_eq!(entry["reason"], "connect");
    assert_eq!(next_presence(&gateway, &mut second), "marker");
}

#[test]
fn a_note_becomes_an_entry_and_an_event() {
    let gateway = TestGateway::start();
    let (mut admin, mut reader) = (Ws::admin(&gateway), Ws::operator(&gateway, &["operator.read"]));
    let mut note = |params: Value| {
        assert_eq!(admin.call("system-event", params), json!({ "ok": true }));
        let event = reader.event("presence");
        schema::assert_event(&event);
        let list = event["payload"]["presence"].as_array().unwrap().clone();
        let mut noted: Vec<Value> = list
            .into_iter()
            .filter(|entry| entry["reason"] != "connect" && entry["mode"] != "gateway")
            .collect();
        for entry in &mut noted {
            entry.as_object_mut().unwrap().remove("ts").unwrap();
        }
        noted
    };
    // As captured from the reference.
    assert_eq!(note(json!({ "text": "Node: bench ping" })), [json!({ "text": "Node: bench ping" })]);
    let text = "Node: mac (192.0.2.5) · app 1.2 · last input 7s ago · mode ui · reason launch";
    let told = json!({ "host": "mac", "ip": "192.0.2.5", "version": "1.2", "lastInputSeconds": 7, "mode": "ui",
        "reason": "launch", "text": text });
    assert!(note(json!({ "text": text })).contains(&told));
    // What is said apart from the text counts more, the device names the entry, and what has the wrong type is ignored.
    let params = json!({ "text": text, "deviceId": "D-1", "mode": "node", "lastInputSeconds": 9, "tags": ["a"], "host": 7 });
    let list = note(params);
    assert_eq!(list.len(), 3);
    let mut expected = told;
    (expected["deviceId"], expected["mode"]) = (json!("D-1"), json!("node"));
    (expected["lastInputSeconds"], expected["tags"]) = (json!(9), json!(["a"]));
    assert!(list.contains(&expected), "{list:?}");
    assert_eq!(
        note(json!({ "text": "again", "deviceId": "d-1" })).len(),
        3,
        "the same entry, whatever the case"
    );
}

#[test]
fn notes_wait_for_the_main_session_unless_they_are_routine() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    let node = |reason: &str| {
        format!("Node: mac (192.0.2.5) · app 1 · last input 1s ago · mode ui · reason {reason}")
    };
    for text in [
        "first".to_owned(),
        "first".to_owned(),
        node("launch"),
        node("launch"),
        node("periodic"),
        node("heartbeat"),
        node("wake"),
    ] {
        ws.call("system-event", json!({ "text": text }));
    }
    let queued = ws.call("status", json!({}))["queuedSystemEvents"].clone();
    assert_eq!(queued, json!(["first", node("launch"), node("wake")]));
}

#[test]
fn everybody_sees_the_same_numbers_and_those_left_out_see_a_gap() {
    let gateway = TestGateway::start();
    let (mut pairing, mut common) =
        (Ws::operator(&gateway, &["operator.pairing"]), Ws::operator(&gateway, &["operator.read"]));
    let mut admin = Ws::admin(&gateway);
    // A request to be paired is for operators who may pair.
    let mut stranger = Ws::open_with(gateway.port, &[("X-Forwarded-For", "203.0.113.9")]);
    assert_eq!(stranger.connect_device(connect(3, &[]), &Device::new(1))["ok"], false);
    let requested = pairing.event("device.pair.requested");
    admin.call("system-event", json!({ "text": "after" }));
    let (ours, theirs) = (pairing.event("presence"), common.event("presence"));
    assert_eq!(ours, theirs, "one event, one frame");
    assert!(seq(&ours) > seq(&requested));
    let numbers = |ws: &mut Ws, last: &Value| {
        let mut numbers: Vec<u64> = ws.so_far().iter().filter_map(|frame| frame["seq"].as_u64()).collect();
        numbers.retain(|number| *number < seq(last));
        numbers
    };
    let all = numbers(&mut admin, &ours);
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
    assert!(all.contains(&seq(&requested)));
    assert!(!numbers(&mut common, &theirs).contains(&seq(&requested)), "there is a gap in its place");
    assert!(stranger.challenge.get("seq").is_none());
}

#[test]
fn frames_carry_nothing_that_the_protocol_does_not_name() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    ws.call("system-event", json!({ "text": "x" }));
    ws.call("wake", json!({ "mode": "now", "text": "x" }));
    ws.refusal("nope", json!({}));
    ws.event("presence");
    ws.event("heartbeat");
    for frame in ws.so_far() {
        schema::assert_event(&frame);
        for key in keys(&frame) {
            assert!(["event", "payload", "seq", "stateVersion", "type"].contains(&key), "{frame}");
        }
        let versioned = ["presence", "health"].contains(&frame["event"].as_str().unwrap());
        assert_eq!(frame.get("stateVersion").is_some(), versioned, "{frame}");
    }
}

#[test]
fn many_connects_at_once_make_few_health_events() {
    let gateway = TestGateway::start();
    let mut watcher = Ws::admin(&gateway);
    let _others: Vec<Ws> = (0..50).map(|_| Ws::admin(&gateway)).collect();
    let events = watcher.so_far().iter().filter(|frame| frame["event"] == "health").count();
    assert!((1..=10).contains(&events), "{events} health events");
}

#[test]
fn a_stop_tells_every_client_and_then_closes_it() {
    let gateway = TestGateway::start();
    let mut operator = Ws::admin(&gateway);
    let mut stranger = Ws::open(gateway.port);
    let mut oldest = Ws::open(gateway.port);
    oldest.send(&json!({ "type": "hello", "minProtocol": 1, "maxProtocol": 1, "auth": { "token": crate::support::gateway::TOKEN },
        "client": { "name": "x", "version": "1", "platform": "linux", "mode": "cli" } }));
    assert_eq!(oldest.frame()["type"], "hello-ok");
    gateway.signal(Signal::TERM);
    for ws in [&mut operator, &mut oldest] {
        let shutdown = ws.event("shutdown");
        schema::assert_event(&shutdown);
        let expected = json!({ "reason": "gateway stopping", "restartExpectedMs": null });
        assert_eq!(shutdown["payload"], expected);
        assert!(seq(&shutdown) > 0);
        assert_eq!(ws.next(), Next::Closed(1012, "service restart".to_owned()));
        assert_eq!(ws.next(), Next::Gone);
    }
    assert_eq!(stranger.end(), (1012, "service restart".to_owned()));
    let ended = gateway.ended();
    assert_eq!((ended.ran.code, ended.signal), (0, None), "{ended:?}");
    assert!(ended.ran.stdout.contains("received SIGTERM; shutting down"), "{ended:?}");
}

#[test]
fn an_interrupt_stops_as_a_terminate_does() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    gateway.signal(Signal::INT);
    assert_eq!(ws.event("shutdown")["payload"]["reason"], "gateway stopping");
    assert_eq!(gateway.ended().ran.code, 0);
}

#[test]
fn a_restart_says_when_it_will_be_back_and_asks_the_service_manager_for_it() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    gateway.signal(Signal::USR1);
    let expected = json!({ "reason": "gateway restarting", "restartExpectedMs": 1500 });
    assert_eq!(ws.event("shutdown")["payload"], expected);
    assert_eq!(ws.end(), (1012, "service restart".to_owned()));
    assert_eq!(gateway.ended().ran.code, 75);
}
