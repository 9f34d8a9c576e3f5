//! `channels status`: every channel and its accounts.

use clap::{Args as ClapArgs, Subcommand};

use super::context::Context;
use super::error::CliError;
use super::target;
use super::ui::Ui;
use crate::exit::ExitCode;
use crate::protocol::methods::channels::{ChannelsReport, ChannelsStatus, Params};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show every channel and its accounts
    Status(StatusArgs),
}

#[derive(Debug, ClapArgs)]
struct StatusArgs {
    /// Ask every channel whether it works
    #[arg(long)]
    probe: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: target::Args,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let Command::Status(args) = args.command;
    let config = context.config_or_default(ui);
    let target = args.target.resolve(context, &config)?;
    if !args.json {
        ui.note(&format!("Checking channel status{}…", if args.probe { " (probe)" } else { "" }));
    }
    let params = Params { probe: args.probe.then_some(true), timeout_ms: None };
    let report = context.block_on(async {
        let failed = |error| target.failure("Gateway not reachable", error, context);
        let mut client = target.connect().await.map_err(failed)?;
        let report = client.call::<ChannelsStatus>(&params).await.map_err(failed)?;
        client.close().await;
        Ok(report)
    })?;
    if args.json {
        ui.answer(1, &report);
    } else {
        ui.note("Gateway reachable.");
        describe(&report, ui);
    }
    let failed = report.accounts().any(|(_, account)| account.probe.as_ref().is_some_and(|probe| !probe.ok));
    Ok(if failed { ExitCode::Unhealthy } else { ExitCode::Ok })
}

fn describe(report: &ChannelsReport, ui: &mut Ui) {
    for (id, account) in report.accounts() {
        let label = report.channel_labels.get(id).unwrap_or(id);
        let mut words = vec![if account.enabled { "enabled" } else { "disabled" }];
        words.push(if account.configured { "configured" } else { "not configured" });
        words.push(if account.linked { "linked" } else { "not linked" });
        words.push(if account.running { "running" } else { "stopped" });
        let probe = account.probe.as_ref().map(|probe| match &probe.error {
            None => format!("works ({} ms)", probe.elapsed_ms),
            Some(error) => format!("does not work: {error}"),
        });
        let probe = probe.map(|probe| format!(", {probe}")).unwrap_or_default();
        ui.out(&format!("- {label} {}: {}{probe}", account.account_id, words.join(", ")));
    }
}
