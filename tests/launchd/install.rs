//! Install and uninstall, as an operator sees them.

use crate::support::{LABEL, Mac, finished, uid};

#[test]
fn an_install_loads_a_job_that_answers_and_a_second_one_has_nothing_to_do() {
    let mac = Mac::new();
    let said = mac.ok("gateway install");
    assert!(said.contains(&format!("Installed LaunchAgent: {LABEL}")), "{said}");
    let status = mac.status();
    assert_eq!(status["service"]["facts"]["headline"], "running");
    assert_eq!(status["service"]["platform"], "launchd");
    for fact in ["installed", "enabled", "loaded", "running", "healthy"] {
        assert_eq!(status["service"]["facts"][fact]["is"], "yes", "{fact}: {status:#}");
    }
    let pid = mac.pid(LABEL);
    assert_eq!(status["runtime"]["pid"], pid);
    let again = mac.ok("gateway install");
    assert!(again.starts_with("Nothing to do"), "{again}");
    assert_eq!(mac.pid(LABEL), pid);
    // Neither the definition nor what launchd shows of it holds the token.
    let shown = mac.launchctl(&format!("print gui/{}/{LABEL}", uid())).out;
    for text in [std::fs::read_to_string(mac.plist()).unwrap(), shown] {
        assert!(!text.contains("a-token-of-the-suite"), "{text}");
    }
}

#[test]
fn a_changed_definition_is_loaded_by_the_next_install_and_the_process_is_another_one() {
    let mac = Mac::new();
    mac.ok("gateway install");
    let pid = mac.pid(LABEL);
    let said = mac.ok(&format!("gateway install --port {}", mac.port));
    assert!(said.contains("Installed"), "{said}");
    assert_ne!(mac.pid(LABEL), pid);
    let shown = mac.launchctl(&format!("print gui/{}/{LABEL}", uid())).out;
    assert!(shown.contains("\t\t--port\n"), "{shown}");
    assert!(mac.ok(&format!("gateway install --port {}", mac.port)).starts_with("Nothing to do"));
}

#[test]
fn an_uninstall_unloads_the_job_removes_the_definition_and_says_what_it_leaves() {
    let mac = Mac::new();
    mac.ok("gateway install");
    let ran = mac.run("gateway uninstall");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains(".idlehands (configuration, state and logs)"), "{ran:?}");
    assert!(!mac.plist().exists() && mac.state(|state| state.jobs.is_empty()));
    // An override would keep the next install from loading.
    assert_eq!(mac.state(|state| state.overrides.get(LABEL).copied()), Some(false));
    assert_eq!(mac.run("gateway status").code, 4);
    assert!(mac.ok("gateway uninstall").starts_with("Nothing to do"));
    mac.ok("gateway install");
}

#[test]
fn an_edited_and_a_foreign_definition_are_kept_unless_they_are_to_be_replaced() {
    let mac = Mac::new();
    mac.ok("gateway install");
    let text = std::fs::read_to_string(mac.plist()).unwrap();
    std::fs::write(mac.plist(), text.replace("<integer>10</integer>", "<integer>60</integer>")).unwrap();
    let ran = mac.run("gateway install");
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.contains("-ThrottleInterval=60") && ran.err.contains("+ThrottleInterval=10"), "{ran:?}");
    mac.ok("gateway install --force");
    std::fs::write(
        mac.plist(),
        "<plist version=\"1.0\"><dict><key>Label</key><string>other</string></dict></plist>",
    )
    .unwrap();
    assert_eq!(mac.run("gateway install").code, 6);
    std::fs::remove_file(mac.path().join(".idlehands/service/record.json")).unwrap();
    assert_eq!(mac.run("gateway install").code, 7);
    // Blanks are nobody's edit.
    mac.ok("gateway install --force");
    let (text, pid) = (std::fs::read_to_string(mac.plist()).unwrap(), mac.pid(LABEL));
    std::fs::write(mac.plist(), text.replace('\t', "  ")).unwrap();
    mac.ok("gateway install");
    assert!(mac.ok("gateway install").starts_with("Nothing to do"));
    assert_eq!(mac.pid(LABEL), pid);
}

#[test]
fn what_is_no_definition_is_a_finding_and_stays() {
    for bytes in [&b""[..], b"\xff\xfe\x00bad", b"<plist><dict><key>Label", b"bplist00garbage", b"[Unit]\n"] {
        let mac = Mac::new();
        mac.put(&mac.plist(), bytes);
        let ran = mac.run("gateway install");
        assert_eq!(ran.code, 1, "{bytes:?}: {ran:?}");
        assert_eq!(std::fs::read(mac.plist()).unwrap(), bytes);
        assert_eq!(mac.status()["service"]["definition"]["standing"], "unreadable");
    }
}

#[test]
fn two_installs_at_once_take_turns_and_leave_one_job() {
    let mac = Mac::new();
    let both: Vec<_> = ["gateway install", "gateway install"]
        .iter()
        .map(|words| mac.command(words).spawn().unwrap())
        .collect();
    for child in both {
        assert!(finished(child));
    }
    assert_eq!(mac.state(|state| state.jobs.len()), 1);
    assert_eq!(mac.status()["service"]["facts"]["headline"], "running");
    let bootstraps =
        mac.state(|state| state.calls.iter().filter(|call| call.starts_with("bootstrap")).count());
    assert_eq!(bootstraps, 1);
}

#[test]
fn a_definition_that_cannot_start_is_taken_back_and_the_one_before_runs_again() {
    let mac = Mac::new();
    mac.ok("gateway install");
    let before = std::fs::read_to_string(mac.plist()).unwrap();
    // Somebody else has the port that the new definition names.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ran = mac.run(&format!("gateway install --port {}", taken.local_addr().unwrap().port()));
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.err.contains("rolled back: the definition before is back, and it runs"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(mac.plist()).unwrap(), before);
    assert_eq!(mac.status()["service"]["facts"]["headline"], "running");
}

#[test]
fn a_first_install_that_cannot_start_leaves_nothing() {
    let mac = Mac::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ran = mac.run(&format!("gateway install --port {}", taken.local_addr().unwrap().port()));
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.err.contains("rolled back: nothing is installed, as before"), "{ran:?}");
    assert!(!mac.plist().exists() && mac.state(|state| state.jobs.is_empty()));
}
