//! Who is not let in, with which words and close codes: every row of the protocol notes §1.6, in its order.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::device::{Device, now_ms};
use crate::support::gateway::{Setup, TOKEN, TestGateway};
use crate::support::schema;
use crate::support::ws::{ALL_SCOPES, Next, Ws, connect, frame_header, raw_frame, upgrade};

/// Sends these parameters, which must be refused. Returns the error and how the connection ended.
fn refused(ws: &mut Ws, params: Value) -> (Value, u16, String) {
    let mut answer = ws.connect(params);
    schema::assert_valid("/frames/response", &answer);
    assert_eq!(answer["ok"], false, "{answer}");
    assert_eq!(answer.as_object().unwrap().len(), 4, "{answer}");
    let (code, reason) = ws.end();
    (answer["error"].take(), code, reason)
}

fn changed(change: impl Fn(&mut Value)) -> Value {
    let mut params = connect(3, &ALL_SCOPES);
    change(&mut params);
    params
}

/// An error of which only code, message and details are there.
fn error(code: &str, message: &str, details: Value) -> Value {
    let mut error = json!({ "code": code, "message": message });
    if !details.is_null() {
        error["details"] = details;
    }
    error
}

#[test]
fn what_does_not_fit_the_schema_is_refused_with_every_reason() {
    let gateway = TestGateway::start();
    let table = [
        (
            changed(|params| params["client"]["id"] = json!("my-tool")),
            "at /client/id: must be equal to constant; at /client/id: must match a schema in anyOf",
        ),
        (
            changed(|params| params["client"]["mode"] = json!("operator")),
            "at /client/mode: must be equal to constant; at /client/mode: must match a schema in anyOf",
        ),
        (
            changed(|params| {
                params.as_object_mut().unwrap().remove("client");
            }),
            "must have required property 'client'",
        ),
        (changed(|params| params["minProtocol"] = json!(0)), "at /minProtocol: must be >= 1"),
        (changed(|params| params["maxProtocol"] = json!("4")), "at /maxProtocol: must be integer"),
        (changed(|params| params["surprise"] = json!(1)), "at root: unexpected property 'surprise'"),
        (
            changed(|params| params["client"]["surprise"] = json!(1)),
            "at /client: unexpected property 'surprise'",
        ),
        (changed(|params| params["role"] = json!("")), "at /role: must NOT have fewer than 1 characters"),
        (
            changed(|params| params["scopes"] = json!(["", 1])),
            "at /scopes/0: must NOT have fewer than 1 characters; at /scopes/1: must be string",
        ),
        (
            changed(|params| params["device"] = json!({ "id": "x" })),
            "at /device: must have required property 'publicKey'; at /device: must have required property 'signature'; \
             at /device: must have required property 'signedAt'; at /device: must have required property 'nonce'",
        ),
        (json!([]), "must be object"),
        (
            Value::Null,
            "must have required property 'minProtocol'; must have required property 'maxProtocol'; \
             must have required property 'client'",
        ),
    ];
    for (params, issues) in table {
        let mut ws = Ws::open(gateway.port);
        let message = format!("invalid connect params: {issues}");
        let (told, code, reason) = refused(&mut ws, params.clone());
        assert_eq!(told, error("INVALID_REQUEST", &message, Value::Null), "{params}");
        assert_eq!((code, reason.as_str()), (1008, &message[..message.len().min(120)]), "{params}");
    }
}

#[test]
fn each_check_has_its_words_and_its_close_code() {
    let gateway = TestGateway::start();
    let mismatch = |min: u32, max: u32, expected: u32| {
        let details = json!({ "code": "PROTOCOL_MISMATCH", "clientMinProtocol": min, "clientMaxProtocol": max,
            "expectedProtocol": expected });
        error("INVALID_REQUEST", "protocol mismatch", details)
    };
    let no_device =
        error("NOT_PAIRED", "device identity required", json!({ "code": "DEVICE_IDENTITY_REQUIRED" }));
    let control_ui = error(
        "INVALID_REQUEST",
        "control ui requires device identity (use HTTPS or localhost secure context)",
        json!({ "code": "CONTROL_UI_DEVICE_IDENTITY_REQUIRED" }),
    );
    let origin = error(
        "INVALID_REQUEST",
        "origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)",
        Value::Null,
    );
    let local_page = [("Origin", "http://localhost:5173")];
    let table: [(Value, &[(&str, &str)], Value, u16); 10] = [
        (
            changed(|params| (params["minProtocol"], params["maxProtocol"]) = (json!(5), json!(7))),
            &[],
            mismatch(5, 7, 4),
            1002,
        ),
        (
            changed(|params| (params["minProtocol"], params["maxProtocol"]) = (json!(1), json!(2))),
            &[],
            mismatch(1, 2, 3),
            1002,
        ),
        (
            changed(|params| (params["minProtocol"], params["maxProtocol"]) = (json!(4), json!(3))),
            &[],
            mismatch(4, 3, 4),
            1002,
        ),
        // The protocol is looked at before the role.
        (
            changed(|params| (params["minProtocol"], params["role"]) = (json!(4), json!("boss"))),
            &[],
            mismatch(4, 3, 4),
            1002,
        ),
        (
            changed(|params| params["role"] = json!("boss")),
            &[],
            error("INVALID_REQUEST", "invalid role", Value::Null),
            1008,
        ),
        // The role is looked at before the origin, and the origin before the credentials.
        (
            changed(|params| (params["role"], params["auth"]["token"]) = (json!("boss"), json!("wrong"))),
            &[("Origin", "https://evil.example")],
            error("INVALID_REQUEST", "invalid role", Value::Null),
            1008,
        ),
        (
            changed(|params| params["auth"]["token"] = json!("wrong")),
            &[("Origin", "https://evil.example")],
            origin,
            1008,
        ),
        (
            changed(|params| {
                params["client"] = json!({ "id": "openclaw-control-ui", "version": "1", "platform": "web", "mode": "webchat" });
            }),
            &local_page,
            control_ui,
            1008,
        ),
        (changed(|params| params["auth"] = json!({})), &[], no_device.clone(), 1008),
        (
            changed(|params| (params["role"], params["scopes"]) = (json!("node"), json!([]))),
            &[],
            no_device,
            1008,
        ),
    ];
    for (params, headers, expected, close) in table {
        let mut ws = Ws::open_with(gateway.port, headers);
        let (told, code, reason) = refused(&mut ws, params.clone());
        let message = expected["message"].as_str().unwrap().to_owned();
        assert_eq!(told, expected, "{params}");
        assert_eq!((code, reason.as_str()), (close, &message[..message.len().min(120)]), "{params}");
    }
}

#[test]
fn a_device_must_prove_that_it_holds_its_key_now_and_here() {
    let gateway = TestGateway::start();
    let device = Device::new(7);
    type Change = fn(&mut Value);
    let table: [(Change, &str, &str); 8] = [
        (|params| params["device"]["id"] = json!("00ff"), "device identity mismatch", "device-id-mismatch"),
        (
            |params| params["device"]["publicKey"] = json!("AAAA"),
            "device identity mismatch",
            "device-id-mismatch",
        ),
        (|params| params["device"]["nonce"] = json!(" "), "device nonce required", "device-nonce-missing"),
        (
            |params| params["device"]["nonce"] = json!("another"),
            "device nonce mismatch",
            "device-nonce-mismatch",
        ),
        (
            |params| params["device"]["signature"] = json!("AAAA"),
            "device signature invalid",
            "device-signature",
        ),
        // Everything that is signed is held to.
        (
            |params| params["scopes"] = json!(["operator.admin"]),
            "device signature invalid",
            "device-signature",
        ),
        (
            |params| params["client"]["platform"] = json!("darwin"),
            "device signature invalid",
            "device-signature",
        ),
        (|params| params["role"] = json!("node"), "device signature invalid", "device-signature"),
    ];
    for (change, message, reason) in table {
        let mut ws = Ws::open(gateway.port);
        let mut params = connect(3, &["operator.read"]);
        device.prove(&mut params, ws.nonce(), 3);
        change(&mut params);
        let details = json!({ "code": "DEVICE_AUTH_INVALID", "reason": reason });
        let expected = (error("INVALID_REQUEST", message, details), 1008, message.to_owned());
        assert_eq!(refused(&mut ws, params), expected);
    }
    for skew in [-130_000_i64, 130_000] {
        let mut ws = Ws::open(gateway.port);
        let mut params = connect(3, &["operator.read"]);
        device.prove_at(&mut params, ws.nonce(), 3, now_ms().checked_add_signed(skew).unwrap());
        let details = json!({ "code": "DEVICE_AUTH_INVALID", "reason": "device-signature-stale" });
        let expected = error("INVALID_REQUEST", "device signature expired", details);
        assert_eq!(refused(&mut ws, params).0, expected, "{skew}");
    }
    // A proof is good for its own connection only.
    let (earlier, mut ws) = (Ws::open(gateway.port), Ws::open(gateway.port));
    let mut params = connect(3, &["operator.read"]);
    device.prove(&mut params, earlier.nonce(), 3);
    assert_eq!(refused(&mut ws, params).0["message"], "device nonce mismatch");
}

#[test]
fn a_first_frame_that_is_no_connect_ends_the_connection() {
    let gateway = TestGateway::start();
    let not_connect = "invalid handshake: first request must be connect";
    let request = json!({ "type": "req", "id": "h", "method": "health" });
    let mut ws = Ws::open(gateway.port);
    ws.send(&request);
    let expected = json!({ "type": "res", "id": "h", "ok": false, "error": error("INVALID_REQUEST", not_connect, Value::Null) });
    assert_eq!(ws.frame(), expected);
    assert_eq!(ws.end(), (1008, not_connect.to_owned()));

    for text in [
        "{}",
        "[]",
        "1",
        "null",
        "\"text\"",
        r#"{"type":"event","event":"tick"}"#,
        r#"{"type":"req","method":"connect"}"#,
        r#"{"type":"req","id":1,"method":"connect"}"#,
        r#"{"type":"req","id":"","method":"connect"}"#,
        r#"{"type":"req","id":"a","method":"connect","extra":true}"#,
    ] {
        let mut ws = Ws::open(gateway.port);
        ws.send_text(text);
        let end = (ws.next(), 0).0;
        assert_eq!(end, Next::Closed(1008, "invalid request frame".to_owned()), "{text}");
    }
    for message in [
        Message::text("no json"),
        Message::text(""),
        Message::text("{\"type\":"),
        Message::binary(vec![0xff, 0xfe]),
    ] {
        let mut ws = Ws::open(gateway.port);
        ws.send_message(message.clone());
        assert_eq!(ws.next(), Next::Closed(1000, String::new()), "{message:?}");
    }
}

#[test]
fn a_connect_in_a_binary_message_counts_as_text() {
    let gateway = TestGateway::start();
    let mut ws = Ws::open(gateway.port);
    let request = json!({ "type": "req", "id": "b", "method": "connect", "params": connect(3, &[]) });
    ws.send_message(Message::binary(request.to_string().into_bytes()));
    assert_eq!(ws.frame()["payload"]["type"], "hello-ok");
}

#[test]
fn a_stranger_may_send_no_more_than_64_kib() {
    let gateway = TestGateway::start();
    let filler = "x".repeat(70 * 1024);
    // In one message.
    let mut ws = Ws::open(gateway.port);
    let request = json!({ "type": "req", "id": "a", "method": "connect", "params": { "filler": filler } });
    ws.send(&request);
    assert_eq!(ws.end(), (1009, "preauth payload too large".to_owned()));
    // In pieces that are never a message.
    let (mut stream, early) = upgrade(gateway.port, &[]);
    stream.write_all(&raw_frame(0x01, true, b"{")).unwrap();
    for _ in 0..40 {
        // The gateway may have ended the connection already.
        let _ = stream.write_all(&raw_frame(0x00, true, &[b' '; 2048]));
    }
    assert_eq!(Ws::over(stream, early).end(), (1009, "preauth payload too large".to_owned()));
    // In frames that carry nothing.
    let (mut stream, early) = upgrade(gateway.port, &[]);
    for _ in 0..1000 {
        let _ = stream.write_all(&raw_frame(0x8a, true, &[0; 125]));
    }
    assert_eq!(Ws::over(stream, early).end().0, 1009);
    // The header of a frame of 26 MiB is enough.
    let (mut stream, early) = upgrade(gateway.port, &[]);
    stream.write_all(&frame_header(0x81, true, 26 * 1024 * 1024)).unwrap();
    assert_eq!(Ws::over(stream, early).end(), (1009, "preauth payload too large".to_owned()));
}

#[test]
fn a_hostile_connect_is_explained_within_bounds() {
    let gateway = TestGateway::start();
    let mut friend = Ws::admin(&gateway);
    let many = |item: Value, count: usize| Value::Array(vec![item; count]);
    for params in [
        changed(|params| params["scopes"] = many(json!(1), 20_000)),
        changed(|params| params["caps"] = many(json!({}), 15_000)),
        changed(|params| {
            for number in 0..5_000 {
                params[format!("k{number}")] = json!(1);
            }
        }),
        changed(|params| params["client"]["id"] = json!("x".repeat(60_000))),
    ] {
        let began = Instant::now();
        let mut ws = Ws::open(gateway.port);
        let (told, code, _) = refused(&mut ws, params);
        let message = told["message"].as_str().unwrap();
        assert!(message.starts_with("invalid connect params: at "), "{message:.100}");
        assert!(message.len() < 16 * 1024, "{} bytes of explanation", message.len());
        assert_eq!(code, 1008);
        friend.call("health", json!({}));
        assert!(began.elapsed() < Duration::from_secs(2), "one frame took {:?}", began.elapsed());
    }
}

/// The only promise that takes its time: three silent strangers, side by side.
#[test]
fn those_who_do_not_finish_their_handshake_are_closed_after_ten_seconds() {
    let gateway = TestGateway::start();
    let began = Instant::now();
    let mut silent = Ws::open(gateway.port);
    let mut half = Ws::open(gateway.port);
    half.stream().write_all(&raw_frame(0x01, true, b"{\"type\":")).unwrap();
    let mut headers = std::net::TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    headers.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n").unwrap();
    headers.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(silent.next(), Next::Closed(1000, String::new()));
    assert_eq!(half.next(), Next::Closed(1000, String::new()));
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut headers, &mut answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(10) && took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn nothing_a_refused_client_sent_is_told_to_others() {
    let gateway = Setup::with(json!({ "logging": { "level": "trace" } })).start();
    let mut ws = Ws::open(gateway.port);
    refused(&mut ws, changed(|params| params["auth"]["token"] = json!("guessed-4242")));
    let mut ws = Ws::open(gateway.port);
    refused(
        &mut ws,
        changed(|params| params["auth"] = json!({ "token": TOKEN, "guessed-4242": "guessed-4242" })),
    );
    let log = std::fs::read_to_string(gateway.state("logs/gateway.log")).unwrap();
    assert!(log.contains("refused 127.0.0.1"), "{log}");
    assert!(!log.contains("guessed-4242"), "{log}");
}
