//! Connections whose client is not known yet: counted, so that strangers take only so much memory, and no single one
//! of them takes all there is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::auth::limit::network;

/// Connections that may be in their handshake at once.
const MOST: usize = 4096;
/// Of these, from one address. Clients behind a proxy share theirs, so it is far more than any one of them needs.
const MOST_OF_ONE: usize = MOST / 4;

/// The connections that are in their handshake.
#[derive(Debug, Default)]
pub struct Handshakes(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The place of one connection; somebody else's when this is dropped.
#[derive(Debug)]
pub struct Handshake {
    places: Arc<Handshakes>,
    address: IpAddr,
}

impl Handshakes {
    /// A place for a connection from this address, if there is one.
    pub fn begin(self: &Arc<Self>, address: IpAddr) -> Option<Handshake> {
        let address = network(address);
        let mut counts = self.lock();
        let of_one = counts.by_address.get(&address).copied().unwrap_or_default();
        if counts.all >= MOST || of_one >= MOST_OF_ONE {
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, of_one + 1);
        Some(Handshake { places: Arc::clone(self), address })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Both counts change together, in code that cannot panic in between.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut counts = self.places.lock();
        counts.all -= 1;
        if let Some(of_one) = counts.by_address.get_mut(&self.address) {
            *of_one -= 1;
            if *of_one == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_does_not_keep_the_others_out() {
        let places = Arc::new(Handshakes::default());
        let take = |from: &str| places.begin(address(from));
        let mut greedy: Vec<_> =
            (0..MOST_OF_ONE).map(|host| take(&format!("2001:db8::{host:x}")).unwrap()).collect();
        assert!(take("2001:db8::ffff").is_none(), "a network counts as one address");
        assert!(take("192.0.2.1").is_some());
        greedy.pop();
        assert!(take("2001:db8::ffff").is_some());
    }

    #[test]
    fn all_together_are_bounded_and_nothing_is_kept_of_those_who_left() {
        let places = Arc::new(Handshakes::default());
        let from = |number: usize| IpAddr::from(std::net::Ipv4Addr::from_bits(0x0a00_0000 + number as u32));
        let taken: Vec<_> = (0..MOST).map(|number| places.begin(from(number)).unwrap()).collect();
        assert!(places.begin(from(MOST)).is_none());
        drop(taken);
        let counts = places.lock();
        assert_eq!((counts.all, counts.by_address.len()), (0, 0));
    }
}
