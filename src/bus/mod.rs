//! The event bus: whoever publishes an event reaches every connected client, and serialises it once.
//!
//! Knows frames, sequence numbers and bounds. It must not know what a client is beyond the events it may receive,
//! nor what any event means.

mod frame;
mod outbox;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::protocol::event::{Audience, Event};
use crate::protocol::frame::{EventOut, StateVersion};
use crate::protocol::scope::Role;
pub use frame::Frame;
pub use outbox::{Close, Outbox, Urgency};

/// The bus of one gateway.
#[derive(Debug)]
pub struct Bus {
    // One lock for the counter and the fan-out: every client sees sequence numbers in order.
    members: Mutex<Members>,
    presence: AtomicU64,
    health: AtomicU64,
}

#[derive(Debug, Default)]
struct Members {
    last_seq: u64,
    last_key: u64,
    by_key: HashMap<u64, Member>,
    /// How everybody was asked to close, once that was.
    closing: Option<Close>,
}

#[derive(Debug)]
struct Member {
    outbox: Arc<Outbox>,
    may_pair: bool,
    device: Option<Device>,
}

/// The device that a client is, and what it is there for.
#[derive(Debug)]
pub struct Device {
    /// The fingerprint of its key.
    pub id: Box<str>,
    /// Its role on this connection.
    pub role: Role,
}

/// A client's place on the bus; it leaves when this is dropped.
#[derive(Debug)]
pub struct Membership {
    bus: Arc<Bus>,
    key: u64,
}

impl Bus {
    /// A bus without members. Both state versions begin at 1 (protocol notes §1.13).
    pub fn new() -> Arc<Self> {
        Arc::new(Self { members: Mutex::default(), presence: AtomicU64::new(1), health: AtomicU64::new(1) })
    }

    /// Adds a client, which from now on receives what its audience allows.
    pub fn join(self: &Arc<Self>, outbox: Arc<Outbox>, may_pair: bool, device: Option<Device>) -> Membership {
        let mut members = self.lock();
        if let Some(close) = members.closing {
            outbox.close(close);
        }
        members.last_key += 1;
        let key = members.last_key;
        members.by_key.insert(key, Member { outbox, may_pair, device });
        Membership { bus: Arc::clone(self), key }
    }

    /// Sends an event to everybody it is for, and says how many bytes that is in all. The sequence number counts only
    /// while somebody is connected (protocol notes §2.5).
    pub fn publish<E: Event>(&self, payload: &(impl Serialize + ?Sized)) -> serde_json::Result<usize> {
        let mut members = self.lock();
        if members.by_key.is_empty() {
            return Ok(0);
        }
        members.last_seq += 1;
        let version = E::VERSIONED.then(|| self.state_version());
        let frame = Frame::text(&EventOut::broadcast(E::NAME, payload, members.last_seq, version))?;
        let urgency = if E::DROP_IF_SLOW { Urgency::DropIfSlow } else { Urgency::MustArrive };
        let mut bytes = 0;
        for member in members.by_key.values() {
            let wanted = match E::AUDIENCE {
                Audience::Everyone => true,
                Audience::Pairing => member.may_pair,
                Audience::Direct => false,
            };
            if wanted {
                member.outbox.push(frame.clone(), urgency);
                bytes += frame.len();
            }
        }
        Ok(bytes)
    }

    /// Asks every client's connection to close, also those that join later.
    pub fn close_all(&self, close: Close) {
        let mut members = self.lock();
        members.closing = Some(close);
        for member in members.by_key.values() {
            member.outbox.close(close);
        }
    }

    /// Asks the connections of a device to close: those in one role, or all of them.
    pub fn close_device(&self, id: &str, role: Option<Role>, close: Close) {
        for member in self.lock().by_key.values() {
            let meant = |device: &Device| *device.id == *id && role.is_none_or(|role| role == device.role);
            if member.device.as_ref().is_some_and(meant) {
                member.outbox.close(close);
            }
        }
    }

    /// How many clients are connected.
    pub fn len(&self) -> usize {
        self.lock().by_key.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The state versions now.
    pub fn state_version(&self) -> StateVersion {
        StateVersion {
            presence: self.presence.load(Ordering::Relaxed),
            health: self.health.load(Ordering::Relaxed),
        }
    }

    /// Counts a change of the presence list.
    pub fn presence_changed(&self) {
        self.presence.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a change of the health snapshot.
    pub fn health_changed(&self) {
        self.health.fetch_add(1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        // The counter and the map are consistent between any two statements.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.bus.lock().by_key.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::protocol::event::{DevicePairRequested, Health, Presence, Tick};

    fn received(outbox: &Outbox) -> Vec<Value> {
        let frames = outbox.drain();
        frames.iter().map(|frame| serde_json::from_slice(frame::payload(frame)).unwrap()).collect()
    }

    #[test]
    fn everybody_gets_the_same_frame_with_rising_numbers() {
        let bus = Bus::new();
        bus.publish::<Tick>(&json!({ "ts": 0 })).unwrap();
        let (a, b) = (Outbox::new(1 << 20), Outbox::new(1 << 20));
        let _a = bus.join(Arc::clone(&a), false, None);
        bus.publish::<Tick>(&json!({ "ts": 1 })).unwrap();
        let b_joined = bus.join(Arc::clone(&b), false, None);
        bus.presence_changed();
        bus.publish::<Presence>(&json!({ "presence": [] })).unwrap();
        drop(b_joined);
        bus.health_changed();
        bus.publish::<Health>(&json!({})).unwrap();

        let tick = json!({ "type": "event", "event": "tick", "payload": { "ts": 1 }, "seq": 1 });
        let presence = json!({ "type": "event", "event": "presence", "payload": { "presence": [] }, "seq": 2,
            "stateVersion": { "presence": 2, "health": 1 } });
        let health = json!({ "type": "event", "event": "health", "payload": {}, "seq": 3,
            "stateVersion": { "presence": 2, "health": 2 } });
        assert_eq!(received(&a), [tick, presence.clone(), health]);
        assert_eq!(received(&b), [presence]);
        assert_eq!(bus.len(), 1);
    }

    #[test]
    fn whoever_joins_after_everybody_was_closed_is_closed_too() {
        let bus = Bus::new();
        let close = Close { code: 1012, reason: "service restart", flush: true };
        bus.close_all(close);
        let late = Outbox::new(1 << 20);
        let _late = bus.join(Arc::clone(&late), false, None);
        assert_eq!(late.take(&mut std::collections::VecDeque::new(), 1), Some(close));
    }

    #[test]
    fn an_event_for_some_leaves_a_gap_for_the_others() {
        let bus = Bus::new();
        let (pairing, common) = (Outbox::new(1 << 20), Outbox::new(1 << 20));
        let _members =
            (bus.join(Arc::clone(&pairing), true, None), bus.join(Arc::clone(&common), false, None));
        bus.publish::<DevicePairRequested>(&json!({})).unwrap();
        bus.publish::<Tick>(&json!({ "ts": 1 })).unwrap();
        let numbers =
            |frames: Vec<Value>| frames.iter().map(|frame| frame["seq"].clone()).collect::<Vec<_>>();
        assert_eq!(numbers(received(&pairing)), [1, 2]);
        assert_eq!(numbers(received(&common)), [2]);
    }
}
