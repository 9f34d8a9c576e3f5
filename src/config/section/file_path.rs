//! A path in the configuration: absolute, or below the home directory.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The path of a file or directory: absolute, or beginning with `~/`.
///
/// A relative one is refused: a service has another working directory than the operator's shell.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("pattern" = "^(/|~$|~/)"))]
pub struct FilePath(String);

/// A text is not such a path.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an absolute path, or one that begins with \"~/\"")]
pub struct NotAFilePath;

impl FilePath {
    /// The absolute path, for the user with this home directory.
    pub fn under(&self, home: &Path) -> PathBuf {
        match Path::new(&self.0).strip_prefix("~") {
            Ok(rest) => home.join(rest),
            Err(_) => PathBuf::from(&self.0),
        }
    }
}

impl TryFrom<String> for FilePath {
    type Error = NotAFilePath;

    fn try_from(text: String) -> Result<Self, NotAFilePath> {
        let anchored = text.starts_with('/') || text == "~" || text.starts_with("~/");
        if anchored && !text.contains('\0') { Ok(Self(text)) } else { Err(NotAFilePath) }
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_absolute_or_below_the_home_directory() {
        let home = Path::new("/home/ada");
        let table = [("/var/log/x", "/var/log/x"), ("~/logs", "/home/ada/logs"), ("~", "/home/ada")];
        for (text, path) in table {
            assert_eq!(FilePath::try_from(text.to_owned()).unwrap().under(home), Path::new(path));
        }
        for text in ["", "logs", "./logs", "~ada/logs", "/a\0b"] {
            assert_eq!(FilePath::try_from(text.to_owned()), Err(NotAFilePath), "{text}");
        }
    }
}
