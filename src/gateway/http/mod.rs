//! HTTP on the gateway's port: a WebSocket on any path, probes, and a word for everything else.

pub mod connection;
mod probes;
mod upgrade;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::state::State;

/// The routes. A WebSocket upgrade never gets here: it is welcome on any path (protocol notes §1.1).
pub fn router(state: Arc<State>) -> Router {
    let live = get(probes::live_probe).fallback(only_reading);
    let ready = get(probes::ready_probe).fallback(only_reading);
    Router::new()
        .route("/health", live.clone())
        .route("/healthz", live)
        .route("/ready", ready.clone())
        .route("/readyz", ready)
        .fallback(nothing_here)
        .with_state(state)
}

/// Headers that every answer has (protocol notes §5.1).
pub fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

async fn nothing_here() -> Response {
    (StatusCode::NOT_FOUND, "Not Found").into_response()
}

async fn only_reading() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], "Method Not Allowed").into_response()
}
