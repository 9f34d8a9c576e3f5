//! Keeps paired devices: in memory for reading, on disk before a change counts.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::pairing::Pairing;
use crate::host::fs;
use crate::host::tasks::Tasks;

/// Largest file that is read, bytes: some ten thousand devices.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// The devices of one gateway.
#[derive(Debug)]
pub struct DeviceStore {
    /// Where they are kept; an ad hoc gateway keeps them in memory only.
    dir: Option<PathBuf>,
    now: Mutex<Pairing>,
    /// One change at a time, so that what is on disk is what was decided last.
    changing: tokio::sync::Mutex<()>,
}

/// A change that did not come about.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<E> {
    /// It was refused.
    #[error(transparent)]
    Refused(E),
    /// It could not be saved, and so does not count.
    #[error("cannot save the paired devices in {}", .dir.display())]
    Save {
        /// Where they are kept.
        dir: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// The files cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the paired devices from {}: {reason}", .path.display())]
pub struct LoadError {
    path: PathBuf,
    reason: String,
}

impl DeviceStore {
    /// Reads what is kept in `dir`. With `None` nothing is kept.
    pub fn load(dir: Option<PathBuf>) -> Result<Self, LoadError> {
        let mut pairing = Pairing::default();
        if let Some(dir) = &dir {
            pairing.pending = load_map(&dir.join(PENDING))?;
            pairing.paired = load_map(&dir.join(PAIRED))?;
        }
        Ok(Self { dir, now: Mutex::new(pairing), changing: tokio::sync::Mutex::default() })
    }

    /// Looks at the devices.
    pub fn read<T>(&self, look: impl FnOnce(&Pairing) -> T) -> T {
        look(&self.lock())
    }

    /// Notes something that need not survive a crash.
    pub fn note(&self, note: impl FnOnce(&mut Pairing)) {
        note(&mut self.lock());
    }

    /// Changes the devices: the change is made on a copy, saved, and only then counts.
    pub async fn change<T, E>(
        &self,
        tasks: &Tasks,
        change: impl FnOnce(&mut Pairing) -> Result<T, E>,
    ) -> Result<T, ChangeError<E>> {
        let _one_at_a_time = self.changing.lock().await;
        let before = self.lock().clone();
        let mut after = before.clone();
        let result = change(&mut after).map_err(ChangeError::Refused)?;
        if let Some(dir) = self.dir.clone() {
            let (kept, place) = (after.clone(), dir.clone());
            let saved = tasks.blocking(move || save(&place, &before, &kept)).await;
            saved
                .unwrap_or_else(|| Err(io::Error::other("the gateway is stopping")))
                .map_err(|source| ChangeError::Save { dir, source })?;
        }
        *self.lock() = after;
        Ok(result)
    }

    fn lock(&self) -> MutexGuard<'_, Pairing> {
        // The model is replaced whole or changed by methods that cannot panic half-way.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const PENDING: &str = "pending.json";
const PAIRED: &str = "paired.json";

fn load_map<T: DeserializeOwned>(path: &Path) -> Result<BTreeMap<String, T>, LoadError> {
    let failed = |reason: String| LoadError { path: path.to_owned(), reason };
    let text = fs::read_text(path, FILE_LIMIT).map_err(|error| failed(error.to_string()))?;
    text.map_or_else(
        || Ok(BTreeMap::new()),
        // The error names a line and a column, never a value: the file holds tokens.
        |text| {
            serde_json::from_str(&text).map_err(|error| {
                failed(format!("damaged at line {}, column {}", error.line(), error.column()))
            })
        },
    )
}

fn save(dir: &Path, before: &Pairing, after: &Pairing) -> io::Result<()> {
    fs::private_dir(dir)?;
    if before.paired != after.paired {
        save_map(&dir.join(PAIRED), &after.paired)?;
    }
    if before.pending != after.pending {
        save_map(&dir.join(PENDING), &after.pending)?;
    }
    Ok(())
}

fn save_map<T: Serialize>(path: &Path, map: &BTreeMap<String, T>) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(map)?;
    text.push(b'\n');
    fs::write_atomic(path, &text, fs::PRIVATE)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::os::unix::fs::PermissionsExt;

    use super::super::device::Device;
    use super::super::pairing::Asking;
    use super::*;

    fn asking() -> Asking {
        Asking {
            device: Device { id: "d1".to_owned(), public_key: "k1".to_owned() },
            role: "operator".to_owned(),
            scopes: vec!["operator.read".to_owned()],
            display_name: None,
            platform: "linux".to_owned(),
            device_family: None,
            client_id: "cli".to_owned(),
            client_mode: "cli".to_owned(),
            remote_ip: None,
        }
    }

    #[tokio::test]
    async fn what_was_changed_is_there_after_a_restart_and_private() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("devices");
        let (tasks, _ended) = Tasks::new();
        let store = DeviceStore::load(Some(dir.clone())).unwrap();
        store
            .change(&tasks, |pairing| {
                pairing.request(&asking(), "r1".to_owned(), 1);
                pairing.approve("r1", 2)
            })
            .await
            .unwrap();
        let again = DeviceStore::load(Some(dir.clone())).unwrap();
        assert_eq!(again.read(|pairing| pairing.check(&asking())), Ok(()));
        let mode = std::fs::metadata(dir.join(PAIRED)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_change_that_cannot_be_saved_does_not_count() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("devices");
        fs::write_atomic(&dir, b"a file where a directory must be", fs::PRIVATE).unwrap();
        let (tasks, _ended) = Tasks::new();
        let store = DeviceStore { dir: Some(dir), ..DeviceStore::load(None).unwrap() };
        let changed = store
            .change(&tasks, |pairing| Ok::<_, Infallible>(pairing.request(&asking(), "r1".to_owned(), 1)))
            .await;
        assert!(matches!(changed, Err(ChangeError::Save { .. })));
        assert!(store.read(|pairing| pairing.pending.is_empty()));
    }

    #[test]
    fn a_damaged_file_is_named_and_not_quoted() {
        let home = tempfile::tempdir().unwrap();
        let damaged = b"{\"d1\": {\"token\": \"hunter2\"";
        fs::write_atomic(&home.path().join(PAIRED), damaged, fs::PRIVATE).unwrap();
        let error = DeviceStore::load(Some(home.path().to_owned())).unwrap_err().to_string();
        assert!(error.contains("paired.json: damaged at line 1"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
