//! Everything that needs no service manager: the structure of the code, and the real binary in a clean home.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test that cannot set itself up fails, and drives the program from outside"
)]

mod support;

mod cli_config;
mod cli_doctor;
mod cli_force;
mod cli_global;
mod cli_operator;
mod gateway_auth;
mod gateway_devices;
mod gateway_events;
mod gateway_first_run;
mod gateway_frames;
mod gateway_hello;
mod gateway_hostile;
mod gateway_http;
mod gateway_methods;
mod gateway_notify;
mod gateway_refusals;
mod gateway_reload;
mod gateway_secrets;
mod gateway_slow;
mod gateway_start;
mod gateway_stop;
mod jobs;
mod readme;
mod tidy;
mod units;
