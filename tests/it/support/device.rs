//! A device and its key, signing as the protocol notes §1.9 say, with nothing of ours in it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub struct Device(SigningKey);

impl Device {
    /// The device whose key has this seed.
    pub fn new(seed: u8) -> Self {
        Self(SigningKey::from_bytes(&[seed; 32]))
    }

    fn raw(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub fn id(&self) -> String {
        Sha256::digest(self.raw()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.raw())
    }

    /// The key as SubjectPublicKeyInfo in PEM (RFC 8410).
    pub fn public_pem(&self) -> String {
        let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        der.extend(self.raw());
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    /// Puts `device` into the parameters of a `connect`: a signature of version 2 or 3 over them as they are now.
    pub fn prove(&self, connect: &mut Value, nonce: &str, version: u8) {
        self.prove_at(connect, nonce, version, now_ms());
    }

    /// The same, signed at another time.
    pub fn prove_at(&self, connect: &mut Value, nonce: &str, version: u8, signed_at: u64) {
        let text = signed_text(connect, &self.id(), nonce, version, signed_at);
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(text.as_bytes()).to_bytes());
        connect["device"] = json!({
            "id": self.id(), "publicKey": self.public_key(), "signature": signature,
            "signedAt": signed_at, "nonce": nonce,
        });
    }
}

fn signed_text(connect: &Value, id: &str, nonce: &str, version: u8, signed_at: u64) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (client, auth) = (&connect["client"], &connect["auth"]);
    let scopes: Vec<String> = connect["scopes"].as_array().into_iter().flatten().map(text).collect();
    let role = connect["role"].as_str().unwrap_or("operator");
    let token = auth["token"].as_str().or(auth["deviceToken"].as_str()).unwrap_or_default();
    let mut fields = vec![
        format!("v{version}"),
        id.to_owned(),
        text(&client["id"]),
        text(&client["mode"]),
        role.to_owned(),
        scopes.join(","),
        signed_at.to_string(),
        token.to_owned(),
        nonce.to_owned(),
    ];
    if version == 3 {
        let plain = |value: &Value| text(value).trim().to_ascii_lowercase();
        fields.extend([plain(&client["platform"]), plain(&client["deviceFamily"])]);
    }
    fields.join("|")
}

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
