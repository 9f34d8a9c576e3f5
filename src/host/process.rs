//! Other processes: running one with a deadline and a clean environment, and the name of our own.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;

use crate::instance::{Brand, Env};

/// What a service manager gives to one process and not to its children (sd_notify(3), sd_listen_fds(3),
/// systemd.exec(5)).
const SUPERVISION: [&str; 11] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
    "MAINPIDFDID",
    "CREDENTIALS_DIRECTORY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
];

/// The label of the job of launchd that this process belongs to. A terminal's shells have a name there, too.
pub fn job_label(env: &Env) -> Option<&str> {
    env.text("XPC_SERVICE_NAME").filter(|name| *name != "0" && !name.starts_with("application."))
}

/// Whether this process is a job of launchd.
pub fn is_job_of_launchd(env: &Env) -> bool {
    job_label(env).is_some()
}

/// The variables that no child of ours may inherit: the supervisor's, and our own secrets.
pub fn withheld() -> impl Iterator<Item = String> {
    let secrets = Brand::ALL
        .into_iter()
        .flat_map(|brand| ["GATEWAY_TOKEN", "GATEWAY_PASSWORD"].into_iter().map(move |name| brand.var(name)));
    SUPERVISION.into_iter().map(str::to_owned).chain(secrets)
}

/// A command with nothing in its environment that is ours alone, killed when its handle is dropped.
#[expect(clippy::disallowed_methods, reason = "this is the function the lint points to")]
pub fn command(program: impl AsRef<OsStr>) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program);
    for name in withheld() {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A command for a process that goes on when this one ends, in a process group of its own, and that says nothing.
#[expect(
    clippy::disallowed_methods,
    reason = "a process that must outlive this one cannot be killed with its handle"
)]
pub fn detached(program: impl AsRef<OsStr>, stdin: Stdio) -> std::process::Command {
    use std::os::unix::process::CommandExt;
    let mut command = std::process::Command::new(program);
    for name in withheld() {
        command.env_remove(name);
    }
    command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command
}

/// What a finished command said.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, at most [`OUTPUT_LIMIT`] bytes.
    pub stdout: String,
    /// Its standard error, at most [`OUTPUT_LIMIT`] bytes.
    pub stderr: String,
}

/// Bytes kept of each output stream.
pub const OUTPUT_LIMIT: u64 = 1024 * 1024;

/// Why a command did not finish.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be started.
    #[error("cannot run {program}")]
    Start {
        /// The program's name.
        program: String,
        /// The system's answer.
        source: io::Error,
    },
    /// It was still running at the deadline and has been killed.
    #[error("{program} did not finish within {} s and was killed", .deadline.as_secs())]
    Deadline {
        /// The program's name.
        program: String,
        /// How long it had.
        deadline: Duration,
    },
}

/// Runs a command to its end, or kills it at the deadline.
pub async fn run(mut command: tokio::process::Command, deadline: Duration) -> Result<Finished, RunError> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let start = |source| RunError::Start { program: program.clone(), source };
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(start)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let finish = async {
        let (stdout, stderr, status) = tokio::join!(read_all(stdout), read_all(stderr), child.wait());
        Ok::<_, io::Error>(Finished { status: status?, stdout: stdout?, stderr: stderr? })
    };
    match tokio::time::timeout(deadline, finish).await {
        Ok(finished) => finished.map_err(start),
        Err(_) => Err(RunError::Deadline { program, deadline }),
    }
}

async fn read_all(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> io::Result<String> {
    let Some(mut stream) = stream else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    (&mut stream).take(OUTPUT_LIMIT).read_to_end(&mut bytes).await?;
    // Whoever writes more must not block on a full pipe.
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The file that this process runs.
pub fn running() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// The path under which this program was invoked, absolute, symlinks kept: a service that runs it keeps the brand
/// of the link and survives an upgrade of what the link points to.
pub fn invoked_path(argv0: &OsStr, running: &Path, env: &Env) -> io::Result<PathBuf> {
    let named = Path::new(argv0);
    let candidates: Vec<PathBuf> = if named.components().count() > 1 || named.is_absolute() {
        vec![std::env::current_dir()?.join(named)]
    } else {
        let path = env.os("PATH").map(OsString::from).unwrap_or_default();
        std::env::split_paths(&path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(named)).collect()
    };
    let same = |path: &PathBuf| path.canonicalize().is_ok_and(|path| path == running);
    Ok(candidates.into_iter().find(same).map(without_dots).unwrap_or_else(|| running.to_owned()))
}

/// Removes `.` and resolves `..` by name alone.
fn without_dots(path: PathBuf) -> PathBuf {
    use std::path::Component;
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_says_how_it_ended() {
        let mut shell = command("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 3"]);
        let finished = run(shell, Duration::from_secs(20)).await.unwrap();
        assert_eq!(finished.status.code(), Some(3));
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("out\n", "err\n"));
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_at_the_deadline() {
        let mut sleep = command("sleep");
        sleep.arg("600");
        let error = run(sleep, Duration::from_millis(20)).await.unwrap_err();
        assert!(matches!(error, RunError::Deadline { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = run(command("/nonexistent/program"), Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot run /nonexistent/program");
    }

    #[test]
    fn the_supervisors_variables_and_our_secrets_are_withheld() {
        let names: Vec<String> = withheld().collect();
        for name in ["NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC", "MAYROS_GATEWAY_TOKEN"] {
            assert!(names.iter().any(|withheld| withheld == name), "{name}");
        }
    }

    #[test]
    fn dots_are_resolved_by_name() {
        assert_eq!(without_dots("/a/./b/../c".into()), Path::new("/a/c"));
    }
}
