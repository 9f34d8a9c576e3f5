//! An always-on gateway, and the service manager around it. This page is the map.
//!
//! # Floors
//!
//! A module may name only modules on a **lower** floor; neighbours never name each other. What two neighbours share
//! belongs below them, what joins them belongs above. `tests/it/tidy.rs` holds this table and fails the build that
//! breaks it.
//!
//! | floor | modules | what they are | what they must not know |
//! |--:|---|---|---|
//! | 8 | [`cli`] | what the operator types and reads | how anything works |
//! | 7 | [`doctor`] | what is wrong, and its repair | the terminal, the inside of the gateway |
//! | 6 | [`gateway`] | the always-on process | the terminal |
//! | 5 | [`auth`] | who may connect, as what | sockets, methods |
//! | 4 | [`bus`] | publish to every client, with sequence numbers and bounds | who connects, and why |
//! | 4 | [`client`] | a connection to a gateway, from outside | where its address came from |
//! | 4 | [`config`] | the configuration file: read, check, edit, compare | who uses a setting |
//! | 4 | [`service`] | the gateway under a service manager: install, control, observe | what the gateway does |
//! | 3 | [`host`] | the machine: files, processes, ports, clock | what it is used for |
//! | 2 | [`protocol`] | words: frames, methods, events | sockets, policy |
//! | 1 | [`instance`] | words: which gateway is meant | the machine |
//! | 0 | [`exit`], [`secret`] | words that everybody uses | anything |
//!
//! # Habits
//!
//! * Observe → plan → perform: what was found and what will be done are values; performing makes no choices.
//! * One command, one check, one protocol method: one file and one row in a table.
//! * Reading is apart from parsing; parsers take text and are tested by tables.
//! * Nothing prints but `cli::ui`; nothing reads the environment but [`host::env`]; nothing spawns a task but
//!   [`host::tasks`]. `.clippy.toml` says so with the function to use.

pub mod exit;
pub mod secret;

pub mod instance;

pub mod protocol;

pub mod host;

pub mod bus;
pub mod client;
pub mod config;
pub mod service;

pub mod auth;

pub mod gateway;

pub mod doctor;

pub mod cli;
