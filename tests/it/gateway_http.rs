//! HTTP on the gateway's port: probes, what everything else is told, and the upgrade to a WebSocket (protocol notes
//! §1.1, §5.1, §5.9).

use std::io::Write;

use serde_json::{Value, json};

use crate::support::gateway::{Setup, TestGateway};
use crate::support::http::{Answer, ask, parse, send};
use crate::support::ws::{Ws, connect, upgrade_request};

fn assert_hardened(answer: &Answer) {
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
}

#[test]
fn probes_answer_get_and_head_and_nothing_else() {
    let gateway = TestGateway::start();
    for path in ["/health", "/healthz", "/ready", "/readyz", "/healthz?verbose=1"] {
        let got = ask(gateway.port, "GET", path, &[]);
        assert_eq!((got.status, got.header("content-type")), (200, Some("application/json")), "{path}");
        assert_hardened(&got);
        let head = ask(gateway.port, "HEAD", path, &[]);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert!(head.header("content-length").is_some(), "{head:?}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let refused = ask(gateway.port, method, path, &[]);
            assert_eq!(
                (refused.status, refused.header("allow")),
                (405, Some("GET, HEAD")),
                "{method} {path}"
            );
            assert_hardened(&refused);
        }
    }
    let live = json!({ "ok": true, "status": "live" });
    assert_eq!(ask(gateway.port, "GET", "/healthz", &[]).json(), live);
}

#[test]
fn details_of_readiness_are_for_callers_on_this_machine() {
    let gateway = Setup::with(json!({})).env("INVOCATION_ID", "f00d").start();
    let mut local = ask(gateway.port, "GET", "/readyz", &[]).json();
    assert!(local["uptimeMs"].take().as_u64().is_some());
    let version = local["version"].take();
    assert_eq!(version.as_str().unwrap().split('.').count(), 3);
    let expected = json!({ "ready": true, "pid": gateway.pid(), "invocationId": "f00d", "uptimeMs": null, "version": null });
    assert_eq!(local, expected);
    let strangers: [&[(&str, &str)]; 5] = [
        &[("X-Forwarded-For", "203.0.113.9")],
        &[("X-Real-IP", "127.0.0.1")],
        &[("X-Forwarded-Host", "localhost")],
        &[("Host", "gateway.example")],
        &[("Host", "127.0.0.1.evil.example")],
    ];
    for headers in strangers {
        assert_eq!(
            ask(gateway.port, "GET", "/readyz", headers).json(),
            json!({ "ready": true }),
            "{headers:?}"
        );
    }
}

#[test]
fn everything_else_is_not_found() {
    let gateway = TestGateway::start();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/nope"),
        ("POST", "/tools/invoke"),
        ("GET", "/healthz/"),
        ("GET", "//healthz"),
        ("GET", "/../etc/passwd"),
        ("GET", "/%2e%2e/healthz"),
        ("DELETE", "/ready/x"),
        ("BREW", "/pot"),
    ] {
        let answer = ask(gateway.port, method, path, &[]);
        assert_eq!((answer.status, answer.body.as_str()), (404, "Not Found"), "{method} {path}");
        assert_hardened(&answer);
    }
}

#[test]
fn a_websocket_is_welcome_on_any_path() {
    let gateway = TestGateway::start();
    for path in ["/", "/ws", "/healthz", "/deep/path?token=1"] {
        let request = upgrade_request(gateway.port, &[]).replacen("GET / ", &format!("GET {path} "), 1);
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = [0; 12];
        std::io::Read::read_exact(&mut stream, &mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 101", "{path}");
    }
    // What the client sent with its request is not lost.
    let mut early = upgrade_request(gateway.port, &[]).into_bytes();
    let request = json!({ "type": "req", "id": "e", "method": "connect", "params": connect(3, &[]) });
    early.extend(crate::support::ws::raw_frame(0x81, true, request.to_string().as_bytes()));
    early.extend(crate::support::ws::raw_frame(0x88, true, &1000_u16.to_be_bytes()));
    let answer = send(gateway.port, &early);
    let (head, frames) = parse(&answer);
    assert_eq!(
        (head.status, head.header("sec-websocket-accept")),
        (101, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
    );
    assert_eq!(head.header("sec-websocket-extensions"), None);
    assert!(
        head.body.contains("hello-ok") || String::from_utf8_lossy(frames).contains("hello-ok"),
        "{answer:?}"
    );
}

#[test]
fn a_bad_upgrade_is_told_why() {
    let gateway = TestGateway::start();
    let table: [(&str, &str, u16); 6] = [
        ("Connection", "close", 400),
        ("Sec-WebSocket-Version", "8", 426),
        ("Sec-WebSocket-Version", "", 426),
        ("Sec-WebSocket-Key", "short", 400),
        ("Sec-WebSocket-Key", "", 400),
        ("Upgrade", "h2c", 404),
    ];
    for (name, value, status) in table {
        let request = upgrade_request(gateway.port, &[(name, value)]);
        let request = request.replace("Connection: Upgrade", "Connection: Upgrade, close");
        let answers = send(gateway.port, request.as_bytes());
        let (answer, _) = parse(&answers);
        assert_eq!(answer.status, status, "{name}: {value}: {answer:?}");
        let version = (status == 426).then_some("13");
        assert_eq!(answer.header("sec-websocket-version"), version, "{answer:?}");
        assert_hardened(&answer);
    }
    let post = upgrade_request(gateway.port, &[])
        .replacen("GET", "POST", 1)
        .replace("Connection: Upgrade", "Connection: Upgrade, close");
    let bytes = send(gateway.port, post.as_bytes());
    let (answer, _) = parse(&bytes);
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")));
    assert_hardened(&answer);
}

#[test]
fn several_requests_share_a_connection() {
    let gateway = TestGateway::start();
    let get = |path: &str, connection: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: {connection}\r\n\r\n")
    };
    let request =
        [get("/healthz", "keep-alive"), get("/nope", "keep-alive"), get("/readyz", "close")].concat();
    let bytes = send(gateway.port, request.as_bytes());
    let mut rest = bytes.as_slice();
    let mut statuses = Vec::new();
    while !rest.is_empty() {
        let (answer, more) = parse(rest);
        statuses.push(answer.status);
        rest = more;
    }
    assert_eq!(statuses, [200, 404, 200]);
}

#[test]
fn what_is_no_http_is_refused_and_harms_nobody() {
    let gateway = TestGateway::start();
    let mut friend = Ws::admin(&gateway);
    let long_header = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(64 * 1024));
    let many_headers = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(500));
    let large_body = [
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n".to_vec(),
        vec![b'z'; 8 << 20],
    ]
    .concat();
    let smuggled = b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n";
    let with_body = upgrade_request(gateway.port, &[("Content-Length", "5")]);
    let table: [(&str, Vec<u8>, &[u16]); 10] = [
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(40), &[400]),
        ("noise", b"\x00\xff\x00\xff\r\n\r\n".to_vec(), &[400]),
        ("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec(), &[400]),
        ("HTTP/2 with prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[]),
        ("a long header", long_header.into_bytes(), &[431]),
        ("many headers", many_headers.into_bytes(), &[431]),
        ("a large body that nobody wants", large_body, &[405]),
        ("two lengths", smuggled.to_vec(), &[400, 200]),
        ("half a request", b"GET /healthz HT".to_vec(), &[]),
        ("an upgrade with a body", with_body.into_bytes(), &[]),
    ];
    for (what, bytes, statuses) in table {
        if statuses.is_empty() {
            // There is no answer to wait for: the client gives up.
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
            stream.write_all(&bytes).unwrap();
        } else {
            // Whoever had not finished sending may find the connection reset before the answer was read.
            let answer = send(gateway.port, &bytes);
            let unread = answer.is_empty() && bytes.len() > 4096;
            assert!(unread || statuses.contains(&parse(&answer).0.status), "{what}");
        }
        friend.call("health", json!({}));
        assert_eq!(ask(gateway.port, "GET", "/healthz", &[]).status, 200, "{what}");
    }
}

#[test]
fn an_old_client_gets_an_old_answer() {
    let gateway = TestGateway::start();
    let answer = send(gateway.port, b"GET /healthz HTTP/1.0\r\n\r\n");
    let (answer, _) = parse(&answer);
    assert_eq!(answer.json(), json!({ "ok": true, "status": "live" }));
    assert_ne!(answer.json(), Value::Null);
}
