//! `logs.tail`: the gateway's own log from a cursor on (§3.17).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::method::Method;
use crate::protocol::scope::{Access, Scope};

/// Most lines of one answer.
pub const LIMIT_MAX: u64 = 5000;
/// Lines of an answer when nothing is said.
pub const LIMIT_DEFAULT: u64 = 500;
/// Most bytes of one answer.
pub const BYTES_MAX: u64 = 1_000_000;
/// Bytes of an answer when nothing is said.
pub const BYTES_DEFAULT: u64 = 250_000;

/// `logs.tail`.
pub enum LogsTail {}

impl Method for LogsTail {
    const NAME: &'static str = "logs.tail";
    const ACCESS: Access = Access::Operator(Scope::Read);
    type Params = Params;
    type Output = Tail;
}

/// What part of the log is asked for.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Params {
    /// Where the last answer ended, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
    /// Most lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u64>,
    /// Most bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_bytes: Option<u64>,
}

/// A part of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tail {
    /// The file.
    pub file: String,
    /// Where this answer ends, bytes: the next one's `cursor`.
    pub cursor: u64,
    /// The file's size, bytes.
    pub size: u64,
    /// Whole lines.
    pub lines: Vec<String>,
    /// Whether lines were left out to keep the limits.
    pub truncated: bool,
    /// Whether the cursor was no good (the file was rotated, or the gap was too large) and this is the end of the
    /// file instead.
    pub reset: bool,
}
