//! One TCP connection: HTTP requests, until one of them turns it into a WebSocket.
//!
//! hyper is driven by hand: `axum::serve` has no deadline for headers, and hands an upgraded connection over through
//! another task and a boxed stream, which every idle client would pay for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
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
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::{harden, upgrade};
use crate::gateway::handshakes::Handshake;
use crate::gateway::socket;
use crate::gateway::state::State;
use crate::protocol::frame::HANDSHAKE_TIMEOUT_MS;

/// How long a client may take to send the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_millis(HANDSHAKE_TIMEOUT_MS);
/// How long a connection may speak HTTP. Whoever takes no answers, or asks again and again, would keep the place of one
/// in its handshake for good.
const HTTP_LIFE: Duration = Duration::from_secs(60);
/// How long a request that is not finished when the gateway stops, or that time is over, has to be.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Bytes of headers at most.
const HEADER_LIMIT: usize = 32 * 1024;

/// Serves a connection to its end.
pub(in crate::gateway) async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    state: Arc<State>,
    router: Router,
    handshake: Handshake,
) {
    // What it takes to speak HTTP is given back before the connection becomes an idle WebSocket.
    let stop = state.tasks.stop_token();
    let upgraded = Box::pin(speak_http(stream, from, router, stop, HTTP_LIFE)).await;
    if let Some(upgraded) = upgraded {
        socket::serve(upgraded, from, state, handshake).await;
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

/// Speaks HTTP until the connection ends or becomes a WebSocket, for as long as `life` and until `stop`.
async fn speak_http(
    stream: TcpStream,
    from: SocketAddr,
    router: Router,
    stop: &CancellationToken,
    life: Duration,
) -> Option<Upgraded> {
    let wanted = Arc::new(OnceLock::new());
    let door = Door { router, from, wanted: Arc::clone(&wanted) };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_LIMIT)
        .serve_connection(TokioIo::new(stream), door);
    let mut over = pin!(tokio::time::timeout(life, stop.cancelled()));
    let mut patience = None;
    let ended = std::future::poll_fn(|cx| {
        if patience.is_none() && over.as_mut().poll(cx).is_ready() {
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_client_that_asks_and_asks_is_served_for_so_long() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, from) = listener.accept().await.unwrap();
        let router = Router::new().fallback(async || "here");
        let stop = CancellationToken::new();
        let life = Duration::from_millis(300);
        let asking = async {
            let mut answer = [0; 1024];
            let mut answers = 0;
            loop {
                let sent = client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await;
                match client.read(&mut answer).await {
                    Ok(1..) if sent.is_ok() => answers += 1,
                    _ => return answers,
                }
            }
        };
        let both = async { tokio::join!(speak_http(stream, from, router, &stop, life), asking) };
        let (upgraded, answers) = tokio::time::timeout(HEADER_TIMEOUT / 2, both).await.unwrap();
        assert!(upgraded.is_none() && answers > 0);
    }
}
