//! Why a gateway gave up by itself, left by the process that did: for supervisors that keep down only what ends well.
//!
//! Holds no secret: it is what the process also said aloud.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::host;

/// The last words of a gateway that cannot run until somebody changes something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastFailure {
    /// What it would have ended with ([`crate::exit`]).
    pub code: u8,
    /// Why, in words.
    pub why: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// Where it is, given the directory for such things.
fn note_path(service_dir: &Path) -> PathBuf {
    service_dir.join("last-failure.json")
}

/// A note is a few lines.
const NOTE_LIMIT: u64 = 64 * 1024;

/// Reads the note. One that cannot be read counts as none: the process has said it on standard error, too.
pub fn noted(service_dir: &Path) -> Option<LastFailure> {
    let text = host::fs::read_text(&note_path(service_dir), NOTE_LIMIT).ok()??;
    serde_json::from_str(&text).ok()
}

/// Leaves the note.
pub fn save(service_dir: &Path, note: &LastFailure) -> io::Result<()> {
    host::fs::private_dir(service_dir)?;
    let mut text = serde_json::to_string_pretty(note)?;
    text.push('\n');
    host::fs::write_atomic(&note_path(service_dir), text.as_bytes(), host::fs::PRIVATE)
}

/// Takes the note away.
pub fn clear(service_dir: &Path) -> io::Result<()> {
    host::fs::remove(&note_path(service_dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_stays_until_it_is_cleared_and_garbage_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let service = dir.path().join("service");
        assert_eq!(noted(&service), None);
        let note = LastFailure { code: 78, why: "the port is no number".to_owned(), at_ms: 7 };
        save(&service, &note).unwrap();
        assert_eq!(noted(&service), Some(note));
        clear(&service).unwrap();
        assert_eq!(noted(&service), None);
        for garbage in [&b"{"[..], b"\xff", b"{\"code\": 300}"] {
            host::fs::write_atomic(&note_path(&service), garbage, host::fs::PRIVATE).unwrap();
            assert_eq!(noted(&service), None);
        }
    }
}
