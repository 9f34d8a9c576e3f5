//! Proof that a service was really started: a new run of it, ready, still there a moment later, and answering.
//!
//! A job that is "done" is none of that: a process may crash right after it said READY, and an old process may still
//! answer (lifecycle notes E4, B6).

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::exits;
use super::link::Link;
use crate::exit::ExitCode;
use crate::service::error::ServiceError;
use crate::service::manager::{Circumstances, Progress, Run};
use crate::service::observed::UnitState;

/// How often the unit is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long a service that was reloaded is watched doing nothing else.
const REST: Duration = Duration::from_millis(600);
/// The pause between two attempts to get an answer.
const PAUSE: Duration = Duration::from_millis(250);

/// Proves that a new run is ready and stays, and, if asked for, answers.
pub async fn prove(
    link: &Link,
    unit: &str,
    answers: bool,
    circumstances: &mut Circumstances<'_>,
) -> Result<(), ServiceError> {
    let state = settled(link, unit, circumstances).await?;
    match state.run() {
        Some(run) if answers => answered(link, unit, &run, circumstances).await,
        _ => Ok(()),
    }
}

/// Waits until a service that was reloaded runs and does nothing else for a while. It may have decided to be replaced
/// by a new process; where the manager only passes the signal on, the answer comes after its job is done.
pub async fn settle(
    link: &Link,
    unit: &str,
    circumstances: &mut Circumstances<'_>,
) -> Result<(), ServiceError> {
    let (begin, limit) = (Instant::now(), circumstances.patience.answer + circumstances.patience.settle);
    let mut since: Option<Instant> = None;
    loop {
        let state = link.state(unit).await?;
        if !state.is_up() || begin.elapsed() >= limit {
            let (why, code) = if state.is_up() {
                (format!("it is still {}", state.active_state), ExitCode::TimedOut)
            } else {
                exits::why_down(&state)
            };
            return Err(ServiceError::Job { verb: "reload", unit: unit.to_owned(), why, code });
        }
        since = if state.active_state == "active" { since.or_else(|| Some(Instant::now())) } else { None };
        if since.is_some_and(|since| since.elapsed() >= REST) {
            return Ok(());
        }
        (circumstances.report)(Progress::Waiting {
            elapsed: begin.elapsed(),
            status: state.status_text.as_deref(),
        });
        sleep(LOOK).await;
    }
}

/// Watches until the service has been ready for a while in one and the same run.
async fn settled(
    link: &Link,
    unit: &str,
    circumstances: &mut Circumstances<'_>,
) -> Result<UnitState, ServiceError> {
    let (begin, settle) = (Instant::now(), circumstances.patience.settle);
    let mut run: Option<String> = None;
    loop {
        let state = link.state(unit).await?;
        same_run(unit, &state, &mut run, circumstances.invocation_before.as_deref())?;
        if begin.elapsed() >= settle {
            return Ok(state);
        }
        (circumstances.report)(Progress::Waiting {
            elapsed: begin.elapsed(),
            status: state.status_text.as_deref(),
        });
        sleep(LOOK).await;
    }
}

/// Whether the unit is active, in a run that is new and the one that was seen first.
fn same_run(
    unit: &str,
    state: &UnitState,
    run: &mut Option<String>,
    before: Option<&str>,
) -> Result<(), ServiceError> {
    let wrong = |why: String, code| Err(ServiceError::NotProven { unit: unit.to_owned(), why, code });
    if !state.is_active() {
        let (why, code) = exits::why_down(state);
        return wrong(format!("did not stay: {why}"), code);
    }
    match (&state.invocation_id, run.as_deref()) {
        (None, _) => wrong("systemd has no run of it".to_owned(), ExitCode::Failed),
        (Some(id), _) if before == Some(id.as_str()) => {
            wrong("the process is still the one from before".to_owned(), ExitCode::Failed)
        }
        (Some(id), Some(seen)) if id != seen => {
            wrong("another run took its place while it was watched".to_owned(), ExitCode::Failed)
        }
        (Some(id), _) => {
            *run = Some(id.clone());
            Ok(())
        }
    }
}

/// Asks the process until it answers, for as long as it is there.
async fn answered(
    link: &Link,
    unit: &str,
    run: &Run,
    circumstances: &mut Circumstances<'_>,
) -> Result<(), ServiceError> {
    let (begin, limit) = (Instant::now(), circumstances.patience.answer);
    loop {
        let left = limit.saturating_sub(begin.elapsed());
        let why = match timeout(left, circumstances.probe.probe(run.clone())).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(_) => "it does not answer".to_owned(),
        };
        let state = link.state(unit).await?;
        if state.run().as_ref() != Some(run) || !state.is_active() {
            let (why, code) = exits::why_down(&state);
            return Err(ServiceError::NotProven {
                unit: unit.to_owned(),
                why: format!("did not stay: {why}"),
                code,
            });
        }
        if begin.elapsed() + PAUSE >= limit {
            let why = format!("is not healthy: {why}");
            return Err(ServiceError::NotProven { unit: unit.to_owned(), why, code: ExitCode::Unhealthy });
        }
        (circumstances.report)(Progress::Waiting {
            elapsed: begin.elapsed(),
            status: state.status_text.as_deref(),
        });
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active(id: &str) -> UnitState {
        UnitState {
            active_state: "active".to_owned(),
            invocation_id: Some(id.to_owned()),
            ..UnitState::default()
        }
    }

    fn seen(states: &[UnitState], before: Option<&str>) -> Result<(), String> {
        let mut run = None;
        states.iter().try_for_each(|state| {
            same_run("a.service", state, &mut run, before).map_err(|error| error.to_string())
        })
    }

    #[test]
    fn only_one_new_run_that_stays_is_a_proof() {
        assert_eq!(seen(&[active("b"), active("b")], Some("a")), Ok(()));
        assert_eq!(seen(&[active("b"), active("b")], None), Ok(()));
        let dead = UnitState {
            active_state: "failed".to_owned(),
            exec_main_code: 1,
            exec_main_status: 1,
            ..active("b")
        };
        let table = [
            (vec![active("a")], "a.service was started, but the process is still the one from before"),
            (vec![active("b"), dead], "a.service was started, but did not stay: it ended with exit status 1"),
            (
                vec![active("b"), active("c")],
                "a.service was started, but another run took its place while it was watched",
            ),
            (
                vec![UnitState { invocation_id: None, ..active("b") }],
                "a.service was started, but systemd has no run of it",
            ),
        ];
        for (states, message) in table {
            assert_eq!(seen(&states, Some("a")), Err(message.to_owned()));
        }
    }
}
