//! The one look at the process environment.

use crate::instance::Env;

/// Takes the snapshot that everything else is given.
#[expect(clippy::disallowed_methods, reason = "this is the snapshot the lint points to")]
pub fn snapshot() -> Env {
    std::env::vars_os().collect()
}
