//! The end of a connection, whoever closes it: the client learns why, and is not waited for long.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::wire::Wire;
use crate::gateway::state::State;

/// How long a client whose connection is closed has to take what was sent and say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
/// The same once the gateway is stopping.
const LAST_GOODBYE: Duration = Duration::from_millis(40);
/// Bytes read from a client after its connection was closed, so that it is not reset before it read why.
const GOODBYE_BYTES: usize = 64 * 1024 * 1024;

/// Sends what has been begun and the close frame, and leaves the client its turn to take them.
pub(super) async fn say(mut wire: Wire, code: u16, reason: &str, state: &State) {
    wire.drop_queued();
    wire.close(code, reason);
    finish(wire, state).await;
}

/// Sends the answer to the client's own close frame (RFC 6455 §5.5.1).
pub(super) async fn answer(wire: Wire, state: &State) {
    finish(wire, state).await;
}

async fn finish(mut wire: Wire, state: &State) {
    let stopped = state.tasks.stop_token();
    let patience = async {
        tokio::select! {
            () = tokio::time::sleep(GOODBYE) => {}
            () = async { stopped.cancelled().await; tokio::time::sleep(LAST_GOODBYE).await } => {}
        }
    };
    let mut patience = pin!(patience);
    let flushed = tokio::select! {
        flushed = std::future::poll_fn(|cx| wire.poll_write(cx, &mut 0)) => flushed.is_ok(),
        () = &mut patience => false,
    };
    if !flushed {
        return;
    }
    let mut stream = wire.into_stream();
    // A client that is gone already needs no goodbye.
    let _ = stream.shutdown().await;
    tokio::select! {
        () = read_out(&stream) => {}
        () = &mut patience => {}
    }
}

/// Reads and forgets until the client closes its end: unread data would reset the connection, and the client might
/// never see why it was closed.
async fn read_out(stream: &tokio::net::TcpStream) {
    let mut left = GOODBYE_BYTES;
    while left > 0 && stream.readable().await.is_ok() {
        // Of the turn, not of the connection: what lives across a wait is part of every connection's task.
        let mut buffer = [0; 4096];
        match stream.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => left = left.saturating_sub(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
