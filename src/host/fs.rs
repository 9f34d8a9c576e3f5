//! Files: private ones, and replacing one so that nobody ever sees half of it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Mode of files that hold or may hold a secret.
pub const PRIVATE: u32 = 0o600;
/// Mode of files for everybody to read, such as unit files.
pub const PUBLIC: u32 = 0o644;

/// Replaces (or makes) a file: a temporary one in the same directory is written, synced and renamed over it, and
/// the directory is synced. Whoever is killed in between leaves the old file or the new one.
///
/// A symlink is followed, so that a file kept elsewhere (dotfiles) stays a link. A file that root replaces (`sudo`)
/// keeps its owner, who could not read it otherwise. The directory must exist.
pub fn write_atomic(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let target = link_target(path)?;
    let dir = target.parent().ok_or_else(|| io::Error::other("the path has no directory"))?;
    let name = target.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let mut temp = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".tmp")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(dir)?;
    temp.write_all(content)?;
    // The umask may have taken bits away from what was asked for.
    temp.as_file().set_permissions(Permissions::from_mode(mode))?;
    if let Ok(old) = fs::metadata(&target)
        && rustix::process::geteuid().is_root()
    {
        std::os::unix::fs::fchown(temp.as_file(), Some(old.uid()), Some(old.gid()))?;
    }
    temp.as_file().sync_all()?;
    temp.persist(&target).map_err(|error| error.error)?;
    sync_dir(dir)
}

/// Removes a file and syncs its directory. A file that is not there is removed already.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => path.parent().map_or(Ok(()), sync_dir),
    }
}

/// Removes a directory and everything in it; symlinks are removed, not followed. One that is not there is removed
/// already.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Sets the permissions of a file or directory, but not of what a link leads to.
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_symlink() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a symbolic link"));
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Moves a file, link or directory to a place where nothing is, to another file system too if it is a regular file.
pub fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            fs::copy(from, to)?;
            remove(from)
        }
        other => other,
    }
}

/// Makes a directory and its missing parents, each 0700. One that exists keeps its mode.
pub fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whether nobody else can put files into a directory, or another directory in its place: it is this user's and not
/// writable for others, and the one it is in is not either, or lets nobody move what is not theirs (`/tmp`).
pub fn is_ours_alone(dir: &Path) -> bool {
    let us = rustix::process::geteuid().as_raw();
    let safe = |path: &Path, owners: &[u32], sticky_will_do: bool| {
        fs::symlink_metadata(path).is_ok_and(|found| {
            let closed = found.mode() & 0o022 == 0 || (sticky_will_do && found.mode() & 0o1000 != 0);
            found.is_dir() && owners.contains(&found.uid()) && closed
        })
    };
    safe(dir, &[us], false) && dir.parent().is_some_and(|parent| safe(parent, &[us, 0], true))
}

/// Makes a directory and its missing parents, each 0755: what is in it is for everybody to read.
pub fn public_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

/// Reads a UTF-8 file of at most `limit` bytes. `None` when there is no such file. Pipes and devices are refused: they
/// may never end, and opening one may never return.
pub fn read_text(path: &Path, limit: u64) -> io::Result<Option<String>> {
    let Some(bytes) = read_bytes(path, limit)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, format!("not UTF-8 at byte {at}"))
    })?;
    Ok(Some(text))
}

/// The same with any bytes.
pub fn read_bytes(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(no_wait).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // A file server lends it out and asks for it back (fcntl(2), "Leases"): a regular file, and worth the wait.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => File::open(path)?,
        other => other?,
    };
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {limit} bytes")));
    }
    Ok(Some(bytes))
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Where a write to `path` goes: the end of a chain of symlinks, even where that file does not exist yet.
pub fn link_target(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..40 {
        match fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("/")).join(next),
            Err(_) => return Ok(target),
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "too many levels of symbolic links"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_with_the_mode_asked_for_and_no_leftover() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        for (content, mode) in [("one", PRIVATE), ("two", PUBLIC), ("three", PRIVATE)] {
            write_atomic(&path, content.as_bytes(), mode).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_symlink_stays_a_symlink() {
        let dir = tempfile::tempdir().unwrap();
        let (link, real) = (dir.path().join("link"), dir.path().join("real"));
        std::os::unix::fs::symlink("real", &link).unwrap();
        write_atomic(&link, b"text", PRIVATE).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(real).unwrap(), "text");
    }

    /// Only root can give a file away, so only root can see that it does not.
    #[test]
    fn a_file_that_root_replaces_keeps_its_owner() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomic(&path, b"one", PRIVATE).unwrap();
        std::os::unix::fs::chown(&path, Some(4711), Some(4712)).unwrap();
        write_atomic(&path, b"two", PRIVATE).unwrap();
        let owner = fs::metadata(&path).unwrap();
        assert_eq!((owner.uid(), owner.gid()), (4711, 4712));
    }

    #[test]
    fn reading_is_bounded_and_says_where_text_is_not_utf8() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert_eq!(read_text(&path, 4).unwrap(), None);
        write_atomic(&path, b"1234", PRIVATE).unwrap();
        assert_eq!(read_text(&path, 4).unwrap().as_deref(), Some("1234"));
        assert_eq!(read_text(&path, 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        write_atomic(&path, b"12\xff4", PRIVATE).unwrap();
        assert_eq!(read_text(&path, 9).unwrap_err().to_string(), "not UTF-8 at byte 2");
    }

    #[test]
    fn a_directory_that_others_can_write_is_not_ours_alone() {
        let home = tempfile::tempdir().unwrap();
        let (outer, inner) = (home.path().join("outer"), home.path().join("outer/inner"));
        private_dir(&inner).unwrap();
        for (outer_mode, inner_mode, ours) in [
            (0o700, 0o700, true),
            (0o755, 0o755, true),
            (0o1777, 0o700, true),
            (0o777, 0o700, false),
            (0o770, 0o700, false),
            (0o700, 0o777, false),
            (0o700, 0o1777, false),
        ] {
            fs::set_permissions(&outer, Permissions::from_mode(outer_mode)).unwrap();
            fs::set_permissions(&inner, Permissions::from_mode(inner_mode)).unwrap();
            assert_eq!(is_ours_alone(&inner), ours, "{outer_mode:o} {inner_mode:o}");
        }
        std::os::unix::fs::symlink(&inner, home.path().join("link")).unwrap();
        assert!(!is_ours_alone(&home.path().join("link")) && !is_ours_alone(&home.path().join("nowhere")));
    }

    #[test]
    fn removing_twice_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomic(&path, b"", PRIVATE).unwrap();
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}
