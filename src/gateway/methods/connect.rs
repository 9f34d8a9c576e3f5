//! `connect`, again.

use super::{Call, Now};
use crate::protocol::error::ErrorShape;
use crate::protocol::method::{Done, Ignored};
use crate::protocol::methods::connect::Connect;

impl Now for Connect {
    fn handle(_: &Call<'_>, _: Ignored) -> Result<Done, ErrorShape> {
        Err(ErrorShape::invalid("connect is only valid as the first request"))
    }
}
