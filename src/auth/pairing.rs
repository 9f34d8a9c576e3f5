//! Devices that may connect: who asked, who was approved, and their tokens (protocol notes §1.11, §3.20).
//!
//! A model without effects: time and fresh tokens are given, and [`super::store`] keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::device::Device;
use crate::protocol::device::normalised;
use crate::protocol::event::PairRequest;
use crate::protocol::methods::devices::{Devices, PairedDevice, TokenSummary};
use crate::protocol::scope::covers;
use crate::protocol::text::Credential;
use crate::secret::Secret;

/// How long a request waits for a decision, milliseconds.
pub const PENDING_TTL_MS: u64 = 300_000;
/// Requests that wait at once; the oldest makes room. A request is at most some 40 KB, so that they are together far
/// smaller than the largest file that is read back.
const MAX_PENDING: usize = 64;
/// Scopes a device asks for at most.
pub const MAX_SCOPES: usize = 64;
/// Characters of a scope at most.
pub const MAX_SCOPE_CHARS: usize = 128;
/// Characters kept of what a device says of itself.
pub const MAX_TEXT_CHARS: usize = 256;

/// Every device that is paired or asks to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// Waiting, by request id.
    pub pending: BTreeMap<String, PairRequest>,
    /// Paired, by device id.
    pub paired: BTreeMap<String, Paired>,
}

/// A paired device, with its secrets: what is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Paired {
    device_id: String,
    public_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_family: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_mode: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    approved_scopes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote_ip: Option<String>,
    #[serde(default)]
    tokens: BTreeMap<String, Token>,
    created_at_ms: u64,
    approved_at_ms: u64,
}

/// A device's token for one role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// The token itself.
    pub token: Credential,
    /// The role it is for.
    pub role: String,
    /// The scopes it grants, sorted.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotated_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used_at_ms: Option<u64>,
}

/// What a device asks for when it connects.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The device, its key proven.
    pub device: Device,
    /// The effective role.
    pub role: String,
    /// The scopes, in the order sent.
    pub scopes: Vec<String>,
    /// What people call it.
    pub display_name: Option<String>,
    /// Its platform, as it says.
    pub platform: String,
    /// Its family, as it says.
    pub device_family: Option<String>,
    /// The client's id.
    pub client_id: String,
    /// The client's mode.
    pub client_mode: String,
    /// Where it is; unknown for local clients.
    pub remote_ip: Option<String>,
}

/// Why a device is not paired for what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpaired {
    /// Never seen.
    NotPaired,
    /// Paired for another role.
    RoleUpgrade,
    /// Paired for less.
    ScopeUpgrade,
    /// It claims to be another machine than when it was paired.
    MetadataUpgrade,
}

impl Unpaired {
    /// `details.reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotPaired => "not-paired",
            Self::RoleUpgrade => "role-upgrade",
            Self::ScopeUpgrade => "scope-upgrade",
            Self::MetadataUpgrade => "metadata-upgrade",
        }
    }

    /// Whether a client on this machine is approved without asking.
    pub const fn is_silent_for_local(self) -> bool {
        matches!(self, Self::NotPaired | Self::ScopeUpgrade)
    }
}

/// A change that cannot be made. The words are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairingError {
    /// No such request waits.
    #[error("unknown requestId")]
    UnknownRequest,
    /// No such device is paired.
    #[error("unknown deviceId")]
    UnknownDevice,
    /// No such device has that role.
    #[error("unknown deviceId/role")]
    UnknownRole,
    /// More than what was approved.
    #[error("requested scopes exceed the approved scopes of the device")]
    ScopesExceedApproval,
}

impl Pairing {
    /// Whether a device is paired for all it asks.
    pub fn check(&self, asking: &Asking) -> Result<(), Unpaired> {
        let known = self.paired.get(&asking.device.id);
        let paired = known
            .filter(|paired| paired.public_key == asking.device.public_key)
            .ok_or(Unpaired::NotPaired)?;
        if !paired.roles.contains(&asking.role) {
            return Err(Unpaired::RoleUpgrade);
        }
        let differs = |pinned: &Option<String>, claimed: Option<&str>| {
            pinned
                .as_deref()
                .is_some_and(|pinned| normalised(pinned) != normalised(claimed.unwrap_or_default()))
        };
        if differs(&paired.platform, Some(&asking.platform))
            || differs(&paired.device_family, asking.device_family.as_deref())
        {
            return Err(Unpaired::MetadataUpgrade);
        }
        if covers(&paired.approved_scopes, &asking.scopes) { Ok(()) } else { Err(Unpaired::ScopeUpgrade) }
    }

    /// Whether a device's token is good for what it asks.
    pub fn token_fits(&self, device_id: &str, role: &str, presented: &Secret, scopes: &[String]) -> bool {
        let token = self.paired.get(device_id).and_then(|paired| paired.tokens.get(role));
        token.is_some_and(|token| {
            token.revoked_at_ms.is_none()
                && token.token.0.as_ref().is_some_and(|own| own == presented)
                && covers(&token.scopes, scopes)
        })
    }

    /// The token a paired device has for its role, if it grants what is asked and is not revoked.
    pub fn token(&self, asking: &Asking) -> Option<&Token> {
        let token = self.paired.get(&asking.device.id)?.tokens.get(&asking.role)?;
        (token.revoked_at_ms.is_none() && covers(&token.scopes, &asking.scopes)).then_some(token)
    }

    /// Notes that a token was used.
    pub fn used(&mut self, device_id: &str, role: &str, now_ms: u64) {
        let token = self.paired.get_mut(device_id).and_then(|paired| paired.tokens.get_mut(role));
        if let Some(token) = token {
            token.last_used_at_ms = Some(now_ms);
        }
    }

    /// Stores a request; one per device, what a later one asks for the same role is added. Says whether operators have
    /// something new to look at, so that they never approve what they were not told.
    pub fn request(&mut self, asking: &Asking, request_id: String, now_ms: u64) -> (PairRequest, bool) {
        self.expire(now_ms);
        let earlier = self.pending.values().find(|request| request.device_id == asking.device.id);
        let same_role = earlier.filter(|earlier| earlier.role == asking.role);
        let scopes = match same_role {
            Some(earlier) if covers(&earlier.scopes, &asking.scopes) => earlier.scopes.clone(),
            Some(earlier) if earlier.scopes.len() + asking.scopes.len() <= MAX_SCOPES => {
                let mut both = earlier.scopes.clone();
                add(&mut both, asking.scopes.iter().cloned());
                both
            }
            _ => asking.scopes.clone(),
        };
        let news = same_role.is_none_or(|earlier| earlier.scopes != scopes);
        let request_id = earlier.map_or(request_id, |earlier| earlier.request_id.clone());
        let request = PairRequest {
            request_id: request_id.clone(),
            device_id: asking.device.id.clone(),
            public_key: asking.device.public_key.clone(),
            display_name: asking.display_name.clone(),
            platform: Some(asking.platform.clone()),
            device_family: asking.device_family.clone(),
            client_id: Some(asking.client_id.clone()),
            client_mode: Some(asking.client_mode.clone()),
            role: asking.role.clone(),
            scopes,
            remote_ip: asking.remote_ip.clone(),
            is_repair: self.paired.contains_key(&asking.device.id).then_some(true),
            ts: now_ms,
        };
        if self.pending.len() >= MAX_PENDING
            && let Some(oldest) = self
                .pending
                .values()
                .min_by_key(|request| request.ts)
                .map(|request| request.request_id.clone())
        {
            self.pending.remove(&oldest);
        }
        self.pending.insert(request_id, request.clone());
        (request, news)
    }

    /// Approves a request: the device is paired for what it asked beside what it had.
    pub fn approve(&mut self, request_id: &str, now_ms: u64) -> Result<PairedDevice, PairingError> {
        self.expire(now_ms);
        let request = self.pending.remove(request_id).ok_or(PairingError::UnknownRequest)?;
        let known =
            self.paired.remove(&request.device_id).filter(|known| known.public_key == request.public_key);
        let mut paired = known.unwrap_or_else(|| Paired {
            device_id: request.device_id.clone(),
            public_key: request.public_key.clone(),
            display_name: None,
            platform: None,
            device_family: None,
            client_id: None,
            client_mode: None,
            roles: Vec::new(),
            approved_scopes: Vec::new(),
            remote_ip: None,
            tokens: BTreeMap::new(),
            created_at_ms: now_ms,
            approved_at_ms: now_ms,
        });
        add(&mut paired.roles, [request.role]);
        add(&mut paired.approved_scopes, request.scopes);
        paired.display_name = request.display_name.or(paired.display_name);
        paired.platform = request.platform;
        paired.device_family = request.device_family;
        paired.client_id = request.client_id;
        paired.client_mode = request.client_mode;
        paired.remote_ip = request.remote_ip;
        paired.approved_at_ms = now_ms;
        let summary = paired.summary();
        self.paired.insert(request.device_id, paired);
        Ok(summary)
    }

    /// Gives a paired device a token for its role: the one it has if that still does, else `fresh`.
    pub fn ensure_token(
        &mut self,
        asking: &Asking,
        fresh: Secret,
        now_ms: u64,
    ) -> Result<Token, PairingError> {
        if let Some(token) = self.token(asking) {
            return Ok(token.clone());
        }
        let paired = self.paired.get_mut(&asking.device.id).ok_or(PairingError::UnknownDevice)?;
        let mut scopes = asking.scopes.clone();
        scopes.sort_unstable();
        scopes.dedup();
        let token = Token {
            token: Credential(Some(fresh)),
            role: asking.role.clone(),
            scopes,
            created_at_ms: now_ms,
            rotated_at_ms: None,
            revoked_at_ms: None,
            last_used_at_ms: None,
        };
        paired.tokens.insert(asking.role.clone(), token.clone());
        Ok(token)
    }

    /// Rejects a request and returns the device that asked.
    pub fn reject(&mut self, request_id: &str, now_ms: u64) -> Result<String, PairingError> {
        self.expire(now_ms);
        self.pending.remove(request_id).map(|request| request.device_id).ok_or(PairingError::UnknownRequest)
    }

    /// Unpairs a device.
    pub fn remove(&mut self, device_id: &str) -> Result<(), PairingError> {
        self.paired.remove(device_id).map(drop).ok_or(PairingError::UnknownDevice)
    }

    /// Replaces a device's token. The new one grants `scopes`, or what the old one did.
    pub fn rotate(
        &mut self,
        device_id: &str,
        role: &str,
        scopes: Option<Vec<String>>,
        fresh: Secret,
        now_ms: u64,
    ) -> Result<Token, PairingError> {
        let paired = self.paired.get_mut(device_id).ok_or(PairingError::UnknownRole)?;
        if !paired.roles.iter().any(|known| known == role) {
            return Err(PairingError::UnknownRole);
        }
        let old = paired.tokens.get(role);
        let mut scopes = scopes
            .or_else(|| old.map(|old| old.scopes.clone()))
            .unwrap_or_else(|| paired.approved_scopes.clone());
        if !covers(&paired.approved_scopes, &scopes) {
            return Err(PairingError::ScopesExceedApproval);
        }
        scopes.sort_unstable();
        scopes.dedup();
        let token = Token {
            token: Credential(Some(fresh)),
            role: role.to_owned(),
            scopes,
            created_at_ms: old.map_or(now_ms, |old| old.created_at_ms),
            rotated_at_ms: Some(now_ms),
            revoked_at_ms: None,
            last_used_at_ms: None,
        };
        paired.tokens.insert(role.to_owned(), token.clone());
        Ok(token)
    }

    /// Revokes a device's token.
    pub fn revoke(&mut self, device_id: &str, role: &str, now_ms: u64) -> Result<(), PairingError> {
        let token = self.paired.get_mut(device_id).and_then(|paired| paired.tokens.get_mut(role));
        token.ok_or(PairingError::UnknownRole)?.revoked_at_ms = Some(now_ms);
        Ok(())
    }

    /// Everything, without secrets, newest first.
    pub fn list(&self, now_ms: u64) -> Devices {
        let live = |request: &&PairRequest| now_ms.saturating_sub(request.ts) <= PENDING_TTL_MS;
        let mut pending: Vec<_> = self.pending.values().filter(live).cloned().collect();
        pending.sort_by_key(|request| std::cmp::Reverse(request.ts));
        let mut paired: Vec<_> = self.paired.values().map(Paired::summary).collect();
        paired.sort_by_key(|device| std::cmp::Reverse(device.approved_at_ms));
        Devices { pending, paired }
    }

    fn expire(&mut self, now_ms: u64) {
        self.pending.retain(|_, request| now_ms.saturating_sub(request.ts) <= PENDING_TTL_MS);
    }
}

impl Paired {
    fn summary(&self) -> PairedDevice {
        let tokens = self.tokens.values().map(|token| TokenSummary {
            role: token.role.clone(),
            scopes: token.scopes.clone(),
            created_at_ms: token.created_at_ms,
            rotated_at_ms: token.rotated_at_ms,
            revoked_at_ms: token.revoked_at_ms,
            last_used_at_ms: token.last_used_at_ms,
        });
        PairedDevice {
            device_id: self.device_id.clone(),
            public_key: self.public_key.clone(),
            display_name: self.display_name.clone(),
            platform: self.platform.clone(),
            device_family: self.device_family.clone(),
            client_id: self.client_id.clone(),
            client_mode: self.client_mode.clone(),
            roles: self.roles.clone(),
            scopes: self.approved_scopes.clone(),
            remote_ip: self.remote_ip.clone(),
            tokens: tokens.collect(),
            created_at_ms: self.created_at_ms,
            approved_at_ms: self.approved_at_ms,
        }
    }
}

fn add(list: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    list.extend(more);
    list.sort_unstable();
    list.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(scopes: &[&str]) -> Asking {
        Asking {
            device: Device { id: "d1".to_owned(), public_key: "k1".to_owned() },
            role: "operator".to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            display_name: None,
            platform: "Linux".to_owned(),
            device_family: None,
            client_id: "cli".to_owned(),
            client_mode: "cli".to_owned(),
            remote_ip: None,
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    fn paired(scopes: &[&str]) -> Pairing {
        let mut pairing = Pairing::default();
        let asking = asking(scopes);
        pairing.request(&asking, "r1".to_owned(), 0);
        pairing.approve("r1", 1).unwrap();
        pairing.ensure_token(&asking, secret("first"), 2).unwrap();
        pairing
    }

    #[test]
    fn a_device_is_paired_for_what_was_approved_and_no_more() {
        let pairing = paired(&["operator.write"]);
        assert_eq!(pairing.check(&asking(&["operator.read"])), Ok(()));
        assert_eq!(pairing.check(&asking(&["operator.admin"])), Err(Unpaired::ScopeUpgrade));
        let node = Asking { role: "node".to_owned(), ..asking(&[]) };
        assert_eq!(pairing.check(&node), Err(Unpaired::RoleUpgrade));
        let moved = Asking { platform: "darwin".to_owned(), ..asking(&[]) };
        assert_eq!(pairing.check(&moved), Err(Unpaired::MetadataUpgrade));
        let same = Asking { platform: " LINUX ".to_owned(), ..asking(&[]) };
        assert_eq!(pairing.check(&same), Ok(()));
        let stranger =
            Asking { device: Device { id: "d2".to_owned(), public_key: "k2".to_owned() }, ..asking(&[]) };
        assert_eq!(pairing.check(&stranger), Err(Unpaired::NotPaired));
    }

    #[test]
    fn a_second_approval_adds_to_the_first() {
        let mut pairing = paired(&["operator.read"]);
        let (request, news) = pairing.request(&asking(&["operator.pairing"]), "r2".to_owned(), 10);
        assert!(news && request.is_repair == Some(true));
        let (again, news) = pairing.request(&asking(&["operator.pairing"]), "r3".to_owned(), 11);
        assert!(!news && again.request_id == "r2");
        let device = pairing.approve("r2", 12).unwrap();
        assert_eq!(device.scopes, ["operator.pairing", "operator.read"]);
        assert_eq!(pairing.approve("r2", 13), Err(PairingError::UnknownRequest));
    }

    #[test]
    fn a_request_grows_by_what_is_asked_later_and_that_is_news() {
        let mut pairing = Pairing::default();
        let mut ask = |asking: &Asking| {
            let (request, news) = pairing.request(asking, "r".to_owned(), 0);
            (request.scopes.join(" "), news)
        };
        assert_eq!(ask(&asking(&["operator.write"])), ("operator.write".to_owned(), true));
        assert_eq!(ask(&asking(&["operator.read"])), ("operator.write".to_owned(), false), "it is covered");
        let both = "operator.pairing operator.write".to_owned();
        assert_eq!(ask(&asking(&["operator.pairing"])), (both.clone(), true));
        assert_eq!(ask(&asking(&[])), (both, false));
        // Never beyond the bound, and never for another role.
        let many: Vec<String> = (0..MAX_SCOPES).map(|number| format!("s{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(ask(&asking(&many)), (many.join(" "), true));
        let node = Asking { role: "node".to_owned(), ..asking(&["x"]) };
        assert_eq!(ask(&node), ("x".to_owned(), true));
    }

    #[test]
    fn requests_expire_and_can_be_rejected() {
        let mut pairing = Pairing::default();
        pairing.request(&asking(&[]), "r1".to_owned(), 0);
        assert_eq!(pairing.list(PENDING_TTL_MS).pending.len(), 1);
        assert_eq!(pairing.list(PENDING_TTL_MS + 1).pending.len(), 0);
        assert_eq!(pairing.approve("r1", PENDING_TTL_MS + 1), Err(PairingError::UnknownRequest));
        pairing.request(&asking(&[]), "r2".to_owned(), 0);
        assert_eq!(pairing.reject("r2", 1).as_deref(), Ok("d1"));
        assert_eq!(pairing.reject("r2", 1), Err(PairingError::UnknownRequest));
    }

    #[test]
    fn tokens_fit_until_they_are_rotated_or_revoked() {
        let mut pairing = paired(&["operator.read"]);
        let read = vec!["operator.read".to_owned()];
        assert!(pairing.token_fits("d1", "operator", &secret("first"), &read));
        assert!(!pairing.token_fits("d1", "operator", &secret("other"), &read));
        assert!(!pairing.token_fits("d1", "operator", &secret("first"), &["operator.admin".to_owned()]));
        let refused =
            pairing.rotate("d1", "operator", Some(vec!["operator.admin".to_owned()]), secret("x"), 3);
        assert_eq!(refused, Err(PairingError::ScopesExceedApproval));
        pairing.rotate("d1", "operator", None, secret("second"), 4).unwrap();
        assert!(!pairing.token_fits("d1", "operator", &secret("first"), &read));
        assert!(pairing.token_fits("d1", "operator", &secret("second"), &read));
        pairing.revoke("d1", "operator", 5).unwrap();
        assert!(!pairing.token_fits("d1", "operator", &secret("second"), &read));
        assert_eq!(pairing.revoke("d1", "node", 5), Err(PairingError::UnknownRole));
        pairing.remove("d1").unwrap();
        assert_eq!(pairing.remove("d1"), Err(PairingError::UnknownDevice));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut pairing = Pairing::default();
        for number in 0..MAX_PENDING + 10 {
            let id = format!("d{number}");
            let stranger =
                Asking { device: Device { id: id.clone(), public_key: id.clone() }, ..asking(&[]) };
            pairing.request(&stranger, id, number as u64);
        }
        assert_eq!(pairing.pending.len(), MAX_PENDING);
        assert!(!pairing.pending.contains_key("d9") && pairing.pending.contains_key("d10"));
    }

    #[test]
    fn lists_carry_no_secret() {
        let text = serde_json::to_string(&paired(&["operator.read"]).list(0)).unwrap();
        assert!(!text.contains("first"), "{text}");
        assert!(!format!("{:?}", paired(&[])).contains("first"));
    }
}
