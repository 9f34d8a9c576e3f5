//! Performing a plan, step by step, and undoing it where that was promised.

use serde::Serialize;
use tokio::sync::Notify;

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
    let interrupt = circumstances.interrupt.clone();
    let Err((failed, error)) =
        walk(manager, &plan.steps, circumstances, &mut notes, interrupt.as_deref()).await
    else {
        return Outcome::Done { notes };
    };
    let step = failed + 1;
    let way_back = undo(plan, failed, before);
    if way_back.is_empty() {
        return Outcome::Failed { step, error, notes };
    }
    (circumstances.report)(Progress::Undoing { because: &error });
    // Who interrupts once wants what was there before.
    match walk(manager, &way_back, circumstances, &mut notes, None).await {
        Ok(()) => Outcome::RolledBack { step, error, restored: restored(&way_back, before) },
        Err((_, undoing)) => Outcome::Stuck { step, error, undoing },
    }
}

async fn walk(
    manager: &impl Manager,
    steps: &[Planned],
    circumstances: &mut Circumstances<'_>,
    notes: &mut Vec<String>,
    interrupt: Option<&Notify>,
) -> Result<(), (usize, ServiceError)> {
    for (index, planned) in steps.iter().enumerate() {
        (circumstances.report)(Progress::Step { number: index + 1, of: steps.len(), planned });
        let performed = manager.perform(&planned.step, circumstances);
        let done = match interrupt {
            // What only waits can be left; what changes files is over in a moment.
            Some(interrupt) if planned.step.waits() => tokio::select! {
                done = performed => done,
                () = interrupt.notified() => Err(ServiceError::Interrupted { step: planned.step.to_string() }),
            },
            _ => performed.await,
        };
        notes.extend(done.map_err(|error| (index, error))?);
    }
    Ok(())
}

fn restored(way_back: &[Planned], before: &Observed) -> Restored {
    use super::plan::Step;
    let has = |wanted: fn(&Step) -> bool| way_back.iter().any(|planned| wanted(&planned.step));
    if before.package.is_none() && has(|step| matches!(step, Step::RemoveDefinition { .. })) {
        Restored::Nothing
    } else if has(|step| matches!(step, Step::Restart { .. })) {
        Restored::Running
    } else {
        Restored::Definition
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::service::definition::{Found, Standing};
    use crate::service::manager::{NoProbe, Patience, Unwritable};
    use crate::service::observed::{self, Reached, UnitState, Via, sample};
    use crate::service::plan::{Desired, Install, Intent, Step, plan};
    use crate::service::record::{self, Record};
    use crate::service::spec::ServiceSpec;

    /// A manager that writes down what it is told to do, and fails where it is told to.
    struct Scripted {
        did: RefCell<Vec<String>>,
        fails_at: Vec<&'static str>,
    }

    impl Manager for Scripted {
        async fn observe(&self) -> Observed {
            sample("a.service", "/a.service")
        }

        fn desire(&self, _: &ServiceSpec, _: &Observed) -> Result<Desired, Unwritable> {
            Ok(desired())
        }

        async fn perform(&self, step: &Step, _: &mut Circumstances<'_>) -> Result<Vec<String>, ServiceError> {
            let name = serde_json::to_value(step).unwrap()["do"].as_str().unwrap().to_owned();
            let failing = self.fails_at.contains(&name.as_str());
            let count = self.did.borrow().iter().filter(|done| **done == name).count();
            self.did.borrow_mut().push(name.clone());
            // A name that is listed twice fails on the way back, too.
            let times = self.fails_at.iter().filter(|fails| **fails == name).count();
            match failing && count < times {
                true => Err(ServiceError::NotTaken { unit: "a.service".to_owned(), why: name }),
                false => Ok(vec![format!("{name} was done")]),
            }
        }
    }

    fn desired() -> Desired {
        let record = Record {
            version: record::VERSION,
            unit: "a.service".to_owned(),
            path: "/a.service".into(),
            text: "new".to_owned(),
            program: "/a".into(),
            real_program: "/a".into(),
            domain: None,
            port: None,
            generator: "1".to_owned(),
            linger_by_us: false,
            by_hand: false,
            written_ms: 0,
        };
        Desired {
            text: "new".to_owned(),
            changes: true,
            diff: None,
            record,
            another: None,
            addition: None,
            provision: None,
        }
    }

    /// Ours, loaded, enabled and running.
    fn running() -> Observed {
        let mut observed = sample("a.service", "/a.service");
        observed.definition.found = Found::File("old".to_owned());
        observed.definition.standing = Standing::Ours;
        let state = UnitState {
            load_state: "loaded".to_owned(),
            active_state: "active".to_owned(),
            unit_file_state: "enabled".to_owned(),
            wanted_at_login: true,
            fragment_path: Some("/a.service".into()),
            ..UnitState::default()
        };
        let reached =
            Reached { via: Via::Bus, version: "252".to_owned(), reads_directory: true, failure: None, state };
        observed.manager = observed::Manager::Reached(Box::new(reached));
        observed
    }

    async fn install(fails_at: &[&'static str]) -> (Outcome, String, usize) {
        let before = running();
        let plan = plan(Intent::Install(Install::default()), Some(&desired()), &before).unwrap();
        let manager = Scripted { did: RefCell::new(Vec::new()), fails_at: fails_at.to_vec() };
        let mut undoings = 0;
        let mut report =
            |progress: Progress<'_>| undoings += usize::from(matches!(progress, Progress::Undoing { .. }));
        let mut circumstances = Circumstances::new(&NoProbe, &mut report, Patience::default());
        let outcome = apply(&manager, &plan, &before, &mut circumstances).await;
        (outcome, manager.did.into_inner().join(" "), undoings)
    }

    const ALL: &str =
        "back-up write-definition reload check-definition reset-failed restart prove save-record";

    #[tokio::test]
    async fn every_step_is_done_once_and_its_remarks_are_kept() {
        let (outcome, did, undoings) = install(&[]).await;
        assert_eq!((did.as_str(), undoings), (ALL, 0));
        let Outcome::Done { notes } = outcome else { panic!("{outcome:?}") };
        assert_eq!((notes.len(), notes[0].as_str()), (8, "back-up was done"));
    }

    #[tokio::test]
    async fn a_step_that_fails_ends_the_plan_and_begins_the_way_back() {
        let (outcome, did, undoings) = install(&["prove"]).await;
        let back = "write-definition reload reset-failed restart prove";
        assert_eq!((did, undoings), (format!("{} {back}", ALL.trim_end_matches(" save-record")), 1));
        assert!(
            matches!(outcome, Outcome::RolledBack { step: 7, restored: Restored::Running, .. }),
            "{outcome:?}"
        );
    }

    /// The way back is not interrupted: it ends with what was there before.
    #[tokio::test]
    async fn an_interruption_ends_the_waiting_and_begins_the_way_back() {
        struct Waiting<'a>(Scripted, &'a Notify);
        impl Manager for Waiting<'_> {
            async fn observe(&self) -> Observed {
                self.0.observe().await
            }

            fn desire(&self, spec: &ServiceSpec, observed: &Observed) -> Result<Desired, Unwritable> {
                self.0.desire(spec, observed)
            }

            async fn perform(
                &self,
                step: &Step,
                circumstances: &mut Circumstances<'_>,
            ) -> Result<Vec<String>, ServiceError> {
                let first = !self.0.did.borrow().iter().any(|done| done == "restart");
                let done = self.0.perform(step, circumstances).await;
                if matches!(step, Step::Restart { .. }) && first {
                    self.1.notify_one();
                    std::future::pending::<()>().await;
                }
                done
            }
        }
        let before = running();
        let plan = plan(Intent::Install(Install::default()), Some(&desired()), &before).unwrap();
        let interrupt = std::sync::Arc::new(Notify::new());
        let scripted = Scripted { did: RefCell::new(Vec::new()), fails_at: Vec::new() };
        let manager = Waiting(scripted, &interrupt);
        let mut report = |_: Progress<'_>| {};
        let mut circumstances = Circumstances::new(&NoProbe, &mut report, Patience::default());
        circumstances.interrupt = Some(interrupt.clone());
        let outcome = apply(&manager, &plan, &before, &mut circumstances).await;
        let Outcome::RolledBack { error: ServiceError::Interrupted { step }, restored, .. } = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!((step.as_str(), restored), ("restart", Restored::Running));
        assert!(manager.0.did.borrow().join(" ").ends_with("restart prove"), "{:?}", manager.0.did);
    }

    #[tokio::test]
    async fn a_way_back_that_fails_tells_both() {
        let (outcome, _, undoings) = install(&["restart", "restart"]).await;
        let Outcome::Stuck { step, error, undoing } = outcome else { panic!("{outcome:?}") };
        assert_eq!((step, undoings), (6, 1));
        assert!(error.to_string().ends_with("restart") && undoing.to_string().ends_with("restart"));
    }

    #[tokio::test]
    async fn what_changed_nothing_or_came_after_the_proof_is_not_undone() {
        for (failing, step, did) in [
            ("back-up", 1, "back-up"),
            ("write-definition", 2, "back-up write-definition"),
            ("save-record", 8, ALL),
        ] {
            let (outcome, done, undoings) = install(&[failing]).await;
            assert_eq!((done.as_str(), undoings), (did, 0));
            assert!(
                matches!(outcome, Outcome::Failed { step: at, .. } if at == step),
                "{failing}: {outcome:?}"
            );
        }
    }
}
