//! The definition as it was found on disk, and whose it is.
//!
//! Pure; looking is the platform's business. What a definition says is the platform's business too: this module
//! knows only that it is text.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// What is at the path of the definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Missing,
    /// A regular file with text in it.
    File(String),
    /// A symbolic link. Whoever made it looks after the definition: a dotfile manager, Nix, an administrator.
    Link {
        /// Where it points to, as written.
        target: PathBuf,
    },
    /// Something that cannot be read as a definition, and why.
    Unreadable(String),
}

impl Found {
    /// The text, of a regular file.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::File(text) => Some(text),
            Self::Missing | Self::Link { .. } | Self::Unreadable(_) => None,
        }
    }
}

/// Who is responsible for what is at the path, from the file, our record and our mark in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// There is no definition.
    Missing,
    /// Ours, as we wrote it.
    Ours,
    /// Ours, and changed by somebody since.
    Edited,
    /// Not ours.
    Foreign,
    /// A link to `/dev/null`: the service is masked.
    Masked,
    /// A link to a definition that is kept elsewhere.
    Linked,
    /// Not readable as a definition.
    Unreadable,
}

/// The mark in a definition, if it has one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// Ours, and intact.
    Intact,
    /// Ours, and the text is another one since.
    Broken,
    /// None.
    No,
}

/// Judges what was found (lifecycle notes E8). `recorded` is the text that was last applied; the mark alone is
/// enough where the record is lost.
pub fn standing(found: &Found, recorded: Option<&str>, marked: Marked) -> Standing {
    match found {
        Found::Missing => Standing::Missing,
        Found::Unreadable(_) => Standing::Unreadable,
        Found::Link { target } if target == Path::new("/dev/null") => Standing::Masked,
        Found::Link { .. } => Standing::Linked,
        Found::File(text) if recorded == Some(text) => Standing::Ours,
        Found::File(_) => match (marked, recorded) {
            (Marked::Intact, _) => Standing::Ours,
            (Marked::Broken, _) | (Marked::No, Some(_)) => Standing::Edited,
            (Marked::No, None) => Standing::Foreign,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_and_mark_tell_whose_a_definition_is() {
        let file = || Found::File("a".to_owned());
        let link = |target: &str| Found::Link { target: target.into() };
        let table = [
            (Found::Missing, Some("a"), Marked::No, Standing::Missing),
            (file(), Some("a"), Marked::No, Standing::Ours),
            (file(), Some("a"), Marked::Broken, Standing::Ours),
            (file(), Some("b"), Marked::Intact, Standing::Ours),
            (file(), None, Marked::Intact, Standing::Ours),
            (file(), Some("b"), Marked::Broken, Standing::Edited),
            (file(), None, Marked::Broken, Standing::Edited),
            (file(), Some("b"), Marked::No, Standing::Edited),
            (file(), None, Marked::No, Standing::Foreign),
            (link("/dev/null"), Some("a"), Marked::No, Standing::Masked),
            (link("/nix/store/x"), Some("a"), Marked::No, Standing::Linked),
            (Found::Unreadable(String::new()), None, Marked::No, Standing::Unreadable),
        ];
        for (found, recorded, marked, expected) in table {
            assert_eq!(standing(&found, recorded, marked), expected, "{found:?} {recorded:?} {marked:?}");
        }
    }
}
