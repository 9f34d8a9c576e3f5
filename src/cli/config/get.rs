//! `config get [PATH]`: what is configured. Secrets are hidden.

use serde::Serialize;
use serde_json::Value;

use super::guard::config_invalid;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::config::{KeyPath, Loaded, Origin, find_setting, is_secret, redact, with_defaults};
use crate::exit::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The setting, such as `gateway.port` or `agents.list[0].id`; without it, all that is configured
    path: Option<KeyPath>,
    /// Answer in JSON, and say where the value was set
    #[arg(long)]
    json: bool,
    /// Also print settings that nobody has set, with their defaults
    #[arg(long)]
    defaults: bool,
    /// Print the secret at PATH in the open
    #[arg(long, requires = "path")]
    show_secret: bool,
}

#[derive(Serialize)]
struct Answer {
    /// The setting; absent when all were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<KeyPath>,
    /// The configuration file.
    file: String,
    exists: bool,
    valid: bool,
    value: Value,
    /// Who set it: the configuration (a file and a line), or nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let loaded = context.source().load();
    // A text that is malformed has no values; one with other problems has.
    if loaded.parsed.is_null() || loaded.exists && loaded.raw.is_none() {
        return Err(config_invalid(context, loaded.problems()));
    }
    let value = match &args.path {
        Some(path) => one_value(path, &args, &loaded, context)?,
        None => whole_value(args.defaults, &loaded, context),
    };
    if !loaded.problems().is_empty() {
        let command = context.instance.command();
        ui.warning(&format!("the configuration is not valid; run: {command} config validate"));
    }
    if !args.json {
        match value {
            Value::String(text) => ui.text(&text),
            other => ui.json(&other),
        }
        return Ok(ExitCode::Ok);
    }
    let origin = args.path.as_ref().and_then(|path| loaded.origin(path));
    let file = loaded.path.to_string_lossy().into_owned();
    let valid = loaded.problems().is_empty();
    ui.answer(1, &Answer { path: args.path, file, exists: loaded.exists, valid, value, origin });
    Ok(ExitCode::Ok)
}

fn whole_value(defaults: bool, loaded: &Loaded, context: &Context) -> Value {
    let mut value = if defaults { with_defaults(&loaded.resolved) } else { loaded.resolved.clone() };
    redact(&mut value, context.instance.brand);
    value
}

/// The configured value, else the default.
fn one_value(path: &KeyPath, args: &Args, loaded: &Loaded, context: &Context) -> Result<Value, CliError> {
    if args.show_secret {
        if !is_secret(path) {
            let message =
                format!("--show-secret prints one secret, and {path} is not one: name its full path");
            return Err(CliError::new(ExitCode::Usage, message));
        }
        return loaded.value(path).ok_or_else(|| not_set(path, context));
    }
    let configured = path.value_in(&whole_value(args.defaults, loaded, context)).cloned();
    if let Some(value) = configured {
        return Ok(value);
    }
    find_setting(path).map_err(|error| CliError::new(ExitCode::Usage, error.to_string()))?;
    path.value_in(&whole_value(true, loaded, context)).cloned().ok_or_else(|| not_set(path, context))
}

fn not_set(path: &KeyPath, context: &Context) -> CliError {
    let command = context.instance.command();
    let message = format!("{path} is not set and has no default");
    CliError::new(ExitCode::Failed, message).hint(format!("set it: {command} config set {path} VALUE"))
}
