//! The transport: frames in and out.

use std::io;

use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::address::Address;
use super::error::ClientError;
use crate::protocol::frame::{EventFrame, MAX_PAYLOAD, Response};

/// A frame from the gateway.
#[derive(Debug)]
pub(super) enum Incoming {
    Response(Response),
    Event(EventFrame),
}

#[derive(Debug)]
pub(super) struct Socket {
    stream: WebSocketStream<TcpStream>,
}

impl Socket {
    pub(super) async fn open(address: &Address) -> Result<Self, ClientError> {
        let unreachable = |source| ClientError::Unreachable { address: address.to_string(), source };
        let tcp = TcpStream::connect(address.socket()).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(16 * 1024)
            .max_message_size(Some(MAX_PAYLOAD))
            .max_frame_size(Some(MAX_PAYLOAD));
        let opened = client_async_with_config(address.to_string(), tcp, Some(config)).await;
        match opened {
            Ok((stream, _)) => Ok(Self { stream }),
            Err(Error::Io(source)) => Err(unreachable(source)),
            Err(_) => Err(ClientError::Foreign),
        }
    }

    pub(super) async fn send(&mut self, frame: &impl Serialize) -> Result<(), ClientError> {
        let text = serde_json::to_string(frame).map_err(|_| ClientError::Foreign)?;
        self.stream.send(Message::text(text)).await.map_err(|error| closed(&error))
    }

    pub(super) async fn receive(&mut self) -> Result<Incoming, ClientError> {
        loop {
            let text = match self.stream.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Err(ClientError::Closed {
                        code: frame.code.into(),
                        reason: frame.reason.to_string(),
                    });
                }
                Some(Ok(Message::Close(None))) | None => return Err(no_frame("no close reason")),
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Err(closed(&error)),
            };
            return incoming(&text).ok_or(ClientError::Foreign);
        }
    }

    pub(super) async fn close(mut self) {
        // The answers are here; a goodbye that does not arrive is no failure.
        let _ = self.stream.close(None).await;
    }
}

fn incoming(text: &str) -> Option<Incoming> {
    let value: Value = serde_json::from_str(text).ok()?;
    match value.get("type")?.as_str()? {
        "res" => serde_json::from_value(value).ok().map(Incoming::Response),
        "event" => serde_json::from_value(value).ok().map(Incoming::Event),
        _ => None,
    }
}

fn closed(error: &Error) -> ClientError {
    match error {
        Error::Io(error) if error.kind() != io::ErrorKind::ConnectionReset => no_frame(&error.to_string()),
        _ => no_frame("no close reason"),
    }
}

/// 1006 is what RFC 6455 §7.4.1 calls a connection that ended without a close frame.
fn no_frame(reason: &str) -> ClientError {
    ClientError::Closed { code: 1006, reason: format!("abnormal closure (no close frame): {reason}") }
}
