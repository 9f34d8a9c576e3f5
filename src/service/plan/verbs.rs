//! Start, stop and restart: from every state there is, and to be said clearly where there is no way.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Decided, Intent, Look, Planned, Refusal, Step, planned};
use crate::service::definition::{Found, Standing};
use crate::service::observed::Observed;
use crate::service::record::Record;
use crate::service::systemd::words::start_time;

impl Intent {
    /// Whether it changes what is on disk, and not only what runs.
    pub const fn writes(self) -> bool {
        !matches!(self, Self::Start | Self::Stop | Self::Restart | Self::Reload)
    }
}

/// Why a job is not waited for.
pub(super) const INSIDE: &str = "this command runs inside the service and will be stopped with it: the job is only handed to the \
     service manager, which finishes it";

pub(super) fn plan_start(look: Look<'_>) -> Decided {
    present(look)?;
    let state = &look.reached.state;
    let mut steps = reread(look)?;
    let mut notes = Vec::new();
    if state.is_active() {
        notes.push(if steps.is_empty() {
            "it is running already".to_owned()
        } else {
            "it is running; what changed on disk takes effect with a restart".to_owned()
        });
    } else {
        steps.push(planned(Step::ResetFailed, "earlier starts count against the start limit"));
        // A start would only queue behind the manager's own pause.
        let job =
            if state.awaits_restart() { Step::Restart { wait: true } } else { Step::Start { wait: true } };
        steps.push(planned(job, &format!("it is {}", state_words(look))));
        steps.push(planned(Step::Prove { answers: true }, "a finished job alone proves nothing"));
    }
    if !state.wanted_at_login {
        let Observed { scope, command, .. } = look.observed;
        notes.push(format!("it does not start by itself {}: {command} gateway enable", start_time(*scope)));
    }
    notes.extend(drop_in_note(look.observed));
    notes.extend(other_owner_note(look.observed));
    Ok((steps, notes))
}

pub(super) fn plan_restart(look: Look<'_>) -> Decided {
    present(look)?;
    let (state, wait) = (&look.reached.state, !look.observed.inside);
    let mut steps = reread(look)?;
    steps.push(planned(Step::ResetFailed, "restarts by hand count against the start limit"));
    let job = if state.is_up() { Step::Restart { wait } } else { Step::Start { wait } };
    steps.push(planned(job, &format!("it is {}", state_words(look))));
    if wait {
        steps.push(planned(Step::Prove { answers: true }, "a finished job alone proves nothing"));
    }
    let mut notes: Vec<String> = drop_in_note(look.observed).into_iter().collect();
    notes.extend(other_owner_note(look.observed));
    notes.extend((!wait).then(|| INSIDE.to_owned()));
    Ok((steps, notes))
}

pub(super) fn plan_stop(look: Look<'_>) -> Decided {
    let (state, wait) = (&look.reached.state, !look.observed.inside);
    if !state.is_up() {
        if is_absent(look) {
            return Err(Refusal::NotInstalled { unit: look.observed.unit.clone() });
        }
        return Ok((Vec::new(), Vec::new()));
    }
    let steps = vec![planned(Step::Stop { wait }, &format!("it is {}", state_words(look)))];
    let mut notes: Vec<String> = (!wait).then(|| INSIDE.to_owned()).into_iter().collect();
    if state.wanted_at_login {
        let Observed { platform, scope, unit, .. } = look.observed;
        notes.push(platform.stays_stopped(*scope, unit));
    }
    Ok((steps, notes))
}

/// Disabled first: were it the other way round, a login in between would start it again.
pub(super) fn plan_stop_for_good(look: Look<'_>) -> Decided {
    let (stop, mut notes) = plan_stop(look)?;
    if is_absent(look) {
        return Ok((stop, notes));
    }
    let (mut steps, _) = plan_disable(look)?;
    steps.extend(stop);
    // Those that tell how to stop it for good.
    notes.retain(|note| note == INSIDE);
    Ok((steps, notes))
}

pub(super) fn plan_reload(look: Look<'_>) -> Decided {
    present(look)?;
    let (unit, state) = (look.observed.unit.clone(), &look.reached.state);
    if !state.is_active() {
        return Err(Refusal::NotRunning { unit, state: state.active_state.clone() });
    }
    let mut steps = reread(look)?;
    steps.push(planned(Step::ReloadService, "its configuration may have changed"));
    steps.push(planned(Step::Settle, "what changed may need a new process"));
    Ok((steps, Vec::new()))
}

pub(super) fn plan_enable(look: Look<'_>) -> Decided {
    present(look)?;
    readable(look)?;
    let (unit, state) = (look.observed.unit.clone(), &look.reached.state);
    let linked = look.observed.definition.standing == Standing::Linked;
    let remember = choose(look, false);
    if state.wanted_at_login && (linked || state.unit_file_state.starts_with("enabled")) {
        return Ok((remember.into_iter().collect(), Vec::new()));
    }
    if state.unit_file_state == "static" {
        let why = "it has no [Install] section that says when it starts".to_owned();
        return Err(Refusal::BadDefinition { unit, load_state: state.unit_file_state.clone(), why });
    }
    let mut steps = vec![
        planned(Step::Enable, &format!("it does not start {}", start_time(look.observed.scope))),
        planned(Step::Reload, "the manager must know"),
    ];
    steps.extend(remember);
    Ok((steps, Vec::new()))
}

pub(super) fn plan_disable(look: Look<'_>) -> Decided {
    present(look)?;
    readable(look)?;
    let state = &look.reached.state;
    // Disabling removes a link together with what it is a link for (lifecycle notes E9.5).
    if look.observed.definition.standing == Standing::Linked {
        return Err(managed_elsewhere(look));
    }
    let remember = choose(look, true);
    if !state.unit_file_state.starts_with("enabled") && !state.wanted_at_login {
        return Ok((remember.into_iter().collect(), Vec::new()));
    }
    let mut notes = Vec::new();
    if state.is_up() {
        notes.push(format!("it runs until it is stopped: {} gateway stop", look.observed.command));
    }
    let because = format!("it starts {}", start_time(look.observed.scope));
    let mut steps = vec![planned(Step::Disable, &because), planned(Step::Reload, "the manager must know")];
    steps.extend(remember);
    Ok((steps, notes))
}

/// The step that remembers whether it is to be started by hand only, where that is not known: the doctor must not undo
/// what somebody meant.
fn choose(look: Look<'_>, by_hand: bool) -> Option<Planned> {
    let known = look.observed.record.record().filter(|known| known.by_hand != by_hand)?;
    let record = Box::new(Record { by_hand, ..known.clone() });
    Some(planned(Step::SaveRecord { record }, "the doctor must know that it is meant"))
}

/// Whether there is a definition that can be started; a refusal where not.
fn present(look: Look<'_>) -> Result<(), Refusal> {
    let (unit, state) = (look.observed.unit.clone(), &look.reached.state);
    if look.observed.definition.standing == Standing::Masked || state.load_state == "masked" {
        return Err(Refusal::Masked { unit });
    }
    match (is_absent(look), state.is_up()) {
        (true, true) => Err(Refusal::Orphan { unit }),
        (true, false) => Err(Refusal::NotInstalled { unit }),
        (false, _) => Ok(()),
    }
}

/// A refusal where the manager would read what is in the place of the definition, and that is none: it would forget
/// the one that it has, or wait for a pipe for ever.
fn readable(look: Look<'_>) -> Result<(), Refusal> {
    match (&look.observed.definition.found, look.observed.definition.standing) {
        (Found::Unreadable(why), Standing::Unreadable) => {
            Err(Refusal::Unreadable { path: look.observed.definition.path.clone(), why: why.clone() })
        }
        _ => Ok(()),
    }
}

/// The steps that make the manager know what is on disk, where it does not.
fn reread(look: Look<'_>) -> Result<Vec<super::Planned>, Refusal> {
    let state = &look.reached.state;
    if is_stale(look) {
        readable(look)?;
    }
    if is_stale(look) || state.load_state == "not-found" {
        return Ok(vec![
            planned(Step::Reload, "what is on disk is not what the manager has read"),
            planned(
                Step::CheckDefinition { strict: false },
                "a value that systemd rejects is dropped silently",
            ),
        ]);
    }
    if state.is_loaded() {
        return Ok(Vec::new());
    }
    Err(Refusal::BadDefinition {
        unit: look.observed.unit.clone(),
        load_state: state.load_state.clone(),
        why: state.load_error.clone().unwrap_or_else(|| "it gives no reason".to_owned()),
    })
}

/// Whether the manager has read something else than what is on disk. Its own answer misses the first drop-in that a
/// unit gets (lifecycle notes E9.2).
pub(super) fn is_stale(look: Look<'_>) -> bool {
    let state = &look.reached.state;
    let read = |name: &OsString| state.drop_in_paths.iter().any(|path| path.file_name() == Some(name));
    state.need_daemon_reload || !look.observed.definition.drop_in_names.iter().all(read)
}

/// Whether neither the disk nor the manager has a definition.
pub(super) fn is_absent(look: Look<'_>) -> bool {
    look.observed.definition.standing == Standing::Missing && look.reached.state.load_state == "not-found"
}

/// Whether the manager has the definition from another place than ours: a package, a generator.
pub(super) fn is_elsewhere(look: Look<'_>) -> bool {
    let path = &look.observed.definition.path;
    look.reached.state.fragment_path.as_ref().is_some_and(|fragment| fragment != path)
        && look.reached.state.load_state != "not-found"
}

/// The refusal to touch a definition that somebody else looks after.
pub(super) fn managed_elsewhere(look: Look<'_>) -> Refusal {
    let path = look.observed.definition.path.clone();
    let origin = match (&look.observed.definition.found, &look.reached.state.fragment_path) {
        (Found::Link { target }, _) => target.clone(),
        (_, Some(fragment)) => fragment.clone(),
        (_, None) => path.clone(),
    };
    Refusal::ManagedElsewhere { path, origin }
}

/// Tells of the same gateway in the other scope: the two would take turns on one port (lifecycle notes B7).
fn other_owner_note(observed: &Observed) -> Option<String> {
    let refusal = Refusal::OtherScope(observed.definition.other_scope.clone()?);
    let hint = refusal.hints(&observed.command, observed.scope, observed.platform).into_iter().next()?;
    Some(format!("{refusal}; {hint}"))
}

/// Tells which drop-ins change the service: whoever wrote them may have forgotten.
pub(super) fn drop_in_note(observed: &Observed) -> Option<String> {
    let reached = observed.manager.reached()?;
    let definition = &observed.definition;
    let filled = |path: &&PathBuf| {
        path.file_name().is_some_and(|name| definition.drop_in_names.iter().any(|filled| filled == name))
    };
    let own = definition.addition.as_ref().map(|addition| &addition.path);
    // Those that are on disk although there is no unit the manager does not know (lifecycle notes E9.8).
    let mut paths: Vec<&PathBuf> = reached.state.drop_in_paths.iter().collect();
    paths.extend(definition.drop_ins.iter().filter(filled));
    paths.retain(|path| Some(*path) != own);
    paths.sort();
    paths.dedup_by(|a, b| a.file_name() == b.file_name());
    let list = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    (!paths.is_empty()).then(|| format!("drop-ins change it: {list}"))
}

fn state_words(look: Look<'_>) -> String {
    let state = &look.reached.state;
    match state.active_state.as_str() {
        "failed" => format!("failed ({})", state.result),
        "activating" if state.awaits_restart() => "waiting to be restarted after a failure".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Change, VerbCase, absent, decide, desired, names, running, stopped};
    use super::*;
    use crate::service::observed::{self, Reached, UnitState, Via};

    const UNIT: &str = "a-gateway.service";

    /// What is decided about a service with these states, as text.
    fn decided(
        decide: fn(Look<'_>) -> Decided,
        active: &str,
        file: &str,
        standing: Standing,
    ) -> (String, Vec<String>) {
        let mut observed = observed::sample(UNIT, "/a-gateway.service");
        observed.definition.standing = standing;
        let state = UnitState {
            load_state: if standing == Standing::Missing { "not-found" } else { "loaded" }.to_owned(),
            active_state: active.to_owned(),
            unit_file_state: file.to_owned(),
            wanted_at_login: file == "enabled",
            ..UnitState::default()
        };
        let reached =
            Reached { via: Via::Bus, version: "252".to_owned(), reads_directory: true, failure: None, state };
        match decide(Look { observed: &observed, reached: &reached }) {
            Ok((steps, notes)) => {
                let steps: Vec<String> = steps.iter().map(|planned| planned.step.to_string()).collect();
                (steps.join(", "), notes)
            }
            Err(refusal) => (refusal.to_string(), Vec::new()),
        }
    }

    #[test]
    fn whoever_stops_it_for_good_disables_it_first() {
        let table = [
            ("active", "enabled", Standing::Ours, "disable, reload the manager's definitions, stop"),
            ("inactive", "enabled", Standing::Ours, "disable, reload the manager's definitions"),
            ("active", "disabled", Standing::Ours, "stop"),
            ("inactive", "disabled", Standing::Ours, ""),
            ("active", "", Standing::Missing, "stop"),
            ("inactive", "", Standing::Missing, "a-gateway.service is not installed"),
        ];
        for (active, file, standing, expected) in table {
            let (steps, notes) = decided(plan_stop_for_good, active, file, standing);
            assert_eq!((steps.as_str(), notes.len()), (expected, 0), "{active}, {file}: {notes:?}");
        }
        let (linked, _) = decided(plan_stop_for_good, "active", "enabled", Standing::Linked);
        assert!(linked.contains("is managed elsewhere"), "{linked}");
    }

    #[test]
    fn a_start_says_that_it_is_for_now_only() {
        let note = "it does not start by itself at login: gateway gateway enable";
        assert_eq!(decided(plan_start, "inactive", "disabled", Standing::Ours).1, [note]);
        assert!(decided(plan_start, "inactive", "enabled", Standing::Ours).1.is_empty());
    }

    #[test]
    fn reload_enable_and_disable_do_what_is_missing() {
        let none = desired("new", true);
        let absent_state: Change = |_, _| {};
        let table: Vec<VerbCase<'_>> = vec![
            (
                "all is well",
                running(),
                |_, _| {},
                ["reload-service settle", "", "disable reload save-record"],
            ),
            ("stopped", stopped(), |_, _| {}, ["NotRunning", "", "disable reload save-record"]),
            (
                "disabled",
                running(),
                |_, state| {
                    state.unit_file_state = "disabled".to_owned();
                    state.wanted_at_login = false;
                },
                ["reload-service settle", "enable reload", "save-record"],
            ),
            (
                "enabled for a target that nobody starts",
                running(),
                |_, state| state.wanted_at_login = false,
                ["reload-service settle", "enable reload", "disable reload save-record"],
            ),
            (
                "without [Install]",
                running(),
                |_, state| {
                    state.unit_file_state = "static".to_owned();
                    state.wanted_at_login = false;
                },
                ["reload-service settle", "Failed", "save-record"],
            ),
            (
                "a link",
                running(),
                |seen, _| seen.definition.standing = Standing::Linked,
                ["reload-service settle", "", "Conflict"],
            ),
            (
                "the manager has read something else",
                running(),
                |_, state| state.need_daemon_reload = true,
                ["reload check-definition reload-service settle", "", "disable reload save-record"],
            ),
            (
                "inside",
                running(),
                |seen, _| seen.inside = true,
                ["reload-service settle", "", "disable reload save-record"],
            ),
            ("nothing", absent(), absent_state, ["NotInstalled", "NotInstalled", "NotInstalled"]),
        ];
        for (case, from, change, expected) in table {
            for (intent, expected) in
                [Intent::Reload, Intent::Enable, Intent::Disable].into_iter().zip(expected)
            {
                let found = names(&decide(intent, &none, from.clone(), change));
                assert_eq!(found, expected, "{case}, {intent:?}");
            }
        }
    }
}
