//! What this process tells the service manager that started it (sd_notify(3)). Without one, nothing happens.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr};
use sd_notify::NotifyState;

use crate::instance::Env;

/// The line to the service manager.
#[derive(Clone, Copy, Debug)]
pub struct Notify {
    socket: Option<NotifySocket>,
    watchdog: Option<Duration>,
}

/// Where the service manager listens: a file, or a name of Linux's abstract namespace, which `NOTIFY_SOCKET` writes
/// with a leading `@`.
#[derive(Clone, Copy, Debug)]
struct NotifySocket {
    is_abstract: bool,
    bytes: [u8; NAME_MAX],
    len: usize,
}

/// The longest name there is (unix(7)).
const NAME_MAX: usize = 107;

impl NotifySocket {
    fn find(env: &Env) -> Option<Self> {
        let text = env.os("NOTIFY_SOCKET")?.as_encoded_bytes();
        let name = text.strip_prefix(b"@");
        let (is_abstract, name) = (name.is_some(), name.unwrap_or(text));
        let mut bytes = [0; NAME_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Self { is_abstract, bytes, len: name.len() })
    }

    fn address(&self) -> io::Result<SocketAddrUnix> {
        let name = &self.bytes[..self.len];
        let address = if self.is_abstract { abstract_address(name)? } else { SocketAddrUnix::new(name)? };
        Ok(address)
    }

    /// Sends one message, and with it a file that the manager gets a copy of.
    fn send(&self, state: &[NotifyState<'_>], file: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let message = state.iter().map(|state| format!("{state}\n")).collect::<String>();
        let files: Vec<BorrowedFd<'_>> = file.into_iter().collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            // The space was made for one.
            control.push(SendAncillaryMessage::ScmRights(&files));
        }
        let socket = UnixDatagram::unbound()?;
        let parts = [IoSlice::new(message.as_bytes())];
        sendmsg_addr(&socket, &self.address()?, &parts, &mut control, SendFlags::empty())?;
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> rustix::io::Result<SocketAddrUnix> {
    SocketAddrUnix::new_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> rustix::io::Result<SocketAddrUnix> {
    Err(rustix::io::Errno::NOTSUP)
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

    /// Whether anybody listens.
    pub fn is_heard(self) -> bool {
        self.socket.is_some()
    }

    /// Has the manager keep a copy of a file under a name while the service restarts, crashes or is replaced; it is
    /// handed to the next process. A manager that allows the service no store ignores this, and one that has the file
    /// already keeps it once.
    pub fn store(self, name: &str, file: BorrowedFd<'_>) {
        let name = format!("FDNAME={name}");
        self.send_with(&[NotifyState::Custom("FDSTORE=1"), NotifyState::Custom(&name)], Some(file));
    }

    /// Has the manager close what it keeps under a name.
    pub fn unstore(self, name: &str) {
        let name = format!("FDNAME={name}");
        self.send(&[NotifyState::Custom("FDSTOREREMOVE=1"), NotifyState::Custom(&name)]);
    }

    fn send(self, state: &[NotifyState<'_>]) {
        self.send_with(state, None);
    }

    fn send_with(self, state: &[NotifyState<'_>], file: Option<BorrowedFd<'_>>) {
        if let Some(socket) = self.socket
            && let Err(error) = socket.send(state, file)
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
