//! The one voice of the program: data to standard output, talk to standard error, colour only on a terminal.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::error::CliError;
use crate::exit::ExitCode;
use crate::instance::Env;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// The output streams of one invocation.
pub(super) struct Ui {
    out: AutoStream<io::Stdout>,
    talk: AutoStream<io::Stderr>,
    closed: bool,
}

impl Ui {
    pub(super) fn new(env: &Env, no_color: bool) -> Self {
        let colour = |is_terminal: bool| {
            let wanted = is_terminal && !no_color && env.os("NO_COLOR").is_none();
            if wanted { ColorChoice::Always } else { ColorChoice::Never }
        };
        Self {
            out: AutoStream::new(io::stdout(), colour(io::stdout().is_terminal())),
            talk: AutoStream::new(io::stderr(), colour(io::stderr().is_terminal())),
            closed: false,
        }
    }

    /// A line of data.
    pub(super) fn out(&mut self, line: &str) {
        if !self.closed {
            // Whoever closed the pipe (`| head`) has what it wanted.
            self.closed = writeln!(self.out, "{line}").and_then(|()| self.out.flush()).is_err();
        }
    }

    /// Data as JSON, indented, on standard output.
    pub(super) fn json(&mut self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.out(&text),
            Err(error) => self.warning(&format!("cannot print the answer as JSON: {error}")),
        }
    }

    /// The answer of a command asked for `--json`: an object that begins with `"schema"`, the version of its shape. The
    /// version goes up when a key changes its meaning or goes away, not when one is added.
    pub(super) fn answer(&mut self, schema: u32, answer: &impl Serialize) {
        #[derive(Serialize)]
        struct Answer<'a, T> {
            schema: u32,
            #[serde(flatten)]
            answer: &'a T,
        }
        self.json(&Answer { schema, answer });
    }

    /// Whether the reader of standard output has gone away; nothing more need be said.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Progress and remarks.
    pub(super) fn note(&mut self, text: &str) {
        self.say(format_args!("{text}"));
    }

    /// Something the operator should look at.
    pub(super) fn warning(&mut self, text: &str) {
        self.say(format_args!("{WARNING}warning:{WARNING:#} {text}"));
    }

    /// What to do next.
    pub(super) fn hint(&mut self, text: &str) {
        self.say(format_args!("{HINT}hint:{HINT:#} {text}"));
    }

    /// Why the command failed.
    pub(super) fn error(&mut self, error: &CliError) {
        self.say(format_args!("{ERROR}error:{ERROR:#} {error}"));
        for line in error.lines() {
            self.note(line);
        }
        for hint in error.hints() {
            self.hint(hint);
        }
    }

    fn say(&mut self, text: std::fmt::Arguments<'_>) {
        // There is nowhere left to report that standard error cannot be written.
        let _ = writeln!(self.talk, "{text}");
    }
}

/// Prints help, the version, or what is wrong with the command line.
pub(super) fn print_clap(error: &clap::Error) -> ExitCode {
    // Help that nobody reads to its end is no failure.
    let _ = error.print();
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Ok }
}
