//! The process of the service as the kernel shows it: which program it really is, how it was called, what it was
//! given.

use std::path::{Path, PathBuf};

use crate::instance::Env;

/// A running process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its program; after an upgrade in place the path that it had.
    pub exe: Option<PathBuf>,
    /// Whether that file is gone, or another one has its name.
    pub replaced: bool,
    /// Its arguments, the program first.
    pub command: Vec<String>,
    /// Its environment. It may hold secrets.
    pub environment: Option<Env>,
}

/// Looks at a process of this user. What the kernel does not show is left out.
pub fn look(pid: u32) -> Process {
    let dir = PathBuf::from(format!("/proc/{pid}"));
    let link = std::fs::read_link(dir.join("exe")).ok();
    let text = link.as_ref().map(|link| link.to_string_lossy().into_owned());
    let deleted = text.as_deref().and_then(|text| text.strip_suffix(" (deleted)"));
    let exe = deleted.map(PathBuf::from).or(link.clone());
    let replaced = deleted.is_some() || exe.as_deref().is_some_and(|exe| !is_same(exe, &dir.join("exe")));
    Process {
        pid,
        replaced,
        command: words(&dir.join("cmdline")),
        environment: variables(&dir.join("environ")),
        exe,
    }
}

/// Whether the path still names the file that runs.
fn is_same(path: &Path, running: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (path.metadata(), running.metadata()) {
        (Ok(now), Ok(then)) => (now.dev(), now.ino()) == (then.dev(), then.ino()),
        // What cannot be compared is not called different.
        (_, Err(_)) => true,
        (Err(_), Ok(_)) => false,
    }
}

fn words(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut words: Vec<String> =
        bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    // Every word ends with a zero, the last one too.
    words.pop();
    words
}

fn variables(path: &Path) -> Option<Env> {
    use std::os::unix::ffi::OsStringExt;
    let bytes = std::fs::read(path).ok()?;
    let pairs = bytes.split(|byte| *byte == 0).filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let text = |bytes: &[u8]| std::ffi::OsString::from_vec(bytes.to_vec());
        Some((text(&pair[..at]), text(&pair[at + 1..])))
    });
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_seen_as_it_is() {
        let own = look(std::process::id());
        assert_eq!(own.exe, std::env::current_exe().ok());
        assert!(!own.replaced);
        assert_eq!(own.command, std::env::args().collect::<Vec<_>>());
        assert!(own.environment.is_some());
        let none = look(u32::MAX);
        assert_eq!((none.exe, none.replaced, none.command.len()), (None, false, 0));
    }
}
