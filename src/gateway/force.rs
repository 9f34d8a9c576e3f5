//! `--force`: takes the port from whoever listens on it (protocol notes §8.4).
//!
//! A listener that belongs to a unit is stopped through its manager, or the manager would start it again; another one
//! gets SIGTERM and, after a grace time, SIGKILL. Whoever does not listen on this very port is left alone.

use std::io;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use crate::host::port::{self, Owner, Unit};
use crate::instance::{Env, Scope};
use crate::service::error::ServiceError;
use crate::service::reach::Unreachable;
use crate::service::systemd::link::{JobEnd, Link, Verb};
use crate::service::systemd::surroundings;

/// How long a listener has to go after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);
/// How long one has to be gone after SIGKILL.
const AFTER_KILL: Duration = Duration::from_secs(2);
/// How long a unit has to stop.
const UNIT_STOP: Duration = Duration::from_secs(120);
/// How often the port is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Something that was done to free the port, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// Nobody listens.
    NobodyThere,
    /// This is about to be done to this listener.
    Found(Owner),
    /// The unit was stopped.
    StoppedUnit(String),
    /// The process got SIGTERM and went.
    Terminated(u32),
    /// The process got SIGKILL and went.
    Killed(u32),
}

/// Why the port is not free.
#[derive(Debug, thiserror::Error)]
pub enum ForceError {
    /// The listeners cannot be seen.
    #[error("cannot find out who listens on port {port}")]
    Look {
        /// The port.
        port: u16,
        /// The system's answer.
        source: io::Error,
    },
    /// The listener is a system service.
    #[error("port {port} belongs to the system service {unit}")]
    SystemUnit {
        /// The port.
        port: u16,
        /// The unit.
        unit: String,
    },
    /// The user's manager cannot be asked to stop the listener's unit.
    #[error("cannot stop {unit}")]
    Manager {
        /// The unit.
        unit: String,
        /// Why.
        source: Unreachable,
    },
    /// The manager would not stop the listener's unit.
    #[error("cannot stop {unit}")]
    Stop {
        /// The unit.
        unit: String,
        /// Why.
        source: ServiceError,
    },
    /// The process may not be signalled.
    #[error("cannot end process {pid}")]
    Signal {
        /// The process.
        pid: u32,
        /// The system's answer.
        source: io::Error,
    },
    /// The service manager keeps the socket, for nobody who could be stopped.
    #[error("port {port} is kept by the service manager (process {pid})")]
    Kept {
        /// The port.
        port: u16,
        /// The manager.
        pid: u32,
    },
    /// It listens still.
    #[error("process {pid} still listens on port {port}")]
    StillThere {
        /// The port.
        port: u16,
        /// The process.
        pid: u32,
    },
}

/// Frees a port. `tell` is told what is found and done. `unit` is the unit of this gateway: the one that may have
/// left its socket with its manager.
pub async fn free_port(
    port: u16,
    unit: &str,
    env: &Env,
    mut tell: impl FnMut(Did),
) -> Result<(), ForceError> {
    let own = std::process::id();
    let owners = look(port).await?;
    let others: Vec<Owner> = owners.into_iter().filter(|owner| owner.pid != own).collect();
    if others.is_empty() {
        tell(Did::NobodyThere);
        return Ok(());
    }
    let ours = port::unit_of_process(own);
    for owner in others {
        tell(Did::Found(owner.clone()));
        if owner.keeper {
            // Never a signal: with a manager everything it manages would end.
            tell(stop_keeping(port, owner.pid, unit, env).await?);
            continue;
        }
        match owner.unit.clone().filter(|unit| Some(unit) != ours.as_ref()) {
            Some(unit) => tell(stop_unit(port, &unit, env).await?),
            None => tell(end_process(port, owner.pid).await?),
        }
    }
    Ok(())
}

async fn look(port: u16) -> Result<Vec<Owner>, ForceError> {
    let found = tokio::task::spawn_blocking(move || port::owners(port)).await;
    found.unwrap_or_else(|error| Err(error.into())).map_err(|source| ForceError::Look { port, source })
}

async fn stop_unit(port: u16, unit: &Unit, env: &Env) -> Result<Did, ForceError> {
    let name = unit.name.clone();
    if !unit.user {
        return Err(ForceError::SystemUnit { port, unit: name });
    }
    let unreachable = |source| ForceError::Manager { unit: name.clone(), source };
    let ways = surroundings::ways(&surroundings::see(env), Scope::User).map_err(unreachable)?;
    let link = Link::open(&ways).await.map_err(unreachable)?;
    let end = link.job(Verb::Stop, &name, UNIT_STOP, &mut |_, _| {}).await;
    match end.map_err(|source| ForceError::Stop { unit: name.clone(), source })? {
        JobEnd::Done | JobEnd::Unseen => Ok(Did::StoppedUnit(name)),
        _ => match look(port).await?.first() {
            Some(owner) => Err(ForceError::StillThere { port, pid: owner.pid }),
            None => Ok(Did::StoppedUnit(name)),
        },
    }
}

/// Stops this gateway's unit, which lets go of the socket that is kept for it.
async fn stop_keeping(port: u16, pid: u32, unit: &str, env: &Env) -> Result<Did, ForceError> {
    let did = stop_unit(port, &Unit { name: unit.to_owned(), user: pid != 1, owner: None }, env).await?;
    // The manager closes the socket a moment after the job is done.
    let deadline = Instant::now() + AFTER_KILL;
    while Instant::now() < deadline {
        if !look(port).await?.iter().any(|owner| owner.pid == pid) {
            return Ok(did);
        }
        sleep(LOOK).await;
    }
    Err(ForceError::Kept { port, pid })
}

async fn end_process(port: u16, pid: u32) -> Result<Did, ForceError> {
    for (signal, patience, did) in
        [(Signal::TERM, GRACE, Did::Terminated(pid)), (Signal::KILL, AFTER_KILL, Did::Killed(pid))]
    {
        let sent = tokio::task::spawn_blocking(move || port::signal_listener(pid, port, signal)).await;
        match sent.unwrap_or_else(|error| Err(error.into())) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(did),
            Err(source) => return Err(ForceError::Signal { pid, source }),
        }
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if !look(port).await?.iter().any(|owner| owner.pid == pid) {
                return Ok(did);
            }
            sleep(LOOK).await;
        }
    }
    Err(ForceError::StillThere { port, pid })
}
