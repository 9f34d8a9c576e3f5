//! The table of methods: one row each. What clients are told, the schema and the command line follow from it.

mod agents;
mod channels;
mod config;
mod connect;
mod devices;
pub(super) mod dispatch;
mod health;
mod heartbeat;
mod logs;
mod models;
mod presence;
mod status;
mod wake;

use std::pin::Pin;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::socket::Caller;
use super::state::State;
use crate::bus::Frame;
use crate::protocol::error::ErrorShape;
use crate::protocol::event::EVENTS;
use crate::protocol::frame::OkFrame;
use crate::protocol::method::Method;
use crate::protocol::methods as names;
use crate::protocol::scope::Access;
use crate::protocol::snapshot::Features;
use crate::protocol::validation::explain;

/// Every method, in the order clients are told them (protocol notes §3.1).
pub const METHODS: &[Row] = &[
    now::<names::health::Health>(),
    later::<names::logs::LogsTail>(),
    now::<names::channels::ChannelsStatus>(),
    now::<names::status::Status>(),
    later::<names::config::ConfigGet>(),
    later::<names::config::ConfigSchema>(),
    now::<names::models::ModelsList>(),
    now::<names::agents::AgentsList>(),
    now::<names::heartbeat::LastHeartbeat>(),
    now::<names::heartbeat::SetHeartbeats>(),
    now::<names::wake::Wake>(),
    now::<names::devices::DevicePairList>(),
    later::<names::devices::DevicePairApprove>(),
    later::<names::devices::DevicePairReject>(),
    later::<names::devices::DevicePairRemove>(),
    later::<names::devices::DeviceTokenRotate>(),
    later::<names::devices::DeviceTokenRevoke>(),
    now::<names::presence::SystemPresence>(),
    now::<names::presence::SystemEvent>(),
    unadvertised(now::<names::connect::Connect>()),
];

/// A row of the table.
pub struct Row {
    /// The name on the wire.
    pub name: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether clients are told of it.
    pub advertised: bool,
    /// The schema of what goes in.
    pub params: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of what comes out.
    pub output: fn(&mut SchemaGenerator) -> Schema,
    serve: Serve,
}

enum Serve {
    Now(fn(&Call<'_>, &str, &str, &mut Vec<u8>) -> Result<usize, ErrorShape>),
    Later(fn(Arc<State>, Caller, &str, String) -> Answer),
}

/// An answer that takes its time: the frame, or the refusal.
type Answer = Pin<Box<dyn Future<Output = Result<Frame, ErrorShape>> + Send>>;

/// What a method that answers at once may look at.
struct Call<'a> {
    state: &'a State,
    caller: &'a Caller,
}

/// A method that answers at once: it must not wait, nor touch a disk.
trait Now: Method {
    fn handle(call: &Call<'_>, params: Self::Params) -> Result<Self::Output, ErrorShape>;
}

/// A method that may take its time.
trait Later: Method {
    fn handle(
        state: Arc<State>,
        caller: Caller,
        params: Self::Params,
    ) -> impl Future<Output = Result<Self::Output, ErrorShape>> + Send;
}

const fn method_row<M: Method>(serve: Serve) -> Row {
    Row {
        name: M::NAME,
        access: M::ACCESS,
        advertised: true,
        params: schema::<M::Params>,
        output: schema::<M::Output>,
        serve,
    }
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn now<M: Now>() -> Row {
    method_row::<M>(Serve::Now(|call, params, id, buffer| {
        let output = M::handle(call, decode_params::<M>(params)?)?;
        Frame::append(&OkFrame::new(id, &output), buffer).map_err(|error| unserialisable::<M>(&error))
    }))
}

const fn later<M: Later>() -> Row {
    method_row::<M>(Serve::Later(|state, caller, params, id| {
        let params = decode_params::<M>(params);
        Box::pin(async move {
            let output = M::handle(state, caller, params?).await?;
            Frame::text(&OkFrame::new(&id, &output)).map_err(|error| unserialisable::<M>(&error))
        })
    }))
}

const fn unadvertised(mut row: Row) -> Row {
    row.advertised = false;
    row
}

fn decode_params<M: Method>(params: &str) -> Result<M::Params, ErrorShape> {
    serde_json::from_str(params).map_err(|error| {
        let said = match M::INVALID_PARAMS {
            Some(words) => words.to_owned(),
            None => {
                explain::<M::Params>(&serde_json::from_str(params).unwrap_or_default(), &error.to_string())
            }
        };
        ErrorShape::invalid(format!("invalid {} params: {said}", M::NAME))
    })
}

fn unserialisable<M: Method>(error: &serde_json::Error) -> ErrorShape {
    tracing::error!(target: "ws", "{}: the answer does not serialise: {error}", M::NAME);
    ErrorShape::unavailable("internal error")
}

/// What clients are told; protocol 4 is told of capabilities too.
pub fn features(with_capabilities: bool) -> Features {
    Features {
        methods: METHODS.iter().filter(|row| row.advertised).map(|row| row.name).collect(),
        events: EVENTS.iter().map(|row| row.name).collect(),
        capabilities: with_capabilities.then(Vec::new),
    }
}
