//! Where the gateway listens: which addresses a bind mode means, and binding them, or going on with sockets that a
//! service manager kept.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpListener;

use crate::host::handed::Handed;

/// Connections that may wait to be accepted: as many as Linux allows unless told otherwise. While the gateway is
/// restarted all of its clients come back at once, and nobody accepts.
const BACKLOG: i32 = 4096;

/// Binds an address, or goes on with what was kept of it.
fn bind(address: SocketAddr, kept: &[Handed]) -> io::Result<TcpListener> {
    if let Some(kept) = kept.iter().find(|kept| is_at(kept.address, address)) {
        let listener = kept.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        // Whoever bound it may have been content with less.
        SockRef::from(&listener).listen(BACKLOG)?;
        return TcpListener::from_std(listener);
    }
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

/// Whether a socket at one address is the one that is wanted at another.
fn is_at(found: SocketAddr, wanted: SocketAddr) -> bool {
    (found.ip(), found.port()) == (wanted.ip(), wanted.port())
}

/// How often a port that is free for one address may turn out to be taken for the other.
const FREE_PORT_ATTEMPTS: u32 = 16;

/// Binds loopback: 127.0.0.1, and ::1 beside it where the machine has it (protocol notes §7.2). Port 0 takes a free
/// one, the same for both.
fn bind_loopback(port: u16, kept: &[Handed]) -> io::Result<Vec<TcpListener>> {
    let mut bound = bind_both(port, kept);
    for _ in 0..FREE_PORT_ATTEMPTS {
        match bound {
            Err(error) if port == 0 && error.kind() == io::ErrorKind::AddrInUse => bound = bind_both(0, kept),
            bound => return bound,
        }
    }
    bound
}

fn bind_both(port: u16, kept: &[Handed]) -> io::Result<Vec<TcpListener>> {
    let v4 = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), kept)?;
    let port = v4.local_addr()?.port();
    match bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port)), kept) {
        Ok(v6) => Ok(vec![v4, v6]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        Err(_) => Ok(vec![v4]),
    }
}

/// Binds what was asked for, except where one of the kept sockets is there already.
pub fn bind_all(addresses: &[IpAddr], port: u16, kept: &[Handed]) -> io::Result<Vec<TcpListener>> {
    match addresses {
        [] => bind_loopback(port, kept),
        addresses => addresses.iter().map(|address| bind(SocketAddr::from((*address, port)), kept)).collect(),
    }
}

/// What a service manager kept, sorted by what is wanted now.
#[derive(Debug, Default)]
pub struct Sorted {
    /// Sockets to go on with.
    pub kept: Vec<Handed>,
    /// Sockets that must not be served: nobody wants their address or their port any longer.
    pub unwanted: Vec<Handed>,
}

/// Sorts what was kept. Of a socket that was handed over twice one is enough.
pub fn sort(handed: Vec<Handed>, addresses: &[IpAddr], port: u16) -> Sorted {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let wanted = if addresses.is_empty() { &loopback[..] } else { addresses };
    let mut sorted = Sorted::default();
    for handed in handed {
        let Handed { address, .. } = handed;
        let is_wanted = wanted.iter().any(|ip| is_at(address, SocketAddr::from((*ip, port))));
        let is_second = sorted.kept.iter().any(|kept| is_at(kept.address, address));
        match (is_wanted, is_second) {
            (true, false) => sorted.kept.push(handed),
            (true, true) => {}
            (false, _) => sorted.unwanted.push(handed),
        }
    }
    sorted
}

const STORED: &str = "gateway-";

/// The name under which a service manager keeps the listener of an address. A name may hold no colon
/// (sd_pid_notify_with_fds(3)).
pub fn stored_name(address: SocketAddr) -> String {
    format!("{STORED}{}-{}", address.ip().to_string().replace(':', "_"), address.port())
}

/// Whether a socket was put into the store by a gateway, rather than made by a socket unit.
pub fn is_stored(handed: &Handed) -> bool {
    handed.name == stored_name(handed.address)
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
        let first = bind_all(&[], 0, &[]).unwrap();
        let port = first[0].local_addr().unwrap().port();
        assert_eq!(bind_all(&[], port, &[]).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    fn handed(name: &str, listener: std::net::TcpListener) -> Handed {
        let address = listener.local_addr().unwrap();
        Handed { name: name.to_owned(), address, listener }
    }

    #[tokio::test]
    async fn a_kept_socket_is_gone_on_with_and_the_missing_one_is_bound() {
        let kept = [handed("a", std::net::TcpListener::bind("127.0.0.1:0").unwrap())];
        let waiting = std::net::TcpStream::connect(kept[0].address).unwrap();
        let bound = bind_all(&[], kept[0].address.port(), &kept).unwrap();
        let (_, from) = bound[0].accept().await.unwrap();
        assert_eq!(from, waiting.local_addr().unwrap());
        assert_eq!(
            bound[1].local_addr().unwrap(),
            SocketAddr::from((Ipv6Addr::LOCALHOST, kept[0].address.port()))
        );
    }

    #[test]
    fn only_what_is_wanted_now_is_gone_on_with() {
        let listen = |ip: &str| std::net::TcpListener::bind((ip, 0)).unwrap();
        let local = listen("127.0.0.1");
        let port = local.local_addr().unwrap().port();
        let doubled = local.try_clone().unwrap();
        let all = || {
            let other_port = listen("127.0.0.1");
            let other_address = listen("127.0.0.2");
            [local.try_clone().unwrap(), other_port, other_address, doubled.try_clone().unwrap()]
                .map(|listener| handed("x", listener))
                .into_iter()
                .collect::<Vec<_>>()
        };
        let sorted = sort(all(), &[], port);
        assert_eq!((sorted.kept.len(), sorted.unwanted.len()), (1, 2));
        assert_eq!(sorted.kept[0].address.port(), port);
        for (addresses, port) in [(vec![Ipv4Addr::UNSPECIFIED.into()], port), (Vec::new(), 0)] {
            let sorted = sort(all(), &addresses, port);
            assert_eq!((sorted.kept.len(), sorted.unwanted.len()), (0, 4), "{addresses:?} {port}");
        }
    }

    #[test]
    fn stored_names_are_names_for_the_manager() {
        assert_eq!(stored_name("127.0.0.1:18789".parse().unwrap()), "gateway-127.0.0.1-18789");
        assert_eq!(stored_name("[::1]:18789".parse().unwrap()), "gateway-__1-18789");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let name = stored_name(listener.local_addr().unwrap());
        assert!(is_stored(&handed(&name, listener.try_clone().unwrap())));
        assert!(!is_stored(&handed("idlehands.socket", listener)));
    }

    #[test]
    fn urls() {
        assert_eq!(url("[::1]:18789".parse().unwrap()), "ws://[::1]:18789");
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()), "127.0.0.1:1".parse().unwrap());
        assert_eq!(reachable("[::]:1".parse().unwrap()), "[::1]:1".parse().unwrap());
        assert_eq!(reachable("10.0.0.1:1".parse().unwrap()), "10.0.0.1:1".parse().unwrap());
    }
}
