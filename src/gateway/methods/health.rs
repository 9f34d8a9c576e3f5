//! `health`: looks, and answers with what it saw. `probe` also tells everybody.

use super::{Call, Now};
use crate::gateway::health;
use crate::gateway::wishes::Wish;
use crate::protocol::error::ErrorShape;
use crate::protocol::methods::health::{Health, HealthSnapshot, Params};

impl Now for Health {
    fn handle(call: &Call<'_>, params: Params) -> Result<HealthSnapshot, ErrorShape> {
        if params.probe == Some(true) {
            call.state.wishes.make(Wish::Health);
        }
        Ok(health::look(&call.state.settings.load(), &call.state.instance.paths.state_dir))
    }
}
