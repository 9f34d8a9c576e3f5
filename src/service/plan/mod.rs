//! From what is wanted and what was found to an ordered list of steps, or a reason why not.
//!
//! Pure, and the only place where choices are made: performing a plan decides nothing. A plan can be shown, compared
//! and stored before anything happens. Steps are words of no platform; each platform's manager knows how to do them.

mod install;
mod package;
mod refusal;
mod step;
mod undo;
mod uninstall;
mod verbs;

pub use refusal::Refusal;
pub use step::{Planned, Provision, Step};
pub use undo::undo;

use std::path::PathBuf;

use serde::Serialize;

use super::observed::{Observed, Reached};
use super::record::Record;

/// What the operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// The definition is in place and, unless declined, enabled and running.
    Install(Install),
    /// Nothing of ours is left with the manager.
    Uninstall,
    /// It runs.
    Start,
    /// It does not run, until it is started, or the next login or boot.
    Stop,
    /// It does not run, and does not start by itself any more.
    StopForGood,
    /// A new process runs.
    Restart,
    /// The process that runs looks at its configuration again.
    Reload,
    /// It starts at every login.
    Enable,
    /// It does not start at login. Whether it runs now stays as it is.
    Disable,
}

/// How much an install does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Install {
    /// Replace a definition that was edited or is not ours (its text is kept in the state directory).
    pub force: bool,
    /// Start it at every login, or at boot.
    pub enable: bool,
    /// Start it now.
    pub start: bool,
    /// Let it outlive the last session.
    pub linger: bool,
    /// The operator named a port, an account or the like, which the definition has to carry.
    pub chosen: bool,
}

impl Default for Install {
    fn default() -> Self {
        Self { force: false, enable: true, start: true, linger: false, chosen: false }
    }
}

/// The definition that should be in place, rendered for the manager that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// Its text.
    pub text: String,
    /// Whether it means something else than what is installed. Comments and marks do not count.
    pub changes: bool,
    /// What replacing the installed text changes, fit to be shown.
    pub diff: Option<String>,
    /// What was chosen over the definition of a package, where that is the one that counts.
    pub addition: Option<Choice>,
    /// What to remember about it. The time and who turned on lingering are filled in when it is saved.
    pub record: Record,
    /// The setting that makes what is installed there the service of another gateway, if it is one.
    pub another: Option<String>,
    /// What its account must be given, where the manager gives it nothing.
    pub provision: Option<Provision>,
}

/// What was chosen over a definition that a package owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where it is written.
    pub path: PathBuf,
    /// The settings; none where the package's definition has all of them already.
    pub text: Option<String>,
    /// Their names.
    pub names: Vec<String>,
    /// Whether what is there says something else.
    pub changes: bool,
    /// What replacing it changes, fit to be shown.
    pub diff: Option<String>,
    /// What to remember of it.
    pub record: Option<Record>,
}

/// What will be done, in order, and what the operator should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The form of this value in JSON.
    pub schema: u32,
    /// What it serves.
    pub intent: Intent,
    /// The unit.
    pub unit: String,
    /// The steps. None means that everything is so already.
    pub steps: Vec<Planned>,
    /// Remarks.
    pub notes: Vec<String>,
}

/// The form of [`Plan`] in JSON.
const SCHEMA: u32 = 1;

/// Decides what to do. `desired` is needed for [`Intent::Install`] alone.
pub fn plan(intent: Intent, desired: Option<&Desired>, observed: &Observed) -> Result<Plan, Refusal> {
    match intent {
        Intent::Install(_) if !observed.may_write => return Err(Refusal::NotRoot { verb: "install" }),
        Intent::Uninstall if !observed.may_write => return Err(Refusal::NotRoot { verb: "uninstall" }),
        _ => {}
    }
    let reached = match &observed.manager {
        super::observed::Manager::Reached(reached) => reached,
        super::observed::Manager::Unreachable { unreachable } => {
            return Err(Refusal::Unreachable(unreachable.clone()));
        }
    };
    let look = Look { observed, reached };
    let (mut steps, notes) = match (intent, desired) {
        (Intent::Install(install), Some(desired)) => install::plan_install(install, desired, look)?,
        (Intent::Install(_), None) => return Err(Refusal::NothingDesired),
        (Intent::Uninstall, _) => uninstall::plan_uninstall(look)?,
        (Intent::Start, _) => verbs::plan_start(look)?,
        (Intent::Stop, _) => verbs::plan_stop(look)?,
        (Intent::StopForGood, _) => verbs::plan_stop_for_good(look)?,
        (Intent::Restart, _) => verbs::plan_restart(look)?,
        (Intent::Reload, _) => verbs::plan_reload(look)?,
        (Intent::Enable, _) => verbs::plan_enable(look)?,
        (Intent::Disable, _) => verbs::plan_disable(look)?,
    };
    steps.retain(|planned: &Planned| observed.platform.knows(&planned.step, intent));
    Ok(Plan { schema: SCHEMA, intent, unit: observed.unit.clone(), steps, notes })
}

impl Plan {
    /// Whether everything is so already.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// Steps as text, a line each.
impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, planned) in self.steps.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}. {}: {}", number + 1, planned.step, planned.because)?;
        }
        Ok(())
    }
}

/// What was found, once the manager is known to have answered.
#[derive(Clone, Copy)]
struct Look<'a> {
    observed: &'a Observed,
    reached: &'a Reached,
}

type Decided = Result<(Vec<Planned>, Vec<String>), Refusal>;

fn planned(step: Step, because: &str) -> Planned {
    Planned { step, because: because.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;
    use crate::service::Scope;
    use crate::service::definition::{Found, Standing};
    use crate::service::observed::{self, DirectoryProblem, Linger, OtherOwner, UnitState, Via};
    use crate::service::platform::Platform;
    use crate::service::record;

    const UNIT: &str = "fased-gateway.service";
    const PATH: &str = "/home/ada/.config/systemd/user/fased-gateway.service";

    fn other_owner() -> OtherOwner {
        OtherOwner { unit: UNIT.to_owned(), path: "/etc/x".into(), user: Some("ada".to_owned()) }
    }

    fn remembered(text: &str) -> Record {
        Record {
            version: record::VERSION,
            unit: UNIT.to_owned(),
            path: PATH.into(),
            text: text.to_owned(),
            program: "/usr/bin/fased".into(),
            real_program: "/usr/bin/fased".into(),
            domain: None,
            port: None,
            generator: "1".to_owned(),
            linger_by_us: false,
            by_hand: false,
            written_ms: 0,
        }
    }

    pub(super) fn desired(text: &str, changes: bool) -> Desired {
        let (text, record) = (text.to_owned(), remembered(text));
        Desired { text, changes, diff: None, record, another: None, addition: None, provision: None }
    }

    /// Nothing is installed.
    pub(super) fn absent() -> Seen {
        let observed = observed::sample(UNIT, PATH);
        let state = UnitState {
            load_state: "not-found".to_owned(),
            active_state: "inactive".to_owned(),
            sub_state: "dead".to_owned(),
            result: "success".to_owned(),
            ..UnitState::default()
        };
        (observed, state)
    }

    /// Our definition `old` is installed, enabled, loaded and running.
    pub(super) fn running() -> Seen {
        let (mut observed, mut state) = absent();
        observed.definition.found = Found::File("old".to_owned());
        observed.definition.standing = Standing::Ours;
        observed.record = record::Found::Record(Box::new(remembered("old")));
        state.load_state = "loaded".to_owned();
        state.unit_file_state = "enabled".to_owned();
        state.wanted_at_login = true;
        state.fragment_path = Some(PATH.into());
        state.active_state = "active".to_owned();
        state.sub_state = "running".to_owned();
        (observed, state)
    }

    pub(super) fn stopped() -> Seen {
        let (observed, mut state) = running();
        state.active_state = "inactive".to_owned();
        state.sub_state = "dead".to_owned();
        (observed, state)
    }

    /// What was found, and the unit's state within it.
    pub(super) type Seen = (Observed, UnitState);
    pub(super) type Change = fn(&mut Observed, &mut UnitState);
    type InstallCase<'a> = (&'a str, Install, &'a Desired, Seen, Change, &'a str);
    pub(super) type VerbCase<'a> = (&'a str, Seen, Change, [&'a str; 3]);

    pub(super) fn decide(
        intent: Intent,
        desired: &Desired,
        from: Seen,
        change: Change,
    ) -> Result<Plan, Refusal> {
        let (mut observed, mut state) = from;
        change(&mut observed, &mut state);
        observed.manager = observed::Manager::Reached(Box::new(Reached {
            via: Via::Bus,
            version: "252".to_owned(),
            reads_directory: observed.command != "elsewhere",
            failure: None,
            state,
        }));
        plan(intent, Some(desired), &observed)
    }

    /// The steps by their names, as JSON has them.
    pub(super) fn names(plan: &Result<Plan, Refusal>) -> String {
        match plan {
            Ok(plan) => {
                let steps = serde_json::to_value(&plan.steps).unwrap();
                let steps = steps.as_array().unwrap().iter();
                steps.map(|step| step["do"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
            }
            Err(refusal) => format!("{:?}", refusal.exit_code()),
        }
    }

    fn install() -> Install {
        Install::default()
    }

    #[test]
    fn an_install_does_what_is_missing_and_nothing_more() {
        let (old, new) = (desired("old", false), desired("new", true));
        let table: Vec<InstallCase<'_>> = vec![
            (
                "nothing is there",
                install(),
                &new,
                absent(),
                |_, _| {},
                "write-definition enable reload check-definition reset-failed start prove save-record",
            ),
            ("all is so already", install(), &old, running(), |_, _| {}, ""),
            (
                "something else is wanted",
                install(),
                &new,
                running(),
                |_, _| {},
                "back-up write-definition reload check-definition reset-failed restart prove save-record",
            ),
            (
                "without start",
                Install { start: false, ..install() },
                &new,
                running(),
                |_, _| {},
                "back-up write-definition reload check-definition save-record",
            ),
            ("it is stopped", install(), &old, stopped(), |_, _| {}, "reset-failed start prove"),
            (
                "it waits to be restarted",
                install(),
                &old,
                running(),
                |_, state| {
                    state.active_state = "activating".to_owned();
                    state.sub_state = "auto-restart".to_owned();
                },
                "reset-failed restart prove",
            ),
            (
                "it is starting with the old definition",
                install(),
                &new,
                running(),
                |_, state| state.active_state = "activating".to_owned(),
                "back-up write-definition reload check-definition reset-failed restart prove save-record",
            ),
        ];
        check_installs(table);
    }

    #[test]
    fn an_install_completes_what_is_there_already() {
        let (old, new) = (desired("old", false), desired("new", true));
        let table: Vec<InstallCase<'_>> = vec![
            (
                "enabled, and nobody wants it",
                install(),
                &old,
                running(),
                |_, state| state.wanted_at_login = false,
                "enable reload check-definition",
            ),
            (
                "not to be enabled",
                Install { enable: false, ..install() },
                &old,
                running(),
                |_, state| state.unit_file_state = "disabled".to_owned(),
                "save-record",
            ),
            (
                "the manager has not read it",
                install(),
                &old,
                stopped(),
                |_, state| state.load_state = "not-found".to_owned(),
                "reload check-definition reset-failed start prove",
            ),
            (
                "a drop-in changed",
                install(),
                &old,
                running(),
                |_, state| state.need_daemon_reload = true,
                "reload check-definition",
            ),
            (
                "a first drop-in that the manager overlooks",
                install(),
                &old,
                running(),
                |seen, _| seen.definition.drop_in_names = vec!["a.conf".into()],
                "reload check-definition",
            ),
            (
                "a drop-in that the manager has read",
                install(),
                &old,
                running(),
                |seen, state| {
                    seen.definition.drop_in_names = vec!["a.conf".into()];
                    state.drop_in_paths = vec!["/elsewhere/a.conf".into()];
                },
                "",
            ),
            (
                "the record is lost",
                install(),
                &old,
                running(),
                |seen, _| seen.record = record::Found::Missing,
                "save-record",
            ),
            (
                "lingering is wanted",
                Install { linger: true, ..install() },
                &old,
                running(),
                |seen, _| seen.linger = Linger::No,
                "enable-linger save-record",
            ),
            (
                "from inside the service, the job comes last and is not waited for",
                install(),
                &new,
                running(),
                |seen, _| seen.inside = true,
                "back-up write-definition reload check-definition save-record reset-failed restart",
            ),
        ];
        check_installs(table);
    }

    fn check_installs(table: Vec<InstallCase<'_>>) {
        for (case, install, desired, from, change, expected) in table {
            assert_eq!(names(&decide(Intent::Install(install), desired, from, change)), expected, "{case}");
        }
    }

    #[test]
    fn an_install_touches_nothing_that_is_not_ours() {
        let new = desired("new", true);
        let forced =
            "back-up write-definition reload check-definition reset-failed restart prove save-record";
        let table: [(&str, Change, &str, &str); 12] = [
            ("edited", |seen, _| seen.definition.standing = Standing::Edited, "Drift", forced),
            ("foreign", |seen, _| seen.definition.standing = Standing::Foreign, "Conflict", forced),
            ("masked", |seen, _| seen.definition.standing = Standing::Masked, "Failed", "Failed"),
            ("linked", |seen, _| seen.definition.standing = Standing::Linked, "Conflict", "Conflict"),
            ("unreadable", |seen, _| seen.definition.standing = Standing::Unreadable, "Failed", "Failed"),
            (
                "masked at run time",
                |seen, state| {
                    seen.definition.standing = Standing::Missing;
                    state.load_state = "masked".to_owned();
                },
                "Failed",
                "Failed",
            ),
            (
                "from an administrator",
                |seen, state| {
                    seen.definition.standing = Standing::Missing;
                    seen.definition.found = Found::Missing;
                    state.fragment_path = Some("/etc/systemd/user/fased-gateway.service".into());
                },
                "Conflict",
                "write-definition reload check-definition reset-failed restart prove save-record",
            ),
            (
                "a system service",
                |seen, _| seen.definition.other_scope = Some(other_owner()),
                "Conflict",
                forced,
            ),
            (
                "a directory of others",
                |seen, _| {
                    let dir = PathBuf::from("/d");
                    seen.definition.directory_problem = Some(DirectoryProblem::Writable { dir });
                },
                "NotPermitted",
                "NotPermitted",
            ),
            (
                "a linked directory",
                |seen, _| {
                    let dir = PathBuf::from("/d");
                    seen.definition.directory_problem = Some(DirectoryProblem::Link { dir });
                },
                "NotPermitted",
                forced,
            ),
            (
                "a directory that is not read",
                |seen, _| seen.command = "elsewhere".to_owned(),
                "Failed",
                "Failed",
            ),
            ("ours", |_, _| {}, forced, forced),
        ];
        for (case, change, plain, by_force) in table {
            for (force, expected) in [(false, plain), (true, by_force)] {
                let intent = Intent::Install(Install { force, ..install() });
                assert_eq!(
                    names(&decide(intent, &new, running(), change)),
                    expected,
                    "{case}, force: {force}"
                );
            }
        }
    }

    #[test]
    fn an_edit_that_changes_nothing_is_left_alone() {
        let plan = decide(Intent::Install(install()), &desired("old", false), running(), |seen, _| {
            seen.definition.standing = Standing::Edited;
            seen.definition.found = Found::File("# mine\nold".to_owned());
        });
        assert_eq!(names(&plan), "");
        assert_eq!(
            plan.unwrap().notes,
            [format!("{PATH} has comments or blanks of somebody else; they stay")]
        );
    }

    /// Lifecycle notes B3: "start must work from every state".
    #[test]
    fn verbs_from_every_state() {
        let none = desired("old", false);
        let states: [VerbCase<'_>; 11] = [
            ("running", running(), |_, _| {}, ["", "reset-failed restart prove", "stop"]),
            ("stopped", stopped(), |_, _| {}, ["reset-failed start prove", "reset-failed start prove", ""]),
            (
                "failed",
                stopped(),
                |_, state| state.active_state = "failed".to_owned(),
                ["reset-failed start prove", "reset-failed start prove", ""],
            ),
            (
                "waiting for a restart",
                stopped(),
                |_, state| {
                    state.active_state = "activating".to_owned();
                    state.sub_state = "auto-restart".to_owned();
                },
                ["reset-failed restart prove", "reset-failed restart prove", "stop"],
            ),
            (
                "starting",
                stopped(),
                |_, state| state.active_state = "activating".to_owned(),
                ["reset-failed start prove", "reset-failed restart prove", "stop"],
            ),
            (
                "stopping",
                stopped(),
                |_, state| state.active_state = "deactivating".to_owned(),
                ["reset-failed start prove", "reset-failed restart prove", "stop"],
            ),
            (
                "never read",
                stopped(),
                |_, state| state.load_state = "not-found".to_owned(),
                [
                    "reload check-definition reset-failed start prove",
                    "reload check-definition reset-failed start prove",
                    "",
                ],
            ),
            ("not installed", absent(), |_, _| {}, ["NotInstalled", "NotInstalled", "NotInstalled"]),
            (
                "an orphan",
                absent(),
                |_, state| state.active_state = "active".to_owned(),
                ["NotInstalled", "NotInstalled", "stop"],
            ),
            (
                "masked",
                stopped(),
                |_, state| state.load_state = "masked".to_owned(),
                ["Failed", "Failed", ""],
            ),
            (
                "not loadable",
                stopped(),
                |_, state| state.load_state = "bad-setting".to_owned(),
                ["Failed", "Failed", ""],
            ),
        ];
        for (case, from, change, expected) in states {
            for (intent, expected) in [Intent::Start, Intent::Restart, Intent::Stop].into_iter().zip(expected)
            {
                let planned = decide(intent, &none, from.clone(), change);
                assert_eq!(names(&planned), expected, "{case}, {intent:?}");
            }
        }
    }

    #[test]
    fn an_uninstall_removes_what_is_ours_and_tells_what_it_leaves() {
        let none = desired("old", false);
        let table: [(&str, Seen, Change, &str); 9] = [
            (
                "running",
                running(),
                |_, _| {},
                "stop disable remove-definition reload reset-failed remove-record",
            ),
            ("stopped", stopped(), |_, _| {}, "disable remove-definition reload remove-record"),
            (
                "edited",
                stopped(),
                |seen, _| seen.definition.standing = Standing::Edited,
                "disable back-up remove-definition reload remove-record",
            ),
            ("nothing", absent(), |_, _| {}, ""),
            ("an orphan", absent(), |_, state| state.active_state = "active".to_owned(), "stop reset-failed"),
            ("foreign", running(), |seen, _| seen.definition.standing = Standing::Foreign, "Conflict"),
            ("linked", running(), |seen, _| seen.definition.standing = Standing::Linked, "Conflict"),
            (
                "lingering came with it",
                stopped(),
                |seen, _| {
                    let record = Record { linger_by_us: true, ..remembered("old") };
                    seen.record = record::Found::Record(Box::new(record));
                },
                "disable remove-definition reload remove-record disable-linger",
            ),
            (
                "from inside",
                running(),
                |seen, _| seen.inside = true,
                "disable remove-definition reload reset-failed remove-record stop",
            ),
        ];
        for (case, from, change, expected) in table {
            assert_eq!(names(&decide(Intent::Uninstall, &none, from, change)), expected, "{case}");
        }
        let plan = decide(Intent::Uninstall, &none, stopped(), |seen, _| {
            seen.definition.drop_ins = vec!["/x.d/a.conf".into()];
        });
        let left = "what is left: /x.d/a.conf, /home/ada/.fased (configuration, state and logs)";
        assert_eq!(plan.unwrap().notes, [left]);
    }

    #[test]
    fn lingering_that_serves_others_stays() {
        let plan = decide(Intent::Uninstall, &desired("old", false), stopped(), |seen, _| {
            let record = Record { linger_by_us: true, ..remembered("old") };
            seen.record = record::Found::Record(Box::new(record));
            seen.other_units_enabled = true;
        });
        assert_eq!(names(&plan), "disable remove-definition reload remove-record");
        assert_eq!(plan.unwrap().notes[0], "lingering stays on: other services of yours are enabled");
    }

    #[test]
    fn a_failed_install_goes_back_to_what_was_there() {
        let new = desired("new", true);
        let way_back = |from: Seen, failing: &str| {
            let before = from.clone();
            let planned = decide(Intent::Install(install()), &new, from, |_, _| {}).unwrap();
            let steps = serde_json::to_value(&planned.steps).unwrap();
            let steps = steps.as_array().unwrap();
            let failed = steps.iter().position(|step| step["do"] == failing).unwrap();
            let (mut observed, state) = before;
            observed.manager = observed::Manager::Reached(Box::new(Reached {
                via: Via::Bus,
                version: "252".to_owned(),
                reads_directory: true,
                failure: None,
                state,
            }));
            let steps = undo(&planned, failed, &observed);
            names(&Ok(Plan { steps, ..planned }))
        };
        let table: [(&str, Seen, &str, &str); 7] = [
            ("it did not start", absent(), "prove", "stop disable remove-definition reload reset-failed"),
            ("it was not understood", absent(), "check-definition", "disable remove-definition reload"),
            ("it was not written", absent(), "write-definition", ""),
            ("it ran before", running(), "prove", "write-definition reload reset-failed restart prove"),
            ("it ran and was not restarted yet", running(), "check-definition", "write-definition reload"),
            ("it did not run before", stopped(), "prove", "stop write-definition reload reset-failed"),
            ("only the record is missing", running(), "save-record", ""),
        ];
        for (case, from, failing, expected) in table {
            assert_eq!(way_back(from, failing), expected, "{case}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_not_changed() {
        let (observed, _) = absent();
        for intent in
            [Intent::Install(install()), Intent::Uninstall, Intent::Start, Intent::Stop, Intent::Restart]
        {
            let refusal = plan(intent, Some(&desired("new", true)), &observed).unwrap_err();
            assert_eq!(refusal.exit_code(), ExitCode::NoManager);
            assert_eq!(
                refusal.hints("fased", Scope::User, Platform::Systemd),
                ["run it in the foreground instead: fased gateway run"]
            );
        }
    }

    #[test]
    fn a_plan_can_be_read_and_shows_no_text_of_the_definition() {
        let plan =
            decide(Intent::Install(install()), &desired("A_TOKEN=hunter2", true), running(), |_, _| {})
                .unwrap();
        assert!(!serde_json::to_string(&plan).unwrap().contains("hunter2"));
        let first = plan.to_string().lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(
            first,
            format!(
                "1. keep the present definition in /home/ada/.fased/service/{UNIT}.previous: it is about to be replaced\n2. write {PATH}: what is wanted has changed"
            )
        );
    }

    #[test]
    fn the_machines_definitions_are_roots_to_write_and_everybodys_to_start() {
        let decide =
            |intent| decide(intent, &desired("old", false), running(), |seen, _| seen.may_write = false);
        for (intent, verb) in
            [(Intent::Install(Install::default()), "install"), (Intent::Uninstall, "uninstall")]
        {
            let refusal = decide(intent).unwrap_err();
            assert_eq!(refusal, Refusal::NotRoot { verb });
            assert_eq!(refusal.exit_code(), ExitCode::NotPermitted);
            let hint = format!("sudo fased --system gateway {verb}");
            assert_eq!(refusal.hints("fased --system", Scope::System, Platform::Systemd), [hint]);
        }
        assert!(decide(Intent::Restart).is_ok());
    }
}
