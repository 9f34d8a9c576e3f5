//! Stopping, in order: tell the manager, tell the clients, take nothing new, finish what was begun, close
//! (runbooks, "Safety guarantees"; lifecycle notes E7).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::live::{Ending, Signals, status_line};
use super::state::State;
use crate::bus::Close;
use crate::host::notify::Notify;
use crate::protocol::event::{Shutdown, ShutdownNotice};

/// When clients are told to expect a restarted gateway back, milliseconds (protocol notes §4.2).
const RESTART_EXPECTED_MS: u64 = 1500;
/// How long clients have to take what is queued for them.
const CLOSING: Duration = Duration::from_secs(1);
/// How long what is left has to end after that.
const LEAVING: Duration = Duration::from_millis(500);
/// The service manager is asked for more time in steps of this.
const EXTENSION: Duration = Duration::from_secs(15);

const SERVICE_RESTART: Close = Close { code: 1012, reason: "service restart", flush: true };

/// Stops a gateway. A second signal ends the wait for work in flight at once.
pub async fn stop(
    state: &Arc<State>,
    ending: &Ending,
    accepting: &CancellationToken,
    notify: Notify,
    signals: &mut Signals,
) {
    state.stopping.store(true, Ordering::Relaxed);
    notify.stopping(&status_line(state));
    let notice = match ending {
        Ending::Restart => ShutdownNotice {
            reason: "gateway restarting".to_owned(),
            restart_expected_ms: Some(RESTART_EXPECTED_MS),
        },
        Ending::Stop | Ending::Broken(_) => {
            ShutdownNotice { reason: "gateway stopping".to_owned(), restart_expected_ms: None }
        }
    };
    if let Err(error) = state.bus.publish::<Shutdown>(&notice) {
        tracing::error!(target: "gateway", "cannot tell clients of the stop: {error}");
    }
    accepting.cancel();
    drain(state, notify, signals).await;
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

/// Waits for requests under way, at most as long as configured.
async fn drain(state: &Arc<State>, notify: Notify, signals: &mut Signals) {
    state.requests.close();
    if state.requests.is_empty() {
        return;
    }
    let deadline = state.settings.load().drain;
    tracing::info!(target: "gateway", "waiting for {} requests (at most {} ms)", state.requests.len(), deadline.as_millis());
    let pleas = async {
        loop {
            notify.extend_timeout(EXTENSION);
            tokio::time::sleep(EXTENSION / 2).await;
        }
    };
    tokio::select! {
        () = state.requests.wait() => {}
        () = tokio::time::sleep(deadline) => {
            tracing::warn!(target: "gateway", "{} requests did not finish in time", state.requests.len());
        }
        name = signals.another_end() => {
            tracing::warn!(target: "gateway", "received {name} again; not waiting for {} requests", state.requests.len());
        }
        () = pleas => {}
    }
}
