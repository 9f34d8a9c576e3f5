//! `logging`: the gateway's own log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bounded, FilePath};

/// The gateway's own log.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Logging {
    /// The least important lines that are still written.
    pub level: Level,
    /// The log file, instead of `logs/gateway.log` in the state directory.
    pub file: Option<FilePath>,
    /// The size in bytes at which the log file is rotated.
    pub max_bytes: Bounded<65_536, 1_073_741_824>,
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: Level::Info, file: None, max_bytes: const { Bounded::of(10 * 1024 * 1024) } }
    }
}

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Level {
    /// Something failed.
    Error,
    /// Somebody should look at it.
    Warn,
    /// What the gateway does.
    Info,
    /// What it does in detail.
    Debug,
    /// Every step.
    Trace,
}
