//! systemd, one user's manager or the machine's: looking at one service, and performing the steps of a plan.
//!
//! Over D-Bus where there is a bus, by `systemctl` where there is none (`link`). Which steps there are to do
//! is decided in [`super::plan`]; what a unit file says, in [`mod@unit`].

pub mod addition;
mod answers;
mod bus;
pub mod contract;
pub mod directives;
mod disk;
pub mod drift;
mod effective;
mod enabled;
pub mod exits;
pub mod fate;
mod filter;
pub mod inspect;
pub mod journal;
pub mod layers;
mod linger;
pub mod link;
mod needs;
mod neighbour;
mod packaged;
mod perform;
mod properties;
mod prove;
pub mod quoting;
mod retire;
pub mod sandbox;
pub mod siblings;
pub mod specifier;
pub mod ssh;
pub mod surroundings;
pub mod syntax;
mod systemctl;
mod timespan;
pub mod unit;
pub mod version;
pub mod words;

use link::Link;
use version::Version;

use super::Scope;
use super::definition::Marked;
use super::error::ServiceError;
use super::manager::{Circumstances, Manager, RENAME, Unwritable};
use super::observed::Observed;
use super::plan::{Desired, Step};
use super::platform::Platform;
use super::reach::Unreachable;
use super::remote::Host;
use super::spec::ServiceSpec;
use super::{observed, record, redact};
use crate::host;
use crate::instance::{Env, Instance};

/// One gateway's service with the manager of its scope.
#[derive(Clone, Debug)]
pub struct Systemd {
    instance: Instance,
    env: Env,
    unit: String,
    link: Result<Link, Unreachable>,
    /// Whether the manager is another machine's: its files are not looked at.
    elsewhere: bool,
}

impl Systemd {
    /// Finds the way to the manager. That there is none is something to observe, not an error.
    pub async fn connect(instance: &Instance, env: &Env) -> Self {
        let link = match surroundings::ways(&surroundings::see(env), instance.scope) {
            Ok(ways) => Link::open(&ways).await,
            Err(unreachable) => Err(unreachable),
        };
        Self::new(instance, env, link, false)
    }

    /// Finds the way to the manager of another machine.
    pub async fn connect_to(host: &Host, instance: &Instance, env: &Env) -> Self {
        let link = match ssh::log_in(host, instance.scope).await {
            Ok(ways) => Link::open(&ways).await.map_err(|unreachable| ssh::over_there(host, unreachable)),
            Err(unreachable) => Err(unreachable),
        };
        Self::new(instance, env, link, true)
    }

    fn new(instance: &Instance, env: &Env, link: Result<Link, Unreachable>, elsewhere: bool) -> Self {
        let unit = instance.unit_name();
        Self { instance: instance.clone(), env: env.clone(), unit, link, elsewhere }
    }
}

impl Manager for Systemd {
    async fn observe(&self) -> Observed {
        let instance = self.instance.clone();
        let elsewhere = self.elsewhere;
        let look = move || if elsewhere { disk::unseen(&instance) } else { disk::inspect(&instance) };
        let disk = tokio::task::spawn_blocking(look);
        let (disk, manager, linger) = tokio::join!(disk, self.ask(), self.linger());
        // The look at the disk neither panics nor is it aborted: the runtime is still here to await it.
        let disk = disk.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let manager = match manager {
            Ok(reached) => observed::Manager::Reached(Box::new(reached)),
            Err(unreachable) => observed::Manager::Unreachable { unreachable },
        };
        let package = self.package(&disk, &manager).await;
        let group = manager.reached().and_then(|reached| reached.state.control_group.as_deref());
        Observed {
            platform: Platform::Systemd,
            scope: self.instance.scope,
            unit: self.unit.clone(),
            command: self.instance.command(),
            inside: disk::is_inside(&disk.own_cgroup, group),
            may_write: self.elsewhere || self.instance.scope == Scope::User || host::user::id() == 0,
            definition: disk.definition,
            package,
            record: disk.record,
            manager,
            linger,
            state_dir: self.instance.paths.state_dir.clone(),
            state_dir_exists: disk.state_dir_exists,
            service_dir: self.instance.paths.service.clone(),
            other_units_enabled: disk.other_units_enabled,
        }
    }

    fn desire(&self, spec: &ServiceSpec, observed: &Observed) -> Result<Desired, Unwritable> {
        // Without a manager nothing will be written; what an old one would get can still be shown.
        let version = observed.manager.reached().and_then(|reached| Version::parse(&reached.version));
        let version = version.unwrap_or(Version::OLDEST);
        let text = unit::render(spec, &self.unit, version);
        let text = text.map_err(|error| Unwritable { source: error.into(), hint: RENAME })?;
        let path = observed.definition.path.display().to_string();
        let present = observed.definition.found.text();
        let ours = present.filter(|text| unit::marked(text, spec.mark.brand) != Marked::No);
        let environment = ours.map(|text| unit::Installed::read(text, spec.mark.brand).environment);
        let addition = observed.package.as_ref();
        let addition = addition.map(|package| self.choice(spec, package, observed, version)).transpose()?;
        Ok(Desired {
            addition,
            provision: None,
            another: environment.and_then(|environment| spec.another(&environment)),
            changes: present.is_none_or(|present| !unit::same_meaning(present, &text, spec.mark.brand)),
            diff: present.and_then(|present| redact::diff(&path, present, &text)),
            record: record::of_spec(spec, &self.unit, &observed.definition.path, &text),
            text,
        })
    }

    async fn perform(
        &self,
        step: &Step,
        circumstances: &mut Circumstances<'_>,
    ) -> Result<Vec<String>, ServiceError> {
        let link = self.link.as_ref().map_err(|unreachable| ServiceError::from(unreachable.clone()))?;
        perform::perform_step(self, link, step, circumstances).await
    }
}
