//! Whether the manager took a definition as it is written.
//!
//! A value that systemd cannot use is dropped with a line in the journal and nothing else: the unit loads, starts, and
//! has a default in its place (lifecycle notes E9.3). So what is in force is compared with what the file says, by the
//! meaning of each directive.

use std::collections::BTreeSet;

use super::filter::{self, Groups};
use super::properties::Properties;
use super::syntax::File;
use super::{directives, quoting, timespan};
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
    Codes,
    Path,
    Command,
    Assignments,
    /// Words, in any order.
    Words,
    /// Words, in any order, among those that the manager adds by itself.
    Among,
    /// Words, in any order; or everything but them.
    Families,
    /// Yes or no, as a set of what is allowed.
    Namespaces,
    /// Nothing, or everything but nothing.
    Capabilities,
    /// Names and paths.
    Credentials,
    /// System calls, with groups spelled out.
    Calls,
    /// The name of an error.
    Error,
}

/// Section, directive, property, meaning.
const ROWS: [(&str, &str, &str, Meaning); 65] = [
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
    ("Unit", "Wants", "Wants", Meaning::Among),
    ("Unit", "After", "After", Meaning::Among),
    ("Service", "UnsetEnvironment", "UnsetEnvironment", Meaning::Words),
    ("Service", "LoadCredential", "LoadCredential", Meaning::Credentials),
    ("Service", "StateDirectory", "StateDirectory", Meaning::Words),
    ("Service", "StateDirectoryMode", "StateDirectoryMode", Meaning::Octal),
    ("Service", "LogsDirectory", "LogsDirectory", Meaning::Words),
    ("Service", "LogsDirectoryMode", "LogsDirectoryMode", Meaning::Octal),
    ("Service", "RuntimeDirectory", "RuntimeDirectory", Meaning::Words),
    ("Service", "RuntimeDirectoryMode", "RuntimeDirectoryMode", Meaning::Octal),
    ("Service", "ConfigurationDirectory", "ConfigurationDirectory", Meaning::Words),
    ("Service", "ConfigurationDirectoryMode", "ConfigurationDirectoryMode", Meaning::Octal),
    ("Service", "CapabilityBoundingSet", "CapabilityBoundingSet", Meaning::Capabilities),
    ("Service", "AmbientCapabilities", "AmbientCapabilities", Meaning::Capabilities),
    ("Service", "RestrictNamespaces", "RestrictNamespaces", Meaning::Namespaces),
    ("Service", "RestrictAddressFamilies", "RestrictAddressFamilies", Meaning::Families),
    ("Service", "SystemCallArchitectures", "SystemCallArchitectures", Meaning::Words),
    ("Service", "SystemCallFilter", "SystemCallFilter", Meaning::Calls),
    ("Service", "SystemCallErrorNumber", "SystemCallErrorNumber", Meaning::Error),
    ("Service", "PrivateMounts", "PrivateMounts", Meaning::Flag),
];

/// What is written and not compared, and why.
#[cfg(test)]
const NOT_COMPARED: [(&str, &str, &str); 2] = [
    (
        "Install",
        "WantedBy",
        "it makes links, and whether they are in force the target that wants the unit tells",
    ),
    (
        "Service",
        "WatchdogSec",
        "the manager tells that of the last start, whatever the unit that was started had",
    ),
];

/// Whether what groups of system calls mean has to be known for a comparison.
pub fn needs_groups(file: &File) -> bool {
    file.value("Service", "SystemCallFilter").is_some()
}

/// Every directive of the file that is in force otherwise. Filters of system calls are compared where their groups are
/// known.
pub fn differences(file: &File, force: &Properties, groups: Option<&Groups>) -> Vec<Difference> {
    let differs = |(section, key, property, meaning): (&str, &'static str, &str, Meaning)| {
        let mut written = file.values(section, key);
        let set = file.settings().filter(|setting| setting.section == section && setting.key == key).last();
        // Of these, nothing is a value.
        if matches!(meaning, Meaning::Capabilities) && written.is_empty() && set.is_some() {
            written.push("");
        }
        let last = *written.last()?;
        // A manager that is too old for a directive has no property for it.
        if !force.0.contains_key(property) {
            return None;
        }
        let holds = match (meaning, groups, force.either(property)) {
            (Meaning::Calls, Some(groups), Some(in_force)) => filter::holds(&written, groups, &in_force),
            (Meaning::Calls, ..) => true,
            _ => holds(meaning, &written, property, force),
        };
        if holds {
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
        Meaning::Words => {
            // What a directory is also to be called is no property of it.
            let plain = |word: String| word.split(':').next().unwrap_or_default().to_owned();
            let mut words: Vec<String> = all_words(written).into_iter().map(plain).collect();
            let mut in_force = force.list(property);
            words.sort_unstable();
            in_force.sort_unstable();
            words.dedup();
            words == in_force
        }
        Meaning::Among => {
            let in_force = force.list(property);
            // Other units may go by another name than that they are known by.
            let words = all_words(written).into_iter().filter(|word| word.ends_with(".target"));
            words.into_iter().all(|word| in_force.contains(&word))
        }
        Meaning::Families => force.either(property).is_none_or(|(allows, families)| {
            let words = written.iter().flat_map(|line| line.trim_start_matches('~').split_whitespace());
            allows != written[0].starts_with('~')
                && words.map(str::to_owned).collect::<BTreeSet<_>>() == families
        }),
        Meaning::Namespaces => match directives::flag(last) {
            Some(on) => match force.number(property) {
                Some(allowed) => on == (allowed == 0),
                None => force.text(property).is_empty() || on == (force.text(property) == "yes"),
            },
            None => true,
        },
        Meaning::Capabilities => capabilities_hold(last, property, force),
        Meaning::Credentials => credentials_hold(written, property, force),
        Meaning::Error => match last {
            "EPERM" => force.number(property).is_none_or(|number| number == 1),
            // Names of errors are written by us in one case only.
            _ => true,
        },
        // Compared with what groups mean, by the caller.
        Meaning::Calls => true,
        Meaning::Assignments => {
            let in_force = force.list(property);
            let words = written.iter().flat_map(|line| quoting::split(line).unwrap_or_default());
            last_of_each(words.map(|word| quoting::without_specifiers(&word)))
                .iter()
                .all(|assignment| in_force.contains(assignment))
        }
    }
}

fn capabilities_hold(written: &str, property: &str, force: &Properties) -> bool {
    let none = match force.number(property) {
        Some(set) => set == 0,
        None => force.text(property).is_empty(),
    };
    match written {
        "" => none,
        "~" => !none,
        _ => true,
    }
}

fn credentials_hold(written: &[&str], property: &str, force: &Properties) -> bool {
    // systemctl does not print them.
    let Some(mut in_force) = force.pairs(property) else { return true };
    let split = |line: &&str| {
        let (name, path) = line.split_once(':')?;
        Some((name.to_owned(), quoting::without_specifiers(path)))
    };
    let mut written: Vec<(String, String)> = written.iter().filter_map(split).collect();
    written.sort_unstable();
    in_force.sort_unstable();
    written == in_force
}

fn all_words(written: &[&str]) -> Vec<String> {
    written.iter().flat_map(|line| line.split_whitespace()).map(str::to_owned).collect()
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
        Meaning::Span => force.span(property).map_or_else(String::new, |usec| match usec {
            u64::MAX => "infinity".to_owned(),
            usec => timespan::write(std::time::Duration::from_micros(usec)),
        }),
        Meaning::Octal => match force.number(property) {
            Some(mode) if force.text(property).is_empty() => format!("{mode:04o}"),
            _ => force.text(property).to_owned(),
        },
        Meaning::Words | Meaning::Among => force.list(property).join(" "),
        Meaning::Families | Meaning::Calls => {
            force.either(property).map_or_else(String::new, |(allows, words)| {
                let count = words.len();
                let shown: Vec<String> = words.into_iter().take(8).collect();
                let more = if count > shown.len() { ", ..." } else { "" };
                format!("{}{}{more}", if allows { "" } else { "~" }, shown.join(" "))
            })
        }
        Meaning::Credentials => {
            let pairs = force.pairs(property).unwrap_or_default();
            pairs.iter().map(|(name, path)| format!("{name}:{path}")).collect::<Vec<_>>().join(" ")
        }
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
        UMask=0077\nRestartPreventExitStatus=78 7\nRestartSec=5\nNoNewPrivileges=yes\n\
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
            ("RestartUSec", text("5s")),
            ("NoNewPrivileges", Value::Flag(true)),
            ("WorkingDirectory", text("/home/a b")),
        ];
        Properties(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    #[test]
    fn a_definition_in_force_as_written_has_no_differences() {
        assert_eq!(differences(&File::parse(UNIT), &force(), None), []);
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
            ("RestartUSec", Value::Number(0), "RestartSec= is written as \"5\" and in force as \"0\""),
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
                differences(&File::parse(UNIT), &force, None).iter().map(ToString::to_string).collect();
            assert_eq!(found, [message]);
        }
    }

    /// Lifecycle notes, A6b row 142.
    #[test]
    fn every_directive_that_is_written_is_compared_or_listed_with_the_reason() {
        use std::path::Path;
        use std::time::Duration;

        use crate::instance::{BaseDirs, Brand, Env, Instance, Profile};
        use crate::service::hardening::Hardening;
        use crate::service::spec::{Choices, Credential, ServiceSpec};
        use crate::service::systemd::unit;
        use crate::service::systemd::version::Version;

        let dirs = BaseDirs::under("/home/ada");
        let user = Instance::new(Brand::Fased, Profile::Default, &Env::default(), &dirs);
        let system = Instance::of_system(Brand::Fased, Profile::Default, &dirs);
        for (instance, version) in [(&user, 252), (&user, 257), (&system, 252), (&system, 257)] {
            let credentials = vec![Credential { name: "a".to_owned(), path: "/a".to_owned() }];
            let choices = Choices {
                hardening: Hardening::Strict,
                credentials,
                ..Choices::new(Path::new("/bin/fased"), &dirs, Duration::ZERO)
            };
            let spec = ServiceSpec::for_gateway(instance, &choices).unwrap();
            let text = unit::render(&spec, &instance.unit_name(), Version(version)).unwrap();
            for setting in File::parse(&text).settings().filter(|setting| !setting.key.starts_with("X-")) {
                let compared = ROWS.iter().any(|row| (row.0, row.1) == (setting.section, setting.key));
                let listed = NOT_COMPARED.iter().any(|row| (row.0, row.1) == (setting.section, setting.key));
                assert!(compared != listed, "{}", setting.key);
            }
        }
    }

    #[test]
    fn lists_and_sets_are_compared_as_such_from_either_source() {
        let text = |text: &str| Value::Text(text.to_owned());
        let many = |words: &[&str]| Value::Many(words.iter().map(|word| text(word)).collect());
        let either = |allows, words: &[&str]| Value::Many(vec![Value::Flag(allows), many(words)]);
        let credentials = |pairs: &[[&str; 2]]| Value::Many(pairs.iter().map(|pair| many(pair)).collect());
        let groups = Groups::parse("@clock\n    adjtimex\n");
        let table = [
            ("Wants=a.target b.service", "Unit", "Wants", many(&["a.target", "c"]), many(&["b.service"])),
            ("StateDirectory=a b", "Service", "StateDirectory", many(&["b", "a"]), many(&["a"])),
            ("StateDirectory=a", "Service", "StateDirectory", text("a"), text("")),
            ("StateDirectoryMode=0700", "Service", "StateDirectoryMode", Value::Number(0o700), text("0755")),
            ("RestrictNamespaces=yes", "Service", "RestrictNamespaces", Value::Number(0), Value::Number(5)),
            ("RestrictNamespaces=yes", "Service", "RestrictNamespaces", text("yes"), text("no")),
            (
                "RestrictAddressFamilies=B A",
                "Service",
                "RestrictAddressFamilies",
                either(true, &["A", "B"]),
                either(true, &["A"]),
            ),
            ("RestrictAddressFamilies=B A", "Service", "RestrictAddressFamilies", text("A B"), text("~A B")),
            (
                "CapabilityBoundingSet=",
                "Service",
                "CapabilityBoundingSet",
                Value::Number(0),
                Value::Number(1),
            ),
            ("CapabilityBoundingSet=~", "Service", "CapabilityBoundingSet", text("cap_chown"), text("")),
            (
                "LoadCredential=a:/b%%c",
                "Service",
                "LoadCredential",
                credentials(&[["a", "/b%c"]]),
                credentials(&[]),
            ),
            (
                "SystemCallFilter=~@clock",
                "Service",
                "SystemCallFilter",
                either(false, &["adjtimex"]),
                either(false, &[]),
            ),
            ("SystemCallFilter=~@clock", "Service", "SystemCallFilter", text("~adjtimex"), text("~mount")),
            (
                "SystemCallErrorNumber=EPERM",
                "Service",
                "SystemCallErrorNumber",
                Value::Number(1),
                text("2147483646"),
            ),
        ];
        for (line, section, property, same, other) in table {
            let file = File::parse(&format!("[{section}]\n{line}\n"));
            let found = |value: Value| {
                differences(&file, &Properties([(property.to_owned(), value)].into()), Some(&groups))
            };
            assert_eq!(found(same), [], "{line}");
            assert_eq!(found(other).len(), 1, "{line}");
        }
        let unprintable = Properties([("LoadCredential".to_owned(), text("[unprintable]"))].into());
        assert_eq!(differences(&File::parse("[Service]\nLoadCredential=a:/b\n"), &unprintable, None), []);
    }
}
