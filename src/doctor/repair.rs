//! From findings to steps, in an order that works, and performing them. What is replaced is kept.
//!
//! The plan chooses; performing does not. Whether anything became of it is told by another look, not by this.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use super::facts::{self, Facts};
use super::finding::{Action, Finding};
use super::foreign::TokenPlace;
use crate::config::Source;
use crate::config::create::{adopt, ensure_token};
use crate::host;
use crate::instance::{Env, Instance};
use crate::service::definition::Found;
use crate::service::error::ServiceError;
use crate::service::inspection::{Inspect, Name};
use crate::service::manager::{Circumstances, Manager, Patience, Probe, Progress, Run};
use crate::service::native::Native;
use crate::service::plan::{Intent, Step};
use crate::service::record::{self, Record};
use crate::service::redact;

/// What will be done, in order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Todo>,
    /// What changes in which files, fit to be shown.
    pub diffs: Vec<String>,
    /// Whether the service is restarted.
    pub restarts: bool,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum Todo {
    /// A step that installs have, too.
    Service(Step),
    /// A drop-in is written.
    WriteDropIn {
        /// Where.
        path: PathBuf,
        /// What.
        text: String,
    },
    /// A file is removed.
    Remove(PathBuf),
    /// A file is moved.
    Move {
        /// From here.
        from: PathBuf,
        /// To there.
        to: PathBuf,
    },
    /// Permissions are set.
    Mode(PathBuf, u32),
    /// Variables are taken out of the manager's environment.
    Unset(Vec<String>),
    /// A token is made.
    Token,
    /// Another product's service is stopped and disabled.
    Retire(String),
    /// Its port and its token are taken over.
    Adopt {
        /// The port.
        port: Option<u16>,
        /// Where the token is.
        token: Option<TokenPlace>,
    },
}

impl std::fmt::Display for Todo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Service(step) => write!(f, "{step}"),
            Self::WriteDropIn { path, .. } => write!(f, "write {}", path.display()),
            Self::Remove(path) => write!(f, "remove {}", path.display()),
            Self::Move { from, to } => write!(f, "move {} to {}", from.display(), to.display()),
            Self::Mode(path, mode) => write!(f, "set the permissions of {} to {mode:04o}", path.display()),
            Self::Unset(names) => write!(f, "take {} out of the manager's environment", names.join(", ")),
            Self::Retire(unit) => write!(f, "stop and disable {unit}"),
            Self::Adopt { port, token } => {
                let port = port.map(|port| format!("port {port}"));
                let token = token.as_ref().map(|token| format!("the token ({token})"));
                let both: Vec<String> = [port, token].into_iter().flatten().collect();
                write!(f, "put {} into the configuration", both.join(" and "))
            }
            Self::Token => f.write_str("make a token for clients"),
        }
    }
}

/// How much a repair may do.
#[derive(Clone, Copy, Debug)]
pub struct Permission {
    /// Overwrite what somebody wrote.
    pub force: bool,
    /// Restart the service.
    pub restart: bool,
}

/// Decides what to do about the findings.
pub fn plan(facts: &Facts, findings: &[Finding], may: Permission) -> Plan {
    let wanted = findings.iter().filter(|finding| finding.is_repaired(may.force));
    let actions: Vec<&Action> = wanted.flat_map(|finding| &finding.repair.actions).collect();
    let mut plan = Plan::default();
    if actions.is_empty() {
        return plan;
    }
    let has = |wanted: &Action| actions.contains(&wanted);
    for action in &actions {
        let todo = match action {
            Action::Mode(path, mode) => Todo::Mode(path.clone(), *mode),
            Action::MoveAside(from) => Todo::Move { from: from.clone(), to: aside(facts, from) },
            Action::Remove(path) => Todo::Remove(path.clone()),
            _ => continue,
        };
        if !plan.steps.contains(&todo) {
            plan.steps.push(todo);
        }
    }
    // A token of the machine's gateway is a file that its definition names: what is wanted there is known once it exists.
    if has(&Action::Token) && facts.instance.paths.credentials.is_some() {
        plan.steps.push(Todo::Token);
        return plan;
    }
    let takes_over = take_over(facts, &actions, &mut plan);
    let wrote = write_unit(facts, &actions, &mut plan)
        | write_settings(facts, &actions, &mut plan)
        | write_drop_ins(facts, &actions, &mut plan);
    if has(&Action::Token) {
        plan.steps.push(Todo::Token);
    }
    let unset: Vec<String> = actions
        .iter()
        .filter_map(|action| if let Action::Unset(names) = action { Some(names.clone()) } else { None })
        .flatten()
        .collect();
    if !unset.is_empty() {
        plan.steps.push(Todo::Unset(unset));
    }
    let service = |plan: &mut Plan, step: Step| plan.steps.push(Todo::Service(step));
    if has(&Action::Reenable) {
        service(&mut plan, Step::Disable);
    }
    let enables = has(&Action::Enable) || has(&Action::Reenable);
    if enables {
        service(&mut plan, Step::Enable);
    }
    if wrote || enables || has(&Action::Reload) {
        service(&mut plan, Step::Reload);
    }
    if wrote || has(&Action::Remember) {
        plan.steps.extend(remember(facts, &plan).map(Todo::Service));
    }
    if has(&Action::Linger) {
        service(&mut plan, Step::EnableLinger);
    }
    if (has(&Action::Restart) || takes_over) && may.restart {
        let inside = facts.service.observed.inside;
        service(&mut plan, Step::ResetFailed);
        service(&mut plan, Step::Restart { wait: !inside });
        if !inside {
            service(&mut plan, Step::Prove { answers: true });
        }
        plan.restarts = true;
    }
    let platform = facts.service.observed.platform;
    plan.steps.retain(|todo| !matches!(todo, Todo::Service(step) if !platform.knows(step, Intent::Enable)));
    plan
}

/// Another product's gateway goes, and this one takes its place. Whether this one has to be started anew for that.
fn take_over(facts: &Facts, actions: &[&Action], plan: &mut Plan) -> bool {
    let mut any = false;
    for action in actions {
        let Action::TakeOver(foreign) = action else { continue };
        let retire = Todo::Retire(foreign.service.unit.clone());
        if plan.steps.contains(&retire) {
            continue;
        }
        plan.steps.push(retire);
        // Two cannot both be the one that this one takes after.
        if !any && (foreign.port.is_some() || foreign.token.is_some()) {
            plan.steps.push(Todo::Adopt { port: foreign.port, token: foreign.token.clone() });
        }
        any = true;
    }
    any && facts.service.unit.is_some() && facts.service.needs.is_empty()
}

/// Where a file goes that is in the way.
fn aside(facts: &Facts, from: &Path) -> PathBuf {
    let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
    facts.service.observed.service_dir.join(format!("{name}.replaced-{}", facts.now_ms))
}

/// The unit: as a whole, or key by key.
fn write_unit(facts: &Facts, actions: &[&Action], plan: &mut Plan) -> bool {
    let definition = &facts.service.observed.definition;
    let Ok(desired) = &facts.service.desired else { return false };
    let names: Vec<Name> = actions
        .iter()
        .filter_map(|action| if let Action::Keys(names) = action { Some(names.clone()) } else { None })
        .flatten()
        .collect();
    let text = if actions.contains(&&Action::Rewrite) {
        desired.text.clone()
    } else if names.is_empty() {
        return false;
    } else {
        match facts.service.mender.definition(&names) {
            Some(text) => text,
            None => return false,
        }
    };
    let old = definition.found.text().unwrap_or_default();
    if let Found::File(old) = &definition.found {
        let path =
            record::replaced_path(&facts.service.observed.service_dir, &facts.service.observed.unit, old);
        plan.steps.push(Todo::Service(Step::BackUp { path, text: old.clone() }));
    }
    let legible = |text: &str| facts.service.mender.legible(text);
    let diff = redact::diff(&definition.path.display().to_string(), &legible(old), &legible(&text));
    plan.diffs.extend(diff.clone());
    plan.steps.push(Todo::Service(Step::WriteDefinition { path: definition.path.clone(), text, diff }));
    true
}

/// What was chosen over a package's definition.
fn write_settings(facts: &Facts, actions: &[&Action], plan: &mut Plan) -> bool {
    let wanted = facts.service.desired.as_ref().ok().and_then(|desired| desired.addition.as_ref());
    let Some(wanted) = wanted.filter(|_| actions.contains(&&Action::Settings)) else { return false };
    let observed = &facts.service.observed;
    let present = observed.definition.addition.as_ref().map(|addition| &addition.found);
    match present {
        Some(Found::File(old)) => {
            let name = wanted.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let path = record::replaced_path(&observed.service_dir, &name, old);
            plan.steps.push(Todo::Service(Step::BackUp { path, text: old.clone() }));
        }
        Some(Found::Link { .. } | Found::Unreadable(_)) => {
            let to = aside(facts, &wanted.path);
            plan.steps.push(Todo::Move { from: wanted.path.clone(), to });
        }
        Some(Found::Missing) | None => {}
    }
    plan.diffs.extend(wanted.diff.clone());
    plan.steps.push(match &wanted.text {
        Some(text) => Todo::WriteDropIn { path: wanted.path.clone(), text: text.clone() },
        None => Todo::Remove(wanted.path.clone()),
    });
    true
}

fn write_drop_ins(facts: &Facts, actions: &[&Action], plan: &mut Plan) -> bool {
    let mender = &facts.service.mender;
    let mut by_path: Vec<(&PathBuf, Vec<Name>)> = Vec::new();
    let mut correct: Vec<Name> = Vec::new();
    for action in actions {
        match action {
            Action::Uncover { path, names } => match by_path.iter_mut().find(|(known, _)| *known == path) {
                Some((_, known)) => known.extend(names.clone()),
                None => by_path.push((path, names.clone())),
            },
            Action::Correct(names) => correct.extend(names.clone()),
            _ => {}
        }
    }
    let mut wrote = false;
    for (path, names) in by_path {
        let Some((old, new)) = mender.drop_in(path, &names) else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let backup = record::replaced_path(&facts.service.observed.service_dir, &name, &old);
        let shown = path.display().to_string();
        plan.diffs.extend(redact::diff(&shown, &old, new.as_deref().unwrap_or_default()));
        plan.steps.push(Todo::Service(Step::BackUp { path: backup, text: old }));
        plan.steps.push(match new {
            None => Todo::Remove(path.clone()),
            Some(text) => Todo::WriteDropIn { path: path.clone(), text },
        });
        wrote = true;
    }
    if correct.is_empty() {
        return wrote;
    }
    if let Some((path, old, text)) = mender.corrective(&facts.instance.command(), &correct) {
        plan.diffs.extend(redact::diff(&path.display().to_string(), &old, &text));
        plan.steps.push(Todo::WriteDropIn { path, text });
        wrote = true;
    }
    wrote
}

/// What is to be remembered: what this release wants, whatever an operator added to it.
fn remember(facts: &Facts, plan: &Plan) -> Option<Step> {
    let desired = facts.service.desired.as_ref().ok()?;
    let known = facts.service.observed.record.record();
    if let Some(record) = desired.addition.as_ref().and_then(|addition| addition.record.clone()) {
        return Some(Step::SaveRecord { record: Box::new(record.with_choices_of(known)) });
    }
    if !facts.service.own {
        return None;
    }
    let written = plan.steps.iter().find_map(|todo| match todo {
        Todo::Service(Step::WriteDefinition { text, .. }) => Some(text.as_str()),
        _ => None,
    });
    let present = written.or(facts.service.observed.definition.found.text())?;
    let text =
        if facts.service.mender.is_intact(present) { present.to_owned() } else { desired.text.clone() };
    let record = Record { text, ..desired.record.clone() };
    Some(Step::SaveRecord { record: Box::new(record.with_choices_of(known)) })
}

/// Performs a plan. The error says at which step, from 1, it ended.
pub async fn perform(
    manager: &Native,
    plan: &Plan,
    (instance, env, port): (&Instance, &Env, Option<u16>),
    say: &mut dyn FnMut(&str),
) -> Result<Vec<String>, (usize, ServiceError)> {
    let probe = Answers { instance: instance.clone(), port };
    let mut notes = Vec::new();
    let mut report = |_: Progress<'_>| {};
    let mut circumstances = Circumstances::new(&probe, &mut report, Patience::default());
    for (index, todo) in plan.steps.iter().enumerate() {
        say(&format!("[{}/{}] {todo}", index + 1, plan.steps.len()));
        let done = match todo {
            Todo::Service(step) => manager.perform(step, &mut circumstances).await,
            Todo::Retire(unit) => manager.retire(unit).await.map(|()| Vec::new()),
            Todo::Unset(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                manager.unset_environment(&names).await.map(|()| Vec::new())
            }
            other => on_disk(other.clone(), Source::new(instance, env), instance.clone()).await,
        };
        notes.extend(done.map_err(|error| (index + 1, error))?);
    }
    Ok(notes)
}

/// Work with files, away from the runtime's threads.
async fn on_disk(todo: Todo, source: Source, instance: Instance) -> Result<Vec<String>, ServiceError> {
    let (operation, path) = match &todo {
        Todo::WriteDropIn { path, .. } => ("write", path.clone()),
        Todo::Remove(path) | Todo::Move { from: path, .. } => ("remove", path.clone()),
        Todo::Mode(path, _) => ("set the permissions of", path.clone()),
        Todo::Adopt { .. } => ("take over a port and a token in", source.path.clone()),
        Todo::Token | Todo::Unset(_) | Todo::Retire(_) | Todo::Service(_) => {
            ("put a token into", source.path.clone())
        }
    };
    let work = move || match todo {
        Todo::WriteDropIn { path, text } => {
            if let Some(dir) = path.parent() {
                host::fs::private_dir(dir)?;
            }
            host::fs::write_atomic(&path, text.as_bytes(), host::fs::PUBLIC)
        }
        Todo::Remove(path) => host::fs::remove(&path),
        Todo::Move { from, to } => {
            if let Some(dir) = to.parent() {
                host::fs::private_dir(dir)?;
            }
            host::fs::move_file(&from, &to)
        }
        Todo::Mode(path, mode) => host::fs::set_mode(&path, mode),
        Todo::Token => ensure_token(&source).map(drop).map_err(io::Error::other),
        Todo::Adopt { port, token } => {
            let token = token.map(|place| place.read()).transpose()?.flatten();
            adopt(&source, &instance, port, token).map_err(io::Error::other)
        }
        Todo::Unset(_) | Todo::Retire(_) | Todo::Service(_) => Ok(()),
    };
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.into()));
    done.map(|()| Vec::new()).map_err(|source| ServiceError::File { operation, path, source })
}

/// Asks the gateway whether it is well.
struct Answers {
    instance: Instance,
    port: Option<u16>,
}

impl Probe for Answers {
    fn probe(&self, run: Run) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let Some(port) = self.port else { return Ok(()) };
            let ready = facts::ask(&self.instance, run.main_pid, port).await?;
            match ready.pid {
                Some(pid) if pid != run.main_pid => {
                    Err(format!("process {pid} answers, not {}", run.main_pid))
                }
                _ if !ready.ready => Err("it is not ready".to_owned()),
                _ => Ok(()),
            }
        })
    }
}

/// The steps of an install that a repair shares, for those who show them.
pub fn shown(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(ToString::to_string).collect()
}
