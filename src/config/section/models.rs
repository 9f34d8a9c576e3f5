//! `models`: the models that agents may use, by provider.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Bounded;

/// The models that agents may use.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Models {
    /// The providers, by a name of your choice.
    pub providers: BTreeMap<String, Provider>,
}

/// Somebody who serves models.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Provider {
    /// The provider's models.
    pub models: Vec<Model>,
}

/// One model.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Model {
    /// The provider's name for the model. No two models of a provider have the same.
    pub id: String,
    /// The name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// How many tokens the model can consider at once.
    #[serde(default)]
    pub context_window: Option<Bounded<1, 1_000_000_000>>,
    /// Whether the model thinks before it answers.
    #[serde(default)]
    pub reasoning: Option<bool>,
}
