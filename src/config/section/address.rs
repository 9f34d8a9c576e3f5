//! Addresses and names of the network: IP ranges, web origins, WebSocket URLs, header names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::Uri;
use hyper::header::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An IP address, or a network such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline)]
pub struct IpRange {
    #[schemars(with = "String")]
    address: IpAddr,
    prefix: u8,
}

/// A text is neither an address nor a network.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an IP address such as \"192.0.2.7\", or a network such as \"10.0.0.0/8\"")]
pub struct NotAnIpRange;

impl IpRange {
    /// Whether an address lies in the range. An IPv4 address counts the same inside an IPv6 one (`::ffff:1.2.3.4`).
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => same_bits_v4(mine, other, self.prefix),
            (IpAddr::V6(mine), IpAddr::V6(other)) => same_bits_v6(mine, other, self.prefix),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether every address of the range is of this machine alone.
    pub fn is_loopback(self) -> bool {
        let narrow = match self.address {
            IpAddr::V4(_) => self.prefix >= 8,
            IpAddr::V6(_) => self.prefix == 128,
        };
        narrow && self.address.is_loopback()
    }
}

fn same_bits_v4(one: Ipv4Addr, other: Ipv4Addr, prefix: u8) -> bool {
    let differing = one.to_bits() ^ other.to_bits();
    differing.leading_zeros() >= u32::from(prefix)
}

fn same_bits_v6(one: Ipv6Addr, other: Ipv6Addr, prefix: u8) -> bool {
    let differing = one.to_bits() ^ other.to_bits();
    differing.leading_zeros() >= u32::from(prefix)
}

impl TryFrom<String> for IpRange {
    type Error = NotAnIpRange;

    fn try_from(text: String) -> Result<Self, NotAnIpRange> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| NotAnIpRange)?)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotAnIpRange)?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(widest);
        if prefix <= widest { Ok(Self { address, prefix }) } else { Err(NotAnIpRange) }
    }
}

impl From<IpRange> for String {
    fn from(range: IpRange) -> Self {
        let widest = if range.address.is_ipv4() { 32 } else { 128 };
        if range.prefix == widest {
            range.address.to_string()
        } else {
            format!("{}/{}", range.address, range.prefix)
        }
    }
}

/// A web page's origin as browsers send it, in lower case: `https://gateway.example.org:8443`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("examples" = ["https://gateway.example.org"]))]
pub struct Origin(String);

/// A text can never equal an `Origin` header.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnOrigin {
    /// `*`, which would mean every page there is.
    #[error("\"*\" would let in every page there is, and is not supported: name the origins")]
    Wildcard,
    /// Not of the form `scheme://host[:port]`.
    #[error(
        "expected an origin such as \"https://gateway.example.org\" or \"http://10.0.0.5:8080\", without a path"
    )]
    Shape,
}

impl Origin {
    /// The origin, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Origin {
    type Error = NotAnOrigin;

    fn try_from(text: String) -> Result<Self, NotAnOrigin> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Err(NotAnOrigin::Wildcard);
        }
        let uri: Uri = text.parse().map_err(|_| NotAnOrigin::Shape)?;
        let rebuilt =
            uri.scheme_str().zip(uri.authority()).map(|(scheme, host)| format!("{scheme}://{host}"));
        let plain = rebuilt.as_deref() == Some(&text) && !text.contains('@');
        if plain { Ok(Self(text)) } else { Err(NotAnOrigin::Shape) }
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

/// The address of a gateway: `ws://host:port` or `wss://host`, with neither user nor password in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("pattern" = "^wss?://"))]
pub struct SocketUrl(String);

/// A text is not the address of a gateway. The text itself is not shown: it may hold a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASocketUrl {
    /// Not a ws or wss URL.
    #[error("expected a URL that begins with \"ws://\" or \"wss://\"")]
    Shape,
    /// There is a user or password in it.
    #[error("a URL must not hold a user or password: use gateway.remote.token or gateway.remote.password")]
    Credentials,
}

impl SocketUrl {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SocketUrl {
    type Error = NotASocketUrl;

    fn try_from(text: String) -> Result<Self, NotASocketUrl> {
        let text = text.trim();
        let uri: Uri = text.parse().map_err(|_| NotASocketUrl::Shape)?;
        let scheme = matches!(uri.scheme_str(), Some("ws" | "wss"));
        let Some(authority) = uri.authority().filter(|authority| scheme && !authority.host().is_empty())
        else {
            return Err(NotASocketUrl::Shape);
        };
        if authority.as_str().contains('@') {
            Err(NotASocketUrl::Credentials)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl From<SocketUrl> for String {
    fn from(url: SocketUrl) -> Self {
        url.0
    }
}

/// The name of an HTTP header, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("pattern" = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"))]
pub struct Header(String);

/// A text is not the name of a header (RFC 9110, 5.1).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of an HTTP header, such as \"X-Forwarded-User\"")]
pub struct NotAHeader;

impl Header {
    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Header {
    type Error = NotAHeader;

    fn try_from(text: String) -> Result<Self, NotAHeader> {
        let name = HeaderName::from_bytes(text.trim().as_bytes()).map_err(|_| NotAHeader)?;
        Ok(Self(name.as_str().to_owned()))
    }
}

impl From<Header> for String {
    fn from(header: Header) -> Self {
        header.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Result<IpRange, NotAnIpRange> {
        IpRange::try_from(text.to_owned())
    }

    #[test]
    fn addresses_and_networks_contain_what_they_should() {
        let table = [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.7", "::ffff:192.0.2.7", true),
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.1.2.3/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
        ];
        for (text, address, inside) in table {
            assert_eq!(range(text).unwrap().contains(address.parse().unwrap()), inside, "{text} {address}");
        }
    }

    #[test]
    fn texts_that_are_no_range() {
        for text in
            ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "1.2.3.4:80"]
        {
            assert_eq!(range(text), Err(NotAnIpRange), "{text}");
        }
    }

    #[test]
    fn a_range_is_loopback_when_all_of_it_is() {
        for (text, loopback) in [
            ("127.0.0.1", true),
            ("127.0.0.0/8", true),
            ("127.0.0.0/7", false),
            ("::1", true),
            ("::/0", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(range(text).unwrap().is_loopback(), loopback, "{text}");
        }
    }

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for (text, origin) in [
            ("https://Gateway.Example.org", "https://gateway.example.org"),
            ("http://10.0.0.5:8080", "http://10.0.0.5:8080"),
            ("tauri://localhost", "tauri://localhost"),
            ("http://[::1]:18789", "http://[::1]:18789"),
        ] {
            assert_eq!(Origin::try_from(text.to_owned()).unwrap().as_str(), origin);
        }
        assert_eq!(Origin::try_from("*".to_owned()), Err(NotAnOrigin::Wildcard));
        for text in
            ["", "null", "gateway.example.org", "https://a/", "https://a/b", "https://u@a", "https://a?b"]
        {
            assert_eq!(Origin::try_from(text.to_owned()), Err(NotAnOrigin::Shape), "{text}");
        }
    }

    #[test]
    fn a_remote_gateway_has_a_websocket_url_without_credentials() {
        for text in ["ws://127.0.0.1:18789", "wss://gateway.example.org/path"] {
            assert_eq!(SocketUrl::try_from(text.to_owned()).unwrap().as_str(), text);
        }
        for text in ["", "gateway:18789", "http://a", "ws://", "ws:/a"] {
            assert_eq!(SocketUrl::try_from(text.to_owned()), Err(NotASocketUrl::Shape), "{text}");
        }
        let with_password = "wss://ada:hunter2@a";
        assert_eq!(SocketUrl::try_from(with_password.to_owned()), Err(NotASocketUrl::Credentials));
    }

    #[test]
    fn header_names_are_tokens() {
        assert_eq!(Header::try_from("X-Forwarded-User".to_owned()).unwrap().as_str(), "x-forwarded-user");
        for text in ["", " ", "X User", "X:User", "ü"] {
            assert_eq!(Header::try_from(text.to_owned()), Err(NotAHeader), "{text}");
        }
    }
}
