//! Whose gateway: one user's, or the machine's.

use std::path::PathBuf;

use serde::Serialize;

/// Whose service manager looks after a gateway, and whose directories hold its files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// One user's.
    #[default]
    User,
    /// The machine's: started at boot, under an account of its own.
    System,
}

impl Scope {
    /// `user` or `system`, for people and in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::System => "system",
        }
    }
}

/// Where the machine's own services keep their files, as the platform has it. Root's, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemDirs {
    /// What lasts: `/var/lib`.
    pub state: PathBuf,
    /// What the administrator writes: `/etc`.
    pub config: PathBuf,
    /// `/var/log`.
    pub logs: PathBuf,
    /// What lasts no longer than the boot: `/run`.
    pub runtime: PathBuf,
    /// The service definitions of the administrator: `/etc/systemd/system`.
    pub units: PathBuf,
    /// The same on macOS: `/Library/LaunchDaemons`.
    pub jobs: PathBuf,
    /// The homes of this machine's users, on macOS: `/Users`.
    pub homes: PathBuf,
    /// What is defined there for every user: `/Library/LaunchAgents`.
    pub agents: PathBuf,
}

impl SystemDirs {
    /// The layout of Linux (hier(7), systemd.exec(5) `StateDirectory=`) under a root directory.
    pub fn under(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            state: root.join("var/lib"),
            config: root.join("etc"),
            logs: root.join("var/log"),
            // macOS has no other place that does not outlast a boot.
            runtime: root.join(if cfg!(target_os = "macos") { "var/run" } else { "run" }),
            units: root.join("etc/systemd/system"),
            jobs: root.join("Library/LaunchDaemons"),
            homes: root.join("Users"),
            agents: root.join("Library/LaunchAgents"),
        }
    }
}
