//! What the unit, its drop-ins and the manager have otherwise than this release wants it.

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Action, At, Class, Finding, Repair, Severity};
use crate::service::inspection::{Drift, Verdict, Weight};

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    facts.service.drift.iter().map(|drift| tell(facts, drift)).collect()
}

fn tell(facts: &Facts, drift: &Drift) -> Finding {
    let platform = facts.service.observed.platform;
    let (definition, manager) = (platform.definition(), platform.name());
    let (id, what) = match drift.verdict {
        Verdict::Outdated => {
            ("drift.outdated", "an earlier release wrote it, and this one wants it otherwise".to_owned())
        }
        Verdict::Missing => ("drift.missing", format!("it is gone from the {definition}")),
        Verdict::Dropped => ("drift.dropped", "the value cannot be used".to_owned()),
        Verdict::Edited => ("drift.edited", format!("somebody changed it in the {definition}")),
        Verdict::Conflict => (
            "drift.conflict",
            format!("somebody changed it in the {definition}, and this release wants it otherwise too"),
        ),
        Verdict::Elsewhere => {
            ("drift.elsewhere", format!("the {definition}, which is not ours to change, has it otherwise"))
        }
        Verdict::Overridden => ("drift.overridden", "a drop-in has it otherwise".to_owned()),
        Verdict::Harmful => ("drift.harmful", "somebody added it".to_owned()),
        Verdict::Ignored => ("drift.ignored", format!("{manager} ignores it")),
    };
    let severity = match drift.weight {
        Weight::Taste => Severity::Info,
        Weight::Contract => Severity::Warning,
        Weight::Identity => Severity::Error,
    };
    let why = if drift.why.is_empty() { String::new() } else { format!(": {}", drift.why) };
    let mut finding = Finding::new(id, severity, format!("{}: {what}{why}", drift.name))
        .key(drift.name.to_string())
        .differs(drift.wanted.clone(), drift.found.clone());
    finding.at = drift.spot.as_ref().map(At::from);
    finding.repair = repair(facts, drift);
    if finding.repair.class == Class::Force || severity == Severity::Info && drift.in_unit {
        let command = facts.instance.command();
        finding = finding.hint(if !platform.has_drop_ins() {
            "If it is meant, leave it; --fix --force puts ours there and keeps a copy".to_owned()
        } else if drift.in_unit {
            format!(
                "If it is meant, keep it where installs and repairs leave it alone: {command} gateway edit"
            )
        } else {
            "If it is meant, leave it; --fix --force takes it out and keeps a copy".to_owned()
        });
    }
    finding
}

fn repair(facts: &Facts, drift: &Drift) -> Repair {
    let name = || vec![drift.name.clone()];
    let reload = Action::Reload;
    let drop_in = drift.spot.as_ref().map(|spot| spot.path.clone()).filter(|_| !drift.in_unit);
    let (class, action) = match (drift.verdict, drop_in) {
        (Verdict::Ignored, _) => return Repair { class: Class::Manual, actions: Vec::new() },
        // A matter of taste is not taken away from whoever has it.
        _ if drift.weight == Weight::Taste && !drift.mends => {
            return Repair { class: Class::Manual, actions: Vec::new() };
        }
        // Without files beside it there is no way around somebody else's definition.
        _ if !facts.service.own && !facts.service.observed.platform.has_drop_ins() => {
            return Repair { class: Class::Manual, actions: Vec::new() };
        }
        (Verdict::Elsewhere, _) => (Class::Fix, Action::Correct(name())),
        (_, Some(path)) if is_ours(facts, &path) => (Class::Force, Action::Uncover { path, names: name() }),
        (_, Some(_)) => (Class::Force, Action::Correct(name())),
        (_, None) if !facts.service.own => (Class::Force, Action::Correct(name())),
        (_, None) => (if drift.mends { Class::Fix } else { Class::Force }, Action::Keys(name())),
    };
    Repair { class, actions: vec![action, reload] }
}

/// Whether a drop-in is in a directory of this user's, and may be edited there.
fn is_ours(facts: &Facts, path: &std::path::Path) -> bool {
    let paths = &facts.instance.paths;
    let control = paths.unit_dir.with_file_name("user.control");
    let runtime = format!("/run/user/{}/", facts.user);
    path.starts_with(&paths.unit_dir) || path.starts_with(control) || path.starts_with(runtime)
}
