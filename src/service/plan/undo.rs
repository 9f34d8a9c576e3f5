//! The way back when an install fails half-way: the same steps, towards what was found before.

use super::{Intent, Plan, Planned, Step, planned};
use crate::service::observed::Observed;

/// The steps that restore what was found before the plan, when its step number `failed` (from 0) did not succeed.
/// None when nothing was changed that would have to be restored.
///
/// Only an install is undone, and only where it changed the definition: a service that will not start with the
/// definition it had anyway is not made better by taking that away.
pub fn undo(plan: &Plan, failed: usize, before: &Observed) -> Vec<Planned> {
    let done = &plan.steps[..plan.steps.len().min(failed + 1)];
    let did = |wanted: fn(&Step) -> bool| done.iter().any(|planned| wanted(&planned.step));
    // A write that failed left the file as it was.
    let written = plan.steps.iter().take(failed).find_map(|planned| match &planned.step {
        Step::WriteDefinition { path, .. } | Step::RemoveDefinition { path } => Some(path.clone()),
        _ => None,
    });
    let undoable = plan.steps.get(failed).is_some_and(|planned| planned.step.is_undoable());
    let (Intent::Install(_), Some(reached), Some(path), true) =
        (plan.intent, before.manager.reached(), written, undoable)
    else {
        return Vec::new();
    };
    let started = did(|step| matches!(step, Step::Start { .. } | Step::Restart { .. }));
    let enabled = did(|step| matches!(step, Step::Enable)) && reached.state.unit_file_state != "enabled";
    // What was loaded before must be loaded again, whether or not it ran well.
    let was_loaded = before.platform.reads_only_to_load() && reached.state.is_loaded();
    let ran = reached.state.is_active() || was_loaded;

    let mut steps = Vec::new();
    if started && !ran {
        steps.push(planned(Step::Stop { wait: true }, "it did not run before"));
    }
    if enabled {
        steps.push(planned(Step::Disable, "it was not enabled before"));
    }
    // What was chosen over a package's definition is in another file.
    let addition = before.definition.addition.as_ref().filter(|addition| addition.path == path);
    let text = match addition {
        Some(addition) => addition.found.text(),
        None => before.definition.found.text().filter(|_| before.definition.path == path),
    };
    match text {
        Some(text) => {
            let step = Step::WriteDefinition { path, text: text.to_owned(), diff: None };
            steps.push(planned(step, "that was the definition before"));
        }
        None => steps.push(planned(Step::RemoveDefinition { path }, "there was none before")),
    }
    steps.push(planned(Step::Reload, "the manager must know"));
    if started {
        steps.push(planned(Step::ResetFailed, "the failed start counts against the start limit"));
    }
    if started && ran {
        steps.push(planned(Step::Restart { wait: true }, "it ran before"));
        if reached.state.is_active() {
            steps.push(planned(Step::Prove { answers: false }, "it should run again"));
        }
    }
    steps.retain(|planned| before.platform.knows(&planned.step, plan.intent));
    steps
}
