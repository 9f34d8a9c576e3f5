//! Where a request comes from: the client's address behind proxies, and whether it is on this machine
//! (protocol notes §1.12, §6.6).

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::config::section::IpRange;

/// What is believed about forwarding headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Whose forwarding headers are believed.
    pub trusted: Vec<IpRange>,
    /// Whether `X-Real-IP` of a trusted proxy is believed where `X-Forwarded-For` is missing.
    pub allow_real_ip: bool,
}

impl Proxies {
    /// Whether an address is a trusted proxy's.
    pub fn trust(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|range| range.contains(address))
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the TCP connection.
    pub socket: IpAddr,
    /// The client, as far as it is known: behind a trusted proxy, whom that names.
    pub client: Option<IpAddr>,
    /// Whether the client is on this machine and speaks to it directly.
    pub local: bool,
    /// Whether a proxy added headers.
    pub forwarded: bool,
}

impl Peer {
    /// Finds out from the socket's other end and the request's headers.
    pub fn resolve(socket: IpAddr, headers: &HeaderMap, proxies: &Proxies) -> Self {
        let forwarded = ["x-forwarded-for", "x-real-ip", "x-forwarded-host"]
            .iter()
            .any(|name| headers.contains_key(*name));
        let trusted = proxies.trust(socket);
        let client = if trusted { client_behind(headers, proxies) } else { Some(socket) };
        // A trusted proxy that adds no header is itself the client.
        let client = if trusted && !forwarded { Some(socket) } else { client };
        let host_is_local = header(headers, "host").is_some_and(|host| is_local_host(name_in_host(host)));
        let local = client.is_some_and(|client| client.to_canonical().is_loopback())
            && host_is_local
            && (!forwarded || trusted);
        Self { socket, client, local, forwarded }
    }
}

/// The right-most hop that is no trusted proxy: what is left of it, anybody can write. Some proxies write theirs into
/// a header line of its own, behind the client's. A hop that is no address hides who is behind it.
fn client_behind(headers: &HeaderMap, proxies: &Proxies) -> Option<IpAddr> {
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or("unreadable").rsplit(',')).map(str::trim);
    let mut hops = hops.filter(|hop| !hop.is_empty()).peekable();
    if hops.peek().is_some() {
        let mut addresses = hops.map(|hop| name_in_host(hop).parse::<IpAddr>().ok());
        return addresses.find(|hop| !hop.is_some_and(|hop| proxies.trust(hop))).flatten();
    }
    let real = header(headers, "x-real-ip").filter(|_| proxies.allow_real_ip)?;
    real.trim().parse().ok()
}

/// A header's text, if it has any.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.trim().is_empty())
}

/// The name in `name:port`, `[v6]:port`, `name` or `v6`.
pub fn name_in_host(host: &str) -> &str {
    let host = host.trim();
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match host.rsplit_once(':') {
        Some((name, _)) if !name.contains(':') => name,
        _ => host,
    }
}

/// Whether a name means this machine, for a request that came over loopback.
fn is_local_host(name: &str) -> bool {
    is_loopback_name(name) || name.to_ascii_lowercase().ends_with(".ts.net")
}

/// Whether a name is one of loopback: `localhost`, 127/8, `::1`.
pub fn is_loopback_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn resolve(socket: &str, headers: &[(&str, &str)], trusted: &[&str], allow_real_ip: bool) -> Peer {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap()))
            .collect();
        let trusted = trusted.iter().map(|text| IpRange::try_from((*text).to_owned()).unwrap()).collect();
        Peer::resolve(socket.parse().unwrap(), &headers, &Proxies { trusted, allow_real_ip })
    }

    #[test]
    fn local_is_loopback_with_a_local_host_header_and_no_unknown_proxy() {
        let host = ("host", "127.0.0.1:18789");
        let table: [(&str, &[(&str, &str)], bool); 8] = [
            ("127.0.0.1", &[host], true),
            ("::1", &[("host", "[::1]:18789")], true),
            ("127.0.0.1", &[("host", "LOCALHOST")], true),
            ("127.0.0.1", &[("host", "machine.tail1.ts.net")], true),
            ("127.0.0.1", &[("host", "evil.example")], false),
            ("127.0.0.1", &[], false),
            ("127.0.0.1", &[host, ("x-forwarded-for", "203.0.113.9")], false),
            ("192.0.2.7", &[host], false),
        ];
        for (socket, headers, local) in table {
            assert_eq!(resolve(socket, headers, &[], false).local, local, "{socket} {headers:?}");
        }
    }

    #[test]
    fn only_what_a_trusted_proxy_says_is_believed() {
        let forwarded = ("x-forwarded-for", "198.51.100.1, 203.0.113.9, 10.0.0.2");
        fn client(socket: &str, headers: &[(&str, &str)], allow_real_ip: bool) -> Option<IpAddr> {
            resolve(socket, headers, &["10.0.0.0/8"], allow_real_ip).client
        }
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert_eq!(client("10.0.0.1", &[forwarded], false), ip("203.0.113.9"));
        assert_eq!(client("192.0.2.7", &[forwarded], false), ip("192.0.2.7"));
        assert_eq!(client("10.0.0.1", &[("x-real-ip", "203.0.113.9")], false), None);
        assert_eq!(client("10.0.0.1", &[("x-real-ip", "203.0.113.9")], true), ip("203.0.113.9"));
        assert_eq!(client("10.0.0.1", &[], false), ip("10.0.0.1"));
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "garbage")], false), None);
        // Whatever a client writes is left of what the proxy wrote, or in a line before it.
        let spoofed = ("x-forwarded-for", "127.0.0.1");
        let own_line = [spoofed, ("x-forwarded-for", "203.0.113.9, 10.0.0.2")];
        assert_eq!(client("10.0.0.1", &own_line, false), ip("203.0.113.9"));
        assert_eq!(client("10.0.0.1", &[spoofed, ("x-forwarded-for", "10.0.0.2")], false), ip("127.0.0.1"));
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "127.0.0.1, unknown")], false), None);
    }

    #[test]
    fn host_names_are_read_with_and_without_port() {
        for (host, name) in [("a:1", "a"), ("[::1]:2", "::1"), ("::1", "::1"), ("a", "a"), (" a ", "a")] {
            assert_eq!(name_in_host(host), name);
        }
    }
}
