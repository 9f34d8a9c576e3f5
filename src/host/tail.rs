//! The end of a growing file of lines, from a cursor on.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// A part of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Where this part ends, bytes: the cursor for the next.
    pub cursor: u64,
    /// The file's size, bytes.
    pub size: u64,
    /// Whole lines.
    pub lines: Vec<String>,
    /// Whether lines were left out to keep the limits.
    pub truncated: bool,
    /// Whether the cursor was no good and this is the end of the file instead.
    pub reset: bool,
}

/// Reads what follows `cursor`, or the end of the file without one: at most `limit` lines and `max_bytes` bytes, the
/// latest of them. A file that is not there is empty. Reads the disk: not for the runtime's threads.
pub fn read(path: &Path, cursor: Option<u64>, limit: u64, max_bytes: u64) -> io::Result<Part> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Part { reset: cursor.is_some_and(|cursor| cursor > 0), ..Part::default() });
        }
        other => other?,
    };
    let size = file.metadata()?.len();
    let reset = cursor.is_some_and(|cursor| cursor > size || size - cursor > max_bytes);
    let start = cursor.filter(|_| !reset).unwrap_or_else(|| size.saturating_sub(max_bytes));
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(size - start).read_to_end(&mut bytes)?;
    // Without a cursor of the reader's own the first line is probably cut.
    let cut = start > 0 && (cursor.is_none() || reset);
    let (mut lines, used) = whole_lines(&bytes, cut);
    let over = lines.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    lines.drain(..over);
    Ok(Part { cursor: start + used, size, lines, truncated: over > 0 || cut, reset })
}

/// The whole lines among some bytes, and how many bytes they end at. A line that is still being written is left for
/// the next time.
fn whole_lines(bytes: &[u8], first_is_cut: bool) -> (Vec<String>, u64) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let lines = bytes[..end].split_inclusive(|byte| *byte == b'\n').skip(usize::from(first_is_cut));
    let texts =
        lines.map(|line| String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)).into_owned());
    (texts.collect(), end as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, content: &str) {
        crate::host::fs::write_atomic(path, content.as_bytes(), 0o600).unwrap();
    }

    fn file(content: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        write(&path, content);
        (dir, path)
    }

    #[test]
    fn a_reader_gets_every_line_once() {
        let (_dir, path) = file("one\ntwo\nthr");
        let first = read(&path, None, 10, 1000).unwrap();
        assert_eq!(first.lines, ["one", "two"]);
        assert_eq!((first.cursor, first.size, first.truncated, first.reset), (8, 11, false, false));
        write(&path, "one\ntwo\nthree\n");
        let second = read(&path, Some(first.cursor), 10, 1000).unwrap();
        assert_eq!(second.lines, ["three"]);
        assert_eq!(read(&path, Some(second.cursor), 10, 1000).unwrap().lines, [""; 0]);
    }

    #[test]
    fn the_limits_keep_the_latest() {
        let (_dir, path) = file("one\ntwo\nthree\n");
        let by_lines = read(&path, None, 1, 1000).unwrap();
        assert_eq!((by_lines.lines, by_lines.truncated), (vec!["three".to_owned()], true));
        let by_bytes = read(&path, None, 10, 8).unwrap();
        assert_eq!((by_bytes.lines, by_bytes.truncated), (vec!["three".to_owned()], true));
    }

    #[test]
    fn a_cursor_that_is_no_good_starts_anew_and_says_so() {
        let (_dir, path) = file("one\ntwo\n");
        let rotated = read(&path, Some(500), 10, 1000).unwrap();
        assert_eq!((rotated.lines.len(), rotated.reset), (2, true));
        let far_behind = read(&path, Some(0), 10, 5).unwrap();
        assert_eq!((far_behind.lines, far_behind.reset), (vec!["two".to_owned()], true));
        let missing = read(Path::new("/nonexistent/log"), Some(3), 10, 1000).unwrap();
        assert_eq!((missing.lines.len(), missing.reset), (0, true));
    }
}
