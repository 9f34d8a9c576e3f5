//! A disposable machine with a real systemd as PID 1, in namespaces, over the host's own files.

pub mod program;
pub mod service;
pub mod storm;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The unprivileged user that every machine has; its user manager lingers.
pub const USER: &str = "tester";

/// A booted machine. It ends when this is dropped, and also when the test process is killed: it lives as long as
/// the pipe to its standard input.
pub struct Machine {
    name: String,
    holder: Child,
}

/// What a machine is booted with.
#[derive(Default)]
pub struct Boot<'a> {
    /// Further options of `scripts/systemd-testbed`.
    pub options: &'a [&'a str],
}

impl Machine {
    /// Boots a machine with a user manager for [`USER`] and our binary as `/usr/local/bin/idlehands`.
    pub fn boot() -> Self {
        Self::boot_with(&Boot::default())
    }

    pub fn boot_with(boot: &Boot<'_>) -> Self {
        static SEQUENCE: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}-{}", std::process::id(), SEQUENCE.fetch_add(1, Ordering::Relaxed));
        let binary = format!("{}:/usr/local/bin/idlehands", env!("CARGO_BIN_EXE_idlehands"));
        let suite = std::env::current_exe().expect("this program has a path");
        let suite = format!("{}:{}", suite.display(), crate::driver::inside().display());
        let mut holder = Command::new(script())
            .args(["hold", "--user", USER, "--bind-ro", &binary, "--bind-ro", &suite])
            .args(boot.options)
            .args(other_root().iter().flat_map(|root| ["--root", root]))
            .arg(&name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("scripts/systemd-testbed runs");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the machine did not boot; the reason is above");
        Self { name, holder }
    }

    /// Runs a shell line as [`USER`], in a login session.
    pub fn user(&self, line: &str) -> Ran {
        self.exec(&["--as", USER], line)
    }

    /// Runs a shell line as root.
    pub fn root(&self, line: &str) -> Ran {
        self.exec(&["--as", "root"], line)
    }

    fn exec(&self, options: &[&str], line: &str) -> Ran {
        let output = Command::new(script())
            .args(["exec", &self.name, "--clean-env", "--timeout", "120"])
            .args(options)
            .args(["--", "/bin/bash", "-c", line])
            .stdin(Stdio::null())
            .output()
            .expect("scripts/systemd-testbed runs");
        Ran {
            line: line.to_owned(),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        // The machine is gone when its holder is; a holder that cannot be waited for is reported by the next sweep.
        let _ = self.holder.wait();
    }
}

/// A finished shell line.
#[derive(Debug)]
pub struct Ran {
    pub line: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Asserts success and returns standard output without the last line end.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, 0, "{self}");
        self.stdout.trim_end_matches('\n')
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "$ {}\nexit {}\n--- stdout\n{}\n--- stderr\n{}",
            self.line, self.code, self.stdout, self.stderr
        )
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/systemd-testbed")
}

/// The root directory of another distribution to boot, for a suite on another systemd: `TESTBED_ROOT`.
fn other_root() -> Option<String> {
    std::env::var("TESTBED_ROOT").ok()
}
