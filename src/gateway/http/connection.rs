//! One TCP connection: HTTP requests, until one of them turns it into a WebSocket.
//!
//! hyper is driven by hand: `axum::serve` has no deadline for headers, and hands an upgraded connection over through
//! another task and a boxed stream, which every idle client would pay for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_service::Service;

use super::{harden, upgrade};
use crate::gateway::socket;
use crate::gateway::state::State;
use crate::protocol::frame::HANDSHAKE_TIMEOUT_MS;

/// How long a client may take to send the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_millis(HANDSHAKE_TIMEOUT_MS);
/// How long a request that is not finished when the gateway stops has to be.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Bytes of headers at most.
const HEADER_LIMIT: usize = 32 * 1024;

/// Serves a connection to its end.
pub(in crate::gateway) async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    state: Arc<State>,
    router: Router,
) {
    let handshake = Handshake::begin(&state);
    // What it takes to speak HTTP is given back before the connection becomes an idle WebSocket.
    let upgraded = Box::pin(speak_http(stream, from, &state, router)).await;
    if let Some(upgraded) = upgraded {
        socket::serve(upgraded, from, state, handshake).await;
    }
}

/// Counts a connection as being in its handshake until it is dropped.
#[derive(Debug)]
pub(in crate::gateway) struct Handshake(Arc<State>);

impl Handshake {
    fn begin(state: &Arc<State>) -> Self {
        state.handshakes.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(state))
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that has become a WebSocket.
pub(in crate::gateway) struct Upgraded {
    /// The connection.
    pub stream: TcpStream,
    /// What the client sent after its request.
    pub early: Bytes,
    /// The headers of its request.
    pub headers: HeaderMap,
}

async fn speak_http(stream: TcpStream, from: SocketAddr, state: &State, router: Router) -> Option<Upgraded> {
    let wanted = Arc::new(OnceLock::new());
    let door = Door { router, from, wanted: Arc::clone(&wanted) };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_LIMIT)
        .serve_connection(TokioIo::new(stream), door);
    let mut stop = pin!(state.tasks.stop_token().cancelled());
    let mut patience = None;
    let ended = std::future::poll_fn(|cx| {
        if patience.is_none() && stop.as_mut().poll(cx).is_ready() {
            patience = Some(Box::pin(tokio::time::sleep(LAST_WORDS)));
            Pin::new(&mut connection).graceful_shutdown();
        }
        match (connection.poll_without_shutdown(cx), &mut patience) {
            (Poll::Pending, Some(patience)) => patience.as_mut().poll(cx).map(|()| None),
            (polled, _) => polled.map(Some),
        }
    })
    .await;
    if let Err(error) = ended? {
        tracing::debug!(target: "http", "connection of {from}: {error}");
        return None;
    }
    let headers = wanted.get()?.clone();
    let parts = connection.into_parts();
    Some(Upgraded { stream: parts.io.into_inner(), early: parts.read_buf, headers })
}

/// Answers the requests of one connection.
struct Door {
    router: Router,
    from: SocketAddr,
    wanted: Arc<OnceLock<HeaderMap>>,
}

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if upgrade::is_wanted(&request) {
            let response = upgrade::switch_protocols(&request);
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                return Box::pin(std::future::ready(Ok(harden(response))));
            }
            // It is set once: a connection that was upgraded has no further request.
            let _ = self.wanted.set(std::mem::take(request.headers_mut()));
            return Box::pin(std::future::ready(Ok(response)));
        }
        request.extensions_mut().insert(self.from);
        let mut router = self.router.clone();
        Box::pin(async move {
            let response = router.call(request.map(Body::new)).await;
            response.map(harden)
        })
    }
}
