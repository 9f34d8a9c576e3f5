//! A device's key as it is written, and what the device signs to prove that it holds it (§1.9).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::connect::ConnectParams;

/// How long a signature is good for, either way, milliseconds.
pub const SIGNATURE_SKEW_MS: u64 = 120_000;

/// The fields of a signed text, in its order.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The device's id.
    pub device_id: &'a str,
    /// The client's id.
    pub client_id: &'a str,
    /// The client's mode.
    pub client_mode: &'a str,
    /// The effective role.
    pub role: &'a str,
    /// The scopes in the order sent, joined by commas.
    pub scopes: &'a str,
    /// When it was signed, milliseconds.
    pub signed_at: u64,
    /// The token that is presented, or nothing.
    pub token: &'a str,
    /// The challenge's nonce.
    pub nonce: &'a str,
    /// As the client says, trimmed and lower-cased by [`Signed::v3`].
    pub platform: &'a str,
    /// As the client says, trimmed and lower-cased by [`Signed::v3`].
    pub device_family: &'a str,
}

impl Signed<'_> {
    /// The text of version 2.
    pub fn v2(&self) -> String {
        format!("v2|{}", self.fields())
    }

    /// The text of version 3.
    pub fn v3(&self) -> String {
        let platform = normalised(self.platform);
        let family = normalised(self.device_family);
        format!("v3|{}|{platform}|{family}", self.fields())
    }

    fn fields(&self) -> String {
        [
            self.device_id,
            self.client_id,
            self.client_mode,
            self.role,
            self.scopes,
            &self.signed_at.to_string(),
            self.token,
            self.nonce,
        ]
        .join("|")
    }
}

/// A claimed platform or device family as it is signed and pinned.
pub fn normalised(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}

/// The scopes of a request as they are signed.
pub fn scopes_text(params: &ConnectParams) -> String {
    let scopes = params.scopes.iter().flatten().map(|scope| &**scope);
    scopes.collect::<Vec<_>>().join(",")
}

/// The DER around an Ed25519 public key (RFC 8410 §4).
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The DER around an Ed25519 private key (RFC 8410 §7).
const PRIVATE_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A device's id: lower-case hex SHA-256 of its raw public key.
pub fn device_id(public_key: &[u8; 32]) -> String {
    Sha256::digest(public_key).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A raw public key or a signature as it is sent: base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url as the protocol says, or base64 as some clients write it; padding or not.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().trim_end_matches('=');
    URL_SAFE_NO_PAD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()
}

/// Reads a raw public key: base64url of its 32 bytes, or PEM.
pub fn public_key(text: &str) -> Option<[u8; 32]> {
    let bytes =
        if text.contains("-----BEGIN") { from_pem(text, &PUBLIC_PREFIX)? } else { from_base64(text)? };
    bytes.try_into().ok()
}

/// A public key as PEM.
pub fn public_pem(public_key: &[u8; 32]) -> String {
    pem("PUBLIC KEY", &PUBLIC_PREFIX, public_key)
}

/// A private key, given by its seed, as PEM.
pub fn private_pem(seed: &[u8; 32]) -> String {
    pem("PRIVATE KEY", &PRIVATE_PREFIX, seed)
}

/// Reads the seed of a private key from PEM.
pub fn private_seed(text: &str) -> Option<[u8; 32]> {
    from_pem(text, &PRIVATE_PREFIX)?.try_into().ok()
}

fn pem(label: &str, prefix: &[u8], key: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode([prefix, key].concat()))
}

fn from_pem(text: &str, prefix: &[u8]) -> Option<Vec<u8>> {
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    Some(STANDARD.decode(body).ok()?.strip_prefix(prefix)?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_every_way_they_are_written() {
        let key = [7; 32];
        for text in [base64url(&key), STANDARD.encode(key), public_pem(&key)] {
            assert_eq!(public_key(&text), Some(key), "{text}");
        }
        assert_eq!(private_seed(&private_pem(&key)), Some(key));
        assert_eq!((public_key("short"), private_seed(&public_pem(&key))), (None, None));
    }

    /// Captures `226-matrix-device-v3` (its `signaturePayload`), and the same as version 2.
    #[test]
    fn the_signed_text_is_the_captured_one() {
        let signed = Signed {
            device_id: "f80d",
            client_id: "cli",
            client_mode: "cli",
            role: "operator",
            scopes: "operator.admin,operator.read",
            signed_at: 1_795_210_888_231,
            token: "secret",
            nonce: "5f90",
            platform: " Linux ",
            device_family: "",
        };
        let fields = "f80d|cli|cli|operator|operator.admin,operator.read|1795210888231|secret|5f90";
        assert_eq!(signed.v3(), format!("v3|{fields}|linux|"));
        assert_eq!(signed.v2(), format!("v2|{fields}"));
    }
}
