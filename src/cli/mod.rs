//! What the operator types and reads: arguments in, words and an exit code out.
//!
//! One verb, one file. Nothing here knows how a thing is done; it asks the floors below and says what they answered.

mod args;
mod asked;
mod channels;
mod completions;
mod config;
mod context;
mod dashboard;
mod devices;
mod doctor;
mod elsewhere;
mod error;
mod failure;
mod gateway;
mod health;
mod logs;
mod man;
mod protocol;
mod setup;
mod status;
mod target;
mod ui;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches};

use crate::exit::ExitCode;
use crate::host;
use crate::instance::{Brand, Env, SystemDirs};
use crate::service::native::HERE;
use crate::service::platform::Platform;
use args::{Cli, Command};
use asked::Asked;
use context::Context;
use elsewhere::Way;
use error::CliError;
use ui::Ui;

/// Runs the program: the arguments and the environment of this process, its output streams.
pub fn main() -> ExitCode {
    run(Started {
        platform: HERE,
        argv: std::env::args_os().collect(),
        env: host::env::snapshot(),
        // Only a service needs to know, and says so.
        running: host::process::running().unwrap_or_default(),
        system: SystemDirs::under("/"),
    })
}

/// How a process of this program was started.
#[derive(Debug)]
pub struct Started {
    /// Whose service manager it handles.
    pub platform: Platform,
    /// Its arguments. The first is the name it was invoked by, which decides about the brand.
    pub argv: Vec<OsString>,
    /// Its environment.
    pub env: Env,
    /// The file that runs; empty when the system does not tell.
    pub running: PathBuf,
    /// Where the machine's own services keep their files.
    pub system: SystemDirs,
}

/// The whole command line under a given brand: name, version and help texts carry it.
pub fn command(brand: Brand) -> clap::Command {
    Cli::command().name(brand.slug()).bin_name(brand.slug()).after_long_help(exit_code_help())
}

/// Runs the program.
pub fn run(started: Started) -> ExitCode {
    let brand = Brand::from_invocation(started.argv.first().map(OsString::as_os_str).unwrap_or_default());
    let parsed = command(brand).try_get_matches_from(&started.argv);
    let parsed = parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) if error.use_stderr() && wants_json(&started.argv, brand) => {
            return failure::tell_of_usage(&error, &mut Ui::new(&started.env, true));
        }
        Err(error) => return ui::print_clap(&error),
    };
    let asked = Asked::of(&matches);
    let mut ui = Ui::new(&started.env, cli.global.no_color);
    let done = Context::new(started, brand, &cli.global).and_then(|context| match &context.host {
        None => dispatch(cli.command, &context, &mut ui),
        Some(host) => match elsewhere::way(&asked) {
            Way::Manager => dispatch(cli.command, &context, &mut ui),
            Way::Program => elsewhere::run(host, &asked, &context, &mut ui),
            Way::Nowhere(why) => Err(elsewhere::refusal(why, host, &context)),
        },
    });
    let code = done.unwrap_or_else(|error| {
        failure::tell(&error, &asked, &mut ui);
        error.code()
    });
    match ui.lost() {
        None => code,
        Some(error) => {
            let lost = CliError::new(ExitCode::Failed, "cannot write to standard output").cause(error);
            ui.error(&lost.hint("Check where the output goes, and that the disk is not full"));
            ExitCode::Failed
        }
    }
}

/// Whether JSON is wanted by a command line that is not understood: the flag is there, and is no other command's.
fn wants_json(argv: &[OsString], brand: Brand) -> bool {
    let understood = command(brand).ignore_errors(true).try_get_matches_from(argv);
    let of_a_value = understood.is_ok_and(|matches| Asked::of(&matches).command == "config set");
    argv.iter().any(|word| word == "--json") && !of_a_value
}

fn dispatch(command: Command, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    match command {
        Command::Gateway(args) => gateway::run(*args, context, ui),
        Command::Status(args) => status::run(args, context, ui),
        Command::Setup(args) => setup::run(args, context, ui),
        Command::Health(args) => health::run(args, context, ui),
        Command::Doctor(args) => doctor::run(args, context, ui),
        Command::Logs(args) => logs::run(args, context, ui),
        Command::Dashboard(args) => dashboard::run(args, context, ui),
        Command::Channels(args) => channels::run(args, context, ui),
        Command::Devices(args) => devices::run(args, context, ui),
        Command::Protocol(args) => protocol::run(args, context, ui),
        Command::Config(args) => config::run(args, context, ui),
        Command::Completions(args) => completions::run(args, context, ui),
        Command::Man(args) => man::run(args, context, ui),
    }
}

fn exit_code_help() -> String {
    let rows = ExitCode::ALL.iter().map(|code| format!("  {:>2}  {}", code.number(), code.meaning()));
    format!("Exit codes:\n{}", rows.collect::<Vec<_>>().join("\n"))
}
