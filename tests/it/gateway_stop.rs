//! Stopping: work in flight is finished, nothing new is taken, and nobody can hold the end up (runbooks, "Safety
//! guarantees").

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::gateway::{DEADLINE, Setup, TestGateway, eventually};
use crate::support::http::parse;
use crate::support::lease::Lease;
use crate::support::ws::{Next, Ws};

/// A gateway whose configuration is lent out (fcntl(2), "Leases"): `config.get` waits until it is given back.
struct Held {
    gateway: TestGateway,
    ws: Ws,
    request: String,
    lease: Lease,
}

impl Held {
    fn new(drain_ms: u64) -> Self {
        let gateway = Setup::with(json!({ "gateway": { "drainTimeoutMs": drain_ms } })).start();
        let lease = Lease::take(&gateway.state("idlehands.json"));
        let mut ws = Ws::admin(&gateway);
        let request = ws.ask("config.get", json!({}));
        // The answer to this one says that the other was begun.
        ws.call("health", json!({}));
        Self { gateway, ws, request, lease }
    }
}

#[test]
fn work_in_flight_is_finished_before_clients_are_closed() {
    let mut held = Held::new(60_000);
    let mut probe = TcpStream::connect(("127.0.0.1", held.gateway.port)).unwrap();
    let ask = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut ready = || {
        probe.write_all(ask).unwrap();
        let mut answer = vec![0; 4096];
        let count = probe.read(&mut answer).unwrap();
        let (answer, _) = parse(&answer[..count]);
        (answer.status, answer.json())
    };
    assert_eq!(ready().0, 200);
    held.gateway.signal(Signal::TERM);
    held.ws.event("shutdown");
    held.gateway.process().line("waiting for 1 requests (at most 60000 ms)");

    // Nothing new is taken, and whoever asks is told.
    let refusal = held.ws.refusal("status", json!({}));
    assert_eq!(
        refusal,
        json!({ "code": "UNAVAILABLE", "message": "the gateway is stopping", "retryable": true })
    );
    let (status, answer) = ready();
    assert_eq!((status, &answer["ready"], &answer["failing"]), (503, &json!(false), &json!(["stopping"])));
    let port = held.gateway.port;
    eventually("it does not listen any longer", || TcpStream::connect(("127.0.0.1", port)).is_err());

    drop(held.lease);
    assert_eq!(held.ws.response(&held.request)["ok"], true);
    assert_eq!(held.ws.end(), (1012, "service restart".to_owned()));
    let ended = held.gateway.ended();
    assert_eq!(ended.ran.code, 0);
    assert!(ended.took < DEADLINE, "{:?}", ended.took);
}

#[test]
fn work_that_takes_too_long_is_given_up_on() {
    let mut held = Held::new(200);
    held.gateway.signal(Signal::TERM);
    held.gateway.process().line("1 requests did not finish in time");
    assert_eq!(held.ws.end(), (1012, "service restart".to_owned()));
    assert_eq!(held.gateway.ended().ran.code, 0);
}

#[test]
fn a_second_signal_ends_the_wait_for_work_in_flight() {
    let mut held = Held::new(600_000);
    held.gateway.signal(Signal::TERM);
    held.gateway.process().line("waiting for 1 requests");
    held.gateway.signal(Signal::TERM);
    held.gateway.process().line("received SIGTERM again; not waiting for 1 requests");
    assert_eq!(held.ws.end(), (1012, "service restart".to_owned()));
    let ended = held.gateway.ended();
    assert_eq!((ended.ran.code, ended.signal), (0, None));
    assert!(ended.took < DEADLINE, "{:?}", ended.took);
}

/// What is there when the gateway is stopped. Each would be reason enough to wait, if one waited.
fn lingering(gateway: &TestGateway) -> (Vec<TcpStream>, Vec<Ws>) {
    let connect = || TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    let said = |bytes: &[u8]| {
        let mut stream = connect();
        stream.write_all(bytes).unwrap();
        stream
    };
    let silent = connect();
    let half_headers = said(b"GET /healthz HTTP/1.1\r\nHost: local");
    let half_body = said(b"POST /nope HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf");
    let mut idle = said(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    idle.read_exact(&mut [0; 15]).unwrap();
    let (half_handshake, idle_operator) = (Ws::open(gateway.port), Ws::admin(gateway));
    half_handshake.stream().write_all(&[0x81]).unwrap();
    (vec![silent, half_headers, half_body, idle], vec![half_handshake, idle_operator])
}

#[test]
fn nobody_who_only_lingers_holds_the_end_up() {
    let gateway = TestGateway::start();
    let _lingering = lingering(&gateway);
    let ended = gateway.stop();
    assert_eq!(ended.ran.code, 0);
    assert!(ended.took < DEADLINE, "{:?}\n{}", ended.took, ended.ran.stdout);
    assert!(!ended.ran.stdout.contains("did not end in time"), "{}", ended.ran.stdout);
}

#[test]
fn a_client_that_does_not_read_does_not_hold_the_end_up() {
    let gateway =
        Setup::with(json!({ "agents": { "list": [{ "id": "a", "name": "x".repeat(1_500_000) }] } })).start();
    let mut deaf = Ws::admin(&gateway);
    // More than the two systems' buffers take.
    for _ in 0..20 {
        deaf.ask("agents.list", json!({}));
    }
    let mut friend = Ws::admin(&gateway);
    for _ in 0..3 {
        friend.call("agents.list", json!({}));
    }
    gateway.signal(Signal::TERM);
    friend.event("shutdown");
    assert_eq!(friend.next(), Next::Closed(1012, "service restart".to_owned()));
    let ended = gateway.ended();
    assert_eq!(ended.ran.code, 0);
    assert!(ended.took < DEADLINE, "{:?}\n{}", ended.took, ended.ran.stdout);
}

#[test]
fn clients_that_come_while_it_stops_are_closed_too() {
    let gateway = TestGateway::start();
    let port = gateway.port;
    let comers: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                let mut ends = Vec::new();
                while let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                    drop(stream);
                    let Ok(ended) = std::panic::catch_unwind(|| {
                        let mut ws = Ws::open(port);
                        ws.ask("connect", crate::support::ws::connect(3, &[]));
                        ws.end()
                    }) else {
                        break;
                    };
                    ends.push(ended);
                }
                ends
            })
        })
        .collect();
    eventually("somebody has come", || {
        Ws::admin(&gateway).call("system-presence", json!({})).as_array().unwrap().len() > 6
    });
    let ended = gateway.stop();
    assert!(ended.took < DEADLINE, "{:?}\n{}", ended.took, ended.ran.stdout);
    for comer in comers {
        let ends: Vec<(u16, String)> = comer.join().unwrap();
        assert!(ends.iter().all(|(code, _)| [1012, 1006].contains(code)), "{ends:?}");
    }
}

#[test]
fn the_lock_says_nothing_of_a_gateway_that_has_ended() {
    let gateway = TestGateway::start();
    let (path, pid) = (gateway.state("gateway.lock"), gateway.pid());
    let holder: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(holder["pid"], pid);
    let home = gateway.home().to_owned();
    assert!(home.exists());
    gateway.signal(Signal::TERM);
    eventually("the holder is erased", || std::fs::read_to_string(&path).is_ok_and(|text| text.is_empty()));
    assert_eq!(gateway.ended().ran.code, 0);
}
