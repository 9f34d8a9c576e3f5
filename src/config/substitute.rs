//! `${NAME}` in a text becomes the value of an environment variable (protocol notes §7.5).
//!
//! NAME is `[A-Z_][A-Z0-9_]*`; `$${NAME}` stands for `${NAME}` itself, and every other `$` for itself. Only values are
//! looked at, never keys.

use super::node::{Finding, Kind, Node};
use super::path::KeyPath;
use crate::instance::Env;

/// Replaces every reference below a node. A variable that is unset, empty or not UTF-8 is a finding.
pub(super) fn substitute(node: &mut Node, env: &Env, findings: &mut Vec<Finding>) {
    Substitution { env, findings, path: KeyPath::ROOT }.node(node);
}

struct Substitution<'a> {
    env: &'a Env,
    findings: &'a mut Vec<Finding>,
    path: KeyPath,
}

impl Substitution<'_> {
    fn node(&mut self, node: &mut Node) {
        match &mut node.kind {
            Kind::Text(text) if text.contains('$') => {
                let (filled, missing) =
                    fill_references(text, |name| self.env.os(name).and_then(|value| value.to_str()));
                *text = filled;
                node.faulty |= !missing.is_empty();
                for name in missing {
                    let message =
                        format!("Missing env var \"{name}\" referenced at config path: {}", self.path);
                    let hint =
                        format!("set {name} in the environment, or write $${{{name}}} for the text itself");
                    self.findings.push(Finding::new(node.place, self.path.clone(), message).hint(hint));
                }
            }
            Kind::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.path.push_index(index);
                    self.node(item);
                    self.path.pop();
                }
            }
            Kind::Object(members) => {
                for member in members {
                    self.path.push_key(&member.key);
                    self.node(&mut member.value);
                    self.path.pop();
                }
            }
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
        }
    }
}

/// The text with every reference replaced, and the names that have no value; those references stay.
fn fill_references<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>) -> (String, Vec<String>) {
    let (mut filled, mut missing) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let escaped = rest.strip_prefix('$').and_then(reference_at);
        match (reference_at(rest), escaped) {
            (Some(reference), _) => {
                let name = &reference[2..reference.len() - 1];
                match value(name) {
                    Some(value) => filled.push_str(value),
                    None => {
                        filled.push_str(reference);
                        missing.push(name.to_owned());
                    }
                }
                rest = &rest[reference.len()..];
            }
            (None, Some(literal)) => {
                filled.push_str(literal);
                rest = &rest[1 + literal.len()..];
            }
            (None, None) => {
                filled.push('$');
                rest = &rest[1..];
            }
        }
    }
    filled.push_str(rest);
    (filled, missing)
}

/// The `${NAME}` that a text begins with.
fn reference_at(text: &str) -> Option<&str> {
    let inside = text.strip_prefix("${")?;
    let name = &inside[..inside.find('}')?];
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let rest = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    (first && rest).then(|| &text[..name.len() + 3])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::syntax::read_json5;
    use proptest::prelude::*;
    use serde_json::json;

    fn lookup(name: &str) -> Option<&'static str> {
        match name {
            "A" => Some("1"),
            "LONG_NAME_2" => Some("two $A ${A}"),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced_once_and_everything_else_stays() {
        let table = [
            ("", "", ""),
            ("${A}", "1", ""),
            ("x${A}y${A}z", "x1y1z", ""),
            ("${LONG_NAME_2}", "two $A ${A}", ""),
            ("$${A}", "${A}", ""),
            ("$$${A}", "$${A}", ""),
            ("$A $ $$ ${a} ${1A} ${} ${A", "$A $ $$ ${a} ${1A} ${} ${A", ""),
            ("${B}-${_C}-${A}", "${B}-${_C}-1", "B _C"),
            ("é${A}é", "é1é", ""),
        ];
        for (text, filled, missing) in table {
            let (got, absent) = fill_references(text, lookup);
            assert_eq!((got.as_str(), absent.join(" ").as_str()), (filled, missing), "{text}");
        }
    }

    #[test]
    fn every_missing_variable_is_found_with_its_path() {
        let text = "{ a: { b: ['${HOME_X}', '${EMPTY}', '${SET}'] }, '${SET}': 1 }";
        let mut node = read_json5(text, 0, &KeyPath::ROOT, &mut Vec::new()).unwrap();
        let env: Env = [("EMPTY", ""), ("SET", "yes")].into_iter().collect();
        let mut findings = Vec::new();
        substitute(&mut node, &env, &mut findings);
        assert_eq!(node.to_value(), json!({"a": {"b": ["${HOME_X}", "${EMPTY}", "yes"]}, "${SET}": 1}));
        let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "Missing env var \"HOME_X\" referenced at config path: a.b[0]",
                "Missing env var \"EMPTY\" referenced at config path: a.b[1]",
            ]
        );
        let place = findings[0].place;
        assert_eq!(&text[place.start..place.end], "'${HOME_X}'");
    }

    proptest! {
        #[test]
        fn a_text_whose_references_are_escaped_comes_out_as_it_was(text in "([a-z$}é]|\\$\\{[A-Z_]{1,2}\\}|\\$\\{){0,8}") {
            let mut escaped = String::new();
            for (at, c) in text.char_indices() {
                if reference_at(&text[at..]).is_some() {
                    escaped.push('$');
                }
                escaped.push(c);
            }
            prop_assert_eq!(fill_references(&escaped, |_| Some("replaced")), (text, Vec::new()));
        }

        #[test]
        fn values_are_never_read_again(name in "[A-Z_][A-Z0-9_]{0,5}", value in "\\PC{0,12}", around in "[a-z ]{0,4}") {
            let text = format!("{around}${{{name}}}{around}");
            let (filled, missing) = fill_references(&text, |asked| (asked == name).then_some(value.as_str()));
            prop_assert_eq!(filled, format!("{around}{value}{around}"));
            prop_assert!(missing.is_empty());
        }
    }
}
