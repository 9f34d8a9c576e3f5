//! A process that is held on to while it is decided whether it is the one that is meant: its number may go to another
//! one meanwhile.

use std::io;

use rustix::process::{Pid, Signal};

/// A process, pinned where the system can do that.
#[derive(Debug)]
pub struct Pinned {
    #[cfg(target_os = "linux")]
    process: std::os::fd::OwnedFd,
    /// Other systems have numbers only: between the decision and the signal a successor could be hit.
    #[cfg(not(target_os = "linux"))]
    process: Pid,
}

impl Pinned {
    /// Pins the process with this number.
    pub fn open(pid: Pid) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        let process = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
        #[cfg(not(target_os = "linux"))]
        let process = pid;
        Ok(Self { process })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        let sent = rustix::process::pidfd_send_signal(&self.process, signal);
        #[cfg(not(target_os = "linux"))]
        let sent = rustix::process::kill_process(self.process, signal);
        Ok(sent?)
    }
}
