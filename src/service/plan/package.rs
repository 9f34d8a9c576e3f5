//! A definition that a package owns: it is enabled, started and stopped as it is. What the operator chooses over it goes
//! into settings of ours beside it, what they write themselves into settings of theirs; a copy in their own directory
//! would hide the next release of the package.

use super::install::bring_up;
use super::{Choice, Decided, Desired, Install, Look, Planned, Refusal, Step, planned};
use crate::service::definition::{Found, Standing};
use crate::service::observed::{Addition, Linger, Observed};
use crate::service::record::{self, Record};
use crate::service::systemd::words::start_target;

/// Whether the manager has the definition from a package, and nobody has put another one in its place.
pub(super) fn owns(look: Look<'_>) -> bool {
    look.observed.package.is_some()
}

pub(super) fn use_it(install: Install, desired: &Desired, look: Look<'_>) -> Decided {
    let (observed, state) = (look.observed, &look.reached.state);
    let mut steps = match &desired.addition {
        Some(choice) => choose(install, choice, observed)?,
        // Nobody can say what the choices would be here.
        None if install.chosen => return Err(super::verbs::managed_elsewhere(look)),
        None => Vec::new(),
    };
    let wrote = !steps.is_empty();
    let enable = install.enable && !state.wanted_at_login;
    if enable {
        steps.push(planned(Step::Enable, &format!("{} does not want it", start_target(observed.scope))));
    }
    if enable || wrote || super::verbs::is_stale(look) {
        steps.push(planned(Step::Reload, "what is on disk is not what the manager has read"));
    }
    let text = desired.addition.as_ref().and_then(|choice| choice.text.clone());
    if let Some(text) = text.filter(|_| wrote) {
        let because = "a value that systemd rejects is dropped silently";
        steps.push(planned(Step::CheckDropIn { text }, because));
    }
    let (job, note) = bring_up(install, wrote, look);
    if install.linger && !matches!(observed.linger, Linger::Yes | Linger::NotNeeded) {
        steps.push(planned(Step::EnableLinger, "without it the service ends with the last session"));
    }
    let record = remember(install, desired, observed);
    if observed.inside {
        // This process goes with the service: whatever has to be done must be done before.
        steps.extend(record);
        steps.extend(job.into_iter().filter(|planned| !matches!(planned.step, Step::Prove { .. })));
    } else {
        steps.extend(job);
        steps.extend(record);
    }
    let mut notes = vec![format!(
        "the definition is the package's; for settings of your own: {} gateway edit",
        observed.command
    )];
    notes.extend(note);
    Ok((steps, notes))
}

/// The steps that put our settings in place, or away where the package has all of them.
fn choose(install: Install, choice: &Choice, observed: &Observed) -> Result<Vec<Planned>, Refusal> {
    let path = choice.path.clone();
    let present = observed.definition.addition.as_ref();
    let ours = present.is_none_or(|present| present.standing != Standing::Foreign);
    if !choice.changes || choice.text.is_none() && !ours {
        return Ok(Vec::new());
    }
    if let Some(present) = present.filter(|_| !install.force) {
        let diff = choice.diff.clone();
        match present.standing {
            Standing::Edited => return Err(Refusal::Edited { path, diff }),
            Standing::Foreign => return Err(Refusal::Foreign { path, diff }),
            _ => {}
        }
    }
    match present.map(|present| &present.found) {
        Some(Found::Unreadable(why)) => return Err(Refusal::Unreadable { path, why: why.clone() }),
        Some(Found::Link { target }) => {
            return Err(Refusal::ManagedElsewhere { path, origin: target.clone() });
        }
        Some(Found::File(_) | Found::Missing) | None => {}
    }
    let mut steps: Vec<Planned> = present
        .and_then(|present| backing_up(present, observed, "it is about to be replaced"))
        .into_iter()
        .collect();
    steps.push(match &choice.text {
        Some(text) => {
            let step = Step::WriteDefinition { path, text: text.clone(), diff: choice.diff.clone() };
            planned(step, "that is what was chosen over the package's definition")
        }
        None => planned(Step::RemoveDefinition { path }, "the package's definition has all of it"),
    });
    Ok(steps)
}

/// Keeping the settings that are there apart, when somebody else wrote or changed them.
fn backing_up(present: &Addition, observed: &Observed, because: &str) -> Option<Planned> {
    let text = present.found.text().filter(|_| present.standing != Standing::Ours)?;
    let name = present.path.file_name().unwrap_or_default().to_string_lossy();
    let path = record::replaced_path(&observed.service_dir, &name, text);
    Some(planned(Step::BackUp { path, text: text.to_owned() }, because))
}

fn remember(install: Install, desired: &Desired, observed: &Observed) -> Option<Planned> {
    let known = observed.record.record();
    let wanted = desired.addition.as_ref().and_then(|choice| choice.record.clone());
    match (wanted, known) {
        (Some(record), known) => {
            let record = Record { by_hand: !install.enable, ..record.with_choices_of(known) };
            let same = known.is_some_and(|known| known.says_the_same(&record));
            let step = Step::SaveRecord { record: Box::new(record) };
            (!same).then(|| planned(step, "later commands compare with it"))
        }
        (None, Some(_)) => Some(planned(Step::RemoveRecord, "there is nothing left to compare with")),
        (None, None) => None,
    }
}

/// The step that takes our settings away, where there are any.
pub(super) fn without_addition(observed: &Observed) -> Vec<Planned> {
    let Some(present) = &observed.definition.addition else { return Vec::new() };
    if !matches!(present.standing, Standing::Ours | Standing::Edited) {
        return Vec::new();
    }
    let mut steps: Vec<Planned> = backing_up(present, observed, "somebody changed it").into_iter().collect();
    let step = Step::RemoveDefinition { path: present.path.clone() };
    steps.push(planned(step, "it was installed by this program"));
    steps
}

pub(super) fn leave(look: Look<'_>) -> Decided {
    let (observed, state) = (look.observed, &look.reached.state);
    let mut steps = Vec::new();
    if state.is_up() && !observed.inside {
        steps.push(planned(Step::Stop { wait: true }, "nothing may be left running"));
    }
    if state.wanted_at_login || state.wanted_on_disk {
        steps.push(planned(Step::Disable, "its links would be left over"));
    }
    steps.extend(without_addition(observed));
    if steps.iter().any(|planned| !matches!(planned.step, Step::Stop { .. })) {
        steps.push(planned(Step::Reload, "the manager must forget it"));
    }
    if observed.record.record().is_some() {
        steps.push(planned(Step::RemoveRecord, "there is nothing left to compare with"));
    }
    let mut notes = Vec::new();
    if state.is_up() && observed.inside {
        steps.push(planned(Step::Stop { wait: false }, "nothing may be left running"));
        notes.push(super::verbs::INSIDE.to_owned());
    }
    if steps.is_empty() {
        return Err(Refusal::NotInstalled { unit: observed.unit.clone() });
    }
    let unit = state.fragment_path.as_deref().unwrap_or(&observed.definition.path).display();
    let ours = observed.definition.addition.as_ref().map(|addition| &addition.path);
    let others = observed.definition.drop_ins.iter().filter(|path| Some(*path) != ours);
    let others: String = others.map(|path| format!(", {}", path.display())).collect();
    notes.push(format!("what is left: {unit} (the package's){others}, {}", observed.state_dir.display()));
    Ok((steps, notes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::observed::{self, Manager, Package, Reached, UnitState, Via};
    use crate::service::plan::{Intent, Plan, plan, undo};

    const UNIT: &str = "fased-gateway.service";
    const ADDITION: &str = "/home/ada/.config/systemd/user/fased-gateway.service.d/10-install.conf";

    fn remembered(text: &str) -> Record {
        Record {
            version: record::VERSION,
            unit: UNIT.to_owned(),
            path: ADDITION.into(),
            text: text.to_owned(),
            program: "/usr/bin/fased".into(),
            real_program: "/usr/bin/fased".into(),
            domain: None,
            port: Some(18800),
            generator: "1".to_owned(),
            linger_by_us: false,
            by_hand: false,
            written_ms: 0,
        }
    }

    /// A package's unit, stopped and not enabled, with settings of ours over it or without.
    fn packaged(addition: Option<(&str, Standing)>) -> Observed {
        let mut observed = observed::sample(UNIT, &format!("/home/ada/.config/systemd/user/{UNIT}"));
        let path = format!("/usr/lib/systemd/user/{UNIT}");
        observed.package = Some(Package { path: path.clone().into(), text: "package".to_owned() });
        observed.definition.addition = addition.map(|(text, standing)| {
            observed.record = record::Found::Record(Box::new(remembered(text)));
            Addition { path: ADDITION.into(), found: Found::File(text.to_owned()), standing }
        });
        let state = UnitState {
            load_state: "loaded".to_owned(),
            active_state: "inactive".to_owned(),
            unit_file_state: "disabled".to_owned(),
            fragment_path: Some(path.into()),
            ..UnitState::default()
        };
        let (via, version) = (Via::Bus, "252".to_owned());
        observed.manager =
            Manager::Reached(Box::new(Reached { via, version, reads_directory: true, failure: None, state }));
        observed
    }

    fn in_use(mut observed: Observed) -> Observed {
        if let Manager::Reached(reached) = &mut observed.manager {
            reached.state.active_state = "active".to_owned();
            reached.state.unit_file_state = "enabled".to_owned();
            reached.state.wanted_at_login = true;
        }
        observed
    }

    fn desired(text: Option<&str>, changes: bool) -> Desired {
        let choice = Choice {
            path: ADDITION.into(),
            text: text.map(str::to_owned),
            names: Vec::new(),
            changes,
            diff: None,
            record: text.map(remembered),
        };
        let (text, record) = ("whole".to_owned(), remembered("whole"));
        Desired {
            text,
            changes: true,
            diff: None,
            record,
            another: None,
            addition: Some(choice),
            provision: None,
        }
    }

    fn steps(plan: &Result<Plan, Refusal>) -> String {
        match plan {
            Ok(plan) => names(&plan.steps),
            Err(refusal) => format!("{:?}", refusal.exit_code()),
        }
    }

    fn names(steps: &[Planned]) -> String {
        let steps = serde_json::to_value(steps).unwrap();
        let names = steps.as_array().unwrap().iter().map(|step| step["do"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_package_is_used_as_it_is_and_what_is_chosen_goes_beside_it() {
        use Standing::*;
        let (plain, same, other) =
            (desired(None, false), desired(Some("a"), false), desired(Some("b"), true));
        let none = desired(None, true);
        let start = "reset-failed start prove";
        let restart = "reset-failed restart prove";
        let table = [
            (packaged(None), &plain, format!("enable reload {start}")),
            (in_use(packaged(None)), &plain, String::new()),
            (
                packaged(None),
                &other,
                format!("write-definition enable reload check-drop-in {start} save-record"),
            ),
            (
                in_use(packaged(None)),
                &other,
                format!("write-definition reload check-drop-in {restart} save-record"),
            ),
            (in_use(packaged(Some(("a", Ours)))), &same, String::new()),
            (
                in_use(packaged(Some(("a", Ours)))),
                &none,
                format!("remove-definition reload {restart} remove-record"),
            ),
            (in_use(packaged(Some(("a", Edited)))), &other, "Drift".to_owned()),
            (in_use(packaged(Some(("a", Foreign)))), &other, "Conflict".to_owned()),
        ];
        for (observed, desired, expected) in table {
            let plan = plan(Intent::Install(Install::default()), Some(desired), &observed);
            assert_eq!(steps(&plan), expected, "{desired:?}");
        }
        let by_force = Intent::Install(Install { force: true, ..Install::default() });
        let edited = in_use(packaged(Some(("a", Edited))));
        let forced = format!("back-up write-definition reload check-drop-in {restart} save-record");
        assert_eq!(steps(&plan(by_force, Some(&other), &edited)), forced);
        let whole = plan(by_force, Some(&other), &in_use(packaged(None))).unwrap();
        assert!(names(&whole.steps).contains("check-definition"), "a definition of its own: {whole}");
    }

    #[test]
    fn an_uninstall_takes_away_what_an_install_put_there() {
        use Standing::*;
        let table = [
            (packaged(None), "NotInstalled"),
            (in_use(packaged(None)), "stop disable reload"),
            (in_use(packaged(Some(("a", Ours)))), "stop disable remove-definition reload remove-record"),
            (packaged(Some(("a", Edited))), "back-up remove-definition reload remove-record"),
            (in_use(packaged(Some(("a", Foreign)))), "stop disable reload remove-record"),
        ];
        for (observed, expected) in table {
            assert_eq!(steps(&plan(Intent::Uninstall, None, &observed)), expected);
        }
        let mut gone = packaged(Some(("a", Ours)));
        gone.package = None;
        if let Manager::Reached(reached) = &mut gone.manager {
            reached.state.load_state = "not-found".to_owned();
            reached.state.fragment_path = None;
        }
        assert_eq!(steps(&plan(Intent::Uninstall, None, &gone)), "remove-definition reload remove-record");
    }

    #[test]
    fn a_failed_install_puts_the_settings_before_back() {
        let failing_at = |observed: &Observed, desired: &Desired| {
            let plan = plan(Intent::Install(Install::default()), Some(desired), observed).unwrap();
            let at = plan.steps.iter().position(|planned| matches!(planned.step, Step::Prove { .. }));
            names(&undo(&plan, at.unwrap(), observed))
        };
        let before = in_use(packaged(Some(("a", Standing::Ours))));
        let back = "write-definition reload reset-failed restart prove";
        assert_eq!(failing_at(&before, &desired(Some("b"), true)), back);
        assert_eq!(failing_at(&before, &desired(None, true)), back);
        let fresh = failing_at(&packaged(None), &desired(Some("b"), true));
        assert_eq!(fresh, "stop disable remove-definition reload reset-failed");
    }
}
