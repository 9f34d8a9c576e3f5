//! Why a service manager cannot be asked, and what to do about it.
//!
//! Pure: words for what the platform's classifier found (lifecycle notes B4, E2). The classifiers are below
//! `systemd`.

use std::path::PathBuf;

use serde::Serialize;

use super::observed::lossy;
use crate::exit::ExitCode;

/// Why the manager cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Unreachable {
    /// Root on behalf of somebody: it would be root's manager, and files of root in a user's tree.
    #[error(
        "this is root on behalf of {user}: a user service belongs to the user and must not be handled by root"
    )]
    Sudo {
        /// The user behind root.
        user: String,
    },
    /// Another init, or none.
    #[error("this system was not booted with systemd ({place})")]
    NoSystemd {
        /// What kind of place it is, as far as one can tell.
        place: Place,
    },
    /// This user has no runtime directory: no session was opened for them, and they do not linger.
    #[error(
        "there is no user manager for {user}: XDG_RUNTIME_DIR is not set and /run/user has no directory for them"
    )]
    NoRuntimeDir {
        /// The user.
        user: String,
    },
    /// `XDG_RUNTIME_DIR` is somebody else's: `su` without a login, or `sudo -u`.
    #[error("XDG_RUNTIME_DIR is {}, which belongs to user {owner}, not to {user}", .dir.display())]
    OtherUser {
        /// The directory.
        #[serde(serialize_with = "lossy")]
        dir: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        user: String,
    },
    /// The runtime directory is there, and no manager in it.
    #[error("the user manager of {user} is not running: there is no socket of it in {}", .dir.display())]
    NotRunning {
        /// The user.
        user: String,
        /// The runtime directory.
        #[serde(serialize_with = "lossy")]
        dir: PathBuf,
        /// Whether this is the Windows Subsystem for Linux, which is known to lose that directory.
        wsl: bool,
    },
    /// There is a bus, and no manager on it or none that talks to us.
    #[error("the bus at {address} does not lead to the systemd manager that is meant: {why}")]
    Bus {
        /// The bus.
        address: String,
        /// What it answered.
        why: String,
        /// Whether it refused for lack of permission.
        refused: bool,
    },
    /// The machine has no system bus, and this user no other way to its manager.
    #[error("there is no system bus, over which the machine's service manager could be asked")]
    NoSystemBus,
    /// There is no bus and no `systemctl` either.
    #[error("there is no bus, and systemctl, which could do without one, cannot be run: {why}")]
    NoTool {
        /// What running it gave.
        why: String,
    },
    /// It is on another machine, which cannot be reached.
    #[error("cannot reach the service manager of {host} over ssh: {why}")]
    Ssh {
        /// The machine, as ssh takes it.
        host: String,
        /// What ssh said.
        why: String,
    },
    /// The other machine can be reached, and its manager cannot.
    #[error("{host} can be reached, but not its service manager: {why}")]
    NotThere {
        /// The machine, as ssh takes it.
        host: String,
        /// Why.
        why: String,
    },
    /// launchd cannot be asked, or has no place for jobs of this user.
    #[error("{why}")]
    NoDomain {
        /// Why, in words.
        why: String,
        /// What to do.
        #[serde(skip)]
        advice: String,
    },
    /// It was asked, and what came back is no answer.
    #[error("the service manager did not answer as it should: {why}")]
    NoAnswer {
        /// What came back.
        why: String,
    },
    /// It was asked and did not answer in time.
    #[error("the service manager did not answer within {seconds} s")]
    Silent {
        /// How long it had.
        seconds: u64,
    },
}

/// A place without systemd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A container of some kind.
    Container(String),
    /// The Windows Subsystem for Linux.
    Wsl,
    /// A machine with another first process.
    Machine {
        /// The name of process 1.
        init: String,
    },
    /// macOS or another system that has no systemd.
    OtherSystem,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Container(kind) => write!(f, "a container: {kind}"),
            Self::Wsl => f.write_str("the Windows Subsystem for Linux"),
            Self::Machine { init } => write!(f, "process 1 is {init}"),
            Self::OtherSystem => f.write_str("another operating system"),
        }
    }
}

impl Unreachable {
    /// How a command ends that needed the manager.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Sudo { .. } | Self::Bus { refused: true, .. } | Self::OtherUser { .. } => {
                ExitCode::NotPermitted
            }
            Self::Silent { .. } => ExitCode::TimedOut,
            _ => ExitCode::NoManager,
        }
    }

    /// What to do next for whoever wants the gateway to run. `command` is the command for the instance, without a verb.
    pub fn hint(&self, command: &str) -> String {
        let foreground = match self {
            Self::NoSystemd { .. } | Self::NoDomain { .. } | Self::NoSystemBus => {
                Some(format!("run it in the foreground instead: {command} gateway run"))
            }
            _ => None,
        };
        [self.remedy(command), foreground].into_iter().flatten().collect::<Vec<_>>().join("; or ")
    }

    /// What leads to the manager, if anything does.
    pub fn remedy(&self, command: &str) -> Option<String> {
        Some(match self {
            Self::Sudo { user } => {
                format!(
                    "run the same command as {user}, without sudo (only lingering needs root: sudo loginctl \
                     enable-linger {user}); or, for a service of the whole machine: sudo {command} --system gateway \
                     install"
                )
            }
            Self::NoSystemd { place: Place::Wsl } => {
                "put \"[boot]\\nsystemd=true\" into /etc/wsl.conf and run wsl --shutdown".to_owned()
            }
            Self::NoSystemd { .. } => return None,
            Self::NoRuntimeDir { user } => format!(
                "log in properly (ssh, machinectl shell {user}@) instead of by su, or let the manager run without a \
                 session: sudo loginctl enable-linger {user}"
            ),
            Self::OtherUser { user, .. } => {
                format!(
                    "log in as {user} properly: machinectl shell {user}@, ssh, or su --login with pam_systemd"
                )
            }
            Self::NotRunning { wsl: true, .. } => {
                "WSL sometimes mounts over /run/user: run wsl --shutdown and try again".to_owned()
            }
            Self::NotRunning { user, .. } => {
                format!(
                    "start it: sudo loginctl enable-linger {user}, or see systemctl status user@$(id -u {user}).service"
                )
            }
            Self::NoDomain { advice, .. } => advice.clone(),
            Self::NoSystemBus => "start it: sudo systemctl start dbus.socket".to_owned(),
            Self::Bus { .. } => {
                "unset DBUS_SESSION_BUS_ADDRESS and check that XDG_RUNTIME_DIR is /run/user/$(id -u)"
                    .to_owned()
            }
            Self::NoTool { .. } => {
                "install systemd's own tools, or dbus-user-session for a user bus".to_owned()
            }
            Self::Ssh { host, .. } => {
                format!(
                    "log in once by hand, with a key that asks for no password: ssh {host} systemd-stdio-bridge --version"
                )
            }
            Self::NotThere { host, .. } => {
                format!("ask it there: ssh -t {host} {command} gateway status")
            }
            Self::NoAnswer { .. } => {
                "look at its state: systemctl --user status (or, for --system: systemctl status)".to_owned()
            }
            Self::Silent { .. } => {
                "see whether it is busy: systemctl --user list-jobs (or, for --system: systemctl list-jobs)"
                    .to_owned()
            }
        })
    }
}
