//! A connected client, from its first frame to its last.
//!
//! One task a connection. It reads while it can write: a client that does not take its answers is not asked for
//! further questions, and one that does not take its events is closed (protocol notes §2.6).

mod client;
mod goodbye;
mod handshake;
mod hello;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::handshakes::Handshake;
use super::http::connection::Upgraded;
use super::methods::dispatch;
use super::state::State;
use super::wishes::Wish;
use crate::bus::Close;
use crate::protocol::frame::{HANDSHAKE_TIMEOUT_MS, MAX_PREAUTH};
pub(super) use client::{Caller, Client};
use wire::{Received, Wire};

/// Frames moved from the outbox to the wire at a time.
const BATCH: usize = 64;

const BROKEN: Close = Close { code: 1002, reason: "protocol error", flush: true };
const NOT_UTF8: Close = Close { code: 1007, reason: "text is not UTF-8", flush: true };
const TOO_LARGE: Close = Close { code: 1009, reason: "message too big", flush: true };
const STOPPING: Close = Close { code: 1012, reason: "service restart", flush: true };

/// Serves an upgraded connection to its end.
pub(super) async fn serve(upgraded: Upgraded, from: SocketAddr, state: Arc<State>, pending: Handshake) {
    let mut wire = Wire::new(upgraded.stream, &upgraded.early, MAX_PREAUTH, MAX_PREAUTH);
    let deadline = Duration::from_millis(HANDSHAKE_TIMEOUT_MS);
    // Boxed: an idle client should not pay for the room its handshake took.
    let shaking = Box::pin(handshake::perform(&mut wire, &state, &upgraded.headers, from));
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(deadline, shaking) => outcome.unwrap_or(Err(Ending::Close(1000, String::new()))),
        () = state.tasks.stop_token().cancelled() => Err(Ending::Close(STOPPING.code, STOPPING.reason.to_owned())),
    };
    // Each would keep its buffers as long as the connection lasts.
    drop((pending, upgraded.headers, upgraded.early));
    let ending = match outcome {
        Ok(client) => {
            state.wishes.make(Wish::Health);
            state.wishes.make(Wish::Status);
            let ending = converse(&mut wire, client, &state).await;
            state.wishes.make(Wish::Status);
            ending
        }
        Err(ending) => ending,
    };
    // Boxed, as the handshake is.
    match ending {
        Ending::Gone => {}
        Ending::Closed => Box::pin(goodbye::answer(wire, &state)).await,
        Ending::Close(code, reason) => Box::pin(goodbye::say(wire, code, &reason, &state)).await,
    }
}

/// How a connection ends.
#[derive(Debug)]
enum Ending {
    /// The client is gone.
    Gone,
    /// The client closes it.
    Closed,
    /// The gateway closes it.
    Close(u16, String),
}

impl From<Close> for Ending {
    fn from(close: Close) -> Self {
        Self::Close(close.code, close.reason.to_owned())
    }
}

/// What happens next on a connection.
enum Next {
    Received(Received),
    Close(Close),
    Failed(io::Error),
}

async fn converse(wire: &mut Wire, mut client: Client, state: &Arc<State>) -> Ending {
    let ending = loop {
        match next(wire, &client).await {
            Next::Received(Received::Text(text)) => {
                dispatch::serve(&text, &mut client, state, wire_reply(wire));
            }
            Next::Received(Received::NotText) => {
                tracing::debug!(target: "ws", "{}: ignored a message that is no text", client.conn_id());
            }
            Next::Received(Received::Closed) => break Ending::Closed,
            Next::Received(Received::Gone) => break Ending::Gone,
            Next::Received(Received::TooLarge | Received::TooMuchTooSoon) => break TOO_LARGE.into(),
            Next::Received(Received::NotUtf8) => break NOT_UTF8.into(),
            Next::Received(Received::Broken) => break BROKEN.into(),
            Next::Close(close) => break close.into(),
            Next::Failed(error) => {
                tracing::debug!(target: "ws", "{}: {error}", client.conn_id());
                break Ending::Gone;
            }
        }
    };
    if let Ending::Close(code, reason) = &ending {
        tracing::debug!(target: "ws", "{}: closed {code} {reason}", client.conn_id());
    }
    ending
}

/// Answers go straight to the wire; what it does not take at once counts as waiting for the client.
fn wire_reply(wire: &mut Wire) -> impl FnMut(&[u8]) -> io::Result<usize> {
    |frame| wire.write_now(frame)
}

/// Writes what is due, and waits for the next message or the wish to close.
async fn next(wire: &mut Wire, client: &Client) -> Next {
    std::future::poll_fn(|cx| {
        client.outbox().register(cx.waker());
        loop {
            let mut progress = 0;
            let written = wire.poll_write(cx, &mut progress);
            if progress > 0 {
                client.outbox().written(progress);
            }
            match written {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Next::Failed(error)),
                Poll::Pending => {
                    // Only the wish to close is looked for while the client does not read.
                    return client
                        .outbox()
                        .closing()
                        .map_or(Poll::Pending, |close| Poll::Ready(Next::Close(close)));
                }
            }
            let close = client.take_frames(wire.pending_mut(), BATCH);
            if wire.is_blocked() {
                continue;
            }
            if let Some(close) = close {
                return Poll::Ready(Next::Close(close));
            }
            if client.is_busy(cx) {
                return Poll::Pending;
            }
            return wire.poll_read(cx).map(Next::Received);
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of the future that a function makes.
    fn future_of<A, B, C, D, E, F>(_: fn(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_client_holds_no_room_for_its_handshake_or_its_goodbye() {
        // What it needs, and the timer of its handshake. A buffer that lives across a wait would not fit.
        let most = size_of::<Wire>() + size_of::<Client>() + 1536;
        let whole = future_of(super::super::http::connection::serve);
        assert!(whole <= most, "{whole} bytes, at most {most}");
    }
}
