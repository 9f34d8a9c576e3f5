//! `config.get`, `config.schema`: the configuration as the gateway sees it (§3.15).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::protocol::method::{Ignored, Method};
use crate::protocol::scope::{Access, Scope};

/// `config.get`: the file and what it means; secrets are replaced by a sentinel.
pub enum ConfigGet {}

impl Method for ConfigGet {
    const NAME: &'static str = "config.get";
    const ACCESS: Access = Access::Operator(Scope::Read);
    type Params = Ignored;
    type Output = ConfigSnapshot;
}

/// The file and what it means.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigSnapshot {
    /// The file.
    pub path: String,
    /// Whether it is there.
    pub exists: bool,
    /// Its text.
    pub raw: Option<String>,
    /// Its text as a value.
    pub parsed: Value,
    /// The same after includes and substitution.
    pub resolved: Value,
    /// Whether it can be used.
    pub valid: bool,
    /// The same with defaults.
    pub config: Value,
    /// Hex SHA-256 of the text; of the empty text when there is no file.
    pub hash: String,
    /// What is wrong with it.
    pub issues: Vec<Issue>,
    /// What should be looked at.
    pub warnings: Vec<Issue>,
    /// Keys of older versions; there are none.
    pub legacy_issues: Vec<Issue>,
}

/// Something wrong in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Issue {
    /// The key: `gateway.port`.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

/// `config.schema`: the JSON Schema of the configuration.
pub enum ConfigSchema {}

impl Method for ConfigSchema {
    const NAME: &'static str = "config.schema";
    // §3.2: `config.*` is for administrators, but the later revision lets readers see it, and the Control UI asks
    // for it in views that readers have.
    const ACCESS: Access = Access::Operator(Scope::Read);
    type Params = Ignored;
    type Output = SchemaAnswer;
}

/// The JSON Schema of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchemaAnswer {
    /// JSON Schema 2020-12.
    pub schema: Value,
    /// How to show keys; empty.
    pub ui_hints: Map<String, Value>,
    /// The program's version.
    pub version: String,
    /// ISO 8601.
    pub generated_at: String,
}
