//! What an install does: only what is missing, and nothing to what is not ours.

use super::{Decided, Desired, Install, Look, Planned, Refusal, Step, planned};
use crate::instance::Scope;
use crate::service::definition::{Found, Standing};
use crate::service::observed::{DirectoryProblem, Linger};
use crate::service::record::Record;
use crate::service::shell::word;

pub(super) fn plan_install(install: Install, desired: &Desired, look: Look<'_>) -> Decided {
    check_place(install, look)?;
    if let (Some(says), false) = (&desired.another, install.force) {
        let path = look.observed.definition.path.clone();
        return Err(Refusal::AnotherGateway { path, says: says.clone() });
    }
    // By force it is replaced as a whole, unless settings over it are what is in the way.
    let by_force = install.force && look.observed.definition.addition.is_none();
    if super::package::owns(look) && !by_force {
        return super::package::use_it(install, desired, look);
    }
    let write = must_write(install, desired, look)?;
    let (mut steps, mut notes) = (Vec::new(), Vec::new());
    let (observed, state) = (look.observed, &look.reached.state);
    let lacks = !observed.definition.unprovided.is_empty();
    let provision = desired.provision.as_ref().filter(|_| write.is_some() || lacks);
    steps.extend(provision.map(|provision| {
        let because = "the manager makes no directories, and hands out no secrets";
        planned(Step::Provide { provision: provision.clone() }, because)
    }));

    if let Some(because) = write {
        steps.extend(super::uninstall::backing_up(observed, "it is about to be replaced"));
        let path = observed.definition.path.clone();
        let step = Step::WriteDefinition { path, text: desired.text.clone(), diff: desired.diff.clone() };
        steps.push(planned(step, because));
    } else if observed.definition.standing == Standing::Edited {
        notes.push(format!(
            "{} has comments or blanks of somebody else; they stay",
            observed.definition.path.display()
        ));
    }
    let enable = install.enable && !(state.unit_file_state == "enabled" && state.wanted_at_login);
    if enable {
        steps.push(planned(
            Step::Enable,
            &observed.platform.starts(observed.scope, &state.unit_file_state, false),
        ));
    }
    let loads_anew = write.is_some()
        || enable
        || super::verbs::is_stale(look)
        || !state.is_loaded()
        || super::verbs::is_elsewhere(look);
    if loads_anew {
        steps.push(planned(Step::Reload, "what is on disk is not what the manager has read"));
        steps.push(planned(
            Step::CheckDefinition { strict: true },
            "a value that systemd rejects is dropped silently",
        ));
    }
    let (job, note) = bring_up(install, write.is_some() || provision.is_some(), look);
    notes.extend(note);
    let deferred = observed.inside && !job.is_empty();
    if !deferred {
        steps.extend(job.clone());
    }
    // What launchd finds it loads at login, unless that is forbidden; a job that runs stays.
    let forbid = !install.enable && look.observed.platform.reads_only_to_load();
    if forbid && observed.definition.standing == Standing::Missing {
        steps.push(planned(Step::Disable, "it is to be started by hand only"));
    }
    if !install.enable && state.wanted_at_login {
        notes.push(format!(
            "it is enabled, and stays so; to change that: {} gateway disable",
            observed.command
        ));
    }
    keep(install, desired, look, &mut steps, &mut notes);
    if deferred {
        // This process goes with the service: whatever has to be done must be done before.
        steps.extend(job.into_iter().filter(|planned| !matches!(planned.step, Step::Prove { .. })));
    }
    notes.extend(super::verbs::drop_in_note(observed));
    if let Some(owner) = observed.definition.foreign_owner {
        let path = &observed.definition.path;
        let us = if observed.scope == Scope::System { "root" } else { "$(id -u)" };
        let (shown, typed) = (path.display(), word(path));
        notes.push(format!("{shown} belongs to user {owner}; to take it: sudo chown {us} {typed}"));
    }
    Ok((steps, notes))
}

/// Whether a definition may be put there at all.
fn check_place(install: Install, look: Look<'_>) -> Result<(), Refusal> {
    let definition = &look.observed.definition;
    match &definition.directory_problem {
        Some(DirectoryProblem::Link { .. }) if install.force => {}
        Some(problem) => return Err(Refusal::Directory(problem.clone())),
        None => {}
    }
    if !look.reached.reads_directory {
        let dir = definition.path.parent().unwrap_or(&definition.path).to_owned();
        return Err(Refusal::NotRead { dir });
    }
    match &definition.other_scope {
        Some(owner) if !install.force => Err(Refusal::OtherScope(owner.clone())),
        _ => Ok(()),
    }
}

/// Why the definition must be written, if it must; a refusal where it may not.
fn must_write(install: Install, desired: &Desired, look: Look<'_>) -> Result<Option<&'static str>, Refusal> {
    let definition = &look.observed.definition;
    let path = definition.path.clone();
    let diff = desired.diff.clone();
    match definition.standing {
        Standing::Masked => Err(Refusal::Masked { unit: look.observed.unit.clone() }),
        Standing::Linked => Err(super::verbs::managed_elsewhere(look)),
        Standing::Unreadable => {
            let why = match &definition.found {
                Found::Unreadable(why) => why.clone(),
                Found::Missing | Found::File(_) | Found::Link { .. } => "unknown".to_owned(),
            };
            Err(Refusal::Unreadable { path, why })
        }
        Standing::Missing if look.reached.state.load_state == "masked" => {
            Err(Refusal::Masked { unit: look.observed.unit.clone() })
        }
        Standing::Missing if super::verbs::is_elsewhere(look) && !install.force => {
            Err(super::verbs::managed_elsewhere(look))
        }
        Standing::Missing => Ok(Some("it is not installed")),
        _ if !desired.changes => Ok(None),
        Standing::Ours => Ok(Some("what is wanted has changed")),
        Standing::Edited | Standing::Foreign if install.force => Ok(Some("it is replaced by force")),
        Standing::Edited => Err(Refusal::Edited { path, diff }),
        Standing::Foreign => Err(Refusal::Foreign { path, diff }),
    }
}

/// The steps after which it runs with the definition in place.
pub(super) fn bring_up(install: Install, changed: bool, look: Look<'_>) -> (Vec<Planned>, Option<String>) {
    let state = &look.reached.state;
    let wait = !look.observed.inside;
    if !install.start {
        let note = "it keeps running as it is until it is restarted".to_owned();
        return (Vec::new(), (changed && state.is_active()).then_some(note));
    }
    let outdated = look.observed.platform.reads_only_to_load() && super::verbs::is_stale(look);
    if state.is_active() && !changed && !outdated {
        return (Vec::new(), None);
    }
    let job = if state.is_active() {
        planned(Step::Restart { wait }, "it runs with the definition before")
    } else if state.awaits_restart() {
        planned(Step::Restart { wait }, "it failed, and the manager would only wait and try again")
    } else if changed && state.active_state == "activating" {
        planned(Step::Restart { wait }, "it is starting with the definition before")
    } else {
        planned(Step::Start { wait }, "it is not running")
    };
    let reset = planned(Step::ResetFailed, "earlier starts count against the start limit");
    let prove = planned(Step::Prove { answers: true }, "a finished job alone proves nothing");
    let note = (!wait).then(|| super::verbs::INSIDE.to_owned());
    (vec![reset, job, prove], note)
}

/// What is remembered, and lingering.
fn keep(
    install: Install,
    desired: &Desired,
    look: Look<'_>,
    steps: &mut Vec<Planned>,
    notes: &mut Vec<String>,
) {
    let observed = look.observed;
    let linger = install.linger && !matches!(observed.linger, Linger::Yes | Linger::NotNeeded);
    if linger {
        steps.push(planned(Step::EnableLinger, "without it the service ends with the last session"));
    } else if observed.linger == Linger::No {
        notes.push(
            "it ends with your last session, and does not start before you log in; to change that: \
             sudo loginctl enable-linger $(id -un)"
                .to_owned(),
        );
    }
    let record = Record { by_hand: !install.enable, ..remembered(desired, look, steps) };
    let same = observed.record.record().is_some_and(|known| known.says_the_same(&record));
    if linger || !same {
        let step = Step::SaveRecord { record: Box::new(record) };
        steps.push(planned(step, "later commands compare with it"));
    }
}

/// What is to be remembered: a definition that stays as it is stays in memory as it is.
fn remembered(desired: &Desired, look: Look<'_>, steps: &[Planned]) -> Record {
    let (found, known) = (&look.observed.definition, look.observed.record.record());
    let linger_by_us = known.is_some_and(|known| known.linger_by_us);
    let wanted = Record { linger_by_us, ..desired.record.clone() };
    if steps.iter().any(|planned| matches!(planned.step, Step::WriteDefinition { .. })) {
        return wanted;
    }
    let present = found.found.text().unwrap_or_default();
    match known {
        Some(known) if found.standing == Standing::Edited || known.text == present => {
            Record { text: known.text.clone(), generator: known.generator.clone(), ..wanted }
        }
        _ => Record { text: present.to_owned(), ..wanted },
    }
}
