//! `--host`: which way each command goes to another machine, a row each, and the way through the program over there.

use std::io::IsTerminal;
use std::process::Stdio;

use super::asked::Asked;
use super::context::Context;
use super::error::CliError;
use super::ui::Ui;
use crate::exit::ExitCode;
use crate::host::process;
use crate::service::remote::Host;
use crate::service::ssh::{self, Ended, LOGIN_DEADLINE, Terminal};

/// How a command gets to another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Its service manager is asked, or its journal: nothing of ours need be there.
    Manager,
    /// The program over there does it: it has the files, the configuration and the port.
    Program,
    /// It does not; why.
    Nowhere(&'static str),
}

const IN_FRONT: &str = "the gateway in the foreground runs on the machine it is started on";
const SECRETS: &str = "its words may be secrets, which others could see among the processes of both machines";
const A_LINK: &str = "its link leads to the machine on which it is opened";
const THE_SAME: &str = "it is about this program, on whatever machine";

/// The way of every command.
const WAYS: &[(&str, Way)] = &[
    ("gateway", Way::Nowhere(IN_FRONT)),
    ("gateway run", Way::Nowhere(IN_FRONT)),
    ("gateway install", Way::Program),
    ("gateway uninstall", Way::Program),
    ("gateway start", Way::Manager),
    ("gateway stop", Way::Manager),
    ("gateway restart", Way::Manager),
    ("gateway reload", Way::Manager),
    ("gateway enable", Way::Manager),
    ("gateway disable", Way::Manager),
    ("gateway edit", Way::Program),
    ("gateway status", Way::Manager),
    ("gateway call", Way::Nowhere(SECRETS)),
    ("gateway health", Way::Program),
    ("status", Way::Program),
    ("setup", Way::Program),
    ("health", Way::Program),
    ("doctor", Way::Program),
    ("logs", Way::Manager),
    ("dashboard", Way::Nowhere(A_LINK)),
    ("channels status", Way::Program),
    ("devices list", Way::Program),
    ("devices approve", Way::Program),
    ("devices reject", Way::Program),
    ("devices remove", Way::Program),
    ("devices rotate", Way::Program),
    ("devices revoke", Way::Program),
    ("config get", Way::Program),
    ("config set", Way::Nowhere(SECRETS)),
    ("config unset", Way::Program),
    ("config validate", Way::Program),
    ("config schema", Way::Program),
    ("config path", Way::Program),
    ("protocol schema", Way::Program),
    ("completions", Way::Nowhere(THE_SAME)),
    ("man", Way::Nowhere(THE_SAME)),
];

/// Flags with which a command looks where the manager does not.
const CLOSER: [&str; 3] = ["deep", "watch", "strict"];
/// Options whose values are secrets, by the names that clap has for them.
const SECRET: [&str; 4] = ["token", "password", "target-token", "target-password"];

/// The way of the command that was asked for.
pub(super) fn way(asked: &Asked<'_>) -> Way {
    if SECRET.iter().any(|option| asked.is_given(option)) {
        return Way::Nowhere(SECRETS);
    }
    let row = WAYS.iter().find(|(command, _)| *command == asked.command);
    let way = row.map_or(Way::Nowhere("it is not known how"), |(_, way)| *way);
    let closer = CLOSER.iter().any(|flag| asked.has(flag)) || asked.is("source", "file");
    if way == Way::Manager && closer { Way::Program } else { way }
}

/// For a command that does not go to another machine.
pub(super) fn refusal(why: &str, host: &Host, context: &Context) -> CliError {
    let hint = format!("Log in there: ssh -t {host}, then: {} ...", context.instance.command());
    CliError::new(ExitCode::Usage, format!("--host does not work with this command: {why}")).hint(hint)
}

/// Has the program over there do it, with this process's own input and output.
pub(super) fn run(
    host: &Host,
    asked: &Asked<'_>,
    context: &Context,
    ui: &mut Ui,
) -> Result<ExitCode, CliError> {
    let words = words(context)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let somebody = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let terminal = if somebody && !asked.has("json") { Terminal::Given } else { Terminal::None };
    // Whoever calls this in a loop that reads a list of machines keeps the list.
    let reads = terminal == Terminal::Given || asked.has("stdin");
    let failed = |error: std::io::Error| CliError::new(ExitCode::NoManager, "cannot run ssh").cause(error);
    let mut command = ssh::command(host, terminal, &words).map_err(failed)?;
    command.stdin(if reads { Stdio::inherit() } else { Stdio::null() });
    let status = context.block_on(async { command.status().await.map_err(failed) })?;
    let program = context.instance.brand.slug();
    match Ended::of(status) {
        Ended::Code(code) => {
            let code = ExitCode::numbered(code).unwrap_or(ExitCode::Failed);
            if code == ExitCode::Usage {
                tell_of_another_release(host, context, ui);
            }
            Ok(code)
        }
        Ended::NotRun => Err(not_there(host, program)),
        Ended::Lost => {
            let message =
                format!("cannot reach {host} over ssh, or the connection was lost; ssh has said why");
            let hint = format!("Log in once by hand, with a key that asks for no password: ssh {host}");
            Err(CliError::new(ExitCode::NoManager, message).hint(hint))
        }
        Ended::Killed => Err(CliError::new(ExitCode::Failed, "ssh was killed")),
    }
}

/// The program is missing over there.
fn not_there(host: &Host, program: &str) -> CliError {
    let message = format!("this needs {program} on {host}, which finds no such program");
    CliError::new(ExitCode::NotInstalled, message).hint(
        "Install it there, where a shell without a login looks for it: /usr/local/bin, or by the package",
    )
}

/// A command line that is understood here and not over there is of another release.
fn tell_of_another_release(host: &Host, context: &Context, ui: &mut Ui) {
    let program = context.instance.brand.slug();
    let version = context.block_on(async {
        let ask = ssh::command(host, Terminal::None, &[program, "--version"]);
        Ok(match ask {
            Ok(ask) => process::run(ask, LOGIN_DEADLINE).await.ok(),
            Err(_) => None,
        })
    });
    if let Ok(Some(said)) = version
        && let Some(told) = another_release(program, &said.stdout)
    {
        ui.warning(&format!("{host} has {told}, and may not know this command or one of its flags"));
    }
}

/// What is told of the release over there, given what it says of itself: nothing when it is this one.
fn another_release(program: &str, said: &str) -> Option<String> {
    let version = said.trim().strip_prefix(program)?.trim();
    let here = env!("CARGO_PKG_VERSION");
    (version != here).then(|| format!("{program} {version}, not {here} as this machine"))
}

/// The command line for the program over there: which gateway is meant is said by this side's name for it, whether a
/// flag or the environment chose it.
fn words(context: &Context) -> Result<Vec<String>, CliError> {
    let typed: Option<Vec<&str>> = context.argv.iter().skip(1).map(|word| word.to_str()).collect();
    let typed = typed.ok_or_else(|| {
        CliError::new(ExitCode::Usage, "a word of this command line is not UTF-8, and cannot be sent on")
    })?;
    let instance = context.instance.command();
    Ok(instance.split(' ').chain(without_globals(&typed)).map(str::to_owned).collect())
}

/// The words without those that choose the machine and the gateway.
fn without_globals<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut kept = Vec::new();
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "--" => {
                kept.push(word);
                kept.extend(words.by_ref());
            }
            "--host" | "--profile" => {
                words.next();
            }
            "--system" | "--dev" => {}
            _ if word.starts_with("--host=") || word.starts_with("--profile=") => {}
            _ => kept.push(word),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::Brand;

    /// A command without a row would be refused for no reason; a row without a command is forgotten.
    #[test]
    fn every_command_has_a_way() {
        let mut command = super::super::command(Brand::Idlehands);
        command.build();
        let mut commands = Vec::new();
        leaves(&command, "", &mut commands);
        let mut rows: Vec<&str> = WAYS.iter().map(|(command, _)| *command).collect();
        commands.sort();
        rows.sort_unstable();
        assert_eq!(rows, commands);
    }

    fn leaves(command: &clap::Command, path: &str, found: &mut Vec<String>) {
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let path = format!("{path} {}", below.get_name()).trim_start().to_owned();
            if !below.is_subcommand_required_set() {
                found.push(path.clone());
            }
            leaves(below, &path, found);
        }
    }

    #[test]
    fn flags_that_look_closer_or_hold_secrets_change_the_way() {
        let table = [
            ("gateway status", Way::Manager),
            ("gateway status --deep", Way::Program),
            ("gateway status --watch", Way::Program),
            ("gateway status --strict", Way::Program),
            ("gateway stop --disable", Way::Manager),
            ("gateway status --url ws://x --token y", Way::Nowhere(SECRETS)),
            ("gateway --token y install", Way::Nowhere(SECRETS)),
            ("devices list --password y", Way::Nowhere(SECRETS)),
            ("gateway install --print", Way::Program),
            ("logs --follow", Way::Manager),
            ("logs --source file", Way::Program),
            ("doctor --deep", Way::Program),
        ];
        for (line, expected) in table {
            let words = std::iter::once("idlehands").chain(line.split(' '));
            let matches = super::super::command(Brand::Idlehands).try_get_matches_from(words).unwrap();
            assert_eq!(way(&Asked::of(&matches)), expected, "{line}");
        }
    }

    #[test]
    fn the_words_are_sent_on_without_those_that_chose_the_machine_and_the_gateway() {
        let table: [(&[&str], &[&str]); 4] = [
            (&["--host", "ada@a", "doctor", "--fix"], &["doctor", "--fix"]),
            (&["gateway", "install", "--host=a", "--profile", "b"], &["gateway", "install"]),
            (&["--system", "--dev", "status", "--json"], &["status", "--json"]),
            (&["config", "get", "--", "--host", "x"], &["config", "get", "--", "--host", "x"]),
        ];
        for (typed, sent) in table {
            assert_eq!(without_globals(typed), sent, "{typed:?}");
        }
    }

    #[test]
    fn another_release_is_told_by_its_version() {
        assert_eq!(another_release("mayros", &format!("mayros {}\n", env!("CARGO_PKG_VERSION"))), None);
        let told = another_release("mayros", "mayros 0.0.9\n").unwrap();
        assert!(told.starts_with("mayros 0.0.9, not "), "{told}");
        assert_eq!(another_release("mayros", "no such thing"), None);
    }
}
