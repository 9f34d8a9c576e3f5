//! The everyday verbs: reload, enable, disable, and looking before an install.

use serde_json::json;

use crate::support::program::set_up;
use crate::support::service::UNIT;

#[test]
fn a_reload_is_applied_by_the_same_process_or_by_a_new_one_and_refused_where_it_cannot_work() {
    let machine = set_up();
    assert_eq!(machine.user("idlehands gateway reload").code, 4);
    machine.user("idlehands gateway install").ok();
    let pid = machine.pid(UNIT);
    machine.user("idlehands config set logging.level debug").ok();
    let reloaded = machine.user("idlehands gateway reload");
    assert_eq!(reloaded.ok(), format!("Reloaded systemd service: {UNIT}"), "{reloaded}");
    assert_eq!(machine.pid(UNIT), pid);
    let logs = machine.user("idlehands logs --limit 100");
    assert!(logs.ok().contains("config hot reload applied (logging.level)"), "{logs}");

    // Nothing of a broken configuration reaches the process.
    machine
        .user("cp .idlehands/idlehands.json good; echo '{ gateway: { prot: 1 } }' >.idlehands/idlehands.json")
        .ok();
    let refused = machine.user("idlehands gateway reload");
    assert_eq!(refused.code, 78, "{refused}");
    assert_eq!(machine.pid(UNIT), pid);
    machine.user("cp good .idlehands/idlehands.json").ok();

    // A change that needs a new process gets one, and the command comes back when that is there.
    machine.drop_in(UNIT, "[Service]\\nRestartSec=500ms\\nRestartSteps=0\\n");
    machine.user("idlehands config set gateway.port 19555").ok();
    machine.user("idlehands gateway reload").ok();
    assert_ne!(machine.pid(UNIT), pid);
    let status = machine.status();
    assert_eq!(
        (&status["rpc"]["ok"], &status["gateway"]["port"]),
        (&json!(true), &json!(19555)),
        "{status:#}"
    );

    machine.user("idlehands gateway stop").ok();
    let down = machine.user("idlehands gateway reload");
    assert_eq!(down.code, 3, "{down}");
    assert!(down.stderr.contains("hint: start it: idlehands gateway start"), "{down}");
}

#[test]
fn enable_and_disable_concern_the_next_login_and_nothing_else() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let pid = machine.pid(UNIT);
    let enabled = machine.user("idlehands gateway enable");
    assert_eq!(enabled.ok(), "Nothing to do: the gateway service starts by itself already");
    let disabled = machine.user("idlehands gateway disable");
    assert_eq!(disabled.ok(), format!("Disabled systemd service: {UNIT}"));
    assert!(
        disabled.stderr.contains("note: it runs until it is stopped: idlehands gateway stop"),
        "{disabled}"
    );
    assert_eq!(machine.property(UNIT, "UnitFileState"), "disabled");
    assert_eq!(
        machine.user("idlehands gateway disable").ok(),
        "Nothing to do: the gateway service does not start by itself"
    );
    assert_eq!(machine.pid(UNIT), pid);
    let plan = machine.user("idlehands gateway enable --dry-run");
    assert_eq!(machine.property(UNIT, "UnitFileState"), "disabled", "{plan}");
    machine.user("idlehands gateway enable").ok();
    assert_eq!(machine.property(UNIT, "UnitFileState"), "enabled");
    assert_eq!(machine.status()["service"]["facts"]["enabled"]["is"], "yes");
}

/// Lifecycle notes C6: a stop lasts until the next boot, unless it is for good.
#[test]
fn a_stop_for_good_outlasts_the_manager_until_it_is_enabled_or_started() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let again = |up: bool| {
        machine.root("systemctl restart user@4711.service").ok();
        machine.wait(UNIT, &[("ActiveState", if up { "active" } else { "inactive" })]);
    };
    machine.user("idlehands gateway stop").ok();
    again(true);

    let stopped = machine.user("idlehands gateway stop --disable");
    assert_eq!(stopped.ok(), format!("Stopped and disabled systemd service: {UNIT}"), "{stopped}");
    assert_eq!(stopped.stderr, "", "nothing is left to be done by hand");
    again(false);
    let twice = machine.user("idlehands gateway stop --disable");
    assert_eq!(twice.ok(), "Nothing to do: the gateway service neither runs nor starts by itself");

    // A start is for now, and says so; enabling it is for the next time.
    let started = machine.user("idlehands gateway start");
    let note = "note: it does not start by itself at login: idlehands gateway enable";
    assert!(started.ok().starts_with("Started ") && started.stderr.contains(note), "{started}");
    machine.user("idlehands gateway enable").ok();
    again(true);
}

#[test]
fn a_strict_status_fails_where_the_doctor_finds_something() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let well = machine.user("idlehands gateway status --strict");
    assert!(well.ok().contains("\nDoctor: no problems found"), "{well}");
    machine
        .user(&format!(
            "sed -i s/^Restart=.*/Restart=no/ .config/systemd/user/{UNIT}; systemctl --user daemon-reload"
        ))
        .ok();
    assert_eq!(machine.user("idlehands gateway status").code, 0, "nobody asked for more");
    let drifted = machine.user("idlehands gateway status --strict");
    assert_eq!(drifted.code, 6, "{drifted}");
    assert!(drifted.stdout.contains("\n- drift."), "{drifted}");
    let json = machine.user("idlehands gateway status --strict --json");
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        (&json["audit"]["ok"], &json["audit"]["findings"][0]["key"]),
        (&json!(false), &json!("Restart"))
    );
    machine.user("idlehands gateway stop").ok();
    assert_eq!(machine.user("idlehands gateway status --strict").code, 3, "what is down is told as down");
    assert_eq!(machine.user("idlehands gateway status --require-rpc").code, 9);
}

#[test]
fn an_install_can_be_looked_at_before_it_is_done() {
    let machine = set_up();
    let file = format!(".config/systemd/user/{UNIT}");
    let printed = machine.user("idlehands gateway install --print");
    assert!(printed.ok().starts_with("# Written by `idlehands gateway install`"), "{printed}");
    assert_eq!(machine.user(&format!("test -e {file}")).code, 1, "nothing was written");
    machine.user("idlehands gateway install").ok();
    assert_eq!(machine.user(&format!("cat {file}")).ok(), printed.ok());
    let same = machine.user("idlehands gateway install --diff");
    assert_eq!((same.ok(), same.stderr.as_str()), ("", "note: the definition is as it would be written\n"));
    let other = machine.user("idlehands gateway install --diff --port 19555");
    assert!(other.ok().contains("\n+ExecStart=/usr/local/bin/idlehands gateway run --port 19555"), "{other}");
    assert_eq!(machine.user(&format!("cat {file}")).ok(), printed.ok());
}

#[test]
fn the_operators_settings_are_a_drop_in_that_the_manager_took_or_nothing() {
    let machine = set_up();
    assert_eq!(machine.user("echo | idlehands gateway edit --stdin").code, 4);
    machine.user("idlehands gateway install").ok();
    let unit = machine.user(&format!("cat .config/systemd/user/{UNIT}")).ok().to_owned();
    let file = format!("/home/tester/.config/systemd/user/{UNIT}.d/override.conf");
    let edit = |text: &str| machine.user(&format!("printf '{text}' | idlehands gateway edit --stdin"));
    let written = edit("[Service]\\nRestartSec=7\\n");
    assert_eq!(written.ok(), format!("Wrote {file}"), "{written}");
    assert_eq!(machine.property(UNIT, "RestartUSec"), "7s");
    assert_eq!(edit("[Service]\\nRestartSec=7\\n").ok(), "Nothing to do: the settings are as they were");

    for wrong in ["[Service]\\nRestartSec=soon\\n", "RestartSec=3\\n", "[Service]\\nRestart\\n"] {
        let refused = edit(wrong);
        assert_eq!(refused.code, 1, "{refused}");
        assert!(refused.stderr.contains("hint: what was there before is back"), "{refused}");
        assert_eq!(machine.user(&format!("cat {file}")).ok(), "[Service]\nRestartSec=7");
        assert_eq!(machine.property(UNIT, "RestartUSec"), "7s");
    }

    // The editor gets a copy of what is there; what it leaves is what counts.
    machine.user("printf '#!/bin/sh\\nsed -i s/7/9/ \"$2\"\\n' >ed; chmod +x ed").ok();
    machine.user("EDITOR=false VISUAL='./ed --wait' idlehands gateway edit").ok();
    assert_eq!(machine.property(UNIT, "RestartUSec"), "9s");
    let failed = machine.user("VISUAL=false idlehands gateway edit");
    assert_eq!(failed.code, 1, "{failed}");
    assert!(failed.stderr.contains("nothing was changed"), "{failed}");

    assert_eq!(edit("").ok(), format!("Removed {file}"));
    assert_eq!(machine.property(UNIT, "RestartUSec"), "5s");
    assert_eq!(
        machine.user(&format!("cat .config/systemd/user/{UNIT}")).ok(),
        unit,
        "the unit itself is left alone"
    );
}
