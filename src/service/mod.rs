//! The gateway as a service: what it should be, what it is, and the way from one to the other.
//!
//! ```text
//! instance + choices ──> spec ──> desire ─┐
//!                 files, manager ──> observe ──> plan ──> apply ──> observe
//! ```
//!
//! * [`spec`]: what is wanted, in no platform's words. Pure.
//! * [`hardening`]: how tightly it is shut in, by name. Pure.
//! * [`observed`], [`definition`], [`record`]: what was found, as values.
//! * [`facts`]: what that means for people: installed, enabled, loaded, running, ready, healthy. Pure.
//! * [`plan`]: the steps, and the refusals. Pure; the only place that chooses.
//! * [`inspection`], [`variable`]: what a closer look finds that differs, for whoever repairs it.
//! * [`manager`], [`apply`]: what performs them, and undoes them when an install fails.
//! * [`systemd`]: systemd, the manager of one user's services or of the machine's.
//! * [`launchd`]: launchd, with jobs of one user or of the machine.
//! * [`platform`]: what a plan and a report must know about the difference.
//! * [`shell`]: words of commands that people are given to type.
//! * [`native`]: which of the managers this program uses.
//! * [`remote`], [`ssh`]: another machine, and the way to it.
//!
//! Knows nothing of the gateway's configuration, protocol or inside: whoever wants to know whether it is healthy
//! passes in a [`manager::Probe`].

pub mod apply;
pub mod claim;
pub mod definition;
pub mod error;
pub mod facts;
pub mod hardening;
pub mod inspection;
pub mod last_failure;
pub mod launchd;
pub mod manager;
pub mod native;
pub mod observed;
pub mod place;
pub mod plan;
pub mod platform;
pub mod program;
pub mod reach;
pub mod record;
pub mod redact;
pub mod remote;
pub mod secrets;
pub mod shell;
pub mod spec;
pub mod ssh;
pub mod systemd;
pub mod variable;

pub use crate::instance::Scope;
