//! Why nothing will be done.

use std::path::PathBuf;

use serde::Serialize;

use crate::exit::ExitCode;
use crate::instance::Scope;
use crate::service::observed::{DirectoryProblem, OtherOwner, lossy};
use crate::service::platform::Platform;
use crate::service::reach::Unreachable;
use crate::service::shell::word;
use crate::service::systemd::words::systemctl;

/// Why an intent is not carried out. Nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "refusal")]
pub enum Refusal {
    /// The manager cannot be asked.
    #[error(transparent)]
    Unreachable(Unreachable),
    /// There is no such service.
    #[error("{unit} is not installed")]
    NotInstalled {
        /// The unit.
        unit: String,
    },
    /// The manager has no settings beside the definition.
    #[error("{manager} knows no settings beside the definition of a service")]
    NoDropIns {
        /// The manager.
        manager: &'static str,
    },
    /// There is no process that could be asked.
    #[error("{unit} is not running ({state})")]
    NotRunning {
        /// The unit.
        unit: String,
        /// The manager's word for what it is instead.
        state: String,
    },
    /// A process runs, and its definition is gone.
    #[error("{unit} is still running, but its definition is gone")]
    Orphan {
        /// The unit.
        unit: String,
    },
    /// Somebody forbade the service.
    #[error("{unit} is masked: somebody forbade it to run")]
    Masked {
        /// The unit.
        unit: String,
    },
    /// The definition is looked after by somebody else.
    #[error("{} is managed elsewhere ({}); it is not changed here", .path.display(), .origin.display())]
    ManagedElsewhere {
        /// Where the definition is.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
        /// Where it comes from.
        #[serde(serialize_with = "lossy")]
        origin: PathBuf,
    },
    /// The definition was changed by hand.
    #[error("{} was changed since it was installed", .path.display())]
    Edited {
        /// Where it is.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
        /// What overwriting it would change.
        diff: Option<String>,
    },
    /// The definition is somebody else's.
    #[error("{} was not written by this program", .path.display())]
    Foreign {
        /// Where it is.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
        /// What overwriting it would change.
        diff: Option<String>,
    },
    /// What is in the place of the definition cannot be read as one.
    #[error("{} cannot be read as a unit file: {why}", .path.display())]
    Unreadable {
        /// Where it is.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Nothing may be written into the directory of definitions.
    #[error("{}", directory_message(.0))]
    Directory(DirectoryProblem),
    /// The manager looks for definitions elsewhere.
    #[error("the service manager does not read {}: its configuration directory is another one", .dir.display())]
    NotRead {
        /// The directory that would be written to.
        #[serde(serialize_with = "lossy")]
        dir: PathBuf,
    },
    /// The same gateway is somebody's service in the other scope.
    #[error("{}; one gateway needs one owner", other_scope_message(.0))]
    OtherScope(OtherOwner),
    /// What is installed under that name is for a gateway with other directories.
    #[error("{} is the service of another gateway ({says})", .path.display())]
    AnotherGateway {
        /// Where it is.
        #[serde(serialize_with = "lossy")]
        path: PathBuf,
        /// The setting that makes it another one.
        says: String,
    },
    /// The machine's definitions are root's.
    #[error("only root can {verb} a service of the machine")]
    NotRoot {
        /// `install` or `uninstall`.
        verb: &'static str,
    },
    /// The manager cannot load the definition.
    #[error("systemd cannot load {unit} ({load_state}): {why}")]
    BadDefinition {
        /// The unit.
        unit: String,
        /// The manager's word for it.
        load_state: String,
        /// The manager's reason.
        why: String,
    },
    /// An install was asked for without saying of what.
    #[error("no definition was given to install")]
    NothingDesired,
}

impl Refusal {
    /// How the command ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Unreachable(unreachable) => unreachable.exit_code(),
            Self::NotInstalled { .. } | Self::Orphan { .. } => ExitCode::NotInstalled,
            Self::NotRunning { .. } => ExitCode::NotRunning,
            Self::NoDropIns { .. } => ExitCode::Failed,
            Self::Edited { .. } => ExitCode::Drift,
            Self::ManagedElsewhere { .. }
            | Self::Foreign { .. }
            | Self::OtherScope(_)
            | Self::AnotherGateway { .. } => ExitCode::Conflict,
            Self::Directory(_) | Self::NotRoot { .. } => ExitCode::NotPermitted,
            Self::Masked { .. }
            | Self::Unreadable { .. }
            | Self::NotRead { .. }
            | Self::BadDefinition { .. }
            | Self::NothingDesired => ExitCode::Failed,
        }
    }

    /// What overwriting the definition would change, where that is what was refused.
    pub fn diff(&self) -> Option<&str> {
        match self {
            Self::Edited { diff, .. } | Self::Foreign { diff, .. } => diff.as_deref(),
            _ => None,
        }
    }

    /// What to do next. `command` is the command for the instance, without a verb.
    pub fn hints(&self, command: &str, scope: Scope, platform: Platform) -> Vec<String> {
        let systemctl = systemctl(scope);
        let one = |hint: String| vec![hint];
        match self {
            Self::Unreachable(unreachable) => one(unreachable.hint(command)),
            Self::NotInstalled { .. } => one(format!("install it: {command} gateway install")),
            Self::NotRunning { .. } => one(format!("start it: {command} gateway start")),
            Self::NoDropIns { .. } => one(format!(
                "change what the gateway itself can be told ({command} config set), or edit the definition: an install \
                 keeps what you change"
            )),
            Self::Orphan { .. } => one(format!(
                "put the definition back ({command} gateway install) or stop it ({command} gateway stop)"
            )),
            Self::Masked { .. } if !platform.has_drop_ins() => {
                one(format!("allow it again: {command} doctor --fix --force"))
            }
            Self::Masked { unit } => one(format!("{systemctl} unmask {unit}")),
            Self::ManagedElsewhere { .. } if !platform.has_drop_ins() => one("change it there".to_owned()),
            Self::ManagedElsewhere { path, .. } => {
                let unit = path.file_name().unwrap_or_default().to_string_lossy();
                one(format!("change it there, or in a drop-in: {systemctl} edit {unit}"))
            }
            Self::Edited { .. } if !platform.has_drop_ins() => vec![
                format!("leave it as it is: {command} doctor says whether anything in it breaks the service"),
                format!("or overwrite it (a copy is kept): {command} gateway install --force"),
            ],
            Self::Edited { path, .. } => {
                let unit = path.file_name().unwrap_or_default().to_string_lossy();
                vec![
                    format!(
                        "put your changes into a drop-in, where no install touches them: {systemctl} edit {unit}"
                    ),
                    format!("then overwrite the file (a copy is kept): {command} gateway install --force"),
                ]
            }
            Self::AnotherGateway { .. } => vec![
                format!("give this one a name of its own: {command} --profile NAME gateway install"),
                format!(
                    "or have it take the other's place (a copy is kept): {command} gateway install --force"
                ),
            ],
            Self::Foreign { .. } => {
                one(format!("to replace it (a copy is kept): {command} gateway install --force"))
            }
            Self::Unreadable { path, .. } => one(format!("look at it, and move it away: {}", path.display())),
            Self::Directory(problem) => one(directory_hint(problem, command, scope)),
            Self::NotRead { .. } => one("run this with the XDG_CONFIG_HOME of your login session".to_owned()),
            Self::OtherScope(owner) => vec![
                format!(
                    "to have it here instead, take it away there first: {}",
                    platform.give_up_there(owner, scope)
                ),
                format!(
                    "then: {}{command} gateway install",
                    if scope == Scope::System { "sudo " } else { "" }
                ),
                format!("if they are meant to exist side by side: {command} gateway install --force"),
            ],
            Self::NotRoot { verb } => one(format!("sudo {command} gateway {verb}")),
            Self::BadDefinition { .. } => one(format!("write it anew: {command} gateway install --force")),
            Self::NothingDesired => Vec::new(),
        }
    }
}

fn other_scope_message(owner: &OtherOwner) -> String {
    let (unit, path) = (&owner.unit, owner.path.display());
    match &owner.user {
        Some(user) => format!("{unit} is a service of the user {user}, too ({path})"),
        None => format!("{unit} exists in the other scope, too ({path})"),
    }
}

fn directory_message(problem: &DirectoryProblem) -> String {
    match problem {
        DirectoryProblem::Writable { dir } => {
            format!("{} is writable for other users, who could replace the service", dir.display())
        }
        DirectoryProblem::Owner { dir, owner } => format!("{} belongs to user {owner}", dir.display()),
        DirectoryProblem::Link { dir } => {
            format!("{} is a symbolic link: its units are managed elsewhere", dir.display())
        }
        DirectoryProblem::Unusable { dir, why } => format!("{} cannot be used: {why}", dir.display()),
    }
}

fn directory_hint(problem: &DirectoryProblem, command: &str, scope: Scope) -> String {
    match problem {
        DirectoryProblem::Writable { dir } => format!("chmod go-w {}", word(dir)),
        DirectoryProblem::Owner { dir, .. } if scope == Scope::System => {
            format!("sudo chown root:root {}", word(dir))
        }
        DirectoryProblem::Owner { dir, .. } => {
            format!("sudo chown -R \"$(id -u):$(id -g)\" {}", word(dir))
        }
        DirectoryProblem::Link { .. } => {
            format!("to write into it all the same: {command} gateway install --force")
        }
        DirectoryProblem::Unusable { dir, .. } => format!("look at it: ls -ld {}", word(dir)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lifecycle notes B7: one gateway, one owner; the way out is two commands, whichever side is asked.
    #[test]
    fn the_other_scopes_service_is_named_with_the_two_commands_that_end_it() {
        let table = [
            (
                Scope::User,
                None,
                "sudo systemctl disable --now fased-gateway.service",
                "then: fased gateway install",
            ),
            (
                Scope::System,
                Some("ada"),
                "sudo systemctl --user --machine=ada@ disable --now fased-gateway.service",
                "then: sudo fased gateway install",
            ),
            (
                Scope::System,
                None,
                "sudo systemctl --global disable fased-gateway.service",
                "then: sudo fased gateway install",
            ),
        ];
        for (scope, user, disable, install) in table {
            let refusal = Refusal::OtherScope(OtherOwner {
                unit: "fased-gateway.service".to_owned(),
                path: "/etc/x".into(),
                user: user.map(str::to_owned),
            });
            let hints = refusal.hints("fased", scope, Platform::Systemd);
            assert!(hints[0].ends_with(disable) && hints[1] == install, "{hints:?}");
            assert_eq!(refusal.exit_code(), ExitCode::Conflict);
        }
    }
}
