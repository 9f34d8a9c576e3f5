//! A failure in JSON, for whoever asked for `--json`: one document on standard output, whichever command failed and
//! whatever it failed of. What a command answers when it succeeds is its own.

use serde::Serialize;

use super::asked::Asked;
use super::error::CliError;
use super::ui::Ui;
use crate::exit::ExitCode;

/// The version of the document's shape.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    /// Of a command that answers item by item, this one among the items.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    /// `install`, `doctor`, `config get`: what was to be done, if that was understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    ok: bool,
    result: &'static str,
    error: String,
    exit_code: u8,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    details: &'a [String],
    hints: &'a [String],
}

/// The name of a command in the answers of `--json`.
fn action(command: &str) -> &str {
    command.strip_prefix("gateway ").unwrap_or(command)
}

/// Tells a failure, in the way that was asked for.
pub(super) fn tell(error: &CliError, asked: &Asked<'_>, ui: &mut Ui) {
    if !asked.has("json") {
        return ui.error(error);
    }
    // One line for each item, and this is one of them.
    let items = asked.command == "logs" || asked.has("watch");
    let failure = Failure {
        kind: items.then_some("error"),
        action: Some(action(&asked.command)),
        ok: false,
        result: "failed",
        error: error.to_string(),
        exit_code: error.code().number(),
        details: error.lines(),
        hints: error.hints(),
    };
    if asked.command == "logs" { ui.item(SCHEMA, &failure) } else { ui.answer(SCHEMA, &failure) }
}

/// Tells what is wrong with a command line that was not understood, in JSON.
pub(super) fn tell_of_usage(error: &clap::Error, ui: &mut Ui) -> ExitCode {
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let details: Vec<String> = lines.map(str::to_owned).collect();
    let failure = Failure {
        kind: None,
        action: None,
        ok: false,
        result: "failed",
        error: message,
        exit_code: ExitCode::Usage.number(),
        details: &details,
        hints: &[],
    };
    ui.answer(SCHEMA, &failure);
    ExitCode::Usage
}
