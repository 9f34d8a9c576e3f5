//! Included files on disk: confined to the directory of the root file, and of bounded size.

use std::io;
use std::path::{Path, PathBuf};

use super::include::{Include, TextFile};
use crate::host;

/// The largest configuration file that is read, in bytes (protocol notes §7.5).
pub(super) const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// Files below the directory of the root configuration file.
pub(super) struct FilesBelow {
    root: PathBuf,
}

impl FilesBelow {
    /// The files that the configuration at `config` may include.
    pub(super) fn directory_of(config: &Path) -> Self {
        Self { root: config.parent().unwrap_or(Path::new("/")).to_owned() }
    }
}

impl Include for FilesBelow {
    fn read(&self, name: &str, including: &Path) -> Result<TextFile, String> {
        let beside = including.parent().unwrap_or(&self.root).join(name);
        let path = beside.canonicalize().map_err(|error| plain_words(&error))?;
        // The directory itself may be reached through a symlink; what is included must end up inside it all the same.
        let root = self.root.canonicalize().map_err(|error| plain_words(&error))?;
        if !path.starts_with(&root) {
            return Err(format!("it is outside the configuration's directory {}", self.root.display()));
        }
        match host::fs::read_text(&path, MAX_BYTES) {
            Ok(Some(text)) => Ok(TextFile { path, text }),
            Ok(None) => Err("no such file".to_owned()),
            Err(error) => Err(plain_words(&error)),
        }
    }
}

/// An error of the system without its number.
pub(super) fn plain_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_included_lies_below_the_root_files_directory_also_behind_symlinks() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("state");
        fs::create_dir_all(inside.join("sub")).unwrap();
        for path in ["outside.json", "state/a.json", "state/sub/b.json"] {
            host::fs::write_atomic(&dir.path().join(path), b"{}", 0o600).unwrap();
        }
        symlink("../outside.json", inside.join("link-out.json")).unwrap();
        symlink("sub/b.json", inside.join("link-in.json")).unwrap();
        symlink("state", dir.path().join("state-link")).unwrap();
        let config = dir.path().join("state-link/config.json");
        let files = FilesBelow::directory_of(&config);

        let a = files.read("a.json", &config).unwrap();
        assert_eq!(a.path, inside.canonicalize().unwrap().join("a.json"));
        assert_eq!(
            files.read("sub/b.json", &a.path).unwrap(),
            files.read("./link-in.json", &a.path).unwrap()
        );
        assert_eq!(files.read("../a.json", &inside.canonicalize().unwrap().join("sub/b.json")).unwrap(), a);

        let absolute = dir.path().join("outside.json").display().to_string();
        for name in ["../outside.json", "link-out.json", "sub/../../outside.json", &absolute] {
            let refused = files.read(name, &a.path).unwrap_err();
            assert!(refused.starts_with("it is outside the configuration's directory"), "{name}: {refused}");
        }
        assert_eq!(files.read("gone.json", &a.path).unwrap_err(), "no such file");
        assert_eq!(files.read("sub", &a.path).unwrap_err(), "it is a directory");
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config.json");
        let large = vec![b' '; usize::try_from(MAX_BYTES).unwrap() + 1];
        host::fs::write_atomic(&dir.path().join("large.json"), &large, 0o600).unwrap();
        let refused = FilesBelow::directory_of(&config).read("large.json", &config).unwrap_err();
        assert_eq!(refused, "larger than 2097152 bytes");
    }
}
