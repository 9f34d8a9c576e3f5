//! What was found when we looked: the definition on disk, the record, the manager's view. A value, and already out
//! of date when it is read.
//!
//! Holds no value of any variable and no text of the definition in what it prints; either may hold a secret.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::Scope;
use super::definition::{Found, Standing};
use super::manager::Run;
use super::platform::Platform;
use super::reach::Unreachable;
use super::record;

/// Everything that was found about one service.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// Which manager was asked.
    pub platform: Platform,
    /// Whose manager was asked.
    pub scope: Scope,
    /// The unit's name.
    pub unit: String,
    /// The command for this instance, without a verb.
    pub command: String,
    /// The definition.
    pub definition: Definition,
    /// The definition that counts, where a package owns it.
    pub package: Option<Package>,
    /// The record.
    #[serde(skip)]
    pub record: record::Found,
    /// What the manager said, or why it could not be asked.
    pub manager: Manager,
    /// Whether this user's services outlive the last session.
    pub linger: Linger,
    /// Whether this process is itself part of the service.
    pub inside: bool,
    /// Whether this process may write definitions of this scope: for the machine's, root alone.
    pub may_write: bool,
    /// The state directory of the instance.
    #[serde(serialize_with = "lossy")]
    pub state_dir: PathBuf,
    /// Whether it is there.
    #[serde(skip)]
    pub state_dir_exists: bool,
    /// Where the record and the backup are.
    #[serde(skip)]
    pub service_dir: PathBuf,
    /// Whether other services of this user are enabled, which lingering also serves.
    pub other_units_enabled: bool,
}

impl Observed {
    /// The text that says how the service is installed: that of the definition, or that of a package's with our settings
    /// after it.
    pub fn installed_text(&self) -> Option<String> {
        match &self.package {
            None => self.definition.found.text().map(str::to_owned),
            Some(package) => {
                let addition = self.definition.addition.as_ref();
                let ours = addition.filter(|addition| addition.standing != Standing::Foreign);
                let ours = ours.and_then(|addition| addition.found.text()).unwrap_or_default();
                Some(format!("{}\n{ours}", package.text))
            }
        }
    }
}

/// The definition of a service, as found on disk.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// Where it should be.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// What is there.
    #[serde(skip)]
    pub found: Found,
    /// Whose it is.
    pub standing: Standing,
    /// The user it belongs to, if that is not this one: usually root, after a mistaken `sudo`.
    pub foreign_owner: Option<u32>,
    /// Why nothing may be written into its directory.
    pub directory_problem: Option<DirectoryProblem>,
    /// Drop-ins of this service on disk, whether or not the manager knows them: they survive an uninstall.
    #[serde(serialize_with = "lossy_list")]
    pub drop_ins: Vec<PathBuf>,
    /// The names of those that are not empty; an empty one counts as none.
    #[serde(skip)]
    pub drop_in_names: Vec<OsString>,
    /// Settings that an install of ours chose over the definition of a package, where there is such a file.
    pub addition: Option<Addition>,
    /// Files and directories that the service's account should have and has not, where the manager gives it none.
    #[serde(skip)]
    pub unprovided: Vec<PathBuf>,
    /// The sign of a service of the same name in the other scope: the machine's, or some user's.
    pub other_scope: Option<OtherOwner>,
}

/// Settings of ours over a definition that is not ours: a drop-in.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Addition {
    /// Its file.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// What is there.
    #[serde(skip)]
    pub found: Found,
    /// Whose it is.
    pub standing: Standing,
}

/// A definition that a package owns and the manager uses.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Package {
    /// Its file.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Its text.
    #[serde(skip)]
    pub text: String,
}

/// Who owns the same gateway in the other scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherOwner {
    /// The unit's name there.
    pub unit: String,
    /// The link that starts it, or the control group that it runs in.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// The user whose manager has it; none for the machine's, and for what is enabled for every user.
    pub user: Option<String>,
}

/// Why nothing may be written into the directory of definitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "problem")]
pub enum DirectoryProblem {
    /// Others could replace what we write.
    Writable {
        /// The directory.
        #[serde(serialize_with = "lossy")]
        dir: PathBuf,
    },
    /// It belongs to another user, usually root after a mistaken `sudo`.
    Owner {
        /// The directory.
        #[serde(serialize_with = "lossy")]
        dir: PathBuf,
        /// The user it belongs to.
        owner: u32,
    },
    /// It is a link: somebody keeps the definitions elsewhere.
    Link {
        /// The directory.
        #[serde(serialize_with = "lossy")]
        dir: PathBuf,
    },
    /// There is something else in its place, or it cannot be looked at.
    Unusable {
        /// The directory.
        #[serde(serialize_with = "lossy")]
        dir: PathBuf,
        /// Why.
        why: String,
    },
}

/// The service manager, as far as it could be asked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum Manager {
    /// It answered.
    Reached(Box<Reached>),
    /// It could not be asked.
    Unreachable {
        /// Why.
        unreachable: Unreachable,
    },
}

impl Manager {
    /// The manager's answers, if it could be asked.
    pub fn reached(&self) -> Option<&Reached> {
        match self {
            Self::Reached(reached) => Some(reached),
            Self::Unreachable { .. } => None,
        }
    }
}

/// What the manager says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reached {
    /// How it was asked.
    pub via: Via,
    /// Its version, as it prints it.
    pub version: String,
    /// Whether it reads definitions from the directory we write to.
    pub reads_directory: bool,
    /// Why the unit failed, in words, if it did.
    pub failure: Option<String>,
    /// The unit.
    pub state: UnitState,
}

/// The way the manager was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// Over D-Bus.
    Bus,
    /// With `systemctl`, where there is no bus.
    Systemctl,
    /// With `launchctl`.
    Launchctl,
}

/// One unit as the manager sees it (org.freedesktop.systemd1(5); lifecycle notes E4). Words are the manager's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitState {
    /// `loaded`, `not-found`, `bad-setting`, `error`, `masked`.
    pub load_state: String,
    /// Why it is not loaded.
    pub load_error: Option<String>,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`.
    pub active_state: String,
    /// `running`, `dead`, `auto-restart`, ...
    pub sub_state: String,
    /// `success`, `exit-code`, `timeout`, `watchdog`, `start-limit-hit`, ...
    pub result: String,
    /// `enabled`, `disabled`, `static`, `linked`, `masked`, ...; empty when there is no file. As it is on disk now: what
    /// the manager would say may be older than that.
    pub unit_file_state: String,
    /// Whether it really starts by itself, at login or at boot: the target that does it wants it, which "enabled" alone
    /// does not say.
    pub wanted_at_login: bool,
    /// Whether that target will want it once the manager has read what is on disk.
    pub wanted_on_disk: bool,
    /// The file the manager loaded.
    #[serde(serialize_with = "lossy_option")]
    pub fragment_path: Option<PathBuf>,
    /// The drop-ins it loaded, wherever they are.
    #[serde(serialize_with = "lossy_list")]
    pub drop_in_paths: Vec<PathBuf>,
    /// Whether files changed since it read them. A hint only: it misses some changes.
    pub need_daemon_reload: bool,
    /// Which run of the service this is.
    pub invocation_id: Option<String>,
    /// The main process.
    pub main_pid: Option<u32>,
    /// How the main process ended last: 1 exited, 2 killed, 3 dumped core.
    pub exec_main_code: i32,
    /// Its exit status or signal.
    pub exec_main_status: i32,
    /// How often it was restarted by the manager since it was last started.
    pub n_restarts: u32,
    /// What the service says about itself; only while it can be true.
    pub status_text: Option<String>,
    /// The kind of service: `notify` and `notify-reload` say when they are ready.
    pub service_type: String,
    /// Microseconds, none for no watchdog.
    pub watchdog_usec: Option<u64>,
    /// Microseconds, none for no limit.
    pub timeout_start_usec: Option<u64>,
    /// Microseconds, none for no limit.
    pub timeout_stop_usec: Option<u64>,
    /// Its control group.
    pub control_group: Option<String>,
    /// The job that is under way, by the manager's name for it.
    pub job: Option<String>,
}

impl UnitState {
    /// Whether the manager has the definition in memory.
    pub fn is_loaded(&self) -> bool {
        self.load_state == "loaded"
    }

    /// Whether it serves.
    pub fn is_active(&self) -> bool {
        matches!(self.active_state.as_str(), "active" | "reloading" | "refreshing")
    }

    /// Whether there is anything to stop: a process, or a restart to come.
    pub fn is_up(&self) -> bool {
        self.is_active() || matches!(self.active_state.as_str(), "activating" | "deactivating")
    }

    /// Whether it ended and the manager will start it again.
    pub fn awaits_restart(&self) -> bool {
        self.sub_state.starts_with("auto-restart")
    }

    /// The run that it is in, while it has a process.
    pub fn run(&self) -> Option<Run> {
        Some(Run { main_pid: self.main_pid?, invocation_id: self.invocation_id.clone()? })
    }

    /// Whether being active means that the service itself said it is ready.
    pub fn says_when_ready(&self) -> bool {
        self.service_type.starts_with("notify")
    }
}

/// Whether the user's manager, and with it the service, outlives the last session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Linger {
    /// It does.
    Yes,
    /// It ends with the last session.
    No,
    /// It is the machine's manager, which always runs.
    NotNeeded,
    /// Nobody could tell, and why.
    Unknown(String),
}

/// A path as text that is always valid.
pub fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

fn lossy_option<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}

/// The same of several.
pub fn lossy_list<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    paths.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>().serialize(serializer)
}

/// A machine on which the unit is not installed and there is no manager, for tests of what follows from it.
#[cfg(test)]
pub(super) fn sample(unit: &str, path: &str) -> Observed {
    use super::reach::Place;
    Observed {
        platform: Platform::Systemd,
        scope: Scope::User,
        unit: unit.to_owned(),
        command: "gateway".to_owned(),
        definition: Definition {
            path: path.into(),
            found: Found::Missing,
            standing: Standing::Missing,
            foreign_owner: None,
            directory_problem: None,
            drop_ins: Vec::new(),
            drop_in_names: Vec::new(),
            addition: None,
            unprovided: Vec::new(),
            other_scope: None,
        },
        package: None,
        record: record::Found::Missing,
        manager: Manager::Unreachable { unreachable: Unreachable::NoSystemd { place: Place::OtherSystem } },
        linger: Linger::Yes,
        inside: false,
        may_write: true,
        state_dir: "/home/ada/.fased".into(),
        state_dir_exists: true,
        service_dir: "/home/ada/.fased/service".into(),
        other_units_enabled: false,
    }
}
