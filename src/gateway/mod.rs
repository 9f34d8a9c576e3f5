//! The always-on process: one port, many clients, until it is told to stop.
//!
//! It must not know a terminal: what an operator should read is a value ([`Notice`], [`Refusal`]) or a line of the log.

mod accept;
mod credentials;
mod force;
mod handshakes;
mod health;
mod heartbeat;
mod http;
mod listen;
mod live;
mod methods;
mod notes;
mod prepare;
mod presence;
mod refusal;
mod reload;
mod settings;
mod socket;
mod start;
mod state;
mod stop;
mod store;
mod throttle;
mod wishes;
mod ws_log;

pub use credentials::Flags;
pub use force::{Did, ForceError, free_port};
pub use methods::{METHODS, Row};
pub use prepare::{Holder, Notice, Options, Prepared, hindrance, reached_at};
pub use refusal::{Refusal, owner_line};
pub use start::{VERSION, run};
pub use ws_log::WsLog;
