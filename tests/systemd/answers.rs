//! `--json`: exactly one document on standard output, whatever is asked for and whatever comes of it.

use serde_json::Value;

use crate::support::program::set_up;
use crate::support::service::UNIT;
use crate::support::{Machine, Ran};

/// The document, and nothing beside it.
#[track_caller]
fn document(ran: &Ran) -> Value {
    let answer: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("no one document, {error}: {ran}"));
    assert_eq!(answer["schema"], 1, "{ran}");
    answer
}

/// Runs lines as the user and compares exit code, action and result; a failure says why.
#[track_caller]
fn compare(machine: &Machine, table: &[(&str, i32, &str, &str)]) {
    for (line, code, action, result) in table {
        let ran = machine.user(line);
        let answer = document(&ran);
        assert_eq!((ran.code, &answer["exitCode"]), (*code, &(*code).into()), "{ran}");
        assert_eq!((&answer["action"], &answer["result"]), (&(*action).into(), &(*result).into()), "{ran}");
        assert_eq!(answer["ok"], *code == 0, "{ran}");
        assert_eq!(answer["error"].is_string(), *code != 0, "{ran}");
        assert!(answer["hints"].is_array(), "{ran}");
        assert!(!ran.stderr.contains("error:"), "{ran}");
    }
}

#[test]
fn every_verb_answers_in_one_document_whether_it_succeeds_or_not() {
    let machine = set_up();
    let broken =
        "cp .idlehands/idlehands.json good; echo '{ gateway: { prot: 1 } }' >.idlehands/idlehands.json";
    compare(
        &machine,
        &[
            ("idlehands gateway start --json", 4, "start", "failed"),
            ("idlehands gateway reload --json", 4, "reload", "failed"),
            ("idlehands gateway enable --json", 4, "enable", "failed"),
            ("echo | idlehands gateway edit --stdin --json", 4, "edit", "failed"),
            ("idlehands gateway uninstall --json", 0, "uninstall", "unchanged"),
            ("idlehands gateway install --json --dry-run", 0, "install", "planned"),
            ("idlehands gateway install --json", 0, "install", "installed"),
            ("idlehands gateway install --json", 0, "install", "unchanged"),
            ("idlehands gateway stop --json", 0, "stop", "stopped"),
            ("idlehands gateway stop --json", 0, "stop", "unchanged"),
            ("idlehands gateway reload --json", 3, "reload", "failed"),
            ("idlehands gateway start --json", 0, "start", "started"),
            ("idlehands gateway restart --json", 0, "restart", "restarted"),
            ("idlehands gateway reload --json", 0, "reload", "reloaded"),
            ("idlehands gateway disable --json", 0, "disable", "disabled"),
            ("idlehands gateway enable --json", 0, "enable", "enabled"),
            ("echo RestartSec=7 | idlehands gateway edit --stdin --json", 1, "edit", "failed"),
            (
                "printf '[Service]\\nRestartSec=7\\n' | idlehands gateway edit --stdin --json",
                0,
                "edit",
                "written",
            ),
            ("echo | idlehands gateway edit --stdin --json", 0, "edit", "removed"),
            ("echo | idlehands gateway edit --stdin --json", 0, "edit", "unchanged"),
            (&format!("{broken}; idlehands gateway restart --json"), 78, "restart", "failed"),
            ("idlehands gateway install --json", 78, "install", "failed"),
        ],
    );
    machine.user("cp good .idlehands/idlehands.json").ok();
    compare(
        &machine,
        &[
            ("idlehands --system gateway uninstall --json", 5, "uninstall", "failed"),
            (
                &format!(
                    "echo '# mine' >>.config/systemd/user/{UNIT}; sed -i s/^Restart=.*/Restart=no/ .config/systemd/user/{UNIT}; \
                     systemctl --user daemon-reload; idlehands gateway install --json"
                ),
                6,
                "install",
                "failed",
            ),
            (
                "systemctl --user mask --runtime -q --force idlehands-gateway-x.service; idlehands --profile x gateway start --json",
                1,
                "start",
                "failed",
            ),
            ("idlehands gateway uninstall --json", 0, "uninstall", "uninstalled"),
            // Nobody there to ask, and nothing to ask with.
            (
                "export SUDO_USER=tester; idlehands --host nobody@127.0.0.1 gateway start --json",
                8,
                "start",
                "failed",
            ),
            ("idlehands --host nobody@127.0.0.1 doctor --json", 8, "doctor", "failed"),
            ("idlehands --host nobody@127.0.0.1 gateway call health --json", 2, "call", "failed"),
            ("idlehands health --json", 3, "health", "failed"),
        ],
    );
    let logs = machine.user("idlehands --host nobody@127.0.0.1 logs --json");
    let item: Value = serde_json::from_str(logs.stdout.lines().next().unwrap()).unwrap();
    assert_eq!((logs.stdout.lines().count(), &item["type"]), (1, &"error".into()), "{logs}");
}

#[test]
fn without_a_manager_the_answer_is_a_document_too() {
    let machine = Machine::boot();
    machine.root("useradd --create-home other").ok();
    let as_other = "env -i PATH=$PATH HOME=/home/other setpriv --reuid other --regid other --clear-groups";
    for verb in ["install", "uninstall", "start", "stop", "restart", "enable", "disable"] {
        let ran = machine.root(&format!(
            "{as_other} idlehands setup >/dev/null 2>&1; {as_other} idlehands gateway {verb} --json"
        ));
        let answer = document(&ran);
        assert_eq!((ran.code, &answer["exitCode"], &answer["action"]), (8, &8.into(), &verb.into()), "{ran}");
        assert!(answer["hints"][0].as_str().unwrap().contains("loginctl enable-linger"), "{ran}");
    }
    let status = machine.root(&format!("{as_other} idlehands gateway status --json"));
    let answer = document(&status);
    assert_eq!(answer["service"]["facts"]["headline"], "unknown", "{status}");
    let sudo = machine.root("export SUDO_USER=tester; idlehands gateway start --json");
    assert_eq!((sudo.code, &document(&sudo)["exitCode"]), (5, &5.into()), "{sudo}");
}
