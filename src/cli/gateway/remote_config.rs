//! Before a gateway of another machine is stopped for a new one: whether that could start, as the program there says.

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::exit::ExitCode;
use crate::host::process;
use crate::service::remote::Host;
use crate::service::ssh::{self, Ended, LOGIN_DEADLINE, Terminal};

/// Refuses what would end with an invalid configuration. Where there is no program to ask, nobody can tell.
pub(super) async fn check(host: &Host, context: &Context) -> Result<(), CliError> {
    let command = context.instance.command();
    let words: Vec<&str> = command.split(' ').chain(["config", "validate"]).collect();
    let Ok(ask) = ssh::command(host, Terminal::None, &words) else { return Ok(()) };
    let Ok(finished) = process::run(ask, LOGIN_DEADLINE).await else { return Ok(()) };
    if Ended::of(finished.status) != Ended::Code(ExitCode::Config.number()) {
        return Ok(());
    }
    let message = format!("the configuration of the gateway on {host} is invalid; nothing was done");
    Err(CliError::new(ExitCode::Config, message)
        .details(finished.stdout.lines().map(str::to_owned).collect())
        .hint(format!("Look at it: {command} --host {host} config validate")))
}
