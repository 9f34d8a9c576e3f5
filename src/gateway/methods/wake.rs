//! `wake`.

use super::{Call, Now};
use crate::gateway::wishes::Wish;
use crate::protocol::error::ErrorShape;
use crate::protocol::method::Done;
use crate::protocol::methods::wake::{Params, Wake, WakeMode};

impl Now for Wake {
    fn handle(call: &Call<'_>, params: Params) -> Result<Done, ErrorShape> {
        let text = params.text.trim();
        if text.is_empty() {
            return Ok(Done { ok: false });
        }
        call.state.notes.push(text);
        if params.mode == WakeMode::Now {
            call.state.wishes.make(Wish::Heartbeat);
        }
        Ok(Done { ok: true })
    }
}
