//! `config validate`: everything that is wrong with the configuration.

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::config::Problem;
use crate::exit::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    path: String,
    exists: bool,
    valid: bool,
    /// The configuration itself and every file that it includes.
    files: Vec<String>,
    problems: &'a [Problem],
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let source = context.source();
    let loaded = source.load();
    let problems = loaded.problems();
    let code = if problems.is_empty() { ExitCode::Ok } else { ExitCode::Config };
    if args.json {
        let lossy = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
        let files = if loaded.exists { loaded.files.iter().map(lossy).collect() } else { Vec::new() };
        let valid = problems.is_empty();
        ui.answer(1, &Answer { path: lossy(&loaded.path), exists: loaded.exists, valid, files, problems });
        return Ok(code);
    }
    for problem in problems {
        ui.out(&problem.to_string());
    }
    match (problems.len(), loaded.exists) {
        (0, true) => ui.note(&format!("{} is valid.", source.shown())),
        (0, false) => ui.note(&format!("There is no {}: every setting has its default.", source.shown())),
        (1, _) => ui.note("1 problem."),
        (count, _) => ui.note(&format!("{count} problems.")),
    }
    Ok(code)
}
