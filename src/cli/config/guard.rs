//! What a command says that needs a valid configuration, or a change of it, and does not get it.

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::target;
use crate::cli::ui::Ui;
use crate::config::create::CreateError;
use crate::config::reload::{Effect, effect_of};
use crate::config::{EditError, KeyPath, Problem, WriteError};
use crate::exit::ExitCode;
use crate::instance::Scope;

/// How many problems a command that was stopped by them prints; `config validate` prints all.
const SHOWN: usize = 10;

/// The failure of a command that cannot go on with an invalid configuration (protocol notes §8.11).
pub(in crate::cli) fn config_invalid(context: &Context, problems: &[Problem]) -> CliError {
    let source = context.source();
    let message = format!(
        "Config invalid\nFile: {}\nProblem:{}",
        source.shown(),
        bullet_list(problems.iter().map(Problem::to_string))
    );
    CliError::new(ExitCode::Config, message)
        .hint(format!("Run: {} config validate", context.instance.command()))
}

/// Tells whoever changed a setting how the gateway that runs, if one does, takes it up.
pub(super) fn tell_effect(path: &KeyPath, context: &Context, ui: &mut Ui) {
    let Some(holder) = target::holder(context) else { return };
    ui.hint(&match effect_of(path) {
        Effect::Restart => format!(
            "The running gateway (pid {}) takes it up at its next start: {} gateway restart",
            holder.pid,
            context.instance.command()
        ),
        Effect::Dynamic | Effect::Hot(_) => {
            format!("The running gateway (pid {0}) takes it up on SIGHUP: kill -HUP {0}", holder.pid)
        }
    });
}

/// The failure of a command that could not write the configuration.
pub(in crate::cli) fn config_not_written(context: &Context, error: WriteError) -> CliError {
    let command = context.instance.command();
    match error {
        WriteError::Invalid { problems } => {
            let list = bullet_list(problems.iter().map(Problem::placeless));
            let message = format!("this would make the configuration invalid (nothing was written):{list}");
            CliError::new(ExitCode::Config, message).hint(format!("every setting: {command} config schema"))
        }
        WriteError::Unreadable(problem) => config_invalid(context, &[*problem]),
        WriteError::Secret { .. } => CliError::new(ExitCode::Usage, error.to_string()),
        WriteError::Busy { .. } => {
            CliError::new(ExitCode::Temporary, error.to_string()).hint("try again in a moment")
        }
        WriteError::Io { what, path, source } => {
            let denied = source.kind() == std::io::ErrorKind::PermissionDenied;
            let code = if denied { ExitCode::NotPermitted } else { ExitCode::Failed };
            let failed = CliError::new(code, format!("cannot {what} {}", path.display())).cause(source);
            failed.hint(match (denied, context.instance.scope) {
                (true, Scope::System) => "the machine's gateway is root's to configure: run this with sudo",
                (true, Scope::User) => "run this as the user the gateway belongs to",
                (false, _) => "check that the directory can be written to, and that the disk is not full",
            })
        }
    }
}

/// The failure of a command that needed a new configuration or token.
pub(in crate::cli) fn config_not_created(context: &Context, error: CreateError) -> CliError {
    match error {
        CreateError::Write(error) => config_not_written(context, error),
        CreateError::Invalid(problems) => config_invalid(context, &problems),
        CreateError::NoPort => CliError::new(ExitCode::Conflict, error.to_string()),
        other => CliError::new(ExitCode::Failed, "cannot make the configuration").cause(other),
    }
}

/// Why a setting was not changed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum NotChanged {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The value stands in another file.
    #[error("{0}")]
    Included(String),
}

impl NotChanged {
    pub(in crate::cli) fn into_failure(self, context: &Context) -> CliError {
        match self {
            Self::Write(error) => config_not_written(context, error),
            Self::Edit(EditError::Malformed(_)) => {
                let loaded = context.source().load();
                config_invalid(context, loaded.problems())
            }
            Self::Edit(error) => {
                let message = format!("cannot change {}: {error}", context.source().shown());
                CliError::new(ExitCode::Failed, message)
                    .hint(format!("Run: {} config validate", context.instance.command()))
            }
            Self::Included(where_it_is) => {
                CliError::new(ExitCode::Failed, where_it_is).hint("change it in that file")
            }
        }
    }
}

fn bullet_list(problems: impl ExactSizeIterator<Item = String>) -> String {
    let more = problems.len().saturating_sub(SHOWN);
    let mut list: String = problems.take(SHOWN).map(|problem| format!("\n  - {problem}")).collect();
    if more > 0 {
        list.push_str(&format!("\n  - and {more} more"));
    }
    list
}
