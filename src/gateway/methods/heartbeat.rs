//! `last-heartbeat`, `set-heartbeats`.

use super::{Call, Now};
use crate::protocol::error::ErrorShape;
use crate::protocol::event::HeartbeatNote;
use crate::protocol::method::Ignored;
use crate::protocol::methods::heartbeat::{LastHeartbeat, SetHeartbeats, Switch, Switched};

impl Now for LastHeartbeat {
    fn handle(call: &Call<'_>, _: Ignored) -> Result<Option<HeartbeatNote>, ErrorShape> {
        Ok(call.state.heartbeats.last())
    }
}

impl Now for SetHeartbeats {
    fn handle(call: &Call<'_>, switch: Switch) -> Result<Switched, ErrorShape> {
        call.state.heartbeats.set_enabled(switch.enabled);
        Ok(Switched { ok: true, enabled: switch.enabled })
    }
}
