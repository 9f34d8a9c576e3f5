//! The handshake: challenge, first frame, decision, answer (protocol notes §1, §9.1).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;

use super::client::Client;
use super::wire::{Received, Wire};
use super::{Ending, hello};
use crate::auth::admission::{self, Admitted, Circumstances, fresh_token};
use crate::auth::pairing::{Asking, PairingError, Token};
use crate::auth::peer::Peer;
use crate::auth::policy::Presented;
use crate::auth::reason::HintFor;
use crate::auth::store::ChangeError;
use crate::bus::Frame;
use crate::gateway::state::State;
use crate::host::clock;
use crate::protocol::connect::ConnectParams;
use crate::protocol::error::{ErrorCode, ErrorShape};
use crate::protocol::event::{
    Challenge, ConnectChallenge, Decision, DevicePairRequested, DevicePairResolved, Event, PairDecision,
};
use crate::protocol::frame::{ErrorFrame, EventOut, Request, RequestRef};
use crate::protocol::hello::{Hello, HelloError, PROTOCOL, is_hello};
use crate::protocol::validation::explain;

/// How long a gateway whose clients speak first waits before it challenges them.
const SPEAK_FIRST: Duration = Duration::from_millis(250);

/// Leads a connection to a client that is let in, or to its end.
pub(super) async fn perform(
    wire: &mut Wire,
    state: &Arc<State>,
    headers: &HeaderMap,
    from: SocketAddr,
) -> Result<Client, Ending> {
    let nonce = uuid::Uuid::new_v4().to_string();
    let first = if state.instance.brand.client_speaks_first() {
        match tokio::time::timeout(SPEAK_FIRST, receive(wire)).await {
            Ok(first) => first?,
            Err(_) => challenged(wire, &nonce).await?,
        }
    } else {
        challenged(wire, &nonce).await?
    };
    let peer = Peer::resolve(from.ip(), headers, &state.settings.load().rules.proxies);
    let at = Circumstances { peer, headers, nonce: &nonce, now_ms: clock::unix_ms() };
    if is_hello(&first) {
        return greet(wire, state, &first, at).await;
    }
    let Some(request) = RequestRef::parse(&first) else {
        return Err(not_a_request(&first));
    };
    if request.method != "connect" {
        let message = "invalid handshake: first request must be connect";
        return Err(refuse(wire, &request.id, &ErrorShape::invalid(message), 1008).await);
    }
    let params: ConnectParams = match serde_json::from_str(request.params_text()) {
        Ok(params) => params,
        Err(error) => {
            let value: Value = serde_json::from_str(request.params_text()).unwrap_or_default();
            let message =
                format!("invalid connect params: {}", explain::<ConnectParams>(&value, &error.to_string()));
            return Err(refuse(wire, &request.id, &ErrorShape::invalid(message), 1008).await);
        }
    };
    let settings = state.settings.load_full();
    let decided = state
        .devices
        .read(|pairing| admission::admit(&params, at, &settings.rules, &state.limiters, pairing));
    let admitted = match decided {
        Ok(admitted) => admitted,
        Err(refused) => {
            let message = &refused.error.message;
            tracing::info!(target: "ws", "refused {}: {message}", seen_at(&peer));
            return Err(refuse(wire, &request.id, &refused.error, refused.close).await);
        }
    };
    let token = match pair(state, &admitted, peer, headers).await {
        Ok(token) => token,
        Err(error) => return Err(refuse(wire, &request.id, &error, 1008).await),
    };
    let guest = hello::Guest { params: &params, admitted: &admitted, token, peer };
    hello::accept(wire, state, &request.id, guest).await
}

/// Where a client is, for the log.
fn seen_at(peer: &Peer) -> String {
    peer.client.map_or_else(|| format!("a client behind {}", peer.socket), |client| client.to_string())
}

async fn challenged(wire: &mut Wire, nonce: &str) -> Result<Utf8Bytes, Ending> {
    let challenge = Challenge { nonce: nonce.to_owned(), ts: clock::unix_ms() };
    send(wire, &EventOut::direct(ConnectChallenge::NAME, &challenge)).await?;
    receive(wire).await
}

/// Waits for the first message.
async fn receive(wire: &mut Wire) -> Result<Utf8Bytes, Ending> {
    let received = std::future::poll_fn(|cx| {
        // Pongs of impatient clients go out while we wait.
        let _ = wire.poll_write(cx, &mut 0);
        wire.poll_read(cx)
    })
    .await;
    match received {
        Received::Text(text) => Ok(text),
        Received::NotText => Err(Ending::Close(1000, String::new())),
        Received::Closed => Err(Ending::Closed),
        Received::Gone => Err(Ending::Gone),
        Received::TooLarge | Received::TooMuchTooSoon => {
            Err(Ending::Close(1009, "preauth payload too large".to_owned()))
        }
        Received::NotUtf8 => Err(super::NOT_UTF8.into()),
        Received::Broken => Err(super::BROKEN.into()),
    }
}

/// Sends a frame and waits until it is written.
pub(super) async fn send(wire: &mut Wire, value: &impl Serialize) -> Result<(), Ending> {
    let frame = Frame::text(value).map_err(|error| {
        tracing::error!(target: "ws", "cannot serialise a frame: {error}");
        Ending::Close(1011, "internal error".to_owned())
    })?;
    wire.queue(frame.bytes().clone());
    std::future::poll_fn(|cx| wire.poll_write(cx, &mut 0)).await.map_err(|_| Ending::Gone)
}

/// Answers a request with an error, and says how the connection ends: with the same words.
async fn refuse(wire: &mut Wire, id: &str, error: &ErrorShape, close: u16) -> Ending {
    match send(wire, &ErrorFrame::new(id, error)).await {
        Ok(()) => Ending::Close(close, error.message.clone()),
        Err(ending) => ending,
    }
}

/// What is no JSON closes without a word; JSON that is no request closes with the reason (protocol notes §1.6).
fn not_a_request(text: &str) -> Ending {
    match serde_json::from_str::<Value>(text) {
        Err(_) => Ending::Close(1000, String::new()),
        Ok(value) => {
            tracing::debug!(target: "ws", "invalid first frame: {}", explain::<Request>(&value, ""));
            Ending::Close(1008, "invalid request frame".to_owned())
        }
    }
}

/// The oldest dialect: a bare hello.
async fn greet(
    wire: &mut Wire,
    state: &Arc<State>,
    text: &str,
    at: Circumstances<'_>,
) -> Result<Client, Ending> {
    let hello: Hello = match serde_json::from_str(text) {
        Ok(hello) => hello,
        Err(error) => {
            let value: Value = serde_json::from_str(text).unwrap_or_default();
            let reason = format!("invalid hello: {}", explain::<Hello>(&value, &error.to_string()));
            send(wire, &HelloError::new(reason)).await?;
            return Err(Ending::Close(1008, "invalid hello".to_owned()));
        }
    };
    if !(hello.min_protocol..=hello.max_protocol).contains(&PROTOCOL) {
        send(wire, &HelloError::protocol_mismatch()).await?;
        return Err(Ending::Close(1002, "protocol mismatch".to_owned()));
    }
    let settings = state.settings.load_full();
    if let Err(refused) = admission::check_origin(false, at, &settings.rules) {
        tracing::info!(target: "ws", "refused {}: {}", seen_at(&at.peer), refused.error.message);
        send(wire, &HelloError::new(refused.error.message.as_str())).await?;
        return Err(Ending::Close(refused.close, refused.error.message));
    }
    let token = hello.auth.as_ref().and_then(|auth| auth.token.0.as_ref());
    // The dialect has one secret, whichever kind the gateway asks for.
    let presented = Presented { token, password: token };
    if let Err(refusal) = admission::check_shared(presented, at, &settings.rules, &state.limiters) {
        tracing::info!(target: "ws", "refused {}: {}", seen_at(&at.peer), refusal.message(HintFor::Other));
        send(wire, &HelloError::new("unauthorized")).await?;
        return Err(Ending::Close(1008, "unauthorized".to_owned()));
    }
    hello::accept_v1(wire, state, &hello, at.peer).await
}

/// Makes sure the device is paired for what it asks, and gives it a token. Without a device there is nothing to do.
async fn pair(
    state: &Arc<State>,
    admitted: &Admitted,
    peer: Peer,
    headers: &HeaderMap,
) -> Result<Option<Token>, ErrorShape> {
    let Some(asking) = &admitted.device else { return Ok(None) };
    let now_ms = clock::unix_ms();
    let known = state.devices.read(|pairing| pairing.check(asking).map(|()| pairing.token(asking).cloned()));
    match known {
        Ok(Some(token)) => {
            state.devices.note(|pairing| pairing.used(&asking.device.id, &asking.role, now_ms));
            Ok(Some(token))
        }
        Ok(None) => grant(state, asking, None, now_ms).await.map(Some),
        Err(unpaired) => {
            let quiet = peer.local && unpaired.is_silent_for_local() && !from_a_page(headers, admitted);
            if quiet {
                let request_id = uuid::Uuid::new_v4().to_string();
                return grant(state, asking, Some(request_id), now_ms).await.map(Some);
            }
            Err(request_pairing(state, asking, unpaired.as_str(), now_ms).await)
        }
    }
}

/// A page in a browser is approved without asking only if it is one of ours (protocol notes §1.11).
fn from_a_page(headers: &HeaderMap, admitted: &Admitted) -> bool {
    let ours = admitted
        .device
        .as_ref()
        .is_some_and(|asking| asking.client_mode == "webchat" || asking.client_id.ends_with("-control-ui"));
    headers.contains_key("origin") && !ours
}

/// Pairs a device that needs no question, if `request_id` is given, and gives it a token.
async fn grant(
    state: &Arc<State>,
    asking: &Asking,
    request_id: Option<String>,
    now_ms: u64,
) -> Result<Token, ErrorShape> {
    let fresh =
        fresh_token().map_err(|error| ErrorShape::unavailable(format!("no random numbers: {error}")))?;
    let silent = request_id.clone();
    let changed = state
        .devices
        .change(&state.tasks, |pairing| {
            if let Some(request_id) = silent {
                let (request, _) = pairing.request(asking, request_id, now_ms);
                pairing.approve(&request.request_id, now_ms)?;
            }
            pairing.ensure_token(asking, fresh, now_ms)
        })
        .await;
    let token = changed.map_err(|error| unavailable(&error))?;
    if let Some(request_id) = request_id {
        let device_id = asking.device.id.clone();
        let resolved = PairDecision { request_id, device_id, decision: Decision::Approved, ts: now_ms };
        publish::<DevicePairResolved>(state, &resolved);
    }
    Ok(token)
}

/// Stores a pairing request for an operator to decide on; the connection is refused.
async fn request_pairing(state: &Arc<State>, asking: &Asking, reason: &str, now_ms: u64) -> ErrorShape {
    let id = uuid::Uuid::new_v4().to_string();
    let changed = state
        .devices
        .change(&state.tasks, |pairing| Ok::<_, PairingError>(pairing.request(asking, id, now_ms)))
        .await;
    match changed {
        Ok((request, news)) => {
            if news {
                publish::<DevicePairRequested>(state, &request);
            }
            let details =
                json!({ "code": "PAIRING_REQUIRED", "requestId": request.request_id, "reason": reason });
            ErrorShape::new(ErrorCode::NotPaired, "pairing required").with_details(details)
        }
        Err(error) => unavailable(&error),
    }
}

fn publish<E: Event>(state: &State, payload: &E::Payload) {
    if let Err(error) = state.bus.publish::<E>(payload) {
        tracing::error!(target: "ws", "cannot publish {}: {error}", E::NAME);
    }
}

fn unavailable(error: &ChangeError<PairingError>) -> ErrorShape {
    tracing::error!(target: "ws", "pairing: {error}{}", std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default());
    ErrorShape::unavailable(error.to_string())
}
