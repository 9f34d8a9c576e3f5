//! `completions SHELL`: a completion script on standard output.

use clap_complete::Shell;

use super::context::Context;
use super::error::CliError;
use super::ui::Ui;
use crate::exit::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell to make the script for
    shell: Shell,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let brand = context.instance.brand;
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(brand), brand.slug(), &mut script);
    ui.text(String::from_utf8_lossy(&script).trim_end());
    Ok(ExitCode::Ok)
}
