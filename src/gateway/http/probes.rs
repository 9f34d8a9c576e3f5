//! `/health`, `/healthz`: it lives. `/ready`, `/readyz`: it can serve, or 503 and what fails (protocol notes §5.9).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::auth::peer::Peer;
use crate::gateway::state::State;
use crate::protocol::probe::Ready;

#[derive(Debug, Serialize)]
pub(super) struct Live {
    ok: bool,
    status: &'static str,
}

pub(super) async fn live_probe() -> Json<Live> {
    Json(Live { ok: true, status: "live" })
}

/// Details are for callers on this machine.
pub(super) async fn ready_probe(
    Shared(state): Shared<Arc<State>>,
    Extension(from): Extension<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let mut failing = Vec::new();
    if state.stopping.load(Ordering::Relaxed) {
        failing.push("stopping".to_owned());
    } else if !state.ready.load(Ordering::Relaxed) {
        failing.push("starting".to_owned());
    }
    let ready = failing.is_empty();
    let local = Peer::resolve(from.ip(), &headers, &state.settings.load().rules.proxies).local;
    let uptime = u64::try_from(state.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let answer = Ready {
        ready,
        failing: (local && !ready).then_some(failing),
        uptime_ms: local.then_some(uptime),
        pid: local.then(std::process::id),
        invocation_id: state.invocation_id.clone().filter(|_| local),
        version: local.then(|| state.version.to_owned()),
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(answer)).into_response()
}
