//! A value that knows where it stands: the tree between the text of the files and the typed configuration.
//!
//! Knows nothing of which keys exist.

use std::ops::Range;

use serde_json::{Map, Number, Value};

use super::path::{KeyPath, Segment};

/// A stretch of text in one of the files that make up the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The position in the list of files that were read; 0 is the root file.
    pub file: usize,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub place: Place,
    pub kind: Kind,
    /// A finding says what is wrong with it; who reads on passes over it.
    pub faulty: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Member>),
}

/// A key of an object and its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    pub key: String,
    /// Where the key stands.
    pub key_place: Place,
    pub value: Node,
}

/// Something that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub place: Place,
    pub path: KeyPath,
    pub message: String,
    /// What to do about it, such as `did you mean "port"?`.
    pub hint: Option<String>,
}

impl Finding {
    pub fn new(place: Place, path: KeyPath, message: impl Into<String>) -> Self {
        Self { place, path, message: message.into(), hint: None }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl Node {
    pub fn new(place: Place, kind: Kind) -> Self {
        Self { place, kind, faulty: false }
    }

    /// What the value is, in words for a message.
    pub fn noun(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Object(_) => "an object",
        }
    }

    /// The member of an object.
    pub fn member(&self, key: &str) -> Option<&Member> {
        match &self.kind {
            Kind::Object(members) => members.iter().find(|member| member.key == key),
            _ => None,
        }
    }

    /// The value at a path below this one.
    pub fn at(&self, path: &KeyPath) -> Option<&Self> {
        path.segments().iter().try_fold(self, Self::step)
    }

    fn step(&self, segment: &Segment) -> Option<&Self> {
        match &self.kind {
            Kind::Object(_) => self.member(segment.key()?).map(|member| &member.value),
            Kind::List(items) => items.get(segment.index()?),
            _ => None,
        }
    }

    /// Where the value at a path stands; where there is none, the nearest that leads to it.
    pub fn nearest_place(&self, path: &KeyPath) -> Place {
        let mut node = self;
        for segment in path.segments() {
            match node.step(segment) {
                Some(next) => node = next,
                None => break,
            }
        }
        node.place
    }

    /// The text of the value at a path, with its key if it has one, as bytes of the file it stands in.
    pub fn range_of(&self, path: &KeyPath) -> Option<Range<usize>> {
        let (last, outer) = path.segments().split_last()?;
        let container = outer.iter().try_fold(self, Self::step)?;
        let value = container.step(last)?;
        let start =
            last.key().and_then(|key| container.member(key)).map_or(value.place, |member| member.key_place);
        Some(start.start..value.place.end)
    }

    /// The first value at or below this one that stands in another file than the root's.
    pub fn included(&self) -> Option<Place> {
        match &self.kind {
            _ if self.place.file != 0 => Some(self.place),
            Kind::List(items) => items.iter().find_map(Self::included),
            Kind::Object(members) => members.iter().find_map(|member| member.value.included()),
            _ => None,
        }
    }

    /// The plain value, without places.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Self::to_value).collect(),
            Kind::Object(members) => {
                let pairs = members.iter().map(|member| (member.key.clone(), member.value.to_value()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }
}
