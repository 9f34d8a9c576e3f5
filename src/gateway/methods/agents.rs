//! `agents.list`.

use super::{Call, Now};
use crate::protocol::error::ErrorShape;
use crate::protocol::method::Ignored;
use crate::protocol::methods::agents::{Agents, AgentsList};

impl Now for AgentsList {
    fn handle(call: &Call<'_>, _: Ignored) -> Result<Agents, ErrorShape> {
        Ok(call.state.settings.load().agents.clone())
    }
}
