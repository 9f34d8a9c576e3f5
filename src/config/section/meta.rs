//! `meta`: notes that tools leave in the file.

use schemars::JsonSchema;
use serde::Deserialize;

/// Who touched this file last. Kept when the file is edited, and used for nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Meta {
    /// The version of the tool that touched it last.
    pub last_touched_version: Option<String>,
    /// When that was, as an ISO 8601 time.
    pub last_touched_at: Option<String>,
}
