//! `agents.list`: the agents that are configured (§3.18).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::method::{Ignored, Method};
use crate::protocol::scope::{Access, Scope};

/// `agents.list`.
pub enum AgentsList {}

impl Method for AgentsList {
    const NAME: &'static str = "agents.list";
    const ACCESS: Access = Access::Operator(Scope::Read);
    type Params = Ignored;
    type Output = Agents;
}

/// The agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Agents {
    /// Who answers when nobody is named.
    pub default_id: String,
    /// The short name of the main session.
    pub main_key: String,
    /// `per-sender` or `global`.
    pub scope: String,
    /// In the order they are configured.
    pub agents: Vec<Agent>,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it presents itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

/// How an agent presents itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its theme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theme: Option<String>,
    /// Its emoji.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// Its picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
}
