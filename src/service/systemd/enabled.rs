//! Whether a unit is enabled: read from the links on disk, in the order in which the manager looks for them.
//!
//! The manager's own answer (`UnitFileState`) is of the time of its last reload, and to give it the manager opens the
//! unit file: on a pipe in its place the user manager of systemd 252 waits for ever, with everything that it looks
//! after. So it is asked only what it has in memory, and nothing at all about a file that is none.

use std::path::{Path, PathBuf};

use super::disk::is_filled;
use super::layers::{drop_in_dirs, drop_in_order};
use super::neighbour;
use super::syntax::File;
use crate::host;
use crate::host::stat::Kind;
use crate::service::place::{self, LIMIT};

/// What the disk says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enablement {
    /// The word of `systemctl is-enabled`; empty where there is no such unit.
    pub word: &'static str,
    /// The links that make other units want it.
    pub edges: Vec<PathBuf>,
    /// The links that give it other names.
    pub aliases: Vec<PathBuf>,
}

impl Enablement {
    /// Whether a target will want it, once the manager has read what is on disk.
    pub fn starts_with(&self, target: &str) -> bool {
        let wants = [format!("{target}.wants"), format!("{target}.requires")];
        let dir = |edge: &PathBuf| edge.parent().and_then(Path::file_name).map(std::ffi::OsStr::to_owned);
        self.edges.iter().filter_map(dir).any(|dir| wants.iter().any(|wanted| dir == **wanted))
    }
}

/// Something in the place of a unit that is neither a file nor a link to one: the manager must not be asked about it.
pub fn irregular(dirs: &[PathBuf], unit: &str) -> Option<PathBuf> {
    let paths = names(unit).into_iter().flat_map(|name| dirs.iter().map(move |dir| dir.join(&name)));
    paths.into_iter().find(|path| {
        let end = host::stat::target(path);
        end.is_some_and(|stat| matches!(stat.kind, Kind::Other | Kind::Socket) && !is_null(path))
    })
}

/// A unit's name, and that of its template (systemd.unit(5), "Description").
fn names(unit: &str) -> Vec<String> {
    let template = unit.split_once('@').map(|(stem, rest)| {
        let kind = rest.rsplit_once('.').map_or("service", |(_, kind)| kind);
        format!("{stem}@.{kind}")
    });
    [Some(unit.to_owned()), template].into_iter().flatten().collect()
}

/// Whether it leads to `/dev/null`: a mask.
fn is_null(path: &Path) -> bool {
    path.canonicalize().is_ok_and(|real| real == Path::new("/dev/null"))
}

/// Looks for the unit and for every link to it. `dirs` is the manager's `UnitPath`, the first of which counts.
pub fn look(dirs: &[PathBuf], unit: &str) -> Enablement {
    let paths = names(unit).into_iter().flat_map(|name| dirs.iter().map(move |dir| dir.join(&name)));
    let file = paths.into_iter().find(|path| path.symlink_metadata().is_ok());
    let aliases = aliases(dirs, unit, file.as_deref());
    let called = aliases.iter().filter_map(|path| path.file_name()?.to_str());
    let called: Vec<&str> = std::iter::once(unit).chain(called).collect();
    let edges = edges(dirs, &called);
    let own = |edge: &&PathBuf| edge.file_name().is_some_and(|name| name == unit);
    let word = word(dirs, unit, file.as_deref(), &edges.iter().filter(own).collect::<Vec<_>>(), &aliases);
    Enablement { word, edges, aliases }
}

/// The word of `systemctl is-enabled` (systemctl(1)).
fn word(
    dirs: &[PathBuf],
    unit: &str,
    file: Option<&Path>,
    links: &[&PathBuf],
    aliases: &[PathBuf],
) -> &'static str {
    let passing = |path: &Path| path.starts_with("/run");
    let Some(file) = file else { return "" };
    if is_null(file)
        || host::stat::target(file).is_some_and(|stat| stat.kind == Kind::File) && !is_filled(file)
    {
        return if passing(file) { "masked-runtime" } else { "masked" };
    }
    if irregular(dirs, unit).is_some() {
        return "bad";
    }
    let install = install(dirs, unit, file);
    let named = |alias: &&PathBuf| {
        let name = alias.file_name().unwrap_or_default().to_string_lossy().into_owned();
        install.as_ref().is_some_and(|install| install.aliases.contains(&name))
    };
    let named = aliases.iter().filter(named);
    let mut links = links.iter().copied().chain(named).peekable();
    if links.peek().is_some() {
        return if links.any(|link| !passing(link)) { "enabled" } else { "enabled-runtime" };
    }
    let within =
        |name: &str| file.components().any(|part| part.as_os_str().to_string_lossy().starts_with(name));
    if within("generator") {
        return "generated";
    }
    if within("transient") {
        return "transient";
    }
    // A link to another name only gives a name; one that leads out of the manager's directories brings a unit in.
    let real = file.canonicalize().ok().filter(|_| file.is_symlink());
    if let Some(real) = real {
        let within = real.parent().is_some_and(|own| dirs.iter().any(|dir| place::same_place(own, dir)));
        match real.file_name() == file.file_name() {
            false => return "alias",
            true if within => {}
            true if passing(file) => return "linked-runtime",
            true => return "linked",
        }
    }
    match install {
        None => "bad",
        // Somebody gave it another name by hand.
        Some(_) if !aliases.is_empty() => "indirect",
        Some(install) if install.itself => "disabled",
        Some(install) if install.others => "indirect",
        Some(_) => "static",
    }
}

/// What the `[Install]` section is for.
struct Install {
    /// The unit is to start by itself, or to have other names.
    itself: bool,
    /// Others are enabled along with it.
    others: bool,
    /// The other names.
    aliases: Vec<String>,
}

/// Reads the `[Install]` sections of the unit and its drop-ins. None for a unit that cannot be read.
fn install(dirs: &[PathBuf], unit: &str, file: &Path) -> Option<Install> {
    let text = host::fs::read_text(file, LIMIT).ok().flatten()?;
    let found = drop_in_dirs(unit, dirs).into_iter().flat_map(|dir| host::stat::names(&dir));
    let drop_ins = drop_in_order(found).into_iter().filter(|path| is_filled(path));
    let read = |path: PathBuf| host::fs::read_text(&path, LIMIT).ok().flatten();
    let texts: Vec<File> =
        std::iter::once(text).chain(drop_ins.filter_map(read)).map(|text| File::parse(&text)).collect();
    let values = |keys: &[&str]| -> Vec<String> {
        let settings = texts.iter().flat_map(File::settings);
        let settings = settings.filter(|setting| setting.section == "Install" && keys.contains(&setting.key));
        settings.flat_map(|setting| setting.value.split_whitespace()).map(str::to_owned).collect()
    };
    Some(Install {
        itself: !values(&["WantedBy", "RequiredBy", "UpheldBy", "Alias"]).is_empty(),
        others: !values(&["Also", "DefaultInstance"]).is_empty(),
        aliases: values(&["Alias"]),
    })
}

/// Links below `.wants` and `.requires` directories with one of these names. Of the same link in two directories the
/// first counts, and one to `/dev/null` there takes the other back (systemd.unit(5), "Wants=").
fn edges(dirs: &[PathBuf], called: &[&str]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let kept = |path: &Path| {
        let mut parts = path.components().rev();
        (
            parts.next().map(|name| name.as_os_str().to_owned()),
            parts.next().map(|name| name.as_os_str().to_owned()),
        )
    };
    let targets = dirs.iter().flat_map(|dir| host::stat::names(dir)).filter(|dir| neighbour::is_edge(dir));
    for path in targets.flat_map(|dir| called.iter().map(move |name| dir.join(name))) {
        if path.symlink_metadata().is_ok() && !found.iter().any(|known| kept(known) == kept(&path)) {
            found.push(path);
        }
    }
    found.retain(|path| !is_null(path));
    found
}

/// Links with other names that lead to the unit.
fn aliases(dirs: &[PathBuf], unit: &str, file: Option<&Path>) -> Vec<PathBuf> {
    let real = file.and_then(|file| file.canonicalize().ok()).filter(|real| real != Path::new("/dev/null"));
    let leads = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name != unit)
            && path.is_symlink()
            && path.extension().is_some_and(|kind| kind == "service")
            && real.is_some()
            && path.canonicalize().ok() == real
    };
    dirs.iter().flat_map(|dir| host::stat::names(dir)).filter(leads).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const UNIT: &str = "a.service";
    const WANTED: &str = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=default.target\n";

    /// Two directories of a manager, with files and links as in `FILE=TEXT` and `LINK->TARGET`.
    fn looked(entries: &[(&str, &str)]) -> (tempfile::TempDir, Enablement) {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in entries {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match content.strip_prefix("->") {
                Some(target) if target.starts_with('/') => symlink(target, path).unwrap(),
                Some(target) => symlink(root.path().join(target), path).unwrap(),
                None => host::fs::write_atomic(&path, content.as_bytes(), host::fs::PUBLIC).unwrap(),
            }
        }
        let dirs = ["own", "vendor"].map(|dir| root.path().join(dir));
        let found = look(&dirs, UNIT);
        (root, found)
    }

    /// The words that systemd 252 has for the same.
    #[test]
    fn the_words_are_those_of_is_enabled() {
        type Entries<'a> = &'a [(&'a str, &'a str)];
        let static_unit = "[Service]\nExecStart=/bin/true\n";
        let table: [(Entries<'_>, &str, bool); 15] = [
            (&[], "", false),
            (&[("own/a.service", WANTED)], "disabled", false),
            (&[("own/a.service", static_unit)], "static", false),
            (&[("own/a.service", static_unit), ("own/a.service.d/i.conf", WANTED)], "disabled", false),
            (&[("own/a.service", "[Install]\nAlso=b.socket\n")], "indirect", false),
            (&[("own/a.service", "")], "masked", false),
            (&[("own/a.service", "->/dev/null"), ("vendor/a.service", WANTED)], "masked", false),
            (
                &[("own/a.service", WANTED), ("own/default.target.wants/a.service", "->own/a.service")],
                "enabled",
                true,
            ),
            (
                &[("own/a.service", WANTED), ("vendor/default.target.requires/a.service", "->nowhere")],
                "enabled",
                true,
            ),
            (
                &[("own/a.service", WANTED), ("own/x.target.wants/a.service", "->own/a.service")],
                "enabled",
                false,
            ),
            (&[("own/a.service", WANTED), ("own/b.service", "->own/a.service")], "indirect", false),
            (
                &[
                    ("own/a.service", WANTED),
                    ("own/b.service", "->own/a.service"),
                    ("own/default.target.wants/b.service", "->own/b.service"),
                ],
                "indirect",
                true,
            ),
            (
                &[
                    ("own/a.service", WANTED),
                    ("own/default.target.wants/a.service", "->/dev/null"),
                    ("vendor/default.target.wants/a.service", "->own/a.service"),
                ],
                "disabled",
                false,
            ),
            (&[("elsewhere/a.service", WANTED), ("own/a.service", "->elsewhere/a.service")], "linked", false),
            (&[("vendor/b.service", WANTED), ("own/a.service", "->vendor/b.service")], "alias", false),
        ];
        for (entries, word, starts) in table {
            let (_root, found) = looked(entries);
            assert_eq!(
                (found.word, found.starts_with("default.target")),
                (word, starts),
                "{entries:?}: {found:?}"
            );
        }
    }

    #[test]
    fn what_is_neither_a_file_nor_a_link_to_one_is_told_apart() {
        let (root, _) = looked(&[("own/b.service", WANTED), ("own/link.service", "->own/pipe.service")]);
        let dir = root.path().join("own");
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.join("pipe.service"), 0o600.into()).unwrap();
        fs::create_dir(dir.join("dir.service")).unwrap();
        let table = [
            ("pipe.service", true),
            ("link.service", true),
            ("b.service", false),
            ("none.service", false),
            // Opening a directory fails at once.
            ("dir.service", false),
        ];
        for (unit, expected) in table {
            let dirs = [dir.clone()];
            assert_eq!(irregular(&dirs, unit).is_some(), expected, "{unit}");
            assert_eq!(look(&dirs, unit).word == "bad", expected || unit == "dir.service", "{unit}");
        }
    }

    #[test]
    fn an_instance_is_enabled_by_its_own_name() {
        let root = tempfile::tempdir().unwrap();
        let dirs = [root.path().to_owned()];
        host::fs::write_atomic(&root.path().join("a@.service"), WANTED.as_bytes(), host::fs::PUBLIC).unwrap();
        assert_eq!(look(&dirs, "a@x.service").word, "disabled");
        let wants = root.path().join("default.target.wants");
        fs::create_dir(&wants).unwrap();
        symlink(root.path().join("a@.service"), wants.join("a@x.service")).unwrap();
        assert!(look(&dirs, "a@x.service").starts_with("default.target"));
        assert_eq!(look(&dirs, "a@y.service").word, "disabled");
    }
}
