//! Which service manager a gateway is handled by: the one choice that depends on the target.
//!
//! Every backend is compiled and tested on every target; [`HERE`] alone says which one a program uses.

use super::error::ServiceError;
use super::inspection::{Inspect, Inspection, Question, Sibling};
use super::launchd::Launchd;
use super::manager::{Circumstances, Manager, Unwritable};
use super::observed::Observed;
use super::plan::{Desired, Step};
use super::platform::Platform;
use super::remote::Host;
use super::spec::ServiceSpec;
use super::systemd::Systemd;
use crate::instance::{BaseDirs, Env, Instance};

/// The one of the target this program was built for.
pub const HERE: Platform = if cfg!(target_os = "macos") { Platform::Launchd } else { Platform::Systemd };

/// One gateway's service with the service manager of a platform.
#[derive(Clone, Debug)]
pub enum Native {
    /// systemd's.
    Systemd(Systemd),
    /// launchd's.
    Launchd(Launchd),
}

impl Native {
    /// Finds the way to the manager. That there is none is something to observe, not an error.
    ///
    /// Another machine's is reached over ssh, and is systemd's whatever this machine has.
    pub async fn connect(
        platform: Platform,
        host: Option<&Host>,
        instance: &Instance,
        env: &Env,
        dirs: &BaseDirs,
    ) -> Self {
        if let Some(host) = host {
            return Self::Systemd(Systemd::connect_to(host, instance, env).await);
        }
        match platform {
            Platform::Systemd => Self::Systemd(Systemd::connect(instance, env).await),
            Platform::Launchd => Self::Launchd(Launchd::connect(instance, env, &dirs.system).await),
        }
    }
}

impl Manager for Native {
    async fn observe(&self) -> Observed {
        match self {
            Self::Systemd(systemd) => systemd.observe().await,
            Self::Launchd(launchd) => launchd.observe().await,
        }
    }

    fn desire(&self, spec: &ServiceSpec, observed: &Observed) -> Result<Desired, Unwritable> {
        match self {
            Self::Systemd(systemd) => systemd.desire(spec, observed),
            Self::Launchd(launchd) => launchd.desire(spec, observed),
        }
    }

    async fn perform(
        &self,
        step: &Step,
        circumstances: &mut Circumstances<'_>,
    ) -> Result<Vec<String>, ServiceError> {
        match self {
            Self::Systemd(systemd) => systemd.perform(step, circumstances).await,
            Self::Launchd(launchd) => launchd.perform(step, circumstances).await,
        }
    }
}

impl Inspect for Native {
    async fn inspect(&self, question: Question<'_>) -> Inspection {
        match self {
            Self::Systemd(systemd) => systemd.inspect(question).await,
            Self::Launchd(launchd) => launchd.inspect(question).await,
        }
    }

    async fn unset_environment(&self, names: &[&str]) -> Result<(), ServiceError> {
        match self {
            Self::Systemd(systemd) => systemd.unset_environment(names).await,
            Self::Launchd(launchd) => launchd.unset_environment(names).await,
        }
    }
}

impl Native {
    /// Other gateways on this machine, in both scopes.
    pub async fn siblings(&self, dirs: &BaseDirs) -> Vec<Sibling> {
        match self {
            Self::Systemd(systemd) => systemd.siblings(dirs).await,
            Self::Launchd(launchd) => launchd.others().await,
        }
    }

    /// Stops another service of the same manager, and sees to it that it does not start by itself.
    pub async fn retire(&self, unit: &str) -> Result<(), ServiceError> {
        match self {
            Self::Systemd(systemd) => systemd.retire(unit).await,
            Self::Launchd(launchd) => launchd.retire(unit).await,
        }
    }
}
