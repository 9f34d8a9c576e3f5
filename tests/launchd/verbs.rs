//! Start, stop and restart, from every state there is (lifecycle notes B1 and B3).

use std::time::{Duration, Instant};

use crate::fake::Knobs;
use crate::support::{LABEL, Mac, uid};

#[test]
fn a_stop_stays_down_and_a_start_brings_it_back() {
    let mac = Mac::new();
    mac.ok("gateway install");
    let ran = mac.run("gateway stop");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("it stays stopped until it is started or you log in again"), "{ran:?}");
    assert!(mac.state(|state| state.jobs.is_empty()) && mac.plist().exists());
    assert_eq!(mac.run("gateway status").code, 3);
    assert_eq!(mac.status()["service"]["facts"]["headline"], "stopped");
    assert!(mac.ok("gateway stop").starts_with("Nothing to do"));
    mac.ok("gateway start");
    assert_eq!(mac.status()["service"]["facts"]["headline"], "running");
    assert!(mac.ok("gateway start").starts_with("Nothing to do"));
}

#[test]
fn a_restart_gives_another_process_and_works_from_not_loaded_too() {
    let mac = Mac::new();
    mac.ok("gateway install");
    let first = mac.pid(LABEL);
    mac.ok("gateway restart");
    let second = mac.pid(LABEL);
    assert_ne!(first, second);
    mac.ok("gateway stop");
    mac.ok("gateway restart");
    assert_ne!(mac.pid(LABEL), second);
}

#[test]
fn a_disabled_label_is_allowed_again_by_a_start_in_all_spellings() {
    for knobs in [
        Knobs::default(),
        Knobs { old_words: true, ..Knobs::default() },
        Knobs { disabled_5: true, terse: true, ..Knobs::default() },
    ] {
        let mac = Mac::new();
        mac.ok("gateway install");
        mac.ok("gateway stop");
        mac.state(|state| {
            state.knobs = knobs;
            state.overrides.insert(LABEL.to_owned(), true);
        });
        assert_eq!(mac.status()["service"]["facts"]["enabled"]["is"], "no");
        mac.ok("gateway start");
        assert_eq!(mac.state(|state| state.overrides.get(LABEL).copied()), Some(false));
        assert_eq!(mac.status()["service"]["facts"]["headline"], "running");
    }
}

/// A crash loop: launchd would only start it again after its pause.
#[test]
fn a_start_does_not_wait_for_the_pause_of_a_job_that_failed() {
    let mac = Mac::new();
    mac.ok("gateway install");
    mac.launchctl(&format!("kill KILL gui/{}/{LABEL}", uid()));
    mac.wait("a pause", || mac.state(|state| state.jobs[LABEL].start_at));
    assert_eq!(mac.status()["service"]["facts"]["headline"], "restarting");
    let begin = Instant::now();
    mac.ok("gateway start");
    assert!(begin.elapsed() < Duration::from_secs(9));
    assert_eq!(mac.status()["service"]["facts"]["headline"], "running");
}

/// Lifecycle notes D1: none of these is final, however often it comes.
#[test]
fn answers_that_say_nothing_clear_are_looked_behind() {
    for refuse in [vec![5, 5, 5], vec![37, 36, 17, 130]] {
        let mac = Mac::new();
        mac.ok("gateway install");
        mac.ok("gateway stop");
        mac.state(|state| state.knobs = Knobs { refuse: refuse.clone(), ..Knobs::default() });
        mac.ok("gateway start");
        assert_eq!(mac.status()["service"]["facts"]["headline"], "running", "{refuse:?}");
    }
}

#[test]
fn a_refusal_that_does_not_end_is_told_with_launchds_words() {
    let mac = Mac::new();
    mac.ok("gateway install");
    mac.ok("gateway stop");
    mac.state(|state| state.knobs = Knobs { refuse: vec![5; 1000], ..Knobs::default() });
    let ran = mac.run("gateway start");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("launchd did not load ai.idlehands.gateway within"), "{ran:?}");
    assert!(ran.err.contains("Bootstrap failed: 5: Input/output error"), "{ran:?}");
    mac.state(|state| state.knobs = Knobs { refuse: vec![1], ..Knobs::default() });
    let ran = mac.run("gateway start");
    assert_eq!(ran.code, 5, "{ran:?}");
}

#[test]
fn a_definition_that_changed_meanwhile_takes_effect_with_a_restart_and_a_bad_one_unloads_nothing() {
    let mac = Mac::new();
    mac.ok("gateway install");
    let text = std::fs::read_to_string(mac.plist()).unwrap();
    let pid = mac.pid(LABEL);
    for bad in ["", "<plist version=\"1.0\"><dict><key>Label</key><string>x</string></dict></plist>"] {
        std::fs::write(mac.plist(), bad).unwrap();
        let ran = mac.run("gateway restart");
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!(mac.pid(LABEL), pid);
    }
    std::fs::write(
        mac.plist(),
        text.replace("--stay-down</string>", "--stay-down</string><string>--verbose</string>"),
    )
    .unwrap();
    mac.ok("gateway restart");
    let shown = mac.launchctl(&format!("print gui/{}/{LABEL}", uid())).out;
    assert!(shown.contains("\t\t--verbose\n"), "{shown}");
}

#[test]
fn launchd_that_never_answers_ends_in_an_error_within_its_time() {
    let mac = Mac::new();
    mac.ok("gateway install");
    mac.state(|state| state.knobs = Knobs { hang: Some(("print".to_owned(), 1000)), ..Knobs::default() });
    let begin = Instant::now();
    let ran = mac.run("gateway status --no-probe");
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert_eq!(ran.code, 0, "the gateway itself still answers: {ran:?}");
    assert!(ran.err.contains("the service manager did not answer within 8 s"), "{ran:?}");
    let ran = mac.run("gateway stop");
    assert_eq!(ran.code, 10, "{ran:?}");
    // A verb that hangs once is asked again, and what it did counts.
    mac.state(|state| state.knobs = Knobs { hang: Some(("bootout".to_owned(), 1)), ..Knobs::default() });
    mac.ok("gateway stop");
    assert!(mac.state(|state| state.jobs.is_empty()));
}

#[test]
fn descriptions_with_unknown_words_in_another_order_are_understood() {
    let mac = Mac::new();
    mac.state(|state| state.knobs.garbage = true);
    mac.ok("gateway install");
    let status = mac.status();
    assert_eq!(status["service"]["facts"]["headline"], "running");
    assert_eq!(status["runtime"]["pid"], mac.pid(LABEL));
    mac.ok("gateway restart");
}
