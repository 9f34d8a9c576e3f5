//! The command line killed at every call of launchctl and at every step of an install: the job is loaded with the old
//! or the new definition afterwards, and the next run converges.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{LABEL, Mac, ran};

/// A machine on which the old definition runs.
fn installed() -> Mac {
    let mac = Mac::new();
    mac.ok("gateway install");
    mac
}

/// The words of the definition that is loaded, once nobody is about to load another one.
fn loaded(mac: &Mac) -> Vec<String> {
    mac.wait("a loaded job that stays", || {
        mac.state(|state| {
            let there = state.jobs.get(LABEL).is_some_and(|job| job.leaving_until.is_none());
            there.then(|| state.arguments(LABEL))
        })
    })
}

/// Runs a case for each number, several at a time: most of it is waiting. Each says whether the command line was killed
/// in it; returns how often it was.
fn each(numbers: std::ops::RangeInclusive<usize>, case: impl Fn(usize) -> bool + Sync) -> usize {
    let (next, last) = (AtomicUsize::new(*numbers.start()), *numbers.end());
    let killed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number > last {
                        return;
                    }
                    killed.fetch_add(usize::from(case(number)), Ordering::Relaxed);
                }
            });
        }
    });
    killed.into_inner()
}

/// Kills the command line when its call of launchctl with this number, from 1, is done. False when it ended before.
fn killed_at(mac: &Mac, words: &str, call: usize) -> bool {
    mac.state(|state| state.knobs.kill_client = Some((state.calls.len() + call, false)));
    let ran = mac.run(words);
    mac.state(|state| state.knobs.kill_client = None);
    assert!(ran.code == -1 || ran.code == 0, "{ran:?}");
    ran.code == -1
}

/// What must be so after a death in the middle: something of ours is loaded, and the next run makes it what is wanted.
fn converges(mac: &Mac, words: &str, what: &str) {
    let port = mac.port.to_string();
    let now = loaded(mac);
    let new = now.contains(&port);
    assert!(new || !now.iter().any(|word| word == "--port"), "{what}: {now:?}");
    let next = mac.run(words);
    assert_eq!(next.code, 0, "{what}: {next:?}");
    assert!(loaded(mac).contains(&port), "{what}");
    let last = mac.ok(words);
    assert!(last.starts_with("Nothing to do"), "{what}: {last}");
    assert_eq!(mac.status()["service"]["facts"]["headline"], "running", "{what}");
}

/// The calls of an install up to where the new job is watched: the looks of that are all alike.
const CALLS: usize = 14;

#[test]
fn a_death_at_any_call_of_a_changing_install_leaves_the_old_or_the_new_job() {
    let killed = each(1..=CALLS, |call| {
        let mac = installed();
        let words = format!("gateway install --port {}", mac.port);
        let killed = killed_at(&mac, &words, call);
        converges(&mac, &words, &format!("call {call}"));
        killed
    });
    assert!(killed >= CALLS / 2, "only {killed} deaths");
}

#[test]
fn a_death_at_any_call_of_a_first_install_is_made_good_by_the_next_one() {
    let killed = each(1..=CALLS / 2, |call| {
        let mac = Mac::new();
        let words = format!("gateway install --port {}", mac.port);
        let killed = killed_at(&mac, &words, call);
        mac.ok(&words);
        let last = mac.ok(&words);
        assert!(last.starts_with("Nothing to do"), "call {call}: {last}");
        assert_eq!(mac.status()["service"]["facts"]["headline"], "running", "call {call}");
        killed
    });
    assert_eq!(killed, CALLS / 2);
}

/// The calls of an install whose job does not stay, and of the way back.
const WAY_BACK: [usize; 9] = [6, 8, 10, 12, 14, 16, 18, 20, 24];

/// A definition that cannot start, and the command line gone at any call of that, of noticing it, and of the way back.
#[test]
fn a_death_on_the_way_back_leaves_the_old_or_the_new_job_and_the_old_one_can_be_had_again() {
    let killed = each(0..=WAY_BACK.len() - 1, |number| {
        let (mac, call) = (installed(), WAY_BACK[number]);
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        mac.state(|state| state.knobs.kill_client = Some((state.calls.len() + call, false)));
        let ran = mac.run(&format!("gateway install --port {port}"));
        mac.state(|state| state.knobs.kill_client = None);
        assert!(ran.code == -1 || ran.code == 7, "call {call}: {ran:?}");
        let words = loaded(&mac);
        assert!(
            words.contains(&port) || !words.iter().any(|word| word == "--port"),
            "call {call}: {words:?}"
        );
        mac.ok("gateway install --port config");
        let words = loaded(&mac);
        assert!(!words.iter().any(|word| word == "--port"), "call {call}: {words:?}");
        assert!(mac.ok("gateway install --port config").starts_with("Nothing to do"), "call {call}");
        assert_eq!(mac.status()["service"]["facts"]["headline"], "running", "call {call}");
        ran.code == -1
    });
    assert!(killed >= WAY_BACK.len() - 3, "only {killed} deaths");
}

/// The same of a daemon, at the calls where something happens to it.
#[test]
fn a_death_at_any_call_of_a_daemons_install_leaves_the_old_or_the_new_job() {
    if Mac::of_root().is_none() {
        return;
    }
    let killed_as_root = |mac: &Mac, words: &str, call: usize| {
        mac.state(|state| state.knobs.kill_client = Some((state.calls.len() + call, false)));
        let ran = mac.as_root(words);
        mac.state(|state| state.knobs.kill_client = None);
        assert!(ran.code == -1 || ran.code == 0, "{ran:?}");
        ran.code == -1
    };
    let running = |mac: &Mac| {
        let ran = mac.as_root("gateway status --json");
        assert!(ran.code == 0 && ran.out.contains("\"headline\": \"running\""), "{ran:?}");
    };
    let killed = each(1..=12, |number| {
        let (first, call) = (number <= 5, if number <= 5 { number } else { number - 3 });
        let mac = Mac::of_root().unwrap();
        let port = mac.port.to_string();
        let words = format!("gateway install --run-as daemon --port {port}");
        if !first {
            let ran = mac.as_root("gateway install --run-as daemon");
            assert_eq!(ran.code, 0, "{ran:?}");
        }
        let killed = killed_as_root(&mac, &words, call);
        if !first {
            let now = loaded(&mac);
            assert!(now.contains(&port) || !now.iter().any(|word| word == "--port"), "call {call}: {now:?}");
        }
        let next = mac.as_root(&words);
        assert_eq!(next.code, 0, "call {call}: {next:?}");
        assert!(loaded(&mac).contains(&port), "call {call}");
        let last = mac.as_root(&words);
        assert!(last.out.starts_with("Nothing to do"), "call {call}: {last:?}");
        running(&mac);
        killed
    });
    assert!(killed >= 9, "only {killed} deaths");
}

#[test]
fn a_death_at_the_beginning_of_any_step_leaves_the_old_or_the_new_job() {
    let killed = each(1..=6, |step| {
        let mac = installed();
        let words = format!("gateway install --port {}", mac.port);
        let mut command = mac.command("step");
        command.env("SUITE_DIE_AT", step.to_string()).env("SUITE_PORT", mac.port.to_string());
        let ran = ran(command);
        assert!(ran.code == -1 || ran.code == 0, "step {step}: {ran:?}");
        converges(&mac, &words, &format!("step {step}"));
        ran.code == -1
    });
    // Keep the old definition, write the new one, restart, prove, remember.
    assert_eq!(killed, 5);
}

#[test]
fn a_death_of_a_restart_never_leaves_the_job_unloaded() {
    each(2..=7, |call| {
        let mac = installed();
        let killed = killed_at(&mac, "gateway restart", call);
        loaded(&mac);
        mac.ok("gateway start");
        assert_eq!(mac.status()["service"]["facts"]["headline"], "running", "call {call}");
        killed
    });
}

/// An agent in the gateway asks for a restart: the command goes down with the job, the restart does not.
#[test]
fn a_restart_asked_for_from_inside_is_finished_by_somebody_else() {
    let mac = installed();
    let first = mac.pid(LABEL);
    let mut command = mac.command("gateway restart");
    command.env("XPC_SERVICE_NAME", LABEL).stdout(Stdio::piped());
    let asked = ran(command);
    assert_eq!(asked.code, 0, "{asked:?}");
    assert!(asked.err.contains("only handed to the service manager"), "{asked:?}");
    mac.wait("another process", || mac.state(|state| state.jobs[LABEL].pid).filter(|pid| *pid != first));
    let mut command = mac.command(&format!("gateway install --port {}", mac.port));
    command.env("XPC_SERVICE_NAME", LABEL);
    let asked = ran(command);
    assert_eq!(asked.code, 0, "{asked:?}");
    mac.wait("the new definition", || {
        mac.state(|state| state.arguments(LABEL).iter().any(|word| word == "--port")).then_some(())
    });
}
