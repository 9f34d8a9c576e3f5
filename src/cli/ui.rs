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
    lost: Option<io::Error>,
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
            lost: None,
            redraws: false,
        }
    }

    /// A line of data. It stays one line and steers no terminal, whatever others have put into it.
    pub(super) fn out(&mut self, line: &str) {
        self.text(&single_line(line));
    }

    /// Lines of data, as they are.
    pub(super) fn text(&mut self, text: &str) {
        if self.closed {
            return;
        }
        let Err(error) = self.write(text).and_then(|()| self.out.flush()) else { return };
        self.closed = true;
        // Whoever closed the pipe (`| head`) has what it wanted.
        self.lost = Some(error).filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if !self.redraws {
            return writeln!(self.out, "{text}");
        }
        text.split('\n').try_for_each(|line| {
            write!(self.out, "{line}")?;
            control(&mut io::stdout(), CLEAR_LINE)?;
            writeln!(self.out)
        })
    }

    /// Draws over what was drawn before, in place, where standard output is a terminal; below it, where not.
    pub(super) fn redraw(&mut self, draw: impl FnOnce(&mut Self)) {
        self.redraws = self.out.is_terminal();
        // A terminal that is gone is noticed when the lines are written.
        if self.redraws {
            let _ = control(&mut io::stdout(), HOME);
        }
        draw(self);
        if self.redraws {
            let _ = control(&mut io::stdout(), CLEAR_BELOW);
        }
        self.redraws = false;
    }

    /// A line that says how far a command is, over the one before it. Nothing where nobody watches: on a pipe.
    pub(super) fn progress(&mut self, line: &str) {
        if self.talk.is_terminal() {
            // As in `say`: there is nowhere to report it.
            let _ = control(&mut io::stderr(), &format!("\r{}{CLEAR_LINE}", single_line(line)));
        }
    }

    /// Leaves the last line of progress as it is, and goes on below it.
    pub(super) fn end_progress(&mut self) {
        if self.talk.is_terminal() {
            let _ = control(&mut io::stderr(), "\n");
        }
    }

    /// Why data did not get to whoever asked for it, if it did not.
    pub(super) fn lost(&mut self) -> Option<io::Error> {
        self.lost.take()
    }

    /// Data as JSON, indented, on standard output.
    pub(super) fn json(&mut self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.text(&text),
            Err(error) => self.warning(&format!("cannot print the answer as JSON: {error}")),
        }
    }

    /// The answer of a command asked for `--json`: an object that begins with `"schema"`, the version of its shape. The
    /// version goes up when a key changes its meaning or goes away, not when one is added.
    pub(super) fn answer(&mut self, schema: u32, answer: &impl Serialize) {
        self.json(&Versioned { schema, answer });
    }

    /// The same in one line, among the items of a command that answers item by item.
    pub(super) fn item(&mut self, schema: u32, answer: &impl Serialize) {
        match serde_json::to_string(&Versioned { schema, answer }) {
            Ok(text) => self.text(&text),
            Err(error) => self.warning(&format!("cannot print the answer as JSON: {error}")),
        }
    }

    /// Whether the reader of standard output has gone away; nothing more need be said.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Progress and remarks.
    pub(super) fn note(&mut self, text: &str) {
        self.say(format_args!(""), text);
    }

    /// Something the operator should look at.
    pub(super) fn warning(&mut self, text: &str) {
        self.say(format_args!("{WARNING}warning:{WARNING:#} "), text);
    }

    /// What to do next.
    pub(super) fn hint(&mut self, text: &str) {
        self.say(format_args!("{HINT}hint:{HINT:#} "), text);
    }

    /// Asks a question that is answered by yes or no. `None` where nobody is there to answer it.
    pub(super) fn ask(&mut self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        // There is nowhere left to report that the terminal cannot be written.
        let _ = write!(self.talk, "{question} [y/N] ").and_then(|()| self.talk.flush());
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Why the command failed.
    pub(super) fn error(&mut self, error: &CliError) {
        self.say(format_args!("{ERROR}error:{ERROR:#} "), &error.to_string());
        for line in error.lines() {
            self.note(line);
        }
        for hint in error.hints() {
            self.hint(hint);
        }
    }

    fn say(&mut self, kind: std::fmt::Arguments<'_>, text: &str) {
        let text = without_controls(text, |c| matches!(c, '\t' | '\n'));
        if self.redraws {
            return self.text(&format!("{kind}{text}"));
        }
        // There is nowhere left to report that standard error cannot be written.
        let _ = writeln!(self.talk, "{kind}{text}");
    }
}

/// An answer with the version of its shape before it.
#[derive(Serialize)]
struct Versioned<'a, T> {
    schema: u32,
    #[serde(flatten)]
    answer: &'a T,
}

/// Control sequences are no colours: they go past the stream that takes colours out.
fn control(stream: &mut impl Write, sequence: &str) -> io::Result<()> {
    stream.write_all(sequence.as_bytes()).and_then(|()| stream.flush())
}

/// A text as one line: line breaks and whatever else steers a terminal become blanks. Names of devices, messages of
/// other gateways and lines of logs are written by others.
pub(super) fn single_line(text: &str) -> String {
    without_controls(text, |c| c == '\t')
}

fn without_controls(text: &str, kept: impl Fn(char) -> bool) -> String {
    text.chars().map(|c| if c.is_control() && !kept(c) { ' ' } else { c }).collect()
}

/// Prints help, the version, or what is wrong with the command line.
pub(super) fn print_clap(error: &clap::Error) -> ExitCode {
    // Help that nobody reads to its end is no failure.
    let _ = error.print();
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Ok }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_steers_no_terminal() {
        assert_eq!(single_line("a\x1b[2Jb\r\nc\td\u{9b}e\u{7f}ü"), "a [2Jb  c\td e ü");
        assert_eq!(without_controls("a\n\x1b]0;b\x07", |c| c == '\n'), "a\n ]0;b ");
    }
}
