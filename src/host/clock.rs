//! The wall clock, in the unit the protocol uses.

use std::time::UNIX_EPOCH;

/// Milliseconds since 1970-01-01 UTC.
#[expect(clippy::disallowed_methods, reason = "this is the wall clock the lint points to")]
pub fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
