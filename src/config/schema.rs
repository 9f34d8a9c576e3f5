//! The JSON Schema of the configuration, and what follows from it: defaults, and which paths there are.
//!
//! Made from the types on demand. Loading a configuration does not need it: a daemon that starts has no time for it.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value};

use super::decode::nearest_word;
use super::path::{KeyPath, Segment};
use super::section::Config;

/// The JSON Schema (2020-12) of a configuration whose includes and variables are in place. The same on every call.
pub fn config_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null));
    let mut schema = settings.into_generator().into_root_schema_for::<Config>();
    schema.insert("title".to_owned(), "Gateway configuration".into());
    let note = "What the file must be once every $include is merged in and every ${NAME} is replaced.";
    schema.insert("$comment".to_owned(), note.into());
    schema.to_value()
}

/// A key is left out, never null: drops what schemars says of an `Option` beyond that.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if object.get("default") == Some(&Value::Null) {
        object.shift_remove("default");
    }
    let Some(Value::Array(choices)) = object.get("anyOf") else { return };
    let rest: Vec<&Value> = choices.iter().filter(|choice| choice["type"] != "null").collect();
    if let ([Value::Object(only)], true) = (rest.as_slice(), rest.len() < choices.len()) {
        let only = only.clone();
        object.shift_remove("anyOf");
        for (key, value) in only {
            // The field's own description says more than its type's.
            object.entry(key).or_insert(value);
        }
    }
}

/// A configuration with every default written out, keys in the order of the schema.
pub fn with_defaults(configured: &Value) -> Value {
    let schema = config_schema();
    Shape { root: &schema, schema: &schema }
        .filled(Some(configured))
        .unwrap_or_else(|| Value::Object(Map::new()))
}

/// There is no such setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no setting {path}{}", .hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default())]
pub struct NoSuchSetting {
    /// The path as far as it leads into nothing.
    pub path: KeyPath,
    /// What was probably meant.
    pub hint: Option<String>,
}

/// What is known of a setting without looking at any configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its value is a text, whatever else the text may look like.
    pub takes_text: bool,
}

/// Whether a configuration can have a value at this path, and what is known of it.
pub fn find_setting(path: &KeyPath) -> Result<Setting, NoSuchSetting> {
    let schema = config_schema();
    let mut shape = Shape { root: &schema, schema: &schema };
    let mut reached = Vec::new();
    for segment in path.segments() {
        reached.push(segment.clone());
        shape = shape.step(segment).ok_or_else(|| {
            let known: Vec<&str> = shape.properties().map(|(name, _)| name.as_str()).collect();
            let hint = segment.key().and_then(|key| nearest_word(key, &known));
            let listing = (!known.is_empty()).then(|| format!("known keys: {}", known.join(", ")));
            NoSuchSetting { path: reached.iter().cloned().collect(), hint: hint.or(listing) }
        })?;
    }
    let words =
        shape.schema["oneOf"].as_array().is_some_and(|all| all.iter().all(|one| one["type"] == "string"));
    Ok(Setting { takes_text: words || shape.schema["type"] == "string" })
}

/// A schema within the root schema, which holds the definitions.
#[derive(Clone, Copy)]
struct Shape<'s> {
    root: &'s Value,
    schema: &'s Value,
}

impl<'s> Shape<'s> {
    fn of(self, schema: &'s Value) -> Self {
        let definition = schema["$ref"].as_str().and_then(|at| self.root.pointer(at.trim_start_matches('#')));
        Self { schema: definition.unwrap_or(schema), ..self }
    }

    fn properties(self) -> impl Iterator<Item = (&'s String, &'s Value)> {
        self.schema["properties"].as_object().into_iter().flatten()
    }

    /// The schema of any key, for objects whose keys are free.
    fn free_keys(self) -> Option<Self> {
        self.schema
            .get("additionalProperties")
            .filter(|schema| schema.is_object())
            .map(|schema| self.of(schema))
    }

    fn step(self, segment: &Segment) -> Option<Self> {
        if let Some(items) = self.schema.get("items") {
            return segment.index().map(|_| self.of(items));
        }
        let key = segment.key()?;
        let property = self.schema["properties"].get(key).map(|schema| self.of(schema));
        property.or_else(|| self.free_keys())
    }

    /// The value with its defaults; `None` when there is neither.
    fn filled(self, value: Option<&Value>) -> Option<Value> {
        let members = match value {
            Some(Value::Array(items)) => {
                let items = items.iter().map(|item| match self.schema.get("items") {
                    Some(schema) => self.of(schema).filled(Some(item)).unwrap_or_default(),
                    None => item.clone(),
                });
                return Some(items.collect());
            }
            Some(Value::Object(members)) => Some(members),
            Some(scalar) => return Some(scalar.clone()),
            // Where something must be given, the whole is there only when somebody gives it.
            None if self.schema.get("required").is_some() => return None,
            None => None,
        };
        let mut filled = Map::new();
        for (name, property) in self.properties() {
            let given = members.and_then(|members| members.get(name));
            let default = given.is_none().then(|| property.get("default").cloned()).flatten();
            if let Some(value) = default.or_else(|| self.of(property).filled(given)) {
                filled.insert(name.clone(), value);
            }
        }
        for (key, value) in
            members.into_iter().flatten().filter(|(key, _)| self.schema["properties"].get(key).is_none())
        {
            let value =
                self.free_keys().and_then(|shape| shape.filled(Some(value))).unwrap_or_else(|| value.clone());
            filled.insert(key.clone(), value);
        }
        (value.is_some() || !filled.is_empty()).then_some(Value::Object(filled))
    }

    /// The paths of all secrets at or below this schema. Secrets in lists or under free keys have none.
    #[cfg(test)]
    fn secrets(self, path: &KeyPath, found: &mut Vec<String>) {
        if self.schema["writeOnly"] == true {
            found.push(path.to_string());
        }
        for (name, property) in self.properties() {
            self.of(property).secrets(&path.child(name), found);
        }
        for inner in self.schema.get("items").map(|items| self.of(items)).into_iter().chain(self.free_keys())
        {
            inner.secrets(&path.child("*"), found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Source;
    use crate::instance::{Brand, Env};
    use serde_json::json;

    fn config(value: &Value) -> Result<Config, usize> {
        let source = Source {
            path: "/nowhere/x.json".into(),
            brand: Brand::Idlehands,
            env: Env::default(),
            credentials: None,
        };
        source.interpret(Some(value.to_string())).config.map_err(|problems| problems.len())
    }

    /// Configurations, and whether they are valid.
    fn examples() -> Vec<(Value, bool)> {
        vec![
            (json!({}), true),
            (
                json!({"gateway": {"port": 1, "mode": "local", "bind": "custom", "customBindHost": "10.0.0.1"}}),
                true,
            ),
            (
                json!({"gateway": {"auth": {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "X-User"}},
                "trustedProxies": ["10.0.0.0/8"]}}),
                true,
            ),
            (json!({"gateway": {"remote": {"url": "wss://x", "token": "t"}, "drainTimeoutMs": 0}}), true),
            (
                json!({"agents": {"list": [{"id": "main", "identity": {"name": "x"}}], "defaults": {"workspace": "~/w"}}}),
                true,
            ),
            (json!({"models": {"providers": {"p": {"models": [{"id": "m", "contextWindow": 1}]}}}}), true),
            (json!({"channels": {"webchat": {"enabled": false}}, "meta": {"lastTouchedVersion": "1"}}), true),
            (json!({"logging": {"level": "trace", "file": "/x", "maxBytes": 65536}}), true),
            (json!({"gateway": {"port": 0}}), false),
            (json!({"gateway": {"port": 65536}}), false),
            (json!({"gateway": {"port": null}}), false),
            (json!({"gateway": {"mode": "here"}}), false),
            (json!({"gateway": {"auth": {"token": ""}}}), false),
            (json!({"gateway": {"auth": {"token": 5}}}), false),
            (json!({"gateway": {"auth": {"trustedProxy": {}}}}), false),
            (json!({"gateway": {"remote": {"url": "http://x"}}}), false),
            (json!({"gateway": {"odd": 1}}), false),
            (json!({"agents": {"list": [{"name": "no id"}]}}), false),
            (json!({"agents": {"list": [{"id": "No Id"}]}}), false),
            (json!({"agents": {"defaults": {"workspace": "relative"}}}), false),
            (json!({"logging": {"maxBytes": 1}}), false),
            (json!([]), false),
        ]
    }

    #[test]
    fn schema_and_types_agree_on_what_is_valid() {
        let validator = jsonschema::draft202012::new(&config_schema()).unwrap();
        for (value, valid) in examples() {
            assert_eq!(config(&value).is_ok(), valid, "types: {value}");
            assert_eq!(validator.is_valid(&value), valid, "schema: {value}");
        }
    }

    #[test]
    fn the_schema_is_json_schema_and_the_same_every_time() {
        let schema = config_schema();
        assert!(jsonschema::meta::is_valid(&schema));
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema.to_string(), config_schema().to_string());
        assert!(!schema.to_string().contains("null"), "a key is left out, never null");
    }

    #[test]
    fn every_setting_is_described() {
        let schema = config_schema();
        let mut silent = Vec::new();
        for (name, definition) in
            schema["$defs"].as_object().unwrap().iter().chain([(&"root".to_owned(), &schema)])
        {
            let properties = definition["properties"].as_object().into_iter().flatten();
            silent.extend(
                properties
                    .filter(|(_, schema)| schema.get("description").is_none())
                    .map(|(key, _)| format!("{name}.{key}")),
            );
        }
        assert_eq!(silent, [""; 0]);
    }

    #[test]
    fn defaults_written_out_mean_the_same_as_defaults_left_out() {
        for (value, _) in examples().into_iter().filter(|(_, valid)| *valid) {
            assert_eq!(config(&with_defaults(&value)), config(&value), "{value}");
        }
        let filled = with_defaults(
            &json!({"gateway": {"auth": {"mode": "none"}}, "odd": [1], "agents": {"list": [{"id": "a"}]}}),
        );
        assert_eq!(
            filled["gateway"]["auth"],
            json!({"mode": "none", "rateLimit": {"maxAttempts": 10, "windowMs": 60000, "lockoutMs": 300000, "exemptLoopback": true}})
        );
        assert_eq!(filled["logging"], json!({"level": "info", "maxBytes": 10_485_760}));
        assert_eq!(
            filled["agents"],
            json!({"defaults": {"heartbeat": {"every": "30m"}}, "list": [{"id": "a", "default": false}]})
        );
        assert_eq!((&filled["odd"], filled.get("meta")), (&json!([1]), None));
    }

    #[test]
    fn settings_are_found_and_near_misses_are_named() {
        for path in [
            "gateway.port",
            "gateway",
            "agents.list[3].id",
            "agents.list.0",
            "models.providers.any.models[0].id",
        ] {
            assert!(find_setting(&path.parse().unwrap()).is_ok(), "{path}");
        }
        for (path, takes_text) in [
            ("gateway.auth.token", true),
            ("gateway.bind", true),
            ("gateway.customBindHost", true),
            ("agents.list[0].id", true),
            ("gateway.port", false),
            ("gateway", false),
            ("gateway.trustedProxies", false),
            ("channels.webchat.enabled", false),
        ] {
            assert_eq!(find_setting(&path.parse().unwrap()), Ok(Setting { takes_text }), "{path}");
        }
        for (path, message) in [
            ("gatway.port", "there is no setting gatway (did you mean \"gateway\"?)"),
            ("gateway.prot", "there is no setting gateway.prot (did you mean \"port\"?)"),
            ("gateway.port.x", "there is no setting gateway.port.x"),
            ("agents.list.first", "there is no setting agents.list.first"),
            ("channels.irc", "there is no setting channels.irc (known keys: webchat)"),
        ] {
            assert_eq!(find_setting(&path.parse().unwrap()).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn the_table_of_secrets_names_exactly_the_secrets_of_the_schema() {
        let (schema, mut found) = (config_schema(), Vec::new());
        Shape { root: &schema, schema: &schema }.secrets(&KeyPath::ROOT, &mut found);
        assert_eq!(found, crate::config::SECRETS);
        let all = json!({"gateway": {"auth": {"token": "a", "password": "b"}, "remote": {"token": "c", "password": "d"}}});
        let config = config(&all).unwrap();
        assert_eq!(config.secrets().map(|(path, _)| path).collect::<Vec<_>>(), crate::config::SECRETS);
    }
}
