//! What a manager says that must not be taken at its word: the second round of measurements (lifecycle notes E9), each
//! row against a real manager. Rows that other files keep:
//!
//! | row | what | where |
//! |---|---|---|
//! | 1 | restarts by hand count against the start limit | `verbs::restarting_often_does_not_use_up_the_limit_of_starts`, `operator::restarts_by_hand_never_hit_the_start_limit` |
//! | 2 | `NeedDaemonReload` is only a hint | here; `doctor_mutations.txt`, `manager.stale` |
//! | 3 | wrong values fall back silently | here; `doctor_mutations.txt`, `drift.dropped` |
//! | 4 | enabled is not "starts at login" | here; `doctor_mutations.txt`, `enablement.edge` |
//! | 5 | `disable` deletes a linked unit | here; `doctor_mutations.txt`, `definition.linked` |
//! | 6 | a process without a definition | `verbs::a_process_without_a_definition_is_seen_and_can_be_stopped_or_adopted` |
//! | 7 | drop-ins come from many places | `doctor_mutations.txt`, `drift.overridden` |
//! | 8 | a drop-in directory without a unit is invisible | here |
//! | 9 | the manager's environment leaks | here; `doctor_mutations.txt`, `environment.leak` |
//! | 10 | a missing `EnvironmentFile=` has no exit status | here; `doctor_mutations.txt`, `files.environment` |
//! | 11 | masked | here; `doctor_mutations.txt`, `definition.masked` |
//! | 12 | a stop cancels a start | `verbs::a_stop_cuts_a_start_short_and_a_deadline_ends_the_waiting` |
//! | 13 | the file descriptor store | `handover::the_manager_keeps_the_listeners_until_the_service_is_stopped` |
//! | 14 | `static`: installed, and cannot be enabled | here |

use serde_json::Value;

use crate::support::Machine;
use crate::support::program::set_up;
use crate::support::service::UNIT;

const UNIT_FILE: &str = "~/.config/systemd/user/idlehands-gateway.service";

fn installed() -> Machine {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    machine
}

fn findings(answer: &Value, id: &str) -> Vec<Value> {
    let all = answer["findings"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|finding| finding["id"] == id).collect()
}

#[track_caller]
fn finding(machine: &Machine, id: &str) -> Value {
    let answer = machine.json("idlehands doctor --json");
    findings(&answer, id).pop().unwrap_or_else(|| panic!("no {id}: {answer:#}"))
}

#[test]
fn row_2_the_managers_hint_misses_an_edit_with_the_old_time_and_a_first_drop_in() {
    let machine = installed();
    let hint = |machine: &Machine| machine.property(UNIT, "NeedDaemonReload");
    machine.user(&format!("touch -r {UNIT_FILE} stamp; sed -i s/^KillMode=.*/KillMode=process/ {UNIT_FILE}; touch -r stamp {UNIT_FILE}")).ok();
    assert_eq!(hint(&machine), "no");
    let stale = finding(&machine, "manager.stale");
    assert!(stale["found"].as_str().unwrap().contains("KillMode= is in force otherwise"), "{stale:#}");
    machine.user("idlehands gateway install --force").ok();
    assert_eq!(machine.property(UNIT, "KillMode"), "mixed");

    machine.user(&format!("mkdir {UNIT_FILE}.d; printf '[Service]\\nNice=5\\n' >{UNIT_FILE}.d/a.conf")).ok();
    // systemd 252 says no here too, 257 does not.
    let stale = finding(&machine, "manager.stale");
    assert!(stale["found"].as_str().unwrap().contains("has not read"), "{stale:#}");
    // A restart reads what is there first.
    machine.user("idlehands gateway restart").ok();
    assert_eq!(machine.property(UNIT, "Nice"), "5");
}

/// Every directive of the unit with the most of them: another value is in force than is written.
#[test]
fn row_3_what_is_in_force_is_read_back_value_by_value() {
    let machine = Machine::boot();
    machine.root("idlehands --system gateway install").ok();
    let unit = format!("/etc/systemd/system/{UNIT}");
    let doctor = |machine: &Machine| -> Value {
        serde_json::from_str(&machine.root("idlehands --system doctor --json").stdout).unwrap()
    };
    assert_eq!(findings(&doctor(&machine), "manager.stale"), [Value::Null; 0], "{:#}", doctor(&machine));
    machine.root(&format!("cp {unit} /root/unit; touch -d @1000000000 {unit}; systemctl daemon-reload")).ok();
    for (key, value) in [
        ("StateDirectory", "elsewhere"),
        ("StateDirectoryMode", "0755"),
        ("LoadCredential", "OTHER:/etc/hostname"),
        ("CapabilityBoundingSet", "~"),
        ("RestrictNamespaces", "no"),
        ("RestrictAddressFamilies", "AF_UNIX"),
        ("SystemCallFilter", "@basic-io"),
        ("SystemCallFilter", "~@clock"),
        ("SystemCallArchitectures", ""),
        ("SystemCallErrorNumber", "EACCES"),
        ("ProtectHome", "no"),
        ("KeyringMode", "shared"),
        ("SyslogIdentifier", "other"),
        ("FileDescriptorStoreMax", "1"),
        // Nonsense leaves a default in force.
        ("Restart", "sometimes"),
        ("UMask", "many"),
    ] {
        machine
            .root(&format!(
                "sed -i 's|^{key}=.*|{key}={value}|' {unit}; systemctl daemon-reload; cp /root/unit {unit}; touch -d @1000000000 {unit}"
            ))
            .ok();
        let stale = findings(&doctor(&machine), "manager.stale");
        let words = stale.first().map(|stale| stale["found"].to_string()).unwrap_or_default();
        assert!(
            words.contains(&format!("{key}= is in force otherwise than on disk")),
            "{key}={value}: {words}"
        );
        machine.root("systemctl daemon-reload").ok();
    }
    // An install does not believe that the manager took what it wrote, either.
    machine.user("mkdir -p .config/systemd/user/service.d; printf '[Service]\\nUMask=0000\\n' >.config/systemd/user/service.d/a.conf").ok();
    machine.user("idlehands --profile work setup").ok();
    let told = machine.user("idlehands --profile work gateway install");
    assert!(told.stderr.contains("UMask= is written as \"0077\" and in force as \"0000\""), "{told}");
}

#[test]
fn row_4_enabled_for_a_target_that_nobody_starts_is_not_enabled() {
    let machine = installed();
    machine
        .user(&format!(
            "systemctl --user disable {UNIT}; sed -i s/^WantedBy=.*/WantedBy=multi-user.target/ {UNIT_FILE}; \
             systemctl --user daemon-reload; systemctl --user enable {UNIT}"
        ))
        .ok();
    assert_eq!(machine.user(&format!("systemctl --user is-enabled {UNIT}")).ok(), "enabled");
    let status = machine.status();
    assert_eq!(status["service"]["facts"]["enabled"]["is"], "no", "{status:#}");
    finding(&machine, "enablement.edge");
    machine.user("idlehands doctor --fix --yes --force --json").stdout.clear();
    assert_eq!(machine.status()["service"]["facts"]["enabled"]["is"], "yes");
}

#[test]
fn row_5_a_linked_unit_is_neither_disabled_nor_written() {
    let machine = installed();
    machine
        .user(&format!(
            "mkdir store; mv {UNIT_FILE} store/{UNIT}; ln -s ~/store/{UNIT} {UNIT_FILE}; systemctl --user daemon-reload"
        ))
        .ok();
    let before = machine.user(&format!("sha256sum store/{UNIT}; readlink {UNIT_FILE}")).ok().to_owned();
    for verb in [
        "gateway disable",
        "gateway uninstall",
        "gateway install --port 19999",
        "gateway install --force --port 19999",
    ] {
        let refused = machine.user(&format!("idlehands {verb}"));
        assert_eq!(refused.code, 7, "{verb}: {refused}");
    }
    machine.user("idlehands doctor --fix --yes --force --json").stdout.clear();
    assert_eq!(machine.user(&format!("sha256sum store/{UNIT}; readlink {UNIT_FILE}")).ok(), before);
    // What the manager itself does.
    machine.user(&format!("systemctl --user disable {UNIT}; test ! -e {UNIT_FILE}")).ok();
}

#[test]
fn row_8_what_an_uninstall_leaves_is_told_though_the_manager_cannot_see_it() {
    let machine = installed();
    machine.drop_in(UNIT, "[Service]\\nNice=5\\n");
    let gone = machine.user("idlehands gateway uninstall");
    assert!(format!("{gone}").contains(&format!("{UNIT}.d/test.conf")), "{gone}");
    machine.user("systemctl --user daemon-reload").ok();
    assert_eq!(
        (machine.property(UNIT, "LoadState"), machine.property(UNIT, "DropInPaths")),
        ("not-found".to_owned(), String::new())
    );
    // It is in force again as soon as there is a unit.
    let again = machine.user("idlehands gateway install");
    assert!(again.stderr.contains("test.conf"), "{again}");
    assert_eq!(machine.property(UNIT, "Nice"), "5");
}

#[test]
fn rows_9_and_10_the_managers_environment_leaks_and_a_missing_file_is_no_exit_status() {
    let machine = installed();
    machine.user("systemctl --user set-environment IDLEHANDS_STATE_DIR=/tmp/elsewhere LD_PRELOAD=/nowhere.so EDITOR=vi; idlehands gateway restart").ok();
    let pid = machine.pid(UNIT);
    let environ = machine.user(&format!("tr '\\0' '\\n' </proc/{pid}/environ")).ok().to_owned();
    assert!(environ.lines().any(|line| line == "EDITOR=vi"), "it reaches every service: {environ}");
    assert!(
        environ.lines().any(|line| line == "IDLEHANDS_STATE_DIR="),
        "and cannot make it another gateway: {environ}"
    );
    assert_eq!(finding(&machine, "environment.leak")["key"], "Environment:LD_PRELOAD");
    machine.user("idlehands doctor --fix --yes --json").stdout.clear();
    let environ = machine.user(&format!("tr '\\0' '\\n' </proc/{}/environ", machine.pid(UNIT)));
    assert!(!environ.ok().contains("LD_PRELOAD"), "{environ}");

    machine.drop_in(UNIT, "[Service]\\nEnvironmentFile=/nowhere/env\\n");
    let failed = machine.user("idlehands gateway restart");
    assert_eq!(failed.code, 1, "{failed}");
    assert_eq!(
        (machine.property(UNIT, "Result"), machine.property(UNIT, "ExecMainStatus")),
        ("resources".to_owned(), "0".to_owned())
    );
    assert!(failed.stderr.contains("a file it names may be missing"), "{failed}");
    let need = finding(&machine, "files.environment");
    assert!(need["summary"].as_str().unwrap().contains("/nowhere/env"), "{need:#}");
}

#[test]
fn rows_11_and_14_masked_and_static_are_words_of_their_own() {
    let machine = installed();
    machine.user(&format!("sed -i '/^.Install/,$d' {UNIT_FILE}; systemctl --user disable {UNIT}; systemctl --user daemon-reload")).ok();
    assert_eq!(machine.user(&format!("systemctl --user is-enabled {UNIT}")).stdout, "static\n");
    let refused = machine.user("idlehands gateway enable");
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("no [Install] section"), "{refused}");
    assert_eq!(finding(&machine, "drift.missing")["key"], "WantedBy");

    machine.user(&format!("idlehands gateway stop; rm {UNIT_FILE}; systemctl --user daemon-reload; systemctl --user mask {UNIT}")).ok();
    assert_eq!(machine.property(UNIT, "LoadState"), "masked");
    for verb in ["start", "restart", "enable", "install", "uninstall"] {
        let refused = machine.user(&format!("idlehands gateway {verb}"));
        assert_eq!(refused.code, 1, "{verb}: {refused}");
        assert!(
            refused.stderr.contains("is masked") && refused.stderr.contains("systemctl --user unmask"),
            "{refused}"
        );
    }
    assert_eq!(machine.status()["service"]["facts"]["headline"], "masked");
    finding(&machine, "definition.masked");
}
