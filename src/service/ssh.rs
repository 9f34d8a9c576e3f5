//! Commands on another machine, by ssh(1).
//!
//! ssh joins the words of a command with blanks, and the login shell over there takes them apart again: every word is
//! quoted for it. Knows nothing of what the commands do.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use super::remote::Host;
use crate::host::process;

/// Options of every connection: no graphics, no question that nobody answers, and an end when the other side is gone.
pub const OPTIONS: [&str; 7] =
    ["-x", "-o", "BatchMode yes", "-o", "ConnectTimeout 10", "-o", "ServerAliveInterval 15"];
/// Connecting, logging in and one short command.
pub const LOGIN_DEADLINE: Duration = Duration::from_secs(30);

/// What ssh ends with when it could not do its part (ssh(1), "EXIT STATUS").
const SSH_FAILED: i32 = 255;
/// What a shell ends with that cannot run the program, or does not find it (POSIX sh(1), "EXIT STATUS").
const NOT_RUN: [i32; 2] = [126, 127];

/// Whether the command has a terminal over there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// It has: it may ask, and open an editor. Its two outputs come as one.
    Given,
    /// It has none.
    None,
}

/// A command that runs on the other machine.
pub fn command(host: &Host, terminal: Terminal, words: &[&str]) -> io::Result<tokio::process::Command> {
    let line = shlex::try_join(words.iter().copied())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let terminal = match terminal {
        Terminal::Given => "-t",
        Terminal::None => "-T",
    };
    let mut command = process::command("ssh");
    command.arg(terminal).args(OPTIONS).arg("--").arg(host.as_str()).arg(line);
    Ok(command)
}

/// How a command over there ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this code of its own.
    Code(u8),
    /// The shell over there does not find its program, or may not run it.
    NotRun,
    /// ssh did not get there, or lost the connection. It has said why.
    Lost,
    /// ssh was killed here.
    Killed,
}

impl Ended {
    /// Reads it out of how ssh ended.
    pub fn of(status: ExitStatus) -> Self {
        match status.code() {
            Some(SSH_FAILED) => Self::Lost,
            Some(code) if NOT_RUN.contains(&code) => Self::NotRun,
            Some(code) => Self::Code(u8::try_from(code).unwrap_or(u8::MAX)),
            None => Self::Killed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn every_word_arrives_as_it_was_given() {
        let host = Host::parse("ada@server").unwrap();
        let words = ["idlehands", "it's; reboot", "$HOME", "a b", ""];
        let command = command(&host, Terminal::None, &words).unwrap();
        let args: Vec<&str> = command.as_std().get_args().map(|arg| arg.to_str().unwrap()).collect();
        assert_eq!(&args[args.len() - 3..args.len() - 1], ["--", "ada@server"]);
        assert_eq!(shlex::split(args[args.len() - 1]).unwrap(), words);
    }

    #[test]
    fn ssh_the_shell_and_the_program_are_told_apart() {
        let ended = |code: i32| Ended::of(ExitStatus::from_raw(code << 8));
        let table = [
            (0, Ended::Code(0)),
            (8, Ended::Code(8)),
            (126, Ended::NotRun),
            (127, Ended::NotRun),
            (255, Ended::Lost),
        ];
        for (code, expected) in table {
            assert_eq!(ended(code), expected, "{code}");
        }
        assert_eq!(Ended::of(ExitStatus::from_raw(9)), Ended::Killed);
    }
}
