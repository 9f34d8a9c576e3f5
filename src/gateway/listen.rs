//! Where the gateway listens: which addresses a bind mode means, and binding them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Binds an address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted gateway must not wait until the last connection of its predecessor is forgotten.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// How often a port that is free for one address may turn out to be taken for the other.
const FREE_PORT_ATTEMPTS: u32 = 16;

/// Binds loopback: 127.0.0.1, and ::1 beside it where the machine has it (protocol notes §7.2). Port 0 takes a free
/// one, the same for both.
pub fn bind_loopback(port: u16) -> io::Result<Vec<TcpListener>> {
    let mut bound = bind_both(port);
    for _ in 0..FREE_PORT_ATTEMPTS {
        match bound {
            Err(error) if port == 0 && error.kind() == io::ErrorKind::AddrInUse => bound = bind_both(0),
            bound => return bound,
        }
    }
    bound
}

fn bind_both(port: u16) -> io::Result<Vec<TcpListener>> {
    let v4 = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let port = v4.local_addr()?.port();
    match bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port))) {
        Ok(v6) => Ok(vec![v4, v6]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => Ok(vec![v4]),
    }
}

/// Binds what was asked for.
pub fn bind_all(addresses: &[IpAddr], port: u16) -> io::Result<Vec<TcpListener>> {
    match addresses {
        [] => bind_loopback(port),
        addresses => addresses.iter().map(|address| bind(SocketAddr::from((*address, port)))).collect(),
    }
}

/// The URL of an address, as operators and clients write it.
pub fn url(address: SocketAddr) -> String {
    format!("ws://{address}")
}

/// An address at which this machine reaches a listener: that of `0.0.0.0` is loopback.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_held_port_is_told_as_such() {
        let first = bind_loopback(0).unwrap();
        let port = first[0].local_addr().unwrap().port();
        assert_eq!(bind_loopback(port).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn urls() {
        assert_eq!(url("[::1]:18789".parse().unwrap()), "ws://[::1]:18789");
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()), "127.0.0.1:1".parse().unwrap());
        assert_eq!(reachable("[::]:1".parse().unwrap()), "[::1]:1".parse().unwrap());
        assert_eq!(reachable("10.0.0.1:1".parse().unwrap()), "10.0.0.1:1".parse().unwrap());
    }
}
