//! A connection to a gateway, from outside: the handshake, calls, events.
//!
//! Fails fast: a gateway that is not there is an error at once, and nothing is done in its stead (runbooks, "Safety
//! guarantees"). It must not know where an address or a credential came from.

mod address;
mod connect;
mod error;
mod identity;
pub mod probe;
mod socket;

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::host::clock;
use crate::protocol::connect::ConnectAuth;
use crate::protocol::event::{Challenge, ConnectChallenge, Event as _};
use crate::protocol::frame::{EventFrame, Response};
use crate::protocol::method::Method;
use crate::protocol::scope::Role;
use crate::protocol::text::Credential;
pub use address::{Address, AddressError};
use connect::connect_params;
pub use connect::{Connect, Credentials};
pub use error::ClientError;
use identity::Identity;
use socket::{Incoming, Socket};

/// A connection that has been accepted.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    timeout: Duration,
    next_id: u64,
    /// What the gateway said of itself: the payload of `hello-ok`.
    pub hello: Value,
}

impl Client {
    /// Connects and shakes hands.
    pub async fn connect(connect: Connect) -> Result<Self, ClientError> {
        let timeout = connect.timeout;
        within(timeout, Self::shake_hands(connect)).await
    }

    async fn shake_hands(connect: Connect) -> Result<Self, ClientError> {
        let mut socket = Socket::open(&connect.address).await?;
        let challenge = loop {
            if let Incoming::Event(event) = socket.receive().await?
                && event.event == ConnectChallenge::NAME
            {
                let payload = event.payload.unwrap_or_default();
                break serde_json::from_value::<Challenge>(payload).map_err(|_| ClientError::Foreign)?;
            }
        };
        let credentials = connect.credentials;
        let alone = credentials.token.is_none() && credentials.password.is_none();
        let identity = match credentials.identity.filter(|_| alone) {
            Some(dir) => Some(Identity::load_or_make(&dir)?),
            None => None,
        };
        let device_token = identity.as_ref().and_then(|identity| identity.token(Role::Operator));
        let auth = ConnectAuth {
            token: Credential(credentials.token),
            password: Credential(credentials.password),
            device_token: Credential(device_token),
            ..ConnectAuth::default()
        };
        let mut params = connect_params(&connect.scopes, auth)?;
        if let Some(identity) = &identity {
            params.device = Some(identity.prove(&params, &challenge.nonce, clock::unix_ms())?);
        }
        let mut client = Self { socket, timeout: connect.timeout, next_id: 0, hello: Value::Null };
        client.hello = client.request("connect", &params).await.map_err(ClientError::of_connect)?;
        if let Some(identity) = identity {
            identity.keep_token(client.hello.get("auth"))?;
        }
        Ok(client)
    }

    /// Calls a method whose shapes are known.
    pub async fn call<M: Method>(&mut self, params: &M::Params) -> Result<M::Output, ClientError> {
        let value = self.call_raw(M::NAME, params).await?;
        serde_json::from_value(value).map_err(|_| ClientError::Unreadable { method: M::NAME.to_owned() })
    }

    /// Calls any method. An answer that only says that the work was accepted is waited beyond.
    pub async fn call_raw(&mut self, method: &str, params: &impl Serialize) -> Result<Value, ClientError> {
        let timeout = self.timeout;
        within(timeout, self.request(method, params)).await
    }

    async fn request(&mut self, method: &str, params: &impl Serialize) -> Result<Value, ClientError> {
        self.next_id += 1;
        let id = self.next_id.to_string();
        self.socket.send(&json!({ "type": "req", "id": id, "method": method, "params": params })).await?;
        loop {
            let response = match self.socket.receive().await? {
                Incoming::Response(response) if response.id == id => response,
                Incoming::Response(_) | Incoming::Event(_) => continue,
            };
            if !is_accepted(&response) {
                return finish(response);
            }
        }
    }

    /// Waits for the next event.
    pub async fn event(&mut self) -> Result<EventFrame, ClientError> {
        loop {
            if let Incoming::Event(event) = self.socket.receive().await? {
                return Ok(event);
            }
        }
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.socket.close().await;
    }
}

/// The first of two answers: the work has begun (protocol notes §3.8).
fn is_accepted(response: &Response) -> bool {
    let status = response.payload.as_ref().and_then(|payload| payload.get("status"));
    response.ok && status.and_then(Value::as_str) == Some("accepted")
}

fn finish(response: Response) -> Result<Value, ClientError> {
    match response.error {
        Some(error) if !response.ok => Err(ClientError::Refused(error)),
        _ => Ok(response.payload.unwrap_or_default()),
    }
}

async fn within<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    tokio::time::timeout(timeout, work).await.unwrap_or(Err(ClientError::Timeout(timeout)))
}
