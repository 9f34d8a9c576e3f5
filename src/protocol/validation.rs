//! Says what is wrong with a value that did not fit, in the words clients know from AJV (§2.3): every issue, as
//! `at /path: message`, joined with `; `.
//!
//! Runs only after a typed decode has failed, so its speed does not matter; it walks the JSON Schema that the same
//! type emits. It knows the keywords our schemas use and no others.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

/// Issues that are said at most. A frame of a stranger can have as many as it has bytes, and each costs us more to say
/// than it cost to send.
const MAX_ISSUES: usize = 32;

/// What is wrong with `value` as a `T`. `fallback` is said when the schema finds nothing (a rule beyond it failed).
pub fn explain<T: JsonSchema>(value: &Value, fallback: &str) -> String {
    let schema = SchemaGenerator::default().into_root_schema_for::<T>().to_value();
    explain_schema(&schema, value, fallback)
}

/// The same for a schema that is at hand.
pub fn explain_schema(schema: &Value, value: &Value, fallback: &str) -> String {
    let mut found = Found::new(schema);
    found.check(schema, value, "");
    if found.issues.is_empty() {
        return if fallback.is_empty() { "unknown validation error" } else { fallback }.to_owned();
    }
    let more = if found.more { "; and more" } else { "" };
    found.issues.join("; ") + more
}

struct Found<'a> {
    root: &'a Value,
    issues: Vec<String>,
    /// Whether there are issues that are not said.
    more: bool,
}

impl<'a> Found<'a> {
    fn new(root: &'a Value) -> Self {
        Self { root, issues: Vec::new(), more: false }
    }

    fn say(&mut self, path: &str, message: &str) {
        self.add(if path.is_empty() { message.to_owned() } else { format!("at {path}: {message}") });
    }

    fn add(&mut self, issue: String) {
        if self.issues.contains(&issue) {
            return;
        }
        if self.issues.len() < MAX_ISSUES {
            self.issues.push(issue);
        } else {
            self.more = true;
        }
    }

    fn check(&mut self, schema: &'a Value, value: &Value, path: &str) {
        // What comes after the last issue that is said need not be looked at.
        if self.more {
            return;
        }
        let Some(schema) = self.resolve(schema) else { return };
        if let Some(expected) = schema.get("type")
            && !type_fits(expected, value)
        {
            self.say(path, &format!("must be {}", type_words(expected)));
            return;
        }
        if schema.get("const").is_some_and(|constant| constant != value) {
            self.say(path, "must be equal to constant");
        }
        if schema.get("enum").and_then(Value::as_array).is_some_and(|allowed| !allowed.contains(value)) {
            self.say(path, "must be equal to one of the allowed values");
        }
        self.check_limits(schema, value, path);
        match value {
            Value::Object(object) => self.check_object(schema, object, path),
            Value::Array(items) => {
                if let Some(item_schema) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        if self.more {
                            break;
                        }
                        self.check(item_schema, item, &format!("{path}/{index}"));
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        for (keyword, message) in
            [("anyOf", "must match a schema in anyOf"), ("oneOf", "must match exactly one schema in oneOf")]
        {
            if let Some(branches) = schema.get(keyword).and_then(Value::as_array) {
                self.check_branches(branches, value, path, message);
            }
        }
    }

    fn check_limits(&mut self, schema: &Map<String, Value>, value: &Value, path: &str) {
        let limit = |name: &str| schema.get(name).and_then(Value::as_f64);
        if let (Some(min), Some(number)) = (limit("minimum"), value.as_f64())
            && number < min
        {
            self.say(path, &format!("must be >= {min}"));
        }
        if let (Some(max), Some(number)) = (limit("maximum"), value.as_f64())
            && number > max
        {
            self.say(path, &format!("must be <= {max}"));
        }
        let length = value.as_str().map(|text| text.chars().count() as f64);
        if let (Some(min), Some(length)) = (limit("minLength"), length)
            && length < min
        {
            self.say(path, &format!("must NOT have fewer than {min} characters"));
        }
    }

    fn check_object(&mut self, schema: &'a Map<String, Value>, object: &Map<String, Value>, path: &str) {
        for name in
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            if !object.contains_key(name) {
                self.say(path, &format!("must have required property '{name}'"));
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let known = |name: &str| properties.and_then(|properties| properties.get(name));
        if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
            for name in object.keys().filter(|name| known(name).is_none()) {
                if self.more {
                    break;
                }
                let place = if path.is_empty() { "root" } else { path };
                self.add(format!("at {place}: unexpected property '{name}'"));
            }
        }
        for (name, value) in object {
            if let Some(property) = known(name) {
                self.check(property, value, &format!("{path}/{name}"));
            }
        }
    }

    fn check_branches(&mut self, branches: &'a [Value], value: &Value, path: &str, message: &str) {
        // That an optional field may be null is our leniency, not the protocol's: it is no branch to speak of.
        let (null, branches): (Vec<_>, Vec<_>) =
            branches.iter().partition(|branch| branch.get("type").is_some_and(|name| name == "null"));
        if !null.is_empty() && value.is_null() {
            return;
        }
        if let [only] = branches.as_slice() {
            return self.check(only, value, path);
        }
        let mut failed = Vec::new();
        for branch in branches {
            let mut probe = Found::new(self.root);
            probe.check(branch, value, path);
            if probe.issues.is_empty() {
                return;
            }
            failed.extend(probe.issues);
        }
        for issue in failed {
            self.add(issue);
        }
        self.say(path, message);
    }

    /// Follows `$ref`; a boolean schema has nothing to check.
    fn resolve(&self, schema: &'a Value) -> Option<&'a Map<String, Value>> {
        let schema = match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.root.pointer(reference.strip_prefix('#')?)?,
            None => schema,
        };
        schema.as_object()
    }
}

fn type_fits(expected: &Value, value: &Value) -> bool {
    let fits = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    };
    match expected {
        Value::String(name) => fits(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(fits),
        _ => true,
    }
}

/// `string` of `["string", "null"]`: that an optional field may be null is our leniency, not the protocol's.
fn type_words(expected: &Value) -> String {
    match expected {
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str).filter(|name| *name != "null");
            names.collect::<Vec<_>>().join(",")
        }
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn issues_are_said_as_ajv_says_them() {
        let schema = json!({
            "type": "object",
            "required": ["client", "n"],
            "additionalProperties": false,
            "properties": {
                "n": { "type": "integer", "minimum": 1 },
                "name": { "type": ["string", "null"], "minLength": 1 },
                "list": { "type": "array", "items": { "type": "string" } },
                "client": { "$ref": "#/$defs/client" },
                "maybe": { "anyOf": [{ "$ref": "#/$defs/client" }, { "type": "null" }] },
            },
            "$defs": { "client": {
                "type": "object",
                "additionalProperties": false,
                "properties": { "id": { "anyOf": [{ "const": "a" }, { "const": "b" }] } },
            } },
        });
        let table = [
            (json!(1), "must be object"),
            (json!({}), "must have required property 'client'; must have required property 'n'"),
            (
                json!({ "n": 0, "client": { "id": "c" } }),
                "at /n: must be >= 1; at /client/id: must be equal to constant; at /client/id: must match a schema in anyOf",
            ),
            (
                json!({ "n": 1.5, "client": { "x": 1 }, "y": 1 }),
                "at root: unexpected property 'y'; at /n: must be integer; at /client: unexpected property 'x'",
            ),
            (
                json!({ "n": 1, "client": {}, "name": "", "list": ["a", 1] }),
                "at /name: must NOT have fewer than 1 characters; at /list/1: must be string",
            ),
            (json!({ "n": 1, "client": {}, "maybe": { "x": 1 } }), "at /maybe: unexpected property 'x'"),
            (json!({ "n": 1, "client": {}, "maybe": null }), "unknown validation error"),
            (json!({ "n": 1, "client": {} }), "unknown validation error"),
        ];
        for (value, issues) in table {
            assert_eq!(explain_schema(&schema, &value, ""), issues, "{value}");
        }
        assert_eq!(explain_schema(&schema, &json!({ "n": 1, "client": {} }), "beyond"), "beyond");
    }

    #[test]
    fn a_hostile_value_is_explained_in_a_bounded_time_and_length() {
        let schema = json!({ "items": { "type": "string" }, "additionalProperties": false });
        let items = Value::Array(vec![json!(1); 1_000_000]);
        let properties: Map<String, Value> = (0..100_000).map(|n| (n.to_string(), json!(1))).collect();
        for value in [items, properties.into()] {
            let said = explain_schema(&schema, &value, "");
            assert_eq!(said.split("; ").count(), MAX_ISSUES + 1);
            assert!(said.ends_with("; and more"), "{said}");
        }
        let exactly = Value::Array(vec![json!(1); MAX_ISSUES]);
        assert!(!explain_schema(&schema, &exactly, "").contains("more"));
    }
}
