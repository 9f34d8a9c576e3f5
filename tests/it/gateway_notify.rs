//! What the service manager is told (sd_notify(3)): ready when it answers and not before, alive, reloading, stopping, and
//! how it is, in one line.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::gateway::{DEADLINE, Setup, TestGateway};
use crate::support::http::ask;
use crate::support::lease::Lease;
use crate::support::ws::Ws;

/// A service manager's end of the socket.
struct Manager {
    socket: UnixDatagram,
    _dir: tempfile::TempDir,
}

impl Manager {
    /// A manager, and a gateway that knows it.
    fn with(settings: Value) -> (Self, Setup) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        (Self { socket, _dir: dir }, Setup::with(settings).env("NOTIFY_SOCKET", path))
    }

    /// The next message, line by line.
    fn next(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let count = self.socket.recv(&mut bytes).expect("a message from the gateway");
        let text = std::str::from_utf8(&bytes[..count]).expect("messages are text");
        text.trim_end_matches('\n').split('\n').map(str::to_owned).collect()
    }

    /// Passes over messages up to one with a line that begins like this, and returns it.
    fn until(&self, begins: &str) -> Vec<String> {
        loop {
            let message = self.next();
            if message.iter().any(|line| line.starts_with(begins)) {
                return message;
            }
        }
    }
}

fn status(message: &[String]) -> &str {
    let line = message.iter().find_map(|line| line.strip_prefix("STATUS="));
    line.unwrap_or_else(|| panic!("no status: {message:?}"))
}

#[test]
fn it_is_ready_once_it_answers_and_says_how_many_are_there() {
    let (manager, setup) = Manager::with(json!({}));
    let process = setup.spawn(Some(0));
    // Before it is ready it hands its listeners over to be kept, and says nothing else.
    let stored = [manager.next(), manager.next()].concat();
    let first = manager.next();
    assert_eq!(first[0], "READY=1", "{first:?}");
    let port: u16 =
        status(&first).split("127.0.0.1:").nth(1).unwrap().split([',', ';']).next().unwrap().parse().unwrap();
    let name = |address: &str| format!("FDNAME=gateway-{address}-{port}");
    assert_eq!(stored, ["FDSTORE=1", &name("127.0.0.1"), "FDSTORE=1", &name("__1")]);
    assert_eq!(ask(port, "GET", "/readyz", &[]).status, 200);
    assert!(status(&first).ends_with("; 0 clients"), "{first:?}");
    drop(process);
}

#[test]
fn its_status_follows_the_clients() {
    let (manager, setup) = Manager::with(json!({}));
    let gateway = setup.start();
    let ws = Ws::admin(&gateway);
    let expected =
        format!("listening on ws://127.0.0.1:{port}, ws://[::1]:{port}; 1 client", port = gateway.port);
    let one = manager.until("STATUS=listening on");
    let one = if status(&one).ends_with("; 0 clients") { manager.until("STATUS=") } else { one };
    assert_eq!(status(&one), expected);
    ws.leave();
    loop {
        if status(&manager.until("STATUS=")).ends_with("; 0 clients") {
            break;
        }
    }
}

#[test]
fn the_watchdog_is_fed_in_time_and_only_by_whom_it_is_meant_for() {
    let (manager, setup) = Manager::with(json!({}));
    let gateway = setup.env("WATCHDOG_USEC", "1000000").start();
    manager.until("READY=1");
    let mut last = Instant::now();
    for _ in 0..3 {
        assert_eq!(manager.until("WATCHDOG=1"), ["WATCHDOG=1"]);
        assert!(last.elapsed() < Duration::from_secs(1), "fed after {:?}", last.elapsed());
        last = Instant::now();
    }
    drop(gateway);
    let (manager, setup) = Manager::with(json!({}));
    let _gateway = setup.env("WATCHDOG_USEC", "50000").env("WATCHDOG_PID", "1").start();
    manager.until("READY=1");
    manager.socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(manager.socket.recv(&mut [0; 64]).is_err(), "the watchdog is another process's");
}

#[test]
fn a_reload_is_announced_and_ended_whatever_comes_of_it() {
    let (manager, setup) = Manager::with(json!({}));
    let gateway = setup.start();
    manager.until("READY=1");
    let reload = || {
        gateway.signal(Signal::HUP);
        let begun = manager.until("RELOADING=1");
        let stamp =
            begun.iter().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("in the same message");
        assert!(stamp.parse::<u64>().unwrap() > 0);
        status(&manager.until("READY=1")).to_owned()
    };
    assert!(reload().starts_with("listening on"));
    gateway.configure(json!({ "agents": { "list": [{ "id": "a" }] } }));
    assert!(reload().ends_with("; 0 clients"));
    gateway.write_config("{ gateway: { prot: 1 } }");
    assert!(reload().ends_with("; reload skipped: invalid config"));
    gateway.configure(json!({}));
    assert!(reload().ends_with("; 0 clients"));
}

#[test]
fn a_stop_is_announced_first_and_more_time_is_asked_for_while_work_is_in_flight() {
    let (manager, setup) = Manager::with(json!({}));
    let gateway: TestGateway = setup.start();
    let _lease = Lease::take(&gateway.state("idlehands.json"));
    let mut ws = Ws::admin(&gateway);
    ws.ask("config.get", json!({}));
    ws.call("health", json!({}));
    gateway.signal(Signal::TERM);
    let stopping = manager.until("STOPPING=1");
    assert_eq!(status(&stopping), "stopping; 1 client");
    let extended = manager.until("EXTEND_TIMEOUT_USEC=");
    assert_eq!(extended, ["EXTEND_TIMEOUT_USEC=15000000"]);
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().ran.code, 0);
}

#[test]
fn an_abstract_socket_and_one_that_is_gone_are_fine() {
    let name = format!("idlehands-test-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let _gateway = Setup::with(json!({})).env("NOTIFY_SOCKET", format!("@{name}")).start();
    for begins in ["FDSTORE=1\n", "FDSTORE=1\n", "READY=1\n"] {
        let mut bytes = [0; 256];
        let count = socket.recv(&mut bytes).unwrap();
        assert!(bytes[..count].starts_with(begins.as_bytes()));
    }

    let gateway = Setup::with(json!({})).env("NOTIFY_SOCKET", "/nonexistent/notify").start();
    gateway.process().line("cannot tell the service manager");
    Ws::admin(&gateway).call("status", json!({}));
}
