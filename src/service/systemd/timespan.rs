//! Time spans as systemd writes and reads them (systemd.time(7), "Parsing Time Spans").

use std::time::Duration;

/// The value of a directive such as `TimeoutStopSec=`: whole seconds, or milliseconds.
pub fn write(span: Duration) -> String {
    if span.subsec_nanos() == 0 { span.as_secs().to_string() } else { format!("{}ms", span.as_millis()) }
}

/// Microseconds of a span such as `45`, `1min 30s` or `500ms`; `u64::MAX` for `infinity`, as the manager has it.
/// `None` for what is not a time span.
pub fn read(text: &str) -> Option<u64> {
    if text.trim() == "infinity" {
        return Some(u64::MAX);
    }
    let (mut total, mut rest) = (0.0, text.trim());
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic() && c != 'µ').unwrap_or(rest.len());
        total += number * unit(&rest[..letters])?;
        rest = rest[letters..].trim_start();
    }
    // Spans of services are far below 2^53 µs; beyond that only the order of magnitude would matter.
    Some(total.round() as u64)
}

/// Microseconds in a unit; no unit means seconds.
fn unit(name: &str) -> Option<f64> {
    Some(match name {
        "us" | "usec" | "µs" => 1.0,
        "ms" | "msec" => 1e3,
        "" | "s" | "sec" | "second" | "seconds" => 1e6,
        "m" | "min" | "minute" | "minutes" => 60e6,
        "h" | "hr" | "hour" | "hours" => 3600e6,
        "d" | "day" | "days" => 86_400e6,
        "w" | "week" | "weeks" => 604_800e6,
        "M" | "month" | "months" => 2_629_800e6,
        "y" | "year" | "years" => 31_557_600e6,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_the_manager_reads_and_prints_them() {
        let table = [
            ("45", Some(45_000_000)),
            ("45s", Some(45_000_000)),
            ("1min 30s", Some(90_000_000)),
            ("1min30s", Some(90_000_000)),
            ("500ms", Some(500_000)),
            ("1.5s", Some(1_500_000)),
            ("2h 5min", Some(7_500_000_000)),
            ("1w", Some(604_800_000_000)),
            ("0", Some(0)),
            ("infinity", Some(u64::MAX)),
            ("", None),
            ("soon", None),
            ("5 parsecs", None),
        ];
        for (text, microseconds) in table {
            assert_eq!(read(text), microseconds, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for span in [Duration::from_secs(90), Duration::from_millis(1500), Duration::ZERO] {
            assert_eq!(read(&write(span)), Some(u64::try_from(span.as_micros()).unwrap()));
        }
    }
}
