//! What the verbs of the service answer in JSON: one document, with the same keys for all of them. A verb that came to
//! no plan is told by [`crate::cli::failure`], with those of these keys that it has.

use serde::Serialize;

use super::service::Verb;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::exit::ExitCode;
use crate::service::facts::Facts;
use crate::service::plan::Plan;

/// The version of the document's shape.
const SCHEMA: u32 = 1;

/// What came of a verb.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    action: &'static str,
    ok: bool,
    /// `installed`, `unchanged`, `planned`, `failed`.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    exit_code: u8,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    details: &'a [String],
    hints: &'a [String],
    notes: &'a [String],
    plan: &'a Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Facts>,
}

impl<'a> Answer<'a> {
    /// A plan that is shown and not carried out.
    pub(super) fn planned(verb: &Verb, plan: &'a Plan) -> Self {
        let message = plan.is_empty().then(|| verb.already.to_owned());
        Self {
            action: verb.name,
            ok: true,
            result: "planned",
            message,
            error: None,
            exit_code: ExitCode::Ok.number(),
            details: &[],
            hints: &[],
            notes: &plan.notes,
            plan,
            service: None,
        }
    }

    /// A plan that was carried out, or failed.
    pub(super) fn of(
        verb: &Verb,
        plan: &'a Plan,
        outcome: Result<String, &'a CliError>,
        notes: &'a [String],
        service: Facts,
    ) -> Self {
        let done = if plan.is_empty() { "unchanged" } else { verb.result };
        let (result, message, error) = match outcome {
            Ok(message) => (done, Some(message), None),
            Err(error) => ("failed", None, Some(error)),
        };
        Self {
            action: verb.name,
            ok: error.is_none(),
            result,
            message,
            error: error.map(ToString::to_string),
            exit_code: error.map_or(ExitCode::Ok, CliError::code).number(),
            details: error.map(CliError::lines).unwrap_or_default(),
            hints: error.map(CliError::hints).unwrap_or_default(),
            notes,
            plan,
            service: Some(service),
        }
    }

    pub(super) fn print(&self, ui: &mut Ui) {
        ui.answer(SCHEMA, self);
    }
}
