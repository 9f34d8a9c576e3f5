//! What a device signs to prove that it holds its key (§1.9).

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

#[cfg(test)]
mod tests {
    use super::*;

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
