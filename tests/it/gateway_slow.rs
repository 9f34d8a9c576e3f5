//! Clients that do not read: they are waited for up to a bound, then closed, and nobody else notices (protocol notes
//! §2.6).

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::gateway::{DEADLINE, Setup};
use crate::support::ws::{Next, Ws, connect};

/// A gateway with an agent of this many bytes: every answer and event that names it is as large.
fn with_large_agent(bytes: usize) -> Setup {
    Setup::with(json!({ "agents": { "list": [{ "id": "a", "name": "x".repeat(bytes) }] } }))
}

#[test]
fn a_client_that_does_not_take_what_must_arrive_is_closed_and_nobody_else_notices() {
    let gateway = with_large_agent(1_900_000).start();
    let mut deaf = connect(3, &["operator.read"]);
    deaf["client"]["instanceId"] = json!("deaf");
    let (mut deaf, _) = Ws::connect_with(gateway.port, deaf);
    let mut friend = connect(3, &["operator.read"]);
    friend["client"]["mode"] = json!("cli");
    let (mut friend, _) = Ws::connect_with(gateway.port, friend);
    // Each answer has the configuration four times over: together some 80 MB, and 50 MiB may wait.
    let asked: Vec<String> = (0..11).map(|_| deaf.ask("config.get", json!({}))).collect();
    let (began, mut turns) = (Instant::now(), 0);
    loop {
        friend.call("last-heartbeat", json!({}));
        turns += 1;
        let told = friend.so_far_without_asking();
        if told.iter().any(|frame| is_gone(frame, "deaf")) {
            break;
        }
        assert!(began.elapsed() < 6 * DEADLINE, "it is never given up on");
    }
    // An unoptimised gateway needs its time to make the answers; it does not stand still over them.
    assert!(turns > 3, "another client had {turns} turns while they were made");
    // Reading at last, it learns why.
    let mut answers = 0;
    let end = loop {
        match deaf.next() {
            Next::Frame(frame) => answers += usize::from(frame["type"] == "res"),
            end => break end,
        }
    };
    assert_eq!(end, Next::Closed(1008, "slow consumer".to_owned()));
    assert!(answers < asked.len(), "{answers}");
}

/// Whether a frame tells that this client is no longer there.
fn is_gone(frame: &Value, instance: &str) -> bool {
    let list = frame["payload"]["presence"].as_array();
    list.is_some_and(|list| {
        list.iter().any(|entry| entry["instanceId"] == instance && entry["reason"] == "disconnect")
    })
}

#[test]
fn a_client_that_does_not_take_its_answers_is_not_asked_for_more_and_loses_nothing() {
    let gateway = with_large_agent(500_000).start();
    let mut lazy = Ws::admin(&gateway);
    // 100 MB of answers that are made at once and not kept: the questions wait in the client's own buffers.
    let asked: Vec<String> = (0..200).map(|_| lazy.ask("agents.list", json!({}))).collect();
    let mut friend = Ws::admin(&gateway);
    for _ in 0..20 {
        let begun = Instant::now();
        friend.call("status", json!({}));
        assert!(begun.elapsed() < DEADLINE);
    }
    for id in asked {
        assert_eq!(lazy.response(&id)["ok"], true);
    }
}

#[test]
fn events_that_may_be_missed_never_close_a_slow_client() {
    let gateway = with_large_agent(500_000).start();
    let mut lazy = Ws::admin(&gateway);
    for _ in 0..40 {
        lazy.ask("agents.list", json!({}));
    }
    // Presence may be missed, and what was not read of it does not count as answers do.
    let mut admin = Ws::admin(&gateway);
    for number in 0..200 {
        admin.call("system-event", json!({ "text": "x".repeat(2000), "instanceId": format!("i{number}") }));
    }
    for number in 1..=40 {
        assert_eq!(lazy.response(&format!("q{}", number + 1))["ok"], true);
    }
    lazy.call("status", json!({}));
}
