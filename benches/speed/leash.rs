//! What the benchmark starts ends with it, even when it is killed.
//!
//! A server is started through this program, which asks the kernel to be killed with its parent
//! (PR_SET_PDEATHSIG(2const), kept across execve) and then becomes the server. A sweeper waits for the end of a pipe
//! that only the benchmark holds and removes the temporary directory.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use idlehands::host::process;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::time::timeout;

use crate::bench::{Outcome, failed};

/// The argument that makes this program the leash: `leash PARENT LOG PROGRAM [ARG...]`.
pub const ROLE: &str = "leash";

/// The argument that makes this program the sweeper: `sweep DIR`.
pub const SWEEPER: &str = "sweep";

/// How long a leash may take to be ready.
const READY: Duration = Duration::from_secs(10);

/// Becomes the program after one byte has arrived, so that the benchmark can start the clock without the fork.
#[expect(clippy::disallowed_methods, reason = "the environment is the one the benchmark made for the server")]
pub fn run(args: &[OsString]) -> Outcome<ExitCode> {
    let [parent, log, program, args @ ..] = args else {
        return Err("usage: leash PARENT LOG PROGRAM [ARG...]".into());
    };
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // A parent that ended before the call above would never be noticed.
    let alive = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().to_string());
    if alive.as_deref() != parent.to_str() {
        return Err("the benchmark has ended".into());
    }
    let log = File::create(log)?;
    std::io::stdout().write_all(b"r")?;
    std::io::stdout().flush()?;
    std::io::stdin().read_exact(&mut [0])?;
    let error = std::process::Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .exec();
    Err(failed(&format!("starting {}", program.display()), error))
}

/// A program that is ready to start.
#[derive(Debug)]
pub struct Leashed {
    child: Child,
    go: ChildStdin,
}

impl Leashed {
    /// Prepares a program with exactly the given environment, writing to `log`. The parent whose end is noticed is
    /// the calling thread, which must live as long as the benchmark: call it from the main thread.
    pub async fn prepare(program: &[OsString], env: &[(&str, &Path)], log: &Path) -> Outcome<Self> {
        let mut command = process::command(std::env::current_exe()?);
        command.arg(ROLE).arg(std::process::id().to_string()).arg(log).args(program);
        command.env_clear().envs(env.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed("starting the leash", error))?;
        let (Some(go), Some(mut ready)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the leash has no pipes".into());
        };
        timeout(READY, ready.read_exact(&mut [0])).await?.map_err(|error| failed("leashing", error))?;
        Ok(Self { child, go })
    }

    /// Starts the program. The child is killed when it is dropped.
    pub async fn start(mut self) -> Outcome<(Child, Instant)> {
        let started = Instant::now();
        self.go.write_all(b"g").await?;
        Ok((self.child, started))
    }
}

/// The benchmark's temporary directory.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    sweeper: Child,
}

impl Scratch {
    /// Makes the directory, and the sweeper that removes it.
    pub fn new() -> Outcome<Self> {
        let dir = tempfile::Builder::new().prefix("speed-bench-").tempdir()?.keep();
        let mut command = process::command(std::env::current_exe()?);
        // Of its own process group: the terminal's interrupt is not meant for it.
        command.arg(SWEEPER).arg(&dir).stdin(Stdio::piped()).process_group(0).kill_on_drop(false);
        let sweeper = command.spawn().map_err(|error| failed("starting the sweeper", error))?;
        Ok(Self { dir, sweeper })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Removes it.
    pub async fn remove(mut self) -> Outcome<()> {
        drop(self.sweeper.stdin.take());
        timeout(READY, self.sweeper.wait()).await??;
        Ok(())
    }
}

/// Waits for the end of the benchmark and removes its directory.
pub fn sweep(args: &[OsString]) -> Outcome<ExitCode> {
    let [dir] = args else { return Err("usage: sweep DIR".into()) };
    std::io::stdin().read_to_end(&mut Vec::new())?;
    // A server that is being killed may still write to its home.
    let deadline = Instant::now() + Duration::from_secs(5);
    while std::fs::remove_dir_all(dir).is_err() && Path::new(dir).exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(ExitCode::SUCCESS)
}
