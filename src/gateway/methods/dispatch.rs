//! From a received text to its answer: find the row, check who calls, decode, run, answer (protocol notes §2.2, §2.4).
//!
//! What happens to every request happens here, once: a panic in a method ends that request with an error and nothing
//! else.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Answer, Call, METHODS, Row, Serve};
use crate::bus::{Close, Frame, Urgency};
use crate::gateway::socket::{Caller, Client};
use crate::gateway::state::State;
use crate::protocol::error::{ErrorCode, ErrorShape};
use crate::protocol::frame::{ErrorFrame, Request, RequestRef};
use crate::protocol::scope::{Access, Role, Scope};
use crate::protocol::validation::explain;

/// Answers in a row that the caller's role may not call what it called, before the connection is closed.
const MAX_REFUSED_IN_A_ROW: u32 = 10;
/// Bytes of the answer buffer that a thread keeps.
const KEPT_BUFFER: usize = 64 * 1024;

thread_local! {
    /// Answers are made in a buffer of the thread, so that a connection needs none of its own.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Answers in a row that a role may not call what it called end the connection, the last of them answered too.
const REPEATED: Close = Close { code: 1008, reason: "repeated unauthorized calls", flush: true };

/// Serves one request. `reply` writes a frame and says how much of it has to wait.
pub(in crate::gateway) fn serve(
    text: &str,
    client: &mut Client,
    state: &Arc<State>,
    mut reply: impl FnMut(&[u8]) -> io::Result<usize>,
) {
    let mut buffer = BUFFER.take();
    buffer.clear();
    if let Some(start) = answer(text, client, state, &mut buffer) {
        match reply(&buffer[start..]) {
            Ok(0) => {}
            Ok(waiting) => client.outbox().held(waiting),
            // The next write meets the same error and ends the connection.
            Err(error) => tracing::debug!(target: "ws", "{}: {error}", client.caller().conn_id),
        }
    }
    if client.refused_in_a_row > MAX_REFUSED_IN_A_ROW {
        client.outbox().close(REPEATED);
    }
    if buffer.capacity() <= KEPT_BUFFER {
        BUFFER.replace(buffer);
    }
}

/// Puts the answer into the buffer and says where it begins; `None` when it comes later, or never.
fn answer(text: &str, client: &mut Client, state: &Arc<State>, buffer: &mut Vec<u8>) -> Option<usize> {
    let Some(request) = RequestRef::parse(text) else {
        return answer_non_request(text, buffer);
    };
    let caller = client.caller();
    let begun = tracing::enabled!(target: "ws", tracing::Level::DEBUG).then(Instant::now);
    let done = authorise(&request.method, caller)
        .and_then(|row| if state.stopping.load(Ordering::Relaxed) { Err(stopping()) } else { Ok(row) })
        .and_then(|row| match row.serve {
            Serve::Now(run) => {
                let call = Call { state, caller };
                let ran =
                    catch_unwind(AssertUnwindSafe(|| run(&call, request.params_text(), &request.id, buffer)));
                ran.unwrap_or_else(|_| Err(panicked(row))).map(Some)
            }
            Serve::Later(run) => {
                let id = request.id.clone().into_owned();
                let work = run(Arc::clone(state), caller.clone(), request.params_text(), id.clone());
                spawn(row, work, id, client, state);
                Ok(None)
            }
        });
    if let Some(begun) = begun {
        let outcome = done.as_ref().err().map(|error| error.message.as_str());
        state.ws_log.request(&caller.conn_id, &request, outcome, begun.elapsed());
    }
    let refused = matches!(&done, Err(error) if error.message.starts_with("unauthorized role:"));
    client.refused_in_a_row = if refused { client.refused_in_a_row + 1 } else { 0 };
    done.unwrap_or_else(|error| {
        buffer.clear();
        refuse_in(&request.id, &error, buffer)
    })
}

/// Carries out what takes its time, and queues its answer.
fn spawn(row: &'static Row, work: Answer, id: String, client: &Client, state: &Arc<State>) {
    let (outbox, on_the_way) = (Arc::clone(client.outbox()), client.begin());
    let task = async move {
        let done = AssertUnwindSafe(work).catch_unwind().await;
        let answer = done.unwrap_or_else(|_| Err(panicked(row)));
        let frame = answer.or_else(|error| Frame::text(&ErrorFrame::new(&id, &error)));
        match frame {
            Ok(frame) => outbox.push(frame, Urgency::MustArrive),
            Err(error) => {
                tracing::error!(target: "ws", "{}: the refusal does not serialise: {error}", row.name)
            }
        }
        drop(on_the_way);
    };
    state.tasks.spawn(state.requests.track_future(task));
}

/// JSON that is no request is answered; what is no JSON is ignored (protocol notes §2.2).
fn answer_non_request(text: &str, buffer: &mut Vec<u8>) -> Option<usize> {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        tracing::debug!(target: "ws", "ignored a text that is no JSON");
        return None;
    };
    let id = value.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).unwrap_or("invalid");
    let message = format!("invalid request frame: {}", explain::<Request>(&value, ""));
    refuse_in(id, &ErrorShape::invalid(message), buffer)
}

fn refuse_in(id: &str, error: &ErrorShape, buffer: &mut Vec<u8>) -> Option<usize> {
    match Frame::append(&ErrorFrame::new(id, error), buffer) {
        Ok(start) => Some(start),
        Err(error) => {
            tracing::error!(target: "ws", "a refusal does not serialise: {error}");
            None
        }
    }
}

/// Finds the row, if the caller may call it. The order is the protocol's: whoever lacks a scope is not told whether
/// the method exists.
fn authorise(method: &str, caller: &Caller) -> Result<&'static Row, ErrorShape> {
    let row = METHODS.iter().find(|row| row.name == method);
    if let Some(row) = row.filter(|row| row.access == Access::Anyone) {
        return Ok(row);
    }
    if caller.role == Role::Node {
        return Err(ErrorShape::invalid(format!("unauthorized role: {}", caller.role.as_str())));
    }
    let needed = match row.map(|row| row.access) {
        Some(Access::Operator(scope)) => scope,
        Some(Access::Anyone) | None => Scope::Admin,
    };
    if !caller.scopes.grant(needed) {
        return Err(missing_scope(needed, caller.protocol));
    }
    row.ok_or_else(|| ErrorShape::invalid(format!("unknown method: {method}")))
}

fn missing_scope(scope: Scope, protocol: u32) -> ErrorShape {
    let name = scope.as_str();
    let message = format!("missing scope: {name}");
    if protocol < 4 {
        return ErrorShape::invalid(message);
    }
    let details = json!({ "code": "MISSING_SCOPE", "missingScope": name, "requiredScopes": [name] });
    ErrorShape::new(ErrorCode::Forbidden, message).with_details(details)
}

fn stopping() -> ErrorShape {
    let mut error = ErrorShape::unavailable("the gateway is stopping");
    error.retryable = Some(true);
    error
}

/// The panic hook has logged what and where.
fn panicked(row: &Row) -> ErrorShape {
    tracing::error!(target: "ws", "{} panicked; the request is answered with an error", row.name);
    ErrorShape::unavailable("internal error")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::scope::Scopes;

    fn caller(role: Role, scopes: &[&str], protocol: u32) -> Caller {
        Caller { conn_id: "c".into(), protocol, role, scopes: Scopes::parse(scopes), webchat: false }
    }

    fn refused(method: &str, caller: &Caller) -> String {
        authorise(method, caller).err().map(|error| error.message).unwrap_or_default()
    }

    #[test]
    fn who_may_call_what() {
        let operator = |scopes| caller(Role::Operator, scopes, 3);
        let table = [
            ("health", operator(&[]), ""),
            ("health", caller(Role::Node, &[], 3), ""),
            ("status", caller(Role::Node, &["operator.admin"], 3), "unauthorized role: node"),
            ("status", operator(&[]), "missing scope: operator.read"),
            ("status", operator(&["operator.write"]), ""),
            ("wake", operator(&["operator.read"]), "missing scope: operator.write"),
            ("device.pair.list", operator(&["operator.pairing"]), ""),
            ("set-heartbeats", operator(&["operator.write"]), "missing scope: operator.admin"),
            ("nope", operator(&["operator.read"]), "missing scope: operator.admin"),
            ("nope", operator(&["operator.admin"]), "unknown method: nope"),
        ];
        for (method, caller, message) in table {
            assert_eq!(refused(method, &caller), message, "{method} {caller:?}");
        }
    }

    #[test]
    fn protocol_4_calls_a_missing_scope_forbidden() {
        let Err(error) = authorise("status", &caller(Role::Operator, &[], 4)) else {
            panic!("it must be refused")
        };
        assert_eq!(error.code, ErrorCode::Forbidden);
        assert_eq!(error.details.unwrap()["missingScope"], "operator.read");
    }

    #[test]
    fn no_two_rows_share_a_name() {
        let mut names: Vec<_> = METHODS.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), METHODS.len());
    }
}
