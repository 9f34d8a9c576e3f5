//! A WebSocket client as a stranger would write it from the protocol notes: JSON in text frames, nothing of ours.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use super::device::Device;
use super::gateway::{DEADLINE, TOKEN, TestGateway};

/// Every operator scope (protocol notes §1.4).
pub const ALL_SCOPES: [&str; 5] =
    ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing"];

/// A connection. Nothing it waits for may take longer than [`DEADLINE`].
pub struct Ws {
    socket: WebSocket<TcpStream>,
    requests: u64,
    /// Frames that came while something else was waited for.
    early: VecDeque<Value>,
    /// The payload of `connect.challenge`.
    pub challenge: Value,
}

/// What comes next.
#[derive(Debug, PartialEq)]
pub enum Next {
    Frame(Value),
    /// A close frame: its code, 1005 where it has none, and its reason.
    Closed(u16, String),
    /// The end without a close frame.
    Gone,
}

impl Ws {
    /// Opens a connection and takes the challenge.
    pub fn open(port: u16) -> Self {
        Self::open_with(port, &[])
    }

    /// The same with more headers; one of the usual ones is replaced.
    pub fn open_with(port: u16, headers: &[(&str, &str)]) -> Self {
        let mut ws = Self::silent(port, headers);
        let challenge = ws.frame();
        assert_eq!(challenge["event"], "connect.challenge", "{challenge}");
        ws.challenge = challenge["payload"].clone();
        ws
    }

    /// Opens a connection and waits for nothing.
    pub fn silent(port: u16, headers: &[(&str, &str)]) -> Self {
        let (stream, early) = upgrade(port, headers);
        Self::over(stream, early)
    }

    /// Goes on with a stream that has been upgraded.
    pub fn over(stream: TcpStream, early: Vec<u8>) -> Self {
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let socket = WebSocket::from_partially_read(stream, early, Role::Client, Some(config));
        Self { socket, requests: 0, early: VecDeque::new(), challenge: Value::Null }
    }

    pub fn nonce(&self) -> &str {
        self.challenge["nonce"].as_str().expect("it was challenged")
    }

    /// Connects with these parameters, which must be accepted. Returns the payload of `hello-ok` too.
    pub fn connect_with(port: u16, params: Value) -> (Self, Value) {
        let mut ws = Self::open(port);
        let answer = ws.connect(params);
        assert_eq!(answer["ok"], true, "{answer}");
        (ws, answer["payload"].clone())
    }

    /// Connects as a program that knows the token, with these scopes.
    pub fn operator(gateway: &TestGateway, scopes: &[&str]) -> Self {
        Self::connect_with(gateway.port, connect(3, scopes)).0
    }

    /// The same with every scope.
    pub fn admin(gateway: &TestGateway) -> Self {
        Self::operator(gateway, &ALL_SCOPES)
    }

    /// Sends `connect` and returns the response.
    pub fn connect(&mut self, params: Value) -> Value {
        self.request("connect", params)
    }

    /// The same for a device, which signs the parameters (signature version 3).
    pub fn connect_device(&mut self, mut params: Value, device: &Device) -> Value {
        device.prove(&mut params, self.nonce(), 3);
        self.connect(params)
    }

    pub fn send(&mut self, frame: &Value) {
        self.send_text(frame.to_string());
    }

    pub fn send_text(&mut self, text: impl Into<String>) {
        self.send_message(Message::text(text.into()));
    }

    pub fn send_message(&mut self, message: Message) {
        self.socket.send(message).expect("the gateway takes what is sent");
    }

    /// Sends a request without waiting for its response, and returns its id.
    pub fn ask(&mut self, method: &str, params: Value) -> String {
        self.requests += 1;
        let id = format!("q{}", self.requests);
        self.send(&json!({ "type": "req", "id": id, "method": method, "params": params }));
        id
    }

    /// Sends a request and returns its response.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.response(&id)
    }

    /// Waits for the response to a request.
    pub fn response(&mut self, id: &str) -> Value {
        self.wait_for(|frame| frame["type"] == "res" && frame["id"] == id)
    }

    /// Calls a method that must be granted, and returns its result.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let mut response = self.request(method, params);
        assert_eq!(response["ok"], true, "{method}: {response}");
        response["payload"].take()
    }

    /// Calls a method that must be refused, and returns the error.
    pub fn refusal(&mut self, method: &str, params: Value) -> Value {
        let mut response = self.request(method, params);
        assert_eq!(response["ok"], false, "{method}: {response}");
        assert!(response.get("payload").is_none(), "{response}");
        response["error"].take()
    }

    /// Waits for the next event of this name, and returns its whole frame.
    pub fn event(&mut self, name: &str) -> Value {
        self.wait_for(|frame| frame["event"] == name)
    }

    /// Frames that have come and were not waited for, up to the response to a request sent now.
    pub fn so_far(&mut self) -> Vec<Value> {
        self.call("health", json!({}));
        self.so_far_without_asking()
    }

    /// The same, up to the last response that was waited for.
    pub fn so_far_without_asking(&mut self) -> Vec<Value> {
        self.early.drain(..).collect()
    }

    fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.early.iter().position(&wanted) {
            return self.early.remove(at).unwrap();
        }
        loop {
            let frame = self.frame();
            if wanted(&frame) {
                return frame;
            }
            self.early.push_back(frame);
        }
    }

    /// The next frame, which must be one.
    pub fn frame(&mut self) -> Value {
        match self.next() {
            Next::Frame(frame) => frame,
            end => panic!("no further frame: {end:?}; so far: {:?}", self.early),
        }
    }

    /// Waits for what comes next.
    pub fn next(&mut self) -> Next {
        self.next_within(DEADLINE).expect("something comes before the deadline")
    }

    /// The same for so long only.
    pub fn next_within(&mut self, patience: Duration) -> Option<Next> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.get_ref().set_read_timeout(Some(left)).unwrap();
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    return Some(Next::Frame(serde_json::from_str(&text).expect("frames are JSON")));
                }
                Ok(Message::Close(frame)) => {
                    // The echo goes out with the next read; the gateway ends the connection then.
                    let _ = self.socket.read();
                    return Some(frame.map_or_else(
                        || Next::Closed(1005, String::new()),
                        |frame| Next::Closed(frame.code.into(), frame.reason.to_string()),
                    ));
                }
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return Some(Next::Gone),
            }
        }
    }

    /// Passes over frames until the connection ends, and says how: code and reason, 1006 without a close frame.
    pub fn end(&mut self) -> (u16, String) {
        loop {
            match self.next() {
                Next::Frame(_) => {}
                Next::Closed(code, reason) => return (code, reason),
                Next::Gone => return (1006, String::new()),
            }
        }
    }

    /// Closes, and waits until the gateway has ended the connection.
    pub fn leave(mut self) {
        self.socket.close(None).unwrap();
        self.end();
    }

    /// The stream below.
    pub fn stream(&self) -> &TcpStream {
        self.socket.get_ref()
    }

    /// The stream below, taken away from the WebSocket.
    pub fn into_stream(self) -> TcpStream {
        self.socket.get_ref().try_clone().unwrap()
    }
}

/// Parameters of `connect` of a program that knows [`TOKEN`].
pub fn connect(protocol: u32, scopes: &[&str]) -> Value {
    json!({
        "minProtocol": protocol, "maxProtocol": protocol,
        "client": { "id": "gateway-client", "version": "0.0.1", "platform": "linux", "mode": "backend" },
        "role": "operator", "scopes": scopes, "caps": [], "auth": { "token": TOKEN },
    })
}

/// Upgrades a connection by hand. Returns it and what came after the answer's head.
pub fn upgrade(port: u16, headers: &[(&str, &str)]) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the gateway listens");
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(upgrade_request(port, headers).as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let end = loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).expect("an answer to the upgrade");
        bytes.extend_from_slice(&chunk[..count]);
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            break end + 4;
        }
        assert!(count > 0, "no answer to the upgrade: {:?}", String::from_utf8_lossy(&bytes));
    };
    let early = bytes.split_off(end);
    let head = String::from_utf8(bytes).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    (stream, early)
}

/// The request for an upgrade (RFC 6455 §4.1).
pub fn upgrade_request(port: u16, headers: &[(&str, &str)]) -> String {
    let host = format!("127.0.0.1:{port}");
    let usual = [
        ("Host", host.as_str()),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let kept =
        usual.iter().filter(|(name, _)| !headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
    let lines = kept.chain(headers).map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("GET / HTTP/1.1\r\n{}\r\n", lines.collect::<String>())
}

/// One frame as a client sends it, byte by byte: `first` is FIN, the reserved bits and the opcode. The mask is zero,
/// which changes no byte of the payload.
pub fn raw_frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    [&frame_header(first, masked, payload.len()), payload].concat()
}

/// The header of such a frame alone.
pub fn frame_header(first: u8, masked: bool, len: usize) -> Vec<u8> {
    let mut header = vec![first];
    let mask_bit = if masked { 0x80 } else { 0 };
    match len {
        0..126 => header.push(mask_bit | u8::try_from(len).unwrap()),
        126..0x1_0000 => {
            header.push(mask_bit | 126);
            header.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        _ => {
            header.push(mask_bit | 127);
            header.extend(u64::try_from(len).unwrap().to_be_bytes());
        }
    }
    if masked {
        header.extend([0; 4]);
    }
    header
}
