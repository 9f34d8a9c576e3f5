//! What the command line makes of each answer that launchctl may give (lifecycle notes D1 and D6): one answer in the
//! place of another, once; what is loaded afterwards, how the command ends, and what it says.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{LABEL, Mac};

/// What is so before the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// Installed, and unloaded.
    Stopped,
    /// Installed, and running.
    Running,
}

/// What is loaded after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// Nothing.
    Nothing,
    /// The definition before, and its process is the same one.
    Untouched,
    /// The definition before, with another process.
    Anew,
    /// The definition that the command brought.
    New,
    /// The definition before, in the domain of those without a screen.
    Elsewhere,
}

use After::{Anew, Elsewhere, New, Nothing, Untouched};
use Before::{Running, Stopped};

/// The verb that is answered otherwise, the code, whether it is done all the same; the state before, the command; the
/// exit code, what is loaded, a part of what is said.
type Row = (&'static str, i32, bool, Before, &'static str, i32, After, &'static str);

const INSTALL: &str = "gateway install --port PORT";

const ROWS: &[Row] = &[
    // Loading. None of these is final: it is looked, and tried again.
    ("bootstrap", 5, false, Stopped, "gateway start", 0, Anew, "Started"),
    ("bootstrap", 17, false, Stopped, "gateway start", 0, Anew, "Started"),
    ("bootstrap", 22, false, Stopped, "gateway start", 0, Anew, "Started"),
    ("bootstrap", 36, false, Stopped, "gateway start", 0, Anew, "Started"),
    ("bootstrap", 37, false, Stopped, "gateway start", 0, Anew, "Started"),
    ("bootstrap", 113, false, Stopped, "gateway start", 0, Anew, "Started"),
    ("bootstrap", 119, false, Stopped, "gateway start", 0, Anew, "Started"),
    ("bootstrap", 130, false, Stopped, "gateway start", 0, Anew, "Started"),
    ("bootstrap", 133, false, Stopped, "gateway start", 0, Anew, "Started"),
    // It was loaded all the same.
    ("bootstrap", 5, true, Stopped, "gateway start", 0, Anew, "Started"),
    ("bootstrap", 17, true, Stopped, "gateway start", 0, Anew, "Started"),
    ("bootstrap", 130, true, Stopped, "gateway start", 0, Anew, "Started"),
    // The domain takes no jobs: the other one does.
    ("bootstrap", 112, false, Stopped, "gateway start", 0, Elsewhere, "Started"),
    ("bootstrap", 125, false, Stopped, "gateway start", 0, Elsewhere, "Started"),
    ("bootstrap", 134, false, Stopped, "gateway start", 0, Elsewhere, "Started"),
    // Nothing that asking again would change.
    (
        "bootstrap",
        1,
        false,
        Stopped,
        "gateway start",
        5,
        Nothing,
        "launchd would not load ai.idlehands.gateway: Bootstrap failed: 1",
    ),
    ("bootstrap", 150, false, Stopped, "gateway start", 5, Nothing, "hint: run the same command with sudo"),
    // A definition that takes the place of another one.
    ("bootstrap", 5, false, Running, INSTALL, 0, New, "Installed"),
    ("bootstrap", 1, false, Running, INSTALL, 0, New, "Installed"),
    ("bootstrap", 37, false, Running, INSTALL, 0, New, "Installed"),
    ("bootstrap", 125, false, Running, INSTALL, 0, New, "Installed"),
    ("bootstrap", 130, true, Running, INSTALL, 0, New, "Installed"),
    ("bootout", 5, false, Running, INSTALL, 0, New, "Installed"),
    ("bootout", 36, true, Running, INSTALL, 0, New, "Installed"),
    // Unloading: done is what a look shows.
    ("bootout", 3, false, Running, "gateway stop", 0, Nothing, "Stopped"),
    ("bootout", 3, true, Running, "gateway stop", 0, Nothing, "Stopped"),
    ("bootout", 5, false, Running, "gateway stop", 0, Nothing, "Stopped"),
    ("bootout", 36, false, Running, "gateway stop", 0, Nothing, "Stopped"),
    ("bootout", 36, true, Running, "gateway stop", 0, Nothing, "Stopped"),
    ("bootout", 37, false, Running, "gateway stop", 0, Nothing, "Stopped"),
    ("bootout", 113, true, Running, "gateway stop", 0, Nothing, "Stopped"),
    (
        "bootout",
        1,
        false,
        Running,
        "gateway stop",
        5,
        Untouched,
        "launchd would not unload ai.idlehands.gateway: Boot-out failed: 1",
    ),
    ("bootout", 150, false, Running, "gateway stop", 5, Untouched, "hint: run the same command with sudo"),
    ("bootout", 125, false, Running, "gateway stop", 8, Untouched, "Boot-out failed: 125"),
    // A new process.
    ("kickstart", 3, false, Running, "gateway restart", 0, Anew, "Restarted"),
    ("kickstart", 37, false, Running, "gateway restart", 0, Anew, "Restarted"),
    ("kickstart", 37, true, Running, "gateway restart", 0, Anew, "Restarted"),
    ("kickstart", 113, false, Running, "gateway restart", 0, Anew, "Restarted"),
    (
        "kickstart",
        1,
        false,
        Running,
        "gateway restart",
        5,
        Untouched,
        "launchd would not restart ai.idlehands.gateway: Could not kickstart",
    ),
    ("kickstart", 150, false, Running, "gateway restart", 5, Untouched, "System Integrity Protection"),
    ("kickstart", 125, false, Running, "gateway restart", 8, Untouched, "Could not kickstart"),
    ("kickstart", 22, false, Running, "gateway restart", 1, Untouched, "22: Invalid argument"),
    // Overrides.
    ("enable", 1, false, Stopped, "gateway start", 0, Anew, "Started"),
    ("disable", 1, false, Running, "gateway disable", 5, Untouched, "Could not disable service: 1"),
    ("disable", 125, false, Running, "gateway disable", 8, Untouched, "Could not disable service: 125"),
    ("disable", 22, false, Running, "gateway disable", 1, Untouched, "Could not disable service: 22"),
    // A signal.
    ("kill", 3, false, Running, "gateway reload", 1, Untouched, "there is no such job"),
    ("kill", 1, false, Running, "gateway reload", 5, Untouched, "Not privileged to signal service"),
    // What launchd shows. Nothing is taken for absent that was not shown to be.
    ("print-disabled", 125, false, Running, "gateway status", 0, Untouched, "Runtime: running"),
    ("print-disabled", 1, false, Running, "gateway status", 0, Untouched, "Runtime: running"),
];

#[test]
fn each_answer_leaves_something_known_and_a_word_on_what_to_do() {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mac = Mac::new();
                mac.ok("gateway install");
                while let Some(row) = ROWS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = judge(&mac, row) {
                        wrong.lock().unwrap().push(format!("{row:?}: {why}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}

fn judge(mac: &Mac, row: &Row) -> Result<(), String> {
    let (verb, code, does, before, command, exit, after, said) = row;
    prepare(mac, *before);
    let (words, pid) = seen(mac);
    mac.state(|state| state.knobs.inject = vec![((*verb).to_owned(), *code, *does)]);
    let ran = mac.run(&command.replace("PORT", &mac.port.to_string()));
    let left = mac.state(|state| std::mem::take(&mut state.knobs.inject));
    let (words_now, pid_now) = seen(mac);
    let domain = mac.state(|state| state.jobs.get(LABEL).map(|job| job.domain.clone()));
    let new = words_now.as_ref().is_some_and(|words| words.contains(&"--port".to_owned()));
    let is = match (&words_now, &domain) {
        (None, _) => Nothing,
        (_, Some(domain)) if domain.starts_with("user/") => Elsewhere,
        _ if new => New,
        _ if pid_now == pid && words_now == words => Untouched,
        _ => Anew,
    };
    let whole = format!("{}{}", ran.out, ran.err);
    let next_step = *exit == 0 || whole.contains("hint: ");
    match (ran.code == *exit, is == *after, whole.contains(said), left.is_empty(), next_step) {
        (true, true, true, true, true) => Ok(()),
        _ => Err(format!("{is:?}, left {left:?}: {ran:?}")),
    }
}

/// The words of the job that is loaded, and its process.
fn seen(mac: &Mac) -> (Option<Vec<String>>, Option<u32>) {
    let leaving = || mac.state(|state| state.jobs.get(LABEL).is_some_and(|job| job.leaving_until.is_some()));
    mac.wait("rest", || (!leaving()).then_some(()));
    mac.state(|state| {
        let job = state.jobs.get(LABEL);
        (job.map(|_| state.arguments(LABEL)), job.and_then(|job| job.pid))
    })
}

/// The first definition, in the graphical domain, as it is to be.
fn prepare(mac: &Mac, before: Before) {
    let kept = mac.path().join("first.plist");
    if !kept.exists() {
        std::fs::copy(mac.plist(), &kept).unwrap();
        std::fs::copy(mac.path().join(".idlehands/service/record.json"), mac.path().join("first.json"))
            .unwrap();
    }
    let text = std::fs::read(&kept).unwrap();
    let same = mac.state(|state| {
        state.overrides.clear();
        let job = state.jobs.get(LABEL);
        job.is_some_and(|job| job.domain.starts_with("gui/") && job.pid.is_some())
    });
    let same = same && std::fs::read(mac.plist()).unwrap() == text;
    if !same || before == Stopped {
        mac.unload(LABEL);
    }
    std::fs::write(mac.plist(), &text).unwrap();
    std::fs::copy(mac.path().join("first.json"), mac.path().join(".idlehands/service/record.json")).unwrap();
    mac.give();
    if before == Running && !same {
        let ran =
            mac.launchctl(&format!("bootstrap gui/{} {}", crate::support::uid(), mac.plist().display()));
        assert_eq!(ran.code, 0, "{ran:?}");
        mac.pid(LABEL);
        mac.wait("an answer", || mac.answers().then_some(()));
    }
}
