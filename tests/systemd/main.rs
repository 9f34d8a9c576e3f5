//! The suite against a real systemd: every test boots a machine of its own and throws it away.
//!
//! Needs root and a Linux with systemd installed; `scripts/test` says so and skips it where that is not given.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test that cannot set itself up fails, and drives the program from outside"
)]

mod support;

mod boots;
