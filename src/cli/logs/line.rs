//! A line of a log, whichever log it is from.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::ui::single_line;

/// One record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    /// ISO 8601, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subsystem: Option<String>,
    message: String,
    /// The record as it was found.
    raw: String,
}

impl Line {
    /// Reads a line of the gateway's own file; one that is no record of its own is shown as it is.
    pub(super) fn from_file(raw: &str) -> Self {
        let Ok(Value::Object(record)) = serde_json::from_str::<Value>(raw) else {
            return Self { message: raw.to_owned(), raw: raw.to_owned(), ..Self::default() };
        };
        let text = |name: &str| record.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            time: text("time"),
            level: text("level"),
            subsystem: text("subsystem"),
            message: text("message").unwrap_or_default(),
            raw: raw.to_owned(),
        }
    }

    /// Reads an entry of `journalctl -o json` (systemd.journal-fields(7)), if it is one that is wanted.
    pub(super) fn from_journal(raw: &str, belongs: impl Fn(&Map<String, Value>) -> bool) -> Option<Self> {
        let Value::Object(entry) = serde_json::from_str::<Value>(raw).ok()? else { return None };
        if !belongs(&entry) {
            return None;
        }
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let message = journal_text(entry.get("MESSAGE")?)?;
        let micros = text("__REALTIME_TIMESTAMP").and_then(|micros| micros.parse::<i64>().ok());
        let time = micros.and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
        // Whoever writes to the journal directly need not say how urgent it is.
        let level = match text("PRIORITY").unwrap_or_default() {
            "0" | "1" | "2" | "3" => "error",
            "4" => "warn",
            "7" => "debug",
            _ => "info",
        };
        let (subsystem, message) = without_prefix(&message);
        let subsystem = subsystem.or_else(|| text("SYSLOG_IDENTIFIER").map(str::to_owned));
        Some(Self {
            time: time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()),
            level: Some(level.to_owned()),
            subsystem,
            message,
            raw: raw.to_owned(),
        })
    }

    /// `2026-11-21T02:09:00.123Z info gateway listening on …`
    pub(super) fn text(&self) -> String {
        let head = [&self.time, &self.level, &self.subsystem].into_iter().flatten().map(String::as_str);
        // A message of several lines stays one record.
        single_line(&head.chain([self.message.as_str()]).collect::<Vec<_>>().join(" "))
    }
}

/// The journal has text as a string, and as a list of bytes where it is not clean UTF-8.
fn journal_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(bytes) => {
            let bytes = bytes.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()));
            Some(String::from_utf8_lossy(&bytes.collect::<Option<Vec<u8>>>()?).into_owned())
        }
        _ => None,
    }
}

/// Takes the gateway's own `[subsystem] level: ` off a message; the entry has the level itself.
fn without_prefix(message: &str) -> (Option<String>, String) {
    let parts = message.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let Some((subsystem, rest)) = parts.filter(|(name, _)| name.chars().all(|c| c.is_alphanumeric())) else {
        return (None, message.to_owned());
    };
    let levels = ["error: ", "warn: ", "debug: ", "trace: "];
    let rest = levels.iter().find_map(|level| rest.strip_prefix(level)).unwrap_or(rest);
    (Some(subsystem.to_owned()), rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_the_file() {
        let raw =
            r#"{"time":"2026-11-21T02:09:00.123Z","level":"warn","subsystem":"gateway","message":"a\nb"}"#;
        assert_eq!(Line::from_file(raw).text(), "2026-11-21T02:09:00.123Z warn gateway a b");
        assert_eq!(Line::from_file("no json").text(), "no json");
    }

    #[test]
    fn entries_of_the_journal() {
        let raw = r#"{"__REALTIME_TIMESTAMP":"1795231696747000","PRIORITY":"4","MESSAGE":"[ws] warn: slow","X":null}"#;
        let line = Line::from_journal(raw, |_| true).unwrap();
        assert_eq!(line.text(), "2026-11-21T03:28:16.747Z warn ws slow");
        let manager = r#"{"PRIORITY":"6","SYSLOG_IDENTIFIER":"systemd","MESSAGE":"Started x.service."}"#;
        assert_eq!(Line::from_journal(manager, |_| true).unwrap().text(), "info systemd Started x.service.");
        let plain = r#"{"SYSLOG_IDENTIFIER":"child","MESSAGE":"hi"}"#;
        assert_eq!(Line::from_journal(plain, |_| true).unwrap().text(), "info child hi");
        let bytes = r#"{"PRIORITY":"6","MESSAGE":[104,105,255]}"#;
        assert_eq!(Line::from_journal(bytes, |_| true).unwrap().text(), "info hi\u{fffd}");
        assert_eq!(Line::from_journal("-- No entries --", |_| true), None);
        assert_eq!(Line::from_journal(plain, |_| false), None);
    }
}
