//! `setup`: everything a first start needs, without starting.

use std::path::Path;

use clap::Args as ClapArgs;
use serde::Serialize;
use serde_json::Value;

use super::config::guard::{NotChanged, config_invalid, config_not_created};
use super::context::Context;
use super::error::CliError;
use super::ui::Ui;
use crate::config::create::{Token, create_minimal, ensure_token};
use crate::config::section::FilePath;
use crate::config::{KeyPath, Loaded, set_value, tilde_path, update_config};
use crate::exit::ExitCode;
use crate::host::fs;
use crate::instance::Scope;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Where agents work: an absolute path, or one that begins with ~/
    #[arg(long, value_name = "DIR")]
    workspace: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    config: String,
    /// `written`, `updated` or `ok`.
    config_was: &'static str,
    workspace: String,
    sessions: String,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let source = context.source();
    let mut config_was = "ok";
    let found = source.load();
    if found.exists && found.raw.is_none() {
        return Err(config_invalid(context, found.problems()));
    }
    if !found.exists {
        create_minimal(&source, &context.instance).map_err(|error| config_not_created(context, error))?;
        config_was = "written";
    }
    if let Some(workspace) = &args.workspace {
        FilePath::try_from(workspace.clone())
            .map_err(|error| CliError::new(ExitCode::Usage, format!("--workspace: {error}")))?;
        set_workspace(workspace, context)?;
        config_was = if config_was == "ok" { "updated" } else { config_was };
    }
    let token = ensure_token(&source).map_err(|error| config_not_created(context, error))?;
    if matches!(token, Token::Added { .. }) && config_was == "ok" {
        config_was = "updated";
    }
    let config = source.load().config.map_err(|problems| config_invalid(context, &problems))?;
    let paths = &context.instance.paths;
    let workspace = config.agents.defaults.workspace.as_ref().map(|path| path.under(&paths.home));
    let workspace = workspace.unwrap_or_else(|| paths.workspace.clone());
    let sessions = paths.state_dir.join("agents/main/sessions");
    // A system service's directories are made by its manager, for the account it runs under.
    let dirs = [&workspace, &sessions];
    for dir in dirs.into_iter().filter(|_| context.instance.scope == Scope::User) {
        fs::private_dir(dir).map_err(|error| {
            CliError::new(ExitCode::Failed, format!("cannot make {}", dir.display())).cause(error)
        })?;
    }
    let shown = |path: &Path| tilde_path(path, &context.env);
    let answer = Answer {
        config: shown(&paths.config),
        config_was,
        workspace: shown(&workspace),
        sessions: shown(&sessions),
    };
    if args.json {
        ui.answer(1, &answer);
        return Ok(ExitCode::Ok);
    }
    ui.out(&match config_was {
        "written" => format!("Wrote {}", answer.config),
        "updated" => format!("Updated {}", answer.config),
        _ => format!("Config OK: {}", answer.config),
    });
    if context.instance.scope == Scope::User {
        ui.out(&format!("Workspace OK: {}", answer.workspace));
        ui.out(&format!("Sessions OK: {}", answer.sessions));
    }
    let command = context.instance.command();
    ui.hint(&match context.instance.scope {
        Scope::User => format!("Next: {command} gateway install  (or, in the foreground: {command} gateway)"),
        Scope::System => format!("Next: sudo {command} gateway install"),
    });
    Ok(ExitCode::Ok)
}

fn set_workspace(workspace: &str, context: &Context) -> Result<(), CliError> {
    let (path, value) = (KeyPath::from("agents.defaults.workspace"), Value::from(workspace));
    let edit = |old: &Loaded| Ok::<_, NotChanged>(Some(set_value(old.raw.as_deref(), &path, &value)?));
    update_config(&context.source(), edit).map_err(|error: NotChanged| error.into_failure(context))?;
    Ok(())
}
