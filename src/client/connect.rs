//! How to connect: where to, with what, asking for what.

use std::path::PathBuf;
use std::time::Duration;

use super::address::Address;
use super::error::ClientError;
use crate::protocol::connect::{ClientId, ClientInfo, ClientMode, ConnectAuth, ConnectParams, PROTOCOL_MIN};
use crate::protocol::scope::{Role, Scope};
use crate::protocol::text::NonEmpty;
use crate::secret::Secret;

/// What a client presents.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The gateway's token.
    pub token: Option<Secret>,
    /// The gateway's password.
    pub password: Option<Secret>,
    /// Where this user's own key is kept. It is used where there is neither token nor password.
    pub identity: Option<PathBuf>,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Where to.
    pub address: Address,
    /// With what.
    pub credentials: Credentials,
    /// What to ask to be allowed.
    pub scopes: Vec<Scope>,
    /// How long connecting, and each call, may take.
    pub timeout: Duration,
}

/// The parameters of `connect`, still without a device's proof.
pub(super) fn connect_params(scopes: &[Scope], auth: ConnectAuth) -> Result<ConnectParams, ClientError> {
    // None of these texts is empty.
    let text = |text: &str| NonEmpty::new(text).ok_or(ClientError::Foreign);
    let scopes = scopes.iter().map(|scope| text(scope.as_str())).collect::<Result<_, _>>()?;
    Ok(ConnectParams {
        min_protocol: PROTOCOL_MIN,
        max_protocol: PROTOCOL_MIN,
        client: ClientInfo {
            id: ClientId::CLI,
            display_name: None,
            version: text(env!("CARGO_PKG_VERSION"))?,
            platform: text(std::env::consts::OS)?,
            device_family: None,
            model_identifier: None,
            mode: ClientMode::Cli,
            instance_id: None,
            build_id: None,
            time_zone: None,
        },
        caps: None,
        commands: None,
        permissions: None,
        path_env: None,
        role: Some(text(Role::Operator.as_str())?),
        scopes: Some(scopes),
        device: None,
        auth: Some(auth),
        locale: None,
        user_agent: None,
        computer_use: None,
        worker_runs: None,
        model_catalog: None,
    })
}
