//! The same gateway in the other scope: a system service of that name, or a service of some user's manager.
//!
//! One gateway needs one owner (lifecycle notes B7). What counts is that the other one starts by itself, which a link
//! tells, or runs, which its control group tells. A unit file alone is a package's offer.

use std::path::{Path, PathBuf};

use crate::host;
use crate::instance::{Instance, Scope};
use crate::service::observed::OtherOwner;

/// Who else owns this gateway, on the machine with this root directory.
pub fn find(root: &Path, instance: &Instance) -> Option<OtherOwner> {
    match instance.scope {
        Scope::User => of_system(root, &system_names(instance)),
        Scope::System => of_some_user(root, &instance.unit_name()),
    }
}

/// A profile may also be run as an instance of the template unit.
fn system_names(instance: &Instance) -> Vec<String> {
    let template = format!("{}-gateway@{}.service", instance.brand.slug(), instance.profile);
    vec![instance.unit_name(), template]
}

fn of_system(root: &Path, names: &[String]) -> Option<OtherOwner> {
    let dirs = ["etc/systemd/system", "run/systemd/system"].map(|dir| root.join(dir));
    let groups = root.join("sys/fs/cgroup/system.slice");
    names.iter().find_map(|unit| {
        let template =
            unit.split_once('@').map(|(name, _)| format!("system-{}.slice", name.replace('-', "\\x2d")));
        let group = template.map_or_else(|| groups.clone(), |slice| groups.join(slice)).join(unit);
        let links = dirs.iter().flat_map(|dir| links_to(dir, unit));
        let path = links.chain([group]).find(|path| path.symlink_metadata().is_ok())?;
        Some(OtherOwner { unit: unit.clone(), path, user: None })
    })
}

/// Those of the user database, and those whose manager runs the unit now.
fn of_some_user(root: &Path, unit: &str) -> Option<OtherOwner> {
    let owner =
        |path, user: Option<&str>| OtherOwner { unit: unit.to_owned(), path, user: user.map(str::to_owned) };
    let users = host::user::all(root);
    let enabled = users.iter().find_map(|user| {
        let dir = root.join(user.home.strip_prefix("/").unwrap_or(&user.home)).join(".config/systemd/user");
        let path = links_to(&dir, unit).into_iter().next()?;
        Some(owner(path, Some(&user.name)))
    });
    let running = || {
        let slices = host::stat::names(&root.join("sys/fs/cgroup/user.slice"));
        slices.iter().find_map(|slice| {
            let id = slice.file_name()?.to_str()?.strip_prefix("user-")?.strip_suffix(".slice")?;
            let manager = slice.join(format!("user@{id}.service"));
            let path = [manager.join("app.slice").join(unit), manager.join(unit)]
                .into_iter()
                .find(|dir| dir.is_dir())?;
            let known = users.iter().find(|user| user.id.to_string() == id);
            Some(owner(path, Some(known.map_or(id, |user| &user.name))))
        })
    };
    let for_all = || Some(owner(links_to(&root.join("etc/systemd/user"), unit).into_iter().next()?, None));
    enabled.or_else(running).or_else(for_all)
}

/// The links below a directory of units by which a target wants this one.
fn links_to(dir: &Path, unit: &str) -> Vec<PathBuf> {
    let edges = host::stat::names(dir).into_iter().filter(|dir| is_edge(dir));
    edges.map(|dir| dir.join(unit)).filter(|path| path.symlink_metadata().is_ok()).collect()
}

/// Whether a directory holds the links of one target.
pub(super) fn is_edge(dir: &Path) -> bool {
    dir.extension().is_some_and(|kind| kind == "wants" || kind == "requires")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::instance::{BaseDirs, Brand, Env, Profile};

    fn put(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        host::fs::write_atomic(path, b"", host::fs::PUBLIC).unwrap();
    }

    fn found(root: &Path, scope: Scope) -> Option<(String, Option<String>)> {
        let (profile, dirs) = (Profile::parse("a").unwrap(), BaseDirs::under("/home/ada"));
        let own = Instance::new(Brand::Fased, profile, &Env::default(), &dirs);
        let instance = if scope == Scope::User { own } else { own.in_other_scope(&Env::default(), &dirs) };
        let found = find(root, &instance)?;
        Some((found.path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), found.user))
    }

    /// Lifecycle notes, A1 row 4.
    #[test]
    fn a_system_service_counts_when_it_is_enabled_or_runs_not_when_a_package_offers_it() {
        let offer = tempfile::tempdir().unwrap();
        put(&offer.path().join("etc/systemd/system/fased-gateway-a.service"));
        assert_eq!(found(offer.path(), Scope::User), None);
        for sign in [
            "etc/systemd/system/multi-user.target.wants/fased-gateway-a.service",
            "run/systemd/system/x.target.requires/fased-gateway-a.service",
            "sys/fs/cgroup/system.slice/fased-gateway-a.service",
            "etc/systemd/system/multi-user.target.wants/fased-gateway@a.service",
            "sys/fs/cgroup/system.slice/system-fased\\x2dgateway.slice/fased-gateway@a.service",
        ] {
            let root = tempfile::tempdir().unwrap();
            put(&root.path().join(sign));
            assert_eq!(found(root.path(), Scope::User), Some((sign.to_owned(), None)));
            assert_eq!(found(root.path(), Scope::System), None);
        }
    }

    #[test]
    fn a_users_service_counts_for_the_machines_with_the_users_name() {
        let passwd = "root:x:0:0::/root:/bin/sh\nada:x:1000:1000:Ada:/home/ada:/bin/sh\nbroken\n";
        let of_ada = "home/ada/.config/systemd/user/default.target.wants/fased-gateway-a.service";
        let table = [
            (of_ada, Some("ada")),
            ("root/.config/systemd/user/default.target.wants/fased-gateway-a.service", Some("root")),
            ("etc/systemd/user/default.target.wants/fased-gateway-a.service", None),
            (
                "sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/fased-gateway-a.service",
                Some("ada"),
            ),
            ("sys/fs/cgroup/user.slice/user-9.slice/user@9.service/fased-gateway-a.service", Some("9")),
        ];
        for (sign, user) in table {
            let root = tempfile::tempdir().unwrap();
            put(&root.path().join("etc/passwd"));
            host::fs::write_atomic(&root.path().join("etc/passwd"), passwd.as_bytes(), host::fs::PUBLIC)
                .unwrap();
            fs::create_dir_all(root.path().join(sign)).unwrap();
            let expected = Some((sign.to_owned(), user.map(str::to_owned)));
            assert_eq!(found(root.path(), Scope::System), expected);
            assert_eq!(found(root.path(), Scope::User), None);
        }
    }
}
