//! The machine: the only code that touches files, processes, ports, the clock and the environment directly.
//!
//! Knows how, never why: nothing here decides what a gateway or a service should be.

pub mod clock;
pub mod dirs;
pub mod env;
pub mod first;
pub mod fs;
pub mod handed;
pub mod lock;
pub mod log;
pub mod machine;
pub mod notify;
pub mod pinned;
pub mod port;
pub mod process;
pub mod stat;
pub mod tail;
pub mod tasks;
pub mod user;
