//! "Soon, but not again and again": the first wish is granted at once, further ones wait for the window to pass.

use std::time::Duration;

use tokio::time::Instant;

/// Turns any number of wishes into at most one grant a window. Time is given.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    window: Duration,
    granted: Option<Instant>,
    due: Option<Instant>,
}

impl Throttle {
    /// Grants at most one wish a window.
    pub const fn new(window: Duration) -> Self {
        Self { window, granted: None, due: None }
    }

    /// Changes the window, from the last grant on.
    pub fn set_window(&mut self, window: Duration) {
        self.window = window;
    }

    /// Somebody wishes.
    pub fn want(&mut self, now: Instant) {
        let earliest = self.granted.map_or(now, |granted| granted + self.window);
        self.due.get_or_insert(earliest.max(now));
    }

    /// When the next grant is due.
    pub const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether a grant is due now; it then counts as given.
    pub fn take(&mut self, now: Instant) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            (self.due, self.granted) = (None, Some(now));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_wishes_one_grant_a_window_and_the_last_wish_is_never_lost() {
        let window = Duration::from_millis(100);
        let mut throttle = Throttle::new(window);
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert!(!throttle.take(at(0)));
        throttle.want(at(0));
        assert!(throttle.take(at(0)));
        throttle.want(at(10));
        throttle.want(at(20));
        assert_eq!(throttle.due(), Some(at(100)));
        assert!(!throttle.take(at(99)));
        assert!(throttle.take(at(100)));
        assert!(!throttle.take(at(300)));
        throttle.want(at(300));
        assert!(throttle.take(at(300)));
    }
}
