//! `device.pair.*`, `device.token.*`.

use std::sync::Arc;

use super::{Call, Later, Now};
use crate::auth::admission::fresh_token;
use crate::auth::pairing::{Pairing, PairingError};
use crate::auth::store::ChangeError;
use crate::bus::Close;
use crate::gateway::socket::Caller;
use crate::gateway::state::State;
use crate::host::clock;
use crate::protocol::error::ErrorShape;
use crate::protocol::event::{Decision, DevicePairResolved, PairDecision};
use crate::protocol::method::Ignored;
use crate::protocol::methods::devices::{
    Approved, DeviceId, DevicePairApprove, DevicePairList, DevicePairReject, DevicePairRemove,
    DeviceTokenRevoke, DeviceTokenRotate, Devices, Rejected, Removed, RequestId, RevokeParams, Revoked,
    RotateParams, Rotated,
};
use crate::protocol::scope::Role;

impl Now for DevicePairList {
    fn handle(call: &Call<'_>, _: Ignored) -> Result<Devices, ErrorShape> {
        Ok(call.state.devices.read(|pairing| pairing.list(clock::unix_ms())))
    }
}

impl Later for DevicePairApprove {
    async fn handle(state: Arc<State>, _: Caller, params: RequestId) -> Result<Approved, ErrorShape> {
        let (request_id, now_ms) = (params.request_id.into_string(), clock::unix_ms());
        let device = change(&state, |pairing| pairing.approve(&request_id, now_ms)).await?;
        resolved(&state, &request_id, &device.device_id, Decision::Approved, now_ms);
        Ok(Approved { request_id, device })
    }
}

impl Later for DevicePairReject {
    async fn handle(state: Arc<State>, _: Caller, params: RequestId) -> Result<Rejected, ErrorShape> {
        let (request_id, now_ms) = (params.request_id.into_string(), clock::unix_ms());
        let device_id = change(&state, |pairing| pairing.reject(&request_id, now_ms)).await?;
        resolved(&state, &request_id, &device_id, Decision::Rejected, now_ms);
        Ok(Rejected { request_id, device_id })
    }
}

impl Later for DevicePairRemove {
    async fn handle(state: Arc<State>, _: Caller, params: DeviceId) -> Result<Removed, ErrorShape> {
        let device_id = params.device_id.into_string();
        change(&state, |pairing| pairing.remove(&device_id)).await?;
        state.bus.close_device(&device_id, None, put_out("device removed"));
        Ok(Removed { device_id })
    }
}

impl Later for DeviceTokenRotate {
    async fn handle(state: Arc<State>, _: Caller, params: RotateParams) -> Result<Rotated, ErrorShape> {
        let fresh =
            fresh_token().map_err(|error| ErrorShape::unavailable(format!("no random numbers: {error}")))?;
        let (device_id, role) = (params.device_id.into_string(), params.role.into_string());
        let scopes =
            params.scopes.map(|scopes| scopes.into_iter().map(|scope| scope.into_string()).collect());
        let now_ms = clock::unix_ms();
        let token =
            change(&state, |pairing| pairing.rotate(&device_id, &role, scopes, fresh, now_ms)).await?;
        Ok(Rotated { device_id, role, token: token.token, scopes: token.scopes, rotated_at_ms: now_ms })
    }
}

impl Later for DeviceTokenRevoke {
    async fn handle(state: Arc<State>, _: Caller, params: RevokeParams) -> Result<Revoked, ErrorShape> {
        let (device_id, role) = (params.device_id.into_string(), params.role.into_string());
        let now_ms = clock::unix_ms();
        change(&state, |pairing| pairing.revoke(&device_id, &role, now_ms)).await?;
        if let Some(role) = Role::parse(&role) {
            state.bus.close_device(&device_id, Some(role), put_out("device token revoked"));
        }
        Ok(Revoked { device_id, role, revoked_at_ms: now_ms })
    }
}

/// Whoever is connected with what was taken away goes, too.
const fn put_out(reason: &'static str) -> Close {
    Close { code: 1008, reason, flush: true }
}

async fn change<T>(
    state: &State,
    change: impl FnOnce(&mut Pairing) -> Result<T, PairingError>,
) -> Result<T, ErrorShape> {
    state.devices.change(&state.tasks, change).await.map_err(|error| match error {
        ChangeError::Refused(refusal) => ErrorShape::invalid(refusal.to_string()),
        ChangeError::Save { ref source, .. } => ErrorShape::unavailable(format!("{error}: {source}")),
    })
}

fn resolved(state: &State, request_id: &str, device_id: &str, decision: Decision, ts: u64) {
    let (request_id, device_id) = (request_id.to_owned(), device_id.to_owned());
    let payload = PairDecision { request_id, device_id, decision, ts };
    if let Err(error) = state.bus.publish::<DevicePairResolved>(&payload) {
        tracing::error!(target: "ws", "cannot publish a pairing decision: {error}");
    }
}
