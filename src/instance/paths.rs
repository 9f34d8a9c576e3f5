//! Where an instance keeps its files.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::profile::fnv1a;
use super::{Brand, Env, Profile, SystemDirs};

/// Where this user's files go, as the platform has it. `host::dirs` finds out; tests make their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseDirs {
    /// The home directory.
    pub home: PathBuf,
    /// `$XDG_CONFIG_HOME`, or `~/.config`.
    pub config_home: PathBuf,
    /// A private directory that lasts no longer than the machine's boot.
    pub runtime: PathBuf,
    /// The working directory, against which relative paths are resolved.
    pub current: PathBuf,
    /// The machine's own directories.
    pub system: SystemDirs,
}

impl BaseDirs {
    /// The layout under a given home directory, with nothing set in the environment.
    pub fn under(home: impl Into<PathBuf>) -> Self {
        let home = home.into();
        let config_home = home.join(".config");
        let runtime = home.join(".run");
        Self { current: home.clone(), home, config_home, runtime, system: SystemDirs::under("/") }
    }
}

/// The files of one instance. Nothing here says that any of them exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The home directory that the default paths are under: the user's, or `<PREFIX>_HOME`; the state directory of
    /// a system service.
    pub home: PathBuf,
    /// `~/.mayros`, `~/.mayros-rescue`, or `<PREFIX>_STATE_DIR`.
    pub state_dir: PathBuf,
    /// `<state>/mayros.json`, or `<PREFIX>_CONFIG_PATH`.
    pub config: PathBuf,
    /// Whether `state_dir` came from the environment.
    pub state_dir_is_chosen: bool,
    /// Whether `config` came from the environment.
    pub config_is_chosen: bool,
    /// Held by the running gateway; says who it is.
    pub lock: PathBuf,
    /// The lock of a gateway that runs ad hoc and writes nothing into the state directory.
    pub adhoc_lock: PathBuf,
    /// The gateway's own log, JSON lines, bounded in size.
    pub log: PathBuf,
    /// The client's own key: `identity/device.json`, and its tokens: `identity/device-auth.json`.
    pub identity: PathBuf,
    /// The gateway's paired devices: `devices/pending.json`, `devices/paired.json`.
    pub devices: PathBuf,
    /// What was last installed as a service, and its backups. Nothing the service itself may write to.
    pub service: PathBuf,
    /// Where a gateway that gives up by itself leaves the reason: a directory that it may write to.
    pub last_words: PathBuf,
    /// The secrets of a system service, each in a file with the name of the variable it counts as: root's alone, handed
    /// to the service by its manager.
    pub credentials: Option<PathBuf>,
    /// The default of `agents.defaults.workspace`.
    pub workspace: PathBuf,
    /// Where systemd units are written to: this user's, or the administrator's.
    pub unit_dir: PathBuf,
    /// The systemd unit of this instance.
    pub unit: PathBuf,
    /// Where definitions of launchd's jobs are written to: this user's LaunchAgents, or the machine's LaunchDaemons.
    pub job_dir: PathBuf,
    /// What a supervised gateway says before its log is open, or when it dies, where the supervisor keeps no journal.
    pub crash_text: PathBuf,
}

impl Paths {
    /// Computes every path. The environment overrides the state directory and the configuration file;
    /// `~` expands to the home directory and a relative path is resolved against the working directory.
    pub(super) fn new(brand: Brand, profile: &Profile, env: &Env, dirs: &BaseDirs) -> Self {
        let home = env.os(brand.var("HOME")).map_or_else(|| dirs.home.clone(), |home| absolute(home, dirs));
        let suffix = profile.name().map(|name| format!("-{name}")).unwrap_or_default();
        let slug = brand.slug();

        let chosen_state = env.os(brand.var("STATE_DIR")).map(|dir| absolute(dir, dirs));
        let state_dir_is_chosen = chosen_state.is_some();
        let state_dir = chosen_state.unwrap_or_else(|| home.join(format!(".{slug}{suffix}")));

        let chosen_config = env.os(brand.var("CONFIG_PATH")).map(|path| absolute(path, dirs));
        let config_is_chosen = chosen_config.is_some();
        let config = chosen_config.unwrap_or_else(|| state_dir.join(format!("{slug}.json")));

        let unit_dir = dirs.config_home.join("systemd/user");
        let adhoc_key = fnv1a(state_dir.as_os_str().as_encoded_bytes());
        Self {
            config,
            lock: state_dir.join("gateway.lock"),
            adhoc_lock: dirs.runtime.join(slug).join(format!("gateway{suffix}-{adhoc_key:08x}.lock")),
            log: state_dir.join("logs/gateway.log"),
            crash_text: state_dir.join("logs/gateway.crash.txt"),
            job_dir: dirs.home.join("Library/LaunchAgents"),
            identity: state_dir.join("identity"),
            devices: state_dir.join("devices"),
            service: state_dir.join("service"),
            last_words: state_dir.join("service"),
            credentials: None,
            workspace: state_dir.join("workspace"),
            unit: unit_dir.join(unit_name(brand, profile)),
            unit_dir,
            home,
            state_dir,
            state_dir_is_chosen,
            config_is_chosen,
        }
    }

    /// Computes every path of the machine's own instance.
    ///
    /// What the service writes is in directories that its manager makes for it. What was installed is kept apart from
    /// them: a service that was taken over must not tell root what to remove.
    pub(super) fn of_system(brand: Brand, profile: &Profile, dirs: &BaseDirs) -> Self {
        let (system, slug, name) = (&dirs.system, brand.slug(), service_name(brand, profile));
        let suffix = profile.name().map(|name| format!("-{name}")).unwrap_or_default();
        let (state_dir, config_dir) = (system.state.join(&name), system.config.join(&name));
        Self {
            home: state_dir.clone(),
            config: config_dir.join(format!("{slug}.json")),
            lock: state_dir.join("gateway.lock"),
            adhoc_lock: system.runtime.join(slug).join(format!("gateway{suffix}.lock")),
            log: system.logs.join(&name).join("gateway.log"),
            crash_text: system.logs.join(&name).join("gateway.crash.txt"),
            job_dir: system.jobs.clone(),
            // The client is this user's, whosever the gateway is.
            identity: dirs.home.join(format!(".{slug}{suffix}")).join("identity"),
            devices: state_dir.join("devices"),
            service: system.state.join(slug).join(&name),
            last_words: state_dir.clone(),
            credentials: Some(config_dir.join("credentials")),
            workspace: state_dir.join("workspace"),
            unit: system.units.join(unit_name(brand, profile)),
            unit_dir: system.units.clone(),
            state_dir,
            state_dir_is_chosen: false,
            config_is_chosen: false,
        }
    }
}

/// `fased-gateway`, `fased-gateway-rescue`.
pub(super) fn service_name(brand: Brand, profile: &Profile) -> String {
    match profile.name() {
        None => format!("{}-gateway", brand.slug()),
        Some(name) => format!("{}-gateway-{name}", brand.slug()),
    }
}

/// systemd unit name: `fased-gateway.service`, `fased-gateway-rescue.service`.
pub(super) fn unit_name(brand: Brand, profile: &Profile) -> String {
    format!("{}.service", service_name(brand, profile))
}

/// Expands a leading `~` and makes the path absolute, without looking at the file system.
fn absolute(path: &OsStr, dirs: &BaseDirs) -> PathBuf {
    let path = Path::new(path);
    match path.strip_prefix("~") {
        Ok(rest) => dirs.home.join(rest),
        Err(_) => dirs.current.join(path),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Instance;
    use super::*;

    fn paths(profile: &str, env: &[(&str, &str)]) -> Paths {
        let env = env.iter().copied().collect();
        let dirs = BaseDirs { current: "/work".into(), ..BaseDirs::under("/home/ada") };
        Instance::new(Brand::Mayros, Profile::parse(profile).unwrap(), &env, &dirs).paths
    }

    #[test]
    fn defaults_follow_from_brand_and_profile() {
        let table = [("default", "/home/ada/.mayros"), ("rescue", "/home/ada/.mayros-rescue")];
        for (profile, state) in table {
            let paths = paths(profile, &[]);
            assert_eq!(paths.state_dir, Path::new(state));
            assert_eq!(paths.config, Path::new(state).join("mayros.json"));
            assert_eq!(paths.log, Path::new(state).join("logs/gateway.log"));
            assert!(!paths.state_dir_is_chosen && !paths.config_is_chosen);
        }
        let unit = "/home/ada/.config/systemd/user/mayros-gateway-rescue.service";
        assert_eq!(paths("rescue", &[]).unit, Path::new(unit));
    }

    /// Runbooks, "Multiple gateways on one host".
    #[test]
    fn the_environment_chooses_state_and_config() {
        let chosen = [("MAYROS_CONFIG_PATH", "~/.mayros/a.json"), ("MAYROS_STATE_DIR", "state-a")];
        let adhoc = paths("default", &[]).adhoc_lock;
        let paths = paths("default", &chosen);
        assert_ne!(paths.adhoc_lock, adhoc);
        assert_eq!(paths.config, Path::new("/home/ada/.mayros/a.json"));
        assert_eq!(paths.state_dir, Path::new("/work/state-a"));
        assert_eq!(paths.lock, Path::new("/work/state-a/gateway.lock"));
        assert!(paths.state_dir_is_chosen && paths.config_is_chosen);
    }

    #[test]
    fn the_machines_own_gateway_has_the_machines_directories_whatever_the_environment_says() {
        let dirs = BaseDirs { system: SystemDirs::under("/m"), ..BaseDirs::under("/home/ada") };
        let profile = Profile::parse("rescue").unwrap();
        let instance = Instance::of_system(Brand::Mayros, profile, &dirs);
        let Paths { state_dir, config, log, service, unit, adhoc_lock, identity, .. } = &instance.paths;
        let table = [
            (state_dir, "/m/var/lib/mayros-gateway-rescue"),
            (config, "/m/etc/mayros-gateway-rescue/mayros.json"),
            (log, "/m/var/log/mayros-gateway-rescue/gateway.log"),
            (service, "/m/var/lib/mayros/mayros-gateway-rescue"),
            (unit, "/m/etc/systemd/system/mayros-gateway-rescue.service"),
            (adhoc_lock, "/m/run/mayros/gateway-rescue.lock"),
            (identity, "/home/ada/.mayros-rescue/identity"),
        ];
        for (path, expected) in table {
            assert_eq!(path, Path::new(expected));
        }
        assert_eq!(instance.command(), "mayros --system --profile rescue");
        let other = instance.in_other_scope(&Env::default(), &dirs);
        assert_eq!(other.paths.state_dir, Path::new("/home/ada/.mayros-rescue"));
        assert_eq!(other.in_other_scope(&Env::default(), &dirs), instance);
    }

    #[test]
    fn another_brand_and_an_empty_variable_change_nothing() {
        let other = [("FASED_STATE_DIR", "/x"), ("MAYROS_STATE_DIR", "")];
        assert_eq!(paths("default", &other).state_dir, Path::new("/home/ada/.mayros"));
    }
}
