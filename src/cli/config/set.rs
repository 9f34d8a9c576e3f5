//! `config set PATH VALUE`: change one setting.

use std::io::Read;

use serde_json::Value;

use super::guard::{NotChanged, tell_effect};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::config::{
    KeyPath, Loaded, find_setting, is_secret, parse_value, redact_at, set_value, tilde_path, update_config,
};
use crate::exit::ExitCode;

/// The longest value that is read from standard input, in bytes.
const MAX_INPUT: u64 = 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The setting, such as `gateway.port` or `agents.list[0].id`
    path: KeyPath,
    /// The value in JSON5; what is not JSON5 is taken as text
    #[arg(required_unless_present = "stdin", allow_negative_numbers = true)]
    value: Option<String>,
    /// Read the value from standard input, so that it is not on the command line: for secrets
    #[arg(long, conflicts_with = "value")]
    stdin: bool,
    /// The value is JSON5; refuse what is not
    // Not the id of other commands' --json, which is about the answer.
    #[arg(id = "value-is-json", long = "json")]
    json: bool,
    /// The value is text, whatever it looks like
    #[arg(long, conflicts_with = "value-is-json")]
    string: bool,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let setting =
        find_setting(&args.path).map_err(|error| CliError::new(ExitCode::Usage, error.to_string()))?;
    let text = match &args.value {
        Some(text) => text.clone(),
        None => value_from_stdin()?,
    };
    let value = match (args.string, parse_value(&text)) {
        (true, _) => Value::from(text),
        (false, Ok(value)) if args.json || value.is_string() || !setting.takes_text => value,
        // Brackets that do not close were not meant as text.
        (false, Err(why)) if args.json || !setting.takes_text && text.starts_with(['{', '[']) => {
            return Err(CliError::new(ExitCode::Usage, format!("the value is not JSON5: {why}")));
        }
        (false, Ok(_) | Err(_)) => Value::from(text),
    };
    let source = context.source();
    let edit = |old: &Loaded| {
        refuse_included(&args.path, old, context)?;
        Ok(Some(set_value(old.raw.as_deref(), &args.path, &value)?))
    };
    let written = update_config(&source, edit).map_err(|error: NotChanged| error.into_failure(context))?;
    let mut shown = value.clone();
    redact_at(&mut shown, &args.path, context.instance.brand);
    let said = if is_secret(&args.path) {
        format!("{} (a secret)", args.path)
    } else {
        format!("{} = {shown}", args.path)
    };
    match written {
        Some(_) => {
            ui.note(&format!("Set {said} in {}.", source.shown()));
            tell_effect(&args.path, context, ui);
        }
        None => ui.note(&format!("Nothing to do: {said} already in {}.", source.shown())),
    }
    let in_the_open = args.value.as_ref().is_some_and(|text| !text.contains("${"));
    if shown != value && in_the_open {
        ui.warning("the secret was on the command line, where others can see it; --stdin reads it from standard input");
    }
    Ok(ExitCode::Ok)
}

/// A value that stands in an included file cannot be changed here: what is set beside an include is merged over it, and
/// a list would even grow.
pub(super) fn refuse_included(path: &KeyPath, old: &Loaded, context: &Context) -> Result<(), NotChanged> {
    let Some(origin) = old.included_origin(path) else { return Ok(()) };
    let (file, root) = (tilde_path(&origin.file, &context.env), tilde_path(&old.path, &context.env));
    let line = origin.line;
    Err(NotChanged::Included(format!(
        "{path} lives in {file}:{line}, which {root} includes; nothing was written"
    )))
}

/// Standard input without the line break at its end.
fn value_from_stdin() -> Result<String, CliError> {
    let failed =
        |error| CliError::new(ExitCode::Failed, "cannot read the value from standard input").cause(error);
    let mut text = String::new();
    std::io::stdin().take(MAX_INPUT).read_to_string(&mut text).map_err(failed)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
