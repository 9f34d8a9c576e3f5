//! What `--verbose` says of requests. It never shows parameters or answers: they may hold secrets.

use std::time::Duration;

use crate::protocol::frame::RequestRef;

/// Requests that take longer are always worth a line.
const SLOW: Duration = Duration::from_millis(50);

/// How much is said of requests (`--ws-log`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WsLog {
    /// Refused and slow ones.
    #[default]
    Auto,
    /// Each in one short line.
    Compact,
    /// Each with its id, size and connection.
    Full,
}

impl WsLog {
    /// Logs a request that was answered, or begun: `refused` is why not.
    pub fn request(self, conn_id: &str, request: &RequestRef<'_>, refused: Option<&str>, took: Duration) {
        let (method, id) = (&request.method, &request.id);
        let outcome = refused.unwrap_or("ok");
        let micros = took.as_micros();
        match self {
            Self::Auto if refused.is_none() && took < SLOW => {}
            Self::Auto | Self::Compact => tracing::debug!(target: "ws", "{method}: {outcome} ({micros} us)"),
            Self::Full => {
                let bytes = request.params_text().len();
                tracing::debug!(target: "ws", "{conn_id} {method} id={id} params={bytes} bytes: {outcome} ({micros} us)");
            }
        }
    }
}
