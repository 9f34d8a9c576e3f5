//! How the service is: failed, restarting again and again, frozen, hanging, not well.

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Severity};
use crate::service::platform::ByHand;

/// Restarts without anybody's doing that are no accident any more.
const LOOP: u32 = 3;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(reached) = facts.service.observed.manager.reached() else { return Vec::new() };
    let (state, command) = (&reached.state, facts.instance.command());
    let (mut found, platform) = (Vec::new(), facts.service.observed.platform);
    let why = || reached.failure.clone().unwrap_or_else(|| state.result.clone());
    let logs = format!("See: {command} logs");
    if state.active_state == "failed" {
        let finding = Finding::new("state.failed", Severity::Error, format!("the service failed: {}", why()));
        found.push(finding.hint(logs.clone()).hint(format!("Then: {command} gateway start")));
    } else if state.awaits_restart() {
        let (severity, what) = match state.n_restarts {
            LOOP.. => (Severity::Error, "keeps failing"),
            _ => (Severity::Warning, "failed, and is about to be started again"),
        };
        let finding = Finding::new("state.restarting", severity, format!("the service {what}: {}", why()));
        found.push(finding.hint(logs.clone()));
    } else if state.n_restarts >= LOOP {
        let name = platform.name();
        let summary = format!("{name} restarted it {} times since it was started", state.n_restarts);
        found.push(Finding::new("state.restarts", Severity::Warning, summary).hint(logs.clone()));
    }
    let there = facts.service.unit.is_some() && state.load_state == "not-found";
    if there && platform.reads_only_to_load() {
        let summary = format!("{} has not loaded it: it does not run until it is started", platform.name());
        let finding = Finding::new("state.not-loaded", Severity::Info, summary);
        found.push(finding.hint(format!("Start it: {command} gateway start")));
    }
    if facts.service.frozen {
        let unit = &facts.service.observed.unit;
        let finding = Finding::new(
            "state.frozen",
            Severity::Error,
            "the service is frozen: it does nothing until it is thawed",
        );
        found.push(finding.hint(platform.by_hand(ByHand::Thaw, facts.instance.scope, unit)));
    }
    if state.active_state == "activating" && !state.awaits_restart() {
        found.push(Finding::new("state.starting", Severity::Info, "the service is starting"));
    }
    if state.is_active() && !facts.service.frozen {
        match &facts.ready {
            Some(Err(why)) => {
                let summary = format!("the service runs, and does not answer: {why}");
                found.push(Finding::new("state.silent", Severity::Error, summary).hint(logs));
            }
            Some(Ok(ready)) if !ready.ready => {
                let failing = ready.failing.clone().unwrap_or_default().join(", ");
                found.push(
                    Finding::new(
                        "state.not-ready",
                        Severity::Warning,
                        format!("the gateway is not ready ({failing})"),
                    )
                    .hint(logs),
                );
            }
            Some(Ok(_)) | None => {}
        }
    }
    found
}
