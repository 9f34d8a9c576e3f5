//! A length of time as people write it: `30m`, `1h 30m`, `90s`.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::fmt::friendly::SpanPrinter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How often something happens, such as `30m`, `1h 30m` or `90s`. `0s` turns it off.
///
/// Zero, or from one second to 366 days, in hours, minutes and seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("examples" = ["30m", "1h 30m", "0s"]))]
pub struct Interval(#[schemars(with = "String")] SignedDuration);

const SHORTEST: SignedDuration = SignedDuration::from_secs(1);
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A text is not an interval.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a length of time such as \"30m\" or \"1h 30m\" (at least one second, at most 366 days; \"0s\" for never)"
)]
pub struct NotAnInterval;

impl Interval {
    /// Minutes, for defaults.
    pub(super) const fn minutes(minutes: i64) -> Self {
        Self(SignedDuration::from_mins(minutes))
    }

    /// The time between two, or `None` when it is turned off.
    pub fn duration(self) -> Option<Duration> {
        Duration::try_from(self.0).ok().filter(|duration| !duration.is_zero())
    }
}

impl TryFrom<String> for Interval {
    type Error = NotAnInterval;

    fn try_from(text: String) -> Result<Self, NotAnInterval> {
        let length = text.trim().parse::<SignedDuration>().map_err(|_| NotAnInterval)?;
        let allowed = length.is_zero() || (SHORTEST..=LONGEST).contains(&length);
        if allowed { Ok(Self(length)) } else { Err(NotAnInterval) }
    }
}

/// The text that reads back as the same length.
impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        SpanPrinter::new().duration_to_string(&interval.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_as_people_write_them() {
        let table = [("30m", 1800), ("1h 30m", 5400), ("1h30m", 5400), ("90s", 90), (" 2h ", 7200)];
        for (text, seconds) in table {
            let interval = Interval::try_from(text.to_owned()).unwrap();
            assert_eq!(interval.duration(), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(Interval::try_from("0s".to_owned()).unwrap().duration(), None);
        assert_eq!(String::from(Interval::minutes(30)), "30m");
    }

    #[test]
    fn texts_that_are_not() {
        for text in ["", "30", "soon", "-5m", "500ms", "9000h", "1d", "1y"] {
            assert_eq!(Interval::try_from(text.to_owned()), Err(NotAnInterval), "{text}");
        }
    }
}
