//! WebSocket itself (RFC 6455), spoken well and badly: what is answered, what ends the connection, and with which code.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::gateway::{Setup, TestGateway, eventually};
use crate::support::ws::{Next, Ws, connect, frame_header, raw_frame};

/// FIN and text.
const TEXT: u8 = 0x81;
const PING: u8 = 0x89;
const CLOSE: u8 = 0x88;

/// A request as text, padded with blanks to this many bytes.
fn padded_request(bytes: usize) -> String {
    let request = r#"{"type":"req","id":"big","method":"health"}"#;
    format!("{request}{}", " ".repeat(bytes - request.len()))
}

#[test]
fn what_breaks_the_rules_of_websocket_ends_the_connection_with_their_code() {
    let gateway = TestGateway::start();
    let mut friend = Ws::admin(&gateway);
    let request = br#"{"type":"req","id":"a","method":"health"}"#;
    let long_ping = [b'x'; 126];
    let table: [(&str, Vec<u8>, u16); 9] = [
        ("unmasked", raw_frame(TEXT, false, request), 1002),
        ("a reserved bit, as if compression had been agreed on", raw_frame(0xc1, true, request), 1002),
        ("an opcode that does not exist", raw_frame(0x83, true, request), 1002),
        ("a ping in fragments", raw_frame(0x09, true, b"x"), 1002),
        ("a ping longer than 125 bytes", raw_frame(PING, true, &long_ping), 1002),
        ("a continuation of nothing", raw_frame(0x80, true, request), 1002),
        (
            "a message within another",
            [raw_frame(0x01, true, b"{"), raw_frame(TEXT, true, request)].concat(),
            1002,
        ),
        ("text that is not UTF-8", raw_frame(TEXT, true, b"\"\xc3\x28\""), 1007),
        ("more than 25 MiB", frame_header(TEXT, true, 26 * 1024 * 1024), 1009),
    ];
    for (what, bytes, code) in table {
        let mut ws = Ws::admin(&gateway);
        ws.stream().write_all(&bytes).unwrap();
        assert_eq!(ws.end().0, code, "{what}");
        friend.call("health", json!({}));
    }
}

#[test]
fn a_frame_of_26_mib_is_too_big_and_its_sender_learns_so() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    let frame = raw_frame(TEXT, true, &vec![b' '; 26 * 1024 * 1024]);
    // The gateway stops reading at the header, and waits for the sender's turn to take the reason.
    let _ = ws.stream().write_all(&frame);
    assert_eq!(ws.end(), (1009, "message too big".to_owned()));
}

#[test]
fn a_message_of_exactly_25_mib_is_served_whole_or_in_fragments() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    ws.send_text(padded_request(25 * 1024 * 1024));
    assert_eq!(ws.response("big")["ok"], true);
    ws.send_text(padded_request(25 * 1024 * 1024 + 1));
    assert_eq!(ws.end().0, 1009);

    let mut ws = Ws::admin(&gateway);
    let text = padded_request(3 * 1024 * 1024);
    let (first, rest) = text.as_bytes().split_at(7);
    ws.stream().write_all(&raw_frame(0x01, true, first)).unwrap();
    for part in rest.chunks(1024 * 1024) {
        ws.stream().write_all(&raw_frame(0x00, true, part)).unwrap();
        // A control frame may come between fragments.
        ws.stream().write_all(&raw_frame(PING, true, b"between")).unwrap();
    }
    ws.stream().write_all(&raw_frame(0x80, true, b"")).unwrap();
    assert_eq!(ws.response("big")["ok"], true);
}

#[test]
fn one_byte_at_a_time_is_fast_enough() {
    let gateway = TestGateway::start();
    let mut ws = Ws::open(gateway.port);
    let request = json!({ "type": "req", "id": "slow", "method": "connect", "params": connect(3, &[]) });
    for byte in raw_frame(TEXT, true, request.to_string().as_bytes()) {
        ws.stream().write_all(&[byte]).unwrap();
    }
    assert_eq!(ws.response("slow")["ok"], true);
}

#[test]
fn pings_are_answered_before_and_after_the_handshake() {
    let gateway = TestGateway::start();
    let pong = |ws: &Ws| {
        ws.stream().write_all(&raw_frame(PING, true, b"are you there?")).unwrap();
        let mut answer = [0; 16];
        std::io::Read::read_exact(&mut ws.stream(), &mut answer).unwrap();
        assert_eq!(&answer, b"\x8a\x0eare you there?");
    };
    pong(&Ws::open(gateway.port));
    let mut ws = Ws::admin(&gateway);
    // The health event after the connect is out of the way then.
    ws.event("health");
    pong(&ws);
}

#[test]
fn a_close_is_echoed_with_its_code() {
    let gateway = TestGateway::start();
    let close = |code: u16| CloseFrame { code: CloseCode::from(code), reason: "goodbye".into() };
    for code in [1000, 1001, 4000, 4008] {
        let mut stranger = Ws::open(gateway.port);
        stranger.send_message(Message::Close(Some(close(code))));
        assert_eq!(stranger.end(), (code, "goodbye".to_owned()), "before the handshake");
        let mut ws = Ws::admin(&gateway);
        ws.send_message(Message::Close(Some(close(code))));
        assert_eq!(ws.end(), (code, "goodbye".to_owned()), "after the handshake");
        assert_eq!(ws.next(), Next::Gone);
    }
    let mut ws = Ws::admin(&gateway);
    ws.send_message(Message::Close(None));
    assert_eq!(ws.end(), (1005, String::new()));
    // A code that must not be on the wire.
    let ws = Ws::admin(&gateway);
    ws.stream().write_all(&raw_frame(CLOSE, true, &1005_u16.to_be_bytes())).unwrap();
    assert_eq!({ ws }.end().0, 1002);
}

#[test]
fn what_came_before_a_close_is_answered_before_it() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    let ids: Vec<_> = (0..50).map(|_| ws.ask("status", json!({}))).collect();
    ws.send_message(Message::Close(None));
    for id in ids {
        assert_eq!(ws.response(&id)["ok"], true);
    }
    assert_eq!(ws.end().0, 1005);
}

#[test]
fn after_the_handshake_what_is_no_request_is_answered_or_ignored_and_nothing_is_closed() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    let table = [
        (
            json!({}),
            "invalid",
            "must have required property 'type'; must have required property 'id'; must have required property 'method'",
        ),
        (json!([]), "invalid", "must be object"),
        (json!({ "type": "req", "id": "x" }), "x", "must have required property 'method'"),
        (
            json!({ "type": "res", "id": "x", "method": "health" }),
            "x",
            "at /type: must be equal to one of the allowed values",
        ),
        (
            json!({ "type": "req", "id": "", "method": "health" }),
            "invalid",
            "at /id: must NOT have fewer than 1 characters",
        ),
        (json!({ "type": "req", "id": "x", "method": 7 }), "x", "at /method: must be string"),
        (
            json!({ "type": "req", "id": "x", "method": "health", "a": 1, "b": 2 }),
            "x",
            "at root: unexpected property 'a'; at root: unexpected property 'b'",
        ),
    ];
    for (frame, id, issues) in table {
        ws.send(&frame);
        let answer = ws.response(id);
        let message =
            answer["error"]["message"].as_str().unwrap().replace("constant", "one of the allowed values");
        assert_eq!(answer["error"]["code"], "INVALID_REQUEST");
        assert_eq!(message, format!("invalid request frame: {issues}"), "{frame}");
    }
    for text in ["", "no json", "{", "{\"type\":\"req\"", "\u{0}", "NaN"] {
        ws.send_text(text);
    }
    ws.send_message(Message::binary(vec![0xff, 0xfe]));
    assert_eq!(ws.so_far().iter().filter(|frame| frame["type"] == "res").count(), 0, "they are ignored");
    ws.send_message(Message::binary(br#"{"type":"req","id":"bin","method":"health"}"#.to_vec()));
    assert_eq!(ws.response("bin")["ok"], true);
}

#[test]
fn what_later_clients_add_to_a_request_is_welcome() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    ws.send(&json!({ "type": "req", "id": "x", "method": "health", "traceparent": "00-1", "expectedProfileId": "p" }));
    assert_eq!(ws.response("x")["ok"], true);
    ws.send(&json!({ "type": "req", "id": "y", "method": "health", "params": null }));
    assert_eq!(ws.response("y")["ok"], true);
    ws.send_text(r#"{"method":"health","id":"\u007a","type":"req"}"#);
    assert_eq!(ws.response("z")["ok"], true);
}

/// Bytes of memory a process has in use.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn a_flood_of_pings_from_a_client_that_does_not_read_costs_bounded_memory_and_nobody_else_their_turn() {
    // One thread for everything: whoever keeps it keeps it from all.
    let gateway = Setup::with(json!({})).env("TOKIO_WORKER_THREADS", "1").start();
    let mut friend = Ws::admin(&gateway);
    let before = resident(gateway.pid());
    let hostile = Ws::admin(&gateway);
    let burst: Vec<u8> = raw_frame(PING, true, &[b'x'; 125]).repeat(2048);
    let mut stream = hostile.stream().try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let flood = std::thread::spawn(move || {
        let began = Instant::now();
        let mut sent = 0;
        while began.elapsed() < Duration::from_millis(1500) {
            match stream.write(&burst) {
                Ok(count) => sent += count,
                // It is not read from any longer: that is how it should be.
                Err(_) => break,
            }
        }
        sent
    });
    let mut answers = 0;
    while !flood.is_finished() {
        friend.call("health", json!({}));
        answers += 1;
    }
    let sent = flood.join().unwrap();
    assert!(answers > 3, "another client waited: it had {answers} turns while the flood lasted");
    let grown = resident(gateway.pid()).saturating_sub(before);
    assert!(grown < 8 * 1024 * 1024, "{sent} bytes of pings made the gateway grow by {grown} bytes");
}

#[test]
fn a_flood_of_requests_does_not_keep_others_from_their_turn() {
    let gateway = Setup::with(json!({})).env("TOKIO_WORKER_THREADS", "1").start();
    let mut friend = Ws::admin(&gateway);
    let hostile = Ws::admin(&gateway);
    // Ignored without an answer, so that nothing but the gateway's own fairness slows the flood.
    let burst = raw_frame(TEXT, true, b"x").repeat(16 * 1024);
    let mut stream = hostile.stream().try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(1500) {
            stream.write_all(&burst).unwrap();
        }
    });
    let mut answers = 0;
    while !flood.is_finished() {
        friend.call("health", json!({}));
        answers += 1;
    }
    flood.join().unwrap();
    assert!(answers > 3, "another client waited: it had {answers} turns while the flood lasted");
}

/// Answers and pongs share one stream. However full it is, none may begin inside another.
#[test]
fn frames_never_land_inside_each_other() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    let mut stream = ws.stream().try_clone().unwrap();
    let total = 20_000;
    let sender = std::thread::spawn(move || {
        for number in 0..total {
            let request = format!(r#"{{"type":"req","id":"r{number}","method":"system-presence"}}"#);
            let mut bytes = raw_frame(PING, true, &[b'p'; 101]);
            bytes.extend(raw_frame(TEXT, true, request.as_bytes()));
            stream.write_all(&bytes).unwrap();
        }
    });
    // Read late, so that the gateway's side of the connection is always full.
    std::thread::sleep(Duration::from_millis(300));
    for number in 0..total {
        let answer = ws.response(&format!("r{number}"));
        assert_eq!(answer["ok"], true, "{answer}");
    }
    sender.join().unwrap();
}

/// A client that closes only its own half is gone for us, as for every WebSocket server: it can answer no ping.
#[test]
fn a_client_that_stops_sending_is_gone() {
    let gateway = TestGateway::start();
    let mut ws = Ws::admin(&gateway);
    let id = ws.ask("status", json!({}));
    ws.stream().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(ws.response(&id)["ok"], true, "what was answered at once arrives");
    assert_eq!(ws.end(), (1006, String::new()));
    let mut friend = Ws::admin(&gateway);
    eventually("the client is no longer there", || {
        let presence = friend.call("system-presence", json!({}));
        presence.as_array().unwrap().iter().any(|entry| entry["reason"] == "disconnect")
    });
}
