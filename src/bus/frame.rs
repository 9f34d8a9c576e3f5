//! A WebSocket text frame, made once and shared by everybody it is sent to.

use bytes::Bytes;
use serde::Serialize;

/// Room for the longest header of an unmasked frame (RFC 6455 §5.2).
const HEADER_ROOM: usize = 10;

/// A whole text frame as a server sends it: header and payload in one piece. Cloning shares the bytes.
///
/// Servers do not mask, so the bytes are the same for every receiver. They are made here rather than by tungstenite,
/// which would copy the payload into every connection's buffer and keep that buffer as long as the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// Serialises a value into a frame.
    pub fn text(value: &impl Serialize) -> serde_json::Result<Self> {
        let mut buffer = Vec::with_capacity(256);
        let start = Self::append(value, &mut buffer)?;
        Ok(Self(Bytes::from(buffer).slice(start..)))
    }

    /// Serialises a value into a frame at the end of a buffer, and returns where the frame begins. What lies between
    /// the buffer's former end and there is padding.
    pub fn append(value: &impl Serialize, buffer: &mut Vec<u8>) -> serde_json::Result<usize> {
        let base = buffer.len();
        buffer.resize(base + HEADER_ROOM, 0);
        serde_json::to_writer(&mut *buffer, value)?;
        let payload = base + HEADER_ROOM;
        let (header, len) = text_header(buffer.len() - payload);
        let start = payload - len;
        buffer[start..payload].copy_from_slice(&header[..len]);
        Ok(start)
    }

    /// Header and payload.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Header and payload, given away.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Bytes of header and payload.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A frame is never empty: it has a header.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The text of a frame without its header, for tests.
#[cfg(test)]
pub(super) fn payload(frame: &[u8]) -> &[u8] {
    let header = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    &frame[header..]
}

/// The header of a final, unmasked text frame: FIN and opcode 1, then the length in 1, 3 or 9 bytes.
fn text_header(payload: usize) -> ([u8; HEADER_ROOM], usize) {
    let mut header = [0; HEADER_ROOM];
    header[0] = 0x81;
    let len = match payload {
        0..126 => {
            header[1] = payload as u8;
            2
        }
        126..0x1_0000 => {
            header[1] = 126;
            header[2..4].copy_from_slice(&(payload as u16).to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
            10
        }
    };
    (header, len)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

    use super::*;

    /// tungstenite, as a client, is the judge of what a frame is.
    #[test]
    fn a_client_reads_back_what_was_framed() {
        for length in [0, 1, 123, 124, 125, 65_530, 65_533, 65_534, 65_535, 70_000] {
            let text = "x".repeat(length);
            let frame = Frame::text(&text).unwrap();
            let mut stream = Cursor::new(frame.bytes().to_vec());
            let config = WebSocketConfig::default().read_buffer_size(64);
            let mut client = WebSocket::from_raw_socket(&mut stream, Role::Client, Some(config));
            let expected = format!("\"{text}\"");
            assert_eq!(client.read().unwrap(), Message::text(expected.clone()), "{length}");
        }
    }

    #[test]
    fn appending_leaves_what_was_there() {
        let mut buffer = b"before".to_vec();
        let start = Frame::append(&"text", &mut buffer).unwrap();
        assert_eq!(&buffer[..6], b"before");
        assert_eq!(&buffer[start..], b"\x81\x06\"text\"");
    }
}
