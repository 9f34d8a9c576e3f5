//! launchd: looking at one job, and performing the steps of a plan.
//!
//! What a property list says is [`job`]'s business, how it is written [`property_list`]'s, what `launchctl` answers
//! `launchctl`'s and `print`'s. How a verb is carried through a manager that answers before it has done anything is
//! `control`'s.

pub mod contract;
mod control;
mod desire;
mod disk;
mod domain;
pub mod drift;
pub mod effective;
pub mod failure;
mod inspect;
pub mod job;
mod launchctl;
pub mod lines;
pub mod meaning;
mod perform;
pub mod print;
pub mod property_list;
mod prove;
mod provision;
pub mod siblings;
mod state;
pub mod words;

use std::cell::Cell;
use std::path::PathBuf;

use control::Control;
use launchctl::Look;
use state::Known;

use super::error::ServiceError;
use super::manager::{Circumstances, Manager, Unwritable};
use super::observed;
use super::observed::{Linger, Observed, Reached, Via};
use super::plan::{Desired, Step};
use super::platform::Platform;
use super::reach::Unreachable;
use super::record;
use super::spec::ServiceSpec;
use crate::host;
use crate::instance::{Env, Instance, Scope, SystemDirs};

/// One gateway's job.
#[derive(Clone, Debug)]
pub struct Launchd {
    instance: Instance,
    env: Env,
    /// Where jobs are defined that are no user's own.
    dirs: SystemDirs,
    control: Result<Control, Unreachable>,
}

impl Launchd {
    /// Finds the domain of the job. That there is none is something to observe, not an error.
    pub async fn connect(instance: &Instance, env: &Env, dirs: &SystemDirs) -> Self {
        let record = record::load(&instance.paths.service);
        let before = record.record().and_then(|record| record.domain.as_deref());
        let control = domain::find_domain(instance.scope, env, before).await.map(|domains| Control {
            domain: Cell::new(domains.first),
            other_domain: domains.second,
            label: instance.launchd_label(),
            brand: instance.brand,
            plist: disk::plist_path(instance),
            service_dir: instance.paths.service.clone(),
        });
        Self { instance: instance.clone(), env: env.clone(), dirs: dirs.clone(), control }
    }

    fn control(&self) -> Result<&Control, ServiceError> {
        self.control.as_ref().map_err(|unreachable| ServiceError::from(unreachable.clone()))
    }

    async fn look(&self) -> Result<Look, failure::Failure> {
        match &self.control {
            Ok(control) => control.look().await,
            Err(why) => {
                Err(failure::Failure::NoDomain { domain: "for it".to_owned(), said: why.to_string() })
            }
        }
    }

    fn label(&self) -> &str {
        self.control.as_ref().map_or("the job", |control| control.label.as_str())
    }

    /// What the account of an installed job of the machine should have, and has not.
    async fn unprovided(&self, disk: &disk::Disk) -> Vec<PathBuf> {
        let (Some(secrets), Some(ids)) =
            (self.secrets(), self.account_of(disk.definition.found.text()).await)
        else {
            return Vec::new();
        };
        provision::lacking(&self.own_directories(), secrets, ids)
    }

    /// The account that an installed job of the machine runs under.
    async fn account_of(&self, definition: Option<&str>) -> Option<provision::Ids> {
        let record = record::load(&self.instance.paths.service);
        // What somebody may have changed says nothing about what was given to whom.
        let definition = record.record().map(|record| record.text.as_str()).or(definition);
        let chosen = Platform::Launchd.chosen_in(definition?, self.instance.brand);
        provision::ids_of(&chosen.account.filter(|_| self.instance.scope == Scope::System)?).await
    }

    fn service_dir(&self) -> PathBuf {
        self.instance.paths.service.clone()
    }

    async fn ask(&self, disk: &disk::Disk) -> Result<Reached, Unreachable> {
        let control = self.control.as_ref().map_err(Clone::clone)?;
        let unclear = |error: failure::Failure| match error {
            failure::Failure::Silent { seconds, .. } => Unreachable::Silent { seconds },
            other => Unreachable::NoAnswer { why: other.to_string() },
        };
        let job = match control.look().await.map_err(unclear)? {
            Look::Loaded(printed) => Some(*printed),
            Look::Absent => None,
        };
        // Some domains do not tell what is disabled in them; a start clears it anyway.
        let disabled = launchctl::is_disabled(control.domain.get(), &control.label).await.unwrap_or(false);
        let definition =
            disk.definition.found.text().and_then(|text| property_list::read(text.as_bytes()).ok());
        let known = Known {
            disabled,
            defined: definition.is_some(),
            outdated: job
                .as_ref()
                .zip(definition.as_ref())
                .is_some_and(|(job, wanted)| control.differs(job, wanted)),
            gave_up: disk.gave_up.as_ref(),
        };
        let mut state = state::unit_state(job.as_ref(), known);
        // Loaded from the copy that is kept for it, it is still ours.
        if state.fragment_path.as_ref() == Some(&control.fallback()) {
            state.fragment_path = Some(control.plist.clone());
        }
        let down = state.active_state == "failed" || state.awaits_restart();
        let failure = down.then(|| state::why_not(job.as_ref(), known.gave_up).0);
        let version = control.domain.get().to_string();
        Ok(Reached { via: Via::Launchctl, version, reads_directory: true, failure, state })
    }
}

impl Manager for Launchd {
    async fn observe(&self) -> Observed {
        let (instance, dirs) = (self.instance.clone(), self.dirs.clone());
        let disk = tokio::task::spawn_blocking(move || disk::inspect_job(&instance, &dirs)).await;
        // The look at the disk neither panics nor is it aborted: the runtime is still here to await it.
        let mut disk = disk.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        disk.definition.unprovided = self.unprovided(&disk).await;
        let manager = match self.ask(&disk).await {
            Ok(reached) => observed::Manager::Reached(Box::new(reached)),
            Err(unreachable) => observed::Manager::Unreachable { unreachable },
        };
        let label = self.instance.launchd_label();
        Observed {
            platform: Platform::Launchd,
            scope: self.instance.scope,
            may_write: self.instance.scope == Scope::User || host::user::id() == 0,
            inside: host::process::job_label(&self.env) == Some(label.as_str()),
            unit: label,
            command: self.instance.command(),
            definition: disk.definition,
            package: None,
            record: disk.record,
            manager,
            linger: Linger::NotNeeded,
            state_dir: self.instance.paths.state_dir.clone(),
            state_dir_exists: disk.state_dir_exists,
            service_dir: self.instance.paths.service.clone(),
            other_units_enabled: false,
        }
    }

    fn desire(&self, spec: &ServiceSpec, observed: &Observed) -> Result<Desired, Unwritable> {
        self.definition_of(spec, observed).map_err(|error| {
            let hint = error.hint();
            Unwritable { source: error.into(), hint }
        })
    }

    async fn perform(
        &self,
        step: &Step,
        circumstances: &mut Circumstances<'_>,
    ) -> Result<Vec<String>, ServiceError> {
        perform::perform_on_job(self, self.control()?, step, circumstances).await
    }
}
