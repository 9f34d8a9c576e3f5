//! The parts that this binary plays when a script of [`crate::support`] starts it: `launchctl`, the keeper of one job's
//! process, and the command line on a machine with launchd.

use std::io::Write;
use std::process::{Command, Stdio};

use idlehands::cli::Started;
use idlehands::instance::SystemDirs;
use idlehands::service::platform::Platform;

/// Which part.
pub const ROLE: &str = "SUITE_ROLE";
/// Its arguments, a line each.
pub const WORDS: &str = "SUITE_WORDS";

/// The one entry. As a test of its own it looks that every part is known.
#[test]
fn play() {
    let Ok(role) = std::env::var(ROLE) else {
        return assert_eq!(super::support::SCRIPTS.map(|(_, role)| role), ["launchctl", "cli"]);
    };
    let words = std::env::var(WORDS).unwrap_or_default();
    let words: Vec<String> = words.lines().map(str::to_owned).collect();
    let code = match role.as_str() {
        "launchctl" => {
            let answer = super::fake::launchctl(&words);
            say(&answer.out);
            eprint!("{}", answer.err);
            answer.code
        }
        "keeper" => super::keeper::keep(&words),
        "cli" if words == ["step"] => super::stepper::install(&std::env::vars_os().collect()),
        "cli" => {
            let program = std::env::var_os("SUITE_PROGRAM").unwrap();
            let argv = std::iter::once(program.clone()).chain(words.into_iter().map(Into::into)).collect();
            let env = std::env::vars_os().collect();
            let system = SystemDirs::under(std::env::var_os("SUITE_MACHINE").unwrap());
            let started = Started { platform: Platform::Launchd, argv, env, running: program.into(), system };
            i32::from(idlehands::cli::run(started).number())
        }
        other => panic!("there is no part {other}"),
    };
    std::process::exit(code);
}

/// Writes to the real standard output: the harness has written to its own already, and the script keeps the real one
/// as 3. Where another user made that, only a shell can still write to it, which inherits it.
fn say(text: &str) {
    if text.is_empty() {
        return;
    }
    if let Ok(mut real) = std::fs::File::options().write(true).open("/dev/fd/3") {
        // A client that is gone reads nothing.
        let _ = real.write_all(text.as_bytes());
        return;
    }
    let mut shell = Command::new("/bin/sh").args(["-c", "cat >&3"]).stdin(Stdio::piped()).spawn().unwrap();
    let _ = shell.stdin.take().unwrap().write_all(text.as_bytes());
    let _ = shell.wait();
}
