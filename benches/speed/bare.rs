//! The bare server: the least that tokio and tokio-tungstenite need to answer frames, in the manner of the latter's own
//! server example. What the gateway's figures are above this server's is what the gateway itself costs.
//!
//! A multi-threaded runtime with default settings, one task and one inbox per connection, a fixed string in answer to
//! every text frame, and a fixed string to all connections on the frame [`TRIGGER`]. It knows nothing of the protocol.
//! An inbox per connection broadcasts at least as fast as one `tokio::sync::broadcast` for all of them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use crate::bench::{Outcome, failed};

/// The argument that makes this program the bare server: `bare PORT BROADCAST-BYTES`.
pub const ROLE: &str = "bare";

/// The frame on which all connections get the broadcast string.
pub const TRIGGER: &str = "broadcast";

/// The answer to every frame: as long as a gateway's answer to `last-heartbeat` while there was no heartbeat.
pub const ANSWER: &str = r#"{"type":"res","id":"1","ok":true,"payload":null}"#;

/// tungstenite's read buffer per connection. Its default of 128 KiB would be all of the memory figure; with 4 KiB a
/// connection costs about 9 kB: this buffer, 3 kB of task and 1.7 kB of inbox.
const READ_BUFFER: usize = 4096;

/// Broadcasts that wait for a slow connection; it misses those beyond.
const INBOX: usize = 32;

/// The inboxes of all connections.
#[derive(Clone, Debug, Default)]
struct Inboxes(Arc<Mutex<HashMap<SocketAddr, mpsc::Sender<Utf8Bytes>>>>);

impl Inboxes {
    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, mpsc::Sender<Utf8Bytes>>> {
        // A map is whole after every step, also after one that panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, peer: SocketAddr) -> mpsc::Receiver<Utf8Bytes> {
        let (sender, inbox) = mpsc::channel(INBOX);
        self.lock().insert(peer, sender);
        inbox
    }

    fn send(&self, event: &Utf8Bytes) {
        for sender in self.lock().values() {
            // A full inbox is a missing frame, which the load generator notices.
            let _ = sender.try_send(event.clone());
        }
    }

    fn close(&self, peer: SocketAddr) {
        self.lock().remove(&peer);
    }
}

/// Serves until it is killed.
pub fn run(args: &[OsString]) -> Outcome<ExitCode> {
    let number = |at: usize| args.get(at)?.to_str()?.parse::<usize>().ok();
    let (port, bytes) = number(0).zip(number(1)).ok_or("usage: bare PORT BROADCAST-BYTES")?;
    let port = u16::try_from(port)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(port, event(bytes)))?;
    Ok(ExitCode::SUCCESS)
}

/// An event frame of the given length, or of the shortest length an event can have.
fn event(bytes: usize) -> Utf8Bytes {
    let (head, tail) = (r#"{"type":"event","payload":""#, r#""}"#);
    let filling = bytes.saturating_sub(head.len() + tail.len());
    format!("{head}{}{tail}", "x".repeat(filling)).into()
}

#[expect(clippy::disallowed_methods, reason = "this is what a server without an owner for its tasks does")]
async fn serve(port: u16, event: Utf8Bytes) -> Outcome<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| failed("listening on the bare server's port", error))?;
    let inboxes = Inboxes::default();
    loop {
        let (stream, peer) = listener.accept().await?;
        let (inboxes, event) = (inboxes.clone(), event.clone());
        tokio::spawn(async move {
            // A client that goes away is no event here.
            let _ = converse(stream, peer, &inboxes, &event).await;
            inboxes.close(peer);
        });
    }
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    inboxes: &Inboxes,
    event: &Utf8Bytes,
) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    let mut inbox = inboxes.open(peer);
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    if text.as_str() == TRIGGER {
                        inboxes.send(event);
                    }
                    socket.send(Message::Text(Utf8Bytes::from_static(ANSWER))).await?;
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            Some(event) = inbox.recv() => socket.send(Message::Text(event)).await?,
        }
    }
}
