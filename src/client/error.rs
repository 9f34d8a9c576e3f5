//! How a conversation with a gateway fails.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::protocol::error::ErrorShape;

/// How a conversation with a gateway fails.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers there.
    #[error("no gateway answers at {address}")]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Somebody answers, but not a gateway.
    #[error("what answers there is not a gateway")]
    Foreign,
    /// The connection was closed.
    #[error("gateway closed ({code}): {reason}")]
    Closed {
        /// The close code; 1006 when there was no close frame.
        code: u16,
        /// The reason given.
        reason: String,
    },
    /// The gateway does not let us in.
    #[error("{}", .0.message)]
    Unauthorized(ErrorShape),
    /// The gateway refuses the request.
    #[error("{}", .0.message)]
    Refused(ErrorShape),
    /// No answer in time.
    #[error("gateway timeout after {}ms", .0.as_millis())]
    Timeout(Duration),
    /// The answer has another shape than this program knows.
    #[error("the gateway's answer to {method} has a shape this version does not know")]
    Unreadable {
        /// What was called.
        method: String,
    },
    /// This user's own key cannot be used.
    #[error("cannot use the device identity in {}", .path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ClientError {
    /// A refusal of `connect` is a refusal to let us in.
    pub(super) fn of_connect(self) -> Self {
        match self {
            Self::Refused(error) => Self::Unauthorized(error),
            other => other,
        }
    }
}
