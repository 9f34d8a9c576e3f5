//! What an operator is told is true, and what an operator is told to type works: as oneself, as another user, as root.

use serde_json::Value;

use crate::support::program::set_up;
use crate::support::service::UNIT;
use crate::support::{Machine, Ran};

const FILE: &str = "~/.config/systemd/user/idlehands-gateway.service";

fn answer(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

/// The ids of the findings that count.
fn counting(answer: &Value) -> Vec<&str> {
    let findings = answer["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let counting = findings.iter().filter(|finding| finding["severity"] != "info");
    counting.map(|finding| finding["id"].as_str().unwrap()).collect()
}

#[track_caller]
fn finding<'a>(answer: &'a Value, id: &str) -> &'a Value {
    let findings = answer["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    findings.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("no {id}: {answer:#}"))
}

/// The hint of a finding that begins so, without that beginning.
#[track_caller]
fn hint<'a>(finding: &'a Value, begins: &str) -> &'a str {
    let hints = finding["hints"].as_array().map(Vec::as_slice).unwrap_or_default();
    let hint = hints.iter().find_map(|hint| hint.as_str()?.strip_prefix(begins));
    hint.unwrap_or_else(|| panic!("no hint {begins:?}: {finding:#}"))
}

#[test]
fn a_stopped_service_is_looked_for_where_it_was_installed_to_listen() {
    let machine = set_up();
    machine.user("idlehands gateway install --port 18800; idlehands gateway stop").ok();
    let status = answer(&machine.user("idlehands gateway status --json"));
    assert_eq!(status["gateway"]["port"], 18800, "{status:#}");
    let health = machine.user("idlehands health");
    assert_eq!(health.code, 3, "{health}");
    assert!(health.stderr.contains("ws://127.0.0.1:18800"), "{health}");
    let (_, start) = health.stderr.split_once("Start it: ").unwrap();
    machine.user(start.split("  (or see").next().unwrap()).ok();
    machine.user("idlehands health").ok();

    // Nobody is there to use an editor.
    let edit = machine.user("unset EDITOR VISUAL; timeout 20 idlehands gateway edit </dev/null");
    assert_eq!((edit.code, edit.stdout.as_str()), (1, ""), "{edit}");
    assert!(edit.stderr.contains("--stdin"), "{edit}");
}

#[test]
fn a_configuration_that_its_owner_may_not_read_is_told_as_that_and_repaired() {
    let machine = set_up();
    machine.user("idlehands gateway install; chmod 000 .idlehands/idlehands.json").ok();
    let found = answer(&machine.user("idlehands doctor --json"));
    assert_eq!(counting(&found), ["permissions.mode"], "{found:#}");
    let fixed = answer(&machine.user("idlehands doctor --fix --yes --json"));
    assert_eq!((&fixed["ok"], counting(&fixed)), (&true.into(), vec![]), "{fixed:#}");
    assert_eq!(machine.user("stat -c %a .idlehands/idlehands.json").ok(), "600");
    machine.user("idlehands gateway restart").ok();
}

#[test]
fn what_is_forced_over_somebody_elses_unit_or_a_piece_of_ours_is_whole() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let run = machine.property(UNIT, "InvocationID");

    // Cut off in the middle of a line that is one all the same.
    machine.user(&format!("head -c 300 {FILE} >piece; cat piece >{FILE}")).ok();
    let fixed = answer(&machine.user("idlehands doctor --fix --force --yes --json"));
    assert_eq!(fixed["ok"], true, "{fixed:#}");
    let again = machine.user("idlehands gateway install");
    assert!(again.ok().starts_with("Nothing to do: "), "{again}");

    // A gateway that works is not restarted into what somebody else wrote.
    machine
        .user(&format!(
            "printf '[Service]\\nExecStart=/bin/sleep 1000\\n' >{FILE}; systemctl --user daemon-reload"
        ))
        .ok();
    let careful = answer(&machine.user("idlehands doctor --fix --yes --json"));
    assert_eq!(careful["repair"]["restarted"], false, "{careful:#}");
    assert_eq!(machine.property(UNIT, "InvocationID"), run);

    // The manager tells the watchdog of the last start, which was that of somebody else's.
    machine.user(&format!("systemctl --user restart {UNIT}")).ok();
    assert_eq!(machine.property(UNIT, "WatchdogUSec"), "0");
    machine.user("idlehands gateway install --force").ok();
    assert_eq!(machine.property(UNIT, "WatchdogUSec"), "1min");
    assert_eq!(counting(&answer(&machine.user("idlehands doctor --json"))), [""; 0]);
}

#[test]
fn the_machines_service_is_told_truly_to_who_is_not_root() {
    let machine = Machine::boot();
    let user = |line: &str| machine.user(&format!("idlehands --system {line}"));
    machine.root("idlehands --system gateway install --port 18900").ok();
    let status = answer(&user("gateway status --json"));
    assert_eq!(
        (&status["gateway"]["port"], &status["service"]["facts"]["healthy"]["is"]),
        (&18900.into(), &"yes".into()),
        "{status:#}"
    );
    // What only root can see is nobody's mistake.
    let doctor = answer(&user("doctor --json"));
    assert_eq!((&doctor["ok"], counting(&doctor)), (&true.into(), vec![]), "{doctor:#}");
    hint(finding(&doctor, "permissions.unknown"), "Look as root: sudo idlehands --system doctor");
    for (line, said) in [
        ("doctor --fix --yes", "hint: sudo idlehands --system doctor --fix"),
        ("gateway edit --stdin </dev/null", "hint: sudo idlehands --system gateway edit"),
        ("logs --source file", "hint: sudo idlehands --system logs"),
        ("gateway restart", "hint: run the same command with sudo"),
    ] {
        let ran = user(line);
        assert_eq!(ran.code, 5, "{line}: {ran}");
        assert!(ran.stderr.contains(said) && !ran.stderr.contains(" ..."), "{line}: {ran}");
    }
    machine.root("idlehands --system gateway stop").ok();
    let health = user("health");
    assert!(health.stderr.contains("Start it: sudo idlehands --system gateway start"), "{health}");
}

#[test]
fn a_token_that_is_gone_or_weak_is_found_and_made_anew_with_the_service_as_it_is() {
    let machine = Machine::boot();
    let doctor = |flags: &str| answer(&machine.root(&format!("idlehands --system doctor --json {flags}")));
    machine.root("idlehands --system gateway install").ok();
    let unit = "/etc/systemd/system/idlehands-gateway.service";
    let (token, before) =
        ("/etc/idlehands-gateway/credentials/IDLEHANDS_GATEWAY_TOKEN", machine.root(&format!("cat {unit}")));

    machine.root(&format!("echo hunter2 >{token}")).ok();
    let weak = doctor("");
    assert_eq!(counting(&weak), ["token.weak"], "{weak:#}");
    assert!(!weak.to_string().contains("hunter2"), "{weak:#}");
    let fix = hint(finding(&weak, "token.weak"), "To have a new one made: ");
    let (first, second) = fix.split_once(", then: ").unwrap();
    machine.root(first.strip_prefix("sudo ").unwrap()).ok();
    let fixed = machine.root(&format!("{} --yes --json", second.strip_prefix("sudo ").unwrap()));
    assert_eq!(answer(&fixed)["ok"], true, "{fixed}");
    assert_eq!(machine.root(&format!("cat {unit}")).ok(), before.ok());
    machine.root(&format!("test $(stat -c %s {token}) -gt 20; idlehands --system gateway restart")).ok();
    assert_eq!(counting(&doctor("")), [""; 0]);
}

#[test]
fn a_gateway_of_a_user_is_no_problem_of_a_machine_that_has_none_and_its_end_can_be_typed() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let doctor = answer(&machine.root("idlehands --system doctor --json"));
    assert_eq!((&doctor["ok"], counting(&doctor)), (&true.into(), vec![]), "{doctor:#}");
    let typed = hint(finding(&doctor, "siblings.duplicate"), "To have it here instead: sudo ");
    machine.root(typed).ok();
    machine.wait(UNIT, &[("ActiveState", "inactive")]);
    machine.root("idlehands --system gateway install").ok();
}
