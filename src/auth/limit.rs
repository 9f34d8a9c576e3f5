//! Failed attempts, counted per client address and kind of credential (protocol notes §2.8).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// The numbers of a limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Failures within the window that lock an address out.
    pub max_attempts: u32,
    /// The window, milliseconds.
    pub window_ms: u64,
    /// How long a lock-out lasts, milliseconds.
    pub lockout_ms: u64,
    /// Whether the machine itself is never locked out.
    pub exempt_loopback: bool,
}

/// What was tried. Each has counters of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// The gateway's token or password.
    SharedSecret,
    /// A device's token.
    DeviceToken,
}

/// Addresses remembered at once. Beyond that the one that failed longest ago is forgotten, so that an attacker
/// with many addresses costs memory that is bounded.
const MAX_ADDRESSES: usize = 4096;

/// Counts failures. Time is given, so that tests need not wait.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    failures: HashMap<(Credential, IpAddr), Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    first_ms: u64,
    last_ms: u64,
    locked_until_ms: u64,
}

impl Limiter {
    /// A limiter that has seen nothing.
    pub fn new(limits: Limits) -> Self {
        Self { limits, failures: HashMap::new() }
    }

    /// Changes the numbers; what was counted stays counted.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Milliseconds until an address may try again; `None` when it may now.
    pub fn locked(&self, credential: Credential, address: IpAddr, now_ms: u64) -> Option<u64> {
        let failures = self.failures.get(&(credential, network(address)))?;
        failures.locked_until_ms.checked_sub(now_ms).filter(|left| *left > 0)
    }

    /// Counts a failure.
    pub fn failed(&mut self, credential: Credential, address: IpAddr, now_ms: u64) {
        if self.limits.exempt_loopback && address.to_canonical().is_loopback() {
            return;
        }
        self.make_room(now_ms);
        let limits = self.limits;
        let failures = self.failures.entry((credential, network(address))).or_insert(Failures {
            count: 0,
            first_ms: now_ms,
            last_ms: now_ms,
            locked_until_ms: 0,
        });
        if now_ms.saturating_sub(failures.first_ms) > limits.window_ms {
            (failures.count, failures.first_ms) = (0, now_ms);
        }
        failures.count += 1;
        failures.last_ms = now_ms;
        if failures.count >= limits.max_attempts {
            failures.locked_until_ms = now_ms + limits.lockout_ms;
            (failures.count, failures.first_ms) = (0, now_ms);
        }
    }

    /// Forgets an address's failures: it knew the secret.
    pub fn succeeded(&mut self, credential: Credential, address: IpAddr) {
        self.failures.remove(&(credential, network(address)));
    }

    /// Forgets what no longer matters once the table is full, then the oldest.
    fn make_room(&mut self, now_ms: u64) {
        if self.failures.len() < MAX_ADDRESSES {
            return;
        }
        let window = self.limits.window_ms;
        self.failures.retain(|_, failures| {
            failures.locked_until_ms > now_ms || now_ms.saturating_sub(failures.last_ms) <= window
        });
        if self.failures.len() >= MAX_ADDRESSES
            && let Some(oldest) =
                self.failures.iter().min_by_key(|(_, failures)| failures.last_ms).map(|(key, _)| *key)
        {
            self.failures.remove(&oldest);
        }
    }
}

/// An IPv6 client has a whole /64 to itself; it counts as one address.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { max_attempts: 3, window_ms: 60_000, lockout_ms: 300_000, exempt_loopback: true };

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn too_many_failures_lock_an_address_out_for_a_while() {
        let mut limiter = Limiter::new(LIMITS);
        let (guilty, innocent) = (address("192.0.2.1"), address("192.0.2.2"));
        for now in 0..2 {
            limiter.failed(Credential::SharedSecret, guilty, now);
            assert_eq!(limiter.locked(Credential::SharedSecret, guilty, now), None);
        }
        limiter.failed(Credential::SharedSecret, guilty, 2);
        assert_eq!(limiter.locked(Credential::SharedSecret, guilty, 2), Some(300_000));
        assert_eq!(limiter.locked(Credential::DeviceToken, guilty, 2), None);
        assert_eq!(limiter.locked(Credential::SharedSecret, innocent, 2), None);
        assert_eq!(limiter.locked(Credential::SharedSecret, guilty, 300_002), None);
    }

    #[test]
    fn slow_failures_and_a_success_are_forgiven() {
        let mut limiter = Limiter::new(LIMITS);
        let peer = address("192.0.2.1");
        for now in [0, 61_000, 122_000, 183_000] {
            limiter.failed(Credential::SharedSecret, peer, now);
        }
        assert_eq!(limiter.locked(Credential::SharedSecret, peer, 183_000), None);
        limiter.failed(Credential::SharedSecret, peer, 183_001);
        limiter.succeeded(Credential::SharedSecret, peer);
        limiter.failed(Credential::SharedSecret, peer, 183_002);
        assert_eq!(limiter.locked(Credential::SharedSecret, peer, 183_002), None);
    }

    #[test]
    fn loopback_is_exempt_only_when_the_limits_say_so() {
        for exempt_loopback in [true, false] {
            let mut limiter = Limiter::new(Limits { exempt_loopback, ..LIMITS });
            for peer in [address("127.0.0.1"), address("::ffff:127.0.0.1"), address("127.0.0.1")] {
                limiter.failed(Credential::SharedSecret, peer, 0);
            }
            let locked = limiter.locked(Credential::SharedSecret, address("127.0.0.1"), 0).is_some();
            assert_eq!(locked, !exempt_loopback);
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let mut limiter = Limiter::new(LIMITS);
        for host in 1..=3 {
            limiter.failed(Credential::SharedSecret, address(&format!("2001:db8::{host}")), 0);
        }
        assert!(limiter.locked(Credential::SharedSecret, address("2001:db8::99"), 0).is_some());
        assert!(limiter.locked(Credential::SharedSecret, address("2001:db8:0:1::1"), 0).is_none());
    }

    #[test]
    fn memory_is_bounded() {
        let mut limiter = Limiter::new(LIMITS);
        for number in 0..u32::try_from(MAX_ADDRESSES).unwrap() + 100 {
            let address = IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + number));
            limiter.failed(Credential::SharedSecret, address, u64::from(number));
        }
        assert_eq!(limiter.failures.len(), MAX_ADDRESSES);
    }
}
