//! What an operator asks a gateway for: its health, its logs, its devices, its dashboard.

use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::device::Device;
use crate::support::gateway::{Process, Setup, TOKEN, TestGateway, free_port};
use crate::support::ws::{Ws, connect};

fn answer(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The commands that read, and how they answer in JSON.
#[test]
fn every_read_command_answers_in_json_with_the_version_of_its_schema() {
    let gateway = TestGateway::start();
    let table: [(&[&str], &str); 8] = [
        (&["status", "--json"], "gateway"),
        (&["health", "--json"], "channels"),
        (&["gateway", "health", "--json"], "channels"),
        (&["gateway", "status", "--json"], "rpc"),
        (&["channels", "status", "--json"], "channelAccounts"),
        (&["devices", "list", "--json"], "paired"),
        (&["dashboard", "--no-open", "--json"], "url"),
        (&["protocol", "schema"], "methods"),
    ];
    for (args, key) in table {
        let ran = gateway.run(args);
        let answer: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {ran:?}"));
        assert_eq!(answer["schema"], 1, "{args:?}: {answer:#}");
        assert!(!answer[key].is_null(), "{args:?}: {answer:#}");
    }
}

/// The runbooks' operator checks, of a gateway in the foreground.
#[test]
fn a_running_gateway_is_healthy_to_the_eye() {
    let gateway = TestGateway::start();
    let status = gateway.run(&["gateway", "status"]);
    for line in ["Runtime: running", "RPC probe: ok"] {
        assert!(status.stdout.lines().any(|said| said == line), "{line}: {status:?}");
    }
    assert!(gateway.run(&["gateway", "health"]).stdout.starts_with("Gateway Health\nOK ("));
    let health = gateway.run(&["health"]);
    assert!(health.stdout.contains("\nWebChat: linked\n"), "{health:?}");
    let channels = gateway.run(&["channels", "status", "--probe"]);
    assert!(
        channels.stdout.contains("- WebChat default: enabled, configured, linked, running, works"),
        "{channels:?}"
    );
    assert!(
        gateway.run(&["status"]).stdout.starts_with(&format!("Gateway: ws://127.0.0.1:{}", gateway.port))
    );
}

#[test]
fn a_method_is_called_with_parameters_and_its_refusals_are_told() {
    let gateway = TestGateway::start();
    let called = answer(&gateway.run(&[
        "gateway",
        "call",
        "system-event",
        "--json",
        "--params",
        "{\"text\":\"hello\"}",
    ]));
    assert_eq!(called["ok"], true);
    let table: [(&[&str], i32, &str); 7] = [
        (&["nope"], 1, "Gateway call failed: unknown method: nope"),
        (&["system-event"], 1, "text required"),
        (&["health", "--params", "{bad"], 2, "--params is not JSON"),
        (&["health", "--params", "[1]"], 2, "--params is not a JSON object"),
        (&["health", "--url", "http://x", "--token", TOKEN], 2, "http"),
        (&["health", "--url", "ws://x"], 2, "gateway url override requires explicit credentials"),
        (&["health", "--url", "ws://127.0.0.1:1", "--token", TOKEN], 3, "Connection refused"),
    ];
    for (args, code, message) in table {
        let ran = gateway.run(&[&["gateway", "call"], args].concat());
        assert_eq!(ran.code, code, "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(message), "{args:?}: {ran:?}");
        assert!(!ran.stderr.contains(TOKEN), "{args:?}");
    }
}

#[test]
fn a_wrong_token_is_told_as_such() {
    let gateway = TestGateway::start();
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let ran = gateway.run(&["gateway", "call", "health", "--url", &url, "--token", "wrong-s3cret"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("unauthorized: gateway token mismatch"), "{ran:?}");
    assert!(!ran.stderr.contains("s3cret"), "{ran:?}");
}

/// Runbooks: `logs --follow`; it works while the gateway is down.
#[test]
fn logs_are_read_with_and_without_a_gateway() {
    let gateway = TestGateway::start();
    let follow = ["logs", "--follow", "--json", "--source", "file", "--interval", "50"];
    let followed = Process::spawn(gateway.command(&follow));
    followed.line("\"message\":\"ready\"");
    let setup = gateway.stop_and_keep();
    followed.line("received SIGTERM; shutting down");
    drop(followed);

    let ran = Ran::of(setup.command(&["logs", "--json"]));
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["type"], &lines[0]["schema"]), (&"meta".into(), &1.into()));
    let messages: Vec<&str> = lines[1..].iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert!(messages[0].starts_with("listening on ws://127.0.0.1:"), "{messages:?}");
    assert!(messages.contains(&"received SIGTERM; shutting down"), "{messages:?}");
    let two = Ran::of(setup.command(&["logs", "--limit", "2"]));
    assert_eq!(two.stdout.lines().count(), 2, "{two:?}");
    assert!(two.stderr.starts_with("Log: "), "{two:?}");
}

#[test]
fn the_dashboard_link_signs_in_and_nothing_else_shows_the_token() {
    let gateway = TestGateway::start();
    let shown = gateway.run(&["dashboard", "--no-open"]);
    let link = format!("Dashboard URL: http://127.0.0.1:{}/#token={TOKEN}", gateway.port);
    assert_eq!(shown.stdout.lines().next(), Some(&link[..]), "{shown:?}");
    for args in [
        &["status"][..],
        &["status", "--json"],
        &["gateway", "status"],
        &["gateway", "status", "--json"],
        &["health", "--json"],
        &["config", "get", "gateway"],
        &["gateway", "call", "config.get", "--json"],
        &["logs"],
    ] {
        let ran = gateway.run(args);
        assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "{args:?}: {ran:?}");
    }
}

#[test]
fn devices_are_listed_approved_and_revoked() {
    let gateway = TestGateway::start();
    assert_eq!(gateway.run(&["devices", "list"]).stdout, "Pending (0)\nPaired (0)\n");
    let device = Device::new(1);
    let ask = || {
        let mut params = connect(3, &["operator.read"]);
        params["auth"] = json!({ "token": TOKEN });
        let mut ws = Ws::open_with(gateway.port, &[("X-Forwarded-For", "203.0.113.9")]);
        let answer = ws.connect_device(params, &device);
        (ws, answer)
    };
    let request = ask().1["error"]["details"]["requestId"].as_str().unwrap().to_owned();
    let listed = answer(&gateway.run(&["devices", "list", "--json"]));
    assert_eq!(listed["pending"][0]["requestId"], request[..]);
    assert_eq!(gateway.run(&["devices", "approve", "nobody"]).code, 1);
    let approved = gateway.run(&["devices", "approve", &request]);
    assert_eq!(approved.code, 0, "{approved:?}");
    let (mut ws, entered) = ask();
    assert_eq!(entered["ok"], true, "{entered}");
    let id = device.id();
    let listed = gateway.run(&["devices", "list"]);
    assert!(listed.stdout.contains("Paired (1)") && listed.stdout.contains(&id), "{listed:?}");
    let token = entered["payload"]["auth"]["deviceToken"].as_str().unwrap();
    assert!(!listed.stdout.contains(token), "{listed:?}");
    let revoked = gateway.run(&["devices", "revoke", &id]);
    assert_eq!(revoked.code, 0, "{revoked:?}");
    assert_eq!(ws.end(), (1008, "device token revoked".to_owned()));
    let second = Device::new(2);
    let mut params = connect(3, &["operator.read"]);
    params["auth"] = json!({ "token": TOKEN });
    let mut stranger = Ws::open_with(gateway.port, &[("X-Forwarded-For", "203.0.113.9")]);
    let request = stranger.connect_device(params, &second)["error"]["details"]["requestId"].clone();
    assert_eq!(gateway.run(&["devices", "reject", request.as_str().unwrap()]).code, 0);
    assert_eq!(answer(&gateway.run(&["devices", "list", "--json"]))["pending"], json!([]));
}

/// Whoever asks to be paired chooses the name that the operator reads.
#[test]
fn a_devices_name_forges_no_line_and_steers_no_terminal() {
    let gateway = TestGateway::start();
    let mut params = connect(3, &["operator.read"]);
    params["client"]["displayName"] = json!("phone\nPaired (1)\n\u{9b}2J");
    let mut ws = Ws::open_with(gateway.port, &[("X-Forwarded-For", "203.0.113.9")]);
    assert_eq!(ws.connect_device(params, &Device::new(3))["ok"], false);
    let listed = gateway.run(&["devices", "list"]).stdout;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[2]), (3, "Pending (1)", "Paired (0)"), "{listed:?}");
    assert!(lines[1].contains(" phone Paired (1)  2J from "), "{listed:?}");
}

#[test]
fn another_gateway_is_named_before_or_after_the_subcommand() {
    let gateway = TestGateway::start();
    let url = format!("ws://127.0.0.1:{}", gateway.port);
    let other = ["--url", &url, "--token", "wrong"];
    for args in [[&["devices"], &other[..], &["list"]].concat(), [&["devices", "list"], &other[..]].concat()]
    {
        let ran = gateway.run(&args);
        assert_eq!(ran.code, 1, "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("Source: cli --url"), "{args:?}: {ran:?}");
    }
}

/// A port that only looks as if it was taken would be a service on another one.
#[test]
fn flags_of_the_gateway_before_a_subcommand_are_not_ignored() {
    let setup = Setup::bare();
    for (flags, verb) in [
        (&["--port", "18800"][..], "install"),
        (&["--force"], "restart"),
        (&["--token", "t0p-secret"], "status"),
    ] {
        let ran = Ran::of(setup.command(&[&["gateway"], flags, &[verb]].concat()));
        assert_eq!(ran.code, 2, "{flags:?}: {ran:?}");
        let said = format!("error: {} before a subcommand is for running the gateway", flags[0]);
        assert!(ran.stderr.starts_with(&said), "{ran:?}");
        assert!(!ran.stderr.contains("t0p-secret"), "{ran:?}");
    }
    assert!(!setup.home().join(".idlehands/idlehands.json").exists());
}

/// Protocol notes §8.11.
#[test]
fn without_a_gateway_each_command_says_how_to_start_one() {
    let setup = Setup::with(json!({ "gateway": { "port": 1 } }));
    for args in
        [&["health"][..], &["gateway", "call", "health"], &["devices", "list"], &["gateway", "health"]]
    {
        let ran = Ran::of(setup.command(args));
        assert_eq!(ran.code, 3, "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("no gateway answers at ws://127.0.0.1:1"), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("hint: Start it: idlehands gateway"), "{args:?}: {ran:?}");
    }
}

#[test]
fn setup_makes_what_is_missing_and_keeps_what_is_there() {
    let setup = Setup::bare();
    let first = Ran::of(setup.command(&["setup"]));
    assert_eq!(first.code, 0, "{first:?}");
    let path = setup.home().join(".idlehands/idlehands.json");
    let made = std::fs::read_to_string(&path).unwrap();
    for dir in [".idlehands/workspace", ".idlehands/agents/main/sessions"] {
        assert!(setup.home().join(dir).is_dir(), "{dir}");
    }
    let second = Ran::of(setup.command(&["setup"]));
    assert_eq!(second.code, 0, "{second:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), made);
    assert_eq!(Ran::of(setup.command(&["config", "validate"])).code, 0);
}

/// Neither a link nor a command leads to an address at which nobody listens.
#[test]
fn the_dashboard_and_the_commands_go_where_the_gateway_listens() {
    let port = free_port();
    let bind = json!({ "gateway": { "bind": "custom", "customBindHost": "127.0.0.2", "port": port } });
    let gateway = Setup::with(bind).start_on(None);
    let link = format!("Dashboard URL: http://127.0.0.2:{port}/#token=");
    let shown = gateway.run(&["dashboard", "--no-open"]);
    assert!(shown.stdout.starts_with(&link), "{shown:?}");
    assert_eq!(gateway.run(&["health"]).code, 0);
    // Also where nothing that runs says so.
    let setup = gateway.stop_and_keep();
    let shown = Ran::of(setup.command(&["dashboard", "--no-open"]));
    assert!(shown.stdout.starts_with(&link), "{shown:?}");
    let down = Ran::of(setup.command(&["health", "--json"]));
    assert!(down.stdout.contains(&format!("Gateway target: ws://127.0.0.2:{port}")), "{down:?}");
}

/// Also where it is another one, at the near end of a tunnel.
#[test]
fn the_dashboard_of_a_gateway_elsewhere_is_where_the_configuration_says() {
    let remote = json!({ "url": "ws://127.0.0.1:18790", "token": "there" });
    let setup = Setup::with(json!({ "gateway": { "mode": "remote", "remote": remote } }));
    let shown = Ran::of(setup.command(&["dashboard", "--no-open"]));
    assert_eq!(shown.stdout, "Dashboard URL: http://127.0.0.1:18790/#token=there\n", "{shown:?}");
    assert!(!shown.stderr.contains("not running"), "{shown:?}");
}
