//! Where the manager should be, and what stands in the way: one look, then a decision by table.
//!
//! The rules are those of `systemctl --user` (lifecycle notes E2), with one more: a missing `XDG_RUNTIME_DIR` is
//! filled in from `/run/user/UID`, for shells that were not opened by a login.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::host;
use crate::host::stat::{Kind, Stat};
use crate::instance::{Env, Scope};
use crate::service::reach::{Place, Unreachable};

/// What the decision needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// This user's name and number.
    pub user: (String, u32),
    /// The user behind root, if this is root on behalf of somebody.
    pub behind_root: Option<String>,
    /// Where there is no systemd: what kind of place it is.
    pub without_systemd: Option<Place>,
    /// Whether this is the Windows Subsystem for Linux.
    pub wsl: bool,
    /// `XDG_RUNTIME_DIR` and whose it is, if it exists.
    pub chosen_dir: Option<(PathBuf, u32)>,
    /// `/run/user/UID`, if it exists and is ours.
    pub usual_dir: Option<PathBuf>,
    /// The sockets in either: bus, manager.
    pub sockets: Vec<PathBuf>,
    /// `DBUS_SESSION_BUS_ADDRESS`.
    pub bus_address: Option<String>,
    /// The system bus, if there is one.
    pub system_bus: Option<String>,
    /// Whether the machine's manager has a socket of its own that this user may use.
    pub system_socket: bool,
}

/// How the manager can be asked, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways {
    /// Whose manager it is.
    pub scope: Scope,
    /// The runtime directory of this user, or of the machine.
    pub runtime_dir: PathBuf,
    /// Buses that may lead to it.
    pub buses: Vec<String>,
    /// Whether it listens on a socket of its own, which `systemctl` can use and D-Bus libraries cannot.
    pub private_socket: bool,
    /// This user's name; on another machine, the name of that.
    pub user: String,
    /// Who we are on another machine, where that is where the manager is.
    pub user_id: Option<u32>,
    /// Whether this is the Windows Subsystem for Linux.
    pub wsl: bool,
}

impl Ways {
    /// Why there is no way.
    pub fn not_running(&self) -> Unreachable {
        if self.scope == Scope::System {
            return Unreachable::NoSystemBus;
        }
        Unreachable::NotRunning { user: self.user.clone(), dir: self.runtime_dir.clone(), wsl: self.wsl }
    }
}

/// Takes the look.
pub fn see(env: &Env) -> Surroundings {
    let uid = host::user::id();
    let is_dir = |stat: &Stat| stat.kind == Kind::Directory;
    let chosen = env.os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let chosen_dir =
        chosen.and_then(|path| host::stat::target(&path).filter(is_dir).map(|stat| (path, stat.owner)));
    let usual = PathBuf::from(format!("/run/user/{uid}"));
    let usual_dir =
        host::stat::target(&usual).filter(|stat| is_dir(stat) && stat.owner == uid).map(|_| usual);
    let dirs = chosen_dir.iter().map(|(dir, _)| dir).chain(&usual_dir);
    let sockets = dirs.flat_map(|dir| [dir.join("bus"), dir.join("systemd/private")]);
    let is_socket = |path: &PathBuf| host::stat::target(path).is_some_and(|stat| stat.kind == Kind::Socket);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let wsl = kernel.to_lowercase().contains("microsoft");
    Surroundings {
        user: (host::user::name(env), uid),
        behind_root: host::user::behind_root(env),
        without_systemd: without_systemd(env, wsl),
        wsl,
        sockets: sockets.filter(is_socket).collect(),
        chosen_dir,
        usual_dir,
        bus_address: env.text("DBUS_SESSION_BUS_ADDRESS").map(str::to_owned),
        system_bus: system_bus(env),
        // The manager answers nobody but root there.
        system_socket: uid == 0 && is_socket(&PathBuf::from("/run/systemd/private")),
    }
}

/// The system bus: where the environment says, else at its usual place if there is a socket.
pub fn system_bus(env: &Env) -> Option<String> {
    let usual = "/run/dbus/system_bus_socket";
    let there = host::stat::target(Path::new(usual)).is_some_and(|stat| stat.kind == Kind::Socket);
    let chosen = env.text("DBUS_SYSTEM_BUS_ADDRESS").map(str::to_owned);
    chosen.or_else(|| there.then(|| format!("unix:path={usual}")))
}

/// The kind of place, unless it was booted with systemd (sd_booted(3)).
fn without_systemd(env: &Env, wsl: bool) -> Option<Place> {
    if Path::new("/run/systemd/system").is_dir() {
        return None;
    }
    if !cfg!(target_os = "linux") {
        return Some(Place::OtherSystem);
    }
    let container = fs::read_to_string("/run/systemd/container").ok().map(|kind| kind.trim().to_owned());
    let files = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
    let known = files.into_iter().find(|(path, _)| Path::new(path).exists()).map(|(_, kind)| kind.to_owned());
    let told = env.text("container").map(str::to_owned);
    Some(match container.or(known).or(told) {
        Some(kind) => Place::Container(kind),
        None if wsl => Place::Wsl,
        None => {
            let init = fs::read_to_string("/proc/1/comm").unwrap_or_default();
            Place::Machine { init: init.trim().to_owned() }
        }
    })
}

/// Decides how to reach the manager.
pub fn ways(seen: &Surroundings, scope: Scope) -> Result<Ways, Unreachable> {
    match scope {
        Scope::User => user_ways(seen),
        Scope::System => system_ways(seen),
    }
}

fn system_ways(seen: &Surroundings) -> Result<Ways, Unreachable> {
    if let Some(place) = &seen.without_systemd {
        return Err(Unreachable::NoSystemd { place: place.clone() });
    }
    let ways = Ways {
        scope: Scope::System,
        runtime_dir: "/run".into(),
        buses: seen.system_bus.iter().cloned().collect(),
        private_socket: seen.system_socket,
        user: seen.user.0.clone(),
        user_id: None,
        wsl: seen.wsl,
    };
    if ways.buses.is_empty() && !ways.private_socket { Err(ways.not_running()) } else { Ok(ways) }
}

fn user_ways(seen: &Surroundings) -> Result<Ways, Unreachable> {
    let (user, uid) = seen.user.clone();
    if let Some(user) = &seen.behind_root {
        return Err(Unreachable::Sudo { user: user.clone() });
    }
    if let Some(place) = &seen.without_systemd {
        return Err(Unreachable::NoSystemd { place: place.clone() });
    }
    let runtime_dir = match (&seen.chosen_dir, &seen.usual_dir) {
        (Some((dir, owner)), _) if *owner == uid => dir.clone(),
        // Somebody else's directory came along with `su` or `sudo -u`; ours is known all the same.
        (_, Some(usual)) => usual.clone(),
        (Some((dir, owner)), None) => {
            return Err(Unreachable::OtherUser { dir: dir.clone(), owner: *owner, user });
        }
        (None, None) => return Err(Unreachable::NoRuntimeDir { user }),
    };
    let has = |name: &str| seen.sockets.contains(&runtime_dir.join(name));
    let own =
        has("bus").then(|| format!("unix:path={}", escape_address(runtime_dir.join("bus").as_os_str())));
    // Another bus is asked only where this user's own is not there.
    let buses: Vec<String> = own.or_else(|| seen.bus_address.clone()).into_iter().collect();
    let private_socket = has("systemd/private");
    let (scope, wsl) = (Scope::User, seen.wsl);
    let ways = Ways { scope, runtime_dir, buses, private_socket, user, user_id: None, wsl };
    if ways.buses.is_empty() && !private_socket { Err(ways.not_running()) } else { Ok(ways) }
}

/// A path in a D-Bus address: what is not optionally escaped by the specification is percent-encoded.
fn escape_address(word: &OsStr) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/.\\*".contains(&byte);
    word.as_encoded_bytes().iter().fold(String::new(), |mut text, byte| {
        if plain(*byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02x}"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Surroundings {
        let dir = PathBuf::from("/run/user/4711");
        Surroundings {
            user: ("ada".to_owned(), 4711),
            behind_root: None,
            without_systemd: None,
            wsl: false,
            chosen_dir: Some((dir.clone(), 4711)),
            sockets: vec![dir.join("bus"), dir.join("systemd/private")],
            usual_dir: Some(dir),
            bus_address: None,
            system_bus: None,
            system_socket: false,
        }
    }

    fn buses(seen: &Surroundings) -> Vec<String> {
        user_ways(seen).unwrap().buses
    }

    /// Row 140 of the feature table: what is a mistake for a user's service is the way for the machine's.
    #[test]
    fn the_machines_manager_is_asked_over_the_system_bus_whoever_asks() {
        let system_bus = Some("unix:path=/run/dbus/system_bus_socket".to_owned());
        let sudo = Surroundings {
            behind_root: Some("ada".to_owned()),
            chosen_dir: None,
            usual_dir: None,
            system_bus: system_bus.clone(),
            ..usual()
        };
        let found = ways(&sudo, Scope::System).unwrap();
        assert_eq!((found.buses, found.private_socket), (system_bus.into_iter().collect(), false));
        let without_bus = Surroundings { system_bus: None, system_socket: true, ..sudo };
        assert!(ways(&without_bus, Scope::System).unwrap().private_socket);
        let nothing = Surroundings { system_socket: false, ..without_bus };
        assert_eq!(ways(&nothing, Scope::System), Err(Unreachable::NoSystemBus));
        let place = Place::Container("docker".to_owned());
        let container = Surroundings { without_systemd: Some(place.clone()), ..nothing };
        assert_eq!(ways(&container, Scope::System), Err(Unreachable::NoSystemd { place }));
    }

    #[test]
    fn the_users_own_bus_is_asked_first_and_found_without_variables() {
        let own = "unix:path=/run/user/4711/bus";
        assert_eq!(buses(&usual()), [own]);
        assert_eq!(buses(&Surroundings { chosen_dir: None, ..usual() }), [own]);
        let other = Some("unix:path=/tmp/dbus-x".to_owned());
        assert_eq!(buses(&Surroundings { bus_address: other.clone(), ..usual() }), [own]);
        let sockets = vec!["/run/user/4711/systemd/private".into()];
        let without = Surroundings { sockets, ..usual() };
        assert_eq!(user_ways(&without).unwrap().buses, [""; 0]);
        assert!(user_ways(&without).unwrap().private_socket);
        assert_eq!(buses(&Surroundings { bus_address: other, ..without }), ["unix:path=/tmp/dbus-x"]);
    }

    #[test]
    fn a_directory_that_came_along_from_another_user_is_not_used() {
        let foreign = Some((PathBuf::from("/run/user/0"), 0));
        let seen = Surroundings { chosen_dir: foreign.clone(), ..usual() };
        assert_eq!(user_ways(&seen).unwrap().runtime_dir, Path::new("/run/user/4711"));
        let seen = Surroundings { chosen_dir: foreign, usual_dir: None, ..usual() };
        assert!(matches!(user_ways(&seen), Err(Unreachable::OtherUser { owner: 0, .. })));
    }

    /// Lifecycle notes E2 and B4: every way not to have a manager has its own words and its own advice.
    #[test]
    fn what_stands_in_the_way_is_told_apart() {
        use crate::exit::ExitCode;
        let nothing = Surroundings { chosen_dir: None, usual_dir: None, sockets: vec![], ..usual() };
        let container = Place::Container("docker".to_owned());
        let table = [
            (
                Surroundings { behind_root: Some("ada".to_owned()), ..usual() },
                ExitCode::NotPermitted,
                "without sudo",
            ),
            (
                Surroundings { without_systemd: Some(container), ..usual() },
                ExitCode::NoManager,
                "fased gateway run",
            ),
            (
                Surroundings { without_systemd: Some(Place::Wsl), ..usual() },
                ExitCode::NoManager,
                "/etc/wsl.conf",
            ),
            (nothing, ExitCode::NoManager, "sudo loginctl enable-linger ada"),
            (
                Surroundings { sockets: vec![], ..usual() },
                ExitCode::NoManager,
                "sudo loginctl enable-linger ada",
            ),
            (Surroundings { sockets: vec![], wsl: true, ..usual() }, ExitCode::NoManager, "wsl --shutdown"),
        ];
        for (seen, code, hint) in table {
            let error = user_ways(&seen).unwrap_err();
            assert_eq!(error.exit_code(), code, "{error}");
            assert!(error.hint("fased").contains(hint), "{error}: {}", error.hint("fased"));
        }
    }

    #[test]
    fn addresses_are_escaped() {
        assert_eq!(escape_address("/run/a b;c/bus".as_ref()), "/run/a%20b%3bc/bus");
    }
}
