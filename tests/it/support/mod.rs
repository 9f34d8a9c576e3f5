//! What the tests stand on: a home directory of their own with the real binary in it.

pub mod device;
pub mod gateway;
pub mod http;
pub mod lease;
pub mod schema;
pub mod ws;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A temporary home, removed when dropped. Commands run in it see no variable of the caller's.
pub struct TestHome {
    dir: tempfile::TempDir,
}

impl TestHome {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The binary under a brand's name: a symlink in the home, as an operator would make one.
    pub fn binary(&self, brand: &str) -> PathBuf {
        let link = self.path().join("bin").join(brand);
        if !link.exists() {
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_idlehands"), &link).unwrap();
        }
        link
    }

    /// A command line of the default brand, not yet started.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        self.command_as("idlehands", args)
    }

    /// A command line of the given brand, not yet started.
    pub fn command_as<S: AsRef<OsStr>>(&self, brand: &str, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(self.binary(brand));
        command.args(args).env_clear().current_dir(self.path());
        command.env("HOME", self.path()).env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command
    }

    /// Runs a command line of the default brand to its end.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(self.command(args))
    }
}

/// A finished command.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(mut command: Command) -> Self {
        let output = command.output().expect("the binary runs");
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("talk is UTF-8"),
        }
    }
}
