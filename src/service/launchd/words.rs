//! What people are told about a job, in launchd's own words and commands.

use crate::instance::Scope;

/// The manager.
pub const NAME: &str = "launchd";

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
