//! The suite against a real systemd: every test boots a machine of its own and throws it away.
//!
//! Needs root and a Linux with systemd installed; `scripts/test` says so and skips it where that is not given.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test that cannot set itself up fails, and drives the program from outside"
)]

mod support;

mod addition;
mod advice;
mod answers;
mod boots;
mod doctor;
mod doctor_machine;
mod doctor_states;
mod doubt;
mod driver;
mod enablement;
mod everyday;
mod foreign;
mod guards;
mod handover;
mod install;
mod linger;
mod logs;
mod operator;
mod other_supervisors;
mod packages;
mod quoting;
mod remote;
mod silent;
mod supervision;
mod system_scope;
mod unreachable;
mod verbs;
mod versions;
mod without_bus;
