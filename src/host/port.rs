//! Who listens on a port: the process, its owner, and the unit it belongs to.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use listeners::{Protocol, SocketState};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its process id.
    pub pid: u32,
    /// Its command line, or its name where that cannot be read. It may hold a secret.
    pub command: String,
    /// Where it listens, on this port.
    pub addresses: Vec<SocketAddr>,
    /// The systemd unit it runs in.
    pub unit: Option<Unit>,
}

/// A systemd unit, and whose manager it is under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// Whether it is a user manager's.
    pub user: bool,
}

/// Everybody who listens on a TCP port. Processes of other users may be missing for those who are not root. Reads
/// the process table: not for the runtime's threads.
pub fn owners(port: u16) -> io::Result<Vec<Owner>> {
    let all = listeners::get_all().map_err(|error| io::Error::other(error.to_string()))?;
    let mut owners: BTreeMap<u32, Owner> = BTreeMap::new();
    for found in all {
        // Clients have the port of a server as their own, too: only those who listen count.
        let listens = found.state == SocketState::Listen && found.protocol == Protocol::TCP;
        if !listens || found.socket.port() != port {
            continue;
        }
        let pid = found.process.pid;
        let owner = owners.entry(pid).or_insert_with(|| Owner {
            pid,
            command: command_line(pid).unwrap_or(found.process.name),
            addresses: Vec::new(),
            unit: unit_of_process(pid),
        });
        owner.addresses.push(found.socket);
        owner.addresses.sort();
    }
    Ok(owners.into_values().collect())
}

/// Sends a signal to a process, if it still is the one that listens on the port: the process id is pinned first, so
/// that a successor with the same id cannot be hit.
pub fn signal_listener(pid: u32, port: u16, signal: Signal) -> io::Result<()> {
    let gone = || io::Error::new(io::ErrorKind::NotFound, "it has ended already");
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
    let pinned = pidfd_open(raw, PidfdFlags::empty())?;
    if !owners(port)?.iter().any(|owner| owner.pid == pid) {
        return Err(gone());
    }
    Ok(pidfd_send_signal(pinned, signal)?)
}

fn command_line(pid: u32) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let arguments = bytes.split(|byte| *byte == 0).filter(|argument| !argument.is_empty());
    let text = arguments.map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

/// The systemd unit a process runs in.
pub fn unit_of_process(pid: u32) -> Option<Unit> {
    parse_unit(&std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

/// Reads the unit from `/proc/PID/cgroup`: the innermost part of a path that is a service. Where both versions of
/// control groups are mounted, systemd may keep its units in either (cgroups(7)).
fn parse_unit(cgroup: &str) -> Option<Unit> {
    cgroup
        .lines()
        .filter_map(|line| {
            line.strip_prefix("0::").or(line.split_once("name=systemd:").map(|(_, path)| path))
        })
        .find_map(unit_of_path)
}

fn unit_of_path(path: &str) -> Option<Unit> {
    let mut services = path.split('/').filter(|part| part.ends_with(".service"));
    let name = services.next_back()?;
    let outer = services.next_back();
    // A user manager is itself a service of the system's: user@1000.service.
    (!name.starts_with("user@"))
        .then(|| Unit { name: name.to_owned(), user: outer.is_some_and(|outer| outer.starts_with("user@")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_from_control_groups() {
        let user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gateway.service\n";
        let table = [
            (user, Some(("app-gateway.service", true))),
            ("0::/system.slice/nginx.service\n", Some(("nginx.service", false))),
            ("0::/user.slice/user-1000.slice/session-1.scope\n", None),
            ("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", None),
            ("4:memory:/x\n1:name=systemd:/system.slice/a.service\n", Some(("a.service", false))),
            ("9:name=systemd:/\n0::/system.slice/b.service\n", Some(("b.service", false))),
            ("9:name=systemd:/system.slice/c.service\n0::/\n", Some(("c.service", false))),
            ("", None),
        ];
        for (cgroup, expected) in table {
            let unit = parse_unit(cgroup);
            let unit = unit.as_ref().map(|unit| (unit.name.as_str(), unit.user));
            assert_eq!(unit, expected, "{cgroup}");
        }
    }

    #[test]
    fn a_listener_is_found_and_a_client_is_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        let found = owners(address.port()).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].pid, &found[0].addresses), (std::process::id(), &vec![address]));
        assert_eq!(owners(client.local_addr().unwrap().port()).unwrap(), []);
    }
}
