//! What an uninstall does: exactly what was installed goes, and what stays is told.

use super::{Decided, Look, Refusal, Step, planned};
use crate::instance::Scope;
use crate::service::definition::Standing;
use crate::service::observed::{Linger, Observed};
use crate::service::record;

pub(super) fn plan_uninstall(look: Look<'_>) -> Decided {
    let (observed, state) = (look.observed, &look.reached.state);
    let definition = &observed.definition;
    let there = match definition.standing {
        Standing::Ours | Standing::Edited => true,
        Standing::Missing if super::package::owns(look) => return super::package::leave(look),
        Standing::Missing if super::verbs::is_elsewhere(look) => {
            return Err(super::verbs::managed_elsewhere(look));
        }
        Standing::Missing => false,
        Standing::Masked => return Err(Refusal::Masked { unit: observed.unit.clone() }),
        Standing::Linked => return Err(super::verbs::managed_elsewhere(look)),
        Standing::Foreign => return Err(Refusal::Foreign { path: definition.path.clone(), diff: None }),
        Standing::Unreadable => {
            let why = "it is not text of ours".to_owned();
            return Err(Refusal::Unreadable { path: definition.path.clone(), why });
        }
    };
    let stop = || planned(Step::Stop { wait: !observed.inside }, "nothing may be left running");
    let mut steps = Vec::new();
    let up = state.is_up() || (observed.platform.reads_only_to_load() && state.is_loaded());
    if up && !observed.inside {
        steps.push(stop());
    }
    if there {
        if state.unit_file_state != "disabled" || state.wanted_at_login {
            steps.push(planned(Step::Disable, "its links would be left over"));
        }
        if definition.standing == Standing::Edited {
            steps.extend(backing_up(observed, "somebody changed it"));
        }
        let path = definition.path.clone();
        steps.push(planned(Step::RemoveDefinition { path }, "it was installed by this program"));
    }
    // Left over from a package that is gone.
    let leftover = super::package::without_addition(observed);
    let there = there || !leftover.is_empty();
    steps.extend(leftover);
    if there || state.is_loaded() {
        steps.push(planned(Step::Reload, "the manager must forget it"));
    }
    if state.active_state == "failed" || state.is_up() {
        steps.push(planned(Step::ResetFailed, "a failed unit would stay in lists"));
    }
    if observed.record.record().is_some() {
        steps.push(planned(Step::RemoveRecord, "there is nothing left to compare with"));
    }
    let mut notes = Vec::new();
    linger(observed, &mut steps, &mut notes);
    if up && observed.inside {
        steps.push(stop());
        notes.push(super::verbs::INSIDE.to_owned());
    }
    notes.extend(left(look, steps.is_empty()));
    Ok((steps, notes))
}

/// Keeping the text that is there, if there is one: apart, when somebody else wrote or changed it.
pub(super) fn backing_up(observed: &Observed, because: &str) -> Option<super::Planned> {
    let text = observed.definition.found.text()?;
    Some(planned(Step::BackUp { path: back_up_path(observed, text), text: text.to_owned() }, because))
}

fn back_up_path(observed: &Observed, text: &str) -> std::path::PathBuf {
    match observed.definition.standing {
        Standing::Ours => record::previous_path(&observed.service_dir, &observed.unit),
        _ => record::replaced_path(&observed.service_dir, &observed.unit, text),
    }
}

/// Lingering goes only if it came with this service and nobody else uses it.
fn linger(observed: &Observed, steps: &mut Vec<super::Planned>, notes: &mut Vec<String>) {
    let ours = observed.record.record().is_some_and(|record| record.linger_by_us);
    if !ours || observed.linger != Linger::Yes {
        return;
    }
    if observed.other_units_enabled {
        notes.push("lingering stays on: other services of yours are enabled".to_owned());
    } else {
        steps.push(planned(Step::DisableLinger, "it was enabled for this service alone"));
    }
}

/// What an uninstall leaves.
fn left(look: Look<'_>, nothing_done: bool) -> Vec<String> {
    let observed = look.observed;
    let mut left: Vec<String> =
        observed.definition.drop_ins.iter().map(|path| path.display().to_string()).collect();
    if let (Standing::Edited, Some(text)) = (observed.definition.standing, observed.definition.found.text()) {
        left.push(back_up_path(observed, text).display().to_string());
    }
    if observed.state_dir_exists {
        let what = match observed.scope {
            Scope::User => "configuration, state and logs",
            Scope::System => {
                "state; configuration and secrets are in /etc, logs in /var/log, under the same name"
            }
        };
        left.push(format!("{} ({what})", observed.state_dir.display()));
    }
    let mut notes = Vec::new();
    if nothing_done {
        notes.push("it is not installed".to_owned());
    }
    if !left.is_empty() {
        notes.push(format!("what is left: {}", left.join(", ")));
    }
    notes
}
