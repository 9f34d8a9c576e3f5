//! Lock files: held by the kernel for a living process, and saying who holds them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

/// A lock that this process holds. The kernel releases it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// What an attempt to take a lock found.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours now.
    Taken(Lock),
    /// Another process holds it.
    Held,
}

impl Lock {
    /// Takes the lock file, if nobody holds it. Makes the file (0600); the directory must exist.
    pub fn try_take(path: &Path) -> io::Result<Attempt> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Attempt::Taken(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(Attempt::Held),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock file, waiting for its holder at most until the deadline.
    pub async fn take_within(path: &Path, deadline: Duration) -> io::Result<Attempt> {
        let end = Instant::now() + deadline;
        loop {
            let attempt = Self::try_take(path)?;
            let left = end.saturating_duration_since(Instant::now());
            if matches!(attempt, Attempt::Taken(_)) || left.is_zero() {
                return Ok(attempt);
            }
            // The kernel tells nobody when a lock is released; a human does not see a tenth of a second.
            tokio::time::sleep(left.min(Duration::from_millis(100))).await;
        }
    }

    /// Another handle to the lock: it stays taken until the last one is closed, in whichever process.
    pub fn share(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Writes who holds the lock, for [`read`] by others.
    pub fn describe(&mut self, holder: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_vec(holder)?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&text)
    }

    /// Erases what [`Lock::describe`] wrote. The file stays: removing it would let two processes lock two files.
    pub fn clear(&mut self) {
        // A description that stays is harmless: it counts only while the lock is held.
        let _ = self.file.set_len(0);
    }
}

/// Who holds a lock: `None` when nobody does, or when the holder has not said yet.
pub fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match file.try_lock_shared() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut text = String::new();
    (&mut file).take(64 * 1024).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_it_says_who_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(read::<u32>(&path).unwrap(), None);
        let Attempt::Taken(mut lock) = Lock::try_take(&path).unwrap() else { panic!("nobody holds it") };
        lock.describe(&4711).unwrap();
        lock.describe(&12).unwrap();
        assert!(matches!(Lock::try_take(&path).unwrap(), Attempt::Held));
        assert_eq!(read::<u32>(&path).unwrap(), Some(12));
        drop(lock);
        assert_eq!(read::<u32>(&path).unwrap(), None);
        assert!(matches!(Lock::try_take(&path).unwrap(), Attempt::Taken(_)));
    }

    #[tokio::test]
    async fn waiting_for_a_lock_ends_at_the_deadline_or_with_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let Attempt::Taken(held) = Lock::try_take(&path).unwrap() else { panic!("nobody holds it") };
        let short = Lock::take_within(&path, Duration::from_millis(1)).await.unwrap();
        assert!(matches!(short, Attempt::Held));
        let release = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        let (long, ()) = tokio::join!(Lock::take_within(&path, Duration::from_secs(60)), release);
        assert!(matches!(long.unwrap(), Attempt::Taken(_)));
    }
}
