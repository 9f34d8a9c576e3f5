//! The process that runs: whether it is what the definition and the disk say now.

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Action, Class, Finding, Severity};
use crate::service::definition::Standing;
use crate::service::inspection::Weight;
use crate::service::redact;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(process) = &facts.process else { return Vec::new() };
    let mut found = Vec::new();
    let restart = || again(facts);
    let hint = format!("Restart it: {} gateway restart", facts.instance.command());
    if process.replaced {
        let path = process.exe.clone().unwrap_or_default();
        let finding = Finding::new(
            "process.replaced",
            Severity::Warning,
            "the program on disk is not the one that runs: it was upgraded, moved or removed",
        );
        found.push(finding.at(path, None).repair(restart().0, restart().1).hint(hint.clone()));
    }
    let wanted = &facts.service.command;
    let literal = wanted.iter().all(|word| !word.contains('$'));
    if !wanted.is_empty() && literal && !process.command.is_empty() && process.command != *wanted {
        let words = |words: &[String]| Some(redact::redact_line(&words.join(" ")));
        let finding = Finding::new(
            "process.command",
            Severity::Warning,
            "it runs with another command than its definition has",
        )
        .key(facts.service.observed.platform.command_key())
        .differs(words(wanted), words(&process.command));
        found.push(finding.repair(restart().0, restart().1).hint(hint.clone()));
    }
    let running =
        facts.ready.as_ref().and_then(|ready| ready.as_ref().ok()).and_then(|ready| ready.version.as_deref());
    let own = env!("CARGO_PKG_VERSION");
    if let Some(running) = running.filter(|running| *running != own) {
        let finding = Finding::new(
            "process.version",
            Severity::Warning,
            "the gateway that runs is of another release than this command",
        )
        .differs(Some(own.to_owned()), Some(running.to_owned()));
        found.push(finding.hint(hint));
    }
    found
}

/// A restart, where the definition that would be started is the right one and can be.
pub(super) fn again(facts: &Facts) -> (Class, Vec<Action>) {
    let service = &facts.service;
    let wrong = service.drift.iter().any(|drift| drift.weight == Weight::Identity);
    let loaded = service.observed.manager.reached().is_some_and(|reached| reached.state.is_loaded());
    let standing = service.observed.definition.standing;
    let only_to_load = service.observed.platform.reads_only_to_load();
    // What somebody else wrote is not what is to run.
    let foreign = matches!(standing, Standing::Foreign | Standing::Unreadable)
        || only_to_load && standing == Standing::Missing;
    match !wrong
        && !foreign
        && loaded
        && service.needs.is_empty()
        // What launchd has loaded it drops with the restart.
        && (service.stale.is_empty() || only_to_load)
        && facts.config.config.is_ok()
    {
        true => (Class::Fix, vec![Action::Restart]),
        false => (Class::Manual, Vec::new()),
    }
}
