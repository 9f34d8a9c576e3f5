//! WebSocket frames as a client sees them (RFC 6455 §5.2): no more than the load generator needs, which is whole
//! frames, and cheap, so that the server is what is measured.

/// A text frame.
pub const TEXT: u8 = 0x1;
/// A close frame.
pub const CLOSE: u8 = 0x8;
/// A ping.
pub const PING: u8 = 0x9;
/// A pong.
pub const PONG: u8 = 0xA;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// The start of a frame that has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// What the frame is.
    pub opcode: u8,
    /// Bytes before the payload.
    pub length: usize,
    /// Bytes of payload.
    pub payload: usize,
}

/// A whole frame from a client. The mask is zero: the server has the same work with it, and we have none.
pub fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 14);
    frame.push(FIN | opcode);
    match payload.len() {
        // The casts fit: each arm bounds the length.
        length @ 0..=125 => frame.push(MASKED | length as u8),
        length @ 126..=0xFFFF => {
            frame.push(MASKED | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(MASKED | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// The header at the start of `input`, or nothing while it is incomplete.
pub fn header(input: &[u8]) -> Option<Header> {
    let (&[first, second], rest) = input.split_first_chunk::<2>()?;
    let (length, payload) = match second & !MASKED {
        126 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        short => (2, usize::from(short)),
    };
    Some(Header { opcode: first & 0x0F, length, payload })
}
