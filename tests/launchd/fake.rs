//! The fake launchd: what `launchctl` answers.
//!
//! Everything it knows is in one file under a lock, like launchd's own memory; `keeper` is the part that looks after a
//! job's process. Numbers and texts are those of lifecycle notes D1 to D5.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use plist::{Dictionary, Value};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use crate::{keeper, legacy};

/// What launchd knows.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The test is over.
    pub over: bool,
    pub knobs: Knobs,
    /// Loaded jobs by label: no test has one label in two domains.
    pub jobs: BTreeMap<String, Job>,
    /// Overrides by label: whether it is disabled.
    pub overrides: BTreeMap<String, bool>,
    /// Variables that every job has from launchd.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Every call, in order.
    pub calls: Vec<String>,
    generation: u64,
}

/// What can be chosen about this launchd.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Knobs {
    /// There is no graphical session.
    pub no_gui: bool,
    /// The graphical domain answers 125 to everything.
    pub gui_125: bool,
    /// The graphical domain shows itself, and takes no jobs (125).
    pub gui_takes_none: bool,
    /// There is no domain of the user.
    pub no_user: bool,
    /// The user's domain answers 5 to every bootstrap.
    pub user_5: bool,
    /// Overrides are told as `true` and `false`.
    pub old_words: bool,
    /// No line about richer errors.
    pub terse: bool,
    /// A job that is loaded already is answered by 17.
    pub already_17: bool,
    /// A disabled label is answered by 5.
    pub disabled_5: bool,
    /// So many bootstraps are answered by this code, whatever is there.
    pub refuse: Vec<i32>,
    /// The next calls of these verbs are answered by these codes: without doing anything, or after having done it.
    pub inject: Vec<(String, i32, bool)>,
    /// Everything that is said of the graphical domain to those who load by the old verbs ends in a crash (macOS 26).
    pub gui_crashes: bool,
    /// These verbs never come back, so many times.
    pub hang: Option<(String, u32)>,
    /// Descriptions have unknown keys and another order.
    pub garbage: bool,
    /// The client is killed at this call (from 1): before or after it is done.
    pub kill_client: Option<(usize, bool)>,
}

/// A loaded job.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Job {
    pub domain: String,
    pub path: String,
    /// The definition as it was when the job was loaded.
    pub text: String,
    pub pid: Option<u32>,
    pub keeper: Option<u32>,
    pub runs: u32,
    /// As `print` tells it.
    pub last_exit: Option<String>,
    /// When it is killed if it has not gone by then.
    pub leaving_until: Option<u64>,
    /// When its process is killed that was told to end for a new one.
    pub kicked_until: Option<u64>,
    /// When it is to be started.
    pub start_at: Option<u64>,
    /// When it was last started.
    pub started: u64,
    pub generation: u64,
}

/// An answer of launchctl.
#[derive(Debug, Default)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn answer(code: i32, err: impl Into<String>) -> Answer {
    let mut err = err.into();
    if !err.is_empty() && !err.ends_with('\n') {
        err.push('\n');
    }
    Answer { code, out: String::new(), err }
}

impl State {
    /// Reads the state, changes it and writes it, with everybody else waiting.
    pub fn with<T>(path: &Path, change: impl FnOnce(&mut Self) -> T) -> T {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o666)
            .open(path)
            .unwrap();
        file.lock().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let mut state: Self =
            if text.is_empty() { Self::default() } else { serde_json::from_str(&text).unwrap() };
        let result = change(&mut state);
        let new = serde_json::to_string(&state).unwrap();
        if new != text {
            file.set_len(0).unwrap();
            file.rewind().unwrap();
            file.write_all(new.as_bytes()).unwrap();
        }
        result
    }

    /// Program and arguments of a job that is loaded.
    pub fn arguments(&self, label: &str) -> Vec<String> {
        self.jobs.get(label).map(|job| arguments(&job.values())).unwrap_or_default()
    }
}

impl Job {
    pub fn values(&self) -> Dictionary {
        plist::from_bytes::<Value>(self.text.as_bytes()).unwrap().into_dictionary().unwrap()
    }
}

pub fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

pub fn state_path() -> PathBuf {
    std::env::var_os("SUITE_STATE").unwrap().into()
}

/// One call of launchctl.
pub fn launchctl(words: &[String]) -> Answer {
    let path = state_path();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (call, hangs, kill) = State::with(&path, |state| {
        state.calls.push(words.join(" "));
        let hangs = match &mut state.knobs.hang {
            Some((verb, times)) if words.first() == Some(&verb.as_str()) && *times > 0 => {
                *times -= 1;
                true
            }
            _ => false,
        };
        (state.calls.len(), hangs, state.knobs.kill_client)
    });
    if hangs {
        std::thread::sleep(Duration::from_secs(3600));
    }
    let kill_at = |before: bool| {
        if kill == Some((call, before))
            && let Some(client) = std::env::var("SUITE_CLIENT").ok().and_then(|pid| pid.parse().ok())
        {
            signal(client, Signal::KILL);
        }
    };
    kill_at(true);
    let answer = dispatch(&path, &words);
    kill_at(false);
    answer
}

fn dispatch(path: &Path, words: &[&str]) -> Answer {
    let verb = words.first().copied().unwrap_or_default();
    let injected = State::with(path, |state| {
        let at = state.knobs.inject.iter().position(|(own, ..)| own == verb)?;
        Some(state.knobs.inject.remove(at))
    });
    match injected {
        None => act(path, words),
        Some((_, code, does)) => {
            if does {
                act(path, words);
            }
            let label = words.last().and_then(|target| target.rsplit('/').next()).unwrap_or_default();
            State::with(path, |state| refusal(state, verb, label, code))
        }
    }
}

/// Whether a call changes the domain of the machine, which only root may.
fn is_forbidden(words: &[&str]) -> bool {
    let changes = ["bootstrap", "bootout", "kickstart", "kill", "enable", "disable"];
    let verb = words.first().copied().unwrap_or_default();
    let of_machine = words.iter().any(|word| *word == "system" || word.starts_with("system/"));
    changes.contains(&verb) && of_machine && !rustix::process::geteuid().is_root()
}

fn act(path: &Path, words: &[&str]) -> Answer {
    if is_forbidden(words) {
        let label = words.last().and_then(|target| target.rsplit('/').next()).unwrap_or_default();
        return State::with(path, |state| refusal(state, words[0], label, 1));
    }
    match words {
        ["print", target] => with_target(path, target, print),
        ["print-disabled", domain] => State::with(path, |state| print_disabled(state, domain)),
        ["bootstrap", domain, plist] => bootstrap(path, domain, plist),
        ["bootstrap", domain, plists @ ..] if !plists.is_empty() => {
            legacy::bootstrap_each(path, domain, plists)
        }
        ["bootout", target] => with_target(path, target, bootout),
        ["bootout", domain, plist] => legacy::bootout_file(path, domain, plist),
        ["kickstart", target] => kickstart(path, target, false),
        ["kickstart", "-k", target] => kickstart(path, target, true),
        ["kickstart", "-p", target] => with_pid(path, target, kickstart(path, target, false)),
        ["kickstart", "-kp", target] => with_pid(path, target, kickstart(path, target, true)),
        ["enable", target] => with_target(path, target, |state, _, label| set_override(state, label, false)),
        ["disable", target] => with_target(path, target, |state, _, label| set_override(state, label, true)),
        ["kill", name, target] => {
            with_target(path, target, |state, domain, label| kill(state, domain, label, name))
        }
        ["setenv", name, value] => State::with(path, |state| {
            state.environment.insert((*name).to_owned(), (*value).to_owned());
            Answer::default()
        }),
        ["unsetenv", name] => State::with(path, |state| {
            state.environment.remove(*name);
            Answer::default()
        }),
        ["getenv", name] => State::with(path, |state| {
            let out = state.environment.get(*name).map(|value| format!("{value}\n")).unwrap_or_default();
            Answer { out, ..Answer::default() }
        }),
        ["load", options @ .., plist] => legacy::load(path, options, plist),
        ["unload", options @ .., plist] => legacy::unload(path, options, plist),
        ["remove", label] => legacy::remove(path, label),
        ["list"] => State::with(path, |state| legacy::list(state)),
        ["list", label] => State::with(path, |state| legacy::list_one(state, label)),
        ["error", number] => {
            let code = number.parse().unwrap_or_default();
            Answer { out: format!("{number}: {}\n", words_of(code)), ..Answer::default() }
        }
        _ => {
            answer(1, format!("Unrecognized subcommand: {}\nRun launchctl help for usage.", words.join(" ")))
        }
    }
}

/// The domain and the label of a target, if it has the form of one.
fn parse_target(target: &str) -> Option<(String, Option<String>)> {
    let parts: Vec<&str> = target.split('/').collect();
    match parts.as_slice() {
        ["system"] => Some(("system".to_owned(), None)),
        ["system", label] if !label.is_empty() => Some(("system".to_owned(), Some((*label).to_owned()))),
        [kind @ ("gui" | "user"), uid, rest @ ..] if uid.parse::<u32>().is_ok() && rest.len() < 2 => {
            Some((format!("{kind}/{uid}"), rest.first().map(|label| (*label).to_owned())))
        }
        _ => None,
    }
}

fn with_target(path: &Path, target: &str, verb: impl FnOnce(&mut State, &str, &str) -> Answer) -> Answer {
    let Some((domain, label)) = parse_target(target) else {
        return answer(64, "Unrecognized target specifier.");
    };
    State::with(path, |state| match (domain_problem(state, &domain), label) {
        (Some(problem), _) => problem,
        (None, None) => print_domain(state, &domain),
        (None, Some(label)) => verb(state, &domain, &label),
    })
}

/// What a domain says that is not there.
pub fn domain_problem(state: &State, domain: &str) -> Option<Answer> {
    let knobs = &state.knobs;
    let (kind, uid) = domain.split_once('/').unwrap_or((domain, ""));
    let ours = rustix::process::geteuid().as_raw().to_string();
    let missing = || answer(112, format!("Bad request.\nCould not find domain for user {kind}: {uid}"));
    match kind {
        "gui" if knobs.no_gui || uid != ours => Some(missing()),
        "gui" if knobs.gui_125 => Some(answer(125, "Domain does not support specified action")),
        "user" if knobs.no_user || uid != ours => Some(missing()),
        _ => None,
    }
}

fn no_service(domain: &str, label: &str) -> Answer {
    let place = match domain.split_once('/') {
        Some(("gui", uid)) => format!("domain for user gui: {uid}"),
        Some((_, uid)) => format!("domain for uid: {uid}"),
        None => "domain for system".to_owned(),
    };
    answer(113, format!("Bad request.\nCould not find service \"{label}\" in {place}"))
}

fn print_domain(state: &State, domain: &str) -> Answer {
    let kind = if domain == "system" { "system" } else { "login" };
    let mut out =
        format!("{domain} = {{\n\ttype = {kind}\n\thandle = 100003\n\tactive count = 1\n\tservices = {{\n");
    for (label, job) in state.jobs.iter().filter(|(_, job)| job.domain == domain) {
        out += &format!("\t\t{:>8} {:>6} \t{label}\n", job.pid.unwrap_or(0), "-");
    }
    out += "\t}\n\n";
    out += &disabled_services(state);
    out += "}\n";
    Answer { out, ..Answer::default() }
}

/// The block about overrides: `disabled` and `enabled`, or in older releases `true` and `false`.
fn disabled_services(state: &State) -> String {
    let mut out = "\tdisabled services = {\n\t\t\"com.example.other\" => disabled\n".to_owned();
    for (label, disabled) in &state.overrides {
        let word = match (state.knobs.old_words, disabled) {
            (true, disabled) => disabled.to_string(),
            (false, true) => "disabled".to_owned(),
            (false, false) => "enabled".to_owned(),
        };
        out += &format!("\t\t\"{label}\" => {word}\n");
    }
    out + "\t}\n"
}

fn print_disabled(state: &State, domain: &str) -> Answer {
    match domain_problem(state, domain) {
        Some(problem) => problem,
        None => Answer { out: disabled_services(state), ..Answer::default() },
    }
}

fn print(state: &mut State, domain: &str, label: &str) -> Answer {
    let (garbage, environment_of_launchd) = (state.knobs.garbage, state.environment.clone());
    let Some(job) = state.jobs.get(label).filter(|job| job.domain == domain) else {
        return no_service(domain, label);
    };
    let values = job.values();
    let text = |key: &str| values.get(key).and_then(Value::as_string).map(str::to_owned);
    let words = arguments(&values);
    let state_word = match (job.pid, job.start_at) {
        (Some(_), _) => "running",
        (None, Some(_)) => "spawn scheduled",
        (None, None) => "not running",
    };
    let mut lines = vec![
        "active count = 1".to_owned(),
        format!("path = {}", job.path),
        format!("type = {}", if domain == "system" { "LaunchDaemon" } else { "LaunchAgent" }),
        format!("state = {state_word}"),
        String::new(),
        format!("program = {}", words.first().cloned().unwrap_or_default()),
        block("arguments", words),
    ];
    let plain = [
        ("working directory", "WorkingDirectory"),
        ("stdout path", "StandardOutPath"),
        ("stderr path", "StandardErrorPath"),
    ];
    lines.extend(plain.iter().filter_map(|(name, key)| Some(format!("{name} = {}", text(key)?))));
    let mut inherited = vec!["SSH_AUTH_SOCK => /private/tmp/com.apple.launchd/Listeners".to_owned()];
    inherited.extend(environment_of_launchd.iter().map(|(name, value)| format!("{name} => {value}")));
    lines.push(block("inherited environment", inherited));
    lines.push(block("default environment", vec!["PATH => /usr/bin:/bin:/usr/sbin:/sbin".to_owned()]));
    lines.push(block(
        "environment",
        environment(&values, label).iter().map(|(name, value)| format!("{name} => {value}")).collect(),
    ));
    lines.push(format!("domain = {domain} [100003]"));
    lines.push(format!("minimum runtime = {}", number(&values, "ThrottleInterval").unwrap_or(10)));
    lines.push(format!("exit timeout = {}", number(&values, "ExitTimeOut").unwrap_or(5)));
    lines.push(format!("runs = {}", job.runs));
    lines.extend(job.pid.map(|pid| format!("pid = {pid}")));
    lines.push(job.last_exit.clone().unwrap_or_else(|| "last exit code = (never exited)".to_owned()));
    lines.push("resource coalition = {\n\t\tID = 4711\n\t\tstate = active\n\t\tpid = 1\n\t}".to_owned());
    lines.push("properties = keepalive | runatload | inferred program".to_owned());
    if garbage {
        lines.reverse();
        lines.insert(2, block("words of tomorrow", vec!["state = broken".to_owned(), "pid = 1".to_owned()]));
        lines.insert(1, "pid of something = 1".to_owned());
        lines.push("\t\tpid = 2".to_owned());
    }
    let body: String = lines
        .iter()
        .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("\t{line}\n") })
        .collect();
    Answer { out: format!("{domain}/{label} = {{\n{body}}}\n"), ..Answer::default() }
}

fn block(name: &str, lines: Vec<String>) -> String {
    let inner: String = lines.iter().map(|line| format!("\t\t{line}\n")).collect();
    format!("{name} = {{\n{inner}\t}}")
}

pub fn arguments(values: &Dictionary) -> Vec<String> {
    let words = values.get("ProgramArguments").and_then(Value::as_array).cloned().unwrap_or_default();
    words.iter().filter_map(|word| word.as_string().map(str::to_owned)).collect()
}

pub fn environment(values: &Dictionary, label: &str) -> Vec<(String, String)> {
    let mut all = vec![
        ("OSLogRateLimit".to_owned(), "64".to_owned()),
        ("XPC_SERVICE_NAME".to_owned(), label.to_owned()),
    ];
    let own = values.get("EnvironmentVariables").and_then(Value::as_dictionary).cloned().unwrap_or_default();
    all.extend(own.iter().filter_map(|(name, value)| Some((name.clone(), value.as_string()?.to_owned()))));
    all
}

pub fn number(values: &Dictionary, key: &str) -> Option<u64> {
    values.get(key).and_then(Value::as_unsigned_integer)
}

/// What launchctl calls a number (lifecycle notes D1).
pub fn words_of(code: i32) -> &'static str {
    match code {
        1 => "Operation not permitted",
        3 => "No such process",
        5 => "Input/output error",
        17 => "File exists",
        22 => "Invalid argument",
        36 => "Operation now in progress",
        37 => "Operation already in progress",
        112 => "Could not find specified domain",
        113 => "Could not find specified service",
        119 => "Service is disabled",
        125 => "Domain does not support specified action",
        150 => "Operation not permitted while System Integrity Protection is engaged",
        _ => "unknown error",
    }
}

/// How a verb says that it failed.
fn refusal(state: &State, verb: &str, label: &str, code: i32) -> Answer {
    let words = words_of(code);
    match verb {
        "bootstrap" => bootstrap_failed(state, code),
        "bootout" => answer(code, format!("Boot-out failed: {code}: {words}")),
        "kickstart" => answer(code, format!("Could not kickstart service \"{label}\": {code}: {words}")),
        "enable" | "disable" => answer(code, format!("Could not {verb} service: {code}: {words}")),
        "kill" if code == 1 => answer(code, "Not privileged to signal service."),
        "kill" if code == 3 => answer(code, "No process to signal."),
        _ => answer(code, format!("Bad request.\n{words}")),
    }
}

fn bootstrap_failed(state: &State, code: i32) -> Answer {
    let richer = if code == 5 && !state.knobs.terse {
        "\nTry re-running the command as root for richer errors."
    } else {
        ""
    };
    answer(code, format!("Bootstrap failed: {code}: {}{richer}", words_of(code)))
}

/// The same with the process that it started.
fn with_pid(path: &Path, target: &str, answer: Answer) -> Answer {
    let label = target.rsplit('/').next().unwrap_or_default();
    let pid = State::with(path, |state| state.jobs.get(label).and_then(|job| job.pid));
    match pid {
        Some(pid) if answer.code == 0 => Answer { out: format!("{pid}\n"), ..answer },
        _ => answer,
    }
}

pub fn bootstrap(path: &Path, domain: &str, plist: &str) -> Answer {
    let loaded = State::with(path, |state| {
        if let Some(problem) = domain_problem(state, domain) {
            return Err(problem);
        }
        let failed = |state: &State, code| Err(bootstrap_failed(state, code));
        if domain.starts_with("gui/") && state.knobs.gui_takes_none {
            return failed(state, 125);
        }
        if domain.starts_with("user/") && state.knobs.user_5 {
            return failed(state, 5);
        }
        if !state.knobs.refuse.is_empty() {
            let code = state.knobs.refuse.remove(0);
            return failed(state, code);
        }
        let readable = std::fs::metadata(plist).is_ok_and(|meta| meta.permissions().mode() & 0o022 == 0);
        let text = std::fs::read(plist).ok().filter(|_| readable);
        let values = text.as_ref().and_then(|text| plist::from_bytes::<Value>(text).ok()?.into_dictionary());
        let Some(values) = values else { return failed(state, 5) };
        let Some(label) = values.get("Label").and_then(Value::as_string).map(str::to_owned) else {
            return failed(state, 5);
        };
        // A job is loaded only into sessions of its type.
        let background =
            values.get("LimitLoadToSessionType").and_then(Value::as_string) == Some("Background");
        if domain.starts_with("gui/") == background && domain != "system" {
            return failed(state, 5);
        }
        if state.overrides.get(&label) == Some(&true) {
            let code = if state.knobs.disabled_5 { 5 } else { 119 };
            return failed(state, code);
        }
        if let Some(job) = state.jobs.get(&label) {
            let code = if job.leaving_until.is_none() && state.knobs.already_17 { 17 } else { 5 };
            return failed(state, code);
        }
        state.generation += 1;
        let keep = values.get("KeepAlive").is_some_and(|keep| keep.as_boolean() != Some(false));
        let at_once = values.get("RunAtLoad").and_then(Value::as_boolean) == Some(true) || keep;
        let job = Job {
            domain: domain.to_owned(),
            path: plist.to_owned(),
            text: as_xml(&values),
            start_at: at_once.then(now),
            generation: state.generation,
            ..Job::default()
        };
        state.jobs.insert(label.clone(), job);
        Ok((label, state.generation))
    });
    match loaded {
        Err(problem) => problem,
        Ok((label, generation)) => {
            keeper::start(path, &label, generation);
            Answer::default()
        }
    }
}

/// As launchd keeps it, whatever form it had.
fn as_xml(values: &Dictionary) -> String {
    let mut bytes = Vec::new();
    Value::Dictionary(values.clone()).to_writer_xml(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

pub fn bootout(state: &mut State, domain: &str, label: &str) -> Answer {
    let Some(job) = state.jobs.get_mut(label).filter(|job| job.domain == domain) else {
        return answer(3, "Boot-out failed: 3: No such process");
    };
    if job.leaving_until.is_some() {
        return answer(36, "Boot-out failed: 36: Operation now in progress");
    }
    match job.pid {
        Some(pid) => {
            job.leaving_until = Some(now() + 1000 * number(&job.values(), "ExitTimeOut").unwrap_or(5));
            signal(pid, Signal::TERM);
        }
        None => drop(state.jobs.remove(label)),
    }
    Answer::default()
}

fn kickstart(path: &Path, target: &str, anew: bool) -> Answer {
    let Some((domain, label)) = parse_target(target) else {
        return answer(64, "Unrecognized target specifier. Did you mean gui/<uid>/<label>?");
    };
    let label = label.unwrap_or_default();
    let asked = State::with(path, |state| {
        if let Some(problem) = domain_problem(state, &domain) {
            return Err(problem);
        }
        let Some(job) = state.jobs.get_mut(&label).filter(|job| job.domain == domain) else {
            return Err(no_service(&domain, &label));
        };
        if job.leaving_until.is_some() {
            return Err(answer(
                37,
                format!("Could not kickstart service \"{label}\": 37: Operation already in progress"),
            ));
        }
        match (job.pid, anew) {
            (Some(_), false) => return Err(Answer::default()),
            (Some(pid), true) => {
                job.kicked_until = Some(now() + 1000 * number(&job.values(), "ExitTimeOut").unwrap_or(5));
                signal(pid, Signal::TERM);
            }
            (None, _) => {}
        }
        job.start_at = Some(now());
        Ok(job.runs)
    });
    let runs = match asked {
        Ok(runs) => runs,
        Err(at_once) => return at_once,
    };
    // It comes back when the job was started, or has gone meanwhile.
    loop {
        let done = State::with(path, |state| {
            state.over
                || state.jobs.get(&label).is_none_or(|job| job.runs != runs || job.leaving_until.is_some())
        });
        if done {
            return Answer::default();
        }
        std::thread::sleep(Duration::from_millis(15));
    }
}

fn set_override(state: &mut State, label: &str, disabled: bool) -> Answer {
    state.overrides.insert(label.to_owned(), disabled);
    Answer::default()
}

fn kill(state: &mut State, domain: &str, label: &str, name: &str) -> Answer {
    let Some(job) = state.jobs.get(label).filter(|job| job.domain == domain) else {
        return no_service(domain, label);
    };
    let number = match name.trim_start_matches("SIG") {
        "TERM" | "15" => Signal::TERM,
        "HUP" | "1" => Signal::HUP,
        _ => Signal::KILL,
    };
    match job.pid {
        Some(pid) => signal(pid, number),
        None => return answer(3, "No process to signal."),
    }
    Answer::default()
}
