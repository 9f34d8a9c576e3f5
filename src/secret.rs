//! Text that must never be seen: tokens and passwords.
//!
//! Knows nothing of where a secret comes from or what it opens.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A secret text. It does not print, does not serialise, and is wiped from memory when dropped.
///
/// Whoever needs the text calls [`Secret::expose`], which is easy to find in review.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a text into keeping. Surrounding blanks are not part of a secret; a blank one is none.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(SecretString::from(text)))
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Equality by content, in time that depends on the lengths alone.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for Secret {}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).ok_or_else(|| serde::de::Error::custom("a secret must not be blank"))
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("hunter2-hunter2").unwrap();
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.expose(), "hunter2-hunter2");
    }

    #[test]
    fn blanks_around_a_secret_do_not_count() {
        assert_eq!(Secret::new(" a ").unwrap(), Secret::new("a").unwrap());
        assert!(Secret::new(" \t\n").is_none());
        assert_ne!(Secret::new("a").unwrap(), Secret::new("b").unwrap());
    }
}
