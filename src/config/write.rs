//! Writing the configuration: one writer at a time, backups first, and never half a file.
//!
//! A writer takes the lock, reads, edits, checks what would come out, keeps the old text as a backup and replaces the
//! file at once. Killed at any point, it leaves the old file or the new one.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::diff::changed_paths;
use super::path::KeyPath;
use super::problem::Problem;
use super::redact::SECRETS;
use super::source::{Loaded, Source};
use crate::host::fs::{PRIVATE, PUBLIC, link_target, private_dir, public_dir, write_atomic};
use crate::host::lock::{Attempt, Lock};

/// How long a writer waits for others.
const PATIENCE: Duration = Duration::from_secs(10);

/// The backups, the newest first (protocol notes §7.6).
const BACKUPS: [&str; 5] = [".bak", ".bak.1", ".bak.2", ".bak.3", ".bak.4"];

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// SHA-256 of the text before, in hexadecimal.
    pub before: String,
    /// SHA-256 of the text that was written.
    pub after: String,
    /// The settings that are different now.
    pub changed: Vec<KeyPath>,
    /// Where the text before is kept; nowhere if there was none.
    pub backup: Option<PathBuf>,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another process was writing for too long.
    #[error("another process is changing {} and did not finish within {} s", .path.display(), PATIENCE.as_secs())]
    Busy {
        /// The configuration.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot {what} {}", .path.display())]
    Io {
        /// What was tried: `write`, `lock`, `back up`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// There is a file, and it cannot be read; whatever is in it is not to be written over.
    #[error("{0}")]
    Unreadable(Box<Problem>),
    /// Everybody may read the configuration, and a secret would be in it.
    #[error(
        "{key} is a secret, and everybody on this machine may read the configuration of a system service: put it into a \
         file named after a variable in {} and write ${{NAME}} here", .dir.display()
    )]
    Secret {
        /// The key.
        key: &'static str,
        /// Where secrets are.
        dir: PathBuf,
    },
    /// The new text would not be a valid configuration.
    #[error("the change would make the configuration invalid")]
    Invalid {
        /// What would be wrong with it and is not wrong now.
        problems: Vec<Problem>,
    },
}

/// Changes the configuration: `edit` is given what is there and returns the new text, or `None` to leave it.
///
/// The new text must be valid. If the configuration is invalid already, a change that adds no problem is let through,
/// so that problems can be corrected one at a time. Blocks; call it off the runtime.
pub fn update_config<E: From<WriteError>>(
    source: &Source,
    edit: impl FnOnce(&Loaded) -> Result<Option<String>, E>,
) -> Result<Option<Written>, E> {
    let writer = Writer::lock(source)?;
    let old = source.load();
    if let (true, None, Some(problem)) = (old.exists, &old.raw, old.problems().first()) {
        return Err(WriteError::Unreadable(Box::new(problem.clone())).into());
    }
    let Some(text) = edit(&old)?.filter(|text| old.raw.as_ref() != Some(text)) else { return Ok(None) };
    let new = source.interpret(Some(text.clone()));
    if let Some(dir) = &source.credentials
        && let Some(key) = secret_in_the_open(&new.parsed)
    {
        return Err(WriteError::Secret { key, dir: dir.clone() }.into());
    }
    let known = |problem: &&Problem| !old.problems().iter().any(|old| old.is_same(problem));
    let problems: Vec<Problem> = new.problems().iter().filter(known).cloned().collect();
    if !problems.is_empty() {
        return Err(WriteError::Invalid { problems }.into());
    }
    let backup = old.raw.as_ref().map(|raw| writer.back_up(raw)).transpose()?;
    writer.replace(&text)?;
    let changed = changed_paths(&old.resolved, &new.resolved);
    Ok(Some(Written { before: old.hash, after: new.hash, changed, backup }))
}

/// The first secret that stands in a text itself. A reference to a variable (`${NAME}`) is none.
fn secret_in_the_open(parsed: &Value) -> Option<&'static str> {
    let pointer = |path: &str| format!("/{}", path.replace('.', "/"));
    let literal = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty() && !text.contains("${"));
    SECRETS.into_iter().find(|path| parsed.pointer(&pointer(path)).is_some_and(literal))
}

/// The right to write a configuration, until it is dropped.
struct Writer<'s> {
    path: &'s Path,
    mode: u32,
    _lock: Lock,
}

impl<'s> Writer<'s> {
    /// Waits for other writers, and clears away what writers that were killed have left.
    ///
    /// The lock lies beside the file that is really written, so that it is the same one however that is reached.
    fn lock(source: &'s Source) -> Result<Self, WriteError> {
        let path = source.path.as_path();
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |error| WriteError::Io { what, path, source: error }
        };
        let dir = path.parent().unwrap_or(Path::new("/"));
        let public = source.credentials.is_some();
        let made = if public { public_dir(dir) } else { private_dir(dir) };
        made.map_err(failed("make", dir))?;
        let target = link_target(path).map_err(failed("lock", path))?;
        let lock_path = sibling_path(&target, ".", ".lock");
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(1);
        let lock = loop {
            match Lock::try_take(&lock_path).map_err(failed("lock", &lock_path))? {
                Attempt::Taken(lock) => break lock,
                Attempt::Held if Instant::now() >= deadline => {
                    return Err(WriteError::Busy { path: path.to_owned() });
                }
                Attempt::Held => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(50));
                }
            }
        };
        remove_leftovers(path);
        remove_leftovers(&target);
        Ok(Self { path, mode: if public { PUBLIC } else { PRIVATE }, _lock: lock })
    }

    /// Keeps a text as the newest backup, and the four before it.
    fn back_up(&self, text: &str) -> Result<PathBuf, WriteError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source| WriteError::Io { what: "back up", path, source }
        };
        for pair in BACKUPS.windows(2).rev() {
            let (newer, older) = (sibling_path(self.path, "", pair[0]), sibling_path(self.path, "", pair[1]));
            match fs::rename(&newer, &older) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other.map_err(failed(&newer))?,
            }
        }
        let backup = sibling_path(self.path, "", BACKUPS[0]);
        write_atomic(&backup, text.as_bytes(), PRIVATE).map_err(failed(&backup))?;
        Ok(backup)
    }

    fn replace(&self, text: &str) -> Result<(), WriteError> {
        let failed = |source| WriteError::Io { what: "write", path: self.path.to_owned(), source };
        write_atomic(self.path, text.as_bytes(), self.mode).map_err(failed)
    }
}

/// The path of a file next to another, whose name begins and ends differently.
fn sibling_path(path: &Path, before: &str, after: &str) -> PathBuf {
    let mut name = OsString::from(before);
    name.push(path.file_name().unwrap_or(OsStr::new("config")));
    name.push(after);
    path.with_file_name(name)
}

/// Removes the temporary files of writers that were killed. Whoever holds the lock is the only writer there is.
fn remove_leftovers(path: &Path) {
    let Some((dir, name)) = path.parent().zip(path.file_name().and_then(OsStr::to_str)) else { return };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let ours =
            file.to_str().and_then(|file| file.strip_prefix('.')?.strip_prefix(name)?.strip_prefix('.'));
        if ours.is_some_and(|rest| rest.ends_with(".tmp")) {
            // One that stays is litter, not harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::edit::{EditError, set_value};
    use crate::instance::{Brand, Env};
    use serde_json::json;

    #[derive(Debug, thiserror::Error)]
    enum Failed {
        #[error(transparent)]
        Write(#[from] WriteError),
        #[error(transparent)]
        Edit(#[from] EditError),
    }

    fn source(path: PathBuf) -> Source {
        Source { path, brand: Brand::Idlehands, env: Env::default(), credentials: None }
    }

    fn set(source: &Source, path: &str, value: serde_json::Value) -> Result<Option<Written>, Failed> {
        update_config(source, |old| Ok(Some(set_value(old.raw.as_deref(), &path.parse().unwrap(), &value)?)))
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_file_and_its_backups_are_private_and_five_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let source = source(dir.path().join("state/x.json"));
        for port in 1..=8 {
            let written = set(&source, "gateway.port", json!(port)).unwrap().unwrap();
            assert_eq!(written.changed, ["gateway.port".parse().unwrap()]);
            assert_eq!(written.after, source.load().hash);
        }
        assert_eq!(mode(&dir.path().join("state")), 0o700);
        assert_eq!(mode(&source.path), 0o600);
        for (suffix, port) in BACKUPS.into_iter().zip([7, 6, 5, 4, 3]) {
            let backup = sibling_path(&source.path, "", suffix);
            assert_eq!(mode(&backup), 0o600, "{suffix}");
            assert!(fs::read_to_string(&backup).unwrap().contains(&format!("port: {port}\n")), "{suffix}");
        }
        let mut names: Vec<String> = fs::read_dir(dir.path().join("state"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let expected = [
            ".x.json.lock",
            "x.json",
            "x.json.bak",
            "x.json.bak.1",
            "x.json.bak.2",
            "x.json.bak.3",
            "x.json.bak.4",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn what_changes_nothing_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let source = source(dir.path().join("x.json"));
        set(&source, "gateway.port", json!(1)).unwrap();
        assert_eq!(set(&source, "gateway.port", json!(1)).unwrap(), None);
        assert!(!sibling_path(&source.path, "", ".bak").exists());
    }

    #[test]
    fn a_change_that_would_be_invalid_is_refused_and_the_file_stays() {
        let dir = tempfile::tempdir().unwrap();
        let source = source(dir.path().join("x.json"));
        set(&source, "gateway.port", json!(1)).unwrap();
        let before = source.load().raw;
        let Err(Failed::Write(WriteError::Invalid { problems })) = set(&source, "gateway.port", json!("x"))
        else {
            panic!("a port is a number")
        };
        assert_eq!(problems[0].path.to_string(), "gateway.port");
        assert_eq!(source.load().raw, before);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let source = source(dir.path().join("x.json"));
        write_atomic(&source.path, b"\xff{}", PRIVATE).unwrap();
        assert!(matches!(
            set(&source, "gateway.port", json!(1)),
            Err(Failed::Write(WriteError::Unreadable(_)))
        ));
        assert_eq!(fs::read(&source.path).unwrap(), b"\xff{}");
    }

    #[test]
    fn an_invalid_configuration_can_be_corrected_one_problem_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let source = source(dir.path().join("x.json"));
        write_atomic(&source.path, b"{ gateway: { port: 0, bind: 'x' } }", PRIVATE).unwrap();
        assert!(matches!(
            set(&source, "gateway.mode", json!("y")),
            Err(Failed::Write(WriteError::Invalid { .. }))
        ));
        set(&source, "gateway.port", json!(1)).unwrap().unwrap();
        assert_eq!(source.load().problems().len(), 1);
        set(&source, "gateway.bind", json!("lan")).unwrap().unwrap();
        assert_eq!(source.load().problems(), []);
    }

    #[test]
    fn a_configuration_behind_a_symlink_stays_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("dotfiles")).unwrap();
        let source = source(dir.path().join("x.json"));
        std::os::unix::fs::symlink("dotfiles/real.json", &source.path).unwrap();
        set(&source, "gateway.port", json!(1)).unwrap();
        set(&source, "gateway.port", json!(2)).unwrap();
        assert!(fs::symlink_metadata(&source.path).unwrap().is_symlink());
        assert!(fs::read_to_string(dir.path().join("dotfiles/real.json")).unwrap().contains("port: 2"));
        assert!(
            dir.path().join("x.json.bak").exists() && dir.path().join("dotfiles/.real.json.lock").exists()
        );
    }

    #[test]
    fn what_killed_writers_left_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let source = source(dir.path().join("x.json"));
        for name in [".x.json.aB3.tmp", ".x.json.bak.9.tmp", ".y.json.1.tmp"] {
            write_atomic(&dir.path().join(name), b"{", PRIVATE).unwrap();
        }
        set(&source, "gateway.port", json!(1)).unwrap();
        let left = |name: &str| dir.path().join(name).exists();
        assert!(!left(".x.json.aB3.tmp") && !left(".x.json.bak.9.tmp") && left(".y.json.1.tmp"));
    }

    #[test]
    fn writers_at_the_same_time_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let source = source(dir.path().join("x.json"));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let source = &source;
                scope.spawn(move || {
                    for model in 0..5 {
                        let path = format!("models.providers.p{thread}x{model}");
                        set(source, &path, json!({"models": []})).unwrap().unwrap();
                    }
                });
            }
        });
        assert_eq!(source.load().config.unwrap().models.providers.len(), 20);
    }

    /// A system service runs under an account of its own, which must be able to read its configuration.
    #[test]
    fn the_configuration_of_a_system_service_is_for_everybody_to_read_and_takes_no_secret() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("etc/idlehands.json");
        let source = Source { credentials: Some("/etc/x/credentials".into()), ..source(path.clone()) };
        let write = |text: &str| update_config(&source, |_| Ok::<_, WriteError>(Some(text.to_owned())));
        write("{ gateway: { port: 1 } }").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap()) & 0o555), (0o644, 0o555));
        let error = write("{ gateway: { auth: { token: 'hunter2' } } }").unwrap_err().to_string();
        assert!(error.starts_with("gateway.auth.token is a secret") && !error.contains("hunter2"), "{error}");
        assert!(error.contains("in /etc/x/credentials and write ${NAME} here"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "{ gateway: { port: 1 } }");
    }
}
