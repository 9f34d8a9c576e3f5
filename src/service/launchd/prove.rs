//! Proof that a job was really started: a process of a new run that stays, and answers.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Launchd;
use super::failure::Failure;
use super::launchctl::Look;
use super::print::Printed;
use super::state::{run_of, why_not};
use crate::exit::ExitCode;
use crate::service::last_failure;
use crate::service::manager::{Circumstances, Progress, Run};

/// How often the job is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long a job that was asked for may take to have a process.
const APPEAR: Duration = Duration::from_secs(5);

/// Proves that a new run is there and stays, and, if asked for, answers.
pub async fn prove_job(
    launchd: &Launchd,
    answers: bool,
    circumstances: &mut Circumstances<'_>,
) -> Result<(), Failure> {
    let run = settled(launchd, circumstances).await?;
    if !answers {
        return Ok(());
    }
    let (begin, limit) = (Instant::now(), circumstances.patience.answer);
    loop {
        let left = limit.saturating_sub(begin.elapsed());
        let why = match timeout(left, circumstances.probe.probe(run.clone())).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(_) => "it does not answer".to_owned(),
        };
        if present(launchd).await?.as_ref().and_then(run_of).as_ref() != Some(&run.invocation_id) {
            return Err(gone(launchd).await);
        }
        if begin.elapsed() + LOOK >= limit {
            return Err(unproven(launchd, format!("is not healthy: {why}"), ExitCode::Unhealthy));
        }
        (circumstances.report)(Progress::Waiting { elapsed: begin.elapsed(), status: None });
        sleep(LOOK).await;
    }
}

/// How long a process may take to become another one: to drain, and launchd's pause between two starts.
const TURN: Duration = Duration::from_secs(60);

/// Waits until a job that was told of a change is at rest in one and the same run, be it the one before or a new one.
pub async fn settle_job(launchd: &Launchd, circumstances: &mut Circumstances<'_>) -> Result<(), Failure> {
    let begin = Instant::now();
    let mut seen: Option<(String, Instant)> = None;
    loop {
        let job = present(launchd).await?;
        let note = last_failure::noted(&launchd.instance.paths.last_words);
        match (job.as_ref().and_then(run_of), &seen) {
            (Some(run), Some((first, since))) if run == *first => {
                if since.elapsed() >= circumstances.patience.settle {
                    return Ok(());
                }
            }
            (Some(run), _) => seen = Some((run, Instant::now())),
            (None, _) if note.is_some() || job.is_none() || begin.elapsed() >= TURN => {
                return Err(gone(launchd).await);
            }
            (None, _) => seen = None,
        }
        (circumstances.report)(Progress::Waiting { elapsed: begin.elapsed(), status: None });
        sleep(LOOK).await;
    }
}

/// Watches until one and the same new run has been there for a while.
async fn settled(launchd: &Launchd, circumstances: &mut Circumstances<'_>) -> Result<Run, Failure> {
    let begin = Instant::now();
    let mut seen: Option<(Run, Instant)> = None;
    loop {
        let job = present(launchd).await?;
        let run = job.as_ref().and_then(|job| Some(Run { main_pid: job.pid?, invocation_id: run_of(job)? }));
        match (run, &seen) {
            (Some(run), _) if circumstances.invocation_before.as_ref() == Some(&run.invocation_id) => {
                if begin.elapsed() >= APPEAR {
                    let why = "the process is still the one from before".to_owned();
                    return Err(unproven(launchd, why, ExitCode::Failed));
                }
            }
            (Some(run), None) => seen = Some((run, Instant::now())),
            (Some(run), Some((first, _))) if run != *first => {
                let why = "another run took its place while it was watched".to_owned();
                return Err(unproven(launchd, why, ExitCode::Failed));
            }
            (Some(run), Some((_, since))) if since.elapsed() >= circumstances.patience.settle => {
                return Ok(run);
            }
            (Some(_), Some(_)) => {}
            (None, Some(_)) => return Err(gone(launchd).await),
            (None, None) if begin.elapsed() >= APPEAR => return Err(gone(launchd).await),
            (None, None) => {}
        }
        (circumstances.report)(Progress::Waiting { elapsed: begin.elapsed(), status: None });
        sleep(LOOK).await;
    }
}

/// The job, where it is loaded. One look that fails is no proof of anything, the next one may tell.
async fn present(launchd: &Launchd) -> Result<Option<Printed>, Failure> {
    for _ in 0..3 {
        match launchd.look().await {
            Ok(Look::Loaded(printed)) => return Ok(Some(*printed)),
            Ok(Look::Absent) => return Ok(None),
            Err(Failure::Silent { .. } | Failure::Unintelligible { .. }) => sleep(LOOK).await,
            Err(error) => return Err(error),
        }
    }
    match launchd.look().await? {
        Look::Loaded(printed) => Ok(Some(*printed)),
        Look::Absent => Ok(None),
    }
}

/// The failure of a run that is no more, with its reason.
async fn gone(launchd: &Launchd) -> Failure {
    let job = match present(launchd).await {
        Ok(job) => job,
        Err(error) => return error,
    };
    let note = last_failure::noted(&launchd.instance.paths.last_words);
    let (why, code) = why_not(job.as_ref(), note.as_ref());
    unproven(launchd, format!("did not stay: {why}"), code)
}

fn unproven(launchd: &Launchd, why: String, code: ExitCode) -> Failure {
    Failure::NotProven { label: launchd.label().to_owned(), why, code }
}
