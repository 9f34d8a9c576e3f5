//! A snapshot of environment variables, passed to whoever needs it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Environment variables as they were when the process began. `host::env` makes it; tests make their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<OsString, OsString>);

impl Env {
    /// The value of a variable; an empty one counts as unset.
    pub fn os(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.0.get(name.as_ref()).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// The value as text with blanks trimmed; blank, and not UTF-8, count as unset.
    pub fn text(&self, name: impl AsRef<OsStr>) -> Option<&str> {
        self.os(name)?.to_str().map(str::trim).filter(|value| !value.is_empty())
    }
}

impl Env {
    /// The same with further variables, which take the place of those of the same name.
    pub fn with(mut self, variables: impl IntoIterator<Item = (String, OsString)>) -> Self {
        self.0.extend(variables.into_iter().map(|(name, value)| (name.into(), value)));
        self
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}
