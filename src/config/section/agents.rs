//! `agents`: who answers, and what all of them have in common.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FilePath, Interval};

/// The agents and what they have in common.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Agents {
    /// What an agent has that does not say otherwise.
    pub defaults: AgentDefaults,
    /// The agents. Without any there is one, called `main`.
    pub list: Vec<Agent>,
}

/// What an agent has that does not say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AgentDefaults {
    /// The directory agents work in, instead of `workspace` in the state directory. Each gateway needs its own.
    pub workspace: Option<FilePath>,
    /// The regular look at whether there is something to do.
    pub heartbeat: Heartbeat,
}

/// The regular look at whether there is something to do.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Heartbeat {
    /// How often, such as `30m`; `0s` for never.
    pub every: Interval,
    /// What the agent is asked.
    pub prompt: Option<String>,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { every: Interval::minutes(30), prompt: None }
    }
}

/// One agent.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Agent {
    /// The agent's name in session keys and directories. No two agents have the same.
    pub id: AgentId,
    /// The name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether it answers where no agent is named; at most one is. Without one, the first of the list.
    #[serde(default)]
    pub default: bool,
    /// The directory it works in, instead of the one of `agents.defaults`.
    #[serde(default)]
    pub workspace: Option<FilePath>,
    /// How it presents itself.
    #[serde(default)]
    pub identity: Option<Identity>,
}

/// How an agent presents itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Identity {
    /// The name it calls itself.
    pub name: Option<String>,
    /// Its character, in a few words.
    pub theme: Option<String>,
    /// An emoji that stands for it.
    pub emoji: Option<String>,
    /// Its picture: a URL, or a path in its workspace.
    pub avatar: Option<String>,
}

/// An agent's name: a lower-case letter or digit, then up to 63 of lower-case letters, digits, `_` and `-`.
// Source: protocol notes §5.7.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("pattern" = "^[a-z0-9][a-z0-9_-]{0,63}$"))]
pub struct AgentId(String);

/// A text is not an agent's name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to 64 lower-case letters, digits, \"_\" or \"-\", beginning with a letter or digit")]
pub struct NotAnAgentId;

impl AgentId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AgentId {
    type Error = NotAnAgentId;

    fn try_from(text: String) -> Result<Self, NotAnAgentId> {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first = text.bytes().next().is_some_and(word);
        let rest = text.bytes().all(|byte| word(byte) || byte == b'_' || byte == b'-');
        if first && rest && text.len() <= 64 { Ok(Self(text)) } else { Err(NotAnAgentId) }
    }
}

impl From<AgentId> for String {
    fn from(id: AgentId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agent_names_are_fit_for_directories_and_session_keys() {
        let long = "a".repeat(64);
        for good in ["main", "0", "dev-2_b", &long] {
            assert_eq!(AgentId::try_from(good.to_owned()).unwrap().as_str(), good);
        }
        let too_long = "a".repeat(65);
        for bad in ["", "Main", "-a", "_a", "a.b", "a:b", "a/b", "ä", &too_long] {
            assert_eq!(AgentId::try_from(bad.to_owned()), Err(NotAnAgentId), "{bad}");
        }
    }
}
