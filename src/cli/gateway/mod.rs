//! `gateway`: runs the gateway, and everything about its service.

mod answer;
mod call;
mod edit;
mod foreground;
mod install;
mod preview;
mod probe;
mod progress;
mod remote_config;
mod remote_status;
mod report;
mod run;
mod service;
mod status;
mod verbs;
mod watch;

use clap::{Args as ClapArgs, Subcommand};

use super::context::Context;
use super::error::CliError;
use super::health;
use super::ui::Ui;
use crate::exit::ExitCode;
pub(super) use service::service_error;
use service::{How, Verb, Wanted, carry_out};

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
    /// Install the gateway as a service of this user, or with --system of the machine, running now and from now on
    Install(install::Args),
    /// Remove the service; configuration and state stay
    Uninstall(How),
    /// Start the service
    Start(How),
    /// Stop the service; it stays down until it is started, or until the next login or boot
    Stop(Stop),
    /// Restart the service
    Restart(How),
    /// Have the running service look at its configuration again
    Reload(How),
    /// Start the service at every login, or with --system at boot
    Enable(How),
    /// Do not start the service by itself; whether it runs now stays as it is
    Disable(How),
    /// Change the service's settings, in a drop-in of your own
    Edit(edit::Args),
    /// Show the service and the gateway, and whether it answers
    Status(status::Args),
    /// Call any method of the gateway
    Call(call::Args),
    /// Show how the gateway is, as it says itself
    Health(health::Args),
}

#[derive(Debug, ClapArgs)]
struct Stop {
    /// Nor start it at the next login or boot, until it is enabled
    #[arg(long)]
    disable: bool,
    #[command(flatten)]
    how: How,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    if !matches!(args.command, None | Some(Command::Run(_)))
        && let Some(flag) = args.run.first_given()
    {
        let message = format!("{flag} before a subcommand is for running the gateway; nothing was done");
        return Err(CliError::new(ExitCode::Usage, message).hint("Write the subcommand's own flags after it"));
    }
    match args.command {
        None => run::run(args.run, context, ui),
        Some(Command::Install(install)) => install::run(install, context, ui),
        Some(Command::Uninstall(how)) => plain(&verbs::UNINSTALL, &how, context, ui),
        Some(Command::Start(how)) => plain(&verbs::START, &how, context, ui),
        Some(Command::Stop(Stop { disable, how })) => {
            plain(if disable { &verbs::STOP_FOR_GOOD } else { &verbs::STOP }, &how, context, ui)
        }
        Some(Command::Restart(how)) => plain(&verbs::RESTART, &how, context, ui),
        Some(Command::Reload(how)) => plain(&verbs::RELOAD, &how, context, ui),
        Some(Command::Enable(how)) => plain(&verbs::ENABLE, &how, context, ui),
        Some(Command::Disable(how)) => plain(&verbs::DISABLE, &how, context, ui),
        Some(Command::Edit(args)) => edit::run(args, context, ui),
        Some(Command::Status(args)) => status::run(args, context, ui),
        Some(Command::Call(call)) => call::run(call, context, ui),
        Some(Command::Health(health)) => health::run_gateway(health, context, ui),
        Some(Command::Run(run)) => run::run(run.or(args.run), context, ui),
    }
}

/// A verb that takes no words about the definition.
fn plain(verb: &Verb, how: &How, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    carry_out(verb, &Wanted::default(), how, context, ui)
}
