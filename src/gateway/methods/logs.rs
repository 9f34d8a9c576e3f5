//! `logs.tail`.

use std::sync::Arc;

use super::Later;
use crate::gateway::socket::Caller;
use crate::gateway::state::State;
use crate::host::tail;
use crate::protocol::error::ErrorShape;
use crate::protocol::methods::logs::{
    BYTES_DEFAULT, BYTES_MAX, LIMIT_DEFAULT, LIMIT_MAX, LogsTail, Params, Tail,
};

impl Later for LogsTail {
    async fn handle(state: Arc<State>, _: Caller, params: Params) -> Result<Tail, ErrorShape> {
        let Some(path) = state.log.load_full() else {
            return Err(ErrorShape::unavailable("this gateway runs ad hoc and keeps no log file"));
        };
        let within = |value: Option<u64>, default: u64, max: u64, name: &str| match value.unwrap_or(default) {
            0 => Err(ErrorShape::invalid(format!("invalid logs.tail params: at /{name}: must be >= 1"))),
            value if value > max => {
                Err(ErrorShape::invalid(format!("invalid logs.tail params: at /{name}: must be <= {max}")))
            }
            value => Ok(value),
        };
        let limit = within(params.limit, LIMIT_DEFAULT, LIMIT_MAX, "limit")?;
        let max_bytes = within(params.max_bytes, BYTES_DEFAULT, BYTES_MAX, "maxBytes")?;
        let file = path.display().to_string();
        let read = state.tasks.blocking(move || tail::read(&path, params.cursor, limit, max_bytes)).await;
        let part = read
            .ok_or_else(|| ErrorShape::unavailable("the gateway is stopping"))?
            .map_err(|error| ErrorShape::unavailable(format!("cannot read {file}: {error}")))?;
        Ok(Tail {
            file,
            cursor: part.cursor,
            size: part.size,
            lines: part.lines,
            truncated: part.truncated,
            reset: part.reset,
        })
    }
}
