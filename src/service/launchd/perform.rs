//! One step of a plan, done. No choices are made here.

use std::time::Duration;

use super::control::{Control, HandOver, Way};
use super::failure::Failure;
use super::launchctl::{self, Answer, Look};
use super::state::run_of;
use super::{Launchd, prove, provision};
use crate::host;
use crate::service::error::ServiceError;
use crate::service::manager::{Circumstances, Progress};
use crate::service::place::{on_disk, write_definition};
use crate::service::plan::Step;
use crate::service::record;

/// Does one step. Returns remarks.
pub(super) async fn perform_on_job(
    launchd: &Launchd,
    control: &Control,
    step: &Step,
    circumstances: &mut Circumstances<'_>,
) -> Result<Vec<String>, ServiceError> {
    let dir = launchd.service_dir();
    match step {
        Step::BackUp { path, text } => {
            let text = text.clone();
            on_disk("write", path.clone(), move |path| record::back_up(path, &text)).await?;
        }
        Step::Provide { provision } => provision::provide(provision).await?,
        Step::WriteDefinition { path, text, .. } => {
            let text = text.clone();
            on_disk("write", path.clone(), move |path| write_definition(path, &text)).await?;
        }
        Step::RemoveDefinition { path } => on_disk("remove", path.clone(), host::fs::remove).await?,
        Step::Enable => set_enabled(control, true).await?,
        Step::Disable => set_enabled(control, false).await?,
        Step::Start { wait: true } => carry_through(control, Verb::Start, circumstances).await?,
        Step::Restart { wait: true } => carry_through(control, Verb::Restart, circumstances).await?,
        Step::Stop { wait: true } => carry_through(control, Verb::Stop, circumstances).await?,
        Step::Start { wait: false } | Step::Restart { wait: false } => {
            hand_over(control, HandOver::Restart, circumstances).await?;
        }
        Step::Stop { wait: false } => hand_over(control, HandOver::Stop, circumstances).await?,
        Step::Prove { answers } => prove::prove_job(launchd, *answers, circumstances).await?,
        Step::SaveRecord { record } => {
            let mut record = record.as_ref().clone();
            // A domain that takes no jobs may have been given up for another one, and the definition with it.
            let domain = control.domain.get().to_string();
            if record.domain.as_ref() != Some(&domain) {
                let read = host::fs::read_text(&control.plist, crate::service::place::LIMIT);
                record.text = read.ok().flatten().unwrap_or(record.text);
                record.domain = Some(domain);
            }
            record.written_ms = host::clock::unix_ms();
            let path = record::record_path(&dir);
            on_disk("write", path, move |_| record::save_record(&dir, &record)).await?;
        }
        Step::RemoveRecord => {
            on_disk("remove", control.fallback(), host::fs::remove).await?;
            on_disk("remove", record::record_path(&dir), host::fs::remove).await?;
        }
        Step::ReloadService => match launchctl::hang_up(control.domain.get(), &control.label).await? {
            Answer::Done => {}
            other => return Err(Failure::refused("reload", &control.label, other).into()),
        },
        Step::Settle => prove::settle_job(launchd, circumstances).await?,
        // launchd has nothing to do for these; plans for it leave them out.
        Step::Reload
        | Step::CheckDefinition { .. }
        | Step::CheckDropIn { .. }
        | Step::ResetFailed
        | Step::EnableLinger
        | Step::DisableLinger => {}
    }
    Ok(Vec::new())
}

#[derive(Clone, Copy, Debug)]
enum Verb {
    Start,
    Restart,
    Stop,
}

async fn carry_through(
    control: &Control,
    verb: Verb,
    circumstances: &mut Circumstances<'_>,
) -> Result<(), Failure> {
    if let Ok(Look::Loaded(printed)) = control.look().await {
        let joins = matches!(verb, Verb::Start) && printed.pid.is_some();
        circumstances.invocation_before = run_of(&printed).filter(|_| !joins);
    }
    let known = known_texts(control);
    let report = &mut circumstances.report;
    let mut tick = |elapsed: Duration| report(Progress::Waiting { elapsed, status: None });
    let mut way =
        Way { tick: &mut tick, limit: circumstances.patience.job, claim: circumstances.claim, known: &known };
    match verb {
        Verb::Start => control.start(&mut way).await,
        Verb::Restart => control.restart(&mut way).await,
        Verb::Stop => control.stop(&mut way).await,
    }
}

async fn hand_over(
    control: &Control,
    verb: HandOver,
    circumstances: &Circumstances<'_>,
) -> Result<(), Failure> {
    let known = known_texts(control);
    let way = Way { tick: &mut |_| {}, limit: None, claim: circumstances.claim, known: &known };
    control.hand_over(verb, &way).await
}

/// The definitions that may be the one that is loaded: what was installed last, what was replaced last, and what is on
/// disk.
fn known_texts(control: &Control) -> Vec<String> {
    let read =
        |path: std::path::PathBuf| host::fs::read_text(&path, crate::service::place::LIMIT).ok().flatten();
    let recorded = record::load(&control.service_dir).record().map(|record| record.text.clone());
    let previous = read(record::previous_path(&control.service_dir, &control.label));
    [recorded, previous, read(control.fallback()), read(control.plist.clone())]
        .into_iter()
        .flatten()
        .collect()
}

async fn set_enabled(control: &Control, enabled: bool) -> Result<(), Failure> {
    match launchctl::set_enabled(control.domain.get(), &control.label, enabled).await? {
        Answer::Done => Ok(()),
        other => Err(Failure::refused(if enabled { "enable" } else { "disable" }, &control.label, other)),
    }
}
