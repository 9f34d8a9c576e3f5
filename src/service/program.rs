//! Which path of our program a service should run: one that is still right after the next upgrade.

use std::path::{Path, PathBuf};

use crate::instance::Env;

/// The program a service runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The path that goes into the definition.
    pub path: PathBuf,
    /// The file it is, links resolved.
    pub real: PathBuf,
    /// Why the path may not last, where no better one was found.
    pub unstable: Option<&'static str>,
}

/// Chooses the path for a service, given the one this program was invoked by ([`crate::host::process::invoked_path`]).
///
/// A path that is bound to one version or one build is replaced by one from `PATH` that is the same file, if there
/// is one (lifecycle notes B11).
pub fn find(invoked: &Path, env: &Env) -> std::io::Result<Program> {
    let real = invoked.canonicalize()?;
    let path = env.os("PATH").map(std::env::split_paths).into_iter().flatten();
    let name = invoked.file_name().unwrap_or_default();
    let others = path.filter(|dir| dir.is_absolute()).map(|dir| dir.join(name));
    let same = others.filter(|path| path.canonicalize().is_ok_and(|target| target == real));
    Ok(choose(invoked.to_owned(), same, real.clone()))
}

fn choose(invoked: PathBuf, same: impl Iterator<Item = PathBuf>, real: PathBuf) -> Program {
    let Some(why) = passing(&invoked) else { return Program { path: invoked, real, unstable: None } };
    match same.into_iter().find(|path| passing(path).is_none()) {
        Some(path) => Program { path, real, unstable: None },
        None => Program { path: invoked, real, unstable: Some(why) },
    }
}

/// Places whose files go away without anybody meaning the service.
const PASSING: [(&str, &str); 9] = [
    ("/Cellar/", "Homebrew removes it with the next upgrade"),
    ("/.nvm/", "it belongs to one version of Node.js"),
    ("/.fnm/", "it belongs to one version of Node.js"),
    ("/_npx/", "it is in a cache"),
    ("/node_modules/", "it belongs to another program"),
    ("/nix/store/", "it is removed when nothing refers to it any more"),
    ("/target/debug/", "it is a build that is not installed"),
    ("/target/release/", "it is a build that is not installed"),
    ("/tmp/", "it is in a temporary directory"),
];

/// Whether a file is in somebody's home, where a service of the machine does not look.
pub fn is_in_a_home(real: &Path) -> bool {
    ["/home", "/root", "/run/user", "/Users"].iter().any(|home| real.starts_with(home))
}

/// Why a path of a program may not last, if so.
pub fn passing(path: &Path) -> Option<&'static str> {
    let text = path.to_string_lossy();
    let anywhere =
        |place: &&(&str, &str)| text.contains(place.0) && (place.0 != "/tmp/" || text.starts_with("/tmp/"));
    PASSING.iter().find(anywhere).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_that_will_not_last_is_replaced_by_one_that_will() {
        let table: [(&str, &[&str], &str, bool); 5] = [
            ("/usr/local/bin/fased", &["/opt/fased"], "/usr/local/bin/fased", true),
            (
                "/opt/homebrew/Cellar/fased/1.2/bin/fased",
                &["/opt/homebrew/bin/fased"],
                "/opt/homebrew/bin/fased",
                true,
            ),
            ("/src/target/debug/fased", &["/tmp/fased"], "/src/target/debug/fased", false),
            ("/tmp/fased", &[], "/tmp/fased", false),
            ("/srv/tmp/fased", &[], "/srv/tmp/fased", true),
        ];
        for (invoked, same, path, stable) in table {
            let program = choose(invoked.into(), same.iter().map(PathBuf::from), "/real".into());
            assert_eq!(program.path, Path::new(path), "{invoked}");
            assert_eq!(program.unstable.is_none(), stable, "{invoked}");
        }
    }

    #[test]
    fn only_the_same_file_counts_as_a_better_path() {
        let dir = tempfile::tempdir().unwrap();
        let build = dir.path().join("target/debug");
        let [good, bad] = ["good", "bad"].map(|name| dir.path().join(name));
        for dir in [&build, &good, &bad] {
            std::fs::create_dir_all(dir).unwrap();
        }
        std::fs::File::create(build.join("fased")).unwrap();
        std::fs::File::create(bad.join("fased")).unwrap();
        symlink(build.join("fased"), good.join("fased")).unwrap();
        let path = std::env::join_paths([&bad, &good]).unwrap();
        let found = find(&build.join("fased"), &[("PATH", path)].into_iter().collect()).unwrap();
        // A temporary directory is itself no lasting place; what matters here is which file was looked at.
        assert_ne!(found.path, bad.join("fased"));
        assert_eq!(found.real, build.join("fased").canonicalize().unwrap());
    }
}
