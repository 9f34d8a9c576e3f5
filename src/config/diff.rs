//! Which settings differ between two configurations.

use serde_json::{Map, Value};

use super::path::KeyPath;

/// The paths at which two resolved configurations differ: the innermost keys, lists as a whole (protocol notes §7.7).
///
/// A section that appears or goes is a difference in each of its keys; an empty one is a difference of its own.
pub fn changed_paths(old: &Value, new: &Value) -> Vec<KeyPath> {
    let mut found = Vec::new();
    compare_values(Some(old), Some(new), &mut KeyPath::ROOT.clone(), &mut found);
    found
}

fn compare_values(old: Option<&Value>, new: Option<&Value>, path: &mut KeyPath, found: &mut Vec<KeyPath>) {
    let none = Map::new();
    let (old_members, new_members) = match (old, new) {
        _ if old == new => return,
        (Some(Value::Object(old)), Some(Value::Object(new))) => (old, new),
        (Some(Value::Object(old)), None) if !old.is_empty() => (old, &none),
        (None, Some(Value::Object(new))) if !new.is_empty() => (&none, new),
        _ => return found.push(path.clone()),
    };
    let added = new_members.keys().filter(|key| !old_members.contains_key(*key));
    for key in old_members.keys().chain(added) {
        path.push_key(key);
        compare_values(old_members.get(key), new_members.get(key), path, found);
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_found_at_the_innermost_keys() {
        let table = [
            (json!({}), json!({}), ""),
            (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"c": 2, "b": 1}}), ""),
            (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": 2, "c": 2}}), "a.b"),
            (json!({"a": [1, 2]}), json!({"a": [2, 1]}), "a"),
            (json!({"a": [{"b": 1}]}), json!({"a": [{"b": 2}]}), "a"),
            (json!({}), json!({"a": {"b": 1, "c": {"d": 2}}}), "a.b a.c.d"),
            (json!({"a": {"b": 1}, "x": 1}), json!({"y": 1}), "a.b x y"),
            (json!({}), json!({"a": {}}), "a"),
            (json!({"a": {"b": 1}}), json!({"a": {}}), "a.b"),
            (json!({"a": {"b": 1}}), json!({"a": 1}), "a"),
            (json!({"a": 1}), json!({"a": null}), "a"),
            (json!(1), json!({}), "<root>"),
        ];
        for (old, new, expected) in table {
            let paths = |old, new| changed_paths(old, new).iter().map(KeyPath::to_string).collect::<Vec<_>>();
            assert_eq!(paths(&old, &new).join(" "), expected, "{old} -> {new}");
            let (mut there, mut back) = (paths(&old, &new), paths(&new, &old));
            there.sort();
            back.sort();
            assert_eq!(there, back, "a difference is one in both directions");
        }
    }
}
