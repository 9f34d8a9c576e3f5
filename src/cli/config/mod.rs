//! `config …`: read, check and change the configuration.

mod get;
pub(super) mod guard;
mod path;
mod schema;
mod set;
mod unset;
mod validate;

use clap::Subcommand;

use super::context::Context;
use super::error::CliError;
use super::ui::Ui;
use crate::exit::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the configuration, or one setting of it; secrets are hidden
    Get(get::Args),
    /// Change one setting; comments and everything else in the file stay
    Set(set::Args),
    /// Take one setting out of the file; comments stay
    Unset(unset::Args),
    /// Print everything that is wrong with the configuration; exit 78 if anything is
    Validate(validate::Args),
    /// Print the JSON Schema of the configuration: every setting there is
    Schema(schema::Args),
    /// Print the path of the configuration file
    Path(path::Args),
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    match args.verb {
        Verb::Get(args) => get::run(args, context, ui),
        Verb::Set(args) => set::run(args, context, ui),
        Verb::Unset(args) => unset::run(args, context, ui),
        Verb::Validate(args) => validate::run(args, context, ui),
        Verb::Schema(args) => schema::run(args, context, ui),
        Verb::Path(args) => path::run(args, context, ui),
    }
}
