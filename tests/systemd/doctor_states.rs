//! The doctor on what happens to a service that is installed as it should be: upgrades, failures, other owners.

use serde_json::Value;

use crate::support::Machine;
use crate::support::program::set_up;
use crate::support::service::UNIT;

/// The findings of an answer, by id.
fn ids(answer: &Value) -> Vec<&str> {
    let findings = answer["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    findings.iter().map(|finding| finding["id"].as_str().unwrap()).collect()
}

#[track_caller]
fn found<'a>(answer: &'a Value, id: &str) -> &'a Value {
    let findings = answer["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    findings.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("no {id}: {answer:#}"))
}

fn look(machine: &Machine) -> Value {
    machine.json("idlehands doctor --json")
}

fn repair(machine: &Machine, flags: &str) -> Value {
    machine.json(&format!("idlehands doctor --fix --json {flags}"))
}

/// The program in a place where it can be upgraded, installed from there.
fn installed() -> Machine {
    let machine = set_up();
    machine.user("mkdir -p .local/bin; cp /usr/local/bin/idlehands .local/bin/").ok();
    machine.user("~/.local/bin/idlehands gateway install").ok();
    assert_eq!(ids(&look(&machine)), [""; 0]);
    machine
}

#[test]
fn a_program_that_was_replaced_is_restarted_and_that_is_said_first() {
    let machine = installed();
    let run = machine.property(UNIT, "InvocationID");
    machine.user("cp .local/bin/idlehands new; mv new .local/bin/idlehands").ok();
    assert_eq!(found(&look(&machine), "process.replaced")["severity"], "warning");
    // Nobody is there to be asked, and nobody said that it may.
    let asked = machine.user("idlehands doctor --fix </dev/null");
    assert_eq!(asked.code, 6, "{asked}");
    assert!(
        asked.stderr.contains("the service will be restarted") && asked.stderr.contains("--yes"),
        "{asked}"
    );
    let careful = repair(&machine, "--non-interactive");
    assert_eq!((&careful["repair"]["done"], &careful["repair"]["restarted"]), (&false.into(), &false.into()));
    assert_eq!(machine.property(UNIT, "InvocationID"), run);
    let done = repair(&machine, "--yes");
    assert_eq!((&done["ok"], &done["repair"]["restarted"]), (&true.into(), &true.into()), "{done:#}");
    assert_ne!(machine.property(UNIT, "InvocationID"), run);
    assert_eq!(ids(&look(&machine)), [""; 0]);
}

#[test]
fn a_program_that_cannot_run_is_named_and_the_service_is_left_running() {
    let machine = installed();
    let run = machine.property(UNIT, "InvocationID");
    for (breaks, mends) in [
        ("mv .local/bin/idlehands gone", "mv gone .local/bin/idlehands"),
        ("chmod 644 .local/bin/idlehands", "chmod 755 .local/bin/idlehands"),
    ] {
        machine.user(breaks).ok();
        let answer = repair(&machine, "--yes --force");
        let finding = found(&answer, "files.program");
        assert_eq!(
            (&finding["severity"], &finding["key"]),
            (&"error".into(), &"ExecStart".into()),
            "{answer:#}"
        );
        assert_eq!(answer["repair"]["restarted"], false, "{answer:#}");
        machine.user(mends).ok();
    }
    assert_eq!(machine.property(UNIT, "InvocationID"), run);
    assert_eq!(ids(&look(&machine)), [""; 0]);
}

#[test]
fn failures_other_owners_and_other_profiles_are_told_apart() {
    let machine = installed();
    machine.user("idlehands --profile work setup && idlehands --profile work gateway install").ok();
    assert_eq!(ids(&look(&machine)), [""; 0], "other profiles are not foreign");

    machine
        .user("idlehands config set gateway.mode remote; systemctl --user restart idlehands-gateway.service")
        .stdout
        .clear();
    machine.wait(UNIT, &[("ActiveState", "failed")]);
    let failed = look(&machine);
    let words = found(&failed, "state.failed")["summary"].as_str().unwrap();
    assert!(words.contains("exit status 78: configuration error"), "{words}");
    assert_eq!(found(&failed, "config.mode")["key"], "gateway.mode");
    machine.user("idlehands config set gateway.mode local").ok();

    machine.user("systemd-run --user --unit other-listener idlehands --profile other gateway run --port 18789 --allow-unconfigured").ok();
    machine.user("until idlehands doctor | grep -q port.taken; do sleep 0.2; done").ok();
    let held = look(&machine);
    let words = found(&held, "port.taken")["summary"].as_str().unwrap();
    assert!(words.contains("unit other-listener.service"), "{words}");
    machine.user("systemctl --user stop other-listener.service; idlehands gateway start").ok();
    assert_eq!(ids(&look(&machine)), [""; 0]);

    machine.root("loginctl disable-linger tester").ok();
    assert_eq!(found(&look(&machine), "enablement.linger")["severity"], "info");
    machine.root("loginctl enable-linger tester").ok();
    machine.user("idlehands gateway uninstall").ok();
    let gone = machine.user("idlehands doctor --json");
    assert_eq!(gone.code, 0, "{gone}");
    assert!(gone.stdout.contains("definition.not-installed"), "{gone}");
}

/// The same checks, for the machine's own gateway.
#[test]
fn the_machines_own_gateway_is_audited_and_repaired_by_root() {
    let machine = Machine::boot();
    let doctor = |flags: &str| -> Value {
        let ran = machine.root(&format!("idlehands --system doctor --json {flags}"));
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
    };
    machine.root("idlehands --system gateway install").ok();
    assert_eq!(ids(&doctor("")), [""; 0], "{:#}", doctor(""));
    let unit = "/etc/systemd/system/idlehands-gateway.service";
    machine.root(&format!("sed -i s/^Restart=.*/Restart=no/ {unit}; mkdir {unit}.d; printf '[Service]\\nNice=5\\nProtectSystem=no\\n' >{unit}.d/x.conf; systemctl daemon-reload")).ok();
    machine
        .root("systemctl disable idlehands-gateway.service; chmod 600 /etc/idlehands-gateway/idlehands.json")
        .ok();
    let answer = doctor("");
    assert_eq!(found(&answer, "drift.edited")["key"], "Restart");
    let overridden = found(&answer, "drift.overridden");
    assert_eq!((&overridden["key"], &overridden["at"]["line"]), (&"ProtectSystem".into(), &3.into()));
    assert_eq!(found(&answer, "permissions.mode")["expected"], "0644");
    found(&answer, "enablement.disabled");
    let fixed = doctor("--fix --yes");
    assert!(
        !ids(&fixed).contains(&"enablement.disabled") && ids(&fixed).contains(&"drift.edited"),
        "{fixed:#}"
    );
    assert_eq!(doctor("--fix --yes --force")["ok"], true);
    assert_eq!(ids(&doctor("")), [""; 0]);
    assert_eq!(machine.root(&format!("cat {unit}.d/x.conf")).ok(), "[Service]\nNice=5");
}
