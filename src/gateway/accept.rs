//! Accepting connections: one task a listener, which also proves to the watchdog that it still turns.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::http::{connection, router};
use super::state::State;
use super::throttle::Throttle;

/// Those who are turned away are told of at most this often: whoever floods the gateway must not flood its log.
const TELL_AGAIN: Duration = Duration::from_secs(10);
/// How long to wait when the machine has no more files to give.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(100);

/// How long after its start the gateway takes connections in turns.
const CATCH_UP: Duration = Duration::from_secs(15);
/// As many are in their handshake at once then ...
const IN_TURNS: usize = 256;
/// ... before the next one waits this long ...
const TURN: Duration = Duration::from_millis(2);
/// ... and so long at most: those before it may only linger.
const LONGEST_TURN: Duration = Duration::from_millis(50);

/// Asks an accepting task to answer: whoever gets the answer knows that it turns.
pub type Beat = oneshot::Sender<()>;

/// How long an accepting task has to notice that it should stop.
const LET_GO: Duration = Duration::from_secs(1);

/// The accepting tasks.
#[derive(Debug, Default)]
pub struct Accepting {
    stop: CancellationToken,
    running: TaskTracker,
}

impl Accepting {
    /// The task of one listener.
    pub fn run(
        &self,
        listener: TcpListener,
        state: Arc<State>,
        beats: mpsc::Receiver<Beat>,
    ) -> impl Future<Output = ()> + Send + 'static {
        self.running.track_future(run(listener, state, self.stop.clone(), beats))
    }

    /// Accepts nothing more, and closes this process's handles of the listeners. A listener that a service manager
    /// keeps goes on queueing connections for the next process; another one refuses them from now on.
    pub async fn end(&self) {
        self.stop.cancel();
        self.running.close();
        // One that does not turn accepts nothing either; the watchdog would have found it.
        let _ = tokio::time::timeout(LET_GO, self.running.wait()).await;
    }
}

/// Accepts connections until told to stop.
async fn run(
    listener: TcpListener,
    state: Arc<State>,
    stop: CancellationToken,
    mut beats: mpsc::Receiver<Beat>,
) {
    let router = router(Arc::clone(&state));
    let mut crowded = Throttle::new(TELL_AGAIN);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Some(beat) = beats.recv() => {
                // Whoever asked may have stopped waiting.
                let _ = beat.send(());
            }
            accepted = next(&listener, &state) => match accepted {
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

/// The next connection. Right after a start all clients of the process before may be waiting at once: they are taken
/// in turns, for if there were too many in their handshake some would be turned away.
async fn next(listener: &TcpListener, state: &State) -> io::Result<(TcpStream, SocketAddr)> {
    let begin = Instant::now();
    while state.started.elapsed() < CATCH_UP
        && state.handshakes.len() >= IN_TURNS
        && begin.elapsed() < LONGEST_TURN
    {
        tokio::time::sleep(TURN).await;
    }
    listener.accept().await
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
