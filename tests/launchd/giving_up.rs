//! A gateway that cannot run until somebody changes something: launchd starts every failure again, so it ends well and
//! leaves a note (lifecycle notes B5).

use crate::support::{LABEL, Mac};

#[test]
fn a_configuration_error_stays_down_and_status_says_why() {
    let mac = Mac::new();
    mac.ok("gateway install");
    mac.ok("gateway stop");
    mac.config(", nonsense: 1");
    // launchd loads it at the next login, whatever the configuration says.
    let plist = mac.plist().display().to_string();
    let loaded = mac.launchctl(&format!("bootstrap gui/{} {plist}", crate::support::uid()));
    assert_eq!(loaded.code, 0, "{loaded:?}");
    let end = mac.wait("an end", || mac.state(|state| state.jobs[LABEL].last_exit.clone()));
    assert_eq!(end, "last exit code = 0");
    assert_eq!(mac.state(|state| (state.jobs[LABEL].start_at, state.jobs[LABEL].runs)), (None, 1));
    let status = mac.status();
    assert_eq!(status["service"]["facts"]["headline"], "failed");
    let because = status["service"]["facts"]["running"]["because"].as_str().unwrap();
    assert!(because.starts_with("it gave up: ") && because.ends_with("(configuration error)"), "{because}");
    let ran = mac.run("gateway status");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.out.contains("Last exit: it gave up: "), "{ran:?}");

    mac.config("");
    mac.ok("gateway start");
    assert_eq!(mac.status()["service"]["facts"]["headline"], "running");
    let note = mac.path().join(".idlehands/service/last-failure.json");
    assert!(!note.exists(), "a start takes the note of the one before away");
}

#[test]
fn a_port_that_somebody_else_has_is_told_when_a_start_meets_it() {
    let mac = Mac::new();
    mac.ok("gateway install");
    mac.ok("gateway stop");
    let _taken = std::net::TcpListener::bind(("127.0.0.1", mac.port)).unwrap();
    let ran = mac.run("gateway start");
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(
        ran.err.contains("did not stay: it gave up: ") && ran.err.contains("port or owner conflict"),
        "{ran:?}"
    );
    assert_eq!(mac.state(|state| state.jobs[LABEL].runs), 1);
}

#[test]
fn records_are_not_written_into_the_file_for_crashes() {
    let mac = Mac::new();
    mac.ok("gateway install");
    let text = std::fs::read_to_string(mac.path().join(".idlehands/logs/gateway.crash.txt")).unwrap();
    assert_eq!(text, "");
    let log = std::fs::read_to_string(mac.path().join(".idlehands/logs/gateway.log")).unwrap();
    assert!(log.contains("listening on"), "{log}");
}

#[test]
fn the_file_for_crashes_is_emptied_when_it_is_too_large() {
    let mac = Mac::new();
    mac.ok("gateway install");
    mac.ok("gateway stop");
    let file = mac.path().join(".idlehands/logs/gateway.crash.txt");
    std::fs::write(&file, vec![b'x'; 2 * 1024 * 1024]).unwrap();
    mac.ok("gateway start");
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 0);
}
