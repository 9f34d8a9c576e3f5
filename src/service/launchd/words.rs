//! What people are told about a job, in launchd's own words and commands.

use crate::instance::Scope;
use crate::service::observed::OtherOwner;
use crate::service::platform::ByHand;
use crate::service::shell::word;

/// The manager.
pub const NAME: &str = "launchd";
/// What a definition is called.
pub const DEFINITION: &str = "property list";
/// The key that names the program.
pub const COMMAND_KEY: &str = "ProgramArguments";
/// What says whether it starts by itself: an override, which wins over the key of that name.
pub const START_KEY: &str = "Disabled";

/// A job as launchctl names it, for a shell.
pub fn target(scope: Scope, label: &str) -> String {
    match scope {
        Scope::User => format!("gui/$(id -u)/{label}"),
        Scope::System => format!("system/{label}"),
    }
}

/// What people type. launchd reads a definition only to load it, and freezes nothing.
pub fn with_launchctl(what: ByHand<'_>, scope: Scope, label: &str) -> String {
    let (tool, target) = (launchctl(scope), target(scope, label));
    match what {
        ByHand::Look | ByHand::Thaw => format!("{tool} print {target}"),
        ByHand::Reread => format!("{tool} bootout {target}, then {tool} bootstrap with its property list"),
        ByHand::Enable => format!("{tool} enable {target}"),
        ByHand::TakeDown => format!("{tool} bootout {target}; {tool} disable {target}"),
        ByHand::Clock => "sntp time.apple.com".to_owned(),
        ByHand::Unset(name) => format!("{tool} unsetenv {name}"),
    }
}

/// The command with which people talk to launchd.
pub const fn launchctl(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "launchctl",
        Scope::System => "sudo launchctl",
    }
}

/// What a job is called.
pub const fn service(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "LaunchAgent",
        Scope::System => "LaunchDaemon",
    }
}

/// Whether it starts by itself.
pub fn starts(scope: Scope, wanted: bool) -> String {
    let when = match scope {
        Scope::User => "at login",
        Scope::System => "at boot",
    };
    if wanted {
        format!("launchd loads it {when}")
    } else {
        "its label is disabled, or it has no definition".to_owned()
    }
}

/// How to stop a job for good.
pub fn stays_unloaded(scope: Scope, label: &str) -> String {
    match scope {
        Scope::User => format!(
            "it stays stopped until it is started or you log in again; for good: launchctl disable gui/$(id -u)/{label}"
        ),
        Scope::System => format!(
            "it stays stopped until it is started or the machine boots; for good: sudo launchctl disable system/{label}"
        ),
    }
}

/// The commands that end a job of the other scope, and keep it from coming back.
pub fn end_there(owner: &OtherOwner, here: Scope) -> String {
    let (label, file) = (&owner.unit, word(&owner.path));
    match (here, &owner.user) {
        (Scope::User, _) => format!("sudo launchctl bootout system/{label}; sudo rm {file}"),
        (Scope::System, Some(user)) => {
            format!("sudo launchctl bootout gui/$(id -u {user})/{label}; sudo rm {file}")
        }
        (Scope::System, None) => format!("sudo rm {file}"),
    }
}
