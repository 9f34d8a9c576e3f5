//! The verbs of the fake `launchctl` that have newer ones: `load`, `unload`, `remove`, `list`, and those that take files.

use std::path::Path;

use plist::Value;
use rustix::process::geteuid;

use crate::fake::{Answer, State, answer, arguments, bootout, bootstrap, domain_problem};

/// The domain of whoever asks.
fn own_domain(state: &State) -> String {
    let uid = geteuid();
    match uid.is_root() {
        true => "system".to_owned(),
        false if state.knobs.no_gui => format!("user/{}", uid.as_raw()),
        false => format!("gui/{}", uid.as_raw()),
    }
}

fn label_of(plist: &str) -> Option<String> {
    let values = plist::Value::from_file(plist).ok()?.into_dictionary()?;
    values.get("Label").and_then(Value::as_string).map(str::to_owned)
}

/// Loads several files, with a word on each that is loaded already.
pub fn bootstrap_each(path: &Path, domain: &str, plists: &[&str]) -> Answer {
    let mut all = Answer::default();
    for plist in plists {
        let loaded =
            label_of(plist).is_some_and(|label| State::with(path, |state| state.jobs.contains_key(&label)));
        if loaded {
            all.err += &format!("{plist}: service already bootstrapped\n");
            continue;
        }
        let one = bootstrap(path, domain, plist);
        all.code = all.code.max(one.code);
        all.err += &one.err;
    }
    all
}

/// Unloads by file.
pub fn bootout_file(path: &Path, domain: &str, plist: &str) -> Answer {
    let label = label_of(plist);
    State::with(path, |state| {
        if let Some(problem) = domain_problem(state, domain) {
            return problem;
        }
        match label.filter(|label| state.jobs.contains_key(label)) {
            Some(label) => bootout(state, domain, &label),
            None => answer(5, "Boot-out failed: 5: Input/output error"),
        }
    })
}

/// `load [-w] PATH`: says what is wrong, and counts everything as a success.
pub fn load(path: &Path, options: &[&str], plist: &str) -> Answer {
    let Some(label) = label_of(plist) else {
        return answer(0, format!("{plist}: Invalid property list"));
    };
    let (domain, loaded) = State::with(path, |state| {
        if options.contains(&"-w") {
            state.overrides.insert(label.clone(), false);
        }
        (own_domain(state), state.jobs.contains_key(&label))
    });
    if domain.starts_with("gui/") && State::with(path, |state| state.knobs.gui_crashes) {
        return answer(134, "");
    }
    if loaded {
        return answer(0, format!("{plist}: service already loaded"));
    }
    match bootstrap(path, &domain, plist) {
        Answer { code: 0, .. } => Answer::default(),
        failed => answer(0, format!("Load failed: {}: {}", failed.code, crate::fake::words_of(failed.code))),
    }
}

/// `unload [-w] PATH`.
pub fn unload(path: &Path, options: &[&str], plist: &str) -> Answer {
    let Some(label) = label_of(plist) else {
        return answer(0, format!("{plist}: Could not find specified service"));
    };
    State::with(path, |state| {
        if options.contains(&"-w") {
            state.overrides.insert(label.clone(), true);
        }
        let domain = own_domain(state);
        match bootout(state, &domain, &label) {
            Answer { code: 0, .. } => Answer::default(),
            failed => {
                answer(0, format!("Unload failed: {}: {}", failed.code, crate::fake::words_of(failed.code)))
            }
        }
    })
}

/// `remove LABEL`: also of none that is there.
pub fn remove(path: &Path, label: &str) -> Answer {
    State::with(path, |state| {
        let domain = own_domain(state);
        bootout(state, &domain, label);
        Answer::default()
    })
}

/// `list`: the jobs of whoever asks.
pub fn list(state: &State) -> Answer {
    let domain = own_domain(state);
    let mut out = "PID\tStatus\tLabel\n".to_owned();
    for (label, job) in state.jobs.iter().filter(|(_, job)| job.domain == domain) {
        let pid = job.pid.map_or("-".to_owned(), |pid| pid.to_string());
        out += &format!("{pid}\t{}\t{label}\n", last_status(job.last_exit.as_deref()));
    }
    Answer { out, ..Answer::default() }
}

/// `list LABEL`: one job as an old-style dictionary.
pub fn list_one(state: &State, label: &str) -> Answer {
    let domain = own_domain(state);
    let Some(job) = state.jobs.get(label).filter(|job| job.domain == domain) else {
        return answer(113, format!("Could not find service \"{label}\" in domain for {domain}"));
    };
    let mut out = format!("{{\n\t\"Label\" = \"{label}\";\n\t\"OnDemand\" = true;\n");
    out += &format!("\t\"LastExitStatus\" = {};\n", last_status(job.last_exit.as_deref()));
    if let Some(pid) = job.pid {
        out += &format!("\t\"PID\" = {pid};\n");
    }
    let words = arguments(&job.values());
    let words: String = words.iter().map(|word| format!("\t\t\"{word}\";\n")).collect();
    Answer { out: format!("{out}\t\"ProgramArguments\" = (\n{words}\t);\n}};\n"), ..Answer::default() }
}

/// An exit status, or a signal below zero.
fn last_status(last_exit: Option<&str>) -> String {
    let Some(line) = last_exit else { return "0".to_owned() };
    let (what, value) = line.split_once(" = ").unwrap_or((line, "???"));
    let number = |text: &str| text.trim().parse::<i32>().ok();
    let status = match what {
        "last terminating signal" => value.rsplit(' ').next().and_then(number).map(|signal| -signal),
        _ => value.split(':').next().and_then(number),
    };
    status.map_or("???".to_owned(), |status| status.to_string())
}
