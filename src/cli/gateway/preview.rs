//! `gateway install --print` and `--diff`: the definition before anybody writes it.

use super::service::{Wanted, desire};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::exit::ExitCode;
use crate::service::manager::Manager;

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preview {
    /// The whole of it.
    Definition,
    /// What it would change of the one that is installed.
    Changes,
}

/// Shows what an install would write, for the manager that is there.
pub(super) fn preview(
    what: Preview,
    wanted: &Wanted,
    context: &Context,
    ui: &mut Ui,
) -> Result<ExitCode, CliError> {
    let config = context.config_or_default(ui);
    let desired = context.block_on(async {
        let manager = context.manager().await;
        let before = manager.observe().await;
        desire(&manager, &before, wanted, &config, context).map(|desired| (desired, before))
    })?;
    let (desired, before) = desired;
    // Over a package's definition only what was chosen is written.
    if let Some(choice) = &desired.addition {
        match (what, &choice.text, &choice.diff) {
            (_, None, _) => ui.note("note: the package's definition is used as it is"),
            (Preview::Changes, Some(_), None) => ui.note("note: the settings are as they would be written"),
            (Preview::Changes, Some(_), Some(diff)) => ui.text(diff.trim_end()),
            (Preview::Definition, Some(text), _) => ui.text(text.trim_end()),
        }
        return Ok(ExitCode::Ok);
    }
    match (what, &desired.diff) {
        (Preview::Definition, _) => ui.text(desired.text.trim_end()),
        (Preview::Changes, Some(diff)) => ui.text(diff.trim_end()),
        (Preview::Changes, None) if before.definition.found.text().is_none() => {
            ui.note(&format!("note: nothing is installed at {}", before.definition.path.display()));
            ui.text(desired.text.trim_end());
        }
        (Preview::Changes, None) => ui.note("note: the definition is as it would be written"),
    }
    Ok(ExitCode::Ok)
}
