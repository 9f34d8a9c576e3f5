//! What an operator asks for beyond starting and stopping: previews, settings, enablement, logs, and a machine that is not
//! as it should be.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{LABEL, Mac, uid};

#[test]
fn previews_show_the_property_list_and_do_nothing() {
    let mac = Mac::new();
    let printed = mac.ok("gateway install --print");
    let read = plist::Value::from_reader_xml(printed.as_bytes()).unwrap().into_dictionary().unwrap();
    assert_eq!(read["Label"].as_string(), Some(LABEL));
    let steps = mac.ok("gateway install --dry-run");
    assert!(steps.starts_with("1. write ") && steps.contains("start: it is not running"), "{steps}");
    // launchd has no definitions in memory to be reloaded, and counts no starts.
    assert!(!steps.contains("reload") && !steps.contains("clear earlier failures"), "{steps}");
    assert!(!mac.plist().exists() && mac.state(|state| state.jobs.is_empty()));

    mac.ok("gateway install");
    assert_eq!(mac.ok("gateway install --print"), std::fs::read_to_string(mac.plist()).unwrap());
    let same = mac.run("gateway install --diff");
    assert!(same.code == 0 && same.err.contains("the definition is as it would be written"), "{same:?}");
    let diff = mac.ok("gateway install --diff --port 4711");
    assert!(diff.contains("-ProgramArguments=") && diff.contains("--port 4711"), "{diff}");
    assert!(mac.ok("gateway install --dry-run").starts_with("Nothing to do"));
    let calls = mac.state(|state| state.calls.iter().filter(|call| call.starts_with("bootstrap")).count());
    assert_eq!(calls, 1);
}

/// There is nothing beside a property list that could hold settings of an operator's.
#[test]
fn an_edit_is_refused_with_what_to_do_instead() {
    let mac = Mac::new();
    assert_eq!(mac.run("gateway edit --stdin").code, 4);
    mac.ok("gateway install");
    let refused = mac.run("gateway edit --stdin");
    assert_eq!(refused.code, 1, "{refused:?}");
    for words in
        ["launchd knows no settings beside the definition", "config set", "an install keeps what you change"]
    {
        assert!(refused.err.contains(words), "{words}: {refused:?}");
    }
    // And so it does.
    let text = std::fs::read_to_string(mac.plist()).unwrap();
    let edited = text.replace(
        "<key>ProcessType</key>",
        "<key>Nice</key>\n\t<integer>5</integer>\n\t<key>ProcessType</key>",
    );
    mac.put(&mac.plist(), edited.as_bytes());
    let install = mac.run("gateway install");
    assert_eq!(install.code, 6, "{install:?}");
    assert!(install.err.contains("leave it as it is") && !install.err.contains("systemctl"), "{install:?}");
    assert_eq!(std::fs::read_to_string(mac.plist()).unwrap(), edited);
}

#[test]
fn a_reload_keeps_the_process_where_that_will_do() {
    let mac = Mac::new();
    assert_eq!(mac.run("gateway reload").code, 4);
    mac.ok("gateway install");
    let pid = mac.pid(LABEL);
    mac.ok("gateway reload");
    assert_eq!(mac.pid(LABEL), pid);
    assert!(mac.state(|state| state.calls.iter().any(|call| call.starts_with("kill HUP "))));
    mac.ok("gateway stop");
    assert_eq!(mac.run("gateway reload").code, 3);
}

#[test]
fn enabling_is_the_override_and_touches_no_process() {
    let mac = Mac::new();
    assert_eq!(mac.run("gateway enable").code, 4);
    mac.ok("gateway install");
    let pid = mac.pid(LABEL);
    assert!(mac.ok("gateway enable").starts_with("Nothing to do"));
    let disabled = mac.run("gateway disable");
    assert!(disabled.code == 0 && disabled.err.contains("it runs until it is stopped"), "{disabled:?}");
    let overrides = || mac.state(|state| state.overrides.get(LABEL).copied());
    assert_eq!((overrides(), mac.pid(LABEL)), (Some(true), pid));
    assert!(mac.ok("gateway disable").starts_with("Nothing to do"));
    mac.ok("gateway enable");
    assert_eq!((overrides(), mac.pid(LABEL)), (Some(false), pid));
    // Installed to be started by hand only, it is not loaded at the next login.
    mac.ok("gateway uninstall");
    mac.ok("gateway install --no-start --no-enable");
    assert_eq!((overrides(), mac.state(|state| state.jobs.len())), (Some(true), 0));
    assert_eq!(mac.status()["service"]["facts"]["enabled"]["is"], "no");
}

#[test]
fn logs_are_the_gateways_own_file_for_launchd_keeps_no_journal() {
    let mac = Mac::new();
    mac.ok("gateway install");
    let logs = mac.run("logs");
    assert!(logs.code == 0 && logs.out.contains("listening on"), "{logs:?}");
    assert!(logs.err.contains(".idlehands/logs/gateway.log") && !logs.err.contains("journal"), "{logs:?}");
    let journal = mac.run("logs --source journal");
    assert_eq!(journal.code, 1, "{journal:?}");
    assert!(
        journal.err.contains("launchd keeps no journal") && journal.err.contains("--source file"),
        "{journal:?}"
    );
    mac.ok("gateway stop");
    assert!(mac.ok("logs").contains("listening on"), "they are there while it is down");
}

fn doctor(mac: &Mac) -> Value {
    let ran = mac.run("doctor --json");
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn has(answer: &Value, id: &str) -> bool {
    answer["findings"].as_array().is_some_and(|all| all.iter().any(|finding| finding["id"] == id))
}

#[test]
fn the_doctor_shows_what_it_will_do_and_restarts_nothing_unasked() {
    let mac = Mac::new();
    mac.ok("gateway install");
    let text = std::fs::read_to_string(mac.plist()).unwrap();
    let pid = mac.pid(LABEL);
    mac.put(&mac.plist(), text.replace("\t<key>Umask</key>\n\t<integer>63</integer>\n", "").as_bytes());
    // Nobody is there to be asked.
    let asked = mac.run("doctor --fix");
    assert_eq!(asked.code, 6, "{asked:?}");
    assert!(asked.err.contains("+Umask=63") && asked.err.contains("will: write "), "{asked:?}");
    assert!(asked.err.contains("Nothing was done"), "{asked:?}");
    // What takes a restart waits for somebody who wants one.
    let fixed = mac.run("doctor --fix --non-interactive");
    assert_eq!(fixed.code, 6, "{fixed:?}");
    assert!(fixed.out.contains("repaired drift.missing") && fixed.out.contains("manager.stale"), "{fixed:?}");
    assert_eq!(mac.pid(LABEL), pid);
    let fixed = mac.run("doctor --fix --yes");
    assert!(fixed.code == 0 && fixed.err.contains("the service will be restarted"), "{fixed:?}");
    assert_ne!(mac.pid(LABEL), pid);
    let loaded = mac.state(|state| state.jobs[LABEL].text.clone());
    assert!(loaded.contains("<key>Umask</key>"), "{loaded}");
}

/// Where launchd does not answer, what is on disk is still looked at.
#[test]
fn the_doctor_says_what_it_could_not_look_at() {
    let mac = Mac::new();
    mac.ok("gateway install");
    mac.state(|state| state.knobs.hang = Some(("print".to_owned(), 1000)));
    let silent = doctor(&mac);
    assert!(has(&silent, "manager.unreachable"), "{silent:#}");
    mac.state(|state| {
        state.knobs = crate::fake::Knobs { no_gui: true, no_user: true, ..crate::fake::Knobs::default() }
    });
    mac.put(
        &mac.plist(),
        std::fs::read_to_string(mac.plist())
            .unwrap()
            .replace("<integer>63</integer>", "<integer>18</integer>")
            .as_bytes(),
    );
    let nowhere = doctor(&mac);
    assert!(has(&nowhere, "manager.unreachable") && has(&nowhere, "drift.edited"), "{nowhere:#}");
    mac.state(|state| state.knobs = crate::fake::Knobs { garbage: true, ..crate::fake::Knobs::default() });
    let garbage = doctor(&mac);
    assert!(!has(&garbage, "manager.unreachable") && has(&garbage, "drift.edited"), "{garbage:#}");
}

#[test]
fn a_program_that_others_can_replace_is_told() {
    let mac = Mac::new();
    let program = mac.path().join("opt/idlehands");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_idlehands"), &program).unwrap();
    mac.give();
    let mut command = mac.command("gateway install");
    command.env("SUITE_PROGRAM", &program);
    let installed = crate::support::ran(command);
    assert_eq!(installed.code, 0, "{installed:?}");
    assert!(!has(&doctor(&mac), "permissions.exposed"));
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o757)).unwrap();
    assert!(has(&doctor(&mac), "permissions.exposed"));
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(program.parent().unwrap(), std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(has(&doctor(&mac), "permissions.exposed"));
}

/// A loop of failures is told by what it ends with; restarts by hand are none.
#[test]
fn restarts_by_hand_are_no_loop() {
    let mac = Mac::new();
    mac.ok("gateway install");
    for _ in 0..4 {
        mac.launchctl(&format!("kickstart -k gui/{}/{LABEL}", uid()));
    }
    mac.wait("an answer", || mac.answers().then_some(()));
    let calm = doctor(&mac);
    assert!(mac.state(|state| state.jobs[LABEL].runs) > 4 && !has(&calm, "state.restarts"), "{calm:#}");
    mac.state(|state| {
        let job = state.jobs.get_mut(LABEL).unwrap();
        job.last_exit = Some("last terminating signal = Abort trap: 6".to_owned());
    });
    assert!(has(&doctor(&mac), "state.restarts"));
}
