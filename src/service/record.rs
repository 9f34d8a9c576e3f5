//! What was last installed, kept in the state directory: the third side of every comparison.
//!
//! Holds no secret; a definition somebody else wrote may, so its backup is private too.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::spec::ServiceSpec;
use crate::host;

/// The last definition that was applied, and what else was done for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The form of this file.
    pub version: u32,
    /// The unit's name.
    pub unit: String,
    /// Where its file is.
    pub path: PathBuf,
    /// The text that was written, byte for byte.
    pub text: String,
    /// The program in it, links kept and links resolved.
    pub program: PathBuf,
    /// The file that program was.
    pub real_program: PathBuf,
    /// Where launchd has it: `gui/501`, `user/501`, `system`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The port the operator named, if any.
    pub port: Option<u16>,
    /// The release that wrote it.
    pub generator: String,
    /// Whether lingering was off before we turned it on.
    pub linger_by_us: bool,
    /// Whether it is to be started by hand only: it was disabled, or installed so, by us.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hand: bool,
    /// When it was written, in milliseconds since 1970.
    pub written_ms: u64,
}

/// The form that this release writes.
pub const VERSION: u32 = 1;

/// What was found where the record should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Missing,
    /// A record.
    Record(Box<Record>),
    /// Something that is none, and why. It counts as missing, but is told.
    Unreadable(String),
}

impl Found {
    /// The record, if there is one.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Record(record) => Some(record),
            Self::Missing | Self::Unreadable(_) => None,
        }
    }
}

impl Record {
    /// The same, with what was chosen besides the definition as it is known.
    pub fn with_choices_of(self, known: Option<&Self>) -> Self {
        let (linger_by_us, by_hand) =
            known.map_or((false, false), |known| (known.linger_by_us, known.by_hand));
        Self { linger_by_us, by_hand, ..self }
    }

    /// Whether another record says the same, whenever either was written.
    pub fn says_the_same(&self, other: &Self) -> bool {
        Self { written_ms: 0, ..self.clone() } == Self { written_ms: 0, ..other.clone() }
    }
}

/// What to remember about a definition.
pub fn of_spec(spec: &ServiceSpec, unit: &str, path: &Path, text: &str) -> Record {
    let program = PathBuf::from(&spec.program);
    let port = spec.args.iter().skip_while(|arg| *arg != "--port").nth(1);
    Record {
        version: VERSION,
        unit: unit.to_owned(),
        path: path.to_owned(),
        text: text.to_owned(),
        real_program: program.canonicalize().unwrap_or_else(|_| program.clone()),
        program,
        domain: None,
        port: port.and_then(|port| port.parse().ok()),
        generator: spec.mark.generator.clone(),
        linger_by_us: false,
        by_hand: false,
        written_ms: 0,
    }
}

/// Where the record of an instance is, given its directory for such things.
pub fn record_path(service_dir: &Path) -> PathBuf {
    service_dir.join("record.json")
}

/// Where a definition of ours is kept that is about to be replaced.
pub fn previous_path(service_dir: &Path, unit: &str) -> PathBuf {
    service_dir.join(format!("{unit}.previous"))
}

/// Where a definition is kept that somebody else wrote or changed. Each text has a place of its own, so that no later
/// one takes it.
pub fn replaced_path(service_dir: &Path, unit: &str, text: &str) -> PathBuf {
    let digest = Sha256::digest(text.as_bytes());
    let name = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect::<String>();
    service_dir.join(format!("{unit}.replaced-{name}"))
}

/// A record is a unit file and a few words.
const LIMIT: u64 = 4 * 1024 * 1024;

/// Reads the record.
pub fn load(service_dir: &Path) -> Found {
    let read = host::fs::read_text(&record_path(service_dir), LIMIT);
    let text = match read {
        Ok(Some(text)) => text,
        Ok(None) => return Found::Missing,
        Err(error) => return Found::Unreadable(error.to_string()),
    };
    match serde_json::from_str::<Record>(&text) {
        Ok(record) if record.version == VERSION => Found::Record(Box::new(record)),
        Ok(record) => Found::Unreadable(format!("it has version {}, not {VERSION}", record.version)),
        Err(error) => Found::Unreadable(error.to_string()),
    }
}

/// Writes the record: private, and all of it or nothing.
pub fn save_record(service_dir: &Path, record: &Record) -> io::Result<()> {
    host::fs::private_dir(service_dir)?;
    let mut text = serde_json::to_string_pretty(record)?;
    text.push('\n');
    host::fs::write_atomic(&record_path(service_dir), text.as_bytes(), host::fs::PRIVATE)
}

/// Keeps a definition that is about to go.
pub fn back_up(path: &Path, text: &str) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        host::fs::private_dir(dir)?;
    }
    host::fs::write_atomic(path, text.as_bytes(), host::fs::PRIVATE)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn record() -> Record {
        Record {
            version: VERSION,
            unit: "fased-gateway.service".to_owned(),
            path: "/home/ada/.config/systemd/user/fased-gateway.service".into(),
            text: "[Service]\n".to_owned(),
            program: "/usr/bin/fased".into(),
            real_program: "/opt/fased/fased".into(),
            domain: None,
            port: Some(19201),
            generator: "0.1.0".to_owned(),
            linger_by_us: true,
            by_hand: true,
            written_ms: 1,
        }
    }

    #[test]
    fn a_record_comes_back_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let service = dir.path().join("state/service");
        assert_eq!(load(&service), Found::Missing);
        save_record(&service, &record()).unwrap();
        assert_eq!(load(&service).record(), Some(&record()));
        let backup = previous_path(&service, "fased-gateway.service");
        back_up(&backup, "Environment=TOKEN=x").unwrap();
        for file in [record_path(&service), backup] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::metadata(&service).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_is_no_record_is_told_and_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "{}", "{\"version\": 1}", "\u{0}"] {
            host::fs::write_atomic(&record_path(dir.path()), text.as_bytes(), host::fs::PRIVATE).unwrap();
            let found = load(dir.path());
            assert!(matches!(found, Found::Unreadable(_)), "{text:?}: {found:?}");
            assert_eq!(found.record(), None);
        }
        save_record(dir.path(), &Record { version: 2, ..record() }).unwrap();
        assert_eq!(load(dir.path()), Found::Unreadable("it has version 2, not 1".to_owned()));
    }

    #[test]
    fn no_edit_takes_the_place_of_another() {
        let path = |text| replaced_path(Path::new("/s"), "a.service", text);
        assert_eq!(path("a"), Path::new("/s/a.service.replaced-ca978112"));
        assert_ne!(path("a"), path("b"));
    }

    #[test]
    fn the_time_of_writing_is_not_what_a_record_says() {
        assert!(record().says_the_same(&Record { written_ms: 2, ..record() }));
        assert!(!record().says_the_same(&Record { port: None, ..record() }));
    }
}
