//! `models.list`.

use super::{Call, Now};
use crate::protocol::error::ErrorShape;
use crate::protocol::method::Ignored;
use crate::protocol::methods::models::{Models, ModelsList};

impl Now for ModelsList {
    fn handle(call: &Call<'_>, _: Ignored) -> Result<Models, ErrorShape> {
        Ok(call.state.settings.load().models.clone())
    }
}
