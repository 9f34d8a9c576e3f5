//! The kinds of service managers: what a plan and a report must know about the difference, and where the words are.
//!
//! Pure. Each manager's own words are below its module.

use serde::Serialize;

use super::observed::OtherOwner;
use super::plan::{Intent, Step};
use super::spec::Chosen;
use super::{launchd, systemd};
use crate::instance::{Brand, Scope};

/// A kind of service manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// systemd.
    Systemd,
    /// launchd.
    Launchd,
}

/// Something that people can do with the manager's own tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByHand<'a> {
    /// Look at the service.
    Look,
    /// Have the manager take what is on disk.
    Reread,
    /// Have it start by itself.
    Enable,
    /// Stop it, and have it start by itself no more.
    TakeDown,
    /// Let it go on after it was frozen.
    Thaw,
    /// Take a variable out of the manager's environment.
    Unset(&'a str),
    /// Look at the machine's clock.
    Clock,
}

impl Platform {
    /// Whether a definition is read when the service is loaded, and never again: a change takes a restart.
    pub const fn reads_only_to_load(self) -> bool {
        matches!(self, Self::Launchd)
    }

    /// Whether verbs of one service must not overlap. systemd has jobs that cancel each other in order; launchd would
    /// refuse, or do half of each.
    pub const fn locks_every_verb(self) -> bool {
        matches!(self, Self::Launchd)
    }

    /// Whether there is anything to do for a step. launchd has no definitions in memory apart from its jobs, counts no
    /// starts, and an override that forbids a label would outlive an uninstall.
    pub fn knows(self, step: &Step, intent: Intent) -> bool {
        let unknown = matches!(
            step,
            Step::Reload | Step::CheckDefinition { .. } | Step::CheckDropIn { .. } | Step::ResetFailed
        ) || (intent == Intent::Uninstall && *step == Step::Disable);
        self == Self::Systemd || !unknown
    }

    /// Whether the manager keeps what its services say.
    pub const fn keeps_a_journal(self) -> bool {
        matches!(self, Self::Systemd)
    }

    /// Whether settings of an operator's have files of their own beside the definition.
    pub const fn has_drop_ins(self) -> bool {
        matches!(self, Self::Systemd)
    }

    /// What was chosen for a definition that is installed.
    pub fn chosen_in(self, text: &str, brand: Brand) -> Chosen {
        match self {
            Self::Systemd => {
                let installed = systemd::unit::Installed::read(text, brand);
                let (port, hardening) = (installed.port(), installed.hardening);
                Chosen { port, hardening, account: installed.account, credentials: installed.credentials }
            }
            Self::Launchd => {
                let values = launchd::property_list::read(text.as_bytes()).unwrap_or_default();
                let installed = launchd::job::Installed::read(&values, brand);
                Chosen { port: installed.port(), account: installed.user, ..Chosen::default() }
            }
        }
    }

    /// The commands that end a service of the other scope for good.
    pub fn give_up_there(self, owner: &OtherOwner, here: Scope) -> String {
        match self {
            Self::Systemd => systemd::words::give_up_there(owner, here),
            Self::Launchd => launchd::words::end_there(owner, here),
        }
    }

    /// What a definition is called.
    pub const fn definition(self) -> &'static str {
        match self {
            Self::Systemd => systemd::words::DEFINITION,
            Self::Launchd => launchd::words::DEFINITION,
        }
    }

    /// The setting that names the program.
    pub const fn command_key(self) -> &'static str {
        match self {
            Self::Systemd => systemd::words::COMMAND_KEY,
            Self::Launchd => launchd::words::COMMAND_KEY,
        }
    }

    /// The setting that says whether it starts by itself.
    pub const fn start_key(self) -> &'static str {
        match self {
            Self::Systemd => systemd::words::START_KEY,
            Self::Launchd => launchd::words::START_KEY,
        }
    }

    /// The command with which people do something themselves.
    pub fn by_hand(self, what: ByHand<'_>, scope: Scope, unit: &str) -> String {
        match self {
            Self::Systemd => systemd::words::with_systemctl(what, scope, unit),
            Self::Launchd => launchd::words::with_launchctl(what, scope, unit),
        }
    }

    /// `systemd service`, `LaunchAgent`.
    pub const fn service(self, scope: Scope) -> &'static str {
        match self {
            Self::Systemd => systemd::words::SERVICE,
            Self::Launchd => launchd::words::service(scope),
        }
    }

    /// The name of the manager.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Systemd => systemd::words::NAME,
            Self::Launchd => launchd::words::NAME,
        }
    }

    /// Whether it starts by itself, in the manager's words.
    pub fn starts(self, scope: Scope, unit_file_state: &str, wanted: bool) -> String {
        match self {
            Self::Systemd => systemd::words::starts(scope, unit_file_state, wanted),
            Self::Launchd => launchd::words::starts(scope, wanted),
        }
    }

    /// What being enabled takes, in the manager's words.
    pub fn enabled(self, scope: Scope) -> String {
        match self {
            Self::Systemd => format!("enabled, and wanted by {}", systemd::words::start_target(scope)),
            Self::Launchd => "enabled".to_owned(),
        }
    }

    /// How to stop a service for good, once it is stopped for now.
    pub fn stays_stopped(self, scope: Scope, unit: &str) -> String {
        match self {
            Self::Systemd => systemd::words::stays_stopped(scope, unit),
            Self::Launchd => launchd::words::stays_unloaded(scope, unit),
        }
    }
}
