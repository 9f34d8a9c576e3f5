//! Reloading: what is applied while the gateway runs, what takes a restart, and what is refused (runbooks, "Hot reload
//! modes"; protocol notes §7.7).

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::gateway::{Setup, TOKEN, TestGateway};
use crate::support::ws::{Ws, connect};

/// Replaces the configuration and asks for a reload; returns the line that says what came of it.
fn reload(gateway: &TestGateway, settings: Value, number: usize) -> String {
    gateway.configure(settings);
    gateway.signal(Signal::HUP);
    gateway.process().line_number("[reload]", number)
}

fn agent_ids(ws: &mut Ws) -> Vec<String> {
    let agents = ws.call("agents.list", json!({}))["agents"].clone();
    agents.as_array().unwrap().iter().map(|agent| agent["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_can_be_applied_while_it_runs_is() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    assert_eq!(agent_ids(&mut ws), ["main"]);
    let agents = json!({ "agents": { "list": [{ "id": "a" }, { "id": "b" }] } });
    let line = reload(&gateway, agents.clone(), 1);
    assert!(line.contains("config change applied (dynamic reads: agents.list)"), "{line}");
    assert_eq!(agent_ids(&mut ws), ["a", "b"]);

    // Changed by hand in nothing but a comment: nothing to do, and nobody is misled about what is in force.
    let text = std::fs::read_to_string(gateway.state("idlehands.json")).unwrap();
    gateway.write_config(&format!("// mine\n{text}"));
    gateway.signal(Signal::HUP);
    let line = gateway.process().line_number("[reload]", 2);
    assert!(line.contains("config unchanged"), "{line}");
    let hello = Ws::connect_with(gateway.port, connect(4, &["operator.read"])).1;
    assert_eq!(hello["snapshot"]["appliedConfigHash"], ws.call("config.get", json!({}))["hash"]);

    // Logging begins at once, and so does who may be a web chat.
    let logging = json!({ "agents": agents["agents"], "logging": { "level": "debug" }, "channels": { "webchat": { "enabled": false } } });
    let line = reload(&gateway, logging, 3);
    assert!(line.contains("config hot reload applied (logging.level, channels.webchat.enabled)"), "{line}");
    assert_eq!(ws.call("health", json!({}))["web"]["linked"], false);
    let before = gateway.process().all_output().matches("[ws] debug: ").count();
    assert_eq!(before, 0);
    Ws::admin(&gateway);
    gateway.process().line("[ws] debug: ");
}

#[test]
fn rules_for_connecting_are_applied_to_the_next_connect() {
    let gateway = TestGateway::start();
    let page = [("Origin", "https://ui.example")];
    let enter = || Ws::open_with(gateway.port, &page).connect(connect(3, &[]))["ok"].clone();
    assert_eq!(enter(), false);
    reload(&gateway, json!({ "gateway": { "controlUi": { "allowedOrigins": ["https://ui.example"] } } }), 1);
    assert_eq!(enter(), true);
    reload(&gateway, json!({ "gateway": { "auth": { "rateLimit": { "maxAttempts": 1 } } } }), 2);
    let guess = || {
        let mut params = connect(3, &[]);
        params["auth"]["token"] = json!("wrong");
        let answer = Ws::open_with(gateway.port, &[("Origin", "http://localhost")]).connect(params);
        answer["error"]["details"]["authReason"].as_str().unwrap().to_owned()
    };
    assert_eq!((guess(), guess()), ("token_mismatch".to_owned(), "rate_limited".to_owned()));
}

#[test]
fn an_invalid_configuration_changes_nothing_and_is_explained() {
    let settings = json!({ "agents": { "list": [{ "id": "a" }] } });
    let gateway = Setup::with(settings).start();
    let mut ws = Ws::admin(&gateway);
    let table = [
        ("{ gateway: { prot: 1 } }", "gateway.prot: Unrecognized key \"prot\""),
        ("{ gateway: ", "JSON5 parse failed"),
        ("{ gateway: { auth: { token: '${NOT_SET_ANYWHERE}' } } }", "Missing env var"),
    ];
    for (number, (text, problem)) in table.into_iter().enumerate() {
        gateway.write_config(text);
        gateway.signal(Signal::HUP);
        let line = gateway.process().line_number("config reload skipped (invalid config)", number + 1);
        assert!(line.contains(problem), "{line}");
        assert_eq!(agent_ids(&mut ws), ["a"]);
    }
    // Once it is valid again, it counts.
    gateway.configure(json!({ "agents": { "list": [{ "id": "b" }] } }));
    gateway.signal(Signal::HUP);
    gateway.process().line("config change applied");
    assert_eq!(agent_ids(&mut ws), ["b"]);
}

/// The next process would be refused, and there would be none.
#[test]
fn a_change_that_would_keep_the_next_process_from_starting_changes_nothing() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    let line = reload(&gateway, json!({ "gateway": { "mode": "remote" } }), 1);
    let said = "config reload skipped (invalid config): Gateway start blocked: set gateway.mode=local (current: remote)";
    assert!(line.contains(said), "{line}");
    let open = json!({ "gateway": { "bind": "lan", "auth": { "mode": "none" } } });
    let line = reload(&gateway, open, 2);
    assert!(
        line.contains("config reload skipped (invalid config): refusing to bind gateway to 0.0.0.0:"),
        "{line}"
    );
    assert_eq!(agent_ids(&mut ws), ["main"]);
}

#[test]
fn a_change_that_takes_a_restart_ends_the_process_with_the_code_that_asks_for_one() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    let line = reload(&gateway, json!({ "gateway": { "auth": { "token": "tok-another" } } }), 1);
    assert!(line.contains("config change requires gateway restart (gateway.auth.token)"), "{line}");
    let expected = json!({ "reason": "gateway restarting", "restartExpectedMs": 1500 });
    assert_eq!(ws.event("shutdown")["payload"], expected);
    assert_eq!(ws.end(), (1012, "service restart".to_owned()));
    let ended = gateway.ended();
    assert_eq!(ended.ran.code, 75);
    assert!(!ended.ran.stdout.contains("tok-another") && !ended.ran.stdout.contains(TOKEN), "{ended:?}");
}

#[test]
fn the_mode_decides_what_a_change_may_do() {
    let mode = |mode: &str, more: Value| {
        let mut settings = json!({ "gateway": { "reload": { "mode": mode } } });
        crate::support::gateway::merge(&mut settings, more);
        settings
    };
    let (hot, cold) =
        (json!({ "agents": { "list": [{ "id": "b" }] } }), json!({ "gateway": { "port": 4711 } }));
    let both = json!({ "agents": { "list": [{ "id": "b" }] }, "gateway": { "port": 4711 } });
    let table = [
        ("off", hot.clone(), "config reload disabled (gateway.reload.mode=off)", "main"),
        ("hot", hot.clone(), "config change applied (dynamic reads: agents.list)", "b"),
        // One path that takes a restart holds back the whole change.
        ("hot", both, "config reload requires gateway restart; hot mode ignoring (gateway.port)", "main"),
        ("restart", hot.clone(), "config change requires gateway restart (agents.list)", ""),
        ("hybrid", cold, "config change requires gateway restart (gateway.port)", ""),
        ("hybrid", hot, "config change applied (dynamic reads: agents.list)", "b"),
    ];
    for (name, change, said, agent) in table {
        let gateway = Setup::with(mode(name, json!({}))).start();
        let mut ws = Ws::admin(&gateway);
        let line = reload(&gateway, mode(name, change), 1);
        assert!(line.contains(said), "{name}: {line}");
        if agent.is_empty() {
            assert_eq!(gateway.ended().ran.code, 75, "{name}");
        } else {
            assert_eq!(agent_ids(&mut ws), [agent], "{name}");
        }
    }
}

#[test]
fn many_reloads_at_once_end_with_the_last_configuration() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    for number in 0..50 {
        gateway.configure(json!({ "agents": { "list": [{ "id": format!("a{number}") }] } }));
        gateway.signal(Signal::HUP);
    }
    crate::support::gateway::eventually("the last one counts", || agent_ids(&mut ws) == ["a49"]);
}
