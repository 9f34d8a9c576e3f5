//! `config unset PATH`: take one setting out of the file.

use super::guard::{NotChanged, tell_effect};
use super::set::refuse_included;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::config::{KeyPath, Loaded, unset_value, update_config};
use crate::exit::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The setting, such as `gateway.port` or `agents.list[0]`
    path: KeyPath,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let source = context.source();
    let edit = |old: &Loaded| {
        refuse_included(&args.path, old, context)?;
        match &old.raw {
            Some(text) => Ok(unset_value(text, &args.path)?),
            None => Ok(None),
        }
    };
    let written = update_config(&source, edit).map_err(|error: NotChanged| error.into_failure(context))?;
    match written {
        Some(_) => {
            ui.note(&format!("Took {} out of {}.", args.path, source.shown()));
            tell_effect(&args.path, context, ui);
        }
        None => ui.note(&format!("Nothing to do: {} is not set in {}.", args.path, source.shown())),
    }
    Ok(ExitCode::Ok)
}
