//! The definition as a whole: whose it is, whether it can be read and used, and whether another one hides it.

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Action, Class, Finding, Severity};
use crate::instance::Scope;
use crate::service::definition::{Found, Standing};
use crate::service::observed::DirectoryProblem;
use crate::service::platform::ByHand;
use crate::service::record;
use crate::service::shell::word;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(standing(facts));
    found.extend(unusable(facts));
    found.extend(hidden(facts));
    found.extend(settings(facts));
    found.extend(remembered(facts));
    found.extend(directory(facts));
    found.extend(permissions(facts));
    found
}

fn standing(facts: &Facts) -> Option<Finding> {
    let service = &facts.service;
    let definition = &service.observed.definition;
    let command = facts.instance.command();
    let state = service.observed.manager.reached().map(|reached| &reached.state);
    let elsewhere = service.unit.is_some();
    let known = service.observed.record.record();
    // Settings over the definition of a package that is gone are no definition.
    let known = known.is_some_and(|known| !is_of_settings(facts, &known.path));
    let platform = service.observed.platform;
    let up = state.is_some_and(|state| state.is_up() || platform.reads_only_to_load() && state.is_loaded());
    let what = platform.definition();
    let untouched =
        if platform.has_drop_ins() { "it is not changed, drop-ins are" } else { "it is not changed" };
    let write = [Action::Rewrite, Action::Reload];
    let finding =
        match definition.standing {
            Standing::Ours | Standing::Edited => return None,
            Standing::Missing if elsewhere => {
                let path = service.unit.clone().unwrap_or_default();
                Finding::new(
                    "definition.package",
                    Severity::Info,
                    format!("the {what} belongs to a package or an administrator: {untouched}"),
                )
                .at(path, None)
            }
            Standing::Missing if known || up => {
                let summary = if up {
                    "it runs, and its definition is gone"
                } else {
                    "it was installed, and its definition is gone"
                };
                let class = if known { Class::Fix } else { Class::Manual };
                let mut actions = write.to_vec();
                actions.push(Action::Enable);
                Finding::new("definition.missing", Severity::Error, summary)
                    .repair(class, actions)
                    .hint(format!("Install it again: {command} gateway install"))
                    .hint(format!("Or be done with it: {command} gateway uninstall"))
            }
            Standing::Missing => Finding::new(
                "definition.not-installed",
                Severity::Info,
                "the gateway is not installed as a service",
            )
            .hint(format!("Install it: {command} gateway install")),
            Standing::Foreign => Finding::new(
                "definition.foreign",
                Severity::Error,
                format!("the {what} of this name was not written by this program"),
            )
            .repair(Class::Force, write)
            .hint("Move it away if it is yours, or let it be replaced: --fix --force keeps a copy"),
            Standing::Masked => Finding::new(
                "definition.masked",
                Severity::Error,
                "the service is masked: it cannot be started",
            )
            .repair(
                Class::Force,
                [Action::Remove(definition.path.clone()), Action::Rewrite, Action::Reload, Action::Enable],
            )
            .hint("Somebody forbade it on purpose; --fix --force allows it again"),
            Standing::Linked => linked(&definition.found, what, untouched),
            Standing::Unreadable => {
                let why = match &definition.found {
                    Found::Unreadable(why) => why.clone(),
                    _ => String::new(),
                };
                Finding::new(
                    "definition.unreadable",
                    Severity::Error,
                    format!("the {what} cannot be read as one"),
                )
                .differs(None, Some(why))
                .repair(
                    Class::Force,
                    [Action::MoveAside(definition.path.clone()), Action::Rewrite, Action::Reload],
                )
                .hint("--fix --force keeps it elsewhere and writes a new one")
            }
        };
    Some(if finding.at.is_none() { finding.at(&definition.path, None) } else { finding })
}

fn linked(found: &Found, what: &str, untouched: &str) -> Finding {
    let target = match found {
        Found::Link { target } => target.display().to_string(),
        _ => String::new(),
    };
    let summary = format!("the {what} is a link that somebody else looks after: {untouched}");
    Finding::new("definition.linked", Severity::Info, summary).differs(None, Some(target))
}

/// The manager cannot use it, and nothing else explains why.
fn unusable(facts: &Facts) -> Option<Finding> {
    let observed = &facts.service.observed;
    let state = &observed.manager.reached()?.state;
    if !matches!(state.load_state.as_str(), "bad-setting" | "error") {
        return None;
    }
    let why = state.load_error.clone().unwrap_or_else(|| state.load_state.clone());
    let mut finding = Finding::new(
        "definition.unusable",
        Severity::Error,
        format!("{} cannot use the definition", observed.platform.name()),
    )
    .differs(Some("loaded".to_owned()), Some(why))
    .hint(format!("See: {}", observed.platform.by_hand(ByHand::Look, observed.scope, &observed.unit)));
    if let Some(path) = &facts.service.unit {
        finding = finding.at(path, None);
    }
    Some(finding)
}

/// Another unit of the same name takes the place of ours.
fn hidden(facts: &Facts) -> Option<Finding> {
    let definition = &facts.service.observed.definition;
    let counts = facts.service.unit.as_ref()?;
    let ours = matches!(definition.standing, Standing::Ours | Standing::Edited | Standing::Foreign);
    if !ours || *counts == definition.path {
        return None;
    }
    Some(
        Finding::new(
            "definition.hidden",
            Severity::Error,
            format!(
                "another {} of the same name takes the place of the installed one",
                facts.service.observed.platform.definition()
            ),
        )
        .differs(Some(definition.path.display().to_string()), Some(counts.display().to_string()))
        .at(counts, None)
        .repair(Class::Force, [Action::MoveAside(counts.clone()), Action::Reload]),
    )
}

/// What was remembered cannot be read, or is about something else.
fn remembered(facts: &Facts) -> Option<Finding> {
    let observed = &facts.service.observed;
    let path = record::record_path(&observed.service_dir);
    let installed = matches!(observed.definition.standing, Standing::Ours | Standing::Edited);
    let keep = [Action::MoveAside(path.clone()), Action::Remember];
    match &observed.record {
        // Root's, and told as what could not be looked at.
        record::Found::Unreadable(_) if !observed.may_write => None,
        record::Found::Unreadable(why) => Some(
            Finding::new(
                "record.unreadable",
                Severity::Warning,
                "what was remembered of the installation cannot be read",
            )
            .differs(None, Some(why.clone()))
            .at(path, None)
            .repair(Class::Force, keep),
        ),
        record::Found::Record(known)
            if known.unit != observed.unit
                || known.path != observed.definition.path && !is_of_settings(facts, &known.path) =>
        {
            Some(
                Finding::new(
                    "record.foreign",
                    Severity::Warning,
                    "what was remembered is about another service",
                )
                .differs(Some(observed.unit.clone()), Some(known.unit.clone()))
                .at(path, None)
                .repair(Class::Force, keep),
            )
        }
        record::Found::Missing if installed => Some(
            Finding::new("record.missing", Severity::Warning, "nothing is remembered of the installation")
                .at(path, None)
                .repair(Class::Fix, [Action::Remember]),
        ),
        record::Found::Record(_) | record::Found::Missing => None,
    }
}

/// The manager does not use what others could have written.
fn permissions(facts: &Facts) -> Option<Finding> {
    let (mode, observed) = (facts.service.open_to_others?, &facts.service.observed);
    let path = &observed.definition.path;
    let (what, manager) = (observed.platform.definition(), observed.platform.name());
    let summary = format!("others can change the {what}: {manager} does not load it");
    Some(
        Finding::new("definition.mode", Severity::Error, summary)
            .differs(Some("0644".to_owned()), Some(format!("{mode:04o}")))
            .at(path, None)
            .repair(Class::Fix, [Action::Mode(path.clone(), 0o644)]),
    )
}

/// Whether a path is that of our settings over a package's definition.
fn is_of_settings(facts: &Facts, path: &std::path::Path) -> bool {
    let wanted = facts.service.desired.as_ref().ok().and_then(|desired| desired.addition.as_ref());
    let there = facts.service.observed.definition.addition.as_ref();
    wanted.is_some_and(|wanted| wanted.path == path) || there.is_some_and(|there| there.path == path)
}

/// What was chosen at an install over a package's definition.
fn settings(facts: &Facts) -> Option<Finding> {
    let wanted = facts.service.desired.as_ref().ok()?.addition.as_ref().filter(|wanted| wanted.changes)?;
    let there = facts.service.observed.definition.addition.as_ref();
    let standing = there.map_or(Standing::Missing, |there| there.standing);
    let (severity, class, summary) = match (standing, &wanted.text) {
        // Somebody else's, and nothing of ours is missing.
        (Standing::Foreign | Standing::Linked | Standing::Masked, None) => return None,
        (Standing::Missing, _) => (Severity::Error, Class::Fix, "what was chosen at the install is gone"),
        (Standing::Ours, _) => (
            Severity::Warning,
            Class::Fix,
            "what was chosen at the install is wanted otherwise by this release",
        ),
        _ => (Severity::Error, Class::Force, "what was chosen at the install was changed by somebody"),
    };
    let mut finding = Finding::new("definition.settings", severity, summary)
        .at(&wanted.path, None)
        .repair(class, [Action::Settings, Action::Reload]);
    if let Some(name) = wanted.names.first() {
        finding = finding.key(name);
    }
    Some(match class {
        Class::Force => finding.hint(format!(
            "If it is meant, put it into settings of yours: {} gateway edit",
            facts.instance.command()
        )),
        _ => finding,
    })
}

fn directory(facts: &Facts) -> Option<Finding> {
    let definition = &facts.service.observed.definition;
    if definition.standing == Standing::Missing {
        return None;
    }
    let what = facts.service.observed.platform.definition();
    if let Some(owner) = definition.foreign_owner.filter(|_| facts.service.own) {
        let path = &definition.path;
        let us = if facts.instance.scope == Scope::System { "root" } else { "$(id -u)" };
        return Some(
            Finding::new(
                "definition.owner",
                Severity::Warning,
                format!("the {what} belongs to user {owner}"),
            )
            .at(path, None)
            .hint(format!("sudo chown {us} {}", word(path))),
        );
    }
    let (dir, summary, repair) = match definition.directory_problem.clone()? {
        DirectoryProblem::Writable { dir } => {
            let close = Action::Mode(dir.clone(), 0o755);
            (dir, "others can change the definitions in this directory".to_owned(), Some(close))
        }
        DirectoryProblem::Owner { dir, owner } => {
            (dir, format!("the directory of definitions belongs to user {owner}"), None)
        }
        DirectoryProblem::Link { .. } => return None,
        DirectoryProblem::Unusable { dir, why } => {
            (dir, format!("the directory of definitions cannot be used: {why}"), None)
        }
    };
    let finding = Finding::new("definition.directory", Severity::Warning, summary).at(dir, None);
    Some(match repair {
        Some(action) => finding.repair(Class::Fix, [action]),
        None => finding,
    })
}
