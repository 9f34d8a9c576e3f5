//! Whether the manager took a definition as it is written.
//!
//! A value that systemd cannot use is dropped with a line in the journal and nothing else: the unit loads, starts, and
//! has a default in its place (lifecycle notes E9.3). So what is in force is compared with what the file says, by the
//! meaning of each directive.

use super::properties::Properties;
use super::quoting;
use super::syntax::File;
use super::timespan;
use crate::service::redact;

/// A directive that is written one way and in force another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The directive.
    pub key: &'static str,
    /// What the file says and what is in force; nothing where either may be secret.
    pub detail: Option<(String, String)>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.detail {
            Some((written, force)) => {
                write!(f, "{}= is written as \"{written}\" and in force as \"{force}\"", self.key)
            }
            None => write!(f, "{}= is in force otherwise than written", self.key),
        }
    }
}

/// How a directive is compared with the property that holds it.
#[derive(Clone, Copy)]
enum Meaning {
    Text,
    Flag,
    Number,
    Octal,
    Span,
    /// A span that the manager tells only of a service that was started since it was loaded; "infinity" before.
    RunningSpan,
    Codes,
    Path,
    Command,
    Assignments,
}

/// Section, directive, property, meaning. Directives that have no property are not compared.
const ROWS: [(&str, &str, &str, Meaning); 46] = [
    ("Unit", "Description", "Description", Meaning::Text),
    ("Unit", "StartLimitIntervalSec", "StartLimitIntervalUSec", Meaning::Span),
    ("Unit", "StartLimitBurst", "StartLimitBurst", Meaning::Number),
    ("Service", "Type", "Type", Meaning::Text),
    ("Service", "NotifyAccess", "NotifyAccess", Meaning::Text),
    ("Service", "ExecStart", "ExecStart", Meaning::Command),
    ("Service", "ExecReload", "ExecReload", Meaning::Command),
    ("Service", "WorkingDirectory", "WorkingDirectory", Meaning::Path),
    ("Service", "Environment", "Environment", Meaning::Assignments),
    ("Service", "SyslogIdentifier", "SyslogIdentifier", Meaning::Text),
    ("Service", "UMask", "UMask", Meaning::Octal),
    ("Service", "Restart", "Restart", Meaning::Text),
    ("Service", "RestartSec", "RestartUSec", Meaning::Span),
    ("Service", "RestartSteps", "RestartSteps", Meaning::Number),
    ("Service", "RestartMaxDelaySec", "RestartMaxDelayUSec", Meaning::Span),
    ("Service", "RestartForceExitStatus", "RestartForceExitStatus", Meaning::Codes),
    ("Service", "SuccessExitStatus", "SuccessExitStatus", Meaning::Codes),
    ("Service", "RestartPreventExitStatus", "RestartPreventExitStatus", Meaning::Codes),
    ("Service", "TimeoutStartSec", "TimeoutStartUSec", Meaning::Span),
    ("Service", "TimeoutStopSec", "TimeoutStopUSec", Meaning::Span),
    ("Service", "TimeoutAbortSec", "TimeoutAbortUSec", Meaning::Span),
    ("Service", "WatchdogSec", "WatchdogUSec", Meaning::RunningSpan),
    ("Service", "FileDescriptorStoreMax", "FileDescriptorStoreMax", Meaning::Number),
    ("Service", "KillMode", "KillMode", Meaning::Text),
    ("Service", "OOMPolicy", "OOMPolicy", Meaning::Text),
    ("Service", "NoNewPrivileges", "NoNewPrivileges", Meaning::Flag),
    ("Service", "LockPersonality", "LockPersonality", Meaning::Flag),
    ("Service", "RestrictRealtime", "RestrictRealtime", Meaning::Flag),
    ("Service", "RestrictSUIDSGID", "RestrictSUIDSGID", Meaning::Flag),
    ("Service", "MemoryDenyWriteExecute", "MemoryDenyWriteExecute", Meaning::Flag),
    ("Service", "DynamicUser", "DynamicUser", Meaning::Flag),
    ("Service", "PrivateTmp", "PrivateTmp", Meaning::Flag),
    ("Service", "PrivateDevices", "PrivateDevices", Meaning::Flag),
    ("Service", "PrivateUsers", "PrivateUsers", Meaning::Flag),
    ("Service", "ProtectClock", "ProtectClock", Meaning::Flag),
    ("Service", "ProtectControlGroups", "ProtectControlGroups", Meaning::Flag),
    ("Service", "ProtectHostname", "ProtectHostname", Meaning::Flag),
    ("Service", "ProtectKernelLogs", "ProtectKernelLogs", Meaning::Flag),
    ("Service", "ProtectKernelModules", "ProtectKernelModules", Meaning::Flag),
    ("Service", "ProtectKernelTunables", "ProtectKernelTunables", Meaning::Flag),
    ("Service", "RemoveIPC", "RemoveIPC", Meaning::Flag),
    ("Service", "User", "User", Meaning::Text),
    ("Service", "ProtectSystem", "ProtectSystem", Meaning::Text),
    ("Service", "ProtectHome", "ProtectHome", Meaning::Text),
    ("Service", "ProtectProc", "ProtectProc", Meaning::Text),
    ("Service", "KeyringMode", "KeyringMode", Meaning::Text),
];

/// Every directive of the file that is in force otherwise.
pub fn differences(file: &File, force: &Properties) -> Vec<Difference> {
    let differs = |(section, key, property, meaning): (&str, &'static str, &str, Meaning)| {
        let written = file.values(section, key);
        let last = *written.last()?;
        // A manager that is too old for a directive has no property for it.
        if !force.0.contains_key(property) {
            return None;
        }
        if holds(meaning, &written, property, force) {
            return None;
        }
        let detail = match meaning {
            Meaning::Assignments => None,
            Meaning::Command => Some((redact::redact_line(last), "another command".to_owned())),
            _ => Some((last.to_owned(), in_force(meaning, property, force))),
        };
        Some(Difference { key, detail })
    };
    ROWS.into_iter().filter_map(differs).collect()
}

fn holds(meaning: Meaning, written: &[&str], property: &str, force: &Properties) -> bool {
    let last = written.last().copied().unwrap_or_default();
    match meaning {
        Meaning::Text => quoting::without_specifiers(last) == force.text(property),
        Meaning::Flag => matches!(last, "yes" | "true" | "on" | "1" | "y" | "t") == force.flag(property),
        Meaning::Number => last.parse().ok() == force.number(property),
        Meaning::Octal => {
            let read = |text: &str| i128::from_str_radix(text, 8).ok();
            let text = force.text(property);
            let in_force = if text.is_empty() { force.number(property) } else { read(text) };
            read(last) == in_force
        }
        Meaning::Span => timespan::read(last) == force.span(property),
        Meaning::RunningSpan => [timespan::read(last), Some(u64::MAX)].contains(&force.span(property)),
        Meaning::Codes => {
            let mut codes: Vec<i128> = written
                .iter()
                .flat_map(|line| line.split_whitespace())
                .filter_map(|code| code.parse().ok())
                .collect();
            codes.sort_unstable();
            codes.dedup();
            codes == force.codes(property)
        }
        Meaning::Path => {
            let path = quoting::without_specifiers(last);
            path.trim_end_matches('/') == force.text(property).trim_end_matches('/')
        }
        Meaning::Command => {
            let words = quoting::stored_words(last).map(|(words, _)| words).unwrap_or_default();
            force.command(property).is_some_and(|command| command.is(&words))
        }
        Meaning::Assignments => {
            let in_force = force.list(property);
            let words = written.iter().flat_map(|line| quoting::split(line).unwrap_or_default());
            last_of_each(words.map(|word| quoting::without_specifiers(&word)))
                .iter()
                .all(|assignment| in_force.contains(assignment))
        }
    }
}

/// The last assignment of each variable.
fn last_of_each(assignments: impl Iterator<Item = String>) -> Vec<String> {
    let mut last: Vec<String> = Vec::new();
    for assignment in assignments {
        let name = assignment.split('=').next().unwrap_or_default();
        last.retain(|known| known.split('=').next() != Some(name));
        last.push(assignment);
    }
    last
}

fn in_force(meaning: Meaning, property: &str, force: &Properties) -> String {
    match meaning {
        Meaning::Flag => if force.flag(property) { "yes" } else { "no" }.to_owned(),
        Meaning::Span | Meaning::RunningSpan => {
            force.span(property).map_or_else(String::new, |usec| match usec {
                u64::MAX => "infinity".to_owned(),
                usec => timespan::write(std::time::Duration::from_micros(usec)),
            })
        }
        Meaning::Octal => match force.number(property) {
            Some(mode) if force.text(property).is_empty() => format!("{mode:04o}"),
            _ => force.text(property).to_owned(),
        },
        Meaning::Codes => {
            let codes = force.codes(property);
            codes.iter().map(i128::to_string).collect::<Vec<_>>().join(" ")
        }
        _ => match force.number(property) {
            Some(number) if force.text(property).is_empty() => number.to_string(),
            _ => force.text(property).to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::systemd::properties::Value;

    const UNIT: &str = "[Unit]\nDescription=50%% done\nStartLimitIntervalSec=300\n[Service]\nType=notify\n\
        ExecStart=/bin/a \"b c\" $$X 100%%\nEnvironment=A=1\nEnvironment=A=2 \"B=x y\"\nRestart=on-failure\n\
        UMask=0077\nRestartPreventExitStatus=78 7\nWatchdogSec=60\nNoNewPrivileges=yes\n\
        WorkingDirectory=/home/a b/\n";

    fn force() -> Properties {
        let text = |text: &str| Value::Text(text.to_owned());
        let command = Value::Many(vec![
            text("/bin/a"),
            Value::Many(["/bin/a", "b c", "$$X", "100%"].map(text).to_vec()),
        ]);
        let codes =
            Value::Many(vec![Value::Many(vec![Value::Number(7), Value::Number(78)]), Value::Many(vec![])]);
        let values = [
            ("Description", text("50% done")),
            ("StartLimitIntervalUSec", Value::Number(300_000_000)),
            ("Type", text("notify")),
            ("ExecStart", Value::Many(vec![command])),
            ("Environment", Value::Many(vec![text("A=2"), text("B=x y"), text("C=3")])),
            ("Restart", text("on-failure")),
            ("UMask", Value::Number(0o77)),
            ("RestartPreventExitStatus", codes),
            ("WatchdogUSec", text("1min")),
            ("NoNewPrivileges", Value::Flag(true)),
            ("WorkingDirectory", text("/home/a b")),
        ];
        Properties(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    #[test]
    fn a_definition_in_force_as_written_has_no_differences() {
        assert_eq!(differences(&File::parse(UNIT), &force()), []);
    }

    /// Lifecycle notes E9.3: a wrong value leaves the default in force.
    #[test]
    fn a_value_that_was_dropped_is_found() {
        let table = [
            (
                "Restart",
                Value::Text("no".to_owned()),
                "Restart= is written as \"on-failure\" and in force as \"no\"",
            ),
            ("UMask", Value::Number(0o22), "UMask= is written as \"0077\" and in force as \"0022\""),
            ("WatchdogUSec", Value::Number(0), "WatchdogSec= is written as \"60\" and in force as \"0\""),
            (
                "NoNewPrivileges",
                Value::Flag(false),
                "NoNewPrivileges= is written as \"yes\" and in force as \"no\"",
            ),
            ("Environment", Value::Many(vec![]), "Environment= is in force otherwise than written"),
            (
                "RestartPreventExitStatus",
                Value::Many(vec![]),
                "RestartPreventExitStatus= is written as \"78 7\" and in force as \"\"",
            ),
        ];
        for (property, value, message) in table {
            let mut force = force();
            force.0.insert(property.to_owned(), value);
            let found: Vec<String> =
                differences(&File::parse(UNIT), &force).iter().map(ToString::to_string).collect();
            assert_eq!(found, [message]);
        }
    }
}
