//! The doctor over a job of launchd: what is done to an installed one is data, one line a case.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::mutation::mutate;
use crate::support::{LABEL, Mac, uid};

const MUTATIONS: &str = include_str!("doctor_mutations.txt");

/// One line of the list.
struct Case {
    line: usize,
    severity: &'static str,
    repair: &'static str,
    id: &'static str,
    key: &'static str,
    file: &'static str,
    actions: &'static str,
    keeps: &'static str,
}

fn cases() -> Vec<Case> {
    let lines = MUTATIONS.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|(number, line)| {
            let mut columns = line.splitn(7, " | ").map(str::trim);
            let mut next = || columns.next().unwrap_or_default();
            Case {
                line: number + 1,
                severity: next(),
                repair: next(),
                id: next(),
                key: next(),
                file: next(),
                actions: next(),
                keeps: next(),
            }
        })
        .collect()
}

#[test]
fn the_list_is_long_and_well_formed() {
    let cases = cases();
    let mut lines: Vec<&str> = cases.iter().map(|case| case.actions).collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), cases.len(), "two cases are the same");
    assert!(cases.len() >= 60);
    for case in &cases {
        assert!(["none", "info", "warning", "error"].contains(&case.severity), "line {}", case.line);
        assert!(["none", "fix", "force", "manual"].contains(&case.repair), "line {}", case.line);
        assert_eq!(case.severity == "none", case.repair == "none", "line {}", case.line);
        assert!(!case.actions.is_empty(), "line {}", case.line);
    }
}

/// An installed job, and everything of it as it was then.
struct Pristine {
    mac: Mac,
    files: Vec<(PathBuf, Vec<u8>)>,
    loaded: (String, String),
}

impl Pristine {
    fn new() -> Self {
        let mac = Mac::new();
        // A gateway that follows its configuration would restart itself for what a case does to it.
        let state_dir = mac.path().join(".idlehands");
        let config = std::fs::read_to_string(state_dir.join("idlehands.json")).unwrap();
        let config = config.replace("gateway: {", "gateway: { reload: { mode: 'off' },");
        mac.put(&state_dir.join("idlehands.json"), config.as_bytes());
        mac.ok("gateway install");
        let kept = [mac.plist(), state_dir.join("service/record.json"), state_dir.join("idlehands.json")];
        let files = kept.map(|path| (path.clone(), std::fs::read(path).unwrap())).into();
        let this = Self { loaded: loaded(&mac), mac, files };
        let clean = this.doctor("");
        assert!(findings(&clean).is_empty(), "{clean:#}");
        this
    }

    /// Undoes whatever a case did.
    fn restore(&self) {
        let mac = &self.mac;
        let agents = mac.path().join("Library/LaunchAgents");
        for dir in [agents.clone(), mac.path().join("machine")] {
            if dir.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                std::fs::remove_dir_all(&dir).unwrap();
            }
        }
        std::fs::create_dir_all(&agents).unwrap();
        for (path, bytes) in &self.files {
            std::fs::write(path, bytes).unwrap();
        }
        let note = mac.path().join(".idlehands/service/last-failure.json");
        // It is there only after a case that made it give up.
        let _ = std::fs::remove_file(note);
        mac.private(&mac.path().join(".idlehands"));
        mac.give();
        let others: Vec<String> =
            mac.state(|state| state.jobs.keys().filter(|label| *label != LABEL).cloned().collect());
        others.iter().for_each(|label| mac.unload(label));
        mac.state(|state| {
            state.knobs = crate::fake::Knobs::default();
            state.environment.clear();
            state.overrides.clear();
        });
        let well =
            mac.state(|state| state.jobs.get(LABEL).is_some_and(|job| job.pid.is_some() && job.runs < 4));
        if !well || loaded(mac) != self.loaded {
            mac.unload(LABEL);
            let plist = mac.plist().display().to_string();
            let back = mac.launchctl(&format!("bootstrap gui/{} {plist}", uid()));
            assert_eq!(back.code, 0, "{back:?}");
        }
        mac.wait("an answer", || mac.answers().then_some(()));
    }

    fn doctor(&self, flags: &str) -> Value {
        let ran = self.mac.run(&format!("doctor --json {flags}"));
        let answer: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let counts = findings(&answer).iter().any(|finding| finding["severity"] != "info");
        assert_eq!(ran.code, if counts { 6 } else { 0 }, "{ran:?}");
        assert!(!format!("{ran:?}").contains("hunter2"), "a secret is shown: {ran:?}");
        answer
    }

    fn sums(&self) -> Vec<Option<Vec<u8>>> {
        self.files.iter().map(|(path, _)| std::fs::read(path).ok()).collect()
    }
}

fn loaded(mac: &Mac) -> (String, String) {
    mac.state(|state| {
        state.jobs.get(LABEL).map(|job| (job.path.clone(), job.text.clone())).unwrap_or_default()
    })
}

/// What was found; that the program is a build, and no installed one, is so in every case.
fn findings(answer: &Value) -> Vec<&Value> {
    let all = answer["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter(|finding| finding["id"] != "machine.passing").collect()
}

/// The finding that a case is about.
fn expected<'a>(case: &Case, answer: &'a Value) -> Option<&'a Value> {
    let says = |value: &Value, wanted: &str| wanted == "-" || value.as_str() == Some(wanted);
    findings(answer).into_iter().find(|finding| {
        let (file, line) =
            case.file.split_once(':').map_or((case.file, None), |(file, line)| (file, Some(line)));
        let at = finding["at"]["file"].as_str().unwrap_or_default();
        finding["id"] == case.id
            && finding["severity"] == case.severity
            && says(&finding["key"], case.key)
            && (file == "-" || at.ends_with(file))
            && line.is_none_or(|line| finding["at"]["line"].as_u64() == line.parse().ok())
    })
}

/// Does what a case does, and returns what is wrong with what the doctor said and did about it.
fn judge(pristine: &Pristine, case: &Case) -> Result<(), String> {
    mutate(&pristine.mac, case.actions);
    let before = pristine.sums();
    let first = pristine.doctor("");
    let demand = |holds: bool, what: &str, answer: &Value| match holds {
        true => Ok(()),
        false => Err(format!("{what}: {answer:#}")),
    };
    let counting = |answer: &Value| findings(answer).iter().any(|finding| finding["severity"] != "info");
    if case.severity == "none" {
        demand(findings(&first).is_empty(), "harmless, and reported", &first)?;
        let fixed = pristine.doctor("--fix --yes");
        let untouched = fixed["repair"]["done"] == false && before == pristine.sums();
        return demand(untouched, "harmless, and repaired", &fixed);
    }
    demand(expected(case, &first).is_some(), "not found", &first)?;
    demand(
        (first["ok"] == true) == (case.severity == "info" && !counting(&first)),
        "the verdict is wrong",
        &first,
    )?;
    let repaired = |answer: &Value| expected(case, answer).is_none() && !counting(answer);
    let fixed = pristine.doctor("--fix --yes");
    match case.repair {
        "fix" => demand(repaired(&fixed), "not repaired by --fix", &fixed)?,
        "force" => {
            demand(expected(case, &fixed).is_some(), "--fix took it away", &fixed)?;
            let forced = pristine.doctor("--fix --yes --force");
            demand(repaired(&forced), "not repaired by --force", &forced)?;
        }
        _ => {
            demand(expected(case, &fixed).is_some(), "--fix took away what is the operator's", &fixed)?;
            let forced = pristine.doctor("--fix --yes --force");
            demand(expected(case, &forced).is_some(), "--force took away what is the operator's", &forced)?;
        }
    }
    let again = pristine.doctor("--fix --yes --force");
    demand(case.repair == "manual" || repaired(&again), "found again", &again)?;
    demand(again["repair"]["done"] == false, "a second repair has something to do", &again)?;
    let kept = case.keeps.is_empty() || crate::mutation::holds(&pristine.mac, case.keeps);
    demand(kept, "what the operator added is gone", &again)
}

/// Machines at a time: most of it is waiting.
const MACHINES: usize = 6;

#[test]
fn every_mutation_is_found_repaired_and_converges_and_what_is_harmless_is_not_told() {
    let (cases, next) = (cases(), AtomicUsize::new(0));
    let wrong: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..MACHINES {
            scope.spawn(|| {
                let pristine = Pristine::new();
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let judged = catch_unwind(AssertUnwindSafe(|| judge(&pristine, case)));
                    if let Err(why) = judged.unwrap_or_else(|_| Err("it panicked".to_owned())) {
                        let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                        wrong.push(format!("line {}: {}\n{why}", case.line, case.actions));
                    }
                    pristine.restore();
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}
