//! Where a gateway is: a WebSocket URL that may be spoken to in the clear.

use std::fmt;
use std::net::SocketAddr;

use axum::http::Uri;

/// The address of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    path: String,
}

/// Why an address cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no WebSocket URL.
    #[error("not a gateway URL: {0:?} (write ws://HOST:PORT)")]
    Malformed(String),
    /// It is encrypted, which this client does not speak.
    #[error(
        "this build does not speak wss:// (got {0:?}); use an SSH tunnel: ssh -N -L 18789:127.0.0.1:18789 user@host"
    )]
    Encrypted(String),
    /// The token would cross a network in the clear.
    #[error(
        "SECURITY ERROR: Gateway URL {0:?} uses plaintext ws:// to a non-loopback address; use an SSH tunnel: \
         ssh -N -L 18789:127.0.0.1:18789 user@host"
    )]
    Plaintext(String),
}

impl Address {
    /// The gateway on this machine that listens on a port.
    pub fn local(port: u16) -> Self {
        Self { host: "127.0.0.1".to_owned(), port, path: "/".to_owned() }
    }

    /// The gateway that listens at an address.
    pub fn at(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port(), path: "/".to_owned() }
    }

    /// The pages that it serves to browsers.
    pub fn page(&self) -> String {
        format!("http://{}/", self.authority())
    }

    /// Reads `ws://host:port`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let malformed = || AddressError::Malformed(text.to_owned());
        let uri: Uri = text.trim().parse().map_err(|_| malformed())?;
        let authority =
            uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(malformed)?;
        match uri.scheme_str() {
            Some("ws") => {}
            Some("wss") => return Err(AddressError::Encrypted(text.to_owned())),
            _ => return Err(malformed()),
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self { host, port, path: uri.path().to_owned() })
    }

    /// The same, refusing to speak in the clear beyond this machine (protocol notes §6.7).
    pub fn parse_safe(text: &str) -> Result<Self, AddressError> {
        let address = Self::parse(text)?;
        let loopback = address.host.eq_ignore_ascii_case("localhost")
            || address.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        if loopback { Ok(address) } else { Err(AddressError::Plaintext(text.to_owned())) }
    }

    /// Host and port, for connecting.
    pub(super) fn socket(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, for a `Host` header.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ws://{}{}", self.authority(), self.path.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_back() {
        for (text, shown) in [
            ("ws://127.0.0.1:18789", "ws://127.0.0.1:18789"),
            ("ws://127.0.0.1:18789/", "ws://127.0.0.1:18789"),
            ("ws://[::1]:1/path", "ws://[::1]:1/path"),
            ("ws://localhost", "ws://localhost:80"),
        ] {
            assert_eq!(Address::parse_safe(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_address_or_not_a_safe_one() {
        for text in ["", "127.0.0.1:1", "http://127.0.0.1", "ws://", "ws://user:pw@127.0.0.1"] {
            assert_eq!(Address::parse_safe(text), Err(AddressError::Malformed(text.to_owned())), "{text}");
        }
        let far = "ws://192.0.2.7:18789".to_owned();
        assert_eq!(Address::parse_safe(&far), Err(AddressError::Plaintext(far.clone())));
        let encrypted = "wss://127.0.0.1".to_owned();
        assert_eq!(Address::parse_safe(&encrypted), Err(AddressError::Encrypted(encrypted.clone())));
    }
}
