//! A method is a type: its name, who may call it, what goes in and what comes out.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::scope::Access;

/// A method of the protocol. The server's table, the client's calls and the schema all follow from it.
pub trait Method {
    /// The name on the wire.
    const NAME: &'static str;
    /// Who may call it.
    const ACCESS: Access;
    /// What is said of parameters that do not fit, where the protocol has words of its own for it.
    const INVALID_PARAMS: Option<&'static str> = None;
    /// What goes in.
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// What comes out.
    type Output: Serialize + DeserializeOwned + JsonSchema + 'static;
}

/// Parameters that are not looked at, whatever they are.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Ignored {}

impl JsonSchema for Ignored {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ignored".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self {})
    }
}

/// `{"ok": true}`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// Whether anything was done.
    pub ok: bool,
}
