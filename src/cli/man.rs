//! `man DIR`: the manual pages, for packages. One page for each command, made from the same texts as `--help`.

use std::path::PathBuf;

use super::context::Context;
use super::error::CliError;
use super::ui::Ui;
use crate::exit::ExitCode;
use crate::host::fs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The directory to write the pages into
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let mut command = super::command(context.instance.brand);
    command.build();
    let pages = write(&args, &command).map_err(|error| {
        let what = format!("cannot write the manual pages into {}", args.dir.display());
        CliError::new(ExitCode::Failed, what).cause(error).hint("name a directory that you may write to")
    })?;
    ui.note(&format!("{pages} pages in {}", args.dir.display()));
    Ok(ExitCode::Ok)
}

/// Writes the page of a command and those of the commands below it. Returns how many there were.
fn write(args: &Args, command: &clap::Command) -> std::io::Result<usize> {
    std::fs::create_dir_all(&args.dir)?;
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write_atomic(&args.dir.join(page.get_filename()), &text, fs::PUBLIC)?;
    let below = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    below.map(|below| write(args, below)).sum::<std::io::Result<usize>>().map(|pages| pages + 1)
}
