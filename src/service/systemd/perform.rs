//! One step of a plan, done. No choices are made here.

use std::path::PathBuf;
use std::time::Duration;

use super::link::{JobEnd, Link, Verb};
use super::syntax::File;
use super::{Systemd, exits, linger, prove};
use crate::exit::ExitCode;
use crate::host;
use crate::service::error::ServiceError;
use crate::service::manager::{Circumstances, Progress};
use crate::service::observed::UnitState;
use crate::service::place::{self, on_disk, write_definition};
use crate::service::plan::Step;
use crate::service::platform::Platform;
use crate::service::record;

/// What the manager needs beyond a service's own limits to begin and end a job.
const JOB_MARGIN: Duration = Duration::from_secs(15);
/// The longest a job is waited for when its service has no limit.
const JOB_LIMIT: Duration = Duration::from_secs(900);

/// Does one step. Returns remarks.
pub(super) async fn perform_step(
    systemd: &Systemd,
    link: &Link,
    step: &Step,
    circumstances: &mut Circumstances<'_>,
) -> Result<Vec<String>, ServiceError> {
    let (unit, service_dir) = (systemd.unit.as_str(), systemd.instance.paths.service.clone());
    match step {
        Step::BackUp { path, text } => {
            let text = text.clone();
            on_disk("write", path.clone(), move |path| record::back_up(path, &text)).await?;
        }
        Step::WriteDefinition { path, text, .. } => {
            let text = text.clone();
            on_disk("write", path.clone(), move |path| write_definition(path, &text)).await?;
        }
        Step::RemoveDefinition { path } => on_disk("remove", path.clone(), host::fs::remove).await?,
        Step::Reload => link.reload().await?,
        // It makes the directories itself, and hands over the secrets; plans for it leave this out.
        Step::Provide { .. } => {}
        Step::CheckDefinition { strict } => return check_definition(systemd, link, *strict).await,
        Step::CheckDropIn { text } => check_drop_in(systemd, link, text).await?,
        Step::Enable => link.enable(unit).await?,
        Step::Disable => link.disable(unit).await?,
        Step::ResetFailed => link.reset_failed(unit).await?,
        Step::Start { wait } => job(link, unit, Verb::Start, *wait, circumstances).await?,
        Step::Stop { wait } => job(link, unit, Verb::Stop, *wait, circumstances).await?,
        Step::Restart { wait } => job(link, unit, Verb::Restart, *wait, circumstances).await?,
        Step::ReloadService => job(link, unit, Verb::Reload, true, circumstances).await?,
        Step::Settle => prove::settle(link, unit, circumstances).await?,
        Step::Prove { answers } => prove::prove(link, unit, *answers, circumstances).await?,
        Step::EnableLinger => return set_linger(systemd, true, circumstances).await,
        Step::DisableLinger => return set_linger(systemd, false, circumstances).await,
        Step::SaveRecord { record } => {
            let mut record = record.as_ref().clone();
            record.linger_by_us |= circumstances.linger_by_us;
            record.written_ms = host::clock::unix_ms();
            let path = record::record_path(&service_dir);
            on_disk("write", path, move |_| record::save_record(&service_dir, &record)).await?;
        }
        Step::RemoveRecord => on_disk("remove", record::record_path(&service_dir), host::fs::remove).await?,
    }
    Ok(Vec::new())
}

/// Whether the unit is loaded, and in force as it is written.
async fn check_definition(systemd: &Systemd, link: &Link, strict: bool) -> Result<Vec<String>, ServiceError> {
    let unit = systemd.unit.clone();
    let force = link.service(&unit).await?;
    let state = force.unit_state(false);
    if !state.is_loaded() {
        let why = state.load_error.unwrap_or_else(|| "it gives no reason".to_owned());
        return Err(ServiceError::NotTaken { unit, why: format!("{}: {why}", state.load_state) });
    }
    let own = systemd.instance.paths.unit.clone();
    let same =
        |path: &PathBuf| path.file_name() == own.file_name() && super::answers::same_parent(path, &own);
    if !state.fragment_path.as_ref().is_some_and(same) {
        let from = state.fragment_path.map_or_else(String::new, |path| path.display().to_string());
        let why = format!("it has one from {from} instead");
        return if strict { Err(ServiceError::NotTaken { unit, why }) } else { Ok(Vec::new()) };
    }
    let read = tokio::task::spawn_blocking(move || host::fs::read_text(&own, place::LIMIT)).await;
    // A file that cannot be read now is told by whoever looks at it next.
    let Ok(Ok(Some(text))) = read else { return Ok(Vec::new()) };
    let differences = link.differences(&File::parse(&text), &force).await;
    let words: Vec<String> = differences.iter().map(ToString::to_string).collect();
    match (words.is_empty(), strict && state.drop_in_paths.is_empty()) {
        (true, _) => Ok(words),
        (false, true) => Err(ServiceError::NotTaken { unit, why: words.join("; ") }),
        (false, false) => Ok(words),
    }
}

/// Whether the unit is still loaded, and every setting that can be looked at is in force as it is written.
async fn check_drop_in(systemd: &Systemd, link: &Link, text: &str) -> Result<(), ServiceError> {
    let unit = systemd.unit.clone();
    let file = File::parse(text);
    if let Some((line, _)) = file.ignored().next() {
        let why = format!("line {line} of the settings is outside a section, or sets nothing");
        return Err(ServiceError::NotTaken { unit, why });
    }
    let force = link.service(&unit).await?;
    let state = force.unit_state(false);
    if !state.is_loaded() {
        let why = state.load_error.unwrap_or_else(|| "it gives no reason".to_owned());
        return Err(ServiceError::NotTaken { unit, why: format!("{}: {why}", state.load_state) });
    }
    let differences = link.differences(&file, &force).await;
    let words: Vec<String> = differences.iter().map(ToString::to_string).collect();
    if words.is_empty() { Ok(()) } else { Err(ServiceError::NotTaken { unit, why: words.join("; ") }) }
}

/// Runs a job to its end, or hands it over.
async fn job(
    link: &Link,
    unit: &str,
    verb: Verb,
    wait: bool,
    circumstances: &mut Circumstances<'_>,
) -> Result<(), ServiceError> {
    if !wait {
        return link.enqueue(verb, unit).await;
    }
    let before = link.state(unit).await?;
    let deadline = circumstances.patience.job.unwrap_or_else(|| job_limit(verb, &before));
    // A start that finds another under way joins it: that run is the one to be proven.
    let joins = verb == Verb::Start && before.active_state == "activating" && !before.awaits_restart();
    circumstances.invocation_before = before.invocation_id.filter(|_| !joins);
    let report = &mut circumstances.report;
    let mut tick = |elapsed: Duration, state: &UnitState| {
        report(Progress::Waiting { elapsed, status: state.status_text.as_deref() });
    };
    let end = link.job(verb, unit, deadline, &mut tick).await?;
    if end == JobEnd::Done {
        return Ok(());
    }
    let state = link.state(unit).await?;
    if end == JobEnd::Unseen && state.is_active() == (verb != Verb::Stop) {
        return Ok(());
    }
    let (why, code) = end_words(&end, &state);
    Err(ServiceError::Job { verb: verb.word(), unit: unit.to_owned(), why, code })
}

/// What the service's own limits allow, and a little more.
fn job_limit(verb: Verb, state: &UnitState) -> Duration {
    let limit = |usec: Option<u64>| usec.map_or(JOB_LIMIT, Duration::from_micros);
    let (start, stop) = (limit(state.timeout_start_usec), limit(state.timeout_stop_usec));
    // After the time to stop comes the time to be killed, which is as long again.
    let sum = match verb {
        // A start may have to wait for a stop that is under way.
        // The manager counts a reload against the time to start.
        Verb::Reload => start,
        Verb::Start | Verb::Restart => start + stop * 2,
        Verb::Stop => stop * 2,
    };
    (sum + JOB_MARGIN).min(JOB_LIMIT)
}

fn end_words(end: &JobEnd, state: &UnitState) -> (String, ExitCode) {
    match end {
        JobEnd::Canceled => ("another job took its place".to_owned(), ExitCode::Temporary),
        JobEnd::Dependency => ("a unit that it needs failed".to_owned(), ExitCode::Failed),
        JobEnd::Skipped => ("it does not apply to the unit as it is".to_owned(), ExitCode::Failed),
        JobEnd::Other(word) => (format!("the job ended as \"{word}\""), ExitCode::Failed),
        JobEnd::Done | JobEnd::Failed | JobEnd::Timeout | JobEnd::Unseen => exits::why_down(state),
    }
}

/// Lingering is a wish: that it cannot be had must not fail an install.
async fn set_linger(
    systemd: &Systemd,
    enable: bool,
    circumstances: &mut Circumstances<'_>,
) -> Result<Vec<String>, ServiceError> {
    match linger::set(&systemd.env, enable).await {
        Ok(()) => {
            circumstances.linger_by_us |= enable;
            Ok(Vec::new())
        }
        Err(error) => {
            let mut notes = vec![error.to_string()];
            notes.extend(error.hints(&systemd.instance.command(), systemd.instance.scope, Platform::Systemd));
            Ok(notes)
        }
    }
}
