//! What the value of a directive means, so that values that are written differently and mean the same are equal.
//!
//! Pure. Knows kinds of values (systemd.syntax(7), systemd.time(7)), not what any of them is for.

use super::quoting;
use super::specifier::Specifiers;
use super::timespan;

/// The kind of value that a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One text; the last one counts.
    Text,
    /// One of a few words; the last usable one counts.
    Word(&'static [&'static str]),
    /// Yes or no.
    Flag,
    /// A whole number.
    Number,
    /// Permissions.
    Octal,
    /// A time span.
    Span,
    /// Exit statuses, by number or by name; lines add up.
    Codes,
    /// One path.
    Path,
    /// Commands; lines add up.
    Command,
    /// Assignments of variables; lines add up, and the last one of each variable counts.
    Assignments,
    /// Words in any order; lines add up.
    Words,
    /// Words in any order that no empty line takes back: dependencies.
    Edges,
    /// Nothing is known; lines add up.
    Lines,
}

/// The kind of a directive.
pub fn kind(section: &str, key: &str) -> Kind {
    use Kind::*;
    match (section, key) {
        ("Unit", "Description")
        | (
            "Service",
            "KillSignal" | "ReloadSignal" | "StandardOutput" | "StandardError" | "SyslogIdentifier",
        ) => Text,
        ("Unit", "StartLimitIntervalSec") => Span,
        ("Unit", "StartLimitBurst") | ("Service", "RestartSteps" | "FileDescriptorStoreMax") => Number,
        (
            "Unit",
            "After" | "Before" | "Wants" | "Requires" | "BindsTo" | "PartOf" | "Conflicts" | "Requisite",
        ) => Edges,
        ("Unit", "RefuseManualStart" | "RefuseManualStop" | "StopWhenUnneeded") => Flag,
        ("Service", "Type") => {
            Word(&["simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"])
        }
        ("Service", "NotifyAccess") => Word(&["none", "main", "exec", "all"]),
        ("Service", "Restart") => {
            Word(&["no", "on-success", "on-failure", "on-abnormal", "on-abort", "on-watchdog", "always"])
        }
        ("Service", "KillMode") => Word(&["control-group", "mixed", "process", "none"]),
        ("Service", "OOMPolicy") => Word(&["continue", "stop", "kill"]),
        (
            "Service",
            "NoNewPrivileges"
            | "LockPersonality"
            | "RestrictRealtime"
            | "RestrictSUIDSGID"
            | "SendSIGKILL"
            | "RemainAfterExit"
            | "DynamicUser"
            | "PrivateDevices"
            | "PrivateUsers"
            | "PrivateNetwork"
            | "ProtectKernelModules"
            | "ProtectKernelLogs"
            | "ProtectClock"
            | "ProtectKernelTunables"
            | "ProtectControlGroups"
            | "ProtectHostname"
            | "PrivateTmp"
            | "PrivateMounts"
            | "RemoveIPC"
            | "MemoryDenyWriteExecute"
            | "RootDirectoryStartOnly",
        ) => Flag,
        (
            "Service",
            "RestartSec" | "RestartMaxDelaySec" | "TimeoutStartSec" | "TimeoutStopSec" | "TimeoutAbortSec"
            | "WatchdogSec" | "RuntimeMaxSec",
        ) => Span,
        (
            "Service",
            "UMask"
            | "StateDirectoryMode"
            | "LogsDirectoryMode"
            | "RuntimeDirectoryMode"
            | "ConfigurationDirectoryMode",
        ) => Octal,
        ("Service", "RestartForceExitStatus" | "SuccessExitStatus" | "RestartPreventExitStatus") => Codes,
        ("Service", "WorkingDirectory" | "RootDirectory" | "RootImage" | "PIDFile") => Path,
        (
            "Service",
            "User"
            | "Group"
            | "ProtectSystem"
            | "ProtectHome"
            | "ProtectProc"
            | "KeyringMode"
            | "SystemCallErrorNumber",
        ) => Text,
        (
            "Service",
            "ExecStart" | "ExecReload" | "ExecStop" | "ExecStartPre" | "ExecStartPost" | "ExecStopPost"
            | "ExecCondition",
        ) => Command,
        ("Service", "Environment") => Assignments,
        (
            "Service",
            "SystemCallArchitectures"
            | "RestrictAddressFamilies"
            | "StateDirectory"
            | "LogsDirectory"
            | "RuntimeDirectory"
            | "ConfigurationDirectory",
        )
        | ("Install", "WantedBy" | "RequiredBy" | "Also" | "Alias") => Words,
        _ => Lines,
    }
}

/// Older spellings of a directive (systemd's own table of them).
pub fn current_name<'a>(section: &'a str, key: &'a str) -> (&'a str, &'a str) {
    match (section, key) {
        ("Service", "StartLimitInterval")
        | ("Unit", "StartLimitInterval")
        | ("Service", "StartLimitIntervalSec") => ("Unit", "StartLimitIntervalSec"),
        ("Service", "StartLimitBurst") => ("Unit", "StartLimitBurst"),
        ("Unit", "OnFailureIsolate") => ("Unit", "OnFailureJobMode"),
        other => other,
    }
}

/// The meaning of one line, in words that are equal where the meaning is. `None` for what the manager would drop.
pub fn meaning(kind: Kind, value: &str, specifiers: &Specifiers) -> Option<Vec<String>> {
    let text = specifiers.expand(value);
    let one = |text: String| Some(vec![text]);
    match kind {
        Kind::Text => one(quoting::without_specifiers(&text)),
        Kind::Word(words) => words.contains(&text.as_str()).then(|| vec![text]),
        Kind::Flag => flag(&text).map(|flag| vec![if flag { "yes" } else { "no" }.to_owned()]),
        Kind::Number => text.trim().parse::<u64>().ok().map(|number| vec![number.to_string()]),
        Kind::Octal => u32::from_str_radix(text.trim(), 8)
            .ok()
            .filter(|mode| *mode <= 0o7777)
            .map(|mode| vec![format!("{mode:04o}")]),
        Kind::Span => timespan::read(&text).map(|usec| vec![span(usec)]),
        Kind::Codes => text.split_whitespace().map(code).collect(),
        Kind::Path => path(&quoting::without_specifiers(&text)).map(|path| vec![path]),
        Kind::Command => {
            let (words, literal) = quoting::stored_words(&text).ok()?;
            words.first()?;
            let mut command = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
            if !literal && command.contains('$') {
                command.insert(0, ':');
            }
            one(command)
        }
        Kind::Assignments => {
            let words = quoting::split(&text).ok()?;
            words
                .iter()
                .all(|word| word.contains('='))
                .then(|| words.iter().map(|word| quoting::without_specifiers(word)).collect())
        }
        Kind::Words | Kind::Edges => Some(text.split_whitespace().map(str::to_owned).collect()),
        Kind::Lines => one(text),
    }
}

/// Whether a line adds to those before it.
pub fn adds_up(kind: Kind) -> bool {
    matches!(kind, Kind::Codes | Kind::Command | Kind::Assignments | Kind::Words | Kind::Edges | Kind::Lines)
}

/// Whether the order of the words matters.
pub fn is_ordered(kind: Kind) -> bool {
    matches!(kind, Kind::Command | Kind::Lines)
}

/// A flag, as the manager reads it (systemd.syntax(7)).
pub fn flag(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Some(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Some(false),
        _ => None,
    }
}

/// Microseconds as the manager's reader takes them back.
pub fn span(usec: u64) -> String {
    match usec {
        u64::MAX => "infinity".to_owned(),
        usec if usec % 1_000_000 == 0 => (usec / 1_000_000).to_string(),
        usec => format!("{usec}us"),
    }
}

/// An exit status by number or by its name of sysexits(3); signals stay as they are.
fn code(word: &str) -> Option<String> {
    const NAMES: [(&str, u8); 15] = [
        ("USAGE", 64),
        ("DATAERR", 65),
        ("NOINPUT", 66),
        ("NOUSER", 67),
        ("NOHOST", 68),
        ("UNAVAILABLE", 69),
        ("SOFTWARE", 70),
        ("OSERR", 71),
        ("OSFILE", 72),
        ("CANTCREAT", 73),
        ("IOERR", 74),
        ("TEMPFAIL", 75),
        ("PROTOCOL", 76),
        ("NOPERM", 77),
        ("CONFIG", 78),
    ];
    if let Ok(number) = word.parse::<u8>() {
        return Some(number.to_string());
    }
    let name = word.strip_prefix("EX_").unwrap_or(word);
    match NAMES.iter().find(|(known, _)| *known == name) {
        Some((_, number)) => Some(number.to_string()),
        None => word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_').then(|| word.to_owned()),
    }
}

/// An absolute path, or `~`, without doubled and trailing slashes.
fn path(text: &str) -> Option<String> {
    let bare = text.strip_prefix('-').unwrap_or(text);
    if bare == "~" {
        return Some(text.to_owned());
    }
    let rest = bare.strip_prefix('/')?;
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    Some(format!("{}/{}", &text[..text.len() - bare.len()], parts.join("/")))
}

/// A word of a command, so that two commands are equal only where their words are.
fn quoted(word: &str) -> String {
    let plain =
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:=,@+%$".contains(c));
    if plain { word.to_owned() } else { format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lifecycle notes E8: parsed values are compared.
    #[test]
    fn values_that_mean_the_same_are_equal() {
        let specifiers = Specifiers::new("a.service", [('h', "/home/ada".to_owned())]);
        let table = [
            ("TimeoutStopSec", "45", "45s"),
            ("TimeoutStopSec", "90", "1min 30s"),
            ("TimeoutStopSec", "300", "5m"),
            ("WatchdogSec", "60", "60000ms"),
            ("NoNewPrivileges", "yes", "TRUE"),
            ("NoNewPrivileges", "no", "off"),
            ("UMask", "0077", "77"),
            ("RestartPreventExitStatus", "78 7", "7  CONFIG"),
            ("SuccessExitStatus", "75", "TEMPFAIL"),
            ("WorkingDirectory", "/home/ada", "%h/"),
            ("ExecStart", "/bin/a gateway \"x y\"", "\"/bin/a\"   gateway 'x y'"),
            ("ExecStart", "/bin/a 100%% %h", "/bin/a \"100%%\" /home/ada"),
            ("Environment", "A=1 B=2", "\"A=1\"  'B=2'"),
        ];
        for (key, a, b) in table {
            let kind = kind("Service", key);
            let meaning = |text| {
                let mut words = meaning(kind, text, &specifiers).unwrap_or_else(|| panic!("{key}={text}"));
                if !is_ordered(kind) {
                    words.sort();
                }
                words
            };
            assert_eq!(meaning(a), meaning(b), "{key}: {a} {b}");
        }
        let differ =
            [("ExecStart", "/bin/a \"x y\"", "/bin/a x y"), ("ExecStart", ":/bin/a $X", "/bin/a $X")];
        for (key, a, b) in differ {
            let kind = kind("Service", key);
            assert_ne!(meaning(kind, a, &specifiers), meaning(kind, b, &specifiers));
        }
    }

    #[test]
    fn what_the_manager_drops_means_nothing() {
        let table = [
            ("Restart", "sometimes"),
            ("Type", "Notify"),
            ("TimeoutStopSec", "soon"),
            ("UMask", "rwx"),
            ("NoNewPrivileges", "maybe"),
            ("StartLimitBurst", "many"),
            ("WorkingDirectory", "\"/home/ada\""),
            ("ExecStart", "/bin/a \"x"),
            ("Environment", "novalue"),
        ];
        for (key, value) in table {
            let section = if key == "StartLimitBurst" { "Unit" } else { "Service" };
            assert_eq!(meaning(kind(section, key), value, &Specifiers::default()), None, "{key}={value}");
        }
    }
}
