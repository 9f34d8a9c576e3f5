//! The way to the manager: over a bus where there is one, by `systemctl` where there is none. The same questions and
//! the same jobs either way.

use std::path::PathBuf;
use std::time::Duration;

use super::bus::Bus;
use super::effective::Difference;
use super::properties::Properties;
use super::surroundings::Ways;
use super::syntax::File;
use super::systemctl::{Systemctl, call_groups};
use super::{effective, enabled};
use crate::service::error::{CallKind, ServiceError};
use crate::service::observed::{UnitState, Via};
use crate::service::reach::Unreachable;

/// The interfaces that hold the properties of a service.
pub(super) const SERVICE: [&str; 2] = ["org.freedesktop.systemd1.Unit", "org.freedesktop.systemd1.Service"];

/// How often a manager is asked again that was not there, and after how long.
const RETRIES: u32 = 20;
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Is told, while a job runs, how long it has been running and what the unit is like.
pub type Tick<'a> = dyn FnMut(Duration, &UnitState) + 'a;

/// A job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Start.
    Start,
    /// Stop.
    Stop,
    /// Restart.
    Restart,
    /// Look at the configuration again.
    Reload,
}

impl Verb {
    /// Its name, for the manager and for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
        }
    }
}

/// How a job ended (org.freedesktop.systemd1(5), `JobRemoved`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// As asked.
    Done,
    /// Another job took its place.
    Canceled,
    /// It took too long.
    Timeout,
    /// What was started failed.
    Failed,
    /// Something it needs failed.
    Dependency,
    /// It did not apply to the unit as it is.
    Skipped,
    /// A word of the manager's that is newer than this program.
    Other(String),
    /// It is gone, and nobody said how; the unit's state has to tell.
    Unseen,
}

impl JobEnd {
    /// The end with the manager's name for it.
    pub fn named(name: &str) -> Self {
        match name {
            "done" => Self::Done,
            "canceled" => Self::Canceled,
            "timeout" => Self::Timeout,
            "failed" => Self::Failed,
            "dependency" => Self::Dependency,
            "skipped" => Self::Skipped,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A working way to the manager.
#[derive(Clone, Debug)]
pub struct Link {
    way: Way,
    /// The directories it reads units from.
    dirs: Vec<PathBuf>,
    /// Whether these are this machine's.
    here: bool,
}

#[derive(Clone, Debug)]
enum Way {
    Bus(Bus),
    Systemctl(Systemctl),
}

impl Link {
    /// Takes the first way that works.
    pub async fn open(ways: &Ways) -> Result<Self, Unreachable> {
        let mut first = None;
        let here = ways.user_id.is_none();
        for address in &ways.buses {
            match Bus::connect(address, ways).await {
                Ok((bus, dirs)) => return Ok(Self { way: Way::Bus(bus), dirs, here }),
                Err(error) => first = first.or(Some(error)),
            }
        }
        if !ways.private_socket {
            return Err(first.unwrap_or_else(|| ways.not_running()));
        }
        match Systemctl::connect(ways).await {
            Ok((systemctl, dirs)) => Ok(Self { way: Way::Systemctl(systemctl), dirs, here }),
            Err(error) => Err(first.unwrap_or(error)),
        }
    }

    /// Which way it is.
    pub fn via(&self) -> Via {
        match &self.way {
            Way::Bus(_) => Via::Bus,
            Way::Systemctl(_) => Via::Systemctl,
        }
    }

    /// The manager's version, as it prints it.
    pub fn version(&self) -> &str {
        match &self.way {
            Way::Bus(bus) => bus.version(),
            Way::Systemctl(systemctl) => systemctl.version(),
        }
    }

    /// The directories it reads units from, the first of which counts.
    pub fn unit_path(&self) -> &[PathBuf] {
        &self.dirs
    }

    /// The variables that it gives to everything it starts, as `NAME=value`.
    pub async fn environment(&self) -> Result<Vec<String>, ServiceError> {
        match &self.way {
            Way::Bus(bus) => bus.environment().await,
            Way::Systemctl(systemctl) => systemctl.environment().await,
        }
    }

    /// Takes variables out of that environment.
    pub async fn unset_environment(&self, names: &[&str]) -> Result<(), ServiceError> {
        match &self.way {
            Way::Bus(bus) => bus.unset_environment(names).await,
            Way::Systemctl(systemctl) => systemctl.unset_environment(names).await,
        }
    }

    /// The properties of a service, whether or not it exists. Where there is no file in the place of its unit, those
    /// for which the manager opens none.
    pub async fn service(&self, name: &str) -> Result<Properties, ServiceError> {
        let irregular = self.is_irregular(name).await;
        match &self.way {
            Way::Bus(bus) if irregular => bus.known(name).await,
            Way::Bus(bus) => bus.unit(name, &SERVICE).await,
            Way::Systemctl(systemctl) if irregular => systemctl.known(name).await,
            Way::Systemctl(systemctl) => systemctl.unit(name).await,
        }
    }

    /// Every directive of a file that the manager has in force otherwise.
    pub async fn differences(&self, file: &File, force: &Properties) -> Vec<Difference> {
        // Those of another machine may be others.
        let groups = if self.here && effective::needs_groups(file) { call_groups().await } else { None };
        effective::differences(file, force, groups.as_ref())
    }

    /// Whether the manager must not be asked about the unit's file.
    async fn is_irregular(&self, name: &str) -> bool {
        if !self.here {
            return false;
        }
        let (dirs, name) = (self.dirs.clone(), name.to_owned());
        let look = move || enabled::irregular(&dirs, &name).is_some();
        // A look neither panics nor is it aborted; without one nothing is asked.
        tokio::task::spawn_blocking(look).await.unwrap_or(true)
    }

    /// The unit as it is now. A manager that is just executing itself anew is given a moment to come back.
    pub async fn state(&self, name: &str) -> Result<UnitState, ServiceError> {
        let mut tries = 0;
        loop {
            match self.service(name).await {
                Err(ServiceError::Call { kind: CallKind::Lost, .. }) if tries < RETRIES => tries += 1,
                other => return other.map(|properties| properties.unit_state(false)),
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// What the manager is about to do with a unit, by the name of the job: "stop", "restart". None when it is at rest,
    /// or where only `systemctl` could tell.
    pub async fn pending(&self, name: &str) -> Option<String> {
        let Way::Bus(bus) = &self.way else { return None };
        let state = bus.known(name).await.ok()?.unit_state(false);
        bus.job_type(&state.job?).await
    }

    /// Whether a target wants a unit: only then does it start by itself (lifecycle notes E9.4).
    pub async fn wanted_by(&self, target: &str, name: &str) -> Result<bool, ServiceError> {
        let target = match &self.way {
            Way::Bus(bus) => bus.edges(target).await?,
            Way::Systemctl(systemctl) => systemctl.unit(target).await?,
        };
        Ok(["Wants", "Requires"].iter().any(|edge| target.list(edge).iter().any(|unit| unit == name)))
    }

    /// Reads all definitions again.
    pub async fn reload(&self) -> Result<(), ServiceError> {
        match &self.way {
            Way::Bus(bus) => bus.reload().await,
            Way::Systemctl(systemctl) => systemctl.reload().await,
        }
    }

    /// Makes the links of the `[Install]` section. Takes effect with the next reload.
    pub async fn enable(&self, unit: &str) -> Result<(), ServiceError> {
        match &self.way {
            Way::Bus(bus) => bus.enable(unit).await,
            Way::Systemctl(systemctl) => systemctl.enable(unit).await,
        }
    }

    /// Removes the links to the unit. Takes effect with the next reload.
    pub async fn disable(&self, unit: &str) -> Result<(), ServiceError> {
        match &self.way {
            Way::Bus(bus) => bus.disable(unit).await,
            Way::Systemctl(systemctl) => systemctl.disable(unit).await,
        }
    }

    /// Clears failures and counters.
    pub async fn reset_failed(&self, unit: &str) -> Result<(), ServiceError> {
        match &self.way {
            Way::Bus(bus) => bus.reset_failed(unit).await,
            Way::Systemctl(systemctl) => systemctl.reset_failed(unit).await,
        }
    }

    /// Hands a job over without waiting for it.
    pub async fn enqueue(&self, verb: Verb, unit: &str) -> Result<(), ServiceError> {
        match &self.way {
            Way::Bus(bus) => bus.enqueue(verb, unit).await.map(drop),
            Way::Systemctl(systemctl) => systemctl.enqueue(verb, unit).await,
        }
    }

    /// Runs a job and waits for its own end.
    pub async fn job(
        &self,
        verb: Verb,
        unit: &str,
        deadline: Duration,
        tick: &mut Tick<'_>,
    ) -> Result<JobEnd, ServiceError> {
        match &self.way {
            Way::Bus(bus) => bus.job(verb, unit, deadline, tick).await,
            Way::Systemctl(systemctl) => {
                let in_memory = self.is_irregular(unit).await;
                systemctl.job(verb, unit, deadline, in_memory, tick).await
            }
        }
    }
}
