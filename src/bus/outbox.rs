//! What waits to be sent to one client: bounded in bytes, with a policy for when it is full.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use futures_util::task::AtomicWaker;

use super::Frame;

/// What becomes of a frame when its client is slow (protocol notes §2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It is left out; the client sees a gap in the numbers.
    DropIfSlow,
    /// It must arrive: a client that has no room for it loses its connection.
    MustArrive,
}

/// How a connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The WebSocket close code.
    pub code: u16,
    /// For people, at most 123 bytes.
    pub reason: &'static str,
    /// Whether what is queued is sent first.
    pub flush: bool,
}

/// A client that does not read what must arrive.
const SLOW_CONSUMER: Close = Close { code: 1008, reason: "slow consumer", flush: false };

/// The queue of one client. Filled by anybody, emptied by its connection.
#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Debug)]
struct Queue {
    frames: VecDeque<Frame>,
    /// Bytes queued, and taken but not yet written.
    bytes: usize,
    limit: usize,
    close: Option<Close>,
}

impl Outbox {
    /// An empty queue that may hold `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        let queue = Queue { frames: VecDeque::new(), bytes: 0, limit, close: None };
        Arc::new(Self { queue: Mutex::new(queue), waker: AtomicWaker::new() })
    }

    /// Queues a frame, or does what its urgency says when there is no room.
    pub fn push(&self, frame: Frame, urgency: Urgency) {
        {
            let mut queue = self.lock();
            if queue.close.is_some() {
                return;
            }
            if queue.bytes + frame.len() <= queue.limit {
                queue.bytes += frame.len();
                queue.frames.push_back(frame);
            } else if urgency == Urgency::MustArrive {
                queue.frames.clear();
                queue.close = Some(SLOW_CONSUMER);
            } else {
                return;
            }
        }
        self.waker.wake();
    }

    /// Asks the connection to close. The first wish counts, until one comes that cannot wait for what is queued.
    pub fn close(&self, close: Close) {
        {
            let mut queue = self.lock();
            if queue.close.is_some_and(|earlier| close.flush || !earlier.flush) {
                return;
            }
            if !close.flush {
                queue.frames.clear();
            }
            queue.close = Some(close);
        }
        self.waker.wake();
    }

    /// How the connection is to be closed, if that cannot wait for what is queued.
    pub fn closing(&self) -> Option<Close> {
        self.lock().close.filter(|close| !close.flush)
    }

    /// Takes up to `most` frames, and says how to close, once nothing is left before that.
    pub fn take(&self, into: &mut VecDeque<Bytes>, most: usize) -> Option<Close> {
        let mut queue = self.lock();
        let count = queue.frames.len().min(most);
        into.extend(queue.frames.drain(..count).map(Frame::into_bytes));
        if queue.frames.is_empty() {
            // An idle connection keeps no buffer.
            queue.frames = VecDeque::new();
            return queue.close;
        }
        None
    }

    /// Counts bytes as written.
    pub fn written(&self, bytes: usize) {
        let mut queue = self.lock();
        queue.bytes = queue.bytes.saturating_sub(bytes);
    }

    /// Counts bytes that the connection holds itself, so that the limit covers them too.
    pub fn held(&self, bytes: usize) {
        self.lock().bytes += bytes;
    }

    /// Wakes this waker at the next frame or wish to close.
    pub fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Everything queued, for tests.
    #[cfg(test)]
    pub fn drain(&self) -> VecDeque<Bytes> {
        let mut frames = VecDeque::new();
        self.take(&mut frames, usize::MAX);
        frames
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Every method leaves the queue consistent between any two statements.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame::text(&"12345678").unwrap()
    }

    #[test]
    fn a_slow_client_misses_what_may_be_missed_and_is_closed_for_the_rest() {
        let outbox = Outbox::new(frame().len() * 2);
        outbox.push(frame(), Urgency::MustArrive);
        outbox.push(frame(), Urgency::DropIfSlow);
        outbox.push(frame(), Urgency::DropIfSlow);
        let mut taken = VecDeque::new();
        assert_eq!(outbox.take(&mut taken, 8), None);
        assert_eq!(taken.len(), 2);
        // Taken is not written: there is still no room.
        outbox.push(frame(), Urgency::MustArrive);
        assert_eq!(outbox.take(&mut taken, 8), Some(SLOW_CONSUMER));
        assert_eq!(taken.len(), 2);
    }

    #[test]
    fn written_bytes_make_room() {
        let outbox = Outbox::new(frame().len());
        outbox.push(frame(), Urgency::MustArrive);
        assert_eq!(outbox.drain().len(), 1);
        outbox.written(frame().len());
        outbox.push(frame(), Urgency::MustArrive);
        assert_eq!(outbox.drain().len(), 1);
    }

    #[test]
    fn a_wish_to_close_that_cannot_wait_overtakes_one_that_can() {
        let outbox = Outbox::new(1 << 20);
        outbox.push(frame(), Urgency::MustArrive);
        let patient = Close { code: 1012, reason: "service restart", flush: true };
        let now = Close { flush: false, ..patient };
        outbox.close(patient);
        assert_eq!(outbox.closing(), None);
        outbox.close(now);
        outbox.close(patient);
        assert_eq!(outbox.closing(), Some(now));
        assert_eq!(outbox.drain().len(), 0);
    }

    #[test]
    fn a_wish_to_close_comes_after_what_is_queued() {
        let outbox = Outbox::new(1 << 20);
        outbox.push(frame(), Urgency::MustArrive);
        outbox.push(frame(), Urgency::MustArrive);
        let close = Close { code: 1012, reason: "service restart", flush: true };
        outbox.close(close);
        outbox.push(frame(), Urgency::MustArrive);
        let mut taken = VecDeque::new();
        assert_eq!(outbox.take(&mut taken, 1), None);
        assert_eq!(outbox.take(&mut taken, 1), Some(close));
        assert_eq!(taken.len(), 2);
    }
}
