//! The verbs with `--host`: the service of another machine, as far as its manager tells over ssh.
//!
//! Its files, its configuration and its gateway's port are not reached that way; what needs them is refused.

use serde::Serialize;

use super::status::{Runtime, ServicePart, runtime};
use super::{Command, report};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::exit::ExitCode;
use crate::service::facts::Facts;
use crate::service::manager::Manager as _;
use crate::service::observed::Manager;
use crate::service::remote::Host;

#[derive(Serialize)]
struct Report<'a> {
    host: &'a str,
    service: ServicePart,
    runtime: Runtime,
}

/// Refuses what a service manager alone cannot do.
pub(super) fn refuse(command: Option<&Command>, host: &Host, context: &Context) -> Result<(), CliError> {
    match command {
        Some(Command::Start(_) | Command::Stop(_) | Command::Restart(_) | Command::Reload(_)) => Ok(()),
        Some(Command::Enable(_) | Command::Disable(_) | Command::Status(_)) => Ok(()),
        _ => Err(refusal(host, context)),
    }
}

/// For a command that only works where the gateway is.
pub(in crate::cli) fn refusal(host: &Host, context: &Context) -> CliError {
    let message = format!("this command needs the files of {host}; --host reaches only its service manager");
    let there = format!("Run it there: ssh {host} {} ...", context.instance.command());
    CliError::new(ExitCode::Usage, message).hint(there)
}

/// `gateway status --host`.
pub(super) fn status(host: &Host, json: bool, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let observed = context.block_on(async { Ok(context.manager().await.observe().await) })?;
    if let Manager::Unreachable { unreachable } = &observed.manager {
        let error = CliError::new(unreachable.exit_code(), unreachable.to_string());
        return Err(error.hint(unreachable.hint(&context.instance.command())));
    }
    let facts = Facts::of(&observed, None);
    let code = facts.headline.exit_code();
    let runtime = runtime(&observed, &facts, None);
    let report =
        Report { host: host.as_str(), service: ServicePart { facts, hardening: None, observed }, runtime };
    if json {
        ui.answer(1, &report);
        return Ok(code);
    }
    ui.out(&format!("Host: {host}"));
    report::service(&report.service, ui);
    ui.out("");
    report::runtime(&report.runtime, &report.service, ui);
    report::facts(&report.service, ui);
    ui.out("RPC probe: skipped (the gateway of another machine: give its --url, or use an SSH tunnel)");
    Ok(code)
}
