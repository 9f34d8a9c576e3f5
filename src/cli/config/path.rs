//! `config path`: where the configuration is.

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::exit::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer {
    path: String,
    exists: bool,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let path = &context.instance.paths.config;
    let answer = Answer { path: path.to_string_lossy().into_owned(), exists: path.exists() };
    if args.json {
        ui.answer(1, &answer);
        return Ok(ExitCode::Ok);
    }
    ui.out(&answer.path);
    if !answer.exists {
        ui.note("There is no such file yet: every setting has its default.");
    }
    Ok(ExitCode::Ok)
}
