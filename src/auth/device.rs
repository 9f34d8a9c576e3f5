//! Whether a device holds the key it claims (protocol notes §1.9).

use ed25519_dalek::{Signature, VerifyingKey};

use crate::protocol::connect::{ConnectParams, DeviceProof};
use crate::protocol::device::{
    SIGNATURE_SKEW_MS, Signed, base64url, device_id, from_base64, public_key, scopes_text,
};

/// Why a device's proof was refused. The words are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRefusal {
    /// The id is not the hash of the key.
    IdMismatch,
    /// Signed too long ago, or ahead of us.
    Stale,
    /// No nonce.
    NonceMissing,
    /// Not this connection's nonce.
    NonceMismatch,
    /// Neither signature version fits.
    Signature,
}

impl DeviceRefusal {
    /// For people, and the reason of the close frame.
    pub const fn message(self) -> &'static str {
        match self {
            Self::IdMismatch => "device identity mismatch",
            Self::Stale => "device signature expired",
            Self::NonceMissing => "device nonce required",
            Self::NonceMismatch => "device nonce mismatch",
            Self::Signature => "device signature invalid",
        }
    }

    /// `details.reason`, for programs.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::IdMismatch => "device-id-mismatch",
            Self::Stale => "device-signature-stale",
            Self::NonceMissing => "device-nonce-missing",
            Self::NonceMismatch => "device-nonce-mismatch",
            Self::Signature => "device-signature",
        }
    }
}

/// A device that proved to hold its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Lower-case hex SHA-256 of the key.
    pub id: String,
    /// The key, base64url of the raw 32 bytes.
    pub public_key: String,
}

/// Checks a device's proof against the nonce it was given, at `now_ms`. `role` is the effective role.
pub fn verify(
    params: &ConnectParams,
    proof: &DeviceProof,
    role: &str,
    nonce: &str,
    now_ms: u64,
) -> Result<Device, DeviceRefusal> {
    let raw = public_key(&proof.public_key).ok_or(DeviceRefusal::IdMismatch)?;
    if device_id(&raw) != *proof.id {
        return Err(DeviceRefusal::IdMismatch);
    }
    if now_ms.abs_diff(proof.signed_at) > SIGNATURE_SKEW_MS {
        return Err(DeviceRefusal::Stale);
    }
    if proof.nonce.trim().is_empty() {
        return Err(DeviceRefusal::NonceMissing);
    }
    if &*proof.nonce != nonce {
        return Err(DeviceRefusal::NonceMismatch);
    }
    let key = VerifyingKey::from_bytes(&raw).map_err(|_| DeviceRefusal::Signature)?;
    let signature = from_base64(&proof.signature)
        .and_then(|bytes| Signature::from_slice(&bytes).ok())
        .ok_or(DeviceRefusal::Signature)?;
    let scopes = scopes_text(params);
    let signed = signed(params, proof, role, &scopes);
    let fits = |text: String| key.verify_strict(text.as_bytes(), &signature).is_ok();
    if fits(signed.v3()) || fits(signed.v2()) {
        Ok(Device { id: proof.id.to_string(), public_key: base64url(&raw) })
    } else {
        Err(DeviceRefusal::Signature)
    }
}

fn signed<'a>(
    params: &'a ConnectParams,
    proof: &'a DeviceProof,
    role: &'a str,
    scopes: &'a str,
) -> Signed<'a> {
    let auth = params.auth.as_ref();
    let token = auth.and_then(|auth| auth.token.0.as_ref().or(auth.device_token.0.as_ref()));
    Signed {
        device_id: &proof.id,
        client_id: params.client.id.as_str(),
        client_mode: params.client.mode.as_str(),
        role,
        scopes,
        signed_at: proof.signed_at,
        token: token.map_or("", |token| token.expose()),
        nonce: &proof.nonce,
        platform: &params.client.platform,
        device_family: params.client.device_family.as_deref().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_795_210_888_231;
    const NONCE: &str = "5f90f2d8-8148-41c2-bbf6-830707b82788";

    fn connect(change: impl Fn(&mut serde_json::Value)) -> ConnectParams {
        let mut value = json!({
            "minProtocol": 3, "maxProtocol": 3,
            "client": { "id": "cli", "version": "1", "platform": " Linux", "mode": "cli" },
            "scopes": ["operator.read", "operator.admin"],
            "auth": { "token": "secret" },
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    fn proof(text: &str, key: &SigningKey) -> DeviceProof {
        let raw = key.verifying_key().to_bytes();
        let signature = base64url(&key.sign(text.as_bytes()).to_bytes());
        serde_json::from_value(json!({
            "id": device_id(&raw), "publicKey": base64url(&raw),
            "signature": signature, "signedAt": NOW, "nonce": NONCE,
        }))
        .unwrap()
    }

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn good_text(version: &str) -> String {
        let id = device_id(&key().verifying_key().to_bytes());
        let fields = format!("{id}|cli|cli|operator|operator.read,operator.admin|{NOW}|secret|{NONCE}");
        if version == "v3" { format!("v3|{fields}|linux|") } else { format!("v2|{fields}") }
    }

    #[test]
    fn both_signature_versions_are_accepted() {
        for version in ["v2", "v3"] {
            let device =
                verify(&connect(|_| {}), &proof(&good_text(version), &key()), "operator", NONCE, NOW);
            assert_eq!(device.unwrap().id.len(), 64, "{version}");
        }
    }

    /// Capture `226-matrix-device-v3`: a signature a real client made.
    #[test]
    fn a_captured_signature_is_accepted() {
        let params = connect(|value| {
            value["client"]["platform"] = json!("linux");
            value["scopes"] = json!([
                "operator.admin",
                "operator.read",
                "operator.write",
                "operator.approvals",
                "operator.pairing"
            ]);
        });
        let proof = serde_json::from_value(json!({
            "id": "f80daaeede79f8105074aa7b340e43964b1d34024e362fe34d1136d49b839b5d",
            "publicKey": "aPIRPa8NwxNLw-88p8S9qDDFxr82zF4qIpbJdYKSSys",
            "signature":
                "Vd8jw6WcCOroPTDgXUwB9px_BYpzViEhnVr0MM-_rirh81GeYcc0Kr_4ojABLI8z-yWGeX_pnGYZGL41ykI8Cw",
            "signedAt": NOW, "nonce": NONCE,
        }))
        .unwrap();
        assert!(verify(&params, &proof, "operator", NONCE, NOW).is_ok());
        assert_eq!(verify(&params, &proof, "node", NONCE, NOW), Err(DeviceRefusal::Signature));
    }

    #[test]
    fn what_does_not_fit_is_refused_in_the_protocols_order() {
        type Change = fn(&mut DeviceProof);
        let table: [(Change, DeviceRefusal); 6] = [
            (|proof| proof.id = text("00"), DeviceRefusal::IdMismatch),
            (|proof| proof.public_key = text("AAAA"), DeviceRefusal::IdMismatch),
            (|proof| proof.signed_at = NOW - SIGNATURE_SKEW_MS - 1, DeviceRefusal::Stale),
            (|proof| proof.signed_at = NOW + SIGNATURE_SKEW_MS + 1, DeviceRefusal::Stale),
            (|proof| proof.nonce = text("another"), DeviceRefusal::NonceMismatch),
            (|proof| proof.signature = text("AAAA"), DeviceRefusal::Signature),
        ];
        for (change, refusal) in table {
            let mut proof = proof(&good_text("v3"), &key());
            change(&mut proof);
            assert_eq!(verify(&connect(|_| {}), &proof, "operator", NONCE, NOW), Err(refusal));
        }
        let other = connect(|value| value["auth"]["token"] = json!("changed"));
        let refused = verify(&other, &proof(&good_text("v3"), &key()), "operator", NONCE, NOW);
        assert_eq!(refused, Err(DeviceRefusal::Signature), "the token is signed too");
    }

    fn text(text: &str) -> crate::protocol::text::NonEmpty {
        crate::protocol::text::NonEmpty::new(text).unwrap()
    }
}
