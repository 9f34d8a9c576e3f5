//! Stopping, in order: tell the manager, take nothing new, tell the clients, finish what was begun, close
//! (runbooks, "Safety guarantees"; lifecycle notes E7).
//!
//! Whoever was accepted is answered: a connection whose handshake is under way finishes it before it is closed, and
//! one that still waits to be accepted is left to the next process.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::accept::Accepting;
use super::live::{Ending, Signals, status_line};
use super::state::State;
use crate::bus::Close;
use crate::host::notify::Notify;
use crate::instance::Env;
use crate::protocol::event::{Shutdown, ShutdownNotice};
use crate::service::systemd::fate;

/// When clients are told to expect a restarted gateway back, milliseconds (protocol notes §4.2).
const RESTART_EXPECTED_MS: u64 = 1500;
/// How long clients have to take what is queued for them.
const CLOSING: Duration = Duration::from_secs(1);
/// How long what is left has to end after that.
const LEAVING: Duration = Duration::from_millis(500);
/// The service manager is asked for more time in steps of this.
const EXTENSION: Duration = Duration::from_secs(15);

/// How long connections in their handshake have to get on with it: one that only lingers gets no more.
const HANDSHAKE_QUIET: Duration = Duration::from_millis(300);
/// How long they have in all, while one after the other gets through.
const HANDSHAKES: Duration = Duration::from_secs(3);
/// How often they are counted.
const COUNT: Duration = Duration::from_millis(10);

const SERVICE_RESTART: Close = Close { code: 1012, reason: "service restart", flush: true };

/// Stops a gateway, for a reason and in an environment. A second signal ends the wait for work in flight at once.
pub async fn stop(
    state: &Arc<State>,
    (ending, env): (&Ending, &Env),
    accepting: &Accepting,
    notify: Notify,
    signals: &mut Signals,
) {
    state.stopping.store(true, Ordering::Relaxed);
    notify.stopping(&status_line(state));
    accepting.end().await;
    let restarts = match ending {
        Ending::Restart => true,
        // The same signal for both: only the manager knows which it means.
        Ending::Stop if notify.is_heard() => fate::is_restarting(env).await,
        Ending::Stop | Ending::Broken(_) => false,
    };
    let notice = if restarts {
        ShutdownNotice {
            reason: "gateway restarting".to_owned(),
            restart_expected_ms: Some(RESTART_EXPECTED_MS),
        }
    } else {
        ShutdownNotice { reason: "gateway stopping".to_owned(), restart_expected_ms: None }
    };
    if let Err(error) = state.bus.publish::<Shutdown>(&notice) {
        tracing::error!(target: "gateway", "cannot tell clients of the stop: {error}");
    }
    tokio::join!(drain(state, notify, signals), finish_handshakes(state));
    state.bus.close_all(SERVICE_RESTART);
    state.tasks.stop();
    if state.tasks.join(CLOSING).await == 0 {
        return;
    }
    // Clients that do not read cannot be told.
    state.bus.close_all(Close { flush: false, ..SERVICE_RESTART });
    let left = state.tasks.join(LEAVING).await;
    if left > 0 {
        tracing::warn!(target: "gateway", "{left} tasks did not end in time");
    }
}

/// Waits for connections that were accepted and are in their handshake, as long as they get on with it.
async fn finish_handshakes(state: &State) {
    let count = || state.handshakes.len();
    let begin = Instant::now();
    let (mut left, mut progress) = (count(), begin);
    while left > 0 && progress.elapsed() < HANDSHAKE_QUIET && begin.elapsed() < HANDSHAKES {
        tokio::time::sleep(COUNT).await;
        let now = count();
        if now < left {
            (left, progress) = (now, Instant::now());
        }
    }
}

/// Waits for work under way, at most as long as configured, and reports what came of it.
async fn drain(state: &Arc<State>, notify: Notify, signals: &mut Signals) {
    state.requests.close();
    let begun = state.requests.len();
    if begun == 0 {
        return;
    }
    let deadline = state.settings.load().drain;
    tracing::info!(target: "gateway", "waiting for {begun} requests (at most {} ms)", deadline.as_millis());
    let pleas = async {
        loop {
            notify.extend_timeout(EXTENSION);
            notify.status(&format!("{}; waiting for {} requests", status_line(state), state.requests.len()));
            tokio::time::sleep(EXTENSION / 2).await;
        }
    };
    tokio::select! {
        () = state.requests.wait() => {
            tracing::info!(target: "gateway", "all {begun} requests are finished");
        }
        () = tokio::time::sleep(deadline) => {
            tracing::warn!(target: "gateway", "{} requests did not finish in time", state.requests.len());
        }
        name = signals.another_end() => {
            tracing::warn!(target: "gateway", "received {name} again; not waiting for {} requests", state.requests.len());
        }
        () = pleas => {}
    }
}
