//! A definition's place on disk: what is there, and whether one may write there. Nothing here is changed.

use std::io;
use std::path::{Path, PathBuf};

use super::definition::Found;
use super::error::ServiceError;
use super::observed::DirectoryProblem;
use crate::host;
use crate::host::stat::{Kind, Stat};
use crate::instance::Scope;

/// A definition is a few dozen lines.
pub const LIMIT: u64 = 1024 * 1024;

/// What is at the path, and whose it is.
pub fn find_file(path: &Path) -> (Found, Option<u32>) {
    let unreadable = |error: std::io::Error| Found::Unreadable(error.to_string());
    let stat = match host::stat::at(path) {
        Err(error) => return (unreadable(error), None),
        Ok(None) => return (Found::Missing, None),
        Ok(Some(stat)) => stat,
    };
    let found = match stat.kind {
        Kind::Link(target) => Found::Link { target },
        Kind::File => match host::fs::read_text(path, LIMIT) {
            Ok(Some(text)) => Found::File(text),
            Ok(None) => Found::Missing,
            Err(error) => unreadable(error),
        },
        Kind::Directory | Kind::Socket | Kind::Other => Found::Unreadable("it is not a file".to_owned()),
    };
    (found, Some(stat.owner))
}

/// Whether two paths name the same place, however they are spelled: a home directory may be reached by a link. What
/// does not exist yet is compared by name.
pub fn same_place(a: &Path, b: &Path) -> bool {
    a == b || without_links(a) == without_links(b)
}

fn without_links(path: &Path) -> PathBuf {
    let (parent, name) = (path.parent(), path.file_name());
    match (path.canonicalize(), parent, name) {
        (Ok(real), _, _) => real,
        (Err(_), Some(parent), Some(name)) => without_links(parent).join(name),
        (Err(_), _, _) => path.to_owned(),
    }
}

/// Whose definitions of this scope should be, whoever looks: the user and the group.
pub fn rightful_owner(scope: Scope) -> (u32, u32) {
    match scope {
        Scope::User => (host::user::id(), host::user::group()),
        Scope::System => (0, 0),
    }
}

/// Why nothing should be written into the directory of definitions by a user and a group: the nearest of it and its parent
/// that exists decides.
pub fn directory_problem(dir_of_definitions: &Path, (user, group): (u32, u32)) -> Option<DirectoryProblem> {
    [Some(dir_of_definitions), dir_of_definitions.parent()].into_iter().flatten().find_map(|dir| {
        let dir_path = dir.to_owned();
        match host::stat::at(dir) {
            Ok(None) => None,
            Ok(Some(stat)) => problem_of(dir_path, &stat, user, group),
            Err(error) => Some(DirectoryProblem::Unusable { dir: dir_path, why: error.to_string() }),
        }
    })
}

/// Many systems give every user a group of their own and let it write (umask 002); another group, or everybody, must
/// not.
fn problem_of(dir: PathBuf, stat: &Stat, user: u32, group: u32) -> Option<DirectoryProblem> {
    match stat.kind {
        Kind::Link(_) => Some(DirectoryProblem::Link { dir }),
        Kind::Directory if stat.owner != user => Some(DirectoryProblem::Owner { dir, owner: stat.owner }),
        Kind::Directory if stat.mode & 0o002 != 0 || (stat.mode & 0o020 != 0 && stat.group != group) => {
            Some(DirectoryProblem::Writable { dir })
        }
        Kind::Directory => None,
        Kind::File | Kind::Socket | Kind::Other => {
            Some(DirectoryProblem::Unusable { dir, why: "it is not a directory".to_owned() })
        }
    }
}

/// Work with files, away from the runtime's threads.
pub async fn on_disk(
    operation: &'static str,
    path: PathBuf,
    work: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
) -> Result<(), ServiceError> {
    let target = path.clone();
    let done =
        tokio::task::spawn_blocking(move || work(&target)).await.unwrap_or_else(|error| Err(error.into()));
    done.map_err(|source| ServiceError::File { operation, path, source })
}

/// Writes a definition, for everybody to read.
pub fn write_definition(path: &Path, text: &str) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        host::fs::private_dir(dir)?;
    }
    host::fs::write_atomic(path, text.as_bytes(), host::fs::PUBLIC)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_place_is_the_same_however_it_is_spelled() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::create_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        assert!(same_place(&real.join("a/b.service"), &link.join("a/b.service")));
        assert!(same_place(&real, &link));
        assert!(!same_place(&real.join("a"), &link.join("b")));
    }

    /// Lifecycle notes, A4 row 92.
    #[test]
    fn a_directory_that_others_can_change_is_no_place_for_a_unit() {
        let stat = |kind, owner, group, mode| Stat { kind, owner, group, mode };
        let dir = PathBuf::from("/d");
        let table = [
            (stat(Kind::Directory, 4711, 4711, 0o755), None),
            (stat(Kind::Directory, 4711, 4711, 0o775), None),
            (stat(Kind::Directory, 4711, 100, 0o775), Some(DirectoryProblem::Writable { dir: dir.clone() })),
            (stat(Kind::Directory, 4711, 4711, 0o777), Some(DirectoryProblem::Writable { dir: dir.clone() })),
            (
                stat(Kind::Directory, 0, 0, 0o755),
                Some(DirectoryProblem::Owner { dir: dir.clone(), owner: 0 }),
            ),
            (
                stat(Kind::Link("/x".into()), 4711, 4711, 0o777),
                Some(DirectoryProblem::Link { dir: dir.clone() }),
            ),
        ];
        for (stat, problem) in table {
            assert_eq!(problem_of(dir.clone(), &stat, 4711, 4711), problem, "{stat:?}");
        }
    }
}
