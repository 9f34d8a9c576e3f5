//! A WebSocket over a TCP stream, as lean as an idle client should be.
//!
//! Reading, and the protocol's own control frames, are tungstenite's. Text frames are written past it, from shared
//! bytes: no copy, and no buffer that stays with the connection. While one of ours is half-written, tungstenite is told
//! that the stream would block, and while one of its own is, ours wait: none ever lands in the middle of another.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;
use tokio::task::coop;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Message};

/// Bytes read at a time. The buffer stays with the connection, so it is small; longer messages take more reads.
const READ_BUFFER: usize = 4096;
/// Frames written in one system call at most.
const WRITE_BATCH: usize = 16;

/// A WebSocket, seen from the server.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    context: WebSocketContext,
    /// Frames of ours not yet written; of the first, perhaps a part.
    pending: VecDeque<Bytes>,
    /// Whether the first of `pending` has been begun.
    begun: bool,
    /// Whether tungstenite has something of its own to write.
    control_due: bool,
    /// Whether a part of that has been written.
    control_begun: bool,
    /// Bytes the client may still send before it is known.
    allowance: Option<usize>,
}

/// What was read.
#[derive(Debug)]
pub(super) enum Received {
    /// A text message, or a binary one that is text.
    Text(Utf8Bytes),
    /// A message that is no text.
    NotText,
    /// The client has closed; the answer to that is queued.
    Closed,
    /// The client is gone.
    Gone,
    /// The message is larger than may be.
    TooLarge,
    /// More was sent than a stranger may send.
    TooMuchTooSoon,
    /// Text that is not UTF-8.
    NotUtf8,
    /// The client broke the rules of WebSocket (RFC 6455).
    Broken,
}

impl Wire {
    /// Takes over a stream that has been upgraded. `early` is what was read beyond the request; `allowance` is how
    /// much may be read until [`Wire::trust`].
    pub(super) fn new(stream: TcpStream, early: &Bytes, max_message: usize, allowance: usize) -> Self {
        let context =
            WebSocketContext::from_partially_read(early.to_vec(), Role::Server, Some(config(max_message)));
        Self {
            stream,
            context,
            pending: VecDeque::new(),
            begun: false,
            control_due: false,
            control_begun: false,
            allowance: Some(allowance.saturating_sub(early.len())),
        }
    }

    /// The client is known: it may send as much as it likes, in messages of up to `max_message` bytes.
    pub(super) fn trust(&mut self, max_message: usize) {
        self.allowance = None;
        self.context.set_config(|set| {
            (set.max_message_size, set.max_frame_size) = (Some(max_message), Some(max_message));
        });
    }

    /// Whether frames wait to be written: the client does not read, or not fast enough.
    pub(super) fn is_blocked(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Queues a frame.
    pub(super) fn queue(&mut self, frame: Bytes) {
        self.pending.push_back(frame);
    }

    /// Where frames are queued.
    pub(super) fn pending_mut(&mut self) -> &mut VecDeque<Bytes> {
        &mut self.pending
    }

    /// Writes a frame at once if nothing is in the way; what the stream does not take is queued. Returns how many
    /// bytes were.
    pub(super) fn write_now(&mut self, frame: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        if self.pending.is_empty() && !self.control_begun {
            match self.stream.try_write(frame) {
                Ok(count) => written = count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if written < frame.len() {
            self.begun |= written > 0;
            self.pending.push_back(Bytes::copy_from_slice(&frame[written..]));
        }
        Ok(frame.len() - written)
    }

    /// Writes what is queued, then what tungstenite has to say; but what it has begun comes first. Ready once all is
    /// written; `progress` counts the bytes of what was queued.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, progress: &mut usize) -> Poll<io::Result<()>> {
        loop {
            let written = if !self.pending.is_empty() && !self.control_begun {
                self.write_some().map(|count| *progress += count)
            } else if self.control_due {
                self.write_control()
            } else {
                return Poll::Ready(Ok(()));
            };
            match written {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::task::ready!(self.stream.poll_write_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn write_control(&mut self) -> io::Result<()> {
        let mut half = Half {
            stream: &self.stream,
            blocked: false,
            begun: &mut self.control_begun,
            allowance: &mut None,
        };
        match self.context.flush(&mut half) {
            Err(Error::Io(error)) => Err(error),
            // Closed, one way or the other: nothing is left to write.
            Ok(()) | Err(_) => {
                (self.control_due, self.control_begun) = (false, false);
                Ok(())
            }
        }
    }

    fn write_some(&mut self) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); WRITE_BATCH];
        let mut used = 0;
        for (slice, frame) in slices.iter_mut().zip(&self.pending) {
            *slice = IoSlice::new(frame);
            used += 1;
        }
        let count = self.stream.try_write_vectored(&slices[..used])?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let mut left = count;
        while left > 0 {
            let Some(first) = self.pending.front_mut() else { break };
            if first.len() <= left {
                left -= first.len();
                self.pending.pop_front();
                self.begun = false;
            } else {
                first.advance(left);
                left = 0;
                self.begun = true;
            }
        }
        if self.pending.is_empty() {
            // An idle connection keeps no buffer.
            self.pending = VecDeque::new();
        }
        Ok(count)
    }

    /// Reads the next message. Whoever sends without a pause has to leave the thread to others now and then, and is
    /// not read from while it does not take the answers to its pings.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Received> {
        loop {
            std::task::ready!(coop::poll_proceed(cx)).made_progress();
            let mut half = Half {
                stream: &self.stream,
                blocked: !self.pending.is_empty(),
                begun: &mut self.control_begun,
                allowance: &mut self.allowance,
            };
            let received = match self.context.read(&mut half) {
                Ok(Message::Text(text)) => Received::Text(text),
                Ok(Message::Binary(bytes)) => {
                    Utf8Bytes::try_from(bytes).map_or(Received::NotText, Received::Text)
                }
                // The answer is tungstenite's.
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                    self.control_due = true;
                    match std::task::ready!(self.poll_write(cx, &mut 0)) {
                        Ok(()) => continue,
                        Err(_) => Received::Gone,
                    }
                }
                Ok(Message::Close(_)) => {
                    self.control_due = true;
                    Received::Closed
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    match std::task::ready!(self.stream.poll_read_ready(cx)) {
                        Ok(()) => continue,
                        Err(_) => Received::Gone,
                    }
                }
                Err(error) => received(&error),
            };
            return Poll::Ready(received);
        }
    }

    /// Gives up on everything that is queued but what has been begun, so that a close frame can follow it.
    pub(super) fn drop_queued(&mut self) {
        self.pending.truncate(usize::from(self.begun));
    }

    /// Queues a close frame behind what is queued.
    pub(super) fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: shortened(reason).into() };
        let mut half = Half {
            stream: &self.stream,
            blocked: !self.pending.is_empty(),
            begun: &mut self.control_begun,
            allowance: &mut None,
        };
        // What cannot be written now is written by poll_write; anything else means that it is closed already.
        let _ = self.context.close(&mut half, Some(frame));
        self.control_due = true;
    }

    /// The stream, to end it.
    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

fn config(max_message: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}

fn received(error: &Error) -> Received {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Received::TooLarge,
        Error::Io(error) if error.kind() == io::ErrorKind::QuotaExceeded => Received::TooMuchTooSoon,
        Error::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        )
        | Error::Io(_)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => Received::Gone,
        Error::Utf8(_) => Received::NotUtf8,
        _ => Received::Broken,
    }
}

/// A close frame holds 123 bytes of reason (RFC 6455 §5.5); the protocol keeps to 120 (§1.6).
fn shortened(reason: &str) -> String {
    let mut end = reason.len().min(120);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason[..end].to_owned()
}

/// The stream as tungstenite may use it.
struct Half<'a> {
    stream: &'a TcpStream,
    blocked: bool,
    /// Whether the last frame was written in part.
    begun: &'a mut bool,
    allowance: &'a mut Option<usize>,
}

impl Read for Half<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.try_read(buffer)?;
        if let Some(allowance) = self.allowance {
            *allowance = allowance.checked_sub(count).ok_or(io::ErrorKind::QuotaExceeded)?;
        }
        Ok(count)
    }
}

impl Write for Half<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.blocked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.stream.try_write(buffer)?;
        // The buffer is all that tungstenite has to write.
        *self.begun = count < buffer.len();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn wire() -> (Wire, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Wire::new(listener.accept().await.unwrap().0, &Bytes::new(), 1024, 1024), client)
    }

    #[tokio::test]
    async fn a_frame_waits_for_the_rest_of_a_pong() {
        let (mut wire, mut client) = wire().await;
        // As it is when the stream took the first bytes of the pong and no more.
        let mut nowhere = Half {
            stream: &wire.stream,
            blocked: true,
            begun: &mut wire.control_begun,
            allowance: &mut None,
        };
        assert!(wire.context.write(&mut nowhere, Message::Pong(Bytes::from_static(b"pong"))).is_err());
        (wire.control_due, wire.control_begun) = (true, true);
        assert_eq!(wire.write_now(b"\x81\x04text").unwrap(), 6, "all of it waits");
        let mut progress = 0;
        std::future::poll_fn(|cx| wire.poll_write(cx, &mut progress)).await.unwrap();
        let mut sent = [0; 12];
        client.read_exact(&mut sent).await.unwrap();
        assert_eq!((&sent, progress), (b"\x8a\x04pong\x81\x04text", 6));
        assert!(!wire.is_blocked() && !wire.control_begun);
    }

    #[test]
    fn close_reasons_are_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"x".repeat(200)).len(), 120);
        assert_eq!(shortened(&format!("{}ä", "x".repeat(119))).len(), 119);
    }
}
