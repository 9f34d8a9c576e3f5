//! The suite for launchd, on any machine: the whole command line as it is on macOS, against a fake `launchctl` that
//! behaves as the real one is known to (lifecycle notes D), and that really runs the job's process.
//!
//! One binary plays every part, told by its environment ([`roles`]).

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot set itself up fails, and drives the program from outside"
)]

mod answers;
mod crash;
mod daemon;
mod doctor;
mod domains;
mod fake;
mod fake_tests;
mod giving_up;
mod install;
mod keeper;
mod legacy;
mod mutation;
mod operator;
mod roles;
mod stepper;
mod support;
mod verbs;
