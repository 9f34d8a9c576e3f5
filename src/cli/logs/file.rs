//! The gateway's own file, and the one that was put aside before it.

use std::path::PathBuf;

use super::line::Line;
use super::{Args, Printer};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::exit::ExitCode;
use crate::host::{log, tail};
use crate::instance::Scope;

/// Bytes read of one file at a time.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

pub(super) async fn show(
    args: &Args,
    context: &Context,
    printer: &mut Printer<'_>,
) -> Result<ExitCode, CliError> {
    let path = path(context);
    printer.begin(&path.display().to_string());
    let failed = |error: std::io::Error| {
        let what = format!("cannot read {}", path.display());
        match (error.kind(), context.instance.scope) {
            (std::io::ErrorKind::PermissionDenied, Scope::System) => {
                CliError::new(ExitCode::NotPermitted, what)
                    .cause(error)
                    .hint(format!("sudo {} logs", context.instance.command()))
            }
            (std::io::ErrorKind::PermissionDenied, Scope::User) => {
                CliError::new(ExitCode::NotPermitted, what).cause(error)
            }
            _ => CliError::new(ExitCode::Failed, what).cause(error),
        }
    };
    let mut part = tail::read(&path, None, args.limit, MAX_BYTES).map_err(failed)?;
    let missing = args.limit.saturating_sub(part.lines.len() as u64);
    if missing > 0 && !part.truncated {
        // The latest lines before those of this file.
        let before = tail::read(&log::aside(&path), None, missing, MAX_BYTES).map_err(failed)?;
        before.lines.iter().for_each(|line| printer.line(&Line::from_file(line)));
    }
    part.lines.iter().for_each(|line| printer.line(&Line::from_file(line)));
    if !args.follow {
        if part.size == 0 {
            let command = context.instance.command();
            printer.notice(&format!(
                "The log is empty or not there yet. (Has the gateway run? {command} gateway)"
            ));
        }
        return Ok(ExitCode::Ok);
    }
    while !printer.is_closed() {
        tokio::time::sleep(args.interval()).await;
        part = tail::read(&path, Some(part.cursor), u64::MAX, MAX_BYTES).map_err(failed)?;
        if part.reset {
            printer.notice("Log cursor reset (file rotated).");
        }
        part.lines.iter().for_each(|line| printer.line(&Line::from_file(line)));
    }
    Ok(ExitCode::Ok)
}

/// Where the gateway writes: as configured, or as it would by default.
fn path(context: &Context) -> PathBuf {
    let paths = &context.instance.paths;
    let configured = context.source().load().config.ok().and_then(|config| config.logging.file);
    configured.map_or_else(|| paths.log.clone(), |file| file.under(&paths.home))
}
