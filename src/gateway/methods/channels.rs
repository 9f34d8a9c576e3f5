//! `channels.status`.

use super::{Call, Now};
use crate::gateway::health;
use crate::protocol::error::ErrorShape;
use crate::protocol::methods::channels::{ChannelsReport, ChannelsStatus, Params};

impl Now for ChannelsStatus {
    fn handle(call: &Call<'_>, params: Params) -> Result<ChannelsReport, ErrorShape> {
        if params.timeout_ms.is_some_and(|timeout| timeout < 1000) {
            return Err(ErrorShape::invalid(
                "invalid channels.status params: at /timeoutMs: must be >= 1000",
            ));
        }
        let state = call.state;
        let probe = params.probe == Some(true);
        Ok(health::channels(&state.settings.load(), state.started_ms, call.caller.webchat, probe))
    }
}
