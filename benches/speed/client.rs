//! One client of the load generator: a TCP stream, a buffer, and the handshake of either server.

use std::fmt;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bench::{Outcome, failed};
use crate::frame;
use crate::server::Kind;

/// How long one step of one client may take before the benchmark gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The client a connection says it is.
#[derive(Clone, Copy, Debug)]
pub enum Mode {
    /// A back end: it gets a presence entry (protocol notes §1.13).
    Backend,
    /// A command line: it gets none.
    Cli,
}

impl Mode {
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Backend => ("gateway-client", "backend"),
            Self::Cli => ("cli", "cli"),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.names().1)
    }
}

/// What arrived.
#[derive(Debug)]
pub enum Incoming {
    /// A text frame.
    Text(Bytes),
    /// The server closes, or is gone.
    Closed,
}

impl Incoming {
    /// Whether it is an event, which a client gets unasked. The type is the first key of every frame.
    pub fn is_event(&self) -> bool {
        matches!(self, Self::Text(text) if text.starts_with(br#"{"type":"event""#))
    }
}

/// A connected client.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    input: BytesMut,
    /// Bytes of the answer to `connect`.
    pub hello: usize,
}

impl Client {
    /// Connects, upgrades and, at a gateway, waits for the challenge; sends `connect` and reads the answer.
    pub async fn open(kind: &Kind, port: u16, mode: Mode) -> Outcome<Self> {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let stream = timeout(PATIENCE, TcpStream::connect(address))
            .await
            .map_err(|_| failed("connecting", "it took too long"))?
            .map_err(|error| failed("connecting", why_connect(&error)))?;
        Self::begin(stream, kind, mode).await
    }

    /// As [`Client::open`], trying again until the server listens, without the granularity of the runtime's clock.
    /// It blocks the thread while it tries: nothing else may be going on. It gives up when `ended` says that nobody
    /// will ever listen.
    pub async fn open_first(
        kind: &Kind,
        port: u16,
        mode: Mode,
        mut ended: impl FnMut() -> bool,
    ) -> Outcome<Self> {
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let deadline = Instant::now() + PATIENCE;
        let mut tries = 0_u32;
        let stream = loop {
            match std::net::TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused && Instant::now() < deadline => {
                    tries += 1;
                    if tries.is_multiple_of(100) && ended() {
                        return Err(failed("connecting to a new server", "it has ended"));
                    }
                    std::thread::sleep(Duration::from_micros(20));
                }
                Err(error) => return Err(failed("connecting to a new server", error)),
            }
        };
        stream.set_nonblocking(true).map_err(|error| failed("connecting", error))?;
        let stream = TcpStream::from_std(stream).map_err(|error| failed("connecting", error))?;
        Self::begin(stream, kind, mode).await
    }

    async fn begin(stream: TcpStream, kind: &Kind, mode: Mode) -> Outcome<Self> {
        stream.set_nodelay(true).map_err(|error| failed("connecting", error))?;
        let mut client = Self { stream, input: BytesMut::with_capacity(1024), hello: 0 };
        timeout(PATIENCE, client.handshake(kind, mode))
            .await
            .map_err(|_| failed("shaking hands", "it took too long"))??;
        Ok(client)
    }

    async fn handshake(&mut self, kind: &Kind, mode: Mode) -> Outcome<()> {
        self.write(UPGRADE.as_bytes()).await?;
        let head = loop {
            if let Some(end) = self.input.windows(4).position(|four| four == b"\r\n\r\n") {
                break self.input.split_to(end + 4);
            }
            if self.fill().await? == 0 {
                return Err(failed("upgrading to a WebSocket", "the server closed the connection"));
            }
        };
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(failed("upgrading to a WebSocket", String::from_utf8_lossy(&head)));
        }
        if kind.challenges() {
            self.next().await?;
        }
        self.send(&connect_request(kind.token(), mode)).await?;
        match self.answer().await? {
            Incoming::Text(hello) if kind.accepted(&hello) => {
                self.hello = hello.len();
                Ok(())
            }
            Incoming::Text(refusal) => Err(failed("shaking hands", String::from_utf8_lossy(&refusal))),
            Incoming::Closed => Err(failed("shaking hands", "the server closed the connection")),
        }
    }

    /// Sends a text frame.
    pub async fn send(&mut self, text: &str) -> Outcome<()> {
        self.write(&frame::masked(frame::TEXT, text.as_bytes())).await
    }

    /// Sends frames that are already encoded.
    pub async fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.stream.write_all(bytes).await.map_err(|error| failed("sending to the server", error))
    }

    /// The next frame that is no event.
    pub async fn answer(&mut self) -> Outcome<Incoming> {
        loop {
            let incoming = self.next().await?;
            if !incoming.is_event() {
                return Ok(incoming);
            }
        }
    }

    /// The next text frame. Pings and the close frame are answered, as every client does. Can be cancelled and
    /// called again.
    pub async fn next(&mut self) -> Outcome<Incoming> {
        loop {
            while let Some((opcode, payload)) = self.buffered() {
                match opcode {
                    frame::TEXT => return Ok(Incoming::Text(payload)),
                    frame::PING => self.write(&frame::masked(frame::PONG, &payload)).await?,
                    frame::CLOSE => {
                        // The server may have gone without waiting for the answer.
                        let _ = self.write(&frame::masked(frame::CLOSE, &payload)).await;
                        return Ok(Incoming::Closed);
                    }
                    _ => return Err(failed("reading a frame", format!("opcode {opcode} was not expected"))),
                }
            }
            if self.fill().await? == 0 {
                return Ok(Incoming::Closed);
            }
        }
    }

    /// Closes as RFC 6455 §7.1 has it: close frame, the server's close frame, the server's end of the stream.
    pub async fn close(mut self) -> Outcome<()> {
        self.write(&frame::masked(frame::CLOSE, &1000_u16.to_be_bytes())).await?;
        let finished = async {
            while self.fill().await? != 0 {
                self.input.clear();
            }
            Ok(())
        };
        timeout(PATIENCE, finished)
            .await
            .map_err(|_| failed("closing", "the server kept the connection open"))?
    }

    /// The bare stream: a client that will only be held.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    fn buffered(&mut self) -> Option<(u8, Bytes)> {
        let header = frame::header(&self.input)?;
        if self.input.len() < header.length + header.payload {
            self.input.reserve(header.length + header.payload - self.input.len());
            return None;
        }
        self.input.advance(header.length);
        Some((header.opcode, self.input.split_to(header.payload).freeze()))
    }

    async fn fill(&mut self) -> Outcome<usize> {
        if self.input.capacity() == self.input.len() {
            self.input.reserve(1024);
        }
        match self.stream.read_buf(&mut self.input).await {
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(0),
            read => read.map_err(|error| failed("reading from the server", error)),
        }
    }
}

/// The request that upgrades, with the key of RFC 6455 §1.3.
const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// The first frame of a client without a device (protocol notes §1.3).
fn connect_request(token: &str, mode: Mode) -> String {
    let (id, mode) = mode.names();
    format!(
        r#"{{"type":"req","id":"1","method":"connect","params":{{"minProtocol":3,"maxProtocol":3,"client":{{"id":"{id}","version":"0.0.1","platform":"linux","mode":"{mode}"}},"role":"operator","scopes":["operator.admin","operator.read","operator.write","operator.approvals","operator.pairing"],"caps":[],"auth":{{"token":"{token}"}}}}}}"#
    )
}

fn why_connect(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrNotAvailable => {
            format!("{error}: no local port is left; widen net.ipv4.ip_local_port_range")
        }
        _ => error.to_string(),
    }
}
