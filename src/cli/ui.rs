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
    /// Whether what is said is drawn over what was said before.
    redraws: bool,
}

/// To the first column of the first line; to the end of the line; to the end of the screen (ECMA-48 CUP, EL, ED).
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

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
            redraws: false,
        }
    }

    /// A line of data.
    pub(super) fn out(&mut self, line: &str) {
        if !self.closed {
            // Whoever closed the pipe (`| head`) has what it wanted.
            let end = if self.redraws { CLEAR_LINE } else { "" };
            let written = write!(self.out, "{line}").and_then(|()| self.control(end));
            self.closed = written.and_then(|()| writeln!(self.out)).and_then(|()| self.out.flush()).is_err();
        }
    }

    /// Draws over what was drawn before, in place, where standard output is a terminal; below it, where not.
    pub(super) fn redraw(&mut self, draw: impl FnOnce(&mut Self)) {
        self.redraws = self.out.is_terminal();
        if self.redraws {
            // A terminal that is gone is noticed when the lines are written.
            let _ = self.control(HOME);
        }
        draw(self);
        if self.redraws {
            let _ = self.control(CLEAR_BELOW);
        }
        self.redraws = false;
    }

    /// A control sequence, which is no colour and goes past what removes colours.
    fn control(&self, sequence: &str) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(sequence.as_bytes()).and_then(|()| out.flush())
    }

    /// A line that says how far a command is, over the one before it. Nothing where nobody watches: on a pipe.
    pub(super) fn progress(&mut self, line: &str) {
        let mut talk = io::stderr();
        if talk.is_terminal() {
            // As in `say`: there is nowhere to report it.
            let _ = write!(talk, "\r{line}{CLEAR_LINE}").and_then(|()| talk.flush());
        }
    }

    /// Leaves the last line of progress as it is, and goes on below it.
    pub(super) fn end_progress(&mut self) {
        let mut talk = io::stderr();
        if talk.is_terminal() {
            let _ = writeln!(talk);
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
        if self.redraws {
            return self.out(&text.to_string());
        }
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
