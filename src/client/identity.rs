//! This user's own key, kept in the state directory, and the token a gateway gave it (protocol notes §1.9).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ClientError;
use crate::host::{clock, fs};
use crate::protocol::connect::{ConnectParams, DeviceProof};
use crate::protocol::device::{
    Signed, base64url, device_id, private_pem, private_seed, public_pem, scopes_text,
};
use crate::protocol::scope::Role;
use crate::protocol::text::{Credential, NonEmpty};
use crate::secret::Secret;

/// Largest file that is read.
const FILE_LIMIT: u64 = 64 * 1024;

/// A key, and the tokens that go with it.
#[derive(Debug)]
pub(super) struct Identity {
    dir: PathBuf,
    key: SigningKey,
    id: String,
    tokens: BTreeMap<String, StoredToken>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceFile {
    version: u32,
    device_id: String,
    public_key_pem: String,
    private_key_pem: Credential,
    created_at_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenFile {
    version: u32,
    device_id: String,
    tokens: BTreeMap<String, StoredToken>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredToken {
    token: Credential,
    role: String,
    scopes: Vec<String>,
    updated_at_ms: u64,
}

impl Identity {
    /// Reads the key, or makes one. Both files are private.
    pub(super) fn load_or_make(dir: &Path) -> Result<Self, ClientError> {
        let path = dir.join("device.json");
        let failed = |source| ClientError::Identity { path: path.clone(), source };
        let key = match fs::read_text(&path, FILE_LIMIT).map_err(failed)? {
            Some(text) => {
                let file: DeviceFile = serde_json::from_str(&text).map_err(|_| failed(damaged()))?;
                private_key(&file.private_key_pem).ok_or_else(|| failed(damaged()))?
            }
            None => make(dir, &path).map_err(failed)?,
        };
        let id = device_id(key.verifying_key().as_bytes());
        let kept = fs::read_text(&dir.join(TOKENS), FILE_LIMIT).map_err(failed)?;
        let kept = kept.and_then(|text| serde_json::from_str::<TokenFile>(&text).ok());
        // Tokens of another key, or in a damaged file, are no use; the gateway gives new ones.
        let tokens = kept.filter(|file| file.device_id == id).map(|file| file.tokens).unwrap_or_default();
        Ok(Self { dir: dir.to_owned(), key, id, tokens })
    }

    /// The token for a role.
    pub(super) fn token(&self, role: Role) -> Option<Secret> {
        self.tokens.get(role.as_str()).and_then(|stored| stored.token.0.clone())
    }

    /// Signs a challenge.
    pub(super) fn prove(
        &self,
        params: &ConnectParams,
        nonce: &str,
        now_ms: u64,
    ) -> Result<DeviceProof, ClientError> {
        let auth = params.auth.as_ref();
        let token = auth.and_then(|auth| auth.token.0.as_ref().or(auth.device_token.0.as_ref()));
        let signed = Signed {
            device_id: &self.id,
            client_id: params.client.id.as_str(),
            client_mode: params.client.mode.as_str(),
            role: params.role.as_deref().unwrap_or(Role::Operator.as_str()),
            scopes: &scopes_text(params),
            signed_at: now_ms,
            token: token.map_or("", |token| token.expose()),
            nonce,
            platform: &params.client.platform,
            device_family: "",
        };
        let text = |text: String| NonEmpty::new(text).ok_or(ClientError::Foreign);
        Ok(DeviceProof {
            id: text(self.id.clone())?,
            public_key: text(base64url(self.key.verifying_key().as_bytes()))?,
            signature: text(base64url(&self.key.sign(signed.v3().as_bytes()).to_bytes()))?,
            signed_at: now_ms,
            nonce: text(nonce.to_owned())?,
        })
    }

    /// Keeps the token that `hello-ok` granted, if it is news.
    pub(super) fn keep_token(mut self, granted: Option<&Value>) -> Result<(), ClientError> {
        let field = |name: &str| granted.and_then(|granted| granted.get(name));
        let token = field("deviceToken").and_then(Value::as_str).and_then(Secret::new);
        let Some(role) = field("role").and_then(Value::as_str) else { return Ok(()) };
        if token.is_none() || token == self.tokens.get(role).and_then(|stored| stored.token.0.clone()) {
            return Ok(());
        }
        let scopes = field("scopes").and_then(Value::as_array).into_iter().flatten();
        let stored = StoredToken {
            token: Credential(token),
            role: role.to_owned(),
            scopes: scopes.filter_map(Value::as_str).map(str::to_owned).collect(),
            updated_at_ms: clock::unix_ms(),
        };
        self.tokens.insert(role.to_owned(), stored);
        let path = self.dir.join(TOKENS);
        let file = TokenFile { version: 1, device_id: self.id, tokens: self.tokens };
        write_private(&path, &file).map_err(|source| ClientError::Identity { path, source })
    }
}

const TOKENS: &str = "device-auth.json";

fn make(dir: &Path, path: &Path) -> io::Result<SigningKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let key = SigningKey::from_bytes(&seed);
    let file = DeviceFile {
        version: 1,
        device_id: device_id(key.verifying_key().as_bytes()),
        public_key_pem: public_pem(key.verifying_key().as_bytes()),
        private_key_pem: Credential(Secret::new(&private_pem(&seed))),
        created_at_ms: clock::unix_ms(),
    };
    fs::private_dir(dir)?;
    write_private(path, &file)?;
    Ok(key)
}

fn write_private(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    fs::write_atomic(path, &text, fs::PRIVATE)
}

fn private_key(pem: &Credential) -> Option<SigningKey> {
    private_seed(pem.0.as_ref()?.expose()).map(|seed| SigningKey::from_bytes(&seed))
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file is damaged; move it away to get a new identity")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_and_its_token_are_kept_and_private() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("identity");
        let first = Identity::load_or_make(&dir).unwrap();
        let id = first.id.clone();
        let granted = json!({ "deviceToken": "token-1", "role": "operator", "scopes": ["operator.read"] });
        first.keep_token(Some(&granted)).unwrap();
        let again = Identity::load_or_make(&dir).unwrap();
        assert_eq!(again.id, id);
        assert_eq!(again.token(Role::Operator).unwrap().expose(), "token-1");
        assert_eq!(again.token(Role::Node), None);
        for name in ["device.json", TOKENS] {
            let mode = std::fs::metadata(dir.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_damaged_key_is_an_error_and_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("device.json");
        fs::write_atomic(&path, b"{}", fs::PRIVATE).unwrap();
        assert!(Identity::load_or_make(home.path()).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
    }
}
