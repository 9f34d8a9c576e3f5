//! `device.pair.*`, `device.token.*`: which devices may connect (§3.20).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::event::PairRequest;
use crate::protocol::method::{Ignored, Method};
use crate::protocol::scope::{Access, Scope};
use crate::protocol::text::{Credential, NonEmpty};

const PAIRING: Access = Access::Operator(Scope::Pairing);

/// `device.pair.list`.
pub enum DevicePairList {}

impl Method for DevicePairList {
    const NAME: &'static str = "device.pair.list";
    const ACCESS: Access = PAIRING;
    type Params = Ignored;
    type Output = Devices;
}

/// Every device that is paired or asks to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Devices {
    /// Waiting for a decision, newest first.
    pub pending: Vec<PairRequest>,
    /// Paired, newest first.
    pub paired: Vec<PairedDevice>,
}

/// A paired device, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PairedDevice {
    /// The device.
    pub device_id: String,
    /// Its public key, base64url.
    pub public_key: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The platform it was paired with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The family it was paired with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// The client's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The client's mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_mode: Option<String>,
    /// The roles it may have.
    pub roles: Vec<String>,
    /// The scopes it may have.
    pub scopes: Vec<String>,
    /// Where it was when it was paired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_ip: Option<String>,
    /// Its tokens, without the tokens themselves.
    pub tokens: Vec<TokenSummary>,
    /// When it first asked, milliseconds since 1970.
    pub created_at_ms: u64,
    /// When it was approved, milliseconds since 1970.
    pub approved_at_ms: u64,
}

/// A device token, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenSummary {
    /// The role it is for.
    pub role: String,
    /// The scopes it grants.
    pub scopes: Vec<String>,
    /// When it was made, milliseconds since 1970.
    pub created_at_ms: u64,
    /// When it was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at_ms: Option<u64>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at_ms: Option<u64>,
    /// When it was last used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at_ms: Option<u64>,
}

/// Names a pending request.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestId {
    /// The request.
    pub request_id: NonEmpty,
}

/// Names a device.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceId {
    /// The device.
    pub device_id: NonEmpty,
}

/// `device.pair.approve`.
pub enum DevicePairApprove {}

impl Method for DevicePairApprove {
    const NAME: &'static str = "device.pair.approve";
    const ACCESS: Access = PAIRING;
    type Params = RequestId;
    type Output = Approved;
}

/// A request that was approved.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approved {
    /// The request.
    pub request_id: String,
    /// The device as it is paired now.
    pub device: PairedDevice,
}

/// `device.pair.reject`.
pub enum DevicePairReject {}

impl Method for DevicePairReject {
    const NAME: &'static str = "device.pair.reject";
    const ACCESS: Access = PAIRING;
    type Params = RequestId;
    type Output = Rejected;
}

/// A request that was rejected.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// The request.
    pub request_id: String,
    /// The device.
    pub device_id: String,
}

/// `device.pair.remove`.
pub enum DevicePairRemove {}

impl Method for DevicePairRemove {
    const NAME: &'static str = "device.pair.remove";
    const ACCESS: Access = PAIRING;
    type Params = DeviceId;
    type Output = Removed;
}

/// A device that is paired no longer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// The device.
    pub device_id: String,
}

/// `device.token.rotate`.
pub enum DeviceTokenRotate {}

impl Method for DeviceTokenRotate {
    const NAME: &'static str = "device.token.rotate";
    const ACCESS: Access = PAIRING;
    type Params = RotateParams;
    type Output = Rotated;
}

/// Which token to replace.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateParams {
    /// The device.
    pub device_id: NonEmpty,
    /// The role.
    pub role: NonEmpty,
    /// The scopes of the new token; they must lie within what was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<NonEmpty>>,
}

/// The new token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rotated {
    /// The device.
    pub device_id: String,
    /// The role.
    pub role: String,
    /// The token; it is told this once.
    pub token: Credential,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// When, milliseconds since 1970.
    pub rotated_at_ms: u64,
}

/// `device.token.revoke`.
pub enum DeviceTokenRevoke {}

impl Method for DeviceTokenRevoke {
    const NAME: &'static str = "device.token.revoke";
    const ACCESS: Access = PAIRING;
    type Params = RevokeParams;
    type Output = Revoked;
}

/// Which token to revoke.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeParams {
    /// The device.
    pub device_id: NonEmpty,
    /// The role.
    pub role: NonEmpty,
}

/// The token is good no longer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// The device.
    pub device_id: String,
    /// The role.
    pub role: String,
    /// When, milliseconds since 1970.
    pub revoked_at_ms: u64,
}
