//! What every service manager can do for us: say what is, and perform one step.
//!
//! Nothing here chooses anything; the plan did.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::error::ServiceError;
use super::observed::Observed;
use super::plan::{Planned, Step};
use super::spec::ServiceSpec;
use crate::host::lock::Lock;

/// A service manager, asked about one service.
pub trait Manager {
    /// Looks at everything once.
    fn observe(&self) -> impl Future<Output = Observed>;

    /// The definition that should be there, for the manager that was found.
    fn desire(&self, spec: &ServiceSpec, observed: &Observed) -> Result<super::plan::Desired, Unwritable>;

    /// Does one step. Returns remarks.
    fn perform(
        &self,
        step: &Step,
        circumstances: &mut Circumstances<'_>,
    ) -> impl Future<Output = Result<Vec<String>, ServiceError>>;
}

/// Why a service cannot be written down for a manager, in its backend's words.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct Unwritable {
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
    /// What helps.
    pub hint: &'static str,
}

/// What helps where a manager has no way to write a path down.
pub const RENAME: &str = "Use a path of letters, digits and the like, or a symbolic link that has one";

/// Asks the gateway itself whether it is well. The answer must come from the given run of it: an old process may
/// still be there and answer, too.
pub trait Probe {
    /// One attempt, with a deadline of its own. The error says what is wrong, in words that follow "it is not healthy:".
    fn probe(&self, run: Run) -> BoxFuture<'_, Result<(), String>>;
}

/// The gateway is not asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn probe(&self, _: Run) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// One run of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its main process.
    pub main_pid: u32,
    /// The manager's name for it (`INVOCATION_ID` in its environment).
    pub invocation_id: String,
}

/// What goes along from step to step.
pub struct Circumstances<'a> {
    /// Asks the gateway whether it is well.
    pub probe: &'a dyn Probe,
    /// Is told what happens.
    pub report: &'a mut dyn FnMut(Progress<'_>),
    /// How long things may take.
    pub patience: Patience,
    /// The run of the service before the last start or restart.
    pub invocation_before: Option<String>,
    /// Whether lingering was turned on by a step before.
    pub linger_by_us: bool,
    /// The lock of this service, where it is held: whoever goes on after this process holds it too.
    pub claim: Option<&'a Lock>,
    /// Ends the waiting of a step that waits, as if it had failed.
    pub interrupt: Option<Arc<Notify>>,
}

impl<'a> Circumstances<'a> {
    /// At the beginning of a plan.
    pub fn new(probe: &'a dyn Probe, report: &'a mut dyn FnMut(Progress<'_>), patience: Patience) -> Self {
        Self {
            probe,
            report,
            patience,
            invocation_before: None,
            linger_by_us: false,
            claim: None,
            interrupt: None,
        }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// A job; none for what the service's own limits allow.
    pub job: Option<Duration>,
    /// From READY until the gateway answers.
    pub answer: Duration,
    /// How long it is watched after READY: whoever crashes right then was never ready.
    pub settle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { job: None, answer: Duration::from_secs(15), settle: Duration::from_secs(2) }
    }
}

/// What happens while a plan is performed.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A step begins.
    Step {
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// The step.
        planned: &'a Planned,
    },
    /// It is still waited for.
    Waiting {
        /// Since when.
        elapsed: Duration,
        /// What the service says about itself.
        status: Option<&'a str>,
    },
    /// A step failed, and the way back begins.
    Undoing {
        /// Why.
        because: &'a ServiceError,
    },
}
