//! Text to tree: strict JSON5, with the place of every key and value.
//!
//! Two parsers look at the text. jsonc-parser says where everything is, but lets more pass than JSON5 does (a line
//! break in a string, `a-b` as a key); what it lets pass is a configuration only if json5 agrees.

use jsonc_parser::ast::{self, Object, ObjectProp};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::de::IgnoredAny;
use serde_json::{Number, Value};

use super::node::{Finding, Kind, Member, Node, Place};
use super::path::KeyPath;

/// How the text is read: all of JSON5, and no more than jsonc-parser can be kept to.
pub(super) const JSON5: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: true,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: true,
    allow_hexadecimal_numbers: true,
    allow_unary_plus_numbers: true,
    allow_bare_decimal_point_numbers: true,
    allow_non_finite_numbers: true,
    allow_extended_string_escapes: true,
};

/// How deep values may lie inside each other, includes counted. More would be no configuration, and every walk through
/// the tree is recursive.
const MAX_DEPTH: usize = 100;

/// Reads a text. What is wrong inside well-formed text (a key given twice, `NaN`) goes to `findings`, and the tree is
/// made without it; text that is not well-formed is the error.
///
/// `file` is the text's position in the list of files, `path` where its value will be in the configuration.
pub(super) fn read_json5(
    text: &str,
    file: usize,
    path: &KeyPath,
    findings: &mut Vec<Finding>,
) -> Result<Node, Finding> {
    let malformed = |start: usize, end: usize, message: String| {
        Finding::new(Place { file, start, end }, path.clone(), format!("JSON5 parse failed: {message}"))
    };
    // json5 skips a byte order mark, jsonc-parser does not; blanks keep every place as it is.
    let blanked = text.strip_prefix('\u{feff}').map(|rest| format!("   {rest}"));
    let text = blanked.as_deref().unwrap_or(text);
    if text.trim().is_empty() {
        return Err(malformed(0, 0, "the file is empty (an empty configuration is {})".to_owned()));
    }
    let parsed = parse_to_ast(text, &CollectOptions::default(), &JSON5);
    let strict = match &parsed {
        // json5 has no bound of its own, and would overflow the stack.
        Err(error) if matches!(error.kind(), ParseErrorKind::NestingDepthExceeded) => Ok(IgnoredAny),
        _ => json5::from_str::<IgnoredAny>(text),
    };
    match (parsed, strict) {
        (Ok(parsed), Ok(_)) => match parsed.value {
            Some(value) => Ok(Reader { file, path: path.clone(), findings }.node(value)),
            None => Err(malformed(0, 0, "there is no value".to_owned())),
        },
        (Ok(_), Err(error)) => {
            let at = error.position().map_or(text.len(), |at| byte_at(text, at.line, at.column));
            let what = error.code().map_or_else(|| error.to_string(), |code| code.to_string());
            Err(malformed(at, at, what))
        }
        (Err(error), strict) => {
            let Range { start, end } = error.range();
            let finding = malformed(start, end, lower_first(&error.kind().to_string()));
            let nested = matches!(error.kind(), ParseErrorKind::NestingDepthExceeded);
            let word = text[start..].starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '~' | '$'));
            let unexpected =
                matches!(error.kind(), ParseErrorKind::UnexpectedWord | ParseErrorKind::UnexpectedToken);
            Err(if strict.is_ok() && !nested {
                finding.hint("put the key before it in quotes, and no comment between key and colon")
            } else if word && unexpected {
                finding.hint("text must be in quotes")
            } else {
                finding
            })
        }
    }
}

/// The value that a text alone is in JSON5, or why it is none.
pub fn parse_value(text: &str) -> Result<Value, String> {
    let mut findings = Vec::new();
    let node = read_json5(text, 0, &KeyPath::ROOT, &mut findings).map_err(|finding| finding.message)?;
    match findings.into_iter().next() {
        Some(finding) => Err(finding.message),
        None => Ok(node.to_value()),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// The byte at a line and column, both from 0, columns in characters.
fn byte_at(text: &str, line: usize, column: usize) -> usize {
    let start = match line.checked_sub(1) {
        None => 0,
        Some(breaks) => text.match_indices('\n').nth(breaks).map_or(text.len(), |(at, _)| at + 1),
    };
    text[start..].char_indices().nth(column).map_or(text.len(), |(at, _)| start + at)
}

struct Reader<'a> {
    file: usize,
    path: KeyPath,
    findings: &'a mut Vec<Finding>,
}

impl Reader<'_> {
    fn place(&self, range: Range) -> Place {
        Place { file: self.file, start: range.start, end: range.end }
    }

    fn node(&mut self, value: ast::Value<'_>) -> Node {
        let place = self.place(value.range());
        if self.path.segments().len() > MAX_DEPTH {
            return self.faulty(place, format!("there are more than {MAX_DEPTH} values inside each other"));
        }
        let kind = match value {
            ast::Value::NullKeyword(_) => Kind::Null,
            ast::Value::BooleanLit(value) => Kind::Bool(value.value),
            ast::Value::StringLit(text) => Kind::Text(text.value.into_owned()),
            ast::Value::Object(object) => Kind::Object(self.members(object)),
            ast::Value::NumberLit(number) => match number_of(number.value) {
                Some(number) => Kind::Number(number),
                None => return self.faulty(place, "not a number that a configuration can hold".to_owned()),
            },
            ast::Value::Array(list) => {
                let mut items = Vec::with_capacity(list.elements.len());
                for (index, element) in list.elements.into_iter().enumerate() {
                    self.path.push_index(index);
                    items.push(self.node(element));
                    self.path.pop();
                }
                Kind::List(items)
            }
        };
        Node::new(place, kind)
    }

    fn faulty(&mut self, place: Place, message: String) -> Node {
        self.findings.push(Finding::new(place, self.path.clone(), message));
        Node { place, kind: Kind::Null, faulty: true }
    }

    fn members(&mut self, object: Object<'_>) -> Vec<Member> {
        let mut members: Vec<Member> = Vec::with_capacity(object.properties.len());
        for ObjectProp { name, value, .. } in object.properties {
            let key_place = self.place(name.range());
            let key = name.into_string();
            self.path.push_key(&key);
            let value = self.node(value);
            if members.iter().any(|member| member.key == key) {
                let message = format!("the key {key:?} is given twice");
                self.findings.push(Finding::new(key_place, self.path.clone(), message));
            } else {
                members.push(Member { key, key_place, value });
            }
            self.path.pop();
        }
        members
    }
}

/// The value of a JSON5 number. Whole numbers stay whole, also when they are written `1e3` or `0x10`.
fn number_of(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let magnitude = match hexadecimal {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => digits.parse::<u64>().ok(),
    };
    match magnitude {
        Some(magnitude) if !negative => return Some(Number::from(magnitude)),
        Some(magnitude) => {
            let whole = i64::try_from(-i128::from(magnitude)).ok();
            return whole
                .map_or_else(|| Number::from_f64(-(magnitude as f64)), |whole| Some(Number::from(whole)));
        }
        None if hexadecimal.is_some() => return None,
        None => {}
    }
    let float: f64 = digits.parse().ok()?;
    let float = if negative { -float } else { float };
    // Up to 2^53 a floating-point number that looks whole is exactly that whole number.
    if float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0 {
        return Some(Number::from(float as i64));
    }
    Number::from_f64(float)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn value(text: &str) -> Result<serde_json::Value, String> {
        let mut findings = Vec::new();
        let node = read_json5(text, 0, &KeyPath::ROOT, &mut findings).map_err(|finding| finding.message)?;
        match findings.pop() {
            Some(finding) => Err(format!("{}: {}", finding.path, finding.message)),
            None => Ok(node.to_value()),
        }
    }

    #[test]
    fn all_of_json5_is_read() {
        let text = "\u{feff}// a comment\n{ unquoted: 'single \"quotes\"', /* two */ \"a b\": [1, +2, -3, 0x10, .5, 5., 1e3,],\n\
                    $d_: 'a \\\n b', t: true, n: null, 'é': \"\\u00e9\\x41\", big: 18446744073709551615, }";
        assert_eq!(
            value(text).unwrap(),
            json!({
                "unquoted": "single \"quotes\"", "a b": [1, 2, -3, 16, 0.5, 5, 1000], "$d_": "a  b",
                "t": true, "n": null, "é": "éA", "big": u64::MAX
            })
        );
    }

    #[test]
    fn what_is_not_json5_is_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let table = [
            ("", "the file is empty (an empty configuration is {})"),
            ("// only a comment", "EOF parsing value"),
            ("{a: 1 b: 2}", "expected comma"),
            ("{a: 1", "unterminated object"),
            ("{a: \"x\ny\"}", "line terminator in string"),
            ("{a-b: 1}", "expected colon"),
            ("{1: 1}", "expected identifier"),
            ("{a: 01}", "expected comma"),
            ("{a: 1} {b: 2}", "text cannot contain more than one JSON value"),
            ("{a: yes }", "unexpected word"),
            (deep.as_str(), "maximum nesting depth exceeded"),
        ];
        for (text, message) in table {
            let shown = text.get(..40).unwrap_or(text);
            assert_eq!(value(text), Err(format!("JSON5 parse failed: {message}")), "{shown}");
        }
    }

    #[test]
    fn values_lie_inside_each_other_only_so_deep() {
        let nested = |depth: usize| value(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        assert!(nested(101).is_ok());
        for depth in [102, 400] {
            let refused = nested(depth).unwrap_err();
            assert!(refused.ends_with("there are more than 100 values inside each other"), "{refused}");
        }
    }

    #[test]
    fn a_malformed_text_is_refused_where_it_goes_wrong() {
        let at = |text: &str| {
            let place = read_json5(text, 0, &KeyPath::ROOT, &mut Vec::new()).unwrap_err().place;
            text[place.start..].chars().next()
        };
        assert_eq!(at("{\n  é: 'ü',\n  ö: 01,\n}"), Some('1'));
        assert_eq!(at("{\n  é: ], }"), Some(']'));
    }

    #[test]
    fn a_text_without_quotes_is_told_that_it_needs_them() {
        for text in ["{a: lan}", "{a: lan, b: 1}", "{a: ~/x}", "{a: /var}", "{a: ${X}}", "{ a:\n lan\n}"] {
            let finding = read_json5(text, 0, &KeyPath::ROOT, &mut Vec::new()).unwrap_err();
            assert_eq!(finding.hint.as_deref(), Some("text must be in quotes"), "{text}");
        }
    }

    #[test]
    fn the_little_of_json5_that_cannot_be_read_says_so() {
        for text in ["{a/* */: 1}", "{\\u0061: 1}"] {
            let finding = read_json5(text, 0, &KeyPath::ROOT, &mut Vec::new()).unwrap_err();
            let hint = "put the key before it in quotes, and no comment between key and colon";
            assert_eq!(finding.hint.as_deref(), Some(hint), "{text}");
        }
    }

    #[test]
    fn a_key_given_twice_is_found_and_so_is_a_number_that_is_none() {
        assert_eq!(value("{a: {b: 1, 'b': 2}}"), Err("a.b: the key \"b\" is given twice".to_owned()));
        for number in ["NaN", "-Infinity", "0x10000000000000000", "1e999"] {
            let refused = "a[0]: not a number that a configuration can hold";
            assert_eq!(value(&format!("{{a: [{number}]}}")), Err(refused.to_owned()), "{number}");
        }
    }

    #[test]
    fn every_key_and_value_knows_its_place() {
        let text = "{ a: { \"b\": [ 17, 'x' ] } }";
        let node = read_json5(text, 3, &KeyPath::ROOT, &mut Vec::new()).unwrap();
        let path: KeyPath = "a.b[1]".parse().unwrap();
        let place = node.at(&path).unwrap().place;
        assert_eq!((place.file, &text[place.start..place.end]), (3, "'x'"));
        let key = node.at(&KeyPath::from("a")).unwrap().member("b").unwrap().key_place;
        assert_eq!(&text[key.start..key.end], "\"b\"");
    }

    proptest! {
        #[test]
        fn values_are_those_the_json5_crate_reads(text in json5_text()) {
            let expected = json5::from_str::<serde_json::Value>(&text);
            match (value(&text), expected) {
                (Ok(ours), Ok(theirs)) => prop_assert_eq!(without_fractions(ours), without_fractions(theirs)),
                (Err(_), Err(_)) => {}
                (ours, theirs) => prop_assert!(false, "{:?} against {:?} for {:?}", ours, theirs, text),
            }
        }
    }

    /// Whole numbers written as `5.` are whole to us and fractions to json5.
    fn without_fractions(value: serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Number(number) => json!(number.as_f64()),
            serde_json::Value::Array(items) => items.into_iter().map(without_fractions).collect(),
            serde_json::Value::Object(members) => {
                members.into_iter().map(|(key, value)| (key, without_fractions(value))).collect()
            }
            other => other,
        }
    }

    fn json5_text() -> impl Strategy<Value = String> {
        let scalar = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            any::<i32>().prop_map(|value| value.to_string()),
            any::<u16>().prop_map(|value| format!("{value:#x}")),
            "[+-]?(0|[1-9][0-9]{0,4})(\\.[0-9]{0,3})?(e[+-]?[0-9])?",
            "\"([a-z $é\u{1F600}]|\\\\[nt\"'\\\\/0vxq]|\\\\u00e9|\\\\\n){0,6}\"",
            "'([a-z \"]|\\\\'){0,6}'",
        ];
        let blank = prop_oneof![
            Just(String::new()),
            Just(" ".to_owned()),
            Just("\n".to_owned()),
            Just("\t".to_owned()),
            "/\\*[a-z* ]{0,5}\\*/",
            "//[a-z\"{ ]{0,5}\n",
        ];
        let value = (scalar, blank.clone()).prop_map(|(value, blank)| format!("{blank}{value}"));
        value.prop_recursive(3, 24, 5, move |inner| {
            let list = proptest::collection::vec((inner.clone(), blank.clone()), 0..4).prop_map(|items| {
                let items: Vec<String> =
                    items.into_iter().map(|(item, blank)| format!("{item}{blank}")).collect();
                format!("[{}]", items.join(","))
            });
            let key = prop_oneof!["[a-z$_][a-z0-9$_]{0,4}", "\"[a-z. ]{0,4}\"", "'[a-z]{0,3}'"];
            let object = (proptest::collection::vec((key, blank.clone(), inner), 0..4), any::<bool>())
                .prop_map(|(members, trailing)| {
                    let mut seen = std::collections::BTreeSet::new();
                    let members: Vec<String> = members
                        .into_iter()
                        .filter(|(key, ..)| seen.insert(key.trim_matches(['"', '\'']).to_owned()))
                        .map(|(key, blank, value)| format!("{blank}{key}:{value}"))
                        .collect();
                    let comma = if trailing && !members.is_empty() { "," } else { "" };
                    format!("{{{}{comma}}}", members.join(","))
                });
            prop_oneof![list, object]
        })
    }
}
