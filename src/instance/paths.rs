//! Where an instance keeps its files.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::profile::fnv1a;
use super::{Brand, Env, Profile};

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
}

impl BaseDirs {
    /// The layout under a given home directory, with nothing set in the environment.
    pub fn under(home: impl Into<PathBuf>) -> Self {
        let home = home.into();
        let config_home = home.join(".config");
        let runtime = home.join(".run");
        Self { current: home.clone(), home, config_home, runtime }
    }
}

/// The files of one instance. Nothing here says that any of them exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The home directory that the default paths are under: the user's, or `<PREFIX>_HOME`.
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
    /// What was last installed as a service, and its backups.
    pub service: PathBuf,
    /// The default of `agents.defaults.workspace`.
    pub workspace: PathBuf,
    /// Where this user's systemd units are.
    pub unit_dir: PathBuf,
    /// The systemd user unit of this instance.
    pub unit: PathBuf,
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
            identity: state_dir.join("identity"),
            devices: state_dir.join("devices"),
            service: state_dir.join("service"),
            workspace: state_dir.join("workspace"),
            unit: unit_dir.join(unit_name(brand, profile)),
            unit_dir,
            home,
            state_dir,
            state_dir_is_chosen,
            config_is_chosen,
        }
    }
}

/// systemd unit name: `fased-gateway.service`, `fased-gateway-rescue.service`.
pub(super) fn unit_name(brand: Brand, profile: &Profile) -> String {
    match profile.name() {
        None => format!("{}-gateway.service", brand.slug()),
        Some(name) => format!("{}-gateway-{name}.service", brand.slug()),
    }
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
    fn another_brand_and_an_empty_variable_change_nothing() {
        let other = [("FASED_STATE_DIR", "/x"), ("MAYROS_STATE_DIR", "")];
        assert_eq!(paths("default", &other).state_dir, Path::new("/home/ada/.mayros"));
    }
}
