//! What `launchctl print` and `print-disabled` say.
//!
//! Pure. Apple calls the text no interface, so only a few keys of the outermost level are read, in any order, and
//! everything else is passed over: blocks inside repeat the same keys for other things (lifecycle notes D3, D4).

use std::collections::BTreeMap;

/// A job as launchd shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// `running`, `not running`, `spawn scheduled`, `throttled`, `xpcproxy`, ...
    pub state: String,
    /// Its process.
    pub pid: Option<u32>,
    /// The file it was loaded from; none when it was submitted by a program.
    pub path: Option<String>,
    /// Program and arguments.
    pub arguments: Vec<String>,
    /// Where it runs.
    pub working_directory: Option<String>,
    /// Where its standard output goes.
    pub stdout_path: Option<String>,
    /// Where its standard error goes.
    pub stderr_path: Option<String>,
    /// Its own variables.
    pub environment: Vec<(String, String)>,
    /// Those that it has from launchd.
    pub inherited: Vec<(String, String)>,
    /// Seconds between two starts.
    pub minimum_runtime: Option<u64>,
    /// Seconds between SIGTERM and SIGKILL.
    pub exit_timeout: Option<u64>,
    /// How often it was started since it was loaded.
    pub runs: Option<u32>,
    /// How it ended last. With a process there it is the run before that.
    pub last_exit: LastExit,
}

/// How a job ended last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastExit {
    /// Nobody says.
    #[default]
    Unknown,
    /// It never did.
    Never,
    /// With an exit status.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// Reads the text of `launchctl print DOMAIN/LABEL`. None when it describes nothing.
pub fn job(text: &str) -> Option<Printed> {
    let (plain, blocks) = outermost(text);
    let get = |key: &str| plain.get(key).map(|value| (*value).to_owned());
    let path = get("path").filter(|path| path.starts_with('/'));
    let pairs =
        |line: &&str| line.split_once(" => ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let variables = |block: &str| blocks.get(block).into_iter().flatten().filter_map(pairs).collect();
    let seconds = |key: &str| plain.get(key).and_then(|seconds| seconds.parse().ok());
    Some(Printed {
        state: get("state")?,
        pid: plain.get("pid").and_then(|pid| pid.parse().ok()).filter(|pid| *pid > 0),
        path,
        arguments: blocks.get("arguments").into_iter().flatten().map(|line| (*line).to_owned()).collect(),
        working_directory: get("working directory"),
        stdout_path: get("stdout path"),
        stderr_path: get("stderr path"),
        environment: variables("environment"),
        inherited: variables("inherited environment"),
        minimum_runtime: seconds("minimum runtime"),
        exit_timeout: seconds("exit timeout"),
        runs: plain.get("runs").and_then(|runs| runs.parse().ok()),
        last_exit: last_exit(
            plain.get("last exit code").copied(),
            plain.get("last terminating signal").copied(),
        ),
    })
}

/// `0`, `(never exited)`, `78: EX_CONFIG`; `Terminated: 15`.
fn last_exit(code: Option<&str>, signal: Option<&str>) -> LastExit {
    if let Some(signal) = signal {
        let number = signal.rsplit(' ').next().unwrap_or_default();
        return number.parse().map_or(LastExit::Unknown, LastExit::Signal);
    }
    match code {
        Some("(never exited)") => LastExit::Never,
        Some(code) => {
            let number = code.split(':').next().unwrap_or_default().trim();
            number.parse().map_or(LastExit::Unknown, LastExit::Code)
        }
        None => LastExit::Unknown,
    }
}

type Outermost<'a> = (BTreeMap<&'a str, &'a str>, BTreeMap<&'a str, Vec<&'a str>>);

/// The `key = value` lines of the outermost level, and the lines directly inside each of its blocks.
fn outermost(text: &str) -> Outermost<'_> {
    let (mut plain, mut blocks): Outermost<'_> = Default::default();
    let mut block: Option<&str> = None;
    for line in text.lines() {
        let depth = line.len() - line.trim_start_matches('\t').len();
        let content = &line[depth..];
        match (depth, block) {
            (1, _) if content == "}" => block = None,
            (1, _) => match content.strip_suffix(" = {") {
                Some(key) => {
                    block = Some(key);
                    blocks.entry(key).or_default();
                }
                None => {
                    block = None;
                    if let Some((key, value)) = content.split_once(" = ") {
                        // A key that comes twice is not one of those that are read.
                        plain.entry(key).or_insert(value);
                    }
                }
            },
            (2, Some(key)) if content != "}" => blocks.entry(key).or_default().push(content),
            _ => {}
        }
    }
    (plain, blocks)
}

/// Whether a label has an override, from `launchctl print-disabled DOMAIN`: `true` when it is disabled. Older releases
/// say `true` and `false`, newer ones `disabled` and `enabled`.
pub fn override_of(text: &str, label: &str) -> Option<bool> {
    let quoted = format!("\"{label}\"");
    let word = text.lines().find_map(|line| line.trim().strip_prefix(&quoted)?.trim().strip_prefix("=> "))?;
    match word.trim() {
        "true" | "disabled" => Some(true),
        "false" | "enabled" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = "gui/501/ai.fased.gateway = {\n\
        \tactive count = 1\n\
        \tpath = /Users/ada/Library/LaunchAgents/ai.fased.gateway.plist\n\
        \ttype = LaunchAgent\n\
        \tstate = running\n\
        \n\
        \tprogram = /opt/homebrew/bin/fased\n\
        \targuments = {\n\
        \t\t/opt/homebrew/bin/fased\n\
        \t\tgateway\n\
        \t\tstate = not running\n\
        \t}\n\
        \n\
        \tworking directory = /Users/ada\n\
        \tinherited environment = {\n\
        \t\tSSH_AUTH_SOCK => /private/tmp/x\n\
        \t}\n\
        \tenvironment = {\n\
        \t\tOSLogRateLimit => 64\n\
        \t\tPATH => /a b:/c = d\n\
        \t\tEMPTY => \n\
        \t}\n\
        \texit timeout = 45\n\
        \truns = 3\n\
        \tpid = 4242\n\
        \tlast exit code = 78: EX_CONFIG\n\
        \tresource coalition = {\n\
        \t\tID = 1\n\
        \t\tstate = active\n\
        \t\tinner = {\n\
        \t\t\tpid = 1\n\
        \t\t}\n\
        \t}\n\
        \tproperties = keepalive | runatload\n\
        }\n";

    #[test]
    fn only_the_outermost_level_counts() {
        let job = job(RUNNING).unwrap();
        assert_eq!(job.state, "running");
        assert_eq!((job.pid, job.runs, job.exit_timeout), (Some(4242), Some(3), Some(45)));
        assert_eq!(job.path.as_deref(), Some("/Users/ada/Library/LaunchAgents/ai.fased.gateway.plist"));
        assert_eq!(job.arguments, ["/opt/homebrew/bin/fased", "gateway", "state = not running"]);
        let variables = [("OSLogRateLimit", "64"), ("PATH", "/a b:/c = d"), ("EMPTY", "")];
        assert_eq!(job.environment, variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(job.last_exit, LastExit::Code(78));
    }

    #[test]
    fn the_order_of_keys_and_unknown_ones_do_not_matter() {
        let mut lines: Vec<&str> = RUNNING.lines().collect();
        let first = lines.remove(0);
        let state = lines.remove(3);
        lines.insert(lines.len() - 1, state);
        let text =
            format!("{first}\n\tunheard of = {{\n\t\tstate = x\n\t}}\n\tnoise\n{}\n", lines.join("\n"));
        assert_eq!(job(&text), job(RUNNING));
    }

    #[test]
    fn ends_are_read_in_all_their_forms() {
        let table = [
            ("last exit code = 0", LastExit::Code(0)),
            ("last exit code = (never exited)", LastExit::Never),
            ("last exit code = 134: Abort trap", LastExit::Code(134)),
            ("last terminating signal = Killed: 9", LastExit::Signal(9)),
            ("last terminating signal = Segmentation fault: 11", LastExit::Signal(11)),
            ("last exit code = new words", LastExit::Unknown),
            ("something = else", LastExit::Unknown),
        ];
        for (line, end) in table {
            let text = format!("gui/1/a = {{\n\tstate = not running\n\t{line}\n}}\n");
            assert_eq!(job(&text).unwrap().last_exit, end, "{line}");
        }
    }

    #[test]
    fn garbage_is_no_job_and_no_panic() {
        for text in
            ["", "\u{0}\t=\t{", "a = {\n}\n", "\t\t\tstate = running", "gui/1/a = {\n\tstate running\n}"]
        {
            assert_eq!(job(text), None, "{text:?}");
        }
    }

    #[test]
    fn overrides_are_read_in_both_spellings() {
        let text = "\tdisabled services = {\n\t\t\"a\" => disabled\n\t\t\"b\" => enabled\n\t\t\"c\" => true\n\
                    \t\t\"d\" => false\n\t\t\"e\" => ?\n\t\t\"a.b\" => true\n\t}\n";
        let table = [
            ("a", Some(true)),
            ("b", Some(false)),
            ("c", Some(true)),
            ("d", Some(false)),
            ("e", None),
            ("none", None),
        ];
        for (label, disabled) in table {
            assert_eq!(override_of(text, label), disabled, "{label}");
        }
    }
}
