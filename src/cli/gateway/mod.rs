//! `gateway`: runs the gateway, and everything about its service.

mod call;
mod run;

use clap::{Args as ClapArgs, Subcommand};

use super::context::Context;
use super::error::CliError;
use super::health;
use super::ui::Ui;
use crate::exit::ExitCode;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(flatten)]
    run: run::Args,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway in the foreground (the same as `gateway` alone)
    Run(run::Args),
    /// Call any method of the gateway
    Call(call::Args),
    /// Show how the gateway is, as it says itself
    Health(health::Args),
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    match args.command {
        None => run::run(args.run, context, ui),
        Some(Command::Call(call)) => call::run(call, context, ui),
        Some(Command::Health(health)) => health::run_gateway(health, context, ui),
        Some(Command::Run(run)) => run::run(run.or(args.run), context, ui),
    }
}
