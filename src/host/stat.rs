//! What is at a path, without following it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, and where it points to, as written.
    Link(PathBuf),
    /// A socket.
    Socket,
    /// A device, a pipe.
    Other,
}

/// A file, directory or link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// The user it belongs to.
    pub owner: u32,
    /// The group it belongs to.
    pub group: u32,
    /// Its permissions, `0o7777` at most.
    pub mode: u32,
}

/// Looks at a path. `None` when nothing is there.
pub fn at(path: &Path) -> io::Result<Option<Stat>> {
    use std::os::unix::fs::FileTypeExt;
    let meta = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let kind = match meta.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_symlink() => Kind::Link(fs::read_link(path)?),
        kind if kind.is_socket() => Kind::Socket,
        _ => Kind::Other,
    };
    Ok(Some(Stat { kind, owner: meta.uid(), group: meta.gid(), mode: meta.mode() & 0o7777 }))
}

/// Looks at what a path leads to, links followed. `None` when nothing is there, or nothing that may be looked at.
pub fn target(path: &Path) -> Option<Stat> {
    at(&path.canonicalize().ok()?).ok().flatten()
}

/// The names in a directory, sorted. None when it is not there or cannot be read.
pub fn names(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_seen_as_links() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        assert_eq!(at(&link).unwrap(), None);
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert_eq!(at(&link).unwrap().unwrap().kind, Kind::Link("/dev/null".into()));
        assert_eq!(at(dir.path()).unwrap().unwrap().kind, Kind::Directory);
        assert_eq!(target(&link).unwrap().kind, Kind::Other);
        assert_eq!(names(dir.path()), [link]);
        assert!(names(&dir.path().join("none")).is_empty());
    }
}
