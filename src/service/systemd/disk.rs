//! The unit file on disk and what is around it: one look. Nothing here is changed or judged.

use std::path::{Path, PathBuf};

use super::{addition, neighbour, unit};
use crate::host;
use crate::instance::Instance;
use crate::service::definition::{Found, Marked, Standing, standing};
use crate::service::observed::{Addition, Definition, Package};
use crate::service::place::{LIMIT, directory_problem, find_file, rightful_owner};
use crate::service::record;

/// What was found on disk.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The definition.
    pub definition: Definition,
    /// The record.
    pub record: record::Found,
    /// Whether the state directory is there.
    pub state_dir_exists: bool,
    /// Whether other units of this user are enabled.
    pub other_units_enabled: bool,
    /// The lines of `/proc/self/cgroup`.
    pub own_cgroup: String,
}

/// Takes the look.
pub fn inspect(instance: &Instance) -> Disk {
    let paths = &instance.paths;
    let name = instance.unit_name();
    let (found, owner) = find_file(&paths.unit);
    let rightful = rightful_owner(instance.scope);
    let record = record::load(&paths.service);
    let marked = found.text().map_or(Marked::No, |text| unit::marked(text, instance.brand));
    // A record of another unit says nothing about this one.
    let recorded = record.record().filter(|record| record.unit == name && record.path == paths.unit);
    let standing = standing(&found, recorded.map(|record| record.text.as_str()), marked);
    let drop_ins = drop_ins(&paths.unit_dir, &name);
    let added = addition_path(&paths.unit);
    let addition = match find_file(&added) {
        (Found::Missing, _) => None,
        (found, _) => {
            let recorded = record.record().filter(|record| record.unit == name && record.path == added);
            let marked = found.text().map_or(Marked::No, |text| unit::marked(text, instance.brand));
            let standing = crate::service::definition::standing(
                &found,
                recorded.map(|record| record.text.as_str()),
                marked,
            );
            Some(Addition { path: added, found, standing })
        }
    };
    Disk {
        definition: Definition {
            path: paths.unit.clone(),
            found,
            standing,
            foreign_owner: owner.filter(|owner| *owner != rightful.0),
            directory_problem: directory_problem(&paths.unit_dir, rightful),
            drop_in_names: drop_ins
                .iter()
                .filter(|path| is_filled(path))
                .filter_map(|path| path.file_name())
                .map(Into::into)
                .collect(),
            drop_ins,
            addition,
            unprovided: Vec::new(),
            other_scope: neighbour::find(Path::new("/"), instance),
        },
        record,
        state_dir_exists: paths.state_dir.exists(),
        other_units_enabled: other_units_enabled(&paths.unit_dir, &name),
        own_cgroup: std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default(),
    }
}

/// What is known without a look: the disk is another machine's. What its manager has loaded from there still counts.
pub fn unseen(instance: &Instance) -> Disk {
    Disk {
        definition: Definition {
            // No file of this machine: nothing the manager loaded is taken for it.
            path: instance.unit_name().into(),
            found: Found::Missing,
            standing: Standing::Missing,
            foreign_owner: None,
            directory_problem: None,
            drop_in_names: Vec::new(),
            drop_ins: Vec::new(),
            addition: None,
            unprovided: Vec::new(),
            other_scope: None,
        },
        record: record::Found::Missing,
        state_dir_exists: false,
        other_units_enabled: false,
        own_cgroup: String::new(),
    }
}

/// Where packages put units (systemd.unit(5), "Unit File Load Path").
const VENDOR: [&str; 3] = ["/usr/lib/systemd", "/lib/systemd", "/usr/local/lib/systemd"];

/// The unit that the manager has, if it is a package's.
pub fn package(fragment: &Path) -> Option<Package> {
    let vendor = VENDOR.iter().any(|dir| fragment.starts_with(dir));
    let text = host::fs::read_text(fragment, LIMIT).ok().flatten().filter(|_| vendor)?;
    Some(Package { path: fragment.to_owned(), text })
}

/// Where settings of ours over a package's unit are.
pub fn addition_path(unit: &Path) -> PathBuf {
    let name = unit.file_name().unwrap_or_default().to_string_lossy();
    unit.with_file_name(format!("{name}.d")).join(addition::FILE)
}

/// Drop-ins of this unit alone. The manager shows none of them once the unit is gone (lifecycle notes E9.8).
fn drop_ins(unit_dir: &Path, name: &str) -> Vec<PathBuf> {
    let control = unit_dir.with_file_name("user.control");
    let dirs = [unit_dir.join(format!("{name}.d")), control.join(format!("{name}.d"))];
    let all = dirs.iter().flat_map(|dir| host::stat::names(dir));
    all.filter(|path| path.extension().is_some_and(|extension| extension == "conf")).collect()
}

/// An empty file, or a link to `/dev/null`, takes a drop-in of the same name out of force (systemd.unit(5)).
pub fn is_filled(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.len() > 0)
}

/// Whether a `.wants` or `.requires` directory has a link to another unit.
fn other_units_enabled(unit_dir: &Path, name: &str) -> bool {
    let edges = host::stat::names(unit_dir).into_iter().filter(|dir| neighbour::is_edge(dir));
    edges.flat_map(|dir| host::stat::names(&dir)).any(|link| link.file_name().is_none_or(|link| link != name))
}

/// Whether a process with these cgroups is part of a unit with that control group (cgroups(7)).
pub fn is_inside(own_cgroup: &str, control_group: Option<&str>) -> bool {
    let Some(group) = control_group.filter(|group| group.len() > 1) else { return false };
    own_cgroup
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .any(|own| own.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::instance::{BaseDirs, Brand, Env, Profile};
    use crate::service::definition::Standing;

    fn instance(home: &Path) -> Instance {
        let dirs = BaseDirs::under(home);
        let instance = Instance::new(Brand::Fased, Profile::Default, &Env::default(), &dirs);
        fs::create_dir_all(&instance.paths.unit_dir).unwrap();
        instance
    }

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        host::fs::write_atomic(path, text.as_bytes(), host::fs::PUBLIC).unwrap();
    }

    #[test]
    fn a_file_a_link_a_mask_and_a_directory_are_told_apart() {
        let home = tempfile::tempdir().unwrap();
        let instance = instance(home.path());
        let unit = &instance.paths.unit;
        assert_eq!(inspect(&instance).definition.standing, Standing::Missing);
        put(unit, "[Service]\n");
        assert_eq!(inspect(&instance).definition.standing, Standing::Foreign);
        for (target, standing) in
            [("/dev/null", Standing::Masked), ("/nix/store/x.service", Standing::Linked)]
        {
            fs::remove_file(unit).unwrap();
            symlink(target, unit).unwrap();
            assert_eq!(inspect(&instance).definition.standing, standing);
        }
        fs::remove_file(unit).unwrap();
        fs::create_dir(unit).unwrap();
        assert_eq!(inspect(&instance).definition.standing, Standing::Unreadable);
    }

    #[test]
    fn drop_ins_and_other_enabled_units_are_seen() {
        let home = tempfile::tempdir().unwrap();
        let instance = instance(home.path());
        let dir = &instance.paths.unit_dir;
        assert!(!inspect(&instance).other_units_enabled);
        put(&dir.join("fased-gateway.service.d/10-a.conf"), "[Unit]\n");
        put(&dir.join("fased-gateway.service.d/README"), "");
        put(&dir.join("default.target.wants/fased-gateway.service"), "");
        let disk = inspect(&instance);
        assert_eq!(disk.definition.drop_ins, [dir.join("fased-gateway.service.d/10-a.conf")]);
        assert_eq!(disk.definition.drop_in_names, ["10-a.conf"]);
        put(&dir.join("fased-gateway.service.d/10-a.conf"), "");
        let disk = inspect(&instance);
        assert_eq!((disk.definition.drop_ins.len(), disk.definition.drop_in_names.len()), (1, 0));
        assert!(!disk.other_units_enabled);
        put(&dir.join("default.target.wants/other.service"), "");
        assert!(inspect(&instance).other_units_enabled);
    }

    #[test]
    fn a_process_knows_whether_it_is_part_of_a_unit() {
        let own = "1:name=systemd:/\n0::/user.slice/user-1.slice/user@1.service/app.slice/a.service/sub\n";
        let group = "/user.slice/user-1.slice/user@1.service/app.slice/a.service";
        assert!(is_inside(own, Some(group)));
        assert!(is_inside(&own.replace("/sub", ""), Some(group)));
        assert!(!is_inside(&own.replace("a.service", "a.service2"), Some(group)));
        for none in [None, Some(""), Some("/")] {
            assert!(!is_inside(own, none));
        }
    }
}
