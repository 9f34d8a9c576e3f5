//! What this process tells the service manager that started it (sd_notify(3)). Without one, nothing happens.

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::instance::Env;

/// The line to the service manager.
#[derive(Clone, Copy, Debug)]
pub struct Notify {
    socket: Option<NotifySocket>,
    watchdog: Option<Duration>,
}

/// Where the service manager listens.
#[derive(Clone, Copy, Debug)]
enum NotifySocket {
    /// A file, as `NOTIFY_SOCKET` names it.
    File,
    /// A name of Linux's abstract namespace, which `NOTIFY_SOCKET` writes with a leading `@`.
    Abstract(AbstractName),
}

/// The longest name there is (unix(7)).
const ABSTRACT_MAX: usize = 107;

#[derive(Clone, Copy, Debug)]
struct AbstractName {
    bytes: [u8; ABSTRACT_MAX],
    len: usize,
}

impl NotifySocket {
    fn find(env: &Env) -> Option<Self> {
        let name = env.os("NOTIFY_SOCKET")?.as_encoded_bytes();
        let Some(name) = name.strip_prefix(b"@") else { return Some(Self::File) };
        let mut bytes = [0; ABSTRACT_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Self::Abstract(AbstractName { bytes, len: name.len() }))
    }

    fn send(&self, state: &[NotifyState<'_>]) -> io::Result<()> {
        match self {
            Self::File => sd_notify::notify(state),
            Self::Abstract(name) => {
                let message = state.iter().map(|state| format!("{state}\n")).collect::<String>();
                send_to_abstract(&name.bytes[..name.len], message.as_bytes())
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn send_to_abstract(name: &[u8], message: &[u8]) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let address = SocketAddr::from_abstract_name(name)?;
    UnixDatagram::unbound()?.send_to_addr(message, &address).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn send_to_abstract(_: &[u8], _: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Notify {
    /// Finds out whether a service manager listens, and whether it wants a watchdog to be fed. A watchdog meant for
    /// another process (`WATCHDOG_PID`) is not ours.
    pub fn new(env: &Env) -> Self {
        let socket = NotifySocket::find(env);
        Self { socket, watchdog: sd_notify::watchdog_enabled().filter(|_| socket.is_some()) }
    }

    /// How long the watchdog waits before it kills the process.
    pub fn watchdog(self) -> Option<Duration> {
        self.watchdog
    }

    /// Start-up is finished.
    pub fn ready(self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// The state, in one line for people.
    pub fn status(self, status: &str) {
        self.send(&[NotifyState::Status(&one_line(status))]);
    }

    /// A reload has begun. systemd asks for the time of it (`Type=notify-reload`).
    pub fn reloading(self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(target: "service", "cannot read the monotonic clock: {error}"),
        }
    }

    /// The process is about to end.
    pub fn stopping(self, status: &str) {
        self.send(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
    }

    /// The process is alive.
    pub fn alive(self) {
        self.send(&[NotifyState::Watchdog]);
    }

    /// The stop takes at least this long from now on.
    pub fn extend_timeout(self, by: Duration) {
        self.send(&[NotifyState::ExtendTimeoutUsec(u32::try_from(by.as_micros()).unwrap_or(u32::MAX))]);
    }

    fn send(self, state: &[NotifyState<'_>]) {
        if let Some(socket) = self.socket
            && let Err(error) = socket.send(state)
        {
            tracing::warn!(target: "service", "cannot tell the service manager: {error}");
        }
    }
}

/// A status is one line: what follows a line end would be read as another message.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_status_cannot_carry_another_message() {
        assert_eq!(one_line("ready\nMAINPID=1\r\nX=2\0"), "ready MAINPID=1 X=2");
    }
}
