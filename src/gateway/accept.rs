//! Accepting connections: one task a listener, which also proves to the watchdog that it still turns.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::http::{connection, router};
use super::state::State;
use super::throttle::Throttle;

/// Those who are turned away are told of at most this often: whoever floods the gateway must not flood its log.
const TELL_AGAIN: Duration = Duration::from_secs(10);
/// How long to wait when the machine has no more files to give.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(100);

/// Asks an accepting task to answer: whoever gets the answer knows that it turns.
pub type Beat = oneshot::Sender<()>;

/// Accepts connections until told to stop.
pub async fn run(
    listener: TcpListener,
    state: Arc<State>,
    stop: CancellationToken,
    mut beats: mpsc::Receiver<Beat>,
) {
    let router = router(Arc::clone(&state));
    let mut crowded = Throttle::new(TELL_AGAIN);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(beat) = beats.recv() => {
                // Whoever asked may have stopped waiting.
                let _ = beat.send(());
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let Some(handshake) = state.handshakes.begin(address.ip()) else {
                        let now = Instant::now();
                        crowded.want(now);
                        if crowded.take(now) {
                            tracing::warn!(target: "gateway", "turned {address} away, and perhaps others: too many handshakes under way");
                        }
                        continue;
                    };
                    if let Err(error) = prepare(&stream) {
                        tracing::debug!(target: "gateway", "cannot set options of a connection: {error}");
                    }
                    state.tasks.spawn(connection::serve(stream, address, Arc::clone(&state), router.clone(), handshake));
                }
                Err(error) => pause_after(&error).await,
            },
        }
    }
}

/// A dead peer is found by the kernel: no timer of ours runs for a connection.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Some errors concern one connection that is gone already; the others pass when files are closed.
async fn pause_after(error: &io::Error) {
    let gone = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionRefused,
        io::ErrorKind::Interrupted,
    ];
    if !gone.contains(&error.kind()) {
        tracing::warn!(target: "gateway", "cannot accept connections: {error}; trying again");
        tokio::time::sleep(OUT_OF_FILES_PAUSE).await;
    }
}
