//! `models.list`: the models that are configured (§3.18).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::method::{Ignored, Method};
use crate::protocol::scope::{Access, Scope};

/// `models.list`.
pub enum ModelsList {}

impl Method for ModelsList {
    const NAME: &'static str = "models.list";
    const ACCESS: Access = Access::Operator(Scope::Read);
    type Params = Ignored;
    type Output = Models;
}

/// The models.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Models {
    /// In the order they are configured.
    pub models: Vec<Model>,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// The provider's name for it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Who serves it.
    pub provider: String,
    /// Its context, tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    /// Whether it reasons before it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<bool>,
}
