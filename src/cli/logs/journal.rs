//! The journal of the service, read by `journalctl`: it knows permissions, namespaces, rotation and compression.

use std::io;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::line::Line;
use super::{Args, Printer};
use crate::cli::context::Context;
use crate::host::process;
use crate::service::ssh::{self, Terminal};
use crate::service::systemd::journal::{belongs, terms};
use crate::service::systemd::words::manager_option;

/// Bytes of complaints that are kept.
const COMPLAINTS: u64 = 4096;

/// Shows the journal. An error means that nothing was shown: the journal cannot be read, or has nothing.
pub(super) async fn show(args: &Args, context: &Context, printer: &mut Printer<'_>) -> io::Result<()> {
    let unit = context.instance.unit_name();
    let scope = context.instance.scope;
    let (lines, terms) = (format!("--lines={}", args.limit), terms(scope, &unit));
    let option = manager_option(scope);
    let mut words = vec!["journalctl", option, "--output=json", "--no-pager", "--quiet", &lines];
    words.extend(args.follow.then_some("--follow"));
    words.extend(terms.iter().map(String::as_str));
    let mut command = match &context.host {
        Some(host) => ssh::command(host, Terminal::None, &words)?,
        None => {
            let mut command = process::command(words[0]);
            command.args(&words[1..]);
            command
        }
    };
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("journalctl has no output"));
    };
    let mut lines = BufReader::new(stdout).lines();
    let mut begun = false;
    while let Some(raw) = lines.next_line().await? {
        let Some(line) = Line::from_journal(&raw, |entry| belongs(entry, scope, &unit)) else { continue };
        if !begun {
            printer.begin(&format!("journal of {unit}"));
            begun = true;
        }
        printer.line(&line);
        if printer.is_closed() {
            return Ok(());
        }
    }
    if begun {
        return Ok(());
    }
    let mut complaints = String::new();
    stderr.take(COMPLAINTS).read_to_string(&mut complaints).await?;
    let why = complaints.lines().next().map_or("it has no entries of this service", str::trim);
    Err(io::Error::other(why.to_owned()))
}
