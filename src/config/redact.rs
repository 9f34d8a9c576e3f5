//! Configurations that can be shown: every secret replaced by the brand's mark.
//!
//! Also for configurations that are not valid, where a secret may stand under a wrong key: whatever has a name like a
//! secret's is hidden too.

use serde_json::Value;

use super::node::{Kind, Node};
use super::path::KeyPath;
use super::syntax::read_json5;
use crate::instance::Brand;

/// The path of every secret. A test keeps it equal to the schema.
pub const SECRETS: [&str; 4] =
    ["gateway.auth.token", "gateway.auth.password", "gateway.remote.token", "gateway.remote.password"];

/// Parts of names under which nothing is shown, in lower case, without `_` and `-`.
const TELLING: [&str; 7] = ["token", "password", "passwd", "secret", "apikey", "privatekey", "credential"];

/// Whether the value at a path is a secret: one of [`SECRETS`], or inside one.
pub fn is_secret(path: &KeyPath) -> bool {
    SECRETS.iter().any(|secret| KeyPath::from(*secret).holds(path))
}

/// Replaces every secret of a configuration by the brand's mark (protocol notes §3.15).
pub fn redact(value: &mut Value, brand: Brand) {
    redact_at(value, &KeyPath::ROOT, brand);
}

/// Replaces every secret of the value that stands at a path of a configuration.
pub fn redact_at(value: &mut Value, path: &KeyPath, brand: Brand) {
    redact_below(value, &mut path.clone(), &brand.redacted());
}

fn redact_below(value: &mut Value, path: &mut KeyPath, mark: &str) {
    if hides(path, value.is_object()) {
        *value = Value::from(mark);
        return;
    }
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                path.push_key(key);
                redact_below(member, path, mark);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                path.push_index(index);
                redact_below(item, path, mark);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Replaces every secret in the text of a configuration, leaving the rest as it is, comments too. `None` when the text
/// is malformed, so that nobody can tell what is a secret in it.
///
/// Comments are shown as they are: a secret in a comment is not found.
pub fn redact_text(text: &str, brand: Brand) -> Option<String> {
    let root = read_json5(text, 0, &KeyPath::ROOT, &mut Vec::new()).ok()?;
    let mut places = Vec::new();
    secret_places(&root, &mut KeyPath::ROOT.clone(), &mut places);
    // A byte order mark was read as blanks of the same length.
    let (mut shown, mut from) = (String::with_capacity(text.len()), 0);
    for (start, end) in places {
        shown.push_str(text.get(from..start)?);
        shown.push_str(&format!("\"{}\"", brand.redacted()));
        from = end;
    }
    shown.push_str(text.get(from..)?);
    Some(shown)
}

fn secret_places(node: &Node, path: &mut KeyPath, found: &mut Vec<(usize, usize)>) {
    if hides(path, matches!(node.kind, Kind::Object(_))) {
        found.push((node.place.start, node.place.end));
        return;
    }
    match &node.kind {
        Kind::Object(members) => {
            for member in members {
                path.push_key(&member.key);
                secret_places(&member.value, path, found);
                path.pop();
            }
        }
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push_index(index);
                secret_places(item, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Whether the value at a path is not to be shown. An object is looked into, except where a secret must be.
fn hides(path: &KeyPath, is_object: bool) -> bool {
    let name = path.segments().iter().rev().find_map(|segment| segment.key()).unwrap_or_default();
    let name = name.to_lowercase().replace(['_', '-'], "");
    let misplaced =
        || SECRETS.iter().any(|secret| *path != KeyPath::ROOT && path.holds(&KeyPath::from(*secret)));
    is_secret(path) || !is_object && (TELLING.iter().any(|part| name.contains(part)) || misplaced())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_hidden_wherever_they_may_stand() {
        let mut value = json!({
            "gateway": {
                "port": 1, "auth": {"mode": "token", "token": "s1", "password": {"value": "s2"}}, "token": "s3",
                "remote": "s4", "authToken": 5, "trustedProxies": ["10.0.0.1"],
            },
            "models": {"providers": {"secretlabs": {"api_key": "s6", "apiKeys": ["s7"], "models": [{"id": "m"}]}}},
        });
        redact(&mut value, Brand::Fased);
        let mark = "__FASED_REDACTED__";
        assert_eq!(
            value,
            json!({
                "gateway": {
                    "port": 1, "auth": {"mode": "token", "token": mark, "password": mark}, "token": mark,
                    "remote": mark, "authToken": mark, "trustedProxies": ["10.0.0.1"],
                },
                "models": {"providers": {"secretlabs": {"api_key": mark, "apiKeys": mark, "models": [{"id": "m"}]}}},
            })
        );
    }

    #[test]
    fn a_part_of_a_configuration_is_redacted_by_where_it_stands() {
        for (path, hidden) in
            [("gateway.auth.token", true), ("gateway.auth.mode", false), ("agents.list[1].id", false)]
        {
            let mut value = json!("x");
            redact_at(&mut value, &path.parse().unwrap(), Brand::Fased);
            assert_eq!(value != "x", hidden, "{path}");
        }
    }

    #[test]
    fn a_text_is_shown_as_it_is_but_for_its_secrets() {
        let text = "\u{feff}{ // the gateway\n  gateway: { auth: { token: 'é-secret', \"password\": '${PW}', }, port: 1 },\n}\n";
        let shown = redact_text(text, Brand::Mayros).unwrap();
        let mark = "\"__MAYROS_REDACTED__\"";
        assert_eq!(
            shown,
            format!(
                "\u{feff}{{ // the gateway\n  gateway: {{ auth: {{ token: {mark}, \"password\": {mark}, }}, port: 1 }},\n}}\n"
            )
        );
        assert_eq!(redact_text("{ token: 's', ", Brand::Mayros), None);
        assert_eq!(redact_text("'secret'", Brand::Mayros).as_deref(), Some("'secret'"));
    }
}
