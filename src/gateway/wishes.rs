//! What the parts of a gateway ask of its loop. A wish that is already made is not made twice, so the queue is as
//! long as the list of wishes.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

/// Something the loop should do soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Wish {
    /// Tell everybody who is there.
    Presence = 1,
    /// Make a new health snapshot and tell everybody.
    Health = 2,
    /// Run a heartbeat now.
    Heartbeat = 4,
    /// Tell the service manager how many are connected.
    Status = 8,
}

/// The wishes not yet granted.
#[derive(Debug, Default)]
pub struct Wishes {
    bits: AtomicU8,
    made: Notify,
}

impl Wishes {
    /// Makes a wish.
    pub fn make(&self, wish: Wish) {
        let before = self.bits.fetch_or(wish as u8, Ordering::AcqRel);
        if before & wish as u8 == 0 {
            self.made.notify_one();
        }
    }

    /// Waits for wishes and takes them all.
    pub async fn take(&self) -> impl Iterator<Item = Wish> + use<> {
        let bits = loop {
            let bits = self.bits.swap(0, Ordering::AcqRel);
            if bits != 0 {
                break bits;
            }
            self.made.notified().await;
        };
        [Wish::Presence, Wish::Health, Wish::Heartbeat, Wish::Status]
            .into_iter()
            .filter(move |wish| bits & *wish as u8 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wish_made_twice_is_taken_once() {
        let wishes = Wishes::default();
        wishes.make(Wish::Health);
        wishes.make(Wish::Health);
        wishes.make(Wish::Presence);
        assert_eq!(wishes.take().await.collect::<Vec<_>>(), [Wish::Presence, Wish::Health]);
        wishes.make(Wish::Health);
        assert_eq!(wishes.take().await.collect::<Vec<_>>(), [Wish::Health]);
    }
}
