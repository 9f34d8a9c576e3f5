//! What the manager has in mind for the very process that asks.

use std::time::Duration;

use super::link::Link;
use super::surroundings;
use crate::host::port;
use crate::instance::{Env, Scope};

/// How long the answer is waited for. Whoever asks is about to end and has other things to do.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether the unit that this process runs in is being stopped only to be started again. False also where nobody can
/// tell: in no unit, or without a bus.
pub async fn is_restarting(env: &Env) -> bool {
    let asked = async {
        let unit = port::unit_of_process(std::process::id())?;
        let scope = if unit.user { Scope::User } else { Scope::System };
        let ways = surroundings::ways(&surroundings::see(env), scope).ok()?;
        Link::open(&ways).await.ok()?.pending(&unit.name).await
    };
    let pending = tokio::time::timeout(PATIENCE, asked).await.ok().flatten();
    pending.is_some_and(|job| job == "restart" || job == "try-restart")
}
