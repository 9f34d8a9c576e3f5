//! The fake itself: every row of lifecycle notes D1 that a client meets, and the behaviour of D5.

use crate::fake::{Knobs, State};
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

/// Lifecycle notes D1, a row each: what is so, what is asked, the number, and the words. `G` is the graphical domain of
/// whoever asks, `U` the user's, `P` a definition that is good, `J` its label, `N` the user, `PROCESS` the process.
type Row = (fn(&mut State), &'static str, i32, &'static str);

const ROWS: &[Row] = &[
    (|_| {}, "print G/J", 113, "Bad request.\nCould not find service \"J\" in domain for user gui: N\n"),
    (|_| {}, "print U/J", 113, "Bad request.\nCould not find service \"J\" in domain for uid: N\n"),
    (|_| {}, "print system/J", 113, "Bad request.\nCould not find service \"J\" in domain for system\n"),
    (|_| {}, "print gui/424242", 112, "Bad request.\nCould not find domain for user gui: 424242\n"),
    (|state| state.knobs.gui_125 = true, "print G", 125, "Domain does not support specified action\n"),
    (|_| {}, "print nonsense", 64, "Unrecognized target specifier.\n"),
    (|_| {}, "bootout J", 64, "Unrecognized target specifier.\n"),
    (|_| {}, "kickstart J", 64, "Unrecognized target specifier. Did you mean gui/<uid>/<label>?\n"),
    (|_| {}, "frobnicate", 1, "Unrecognized subcommand: frobnicate\nRun launchctl help for usage.\n"),
    (|_| {}, "bootout G/J", 3, "Boot-out failed: 3: No such process\n"),
    (|_| {}, "bootout G P", 5, "Boot-out failed: 5: Input/output error\n"),
    (
        |_| {},
        "kickstart -k G/J",
        113,
        "Bad request.\nCould not find service \"J\" in domain for user gui: N\n",
    ),
    (|_| {}, "kill TERM G/J", 113, "Bad request.\nCould not find service \"J\" in domain for user gui: N\n"),
    (|_| {}, "remove J", 0, ""),
    (|_| {}, "list", 0, "PID\tStatus\tLabel\n"),
    (|_| {}, "list J", 113, "Could not find service \"J\" in domain for G\n"),
    (|_| {}, "error 37", 0, "37: Operation already in progress\n"),
    (|_| {}, "error 119", 0, "119: Service is disabled\n"),
    (|_| {}, "load /nowhere.plist", 0, "/nowhere.plist: Invalid property list\n"),
    (|state| state.knobs.gui_crashes = true, "load P", 134, ""),
    (
        |_| {},
        "bootstrap G /nowhere.plist",
        5,
        "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors.\n",
    ),
    (
        |state| state.knobs.terse = true,
        "bootstrap G /nowhere.plist",
        5,
        "Bootstrap failed: 5: Input/output error\n",
    ),
    (|_| {}, "bootstrap gui/424242 P", 112, "Bad request.\nCould not find domain for user gui: 424242\n"),
    (
        |state| state.knobs.gui_takes_none = true,
        "bootstrap G P",
        125,
        "Bootstrap failed: 125: Domain does not support specified action\n",
    ),
    (|_| {}, "disable G/J", 0, ""),
    (|_| {}, "bootstrap G P", 119, "Bootstrap failed: 119: Service is disabled\n"),
    (|state| state.knobs.disabled_5 = true, "bootstrap G P", 5, "Bootstrap failed: 5: Input/output error"),
    (|_| {}, "enable G/J", 0, ""),
    (
        |state| state.knobs.inject = vec![("bootstrap".to_owned(), 37, false)],
        "bootstrap G P",
        37,
        "Bootstrap failed: 37: Operation already in progress\n",
    ),
    (
        |state| state.knobs.inject = vec![("bootstrap".to_owned(), 1, false)],
        "bootstrap G P",
        1,
        "Bootstrap failed: 1: Operation not permitted\n",
    ),
    (
        |state| state.knobs.inject = vec![("bootstrap".to_owned(), 22, false)],
        "bootstrap G P",
        22,
        "Bootstrap failed: 22: Invalid argument\n",
    ),
    (
        |state| state.knobs.inject = vec![("bootstrap".to_owned(), 130, false)],
        "bootstrap G P",
        130,
        "Bootstrap failed: 130:",
    ),
    (
        |state| state.knobs.inject = vec![("enable".to_owned(), 1, false)],
        "enable G/J",
        1,
        "Could not enable service: 1: Operation not permitted\n",
    ),
    (
        |state| state.knobs.inject = vec![("disable".to_owned(), 125, false)],
        "disable G/J",
        125,
        "Could not disable service: 125: Domain does not support specified action\n",
    ),
    (|_| {}, "bootstrap G P", 0, ""),
    (|_| {}, "bootstrap G P", 5, "Bootstrap failed: 5: Input/output error"),
    (|_| {}, "bootstrap G P P", 0, "P: service already bootstrapped\nP: service already bootstrapped\n"),
    (|state| state.knobs.already_17 = true, "bootstrap G P", 17, "Bootstrap failed: 17: File exists\n"),
    (|_| {}, "load P", 0, "P: service already loaded\n"),
    (|_| {}, "kickstart G/J", 0, ""),
    (|_| {}, "kickstart -p G/J", 0, "PROCESS\n"),
    (|_| {}, "list", 0, "PID\tStatus\tLabel\nPROCESS\t0\tJ\n"),
    (
        |_| {},
        "list J",
        0,
        "{\n\t\"Label\" = \"J\";\n\t\"OnDemand\" = true;\n\t\"LastExitStatus\" = 0;\n\t\"PID\" = PROCESS;\n\t\"ProgramArguments\" = (\n\t\t\"/bin/sleep\";\n\t\t\"1000\";\n\t);\n};\n",
    ),
    (
        |state| state.knobs.inject = vec![("kickstart".to_owned(), 150, false)],
        "kickstart G/J",
        150,
        "Could not kickstart service \"J\": 150: Operation not permitted while System Integrity",
    ),
    (
        |state| state.knobs.inject = vec![("kickstart".to_owned(), 3, false)],
        "kickstart G/J",
        3,
        "Could not kickstart service \"J\": 3: No such process\n",
    ),
    (
        |state| state.knobs.inject = vec![("kill".to_owned(), 1, false)],
        "kill HUP G/J",
        1,
        "Not privileged to signal service.\n",
    ),
    (
        |state| state.knobs.inject = vec![("kill".to_owned(), 3, false)],
        "kill HUP G/J",
        3,
        "No process to signal.\n",
    ),
    (|_| {}, "bootout G P", 0, ""),
];

#[test]
fn every_situation_has_its_number_and_its_words() {
    let mac = Mac::new();
    let (gui, user) = (format!("gui/{}", uid()), format!("user/{}", uid()));
    let plist = define(&mac, &["/bin/sleep", "1000"], KEPT);
    for (number, (set_up, words, code, said)) in ROWS.iter().enumerate() {
        mac.state(|state| {
            state.knobs = Knobs::default();
            set_up(state);
        });
        let pid = mac.state(|state| state.jobs.get(JOB).and_then(|job| job.pid)).map(|pid| pid.to_string());
        if *words == "bootstrap G P P" {
            mac.pid(JOB);
        }
        let spelled = |text: &str| {
            let words = text.split_inclusive([' ', '/', '\t', '\n', '"', ':', ';']);
            let spell = |word: &str| {
                let end = word.trim_end_matches([' ', '/', '\t', '\n', '"', ':', ';']);
                let put = match end {
                    "G" => gui.clone(),
                    "U" => user.clone(),
                    "P" => plist.clone(),
                    "J" => JOB.to_owned(),
                    "N" => uid().to_string(),
                    "PROCESS" => pid.clone().unwrap_or_default(),
                    other => other.to_owned(),
                };
                put + &word[end.len()..]
            };
            words.map(spell).collect::<String>()
        };
        let ran = mac.launchctl(&spelled(words));
        let expected = spelled(said);
        let whole = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, *code, "row {number}: {words}: {ran:?}");
        assert!(whole.starts_with(&expected), "row {number}: {words}: {expected:?} {ran:?}");
        assert_eq!(whole.is_empty(), expected.is_empty(), "row {number}: {words}: {ran:?}");
    }
    mac.wait("an end", || mac.state(|state| state.jobs.is_empty()).then_some(()));
}

/// Lifecycle notes D1: those who load by the old verbs hear of no failure.
#[test]
fn the_old_verbs_load_and_unload_and_their_w_writes_the_override() {
    let mac = Mac::new();
    let plist = define(&mac, &["/bin/sleep", "1000"], KEPT);
    assert_eq!(mac.launchctl(&format!("unload -w {plist}")).code, 0);
    assert_eq!(mac.state(|state| state.overrides.get(JOB).copied()), Some(true));
    let refused = mac.launchctl(&format!("load {plist}"));
    assert!(refused.code == 0 && refused.err.contains("Load failed: 119"), "{refused:?}");
    assert_eq!(mac.launchctl(&format!("load -w {plist}")).code, 0);
    mac.pid(JOB);
    assert_eq!(mac.launchctl(&format!("unload {plist}")).code, 0);
    mac.wait("an end", || mac.state(|state| state.jobs.is_empty()).then_some(()));
    assert_eq!(mac.state(|state| state.overrides.get(JOB).copied()), Some(false));
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
