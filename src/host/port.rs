//! Who listens on a port: the process, its owner, and the unit it belongs to.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use listeners::{Protocol, SocketState};
use rustix::process::{Pid, Signal};

use super::pinned::Pinned;

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
    /// Whether it is a service manager, which only keeps the socket for a service: of a socket unit, or in the store
    /// of a service that is just not running.
    pub keeper: bool,
}

/// A systemd unit, and whose manager it is under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// Whether it is a user manager's.
    pub user: bool,
    /// That user, where it is known.
    pub owner: Option<u32>,
}

impl Unit {
    /// The command with which this user talks to the manager that has it.
    pub fn systemctl(&self) -> String {
        match (self.user, self.owner) {
            (false, _) => "sudo systemctl".to_owned(),
            (true, Some(owner)) if owner != super::user::id() => {
                format!("sudo systemctl --user --machine={owner}@")
            }
            (true, _) => "systemctl --user".to_owned(),
        }
    }
}

/// Everybody who listens on a TCP port. Processes of other users may be missing for those who are not root. A service
/// manager that keeps the socket of a process that is there is not told: that process is the one who listens. Reads
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
        let (pid, name) = (found.process.pid, found.process.name);
        let served = if is_manager(pid, &name) { holders(port) } else { Vec::new() };
        if served.is_empty() {
            let keeper = is_manager(pid, &name);
            add(&mut owners, pid, &name, keeper, found.socket);
        }
        for (pid, name) in served {
            add(&mut owners, pid, &name, false, found.socket);
        }
    }
    Ok(owners.into_values().collect())
}

fn add(owners: &mut BTreeMap<u32, Owner>, pid: u32, name: &str, keeper: bool, address: SocketAddr) {
    let owner = owners.entry(pid).or_insert_with(|| Owner {
        pid,
        command: command_line(pid).unwrap_or_else(|| name.to_owned()),
        addresses: Vec::new(),
        unit: unit_of_process(pid),
        keeper,
    });
    owner.addresses.push(address);
    owner.addresses.sort();
}

/// Whether a process is systemd itself, of the machine or of a user. Whoever is process 1 of a container is not.
fn is_manager(pid: u32, name: &str) -> bool {
    let in_init_scope = || {
        let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        cgroup.lines().any(|line| line.ends_with("/init.scope"))
    };
    name == "systemd" && (pid == 1 || in_init_scope())
}

/// The processes other than managers that hold a socket listening on a port. Several may hold the same one, of which
/// [`listeners`] tells one.
fn holders(port: u16) -> Vec<(u32, String)> {
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let sockets: Vec<String> = tables.iter().flat_map(|table| listening_inodes(table, port)).collect();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let holds = |pid: &u32| {
        let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        let mut links = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
        links.any(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
    };
    let name = |pid: u32| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        (pid, name.trim_end().to_owned())
    };
    pids.filter(holds).map(name).filter(|(pid, name)| !is_manager(*pid, name)).collect()
}

/// Sockets that listen on a port, as links in `/proc/PID/fd` name them, from a table of proc(5): local address, remote
/// address, state (0A listens), ..., inode.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local = u16::from_str_radix(fields.get(1)?.rsplit(':').next()?, 16).ok()?;
        let listens = *fields.get(3)? == "0A" && local == port;
        listens.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]"))).flatten()
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// Sends a signal to a process, if it still is the one that listens on the port: the process id is pinned first, so
/// that a successor with the same id cannot be hit.
pub fn signal_listener(pid: u32, port: u16, signal: Signal) -> io::Result<()> {
    let gone = || io::Error::new(io::ErrorKind::NotFound, "it has ended already");
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
    let pinned = Pinned::open(raw)?;
    if !owners(port)?.iter().any(|owner| owner.pid == pid) {
        return Err(gone());
    }
    pinned.signal(signal)
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
    let user = outer.and_then(|outer| outer.strip_prefix("user@"));
    (!name.starts_with("user@")).then(|| Unit {
        name: name.to_owned(),
        user: user.is_some(),
        owner: user.and_then(|user| user.strip_suffix(".service")?.parse().ok()),
    })
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
    fn sockets_that_listen_are_read_from_the_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n\
            1: 0100007F:4965 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1\n\
            2: 0100007F:4966 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0 100 0 0 10 0\n\
            3: junk\n";
        assert_eq!(listening_inodes(table, 0x4965), ["socket:[4711]"]);
        assert_eq!(listening_inodes("", 1), [""; 0]);
    }

    #[test]
    fn whoever_else_holds_a_socket_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = holders(listener.local_addr().unwrap().port());
        assert_eq!(found.iter().map(|(pid, _)| *pid).collect::<Vec<_>>(), [std::process::id()]);
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
