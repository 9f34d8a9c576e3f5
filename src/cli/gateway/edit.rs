//! `gateway edit`: the operator's own settings for the service, in a drop-in that no install touches.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::service::{CLAIM, only_root, service_error};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::exit::ExitCode;
use crate::host::{fs, process};
use crate::instance::Env;
use crate::service::claim::claim;
use crate::service::definition::Standing;
use crate::service::error::ServiceError;
use crate::service::manager::{Circumstances, Manager, NoProbe, Patience};
use crate::service::native::Native;
use crate::service::observed::Observed;
use crate::service::plan::{Refusal, Step};

/// Nobody writes longer ones.
const LIMIT: u64 = 256 * 1024;
/// The file, in the directory of the unit's drop-ins.
const NAME: &str = "override.conf";

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Read the settings from standard input instead of opening $VISUAL or $EDITOR; none at all removes them
    #[arg(long)]
    stdin: bool,
    /// Answer in JSON (with --stdin: an editor writes where the answer goes)
    #[arg(long, requires = "stdin")]
    json: bool,
}

/// The answer in JSON; a failure is told by [`crate::cli::failure`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    action: &'static str,
    ok: bool,
    /// `written`, `removed` or `unchanged`.
    result: &'static str,
    message: &'a str,
    exit_code: u8,
    hints: [&'static str; 0],
    notes: &'a [String],
    path: String,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    if context.host.is_none() {
        only_root("edit", context)?;
    }
    let failed = |error: ServiceError| service_error(error, context);
    let path = context.block_on(async {
        let manager = context.manager().await;
        drop_in(&manager.observe().await).map_err(|refusal| failed(refusal.into()))
    })?;
    let unreadable = |source| failed(ServiceError::File { operation: "read", path: path.clone(), source });
    let old = fs::read_text(&path, LIMIT).map_err(unreadable)?;
    let new = if args.stdin { from_stdin()? } else { from_editor(old.as_deref(), &path, context)? };
    let empty = says_nothing(&new);
    if old.as_deref() == Some(new.as_str()) || old.is_none() && empty {
        say(&args, "unchanged", "Nothing to do: the settings are as they were", &path, &[], ui);
        return Ok(ExitCode::Ok);
    }
    context.block_on(async {
        let _claim = claim(&context.instance, CLAIM).await.map_err(failed)?;
        let manager = context.manager().await;
        let put = |text: Option<&str>| match text {
            Some(text) => Step::WriteDefinition { path: path.clone(), text: text.to_owned(), diff: None },
            None => Step::RemoveDefinition { path: path.clone() },
        };
        let wanted = (!empty).then_some(new.as_str());
        let mut steps = vec![put(wanted), Step::Reload];
        steps.extend(wanted.map(|text| Step::CheckDropIn { text: text.to_owned() }));
        if let Err(error) = perform(&manager, &steps).await {
            // What the manager did not take must not stay: the next start would be without it, silently.
            let back = perform(&manager, &[put(old.as_deref()), Step::Reload]).await;
            let error = failed(error);
            return Err(match back {
                Ok(()) => error.hint("what was there before is back"),
                Err(undoing) => error.hint(format!("what was there before could not be put back: {undoing}")),
            });
        }
        Ok(())
    })?;
    let (result, done) = if empty { ("removed", "Removed") } else { ("written", "Wrote") };
    let note = format!("it takes effect with the next start: {} gateway restart", context.instance.command());
    say(&args, result, &format!("{done} {}", path.display()), &path, &[note], ui);
    Ok(ExitCode::Ok)
}

fn say(args: &Args, result: &'static str, message: &str, path: &Path, notes: &[String], ui: &mut Ui) {
    if !args.json {
        ui.out(message);
        notes.iter().for_each(|note| ui.note(&format!("note: {note}")));
        return;
    }
    let exit_code = ExitCode::Ok.number();
    let path = path.display().to_string();
    ui.answer(1, &Answer { action: "edit", ok: true, result, message, exit_code, hints: [], notes, path });
}

/// Where the operator's settings are, if there is a service to have them.
fn drop_in(observed: &Observed) -> Result<PathBuf, Refusal> {
    let unit = observed.unit.clone();
    let reached = match &observed.manager {
        crate::service::observed::Manager::Reached(reached) => reached,
        crate::service::observed::Manager::Unreachable { unreachable } => {
            return Err(Refusal::Unreachable(unreachable.clone()));
        }
    };
    let state = &reached.state;
    if observed.definition.standing == Standing::Masked || state.load_state == "masked" {
        return Err(Refusal::Masked { unit });
    }
    if observed.definition.standing == Standing::Missing && state.load_state == "not-found" {
        return Err(Refusal::NotInstalled { unit });
    }
    if observed.platform.reads_only_to_load() {
        return Err(Refusal::NoDropIns { manager: observed.platform.name() });
    }
    if let Some(problem) = &observed.definition.directory_problem {
        return Err(Refusal::Directory(problem.clone()));
    }
    Ok(observed.definition.path.with_file_name(format!("{unit}.d")).join(NAME))
}

async fn perform(manager: &Native, steps: &[Step]) -> Result<(), ServiceError> {
    let mut report = |_: crate::service::manager::Progress<'_>| {};
    let mut circumstances = Circumstances::new(&NoProbe, &mut report, Patience::default());
    for step in steps {
        manager.perform(step, &mut circumstances).await?;
    }
    Ok(())
}

fn from_stdin() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin().take(LIMIT).read_to_string(&mut text).map_err(|error| {
        CliError::new(ExitCode::Failed, "cannot read the settings from standard input").cause(error)
    })?;
    Ok(text)
}

/// Has the operator edit a copy.
fn from_editor(old: Option<&str>, path: &Path, context: &Context) -> Result<String, CliError> {
    // The editor of last resort waits for keys that nobody presses; one that was chosen may be a script.
    let Some(editor) = editor(&context.env) else {
        return Err(CliError::new(ExitCode::Failed, "there is no terminal for an editor")
            .hint("Give the settings with --stdin, or set VISUAL or EDITOR to a program that needs none"));
    };
    let failed = |what: String| {
        move |error: std::io::Error| CliError::new(ExitCode::Failed, what.clone()).cause(error)
    };
    let template = format!(
        "# Settings of yours for {}, over those of the unit. No install touches this file.\n# Without any it is removed.\n\n[Service]\n",
        path.parent().and_then(Path::file_stem).unwrap_or_default().to_string_lossy()
    );
    let make = || {
        let mut file = tempfile::Builder::new().prefix("override.").suffix(".conf").tempfile()?;
        file.write_all(old.unwrap_or(&template).as_bytes())?;
        file.flush()?;
        Ok(file)
    };
    let file = make().map_err(failed("cannot make a copy to edit".to_owned()))?;
    let mut command = process::command("/bin/sh");
    // The words of the variable are the shell's, as everywhere: `code --wait`.
    command.args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file.path());
    command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let cannot = failed(format!("cannot run the editor {editor:?}"));
    let status = context.block_on(async { Ok(command.status().await) })?.map_err(&cannot)?;
    if !status.success() {
        return Err(CliError::new(
            ExitCode::Failed,
            format!("the editor {editor:?} failed ({status}); nothing was changed"),
        )
        .hint("Set VISUAL or EDITOR, or give the settings with --stdin"));
    }
    let text = fs::read_text(file.path(), LIMIT).map_err(failed("cannot read what was edited".to_owned()))?;
    Ok(text.unwrap_or_default())
}

/// Whether there are but comments and the names of sections.
fn says_nothing(text: &str) -> bool {
    text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with(['#', ';', '[']))
}

fn editor(env: &Env) -> Option<String> {
    let chosen = env.text("VISUAL").or(env.text("EDITOR")).map(str::to_owned);
    chosen.or_else(|| std::io::stdin().is_terminal().then(|| "vi".to_owned()))
}
