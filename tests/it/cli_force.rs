//! `gateway run --force`, which takes the port from whoever has it, and `--reset`, which begins anew.

use idlehands::config::parse_value;
use rustix::process::Signal;
use serde_json::json;

use crate::support::gateway::{Process, Setup, TestGateway, free_port};

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
    let holder = TestGateway::start();
    let port = holder.port;
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
    let token =
        |text: String| parse_value(&text).unwrap()["gateway"]["auth"]["token"].as_str().unwrap().to_owned();
    let config = state.join("idlehands.json");
    let before = token(std::fs::read_to_string(&config).unwrap());
    start(&["--dev", "gateway", "--port=0", "--reset"]);
    assert!(!state.join("left-over").exists());
    assert_ne!(token(std::fs::read_to_string(&config).unwrap()), before);
}
