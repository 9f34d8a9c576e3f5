//! `gateway run` from a shell: the first run, the refusals an operator sees, and taking the port.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::gateway::{Process, Setup, TOKEN, TestGateway, free_port};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn config(setup_home: &Path) -> Value {
    json5_of(&std::fs::read_to_string(setup_home.join(".idlehands/idlehands.json")).unwrap())
}

/// What we write is JSON with comments; without them it is JSON.
fn json5_of(text: &str) -> Value {
    let kept: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    idlehands::config::parse_value(&kept.join("\n")).unwrap()
}

/// Issue-free on a fresh machine, as the runbooks write it: `gateway --port 18789`.
#[test]
fn a_first_run_writes_a_minimal_configuration_and_says_where() {
    let setup = Setup::bare();
    let port = free_port();
    let gateway = Process::spawn(setup.command(&["gateway", "--port", &port.to_string()]));
    gateway.line("[gateway] ready");
    let path = setup.home().join(".idlehands/idlehands.json");
    let said = gateway.all_output();
    assert!(
        said.contains(&format!("First run: wrote {} (mode local, a new token).", path.display())),
        "{said}"
    );
    assert!(said.contains(&format!("Dashboard URL: http://127.0.0.1:{port}/")), "{said}");

    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let config = config(setup.home());
    assert_eq!(config["gateway"]["mode"], "local");
    let token = config["gateway"]["auth"]["token"].as_str().unwrap();
    // base64url carries six bits a character.
    assert!(token.len() * 6 >= 192, "{} characters", token.len());
    assert!(!said.contains(token), "output that is no terminal shows no token");
    assert!(Ran::of(setup.command(&["health"])).stdout.starts_with("Gateway: ok"));
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().ran.code, 0);
}

#[test]
fn an_ad_hoc_run_writes_nothing_and_the_command_line_still_finds_it() {
    let setup = Setup::bare();
    let gateway = Process::spawn(setup.command(&["gateway", "--port=0", "--allow-unconfigured"]));
    gateway.line("[gateway] ready");
    let health = Ran::of(setup.command(&["health", "--json"]));
    assert_eq!(health.code, 0, "{health:?}");
    assert!(!setup.home().join(".idlehands").exists());
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().ran.code, 0);
    assert_eq!(Ran::of(setup.command(&["health"])).code, 3, "nobody answers any more");
}

/// Runbooks, "Common failure signatures".
#[test]
fn each_refusal_has_the_signature_an_operator_looks_for() {
    let table: [(Value, &[&str], i32, &str); 5] = [
        (
            json!({ "gateway": { "auth": { "mode": "none", "token": null } } }),
            &["--bind", "lan"],
            78,
            "without auth (set gateway.auth.token/password",
        ),
        (
            json!({ "gateway": { "mode": "remote" } }),
            &[],
            78,
            "Gateway start blocked: set gateway.mode=local",
        ),
        (json!({ "gateway": { "prot": 1 } }), &[], 78, "gateway.prot"),
        (json!({}), &["--bind", "nowhere"], 2, "invalid value 'nowhere'"),
        (json!({}), &["--reset"], 2, "Use --reset with --dev."),
    ];
    for (settings, args, code, signature) in table {
        let mut config = json!({ "gateway": { "mode": "local", "auth": { "token": TOKEN } } });
        crate::support::gateway::merge(&mut config, settings);
        if config["gateway"]["auth"]["token"].is_null() {
            config["gateway"]["auth"].as_object_mut().unwrap().remove("token");
        }
        let setup = Setup::bare().args(args.iter().copied());
        setup.write_config(&config.to_string());
        let ran = setup.refused(free_port());
        assert_eq!(ran.code, code, "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(signature), "{args:?}: {ran:?}");
        assert!(!ran.stderr.contains(TOKEN) && !ran.stdout.contains(TOKEN));
    }
}

#[test]
fn a_held_port_is_told_with_its_owner() {
    let holder = TestGateway::start();
    let port = holder.port;
    let ran = Setup::with(json!({})).refused(port);
    assert_eq!(ran.code, 7, "{ran:?}");
    for part in [
        format!("another gateway instance is already listening on ws://127.0.0.1:{port}"),
        "EADDRINUSE".to_owned(),
        format!("- pid {}: ", holder.pid()),
        "gateway run".to_owned(),
        "idlehands gateway --force".to_owned(),
    ] {
        assert!(ran.stderr.contains(&part), "{part}: {}", ran.stderr);
    }
    let again = holder.run(&["gateway", "run", "--port=0"]);
    assert_eq!(again.code, 7, "{again:?}");
    assert!(again.stderr.contains(&format!("gateway already running (pid {}", holder.pid())), "{again:?}");
    assert_eq!(holder.run(&["health"]).code, 0);
}

/// `gateway --token SECRET` is in the process table; nobody copies it from there.
#[test]
fn the_owners_secrets_are_not_shown() {
    let holder = Setup::with(json!({})).args(["--token", "s3cret-on-the-command-line"]).start();
    let ran = Setup::with(json!({})).refused(holder.port);
    assert!(ran.stderr.contains(&format!("pid {}", holder.pid())), "{ran:?}");
    assert!(!ran.stderr.contains("s3cret"), "{ran:?}");
    let log = std::fs::read_to_string(holder.state("logs/gateway.log")).unwrap();
    assert!(!log.contains("s3cret"), "{log}");
}

/// Protocol notes §8.4.
#[test]
fn force_ends_the_owner_of_the_port_and_nobody_else() {
    let (holder, bystander) = (TestGateway::start(), TestGateway::start());
    let (port, pid) = (holder.port, holder.pid());
    let taker = Setup::with(json!({})).args(["--force"]).start_on(Some(port));
    let said = taker.process().all_output();
    assert!(said.contains(&format!("force: port {port} is held by pid {pid}: ")), "{said}");
    assert!(said.contains(&format!("force: killed pid {pid} on port {port}\n")), "{said}");
    assert_eq!(holder.ended().ran.code, 0, "it had the time to end well");
    assert_eq!(bystander.run(&["health"]).code, 0);
    assert_eq!(taker.run(&["health"]).code, 0);
}

#[test]
fn force_kills_who_does_not_listen_to_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let holder = Setup::with(json!({})).start_on(Some(port));
    holder.signal(Signal::STOP);
    let taker = Setup::with(json!({})).args(["--force"]).start_on(Some(port));
    let said = taker.process().all_output();
    assert!(said.contains(&format!("force: escalated to SIGKILL while freeing port {port}")), "{said}");
    assert_eq!(holder.ended().signal, Some(9));
}

#[test]
fn force_with_nobody_there_just_starts() {
    let gateway = Setup::with(json!({})).args(["--force"]).start_on(Some(free_port()));
    let said = gateway.process().all_output();
    assert!(said.contains(&format!("force: no listeners on port {}", gateway.port)), "{said}");
}

/// Protocol notes §8.2: `--reset` is for the development profile, and takes everything in it.
#[test]
fn reset_wipes_the_development_profile() {
    let setup = Setup::bare();
    let start = |args: &[&str]| {
        let gateway = Process::spawn(setup.command(args));
        gateway.line("[gateway] ready");
        gateway.signal(Signal::TERM);
        assert_eq!(gateway.ended().ran.code, 0);
    };
    start(&["--dev", "gateway", "--port=0"]);
    let state = setup.home().join(".idlehands-dev");
    std::fs::write(state.join("left-over"), "").unwrap();
    let token = |text: String| json5_of(&text)["gateway"]["auth"]["token"].as_str().unwrap().to_owned();
    let config = state.join("idlehands.json");
    let before = token(std::fs::read_to_string(&config).unwrap());
    start(&["--dev", "gateway", "--port=0", "--reset"]);
    assert!(!state.join("left-over").exists());
    assert_ne!(token(std::fs::read_to_string(&config).unwrap()), before);
}

/// Architecture notes: a flag beats the environment, the environment beats the file.
#[test]
fn the_port_is_taken_from_the_flag_then_the_environment_then_the_file() {
    let [flag, variable, file] = [free_port(), free_port(), free_port()];
    let setup = || Setup::with(json!({ "gateway": { "port": file } }));
    assert_eq!(setup().start_on(None).port, file);
    let variable = variable.to_string();
    assert_eq!(setup().env("IDLEHANDS_GATEWAY_PORT", &variable).start_on(None).port.to_string(), variable);
    assert_eq!(setup().env("IDLEHANDS_GATEWAY_PORT", &variable).start_on(Some(flag)).port, flag);
}
