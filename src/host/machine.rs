//! What this machine is called and what this process may use of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The host name.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The operating system and its release: `linux 6.1.0`.
pub fn platform() -> String {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    format!("{} {release}", std::env::consts::OS)
}

/// The address others would reach this machine by: that of the route to the outside. Nothing is sent.
pub fn outward_address() -> Option<IpAddr> {
    // TEST-NET-1 (RFC 5737): routed like any address beyond the local networks, and nobody's.
    let elsewhere = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9));
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(elsewhere).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_unspecified())
}

/// This machine's address in its tailnet, if it is in one: the address that Tailscale's own service address is reached
/// from, when that is of the range Tailscale assigns (100.64.0.0/10).
pub fn tailnet_address() -> Option<Ipv4Addr> {
    let service = SocketAddr::from((Ipv4Addr::new(100, 100, 100, 100), 53));
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(service).ok()?;
    let IpAddr::V4(address) = socket.local_addr().ok()?.ip() else { return None };
    let [first, second, ..] = address.octets();
    (first == 100 && (64..128).contains(&second)).then_some(address)
}

/// Lets this process open as many files as the system allows it, and returns how many that is. Ten thousand clients
/// need more than the usual soft limit of 1,024, which is kept low only for programs that use select(2).
pub fn raise_file_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        // Without it the gateway holds fewer clients; it is no reason not to run.
        let _ = setrlimit(Resource::Nofile, raised);
    }
    getrlimit(Resource::Nofile).current
}
