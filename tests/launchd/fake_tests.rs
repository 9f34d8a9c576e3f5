//! The fake itself: every row of lifecycle notes D1 that a client meets, and the behaviour of D5.

use crate::fake::Knobs;
use crate::support::{Mac, uid};

const JOB: &str = "com.example.job";

/// Puts a definition into the home, and returns its path.
fn define(mac: &Mac, words: &[&str], more: &str) -> String {
    let path = mac.path().join(format!("{JOB}.plist"));
    let words: String = words.iter().map(|word| format!("<string>{word}</string>")).collect();
    let text = format!(
        "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>Label</key><string>{JOB}</string>\
         <key>ProgramArguments</key><array>{words}</array>{more}</dict></plist>"
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

const KEPT: &str = "<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict><key>RunAtLoad</key><true/>\
                    <key>ThrottleInterval</key><integer>1</integer>";

#[test]
fn every_situation_has_its_number_and_its_words() {
    let mac = Mac::new();
    let gui = format!("gui/{}", uid());
    let plist = define(&mac, &["/bin/sleep", "1000"], KEPT);
    let says = |words: &str, code: i32, err: &str| {
        let ran = mac.launchctl(words);
        assert_eq!((ran.code, ran.err.contains(err)), (code, true), "{words}: {ran:?}");
    };
    says(
        &format!("print {gui}/{JOB}"),
        113,
        &format!("Could not find service \"{JOB}\" in domain for user gui"),
    );
    says(&format!("print user/{}/{JOB}", uid()), 113, "in domain for uid");
    says(&format!("print system/{JOB}"), 113, "in domain for system");
    says("print gui/424242", 112, "Could not find domain for user gui: 424242");
    says("print nonsense", 64, "Unrecognized target specifier.");
    says(&format!("kickstart {JOB}"), 64, "Did you mean");
    says("frobnicate", 1, "Unrecognized subcommand");
    says(&format!("bootout {gui}/{JOB}"), 3, "Boot-out failed: 3: No such process");
    says(&format!("kickstart -k {gui}/{JOB}"), 113, "Could not find service");
    says(&format!("bootstrap {gui} /nowhere.plist"), 5, "Try re-running the command as root");
    says(&format!("bootstrap gui/424242 {plist}"), 112, "Could not find domain");
    says(&format!("disable {gui}/{JOB}"), 0, "");
    says(&format!("bootstrap {gui} {plist}"), 119, "Service is disabled");
    mac.state(|state| state.knobs.disabled_5 = true);
    says(&format!("bootstrap {gui} {plist}"), 5, "Input/output error");
    says(&format!("enable {gui}/{JOB}"), 0, "");
    says(&format!("bootstrap {gui} {plist}"), 0, "");
    says(&format!("bootstrap {gui} {plist}"), 5, "Input/output error");
    mac.state(|state| state.knobs.already_17 = true);
    says(&format!("bootstrap {gui} {plist}"), 17, "File exists");
    says(&format!("kickstart {gui}/{JOB}"), 0, "");
    mac.state(|state| state.knobs = Knobs { refuse: vec![37, 125, 1, 22], ..Knobs::default() });
    for (code, words) in
        [(37, "already in progress"), (125, "not support"), (1, "not permitted"), (22, "Invalid")]
    {
        says(&format!("bootstrap {gui} {plist}"), code, words);
    }
}

#[test]
fn a_job_that_is_told_to_go_holds_its_label_until_its_process_has_ended() {
    let mac = Mac::new();
    let gui = format!("gui/{}", uid());
    let stubborn = ["/bin/sh", "-c", "trap &quot;&quot; TERM; while :; do sleep 0.05; done"];
    let plist = define(&mac, &stubborn, &format!("{KEPT}<key>ExitTimeOut</key><integer>2</integer>"));
    assert_eq!(mac.launchctl(&format!("bootstrap {gui} {plist}")).code, 0);
    mac.pid(JOB);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(mac.launchctl(&format!("bootout {gui}/{JOB}")).code, 0);
    assert_eq!(mac.launchctl(&format!("bootout {gui}/{JOB}")).code, 36);
    assert_eq!(mac.launchctl(&format!("bootstrap {gui} {plist}")).code, 5);
    assert_eq!(mac.launchctl(&format!("print {gui}/{JOB}")).code, 0);
    mac.wait("an end", || (mac.launchctl(&format!("print {gui}/{JOB}")).code == 113).then_some(()));
    assert_eq!(mac.launchctl(&format!("bootstrap {gui} {plist}")).code, 0);
}

#[test]
fn what_ends_badly_is_started_again_and_what_ends_well_is_not() {
    let mac = Mac::new();
    let gui = format!("gui/{}", uid());
    let plist = define(&mac, &["/bin/sleep", "1000"], KEPT);
    assert_eq!(mac.launchctl(&format!("bootstrap {gui} {plist}")).code, 0);
    let first = mac.pid(JOB);
    assert_eq!(mac.launchctl(&format!("kill TERM {gui}/{JOB}")).code, 0);
    let second =
        mac.wait("another process", || mac.state(|state| state.jobs[JOB].pid).filter(|pid| *pid != first));
    let text = mac.launchctl(&format!("print {gui}/{JOB}")).out;
    assert!(
        text.contains(&format!("\tpid = {second}\n")) && text.contains("last terminating signal = Word: 15"),
        "{text}"
    );
    mac.launchctl(&format!("kickstart -k {gui}/{JOB}"));
    let third = mac.pid(JOB);
    assert!(third != second && mac.state(|state| state.jobs[JOB].runs) == 3);

    let mac = Mac::new();
    let plist = define(&mac, &["/bin/true"], KEPT);
    assert_eq!(mac.launchctl(&format!("bootstrap {gui} {plist}")).code, 0);
    mac.wait("an end", || mac.state(|state| state.jobs[JOB].last_exit.clone()));
    assert_eq!(mac.state(|state| (state.jobs[JOB].start_at, state.jobs[JOB].runs)), (None, 1));

    let mac = Mac::new();
    let plist = define(&mac, &["/nowhere/program"], KEPT);
    assert_eq!(mac.launchctl(&format!("bootstrap {gui} {plist}")).code, 0);
    let end = mac.wait("an end", || mac.state(|state| state.jobs[JOB].last_exit.clone()));
    assert_eq!(end, "last exit code = 78: EX_CONFIG");
}

#[test]
fn a_loaded_job_does_not_notice_that_its_file_changes_and_overrides_outlive_it() {
    let mac = Mac::new();
    let gui = format!("gui/{}", uid());
    let plist = define(&mac, &["/bin/sleep", "1000"], KEPT);
    assert_eq!(mac.launchctl(&format!("bootstrap {gui} {plist}")).code, 0);
    define(&mac, &["/bin/sleep", "2000"], KEPT);
    assert!(mac.launchctl(&format!("print {gui}/{JOB}")).out.contains("\t\t1000\n"));
    mac.pid(JOB);
    assert_eq!(mac.launchctl(&format!("disable {gui}/{JOB}")).code, 0);
    assert_eq!(mac.launchctl(&format!("bootout {gui}/{JOB}")).code, 0);
    mac.wait("an end", || mac.state(|state| state.jobs.is_empty()).then_some(()));
    for (old_words, word) in [(false, "disabled"), (true, "true")] {
        mac.state(|state| state.knobs.old_words = old_words);
        assert!(
            mac.launchctl(&format!("print-disabled {gui}")).out.contains(&format!("\"{JOB}\" => {word}\n"))
        );
    }
}
