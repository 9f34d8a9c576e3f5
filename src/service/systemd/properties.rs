//! The properties of a unit, from either source: typed over D-Bus, or as `systemctl show` prints them.
//!
//! Reading is [`super::bus`]'s and [`super::systemctl`]'s business; this is what the words mean.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::path::PathBuf;

use super::quoting::BLANKS;
use super::timespan;
use crate::service::observed::UnitState;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text; from `systemctl show` everything is.
    Text(String),
    /// A flag.
    Flag(bool),
    /// A number.
    Number(i128),
    /// A list or a structure.
    Many(Vec<Value>),
}

/// Properties by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(pub HashMap<String, Value>);

impl Properties {
    /// A text; empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// A flag; false when there is none.
    pub fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Flag(flag)) => *flag,
            Some(Value::Text(text)) => text == "yes",
            _ => false,
        }
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<i128> {
        match self.0.get(name)? {
            Value::Number(number) => Some(*number),
            Value::Text(text) => text.parse().ok(),
            Value::Flag(_) | Value::Many(_) => None,
        }
    }

    /// Microseconds; `u64::MAX` is infinity.
    pub fn span(&self, name: &str) -> Option<u64> {
        match self.0.get(name)? {
            Value::Number(number) => u64::try_from(*number).ok(),
            Value::Text(text) => timespan::read(text),
            Value::Flag(_) | Value::Many(_) => None,
        }
    }

    /// A list of words.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::Many(values)) => {
                values.iter().filter_map(Value::as_text).map(str::to_owned).collect()
            }
            Some(Value::Text(text)) => shell_words(text),
            _ => Vec::new(),
        }
    }

    /// A set of words: of those that are allowed (true), or of those that are not.
    pub fn either(&self, name: &str) -> Option<(bool, BTreeSet<String>)> {
        match self.0.get(name)? {
            Value::Many(fields) => match fields.as_slice() {
                [Value::Flag(allows), Value::Many(words)] => {
                    Some((*allows, words.iter().filter_map(Value::as_text).map(str::to_owned).collect()))
                }
                _ => None,
            },
            Value::Text(text) => {
                let words = text.trim_start_matches('~').split_whitespace().map(str::to_owned).collect();
                Some((!text.starts_with('~'), words))
            }
            Value::Flag(_) | Value::Number(_) => None,
        }
    }

    /// Pairs of texts; none from `systemctl show`, which does not print them.
    pub fn pairs(&self, name: &str) -> Option<Vec<(String, String)>> {
        let Value::Many(pairs) = self.0.get(name)? else { return None };
        let pair = |value: &Value| match value {
            Value::Many(fields) => match fields.as_slice() {
                [Value::Text(a), Value::Text(b)] => Some((a.clone(), b.clone())),
                _ => None,
            },
            _ => None,
        };
        Some(pairs.iter().filter_map(pair).collect())
    }

    /// Numbers, wherever they stand in a structure, in ascending order: exit statuses.
    pub fn codes(&self, name: &str) -> Vec<i128> {
        let mut codes = Vec::new();
        match self.0.get(name) {
            Some(Value::Text(text)) => {
                codes.extend(text.split_whitespace().filter_map(|word| word.parse::<i128>().ok()))
            }
            Some(other) => other.collect_numbers(&mut codes),
            None => {}
        }
        codes.sort_unstable();
        codes
    }

    /// The first command of `ExecStart`.
    pub fn command(&self, name: &str) -> Option<Command> {
        match self.0.get(name)? {
            // a(sasbttttuii): path, argv, ...
            Value::Many(commands) => match commands.first()? {
                Value::Many(fields) => {
                    let argv = match fields.get(1)? {
                        Value::Many(words) => {
                            words.iter().filter_map(Value::as_text).map(str::to_owned).collect()
                        }
                        _ => return None,
                    };
                    Some(Command::Words(argv))
                }
                _ => None,
            },
            // { path=/bin/a ; argv[]=/bin/a b ; ignore_errors=no ; ... }
            Value::Text(text) => {
                let rest = text.split_once("argv[]=")?.1;
                let end = rest.find(" ; ignore_errors=").unwrap_or(rest.len());
                Some(Command::Joined(rest[..end].to_owned()))
            }
            Value::Flag(_) | Value::Number(_) => None,
        }
    }

    /// What the planner and people want to know of a unit. `wanted` says whether the target wants it that
    /// starts what starts by itself.
    pub fn unit_state(&self, wanted_at_login: bool) -> UnitState {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let active_state = self.text("ActiveState").to_owned();
        // The text stays behind when the process is gone (lifecycle notes E4).
        let alive = !matches!(active_state.as_str(), "inactive" | "failed" | "");
        let limit = |name| self.span(name).filter(|usec| *usec != u64::MAX);
        let number = |name| self.number(name).and_then(|number| i32::try_from(number).ok()).unwrap_or(0);
        let load_error = self.list("LoadError");
        UnitState {
            load_state: self.text("LoadState").to_owned(),
            load_error: load_error.get(1).or(load_error.first()).and_then(|text| some(text)),
            active_state,
            sub_state: self.text("SubState").to_owned(),
            result: self.text("Result").to_owned(),
            unit_file_state: self.text("UnitFileState").to_owned(),
            wanted_at_login,
            wanted_on_disk: wanted_at_login,
            fragment_path: some(self.text("FragmentPath")).map(PathBuf::from),
            drop_in_paths: self.list("DropInPaths").into_iter().map(PathBuf::from).collect(),
            need_daemon_reload: self.flag("NeedDaemonReload"),
            invocation_id: self.invocation_id(),
            main_pid: self.number("MainPID").and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0),
            exec_main_code: number("ExecMainCode"),
            exec_main_status: number("ExecMainStatus"),
            n_restarts: self.number("NRestarts").and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
            status_text: some(self.text("StatusText")).filter(|_| alive),
            service_type: self.text("Type").to_owned(),
            watchdog_usec: limit("WatchdogUSec").filter(|usec| *usec != 0),
            timeout_start_usec: limit("TimeoutStartUSec"),
            timeout_stop_usec: limit("TimeoutStopUSec"),
            control_group: some(self.text("ControlGroup")),
            job: self.job(),
        }
    }

    /// 16 bytes over the bus, 32 digits in text; empty before the first start.
    fn invocation_id(&self) -> Option<String> {
        match self.0.get("InvocationID")? {
            Value::Many(bytes) => {
                let mut id = String::new();
                for byte in bytes {
                    if let Value::Number(byte) = byte {
                        // Writing into a string cannot fail.
                        let _ = write!(id, "{byte:02x}");
                    }
                }
                (!id.is_empty()).then_some(id)
            }
            Value::Text(text) => (!text.is_empty()).then(|| text.clone()),
            Value::Flag(_) | Value::Number(_) => None,
        }
    }

    /// (id, path) over the bus, the id in text.
    fn job(&self) -> Option<String> {
        match self.0.get("Job")? {
            Value::Many(fields) => match (fields.first(), fields.get(1)) {
                (Some(Value::Number(id)), Some(Value::Text(path))) if *id != 0 => Some(path.clone()),
                _ => None,
            },
            Value::Text(text) => (!text.is_empty() && text != "0").then(|| text.clone()),
            Value::Flag(_) | Value::Number(_) => None,
        }
    }
}

impl Value {
    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Flag(_) | Self::Number(_) | Self::Many(_) => None,
        }
    }

    fn collect_numbers(&self, into: &mut Vec<i128>) {
        match self {
            Self::Number(number) => into.push(*number),
            Self::Many(values) => values.iter().for_each(|value| value.collect_numbers(into)),
            Self::Text(_) | Self::Flag(_) => {}
        }
    }
}

/// A command line as the manager has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Word by word.
    Words(Vec<String>),
    /// Joined by blanks, as text prints it: not to be split again.
    Joined(String),
}

impl Command {
    /// Whether it is made of these words.
    pub fn is(&self, words: &[String]) -> bool {
        match self {
            Self::Words(own) => own == words,
            Self::Joined(text) => *text == words.join(" "),
        }
    }
}

/// Lists as `systemctl show` prints them: a word in double quotes has `$`, `` ` ``, `"` and `\` escaped.
pub fn shell_words(text: &str) -> Vec<String> {
    let (mut words, mut chars) = (Vec::new(), text.chars().peekable());
    loop {
        while chars.next_if(|c| BLANKS.contains(c)).is_some() {}
        if chars.peek().is_none() {
            return words;
        }
        let (mut word, mut quoted) = (String::new(), false);
        while let Some(c) = chars.next_if(|c| quoted || !BLANKS.contains(c)) {
            match c {
                '"' => quoted = !quoted,
                '\\' => word.extend(chars.next()),
                other => word.push(other),
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &str) -> Properties {
        let pairs = lines.lines().filter_map(|line| line.split_once('='));
        Properties(pairs.map(|(name, value)| (name.to_owned(), Value::Text(value.to_owned()))).collect())
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    /// What systemd 252 said about the same unit in both ways.
    #[test]
    fn both_sources_mean_the_same() {
        let show = shown(
            "LoadState=loaded\nLoadError=\nActiveState=active\nSubState=running\nResult=success\n\
             UnitFileState=enabled\nFragmentPath=/home/a/u.service\nDropInPaths=/a/x.conf /a/y.conf\n\
             NeedDaemonReload=no\nInvocationID=7315b755b978422fbf372900d5be605a\nMainPID=160\nExecMainCode=0\n\
             ExecMainStatus=0\nNRestarts=2\nStatusText=ok\nType=notify\nWatchdogUSec=1min\n\
             TimeoutStartUSec=1min 30s\nTimeoutStopUSec=infinity\nControlGroup=/user.slice/u.service\nJob=17",
        );
        let id =
            [0x73, 0x15, 0xb7, 0x55, 0xb9, 0x78, 0x42, 0x2f, 0xbf, 0x37, 0x29, 0x00, 0xd5, 0xbe, 0x60, 0x5a];
        let typed = [
            ("LoadState", text("loaded")),
            ("LoadError", Value::Many(vec![text(""), text("")])),
            ("ActiveState", text("active")),
            ("SubState", text("running")),
            ("Result", text("success")),
            ("UnitFileState", text("enabled")),
            ("FragmentPath", text("/home/a/u.service")),
            ("DropInPaths", Value::Many(vec![text("/a/x.conf"), text("/a/y.conf")])),
            ("NeedDaemonReload", Value::Flag(false)),
            ("InvocationID", Value::Many(id.map(Value::Number).to_vec())),
            ("MainPID", Value::Number(160)),
            ("ExecMainCode", Value::Number(0)),
            ("ExecMainStatus", Value::Number(0)),
            ("NRestarts", Value::Number(2)),
            ("StatusText", text("ok")),
            ("Type", text("notify")),
            ("WatchdogUSec", Value::Number(60_000_000)),
            ("TimeoutStartUSec", Value::Number(90_000_000)),
            ("TimeoutStopUSec", Value::Number(i128::from(u64::MAX))),
            ("ControlGroup", text("/user.slice/u.service")),
            ("Job", Value::Many(vec![Value::Number(17), text("17")])),
        ];
        let bus = Properties(typed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        assert_eq!(show.unit_state(true), bus.unit_state(true));
        let state = bus.unit_state(true);
        assert_eq!(state.invocation_id.as_deref(), Some("7315b755b978422fbf372900d5be605a"));
        assert_eq!((state.main_pid, state.n_restarts, state.timeout_stop_usec), (Some(160), 2, None));
        assert_eq!(state.status_text.as_deref(), Some("ok"));
    }

    #[test]
    fn what_a_dead_service_said_about_itself_is_not_told() {
        let state = shown("ActiveState=failed\nStatusText=all is well\nMainPID=0\nInvocationID=\nJob=")
            .unit_state(false);
        assert_eq!(
            (state.status_text, state.main_pid, state.invocation_id, state.job),
            (None, None, None, None)
        );
    }

    #[test]
    fn the_reason_why_a_unit_is_not_loaded_is_kept() {
        let shown = shown("LoadError=org.freedesktop.systemd1.NoSuchUnit \"Unit x.service not found.\"");
        assert_eq!(shown.unit_state(false).load_error.as_deref(), Some("Unit x.service not found."));
    }

    #[test]
    fn lists_in_quotes_are_undone() {
        let words = shell_words(r#""E_A=1 2" "E_B=%h \$HOME \\s \"q\"" E_C= E_D="#);
        assert_eq!(words, ["E_A=1 2", "E_B=%h $HOME \\s \"q\"", "E_C=", "E_D="]);
    }

    #[test]
    fn commands_and_codes() {
        let show = shown(
            "ExecStart={ path=/bin/a ; argv[]=/bin/a b ; c ; ignore_errors=no ; start_time=[n/a] }\n\
             RestartPreventExitStatus=78 7",
        );
        let words = ["/bin/a", "b", ";", "c"].map(str::to_owned);
        assert!(show.command("ExecStart").unwrap().is(&words));
        assert_eq!(show.codes("RestartPreventExitStatus"), [7, 78]);
        let codes =
            Value::Many(vec![Value::Many(vec![Value::Number(78), Value::Number(7)]), Value::Many(vec![])]);
        let bus = Properties([("S".to_owned(), codes)].into());
        assert_eq!(bus.codes("S"), [7, 78]);
    }
}
