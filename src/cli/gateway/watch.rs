//! `gateway status --watch`: the same look, again and again, until somebody interrupts it.

use std::io::IsTerminal;
use std::time::Duration;

use super::status::{Args, Report, look, show};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::exit::ExitCode;

/// Between two looks: often enough to follow a restart, and no load on a small machine.
const PAUSE: Duration = Duration::from_secs(2);

/// Looks until it is interrupted, or until nobody reads any more.
pub(super) fn watch(args: &Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let live = std::io::stdout().is_terminal() && !args.json;
    let mut before = None;
    while !ui.is_closed() {
        let found = look(args, context)?;
        let seen = comparable(&found);
        if live {
            ui.redraw(|ui| show(&found, args, context, ui));
        } else if before.as_ref() != Some(&seen) {
            show(&found, args, context, ui);
        }
        before = Some(seen);
        context.block_on(async {
            tokio::time::sleep(PAUSE).await;
            Ok(())
        })?;
    }
    Ok(ExitCode::Ok)
}

/// What was found without what differs from look to look.
fn comparable(found: &Report) -> serde_json::Value {
    let mut seen = serde_json::to_value(found).unwrap_or_default();
    if let Some(latency) = seen.pointer_mut("/rpc/latencyMs") {
        latency.take();
    }
    seen
}
