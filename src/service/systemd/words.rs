//! What differs between the manager of one user and that of the machine, in systemd's own words and commands.

use crate::instance::Scope;
use crate::service::observed::OtherOwner;
use crate::service::platform::ByHand;

/// The target that wants what starts by itself. The user manager knows no `multi-user.target` (lifecycle notes E9.4).
pub const fn start_target(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "default.target",
        Scope::System => "multi-user.target",
    }
}

/// The command with which people talk to the manager.
pub const fn systemctl(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "systemctl --user",
        Scope::System => "sudo systemctl",
    }
}

/// The option that tells `systemctl` which manager is meant.
pub const fn manager_option(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "--user",
        Scope::System => "--system",
    }
}

/// The option with which `journalctl` shows the unit and what the manager said about it.
pub const fn journal_option(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "--user-unit",
        Scope::System => "--unit",
    }
}

/// When a service that is enabled starts by itself.
pub const fn start_time(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "at login",
        Scope::System => "at boot",
    }
}

/// The manager.
pub const NAME: &str = "systemd";
/// What a definition is called.
pub const DEFINITION: &str = "unit";
/// The directive that names the program.
pub const COMMAND_KEY: &str = "ExecStart";
/// The directive that says whether it starts by itself.
pub const START_KEY: &str = "WantedBy";
/// What a service is called.
pub const SERVICE: &str = "systemd service";

/// Whether it starts by itself.
pub fn starts(scope: Scope, unit_file_state: &str, wanted: bool) -> String {
    let wants = if wanted { "wants it" } else { "does not want it" };
    let file = match unit_file_state {
        "" => "there is no unit file".to_owned(),
        word => format!("its file is \"{word}\""),
    };
    format!("{file}, {} {wants}", start_target(scope))
}

/// How to stop a service for good.
pub fn stays_stopped(scope: Scope, unit: &str) -> String {
    let until = match scope {
        Scope::User => "the user manager starts anew",
        Scope::System => "the machine boots",
    };
    format!("it stays stopped until it is started or {until}; for good: {} disable {unit}", systemctl(scope))
}

/// What people type.
pub fn with_systemctl(what: ByHand<'_>, scope: Scope, unit: &str) -> String {
    let tool = systemctl(scope);
    match what {
        ByHand::Look => format!("{tool} status {unit}"),
        ByHand::Reread => format!("{tool} daemon-reload"),
        ByHand::Enable => format!("{tool} reenable {unit}"),
        ByHand::TakeDown => format!("{tool} disable --now {unit}"),
        ByHand::Thaw => format!("{tool} thaw {unit}"),
        ByHand::Clock => "timedatectl status".to_owned(),
        ByHand::Unset(name) => format!("{tool} unset-environment {name}"),
    }
}

/// The command that ends a service of the other scope for good.
pub fn give_up_there(owner: &OtherOwner, here: Scope) -> String {
    let unit = &owner.unit;
    match (here, &owner.user) {
        (Scope::User, _) => format!("sudo systemctl disable --now {unit}"),
        (Scope::System, Some(user)) => {
            format!("sudo systemctl --user --machine={user}@ disable --now {unit}")
        }
        (Scope::System, None) => format!("sudo systemctl --global disable {unit}"),
    }
}
