//! Tasks: every one is owned, can be cancelled and is waited for.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The owner of a process's tasks. Clones own the same ones.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    ended: mpsc::Sender<CoreEnded>,
}

/// A task without which the process is no use has ended before it was asked to.
#[derive(Debug, PartialEq, Eq)]
pub struct CoreEnded {
    /// Its name.
    pub name: &'static str,
    /// Whether it ended by a panic (already logged by the panic hook).
    pub panicked: bool,
}

/// More core tasks than there will ever be, so that reporting an end never waits.
const CORE_TASKS: usize = 32;

impl Tasks {
    /// An owner without tasks, and where the ends of core tasks are reported.
    pub fn new() -> (Self, mpsc::Receiver<CoreEnded>) {
        let (ended, reports) = mpsc::channel(CORE_TASKS);
        (Self { tracker: TaskTracker::new(), stop: CancellationToken::new(), ended }, reports)
    }

    /// Runs a task whose end, or panic, concerns nobody else: a connection, a request.
    #[expect(clippy::disallowed_methods, reason = "this is the function the lint points to")]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(self.tracker.track_future(task));
    }

    /// Runs a task that must live as long as the process. If it returns or panics before [`Tasks::stop`], that is
    /// reported.
    pub fn spawn_core(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (stop, ended) = (self.stop.clone(), self.ended.clone());
        self.spawn(async move {
            let panicked = AssertUnwindSafe(task).catch_unwind().await.is_err();
            if panicked || !stop.is_cancelled() {
                // The channel has room for every core task; a receiver that is gone no longer cares.
                let _ = ended.try_send(CoreEnded { name, panicked });
            }
        });
    }

    /// Runs blocking work away from the runtime's threads.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.tracker.spawn_blocking(work).await.ok()
    }

    /// Resolves when the tasks were asked to stop.
    pub fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Asks all tasks to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until every task has ended, at most until the deadline. Returns how many are left.
    pub async fn join(&self, deadline: Duration) -> usize {
        self.tracker.close();
        // A deadline that passes is told by what is left.
        let _ = tokio::time::timeout(deadline, self.tracker.wait()).await;
        self.tracker.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_core_task_that_ends_early_is_reported_and_one_that_was_stopped_is_not() {
        let (tasks, mut ended) = Tasks::new();
        tasks.spawn_core("early", async {});
        assert_eq!(ended.recv().await, Some(CoreEnded { name: "early", panicked: false }));
        tasks.spawn_core("broken", async { panic!("on purpose: a core task that fails") });
        assert_eq!(ended.recv().await, Some(CoreEnded { name: "broken", panicked: true }));

        let token = tasks.stop_token().clone();
        tasks.spawn_core("patient", async move { token.cancelled().await });
        tasks.stop();
        assert_eq!(tasks.join(Duration::from_secs(20)).await, 0);
        assert!(ended.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_panic_in_a_common_task_ends_that_task_only() {
        let (tasks, mut ended) = Tasks::new();
        tasks.spawn(async { panic!("on purpose: one connection that fails") });
        assert_eq!(tasks.join(Duration::from_secs(20)).await, 0);
        assert!(ended.try_recv().is_err());
    }

    #[tokio::test]
    async fn joining_gives_up_at_the_deadline_and_says_what_is_left() {
        let (tasks, _ended) = Tasks::new();
        tasks.spawn(std::future::pending());
        assert_eq!(tasks.join(Duration::from_millis(10)).await, 1);
    }
}
