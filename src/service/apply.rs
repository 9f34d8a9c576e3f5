//! Performing a plan, step by step, and undoing it where that was promised.

use serde::Serialize;

use super::error::ServiceError;
use super::manager::{Circumstances, Manager, Progress};
use super::observed::Observed;
use super::plan::{Plan, Planned, undo};

/// What became of a plan.
#[derive(Debug)]
pub enum Outcome {
    /// Every step was done.
    Done {
        /// Remarks of the steps.
        notes: Vec<String>,
    },
    /// A step failed. What was done before it stays.
    Failed {
        /// The step's number in the plan, from 1.
        step: usize,
        /// Why.
        error: ServiceError,
        /// Remarks of the steps before.
        notes: Vec<String>,
    },
    /// A step failed, and what was there before is there again.
    RolledBack {
        /// The step's number in the plan, from 1.
        step: usize,
        /// Why.
        error: ServiceError,
        /// What was restored.
        restored: Restored,
    },
    /// A step failed, and so did the way back.
    Stuck {
        /// The step's number in the plan, from 1.
        step: usize,
        /// Why.
        error: ServiceError,
        /// Why the way back failed.
        undoing: ServiceError,
    },
}

/// What the way back restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restored {
    /// Nothing is installed, as before.
    Nothing,
    /// The definition before, and it does not run, as before.
    Definition,
    /// The definition before, and it runs again.
    Running,
}

/// Performs a plan made for what was found `before`.
pub async fn apply(
    manager: &impl Manager,
    plan: &Plan,
    before: &Observed,
    circumstances: &mut Circumstances<'_>,
) -> Outcome {
    let mut notes = Vec::new();
    let Err((failed, error)) = walk(manager, &plan.steps, circumstances, &mut notes).await else {
        return Outcome::Done { notes };
    };
    let step = failed + 1;
    let way_back = undo(plan, failed, before);
    if way_back.is_empty() {
        return Outcome::Failed { step, error, notes };
    }
    (circumstances.report)(Progress::Undoing { because: &error });
    match walk(manager, &way_back, circumstances, &mut notes).await {
        Ok(()) => Outcome::RolledBack { step, error, restored: restored(&way_back) },
        Err((_, undoing)) => Outcome::Stuck { step, error, undoing },
    }
}

async fn walk(
    manager: &impl Manager,
    steps: &[Planned],
    circumstances: &mut Circumstances<'_>,
    notes: &mut Vec<String>,
) -> Result<(), (usize, ServiceError)> {
    for (index, planned) in steps.iter().enumerate() {
        (circumstances.report)(Progress::Step { number: index + 1, of: steps.len(), planned });
        let done = manager.perform(&planned.step, circumstances).await;
        notes.extend(done.map_err(|error| (index, error))?);
    }
    Ok(())
}

fn restored(way_back: &[Planned]) -> Restored {
    use super::plan::Step;
    let has = |wanted: fn(&Step) -> bool| way_back.iter().any(|planned| wanted(&planned.step));
    if has(|step| matches!(step, Step::RemoveDefinition { .. })) {
        Restored::Nothing
    } else if has(|step| matches!(step, Step::Restart { .. })) {
        Restored::Running
    } else {
        Restored::Definition
    }
}
