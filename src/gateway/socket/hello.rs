//! `hello-ok`: joins the bus, then tells the client what the gateway knows (protocol notes §1.13, §9.1).

use std::sync::Arc;

use serde_json::value::RawValue;

use super::Ending;
use super::client::{Caller, Client, Presence};
use super::handshake::send;
use super::wire::Wire;
use crate::auth::admission::Admitted;
use crate::auth::pairing::Token;
use crate::auth::peer::Peer;
use crate::bus::{Device, Outbox};
use crate::gateway::state::State;
use crate::host::{clock, machine};
use crate::protocol::connect::{ClientKind, ClientMode, ConnectParams};
use crate::protocol::frame::{MAX_BUFFERED, MAX_PAYLOAD, OkFrame, POLICY};
use crate::protocol::hello::{self, Hello, HelloOkV1, HelloServer, HelloSnapshot};
use crate::protocol::presence::PresenceEntry;
use crate::protocol::scope::{Role, Scope, Scopes};
use crate::protocol::snapshot::{
    ATTACHMENTS, Granted, HelloOk, HelloOkTag, PolicyOut, Server, SessionDefaults, Snapshot,
};

/// A client that may come in: what it said, what was decided, and where it is.
pub(super) struct Guest<'a> {
    pub params: &'a ConnectParams,
    pub admitted: &'a Admitted,
    pub token: Option<Token>,
    pub peer: Peer,
}

/// Lets a client of protocol 3 or 4 in, as the answer to the request `id`.
pub(super) async fn accept(
    wire: &mut Wire,
    state: &Arc<State>,
    id: &str,
    guest: Guest<'_>,
) -> Result<Client, Ending> {
    let Guest { params, admitted, token, peer } = guest;
    let conn_id: Arc<str> = uuid::Uuid::new_v4().to_string().into();
    let (now_ms, scopes) = (clock::unix_ms(), Scopes::parse(&admitted.scopes));
    let kind = params.client.id.kind();
    let caller = Caller {
        conn_id: Arc::clone(&conn_id),
        protocol: admitted.protocol,
        role: admitted.role,
        scopes,
        webchat: kind == ClientKind::WebchatUi || params.client.mode == ClientMode::Webchat,
    };
    let key = (params.client.mode != ClientMode::Cli).then(|| {
        let device = admitted.device.as_ref().map(|asking| asking.device.id.as_str());
        let named = device.or(params.client.instance_id.as_deref()).unwrap_or(&conn_id);
        named.to_lowercase()
    });
    let presence = key.map(|key| Presence::enter(state, &key, entry(params, admitted, peer, now_ms)));
    // First the bus, then the snapshot: what happens in between arrives as an event and is not lost.
    let device = admitted.device.as_ref().map(|asking| asking.device.id.as_str().into());
    let client = join(state, caller, device, MAX_BUFFERED, presence);
    wire.trust(MAX_PAYLOAD);

    let settings = state.settings.load_full();
    let newer = admitted.protocol > 3;
    let tell = !newer || scopes.grant(Scope::Read);
    let presence = if tell { state.presence.json(now_ms) } else { Vec::new() };
    let presence: Vec<&RawValue> = presence.iter().map(|entry| &**entry).collect();
    let health = state.health.get();
    let session_defaults = SessionDefaults::of(settings.default_agent());
    let (config_path, state_dir) = paths(state);
    let hello = HelloOk {
        kind: HelloOkTag::HelloOk,
        protocol: admitted.protocol,
        server: Server {
            version: state.version,
            boot_id: newer.then_some(&*state.boot_id),
            conn_id: &conn_id,
        },
        features: if newer { &state.features_v4 } else { &state.features },
        snapshot: Snapshot {
            presence: &presence,
            health: &health,
            state_version: state.bus.state_version(),
            uptime_ms: uptime_ms(state),
            applied_config_hash: newer.then_some(&*settings.hash),
            config_path: tell.then_some(&*config_path),
            state_dir: tell.then_some(&*state_dir),
            session_defaults: &session_defaults,
            auth_mode: tell.then(|| settings.rules.policy.mode()),
        },
        auth: granted(admitted, token, newer),
        policy: PolicyOut { policy: POLICY, attachments: newer.then_some(ATTACHMENTS) },
    };
    send(wire, &OkFrame::new(id, &hello)).await?;
    let client_id = params.client.id.as_str();
    tracing::debug!(target: "ws", "{conn_id}: {client_id} connected, protocol {}", admitted.protocol);
    Ok(client)
}

/// Lets a client of the oldest dialect in. It had no scopes: whoever knows the token may do everything.
pub(super) async fn accept_v1(
    wire: &mut Wire,
    state: &Arc<State>,
    hello: &Hello,
    peer: Peer,
) -> Result<Client, Ending> {
    let conn_id: Arc<str> = uuid::Uuid::new_v4().to_string().into();
    let now_ms = clock::unix_ms();
    let caller = Caller {
        conn_id: Arc::clone(&conn_id),
        protocol: hello::PROTOCOL,
        role: Role::Operator,
        scopes: Scopes::all(),
        webchat: &*hello.client.mode == "webchat",
    };
    let key = hello.client.instance_id.as_deref().unwrap_or(&conn_id).to_lowercase();
    let entry = PresenceEntry {
        host: Some(hello.client.name.to_string()),
        ip: remote_ip(peer),
        version: Some(hello.client.version.to_string()),
        mode: Some(hello.client.mode.to_string()),
        reason: Some("connect".to_owned()),
        instance_id: hello.client.instance_id.as_deref().map(str::to_owned),
        ts: now_ms,
        ..PresenceEntry::default()
    };
    let here = Presence::enter(state, &key, entry);
    let client = join(state, caller, None, hello::POLICY.max_buffered_bytes, Some(here));
    wire.trust(hello::POLICY.max_payload);
    let (presence, health) = (state.presence.json(now_ms), state.health.get());
    let presence: Vec<&RawValue> = presence.iter().map(|entry| &**entry).collect();
    let host = machine::host_name();
    let snapshot = HelloSnapshot {
        presence: &presence,
        health: &health,
        state_version: state.bus.state_version(),
        uptime_ms: uptime_ms(state),
    };
    let server = HelloServer { version: state.version, host: &host, conn_id: &conn_id };
    send(wire, &HelloOkV1::new(server, &state.features, snapshot)).await?;
    tracing::debug!(target: "ws", "{conn_id}: {} connected, protocol 1", hello.client.name);
    Ok(client)
}

fn join(
    state: &Arc<State>,
    caller: Caller,
    device: Option<Box<str>>,
    max_buffered: usize,
    presence: Option<Presence>,
) -> Client {
    let device = device.map(|id| Device { id, role: caller.role });
    let outbox = Outbox::new(max_buffered);
    let may_pair = caller.role == Role::Operator && caller.scopes.grant(Scope::Pairing);
    let membership = state.bus.join(Arc::clone(&outbox), may_pair, device);
    Client::new(caller, outbox, membership, presence)
}

/// Where a client is; one on this machine has no address worth telling.
fn remote_ip(peer: Peer) -> Option<String> {
    peer.client.filter(|_| !peer.local).map(|ip| ip.to_string())
}

fn entry(params: &ConnectParams, admitted: &Admitted, peer: Peer, now_ms: u64) -> PresenceEntry {
    let client = &params.client;
    let text = |text: &Option<crate::protocol::text::NonEmpty>| text.as_deref().map(str::to_owned);
    let host = text(&client.display_name).unwrap_or_else(|| client.id.as_str().to_owned());
    let device_id = admitted.device.as_ref().map(|asking| asking.device.id.clone());
    PresenceEntry {
        text: Some(format!("Node: {host} · mode {}", client.mode.as_str())),
        host: Some(host),
        ip: remote_ip(peer),
        version: Some(client.version.to_string()),
        platform: Some(client.platform.to_string()),
        device_family: text(&client.device_family),
        model_identifier: text(&client.model_identifier),
        mode: Some(client.mode.as_str().to_owned()),
        reason: Some("connect".to_owned()),
        instance_id: device_id.clone().or_else(|| text(&client.instance_id)),
        device_id,
        roles: Some(vec![admitted.role.as_str().to_owned()]),
        scopes: Some(admitted.scopes.clone()).filter(|scopes| !scopes.is_empty()),
        ts: now_ms,
        ..PresenceEntry::default()
    }
}

/// What the client was granted: protocol 4 always says it, protocol 3 only to devices.
fn granted(admitted: &Admitted, token: Option<Token>, newer: bool) -> Option<Granted> {
    if token.is_none() && !newer {
        return None;
    }
    let mut scopes = admitted.scopes.clone();
    scopes.sort_unstable();
    let issued_at_ms = token.as_ref().map(|token| token.created_at_ms);
    Some(Granted {
        method: newer.then(|| admitted.method.as_str()),
        device_token: token.map(|token| token.token).unwrap_or_default(),
        role: admitted.role.as_str(),
        scopes,
        issued_at_ms,
    })
}

fn paths(state: &State) -> (String, String) {
    let paths = &state.instance.paths;
    (paths.config.display().to_string(), paths.state_dir.display().to_string())
}

fn uptime_ms(state: &State) -> u64 {
    u64::try_from(state.started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
