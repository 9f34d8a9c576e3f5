//! Flags that every command has, and the exit codes of a wrong command line.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;

use crate::support::{Ran, TestHome};

#[test]
fn version_is_printed_under_the_name_the_binary_was_invoked_by() {
    let home = TestHome::new();
    for brand in ["idlehands", "mayros"] {
        let ran = Ran::of(home.command_as(brand, ["--version"]));
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.stdout, format!("{brand} {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn help_lists_the_exit_codes() {
    let ran = TestHome::new().run(["--help"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("78  configuration error"), "{}", ran.stdout);
}

#[test]
fn a_wrong_command_line_exits_2_and_says_why_on_stderr() {
    let home = TestHome::new();
    let table: [(&[&str], &str); 6] = [
        (&["--profile", "a.b", "completions", "bash"], "invalid profile name \"a.b\""),
        (&["--profile", "gateway", "completions", "bash"], "is reserved"),
        (&["--profile", "a", "--dev", "completions", "bash"], "cannot be used with"),
        (&["nonsense"], "unrecognized subcommand"),
        (&["--host=-oProxyCommand=x", "doctor"], "does not begin with \"-\""),
        (&["--host", "a;reboot", "gateway", "status"], "use [USER@]SERVER"),
    ];
    for (args, message) in table {
        let ran = home.run(args);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        assert_eq!(ran.stdout, "", "{args:?}");
        assert!(ran.stderr.contains(message), "{args:?}: {}", ran.stderr);
    }
}

/// Whoever asked for JSON reads JSON, also of a command line that is not understood.
#[test]
fn a_failure_is_one_document_where_json_was_asked_for() {
    let home = TestHome::new();
    let table: [(&[&str], i32, Option<&str>, &str); 5] = [
        (&["gateway", "install", "--json", "--nonsense"], 2, None, "unexpected argument '--nonsense'"),
        (&["gateway", "edit", "--json"], 2, None, "--stdin"),
        (&["--profile", "a.b", "doctor", "--json"], 2, Some("doctor"), "invalid profile name"),
        (&["config", "get", "gateway.prot", "--json"], 2, Some("config get"), "gateway.prot"),
        (&["--host", "a", "gateway", "call", "health", "--json"], 2, Some("call"), "secrets"),
    ];
    for (args, code, action, said) in table {
        let ran = home.run(args);
        let answer: serde_json::Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        assert_eq!((ran.code, &answer["exitCode"]), (code, &code.into()), "{ran:?}");
        assert_eq!((&answer["schema"], &answer["ok"]), (&1.into(), &false.into()), "{ran:?}");
        assert_eq!(answer.get("action").and_then(|action| action.as_str()), action, "{ran:?}");
        assert!(format!("{answer}").contains(said), "{ran:?}");
        assert_eq!(ran.stderr, "", "{ran:?}");
    }
}

#[test]
fn the_profile_may_come_from_the_environment() {
    let home = TestHome::new();
    let mut command = home.command(["completions", "bash"]);
    command.env("IDLEHANDS_PROFILE", "a.b");
    let ran = Ran::of(command);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("IDLEHANDS_PROFILE: invalid profile name"), "{}", ran.stderr);
}

/// Another gateway than the one that was meant would be stopped, or wiped.
#[test]
fn a_profile_that_is_not_utf8_is_not_taken_for_none() {
    let home = TestHome::new();
    let mut command = home.command(["config", "path"]);
    command.env("IDLEHANDS_PROFILE", OsStr::from_bytes(b"w\xffrk"));
    let ran = Ran::of(command);
    assert_eq!((ran.code, &ran.stdout[..]), (2, ""), "{ran:?}");
    assert!(ran.stderr.contains("IDLEHANDS_PROFILE: invalid profile name"), "{ran:?}");
}

#[test]
fn a_relative_home_is_below_the_working_directory() {
    let home = TestHome::new();
    let mut command = home.command(["config", "path"]);
    command.env("HOME", "there");
    let path = home.path().canonicalize().unwrap().join("there/.idlehands/idlehands.json");
    assert_eq!(Ran::of(command).stdout.trim(), path.to_str().unwrap());
}

/// An answer that got lost is no success; a reader that has seen enough is.
#[test]
fn an_answer_that_cannot_be_written_fails_and_a_closed_pipe_does_not() {
    let home = TestHome::new();
    let mut command = home.command(["config", "schema"]);
    let full = File::options().write(true).open("/dev/full");
    if let Ok(full) = full {
        command.stdout(full);
        let ran = Ran::of(command);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.starts_with("error: cannot write to standard output: No space left"), "{ran:?}");
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = home.command(["config", "schema"]);
    command.stdout(writer);
    let ran = Ran::of(command);
    assert_eq!((ran.code, &ran.stderr[..]), (0, ""), "{ran:?}");
}

#[test]
fn completions_are_made_for_the_brand() {
    let home = TestHome::new();
    let ran = Ran::of(home.command_as("fased", ["completions", "bash"]));
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.contains("complete -F _fased"), "{}", ran.stdout);
}
