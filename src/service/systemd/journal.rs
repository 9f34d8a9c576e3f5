//! Which entries of the journal are about a unit, in the words of `journalctl` (systemd.journal-fields(7)).
//!
//! Pure. The unit alone does not find everything: journald looks the unit of a line up by the process that wrote it, and
//! a process that ends at once is gone by then, with the one line that says why it failed. Such a line still has the
//! identifier that the unit gives to its output.

use serde_json::{Map, Value};

use crate::instance::Scope;

/// What a unit's output is marked with (`SyslogIdentifier=`): its name without the suffix.
pub fn identifier(unit: &str) -> &str {
    unit.strip_suffix(".service").unwrap_or(unit)
}

/// The terms for one unit. `journalctl --unit` cannot be used: it is joined to every other term by "and".
pub fn terms(scope: Scope, unit: &str) -> Vec<String> {
    let own = match scope {
        Scope::User => [
            format!("_SYSTEMD_USER_UNIT={unit}"),
            // What the manager says about it.
            format!("USER_UNIT={unit}"),
            format!("OBJECT_SYSTEMD_USER_UNIT={unit}"),
            format!("COREDUMP_USER_UNIT={unit}"),
        ],
        // Whoever speaks about a unit of the machine without being part of it must be root to be believed.
        Scope::System => [
            format!("_SYSTEMD_UNIT={unit}"),
            format!("UNIT={unit} _PID=1"),
            format!("OBJECT_SYSTEMD_UNIT={unit} _UID=0"),
            format!("COREDUMP_UNIT={unit} _UID=0"),
        ],
    };
    let marked = format!("SYSLOG_IDENTIFIER={} _TRANSPORT=stdout", identifier(unit));
    let all = own.into_iter().chain([marked]);
    let mut words: Vec<String> = Vec::new();
    for term in all {
        if !words.is_empty() {
            words.push("+".to_owned());
        }
        words.extend(term.split(' ').map(str::to_owned));
    }
    words
}

/// Whether an entry that was found is about the unit after all: everybody may write under any identifier, and where the
/// writer's own unit is known it has to be this one.
pub fn belongs(entry: &Map<String, Value>, scope: Scope, unit: &str) -> bool {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let (own, about) = match scope {
        Scope::User => {
            ("_SYSTEMD_USER_UNIT", ["USER_UNIT", "OBJECT_SYSTEMD_USER_UNIT", "COREDUMP_USER_UNIT"])
        }
        Scope::System => ("_SYSTEMD_UNIT", ["UNIT", "OBJECT_SYSTEMD_UNIT", "COREDUMP_UNIT"]),
    };
    let named = about.iter().any(|name| text(name) == Some(unit));
    // A process of a user's manager has the manager's own unit in the other field.
    let elsewhere = match scope {
        Scope::User => text("_SYSTEMD_UNIT").is_some_and(|unit| !unit.starts_with("user@")),
        Scope::System => text("_SYSTEMD_USER_UNIT").is_some(),
    };
    match text(own) {
        Some(writer) => writer == unit || named,
        None => named || !elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_term_for_each_who_may_speak_of_a_unit() {
        assert_eq!(identifier("fased-gateway@a.service"), "fased-gateway@a");
        let words = terms(Scope::System, "a.service").join(" ");
        assert_eq!(
            words,
            "_SYSTEMD_UNIT=a.service + UNIT=a.service _PID=1 + OBJECT_SYSTEMD_UNIT=a.service _UID=0 + \
             COREDUMP_UNIT=a.service _UID=0 + SYSLOG_IDENTIFIER=a _TRANSPORT=stdout"
        );
        assert!(terms(Scope::User, "a.service").contains(&"USER_UNIT=a.service".to_owned()));
    }

    #[test]
    fn somebody_elses_line_under_our_identifier_is_not_ours() {
        let table = [
            (Scope::User, json!({ "_SYSTEMD_USER_UNIT": "a.service" }), true),
            (Scope::User, json!({ "USER_UNIT": "a.service", "_SYSTEMD_USER_UNIT": "init.scope" }), true),
            (Scope::User, json!({ "SYSLOG_IDENTIFIER": "a" }), true),
            (Scope::User, json!({ "SYSLOG_IDENTIFIER": "a", "_SYSTEMD_UNIT": "user@1000.service" }), true),
            (Scope::User, json!({ "SYSLOG_IDENTIFIER": "a", "_SYSTEMD_UNIT": "session-1.scope" }), false),
            (Scope::User, json!({ "SYSLOG_IDENTIFIER": "a", "_SYSTEMD_USER_UNIT": "b.service" }), false),
            (Scope::System, json!({ "_SYSTEMD_UNIT": "a.service" }), true),
            (Scope::System, json!({ "UNIT": "a.service", "_SYSTEMD_UNIT": "init.scope" }), true),
            (Scope::System, json!({ "SYSLOG_IDENTIFIER": "a" }), true),
            (Scope::System, json!({ "SYSLOG_IDENTIFIER": "a", "_SYSTEMD_UNIT": "user@1000.service" }), false),
        ];
        for (scope, entry, expected) in table {
            assert_eq!(belongs(entry.as_object().unwrap(), scope, "a.service"), expected, "{entry}");
        }
    }
}
