//! What a service should be, in no platform's words. Renderers turn it into a unit file, or later a property list.
//!
//! Pure: everything is passed in. Knows no file format, no manager, and no secret: a service reads its secrets
//! itself, or gets them as credentials by path.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::hardening::Hardening;
use crate::exit::ExitCode;
use crate::instance::{BaseDirs, Brand, Env, Instance, Profile, Scope};

/// A service: what runs, with what, and what the manager does when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSpec {
    /// One line for people.
    pub description: String,
    /// The program, by absolute path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment beyond the manager's, in the order it is written.
    pub environment: Vec<(String, String)>,
    /// Files whose content the service finds in its credentials directory.
    pub credentials: Vec<Credential>,
    /// Where it runs.
    pub working_directory: String,
    /// The bits that files it makes do not have.
    pub umask: u32,
    /// How long it may take to say that it is ready.
    pub start_timeout: Duration,
    /// How long it may take to stop before it is killed. Longer than its own drain.
    pub stop_timeout: Duration,
    /// How long a service that missed its watchdog may take to die of it.
    pub abort_timeout: Duration,
    /// It must say that it is alive at least this often.
    pub watchdog: Duration,
    /// How many open files the manager keeps for it from one process to the next: its listening sockets.
    pub kept_files: u32,
    /// What happens when it ends by itself.
    pub restart: Restart,
    /// How tightly it is shut in.
    pub hardening: Hardening,
    /// What only a service of the machine has; none for a user's.
    pub system: Option<SystemPart>,
    /// What makes the definition recognisable as ours.
    pub mark: Mark,
}

/// What only a service of the machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemPart {
    /// Whom it runs as.
    pub account: Account,
    /// The name of its directories below those for state, configuration, logs and what lasts no longer than the boot.
    pub directory: String,
}

/// Whom a service of the machine runs as. Never root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Account {
    /// One that is there only while the service runs.
    #[default]
    Dynamic,
    /// One that the administrator made.
    Named(String),
}

impl Account {
    /// Reads the name of an account; root is refused.
    pub fn named(name: &str) -> Result<Self, String> {
        let first = |c: char| c.is_ascii_alphabetic() || c == '_';
        let rest = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        match name {
            "root" => Err("a gateway does not run as root: make an account for it".to_owned()),
            name if name.starts_with(first) && name.chars().all(rest) && name.len() < 32 => {
                Ok(Self::Named(name.to_owned()))
            }
            _ => Err(format!("{name:?} is not the name of an account")),
        }
    }
}

/// What the manager does when a service ends without having been stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The pause before the first restart.
    pub delay: Duration,
    /// The pause grows up to this, where the manager can do that.
    pub max_delay: Duration,
    /// In so many steps.
    pub delay_steps: u32,
    /// The pause where it cannot grow.
    pub fixed_delay: Duration,
    /// "Please restart me": no failure, and always restarted.
    pub again: Vec<u8>,
    /// Restarting cannot help until somebody changes something.
    pub never: Vec<u8>,
    /// Arguments with which the program ends as if it had been stopped instead of with one of `never`, for managers that
    /// restart every failure. It leaves a note of the reason ([`super::last_failure`]).
    pub stay_down: Vec<String>,
    /// The manager gives up after so many starts ...
    pub burst: u32,
    /// ... within this time.
    pub interval: Duration,
}

/// A file that the manager hands to the service, readable by it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name in the credentials directory: letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// Where it comes from.
    pub path: String,
}

/// What makes a definition recognisable as ours, and as unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The product.
    pub brand: Brand,
    /// The profile by name, `default` included.
    pub profile: String,
    /// The release that wrote it.
    pub generator: String,
    /// The command that wrote it, without its verb: `fased --profile rescue`. None for what a package ships.
    pub command: Option<String>,
}

impl Mark {
    /// For whoever reads the definition: who wrote it, and what happens to changes.
    pub fn origin(&self) -> String {
        match &self.command {
            Some(command) => {
                format!("Written by `{command} gateway install`, which does not overwrite changes made here.")
            }
            None => format!("Part of the {} package, which overwrites changes made here.", self.brand.slug()),
        }
    }
}

/// What was chosen when the service was installed.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    /// The program to run, by a path that survives its upgrade ([`super::program::find`]).
    pub program: &'a Path,
    /// This user's directories.
    pub dirs: &'a BaseDirs,
    /// The port, when the operator named one; otherwise the configuration keeps the say.
    pub port: Option<u16>,
    /// How long the gateway lets running work finish when it stops.
    pub drain: Duration,
    /// How tightly it is shut in.
    pub hardening: Hardening,
    /// Whom a service of the machine runs as.
    pub account: Account,
    /// Secrets that are there to be handed to a service of the machine.
    pub credentials: Vec<Credential>,
}

impl<'a> Choices<'a> {
    /// What is chosen when nothing is said.
    pub fn new(program: &'a Path, dirs: &'a BaseDirs, drain: Duration) -> Self {
        let (hardening, account) = (Hardening::default(), Account::default());
        Self { program, dirs, port: None, drain, hardening, account, credentials: Vec::new() }
    }
}

/// What an installed definition says of what was chosen for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The port that it names.
    pub port: Option<u16>,
    /// How tightly it is shut in.
    pub hardening: Option<Hardening>,
    /// Whom it runs as, by name.
    pub account: Option<String>,
    /// What is handed to it.
    pub credentials: Vec<Credential>,
}

/// A path that a service definition cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {} is not UTF-8, which a service definition cannot carry; use another path", .path.display())]
pub struct NotText {
    /// What the path is.
    pub what: &'static str,
    /// The path.
    pub path: PathBuf,
}

/// What the manager allows beyond the drain before it kills (lifecycle notes E7).
pub const STOP_MARGIN: Duration = Duration::from_secs(15);

/// Two listeners at a time, and those of another port while that changes.
const KEPT_FILES: u32 = 8;

impl ServiceSpec {
    /// The gateway of an instance as a service of the instance's scope.
    pub fn for_gateway(instance: &Instance, choices: &Choices<'_>) -> Result<Self, NotText> {
        let Instance { brand, profile, .. } = instance;
        let description = match profile.name() {
            None => format!("{} Gateway", brand.title()),
            Some(name) => format!("{} Gateway (profile: {name})", brand.title()),
        };
        Ok(Self {
            description,
            program: text("the program's path", choices.program)?,
            args: arguments(instance, choices.port),
            environment: match instance.scope {
                Scope::User => environment(instance, choices.dirs)?,
                Scope::System => system_environment(instance, choices.dirs)?,
            },
            credentials: choices.credentials.clone(),
            working_directory: match instance.scope {
                Scope::User => text("the home directory", &choices.dirs.home)?,
                Scope::System => text("the state directory", &instance.paths.state_dir)?,
            },
            umask: 0o077,
            start_timeout: Duration::from_secs(90),
            stop_timeout: choices.drain + STOP_MARGIN,
            abort_timeout: Duration::from_secs(10),
            watchdog: Duration::from_secs(60),
            kept_files: KEPT_FILES,
            restart: Restart::default(),
            hardening: choices.hardening,
            system: (instance.scope == Scope::System)
                .then(|| SystemPart { account: choices.account.clone(), directory: instance.service_name() }),
            mark: Mark {
                brand: *brand,
                profile: profile.to_string(),
                generator: env!("CARGO_PKG_VERSION").to_owned(),
                command: Some(instance.command()),
            },
        })
    }
}

impl ServiceSpec {
    /// The setting by which a definition of ours with these variables is another gateway's: one with its state or its
    /// configuration elsewhere. Which one is meant only the environment of a user's service says.
    pub fn another(&self, theirs: &[(String, String)]) -> Option<String> {
        let value = |environment: &[(String, String)], name: &str| {
            environment
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
                .unwrap_or_default()
        };
        let names = ["STATE_DIR", "CONFIG_PATH"].map(|name| self.mark.brand.var(name));
        let differs = names.into_iter().find(|name| value(theirs, name) != value(&self.environment, name))?;
        Some(match value(theirs, &differs) {
            empty if empty.is_empty() => format!("it is for the usual directories, without {differs}"),
            path => format!("{differs}={path}"),
        })
    }
}

impl Default for Restart {
    /// Lifecycle notes E7: restart failures, more and more slowly, and give up after ten in five minutes.
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(2),
            max_delay: Duration::from_secs(60),
            delay_steps: 5,
            fixed_delay: Duration::from_secs(5),
            again: vec![ExitCode::Temporary.number()],
            never: vec![ExitCode::Config.number(), ExitCode::Conflict.number()],
            stay_down: vec!["--stay-down".to_owned()],
            burst: 10,
            interval: Duration::from_secs(300),
        }
    }
}

fn arguments(instance: &Instance, port: Option<u16>) -> Vec<String> {
    let mut args: Vec<String> =
        (instance.scope == Scope::System).then(|| "--system".to_owned()).into_iter().collect();
    match &instance.profile {
        Profile::Default => {}
        Profile::Dev => args.push("--dev".to_owned()),
        Profile::Named(name) => args.extend(["--profile".to_owned(), name.clone()]),
    }
    args.extend(["gateway", "run"].map(str::to_owned));
    if let Some(port) = port {
        args.extend(["--port".to_owned(), port.to_string()]);
    }
    args
}

/// A stable search path, and which gateway this is.
///
/// The manager's own environment reaches its services, and anybody may have put variables of ours into it
/// (`import-environment`, environment.d). The variables that say which gateway is meant are therefore all set here;
/// an empty one counts as unset ([`Env::os`]).
fn environment(instance: &Instance, dirs: &BaseDirs) -> Result<Vec<(String, String)>, NotText> {
    let usual = Instance::new(instance.brand, instance.profile.clone(), &Env::default(), dirs).paths;
    let paths = &instance.paths;
    let config_follows = paths.config == paths.state_dir.join(usual.config.file_name().unwrap_or_default());
    let chosen = |is_usual: bool, what, path: &Path| {
        if is_usual { Ok(String::new()) } else { text(what, path) }
    };
    let state = chosen(paths.state_dir == usual.state_dir, "the state directory", &paths.state_dir)?;
    let config = chosen(config_follows, "the configuration file", &paths.config)?;
    Ok(vec![
        ("PATH".to_owned(), search_path(&text("the home directory", &dirs.home)?)),
        (instance.brand.var("PROFILE"), String::new()),
        (instance.brand.var("HOME"), String::new()),
        (instance.brand.var("STATE_DIR"), state),
        (instance.brand.var("CONFIG_PATH"), config),
    ])
}

/// The directories of a service of the machine are where its arguments say; its tools find a home and a place for
/// sockets there.
fn system_environment(instance: &Instance, dirs: &BaseDirs) -> Result<Vec<(String, String)>, NotText> {
    let runtime = dirs.system.runtime.join(instance.service_name());
    Ok(vec![
        ("PATH".to_owned(), SYSTEM_PATH.to_owned()),
        ("HOME".to_owned(), text("the state directory", &instance.paths.state_dir)?),
        ("XDG_RUNTIME_DIR".to_owned(), text("the runtime directory", &runtime)?),
        (instance.brand.var("PROFILE"), String::new()),
    ])
}

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn search_path(home: &str) -> String {
    if home.contains(':') { SYSTEM_PATH.to_owned() } else { format!("{home}/.local/bin:{SYSTEM_PATH}") }
}

fn text(what: &'static str, path: &Path) -> Result<String, NotText> {
    path.to_str().map(str::to_owned).ok_or_else(|| NotText { what, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn spec(profile: &str, env: &[(&str, &str)], port: Option<u16>) -> ServiceSpec {
        let dirs = BaseDirs::under("/home/ada");
        let env = env.iter().copied().collect();
        let instance = Instance::new(Brand::Mayros, Profile::parse(profile).unwrap(), &env, &dirs);
        let program = Path::new("/usr/bin/mayros");
        let choices = Choices { port, ..Choices::new(program, &dirs, Duration::from_secs(30)) };
        ServiceSpec::for_gateway(&instance, &choices).unwrap()
    }

    fn set(spec: &ServiceSpec, name: &str) -> String {
        let mut found = spec.environment.iter().filter(|(key, _)| key == name);
        let value = found.next().unwrap_or_else(|| panic!("{name} is not set")).1.clone();
        assert_eq!(found.next(), None, "{name} is set twice");
        value
    }

    #[test]
    fn the_profile_becomes_arguments_and_a_port_only_if_it_was_named() {
        let table: [(&str, Option<u16>, &[&str]); 3] = [
            ("default", None, &["gateway", "run"]),
            ("dev", Some(19001), &["--dev", "gateway", "run", "--port", "19001"]),
            ("rescue", None, &["--profile", "rescue", "gateway", "run"]),
        ];
        for (profile, port, args) in table {
            assert_eq!(spec(profile, &[], port).args, args);
        }
        assert_eq!(spec("default", &[], None).description, "Mayros Gateway");
        assert_eq!(spec("rescue", &[], None).description, "Mayros Gateway (profile: rescue)");
    }

    #[test]
    fn chosen_files_are_in_the_environment_and_nothing_else_can_choose_others() {
        let usual = spec("default", &[], None);
        for name in ["MAYROS_PROFILE", "MAYROS_HOME", "MAYROS_STATE_DIR", "MAYROS_CONFIG_PATH"] {
            assert_eq!(set(&usual, name), "", "{name}");
        }
        let chosen =
            spec("default", &[("MAYROS_STATE_DIR", "/srv/a"), ("MAYROS_CONFIG_PATH", "/etc/a.json")], None);
        assert_eq!(set(&chosen, "MAYROS_STATE_DIR"), "/srv/a");
        assert_eq!(set(&chosen, "MAYROS_CONFIG_PATH"), "/etc/a.json");
        let moved = spec("default", &[("MAYROS_HOME", "/srv/home")], None);
        assert_eq!(set(&moved, "MAYROS_STATE_DIR"), "/srv/home/.mayros");
        assert_eq!(set(&moved, "MAYROS_CONFIG_PATH"), "");
    }

    #[test]
    fn a_definition_with_other_directories_is_another_gateways() {
        let usual = spec("default", &[], None);
        let chosen = spec("default", &[("MAYROS_STATE_DIR", "/srv/a")], None);
        assert_eq!(usual.another(&usual.environment), None);
        assert_eq!(usual.another(&[]), None);
        assert_eq!(usual.another(&chosen.environment).as_deref(), Some("MAYROS_STATE_DIR=/srv/a"));
        let other = "it is for the usual directories, without MAYROS_STATE_DIR";
        assert_eq!(chosen.another(&usual.environment).as_deref(), Some(other));
    }

    #[test]
    fn a_secret_in_the_environment_of_the_installer_is_not_taken_along() {
        let spec = spec("default", &[("MAYROS_GATEWAY_TOKEN", "hunter2"), ("PATH", "/home/ada/evil")], None);
        assert!(!format!("{spec:?}").contains("hunter2"));
        assert_eq!(
            set(&spec, "PATH"),
            "/home/ada/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        );
    }

    #[test]
    fn the_manager_waits_longer_than_the_drain() {
        assert_eq!(spec("default", &[], None).stop_timeout, Duration::from_secs(45));
    }

    #[test]
    fn a_path_that_is_not_text_is_refused() {
        let dirs = BaseDirs::under("/home/ada");
        let profile = Profile::Default;
        let instance = Instance::new(Brand::Fased, profile, &Env::default(), &dirs);
        let program = Path::new(OsStr::from_bytes(b"/opt/\xff"));
        let choices = Choices::new(program, &dirs, Duration::ZERO);
        let error = ServiceSpec::for_gateway(&instance, &choices).unwrap_err();
        assert_eq!(error, NotText { what: "the program's path", path: program.to_owned() });
    }
}
