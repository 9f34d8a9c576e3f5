//! Listening sockets that this process was given when it was started (sd_listen_fds(3)): kept by the service manager
//! from an earlier run of the service, or bound by it in advance.
//!
//! Knows what may be taken, not what it is good for: which sockets are served is decided elsewhere.

use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use socket2::SockRef;

use crate::instance::Env;

/// More sockets than any gateway listens on; a larger number is a mistake, not a gift.
const MOST: usize = 64;
/// What [`listenfd`] would read beyond the contract of systemd: where the sockets begin.
const FIRST_FD: &str = "LISTEN_FDS_FIRST_FD";

/// A socket that listens.
#[derive(Debug)]
pub struct Handed {
    /// The name it was stored under, or that of its socket unit (`FDNAME`, `FileDescriptorName=`).
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The socket.
    pub listener: TcpListener,
}

/// What was given.
#[derive(Debug, Default)]
pub struct Gift {
    /// What can be used.
    pub listeners: Vec<Handed>,
    /// What cannot, and why.
    pub problems: Vec<String>,
}

/// Takes what was given to this very process. No child inherits any of it, used or not.
///
/// Removes variables from the process environment: to be called once, before there are threads. `env` is the
/// snapshot of that environment.
pub fn take(env: &Env) -> Gift {
    let names = match announced(env, std::process::id()) {
        Ok(names) if names.is_empty() => return Gift::default(),
        Ok(names) => names,
        Err(problem) => return Gift { problems: vec![problem], ..Gift::default() },
    };
    // Marks all of them as not to be inherited, also those that are none of ours.
    if let Err(error) = sd_notify::listen_fds().map(drop) {
        let problem = format!("LISTEN_FDS announces sockets that are not there: {error}");
        return Gift { problems: vec![problem], ..Gift::default() };
    }
    let mut fds = ListenFd::from_env();
    let mut gift = Gift::default();
    for (index, name) in names.into_iter().enumerate() {
        match tcp_listener(&mut fds, index) {
            Ok((listener, address)) => gift.listeners.push(Handed { name, address, listener }),
            Err(why) => gift.problems.push(format!("the socket \"{name}\" that was handed over is {why}")),
        }
    }
    gift
}

fn tcp_listener(fds: &mut ListenFd, index: usize) -> Result<(TcpListener, SocketAddr), String> {
    let listener = match fds.take_tcp_listener(index) {
        Ok(Some(listener)) => listener,
        Ok(None) => return Err("not there".to_owned()),
        Err(error) => {
            // What is of another kind is closed where it can be; nobody would ever answer there.
            drop((fds.take_unix_listener(index), fds.take_udp_socket(index), fds.take_unix_datagram(index)));
            return Err(format!("no TCP socket: {error}"));
        }
    };
    match is_listening(&listener) {
        Ok(true) => {}
        Ok(false) => return Err("a connection, not a listening socket".to_owned()),
        Err(error) => return Err(format!("of an unknown kind: {error}")),
    }
    let address = listener.local_addr().map_err(|error| format!("without an address: {error}"))?;
    Ok((listener, address))
}

/// Whether a socket listens. macOS does not tell, and nobody hands sockets over by these variables there.
fn is_listening(listener: &TcpListener) -> std::io::Result<bool> {
    #[cfg(target_os = "linux")]
    let listens = SockRef::from(listener).is_listener();
    #[cfg(not(target_os = "linux"))]
    let listens = SockRef::from(listener).r#type().map(|kind| kind == socket2::Type::STREAM);
    listens
}

/// The names of the sockets that the environment announces to the process with this id; none where it announces
/// nothing, or to somebody else: a parent that did not clean up.
fn announced(env: &Env, pid: u32) -> Result<Vec<String>, String> {
    let Some(count) = env.text("LISTEN_FDS") else { return Ok(Vec::new()) };
    if env.text("LISTEN_PID").and_then(|text| text.parse().ok()) != Some(pid) {
        return Ok(Vec::new());
    }
    if env.os(FIRST_FD).is_some() {
        return Err(format!("{FIRST_FD} is set: sockets are taken from 3 on only, and none was"));
    }
    let count = match count.parse::<usize>() {
        Ok(count) if count <= MOST => count,
        _ => {
            return Err(format!(
                "LISTEN_FDS is {count:?}: a number up to {MOST} was expected, and none was taken"
            ));
        }
    };
    let names: Vec<&str> =
        env.text("LISTEN_FDNAMES").map(|names| names.split(':').collect()).unwrap_or_default();
    if names.len() == count {
        return Ok(names.into_iter().map(str::to_owned).collect());
    }
    Ok(vec!["unknown".to_owned(); count])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_announced_to_this_process_is_taken() {
        let named = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect());
        type Row<'a> = (&'a [(&'a str, &'a str)], Result<Vec<String>, &'a str>);
        let table: [Row<'_>; 11] = [
            (&[], named(&[])),
            (&[("LISTEN_FDS", "1")], named(&[])),
            (&[("LISTEN_PID", "7")], named(&[])),
            (&[("LISTEN_PID", "8"), ("LISTEN_FDS", "1")], named(&[])),
            (&[("LISTEN_PID", "seven"), ("LISTEN_FDS", "1")], named(&[])),
            (&[("LISTEN_PID", "7"), ("LISTEN_FDS", "1")], named(&["unknown"])),
            (&[("LISTEN_PID", "7"), ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "a:b")], named(&["a", "b"])),
            (
                &[("LISTEN_PID", "7"), ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "a")],
                named(&["unknown", "unknown"]),
            ),
            (&[("LISTEN_PID", "7"), ("LISTEN_FDS", "-1")], Err("LISTEN_FDS is \"-1\"")),
            (&[("LISTEN_PID", "7"), ("LISTEN_FDS", "4294967295")], Err("LISTEN_FDS is \"4294967295\"")),
            (&[("LISTEN_PID", "7"), ("LISTEN_FDS", "1"), (FIRST_FD, "0")], Err("LISTEN_FDS_FIRST_FD is set")),
        ];
        for (env, expected) in table {
            let found = announced(&env.iter().copied().collect(), 7);
            match (&found, &expected) {
                (Err(found), Err(begins)) => assert!(found.starts_with(begins), "{found}"),
                _ => assert_eq!(found.as_ref().ok(), expected.as_ref().ok(), "{env:?}"),
            }
        }
    }
}
