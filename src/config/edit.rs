//! Changing one value in the text of a configuration, and nothing else: comments, order and spacing stay.
//!
//! Text in, text out. Every edit is read back: what cannot be written faithfully is refused rather than written.

use jsonc_parser::cst::{CstContainerNode, CstInputValue, CstLeafNode, CstNode, CstObjectProp, CstRootNode};
use serde_json::Value;

use super::cut::cut_out;
use super::path::{KeyPath, Segment};
use super::style::Style;
use super::syntax::{JSON5, parse_value, read_json5};

/// What a file that does not exist begins as.
const EMPTY: &str = "{\n}\n";

/// Why a text cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is not JSON5.
    #[error("the configuration cannot be edited before it can be read: {0}")]
    Malformed(String),
    /// The root is a list or a single value.
    #[error("the configuration is not an object")]
    RootIsNoObject,
    /// Something on the way to the value is neither an object nor a list, or a list where a key was given.
    #[error("{path} is {found}: there is no {inside} in it", inside = .inside)]
    NoWayIn {
        /// How far the path leads.
        path: KeyPath,
        /// What is there.
        found: &'static str,
        /// The next step of the path.
        inside: String,
    },
    /// An index beyond the end of a list.
    #[error("{path} has {length} elements: the next one is {path}[{length}]")]
    BeyondEnd {
        /// The list.
        path: KeyPath,
        /// How many elements it has.
        length: usize,
    },
    /// The edited text would not say what was asked for.
    #[error("this cannot be written without touching other values: edit the file by hand")]
    Unfaithful,
}

/// The text with the value at a path set, and what leads there made where it is missing. `None` for a file that is not
/// there.
pub fn set_value(text: Option<&str>, path: &KeyPath, value: &Value) -> Result<String, EditError> {
    let text = text.unwrap_or(EMPTY);
    let old = plain_value(text)?;
    // Numbers are compared as they read back: 5.0 is written 5.0 and read as 5.
    let value = plain_value(&value.to_string())?;
    if path.value_in(&old) == Some(&value) {
        return Ok(text.to_owned());
    }
    let (mark, body) = split_mark(text);
    let root = CstRootNode::parse(body, &JSON5).map_err(|error| EditError::Malformed(error.to_string()))?;
    let style = Style::of(&root);
    put_in_text(&root, path, &value, &style)?;
    let edited = format!("{mark}{root}");
    let mut expected = old;
    apply_set(&mut expected, path.segments(), value);
    if plain_value(&edited).as_ref() == Ok(&expected) { Ok(edited) } else { Err(EditError::Unfaithful) }
}

/// The text without the value at a path; `None` when there is none in it. Comments stay, but for those
/// inside it: also a comment above it is the operator's own word.
pub fn unset_value(text: &str, path: &KeyPath) -> Result<Option<String>, EditError> {
    let mut expected = plain_value(text)?;
    let root = read_json5(text, 0, &KeyPath::ROOT, &mut Vec::new())
        .map_err(|finding| EditError::Malformed(finding.message))?;
    let Some(range) = root.range_of(path) else { return Ok(None) };
    let edited = cut_out(text, range);
    apply_unset(&mut expected, path.segments());
    if plain_value(&edited).as_ref() == Ok(&expected) { Ok(Some(edited)) } else { Err(EditError::Unfaithful) }
}

/// The value of a text, without regard to what keys mean.
fn plain_value(text: &str) -> Result<Value, EditError> {
    // Which of two equal keys an edit would touch is anybody's guess, so text with findings is refused too.
    parse_value(text).map_err(EditError::Malformed)
}

/// A byte order mark and what follows it.
fn split_mark(text: &str) -> (&str, &str) {
    text.split_at(if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 })
}

/// A value in the text.
enum Place {
    Member(CstObjectProp),
    Element(CstNode),
}

/// Where a path leads.
struct Found {
    /// The innermost object or list that is there.
    container: CstNode,
    /// The value itself.
    node: Option<Place>,
    /// How many steps lead to the container.
    depth: usize,
}

/// Follows a path as far as it leads.
fn follow(root: &CstRootNode, path: &KeyPath) -> Result<Found, EditError> {
    let mut container: CstNode = root.object_value().ok_or(EditError::RootIsNoObject)?.into();
    let last = path.segments().len() - 1;
    for (depth, segment) in path.segments().iter().enumerate() {
        let so_far = || path.segments()[..depth].iter().cloned().collect::<KeyPath>();
        let (place, value) = match (container.as_object(), container.as_array()) {
            (Some(object), _) => {
                let Some(key) = segment.key() else { return Err(no_way_in(so_far(), "an object", segment)) };
                match object.get(key) {
                    Some(member) => (Place::Member(member.clone()), member.value()),
                    None => return Ok(Found { container, node: None, depth }),
                }
            }
            (None, Some(list)) => {
                let Some(index) = segment.index() else { return Err(no_way_in(so_far(), "a list", segment)) };
                let elements = list.elements();
                match elements.get(index) {
                    Some(element) => (Place::Element(element.clone()), Some(element.clone())),
                    None if index == elements.len() => return Ok(Found { container, node: None, depth }),
                    None => return Err(EditError::BeyondEnd { path: so_far(), length: elements.len() }),
                }
            }
            (None, None) => return Err(no_way_in(so_far(), "a single value", segment)),
        };
        match value {
            Some(inner) if depth < last => container = inner,
            _ => return Ok(Found { container, node: Some(place), depth }),
        }
    }
    Ok(Found { container, node: None, depth: last })
}

fn no_way_in(path: KeyPath, found: &'static str, segment: &Segment) -> EditError {
    let inside = match segment {
        Segment::Key(key) => format!("key {key:?}"),
        Segment::Index(index) => format!("element {index}"),
    };
    EditError::NoWayIn { path, found, inside }
}

/// Sets the value, and styles what is new like the rest of the file.
fn put_in_text(root: &CstRootNode, path: &KeyPath, value: &Value, style: &Style) -> Result<(), EditError> {
    let found = follow(root, path)?;
    match found.node {
        Some(Place::Member(member)) => {
            member.set_value(cst_value(value));
            if let Some(value) = member.value() {
                style.apply(&value);
            }
            return Ok(());
        }
        Some(Place::Element(element)) => {
            if let Some(element) = replace_element(element, cst_value(value)) {
                style.apply(&element);
            }
            return Ok(());
        }
        None => {}
    }
    let (missing, rest) = path.segments()[found.depth..].split_first().ok_or(EditError::Unfaithful)?;
    let inner = nested_value(rest, value, &path.segments()[..=found.depth])?;
    if let (Some(object), Some(key)) = (found.container.as_object(), missing.key()) {
        style.apply(&CstNode::from(object.append(key, inner)));
    } else if let Some(list) = found.container.as_array() {
        style.apply(&list.append(inner));
    }
    Ok(())
}

fn replace_element(element: CstNode, value: CstInputValue) -> Option<CstNode> {
    match element {
        CstNode::Container(CstContainerNode::Object(object)) => object.replace_with(value),
        CstNode::Container(CstContainerNode::Array(list)) => list.replace_with(value),
        CstNode::Leaf(CstLeafNode::StringLit(text)) => text.replace_with(value),
        CstNode::Leaf(CstLeafNode::NumberLit(number)) => number.replace_with(value),
        CstNode::Leaf(CstLeafNode::BooleanLit(value_before)) => value_before.replace_with(value),
        CstNode::Leaf(CstLeafNode::NullKeyword(null)) => null.replace_with(value),
        CstNode::Container(_) | CstNode::Leaf(_) => None,
    }
}

/// The value inside the objects and lists that lead to it and do not exist yet.
fn nested_value(missing: &[Segment], value: &Value, outer: &[Segment]) -> Result<CstInputValue, EditError> {
    let mut inner = cst_value(value);
    for (at, segment) in missing.iter().enumerate().rev() {
        inner = match segment {
            Segment::Key(key) => CstInputValue::Object(vec![(key.clone(), inner)]),
            Segment::Index(0) => CstInputValue::Array(vec![inner]),
            Segment::Index(_) => {
                let path = outer.iter().chain(&missing[..at]).cloned().collect();
                return Err(EditError::BeyondEnd { path, length: 0 });
            }
        };
    }
    Ok(inner)
}

fn cst_value(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(cst_value).collect()),
        Value::Object(members) => CstInputValue::Object(
            members.iter().map(|(key, value)| (key.clone(), cst_value(value))).collect(),
        ),
    }
}

/// What the edit of the text must amount to.
fn apply_set(target: &mut Value, path: &[Segment], value: Value) {
    let Some((segment, rest)) = path.split_first() else {
        *target = value;
        return;
    };
    if target.is_null() {
        *target = if segment.key().is_some() {
            Value::Object(Default::default())
        } else {
            Value::Array(Vec::new())
        };
    }
    match target {
        Value::Array(items) => {
            let index = segment.index().unwrap_or_default();
            if index == items.len() {
                items.push(Value::Null);
            }
            if let Some(item) = items.get_mut(index) {
                apply_set(item, rest, value);
            }
        }
        Value::Object(members) => {
            apply_set(members.entry(segment.key().unwrap_or_default()).or_insert(Value::Null), rest, value);
        }
        _ => {}
    }
}

fn apply_unset(target: &mut Value, path: &[Segment]) {
    match (target, path) {
        (Value::Object(members), [last]) => {
            members.shift_remove(last.key().unwrap_or_default());
        }
        (Value::Array(items), [last]) => {
            if let Some(index) = last.index().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        (Value::Object(members), [first, rest @ ..]) => {
            if let Some(inner) = first.key().and_then(|key| members.get_mut(key)) {
                apply_unset(inner, rest);
            }
        }
        (Value::Array(items), [first, rest @ ..]) => {
            if let Some(inner) = first.index().and_then(|index| items.get_mut(index)) {
                apply_unset(inner, rest);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jsonc_parser::tokens::Token;
    use jsonc_parser::{CollectOptions, CommentCollectionStrategy, parse_to_ast};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::config::node::Kind;

    fn path(text: &str) -> KeyPath {
        text.parse().unwrap()
    }

    #[test]
    fn one_value_changes_and_everything_else_stays() {
        let text = "// top\n{\n  // the port\n  port: 1, // default\n\n  auth: { 'mode': 'token' /* x */ },\n  list: [1, /* two */ 2],\n}\n// end\n";
        let table = [
            ("port", json!(2), text.replace("port: 1", "port: 2")),
            ("port", json!(1), text.to_owned()),
            ("auth.mode", json!("none"), text.replace("'token'", "'none'")),
            ("auth.mode", json!("it's"), text.replace("'token'", "\"it's\"")),
            ("list[1]", json!("b"), text.replace("*/ 2", "*/ 'b'")),
            ("list.0", json!({"a": 1}), text.replace("[1,", "[{\n    a: 1\n  },")),
            ("list[2]", json!(3), text.replace("*/ 2]", "*/ 2, 3]")),
            ("name", json!("x"), text.replace("2],\n", "2],\n  name: 'x',\n")),
        ];
        for (at, value, expected) in table {
            assert_eq!(set_value(Some(text), &path(at), &value), Ok(expected), "{at} = {value}");
        }
    }

    #[test]
    fn what_leads_to_a_value_is_made_in_the_style_of_the_file() {
        assert_eq!(
            set_value(None, &path("gateway.auth.token"), &json!("t")).unwrap(),
            "{\n  gateway: {\n    auth: {\n      token: \"t\"\n    }\n  }\n}\n"
        );
        assert_eq!(
            set_value(Some("{\n\t\"a\": 1\n}"), &path("b.c-d"), &json!([{"x": "y"}])).unwrap(),
            "{\n\t\"a\": 1,\n\t\"b\": {\n\t\t\"c-d\": [\n\t\t\t{\n\t\t\t\t\"x\": \"y\"\n\t\t\t}\n\t\t]\n\t}\n}"
        );
        assert_eq!(
            set_value(Some("{\r\n  a: 'x',\r\n}\r\n"), &path("c-d"), &json!("y")).unwrap(),
            "{\r\n  a: 'x',\r\n  'c-d': 'y',\r\n}\r\n"
        );
        assert_eq!(set_value(Some("\u{feff}{a: 1}"), &path("a"), &json!(2)).unwrap(), "\u{feff}{a: 2}");
    }

    #[test]
    fn a_value_is_taken_out_and_its_neighbours_stay() {
        let text = "{\n  // first\n  a: 1,\n  // second\n  b: [1, 2, 3], // tail\n  c: { d: 1 },\n}\n";
        let table = [
            ("b[1]", Some(text.replace("[1, 2, 3]", "[1, 3]"))),
            ("c.d", Some(text.replace("{ d: 1 }", "{ }"))),
            ("c", Some(text.replace("  c: { d: 1 },\n", ""))),
            ("a", Some(text.replace("  a: 1,\n", ""))),
            ("x", None),
            ("a.b", None),
            ("b[3]", None),
        ];
        for (at, expected) in table {
            assert_eq!(unset_value(text, &path(at)), Ok(expected), "{at}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_is_refused() {
        let text = "{ port: 1, list: [1], object: {} }";
        let table = [
            ("port.x", "port is a single value: there is no key \"x\" in it"),
            ("list.x", "list is a list: there is no key \"x\" in it"),
            ("object[0]", "object is an object: there is no element 0 in it"),
            ("list[2]", "list has 1 elements: the next one is list[1]"),
            ("new[1]", "new has 0 elements: the next one is new[0]"),
        ];
        for (at, message) in table {
            assert_eq!(set_value(Some(text), &path(at), &json!(1)).unwrap_err().to_string(), message);
        }
        assert_eq!(set_value(Some("[1]"), &path("a"), &json!(1)), Err(EditError::RootIsNoObject));
        for text in ["{ a: ", "{ a: 1, a: 2 }", ""] {
            assert!(
                matches!(set_value(Some(text), &path("a"), &json!(1)), Err(EditError::Malformed(_))),
                "{text}"
            );
        }
    }

    /// Every comment of a text, and how often it occurs.
    fn comments(text: &str) -> BTreeMap<String, usize> {
        let collect = CollectOptions { comments: CommentCollectionStrategy::AsTokens, tokens: true };
        let tokens = parse_to_ast(text, &collect, &JSON5).unwrap().tokens.unwrap();
        let mut found = BTreeMap::new();
        for token in tokens {
            if let Token::CommentLine(comment) | Token::CommentBlock(comment) = token.token {
                *found.entry(comment.to_owned()).or_default() += 1;
            }
        }
        found
    }

    /// The comments of a text, without those inside the value at a path.
    fn comments_outside(text: &str, path: &KeyPath) -> BTreeMap<String, usize> {
        let root = read_json5(text, 0, &KeyPath::ROOT, &mut Vec::new()).unwrap();
        let Some(node) = root.at(path) else { return comments(text) };
        comments(&format!("{}null{}", &text[..node.place.start], &text[node.place.end..]))
    }

    /// The same without those between the value's key and the value.
    fn comments_around(text: &str, path: &KeyPath) -> BTreeMap<String, usize> {
        let root = read_json5(text, 0, &KeyPath::ROOT, &mut Vec::new()).unwrap();
        let Some(range) = root.range_of(path) else { return comments(text) };
        let outer: KeyPath = path.segments()[..path.segments().len() - 1].iter().cloned().collect();
        let in_object = matches!(root.at(&outer).unwrap().kind, Kind::Object(_));
        let instead = if in_object { "k: 0" } else { "0" };
        comments(&format!("{}{instead}{}", &text[..range.start], &text[range.end..]))
    }

    proptest! {
        #[test]
        fn setting_a_value_keeps_every_comment_and_every_other_value(
            text in document(), at in any_path(), value in any_value()
        ) {
            match set_value(Some(&text), &at, &value) {
                Ok(edited) => {
                    prop_assert_eq!(at_path(&edited, &at), Some(plain_value(&value.to_string()).unwrap()), "{}", edited);
                    prop_assert_eq!(comments_outside(&edited, &at), comments_outside(&text, &at), "{}", edited);
                    // What was not there before can be taken out again, and all is as it was.
                    if at_path(&text, &at).is_none() && at.segments().len() == 1 {
                        let back = unset_value(&edited, &at).unwrap().unwrap();
                        prop_assert_eq!(plain_value(&back), plain_value(&text));
                        prop_assert_eq!(comments(&back), comments(&text), "{}", back);
                    }
                }
                Err(EditError::NoWayIn { .. } | EditError::BeyondEnd { .. }) => {}
                Err(other) => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn taking_a_value_out_keeps_every_other_comment_and_value(text in document(), at in any_path()) {
            let existing = at_path(&text, &at);
            let edited = unset_value(&text, &at).unwrap();
            prop_assert_eq!(edited.is_some(), existing.is_some());
            if let Some(edited) = edited {
                prop_assert_eq!(comments(&edited), comments_around(&text, &at), "{}", edited);
            }
        }
    }

    fn at_path(text: &str, path: &KeyPath) -> Option<Value> {
        path.value_in(&plain_value(text).unwrap()).cloned()
    }

    fn any_path() -> impl Strategy<Value = KeyPath> {
        let segment = prop_oneof![
            3 => "[abc]".prop_map(Segment::Key),
            1 => Just(Segment::Key("odd key".to_owned())),
            1 => (0..3usize).prop_map(Segment::Index),
        ];
        ("[abc]", proptest::collection::vec(segment, 0..3))
            .prop_map(|(first, rest)| [Segment::Key(first)].into_iter().chain(rest).collect())
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f32>().prop_filter_map("finite", |float| serde_json::Number::from_f64(f64::from(float))
                .map(Value::Number)),
            "\\PC{0,6}".prop_map(Value::from),
            "[\n\t'\"\\\\/*]{0,4}".prop_map(Value::from),
        ];
        scalar.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                proptest::collection::btree_map("[a-z' -]{0,3}", inner, 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// JSON5 with comments in every place where they may stand.
    fn document() -> impl Strategy<Value = String> {
        let blank = prop_oneof![
            4 => Just(String::new()), 2 => Just(" ".to_owned()), 2 => Just("\n  ".to_owned()),
            1 => "/\\* [a-z]{1,3} \\*/", 1 => " // [a-z]{1,3}\n",
        ];
        let scalar = prop_oneof![
            Just("1".to_owned()),
            Just("'x'".to_owned()),
            Just("\"${Y}\"".to_owned()),
            Just("null".to_owned())
        ];
        let key = prop_oneof!["[abc]", "\"[abc]\"", "'[abc]'", Just("'odd key'".to_owned())];
        let blanks = blank.clone();
        let value = scalar.prop_recursive(3, 16, 4, move |inner| {
            let (before, after) = (blank.clone(), blank.clone());
            let list = (
                proptest::collection::vec((before, inner.clone(), after), 0..3),
                blank.clone(),
                any::<bool>(),
            )
                .prop_map(|(items, inside, comma)| {
                    let items: Vec<String> =
                        items.iter().map(|(before, item, after)| format!("{before}{item}{after}")).collect();
                    let comma = if comma && !items.is_empty() { "," } else { "" };
                    format!("[{}{comma}{inside}]", items.join(","))
                });
            prop_oneof![list, object(key.clone().boxed(), inner.boxed(), blank.clone().boxed())]
        });
        let key = prop_oneof!["[abc]", "\"[abc]\"", Just("'odd key'".to_owned())];
        let whole = object(key.boxed(), value.boxed(), blanks.clone().boxed());
        (blanks.clone(), whole, blanks).prop_map(|(before, object, after)| format!("{before}{object}{after}"))
    }

    fn object(
        key: BoxedStrategy<String>,
        value: BoxedStrategy<String>,
        blank: BoxedStrategy<String>,
    ) -> impl Strategy<Value = String> {
        let member = (blank.clone(), key, blank.clone(), value, blank.clone());
        (proptest::collection::vec(member, 0..4), blank, any::<bool>()).prop_map(
            |(members, inside, comma)| {
                let mut seen = std::collections::BTreeSet::new();
                let members: Vec<String> = members
                    .into_iter()
                    .filter(|(_, key, ..)| seen.insert(key.trim_matches(['"', '\'']).to_owned()))
                    .map(|(before, key, between, value, after)| {
                        format!("{before}{key}:{between}{value}{after}")
                    })
                    .collect();
                let comma = if comma && !members.is_empty() { "," } else { "" };
                format!("{{{}{comma}{inside}}}", members.join(","))
            },
        )
    }
}
