//! What is wrong with a configuration, for people and programs: file, line, column, path, message.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::include::TextFile;
use super::node::Finding;
use super::path::KeyPath;
use crate::instance::Env;

/// One thing that is wrong. It never holds the value of a setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file: the configuration itself or one that it includes.
    #[serde(serialize_with = "lossy_path")]
    pub file: PathBuf,
    /// The value that is wrong, or would be.
    pub path: KeyPath,
    /// The line, from 1; absent when the file could not be read.
    pub line: Option<usize>,
    /// The column, from 1, in characters.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The file as people read it.
    #[serde(skip)]
    shown: String,
}

pub(super) fn lossy_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

impl Problem {
    /// A problem with a file as a whole.
    pub(super) fn with_file(file: &Path, message: impl Into<String>, env: &Env) -> Self {
        Self {
            file: file.to_owned(),
            path: KeyPath::ROOT,
            line: None,
            column: None,
            message: message.into(),
            hint: None,
            shown: tilde_path(file, env),
        }
    }

    /// The problem without its place, for a text that is nowhere to be looked at.
    pub fn placeless(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}: {}{hint}", self.path, self.message)
    }

    /// Whether the other says the same of the same value, wherever it stands.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.path == other.path && self.message == other.message
    }
}

/// `~/.idlehands/idlehands.json:3:5: gateway.prot: Unrecognized key "prot" (did you mean "port"?)`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        write!(f, ": {}", self.placeless())
    }
}

/// A path with the home directory as `~`, for people.
pub fn tilde_path(path: &Path, env: &Env) -> String {
    let home = env.os("HOME").map(Path::new).filter(|home| home.is_absolute() && home.parent().is_some());
    match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) => Path::new("~").join(rest).display().to_string(),
        None => path.display().to_string(),
    }
}

/// Findings as problems, in the order in which one reads the files.
pub(super) fn as_problems(mut findings: Vec<Finding>, files: &[TextFile], env: &Env) -> Vec<Problem> {
    findings.sort_by_key(|finding| finding.place);
    let problem = |finding: Finding| {
        let place = finding.place;
        let file = files.get(place.file);
        let (line, column) = file.map(|file| line_and_column(&file.text, place.start)).unzip();
        let path = file.map(|file| file.path.clone()).unwrap_or_default();
        let shown = tilde_path(&path, env);
        Problem {
            file: path,
            path: finding.path,
            line,
            column,
            message: finding.message,
            hint: finding.hint,
            shown,
        }
    };
    findings.into_iter().map(problem).collect()
}

/// Line and column of a byte, both from 1, columns in characters.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].trim_start_matches('\u{feff}').chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one_in_characters() {
        let text = "\u{feff}{\n  é: 'ü', x: 1\n}";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, 3), (1, 1));
        assert_eq!(line_and_column(text, text.find('x').unwrap()), (2, 11));
        assert_eq!(line_and_column(text, text.len()), (3, 2));
        assert_eq!(line_and_column(text, 9999), (3, 2));
    }

    #[test]
    fn the_home_directory_is_shown_as_a_tilde() {
        let env = |home: &str| [("HOME", home.to_owned())].into_iter().collect::<Env>();
        let path = Path::new("/home/ada/.x/x.json");
        assert_eq!(tilde_path(path, &env("/home/ada")), "~/.x/x.json");
        assert_eq!(tilde_path(path, &env("/home/ad")), "/home/ada/.x/x.json");
        assert_eq!(tilde_path(path, &env("/")), "/home/ada/.x/x.json");
        assert_eq!(tilde_path(path, &Env::default()), "/home/ada/.x/x.json");
    }
}
