//! `config schema`: the JSON Schema of the configuration.

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::config::config_schema;
use crate::exit::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Answer in JSON, as always: the answer is the schema itself
    #[arg(long)]
    json: bool,
}

pub(super) fn run(_: Args, _: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    ui.json(&config_schema());
    Ok(ExitCode::Ok)
}
