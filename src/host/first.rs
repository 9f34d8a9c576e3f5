//! Process 1 of a container: a small parent, which runs the program once more below itself.
//!
//! The kernel hands every orphan of a PID namespace to its process 1, which has to wait for it or leaves a zombie
//! (pid_namespaces(7)). A program with children of its own cannot wait for just anybody; this parent can. It passes
//! signals on and ends as the program does. Knows nothing of what the program is for.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use tokio::signal::unix::{SignalKind, signal};

use crate::instance::Env;

/// A program that asks to be run again right after it started gets a moment before that.
const PAUSE: Duration = Duration::from_secs(1);

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Whether this process has to look after everybody's orphans. Whoever was handed sockets was handed them as this very
/// process (sd_listen_fds(3)), and keeps to itself.
pub fn is_first(env: &Env) -> bool {
    std::process::id() == 1 && env.os("LISTEN_FDS").is_none()
}

/// Runs the program with these words, the first of which is its own name, to its end; again, when it ends with the code
/// `again` without having been asked to end.
pub fn stand_by(program: &Path, argv: &[OsString], again: u8) -> io::Result<Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen()?;
        loop {
            let begun = Instant::now();
            let pid = start(program, argv)?;
            let ended = signals.pass_on_until_end(pid).await?;
            if ended != Ended::Code(i32::from(again)) || signals.end_is_wanted {
                return Ok(ended);
            }
            signals.rest(PAUSE.saturating_sub(begun.elapsed())).await?;
            if signals.end_is_wanted {
                return Ok(ended);
            }
        }
    })
}

/// Starts the program in a process group of its own: what a terminal sends to a whole group would else reach it twice.
#[expect(
    clippy::disallowed_methods,
    reason = "the program is itself: all of the environment is meant for it"
)]
fn start(program: &Path, argv: &[OsString]) -> io::Result<Pid> {
    let mut command = std::process::Command::new(program);
    if let Some((name, words)) = argv.split_first() {
        command.arg0(name).args(words);
    }
    let child = command.process_group(0).spawn()?;
    // It is waited for with everybody else.
    Ok(Pid::from_child(&child))
}

/// What this process is told.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    user: tokio::signal::unix::Signal,
    child: tokio::signal::unix::Signal,
    /// Whether the program was asked to end.
    end_is_wanted: bool,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
            child: signal(SignalKind::child())?,
            end_is_wanted: false,
        })
    }

    /// The next signal that is not about a child. `None` when there may be one to bury.
    async fn next(&mut self) -> Option<Signal> {
        let signal = tokio::select! {
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.hang_up.recv() => Signal::HUP,
            _ = self.user.recv() => Signal::USR1,
            _ = self.child.recv() => return None,
        };
        self.end_is_wanted |= matches!(signal, Signal::TERM | Signal::INT);
        Some(signal)
    }

    async fn pass_on_until_end(&mut self, pid: Pid) -> io::Result<Ended> {
        loop {
            if let Some(ended) = bury(Some(pid))? {
                return Ok(ended);
            }
            if let Some(signal) = self.next().await {
                // Until it is buried, its number is nobody else's.
                kill_process(pid, signal)?;
            }
        }
    }

    /// Waits while nothing runs; whoever is to end does not.
    async fn rest(&mut self, pause: Duration) -> io::Result<()> {
        let end = tokio::time::Instant::now() + pause;
        while !self.end_is_wanted && tokio::time::timeout_at(end, self.next()).await.is_ok() {
            bury(None)?;
        }
        Ok(())
    }
}

/// Waits for everybody who has ended, and says how the program did if it is among them.
fn bury(program: Option<Pid>) -> io::Result<Option<Ended>> {
    let mut found = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if Some(pid) == program => {
                let code = status.exit_status().map(Ended::Code);
                found = code.or(status.terminating_signal().map(Ended::Signal)).or(found);
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(Errno::CHILD) => return Ok(found),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
