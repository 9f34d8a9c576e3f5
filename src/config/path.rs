//! The path of a value in the configuration: `gateway.auth.token`, `agents.list[0].id`, `models.providers["a.b"]`.
//!
//! Pure text; knows nothing of which paths exist.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Segment {
    /// Into an object, by key. In a list, a key of digits alone counts as an index: `agents.list.0.id`.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

impl Segment {
    /// The step as a key of an object; an index is none.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }

    /// The step as an index into a list.
    pub fn index(&self) -> Option<usize> {
        match self {
            Self::Key(key) if key.bytes().all(|byte| byte.is_ascii_digit()) => key.parse().ok(),
            Self::Key(_) => None,
            Self::Index(index) => Some(*index),
        }
    }
}

/// The path of a value in the configuration. The empty one is the whole, and prints as `<root>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyPath(Vec<Segment>);

/// A text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a path: write keys with dots between them, such as gateway.port or agents.list[0].id")]
pub struct NotAPath(String);

impl KeyPath {
    /// The path of the whole configuration.
    pub const ROOT: Self = Self(Vec::new());

    /// The steps, from the outside in.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Goes one key further in.
    pub fn push_key(&mut self, key: impl Into<String>) {
        self.0.push(Segment::Key(key.into()));
    }

    /// Goes to an element of a list.
    pub fn push_index(&mut self, index: usize) {
        self.0.push(Segment::Index(index));
    }

    /// Goes one step back out.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// This path, one key further in.
    pub fn child(&self, key: impl Into<String>) -> Self {
        let mut path = self.clone();
        path.push_key(key);
        path
    }

    /// The value at this path.
    pub fn value_in<'v>(&self, whole: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(whole, |value, segment| match value {
            Value::Object(members) => members.get(segment.key()?),
            Value::Array(items) => items.get(segment.index()?),
            _ => None,
        })
    }

    /// Whether the other path is this one or leads through it.
    pub fn holds(&self, other: &Self) -> bool {
        let same = |(mine, other): (&Segment, &Segment)| {
            mine == other || mine.index().is_some_and(|index| other.index() == Some(index))
        };
        self.0.len() <= other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

/// A path written in the code, with plain keys and dots only.
impl From<&'static str> for KeyPath {
    fn from(path: &'static str) -> Self {
        Self(path.split('.').map(|key| Segment::Key(key.to_owned())).collect())
    }
}

impl FromIterator<Segment> for KeyPath {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Self {
        Self(segments.into_iter().collect())
    }
}

/// Whether a key needs no quotes in a path.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'))
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("<root>");
        }
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if is_plain(key) && at == 0 => f.write_str(key)?,
                Segment::Key(key) if is_plain(key) => write!(f, ".{key}")?,
                Segment::Key(key) => write!(f, "[{}]", Value::from(key.as_str()))?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Serialize for KeyPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for KeyPath {
    type Err = NotAPath;

    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let refused = || NotAPath(text.to_owned());
        let (mut segments, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let (segment, after) = match rest.strip_prefix('[') {
                Some(inside) => bracketed(inside).ok_or_else(refused)?,
                None => {
                    let key = match (rest.strip_prefix('.'), segments.is_empty()) {
                        (Some(key), false) => key,
                        (None, true) => rest,
                        (Some(_), true) | (None, false) => return Err(refused()),
                    };
                    let end = key.find(['.', '[']).unwrap_or(key.len());
                    (Segment::Key(key[..end].to_owned()), &key[end..])
                }
            };
            if segment.key().is_some_and(|key| rest.starts_with(|c| c != '[') && !is_plain(key)) {
                return Err(refused());
            }
            segments.push(segment);
            rest = after;
        }
        if segments.is_empty() { Err(refused()) } else { Ok(Self(segments)) }
    }
}

/// What stands after `[`: an index or a key in double quotes, then `]`; and what follows it.
fn bracketed(inside: &str) -> Option<(Segment, &str)> {
    if inside.starts_with('"') {
        let mut key = serde_json::Deserializer::from_str(inside).into_iter::<String>();
        let text = key.next()?.ok()?;
        let after = inside.get(key.byte_offset()..)?.strip_prefix(']')?;
        return Some((Segment::Key(text), after));
    }
    let (index, after) = inside.split_once(']')?;
    let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| index.parse().ok()).flatten().map(|index| (Segment::Index(index), after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_written_as_people_write_them() {
        let key = |key: &str| Segment::Key(key.to_owned());
        let table = [
            ("gateway.port", vec![key("gateway"), key("port")]),
            ("agents.list[0].id", vec![key("agents"), key("list"), Segment::Index(0), key("id")]),
            ("agents.list.0", vec![key("agents"), key("list"), key("0")]),
            (
                r#"models.providers["a.b"].models"#,
                vec![key("models"), key("providers"), key("a.b"), key("models")],
            ),
            (r#"[""]"#, vec![key("")]),
        ];
        for (text, segments) in table {
            let path: KeyPath = text.parse().unwrap();
            assert_eq!(path.segments(), segments, "{text}");
            assert_eq!(path.to_string(), text);
        }
        assert_eq!(KeyPath::ROOT.to_string(), "<root>");
    }

    #[test]
    fn texts_that_are_no_path() {
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a[",
            "a[x]",
            "a[-1]",
            "a[\"b]",
            "a[0]b",
            "a b",
            "a[99999999999999999999]",
        ] {
            assert_eq!(text.parse::<KeyPath>(), Err(NotAPath(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_path_holds_itself_and_what_is_inside() {
        let holds = |one: &str, other: &str| one.parse::<KeyPath>().unwrap().holds(&other.parse().unwrap());
        assert!(holds("gateway", "gateway.port") && holds("a", "a") && holds("a.0", "a[0].b"));
        assert!(!holds("gateway.port", "gateway") && !holds("gate", "gateway"));
        assert!(KeyPath::ROOT.holds(&KeyPath::from("a")));
    }

    proptest! {
        #[test]
        fn every_path_reads_back_as_it_was_written(
            path in proptest::collection::vec(
                prop_oneof![".*".prop_map(Segment::Key), any::<usize>().prop_map(Segment::Index)], 1..6)
        ) {
            let path: KeyPath = path.into_iter().collect();
            prop_assert_eq!(path.to_string().parse::<KeyPath>().unwrap(), path);
        }
    }
}
