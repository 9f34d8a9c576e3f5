//! Gateways on a fresh machine, without a configuration, and side by side (runbooks, "5-minute local startup", "Multiple
//! gateways on one host").

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::gateway::{Process, Setup, TOKEN, eventually};
use crate::support::ws::{ALL_SCOPES, Ws, connect};

/// Every file below a directory but the link to the binary, with its content; of a directory, its name.
fn tree(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut dirs) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.ends_with("bin") {
                continue;
            }
            let content = if entry.is_dir() { Vec::new() } else { std::fs::read(&entry).unwrap() };
            if entry.is_dir() {
                dirs.push(entry.clone());
            }
            found.insert(entry, content);
        }
    }
    found
}

fn with_token(token: &str) -> Value {
    let mut params = connect(3, &ALL_SCOPES);
    params["auth"]["token"] = json!(token);
    params
}

#[test]
fn a_first_run_writes_a_private_configuration_and_says_where() {
    let gateway = Setup::bare().start();
    let path = gateway.state("idlehands.json");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(mode(&gateway.state("logs/gateway.log")), 0o600);
    assert_eq!(mode(&gateway.state("gateway.lock")), 0o600);
    let token =
        gateway.run(&["config", "get", "gateway.auth.token", "--show-secret"]).stdout.trim().to_owned();
    assert_eq!(token.len(), 43, "{token}");
    let (mut ws, _) = Ws::connect_with(gateway.port, with_token(&token));
    ws.call("status", json!({}));
    assert_eq!(gateway.run(&["health"]).code, 0);

    let text = std::fs::read_to_string(&path).unwrap();
    let again = gateway.restart();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "a second start changes nothing");
    Ws::connect_with(again.port, with_token(&token));
    let log = std::fs::read_to_string(again.state("logs/gateway.log")).unwrap();
    let ran = again.stop().ran;
    assert_eq!(ran.stderr, "", "there is nothing to say the second time");
    assert!(!log.contains(&token) && !ran.stdout.contains(&token));
}

#[test]
fn a_first_run_tells_no_file_and_no_journal_the_token() {
    let gateway = Setup::bare().start();
    let path = gateway.state("idlehands.json");
    let token =
        gateway.run(&["config", "get", "gateway.auth.token", "--show-secret"]).stdout.trim().to_owned();
    let log = std::fs::read_to_string(gateway.state("logs/gateway.log")).unwrap();
    let ran = gateway.stop().ran;
    let wrote = format!("First run: wrote {} (mode local, a new token).", path.display());
    assert!(ran.stderr.contains(&wrote), "{}", ran.stderr);
    assert!(ran.stderr.contains("Dashboard URL: http://127.0.0.1:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("(the link that signs you in: idlehands dashboard)"), "{}", ran.stderr);
    assert!(!format!("{ran:?}{log}").contains(&token));
}

#[test]
fn an_unconfigured_run_writes_nothing_into_the_home_and_can_be_talked_to() {
    let setup = Setup::bare().args(["--allow-unconfigured"]);
    setup.command(&["--version"]);
    let before = tree(setup.home());
    let gateway = setup.start();
    let health = gateway.run(&["health", "--json"]);
    assert_eq!(health.code, 0, "{health:?}");
    assert_eq!(serde_json::from_str::<Value>(&health.stdout).unwrap()["ok"], true);
    // A device is paired for this run only.
    let called = gateway.run(&["gateway", "call", "device.pair.list", "--json"]);
    assert_eq!(called.code, 0, "{called:?}");
    let logs = gateway.run(&["gateway", "call", "logs.tail", "--json"]);
    assert!(logs.stdout.contains("runs ad hoc and keeps no log file"), "{logs:?}");
    assert_eq!(tree(gateway.home()), before);
    gateway.signal(rustix::process::Signal::HUP);
    gateway.process().line("[reload]");
    assert_eq!(tree(gateway.home()), before);

    let runtime = gateway.runtime().to_owned();
    let record = tree(&runtime)
        .into_iter()
        .find(|(path, _)| path.extension().is_some_and(|ext| ext == "lock"))
        .unwrap();
    assert_eq!(std::fs::metadata(&record.0).unwrap().permissions().mode() & 0o777, 0o600);
    let holder: Value = serde_json::from_slice(&record.1).unwrap();
    let token = holder["token"].as_str().unwrap().to_owned();
    Ws::connect_with(gateway.port, with_token(&token));
    let ran = gateway.ended_by_term();
    assert!(ran.stderr.contains("Generated a runtime token for this startup"), "{ran:?}");
    assert!(ran.stdout.contains("running ad hoc: nothing is written"), "{ran:?}");
    assert!(!format!("{ran:?}").contains(&token));
    assert_eq!(std::fs::read(&record.0).unwrap(), b"", "the record of what ended is erased");
}

#[test]
fn a_configured_gateway_runs_as_configured_whatever_is_allowed() {
    let remote = json!({ "gateway": { "mode": "remote", "remote": { "url": "ws://127.0.0.1:1" } } });
    let gateway = Setup::with(remote).args(["--allow-unconfigured"]).start();
    Ws::connect_with(gateway.port, with_token(TOKEN));
    let holder: Value =
        serde_json::from_slice(&std::fs::read(gateway.state("gateway.lock")).unwrap()).unwrap();
    assert!(holder.get("token").is_none(), "{holder}");
}

/// An attacker can make the directory below the temporary one before us.
#[test]
fn a_runtime_directory_that_others_can_write_is_not_trusted_with_a_token() {
    let setup = Setup::bare().args(["--allow-unconfigured"]);
    let open = setup.home().join("open");
    std::fs::create_dir_all(open.join("idlehands")).unwrap();
    for (outer, inner) in [(0o777, 0o700), (0o700, 0o777)] {
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(outer)).unwrap();
        std::fs::set_permissions(open.join("idlehands"), std::fs::Permissions::from_mode(inner)).unwrap();
        let mut command = setup.command(&["gateway", "run", "--port=0", "--allow-unconfigured"]);
        command.env("XDG_RUNTIME_DIR", &open);
        let ran = Process::spawn(command).ended().ran;
        assert_eq!(ran.code, 1, "{outer:o} {inner:o}: {ran:?}");
        assert!(ran.stderr.contains("others can write to its directory"), "{ran:?}");
    }
}

#[test]
fn profiles_and_brands_run_side_by_side() {
    let setup = Setup::bare();
    let started: Vec<_> = [
        ("idlehands", &[][..]),
        ("idlehands", &["--profile", "rescue"]),
        ("idlehands", &["--dev"]),
        ("mayros", &[]),
        ("fased", &[]),
    ]
    .into_iter()
    .map(|(brand, profile)| {
        let args = [profile, &["gateway", "run", "--port=0"]].concat();
        let process = Process::spawn(setup.command_as(brand, &args));
        let line = process.line("listening on ws://");
        process.line("[gateway] ready");
        let url = line.split("listening on ").nth(1).unwrap().split(',').next().unwrap().to_owned();
        (brand, profile, process, url)
    })
    .collect();
    for (brand, profile, _process, url) in &started {
        let run = |args: &[&str]| crate::support::Ran::of(setup.command_as(brand, &[profile, args].concat()));
        // Each command line finds its own gateway, with its own token, although none listens on its usual port.
        let called = run(&["gateway", "call", "config.get", "--json"]);
        assert_eq!(called.code, 0, "{called:?}");
        let snapshot: Value = serde_json::from_str(&called.stdout).unwrap();
        let suffix = match *profile {
            ["--profile", name] => format!("-{name}"),
            ["--dev"] => "-dev".to_owned(),
            _ => String::new(),
        };
        let path = setup.home().join(format!(".{brand}{suffix}")).join(format!("{brand}.json"));
        assert_eq!(snapshot["path"], json!(path));
        let wrong = run(&["gateway", "call", "health", "--url", url, "--token", "tok-of-nobody"]);
        assert!(wrong.stderr.contains("unauthorized: gateway token mismatch"), "{wrong:?}");
    }
}

#[test]
fn chosen_directories_are_used_and_nothing_else() {
    let setup = Setup::bare();
    let home = setup.home().to_owned();
    let setup =
        setup.env("IDLEHANDS_CONFIG_PATH", "~/conf/a.json").env("IDLEHANDS_STATE_DIR", home.join("state-a"));
    std::fs::create_dir(home.join("conf")).unwrap();
    let config = json!({ "gateway": { "mode": "local", "auth": { "token": TOKEN } } });
    std::fs::write(home.join("conf/a.json"), config.to_string()).unwrap();
    let gateway = setup.start();
    let (_ws, hello) = Ws::connect_with(gateway.port, with_token(TOKEN));
    assert_eq!(hello["snapshot"]["configPath"], json!(home.join("conf/a.json")));
    assert_eq!(hello["snapshot"]["stateDir"], json!(home.join("state-a")));
    assert!(home.join("state-a/gateway.lock").exists() && !home.join(".idlehands").exists());
}

/// What every test here relies on: were the test process killed, its gateways would go with it.
#[test]
fn a_gateway_of_a_test_ends_with_whoever_started_it() {
    let setup = Setup::with(json!({}));
    let gateway = setup.command(&["gateway", "run", "--port=0"]);
    let mut shell = setup.command(&[]);
    shell.args(["-c", "setpriv --pdeathsig KILL -- \"$0\" gateway run --port=0 & echo child $!; wait"]);
    let mut parent = std::process::Command::new("sh");
    parent.args(shell.get_args()).arg(gateway.get_program()).env_clear().current_dir(setup.home());
    parent.envs(gateway.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let parent = Process::spawn(parent);
    let pid = parent.line("child ").split(' ').next_back().unwrap().to_owned();
    parent.line("[gateway] ready");
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    parent.signal(rustix::process::Signal::KILL);
    eventually("the gateway has ended", || !Path::new(&format!("/proc/{pid}")).exists());
}
