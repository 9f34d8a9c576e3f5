//! The agents' heartbeat: whether it runs, and what came of it last (protocol notes §3.6, §4.5).
//!
//! It must not know how an agent runs. Until one can, a heartbeat that is due is passed over, and says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::protocol::event::{HeartbeatNote, HeartbeatStatus};

/// The heartbeats of one gateway.
#[derive(Debug)]
pub struct Heartbeats {
    enabled: AtomicBool,
    last: Mutex<Option<HeartbeatNote>>,
}

impl Heartbeats {
    /// Enabled, and none yet.
    pub fn new() -> Self {
        Self { enabled: AtomicBool::new(true), last: Mutex::default() }
    }

    /// Whether they run.
    pub fn enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Turns them on or off.
    pub fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    /// What came of the last one.
    pub fn last(&self) -> Option<HeartbeatNote> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs one and returns what came of it.
    pub fn beat(&self, now_ms: u64) -> HeartbeatNote {
        let reason =
            if self.enabled() { "no model provider is configured" } else { "heartbeats are disabled" };
        let note = HeartbeatNote {
            ts: now_ms,
            status: HeartbeatStatus::Skipped,
            reason: Some(reason.to_owned()),
            duration_ms: None,
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(note.clone());
        note
    }
}
