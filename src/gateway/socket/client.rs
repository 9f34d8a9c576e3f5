//! A client that has been let in: who it is, what it may do, and what waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;

use bytes::Bytes;
use futures_util::task::AtomicWaker;

use crate::bus::{Close, Membership, Outbox};
use crate::gateway::state::State;
use crate::gateway::wishes::Wish;
use crate::host::clock;
use crate::protocol::presence::PresenceEntry;
use crate::protocol::scope::{Role, Scopes};

/// Requests of one client that may be under way at once; it is not read from beyond that.
const MAX_UNDER_WAY: usize = 32;

/// A connected client, owned by its connection.
#[derive(Debug)]
pub(in crate::gateway) struct Client {
    caller: Caller,
    outbox: Arc<Outbox>,
    // Held for their ends: first no more events, then the others are told.
    _membership: Membership,
    _presence: Option<Presence>,
    under_way: Arc<UnderWay>,
    /// Answers in a row that its role may not call what it called.
    pub(in crate::gateway) refused_in_a_row: u32,
}

/// A client's entry in the presence list: it says that the client is gone when this is dropped, however that comes.
#[derive(Debug)]
pub(super) struct Presence {
    state: Arc<State>,
    key: Box<str>,
}

impl Presence {
    /// Enters a client.
    pub(super) fn enter(state: &Arc<State>, key: &str, entry: PresenceEntry) -> Self {
        state.presence.connected(key, entry);
        state.bus.presence_changed();
        Self { state: Arc::clone(state), key: key.into() }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.state.presence.disconnected(&self.key, clock::unix_ms()) {
            self.state.bus.presence_changed();
            self.state.wishes.make(Wish::Presence);
        }
    }
}

/// Who calls: what a request that outlives its turn takes along.
#[derive(Clone, Debug)]
pub(in crate::gateway) struct Caller {
    /// The connection.
    pub conn_id: Arc<str>,
    /// The protocol spoken.
    pub protocol: u32,
    /// Its role.
    pub role: Role,
    /// What it may do.
    pub scopes: Scopes,
    /// Whether it is a web chat.
    pub webchat: bool,
}

/// Counts the requests under way, and wakes the connection when there is room again.
#[derive(Debug, Default)]
pub(in crate::gateway) struct UnderWay {
    count: AtomicUsize,
    room: AtomicWaker,
}

/// A request under way, until dropped.
#[derive(Debug)]
pub(in crate::gateway) struct OnTheWay(Arc<UnderWay>);

impl Drop for OnTheWay {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == MAX_UNDER_WAY {
            self.0.room.wake();
        }
    }
}

impl Client {
    pub(super) fn new(
        caller: Caller,
        outbox: Arc<Outbox>,
        membership: Membership,
        presence: Option<Presence>,
    ) -> Self {
        Self {
            caller,
            outbox,
            _membership: membership,
            _presence: presence,
            under_way: Arc::default(),
            refused_in_a_row: 0,
        }
    }

    /// Who it is.
    pub(in crate::gateway) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What waits for it.
    pub(in crate::gateway) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    pub(super) fn conn_id(&self) -> &str {
        &self.caller.conn_id
    }

    /// Counts a request that outlives its turn.
    pub(in crate::gateway) fn begin(&self) -> OnTheWay {
        self.under_way.count.fetch_add(1, Ordering::AcqRel);
        OnTheWay(Arc::clone(&self.under_way))
    }

    /// Whether it has as many requests under way as it may; wakes the task when it has not.
    pub(super) fn is_busy(&self, cx: &Context<'_>) -> bool {
        if self.under_way.count.load(Ordering::Acquire) < MAX_UNDER_WAY {
            return false;
        }
        self.under_way.room.register(cx.waker());
        self.under_way.count.load(Ordering::Acquire) >= MAX_UNDER_WAY
    }

    /// Moves frames to where they are written from, and says how to close once none are left.
    pub(super) fn take_frames(&self, into: &mut VecDeque<Bytes>, most: usize) -> Option<Close> {
        self.outbox.take(into, most)
    }
}
