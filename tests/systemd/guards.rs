//! What a verb does not do, because the gateway that runs would be gone for one that cannot: and what it keeps of what
//! was chosen before.

use serde_json::json;

use crate::support::Machine;
use crate::support::program::set_up;
use crate::support::service::UNIT;

/// Lifecycle notes C6: a configuration is checked before anything is stopped for it.
#[test]
fn a_running_gateway_is_not_stopped_for_a_configuration_that_cannot_start() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let pid = machine.pid(UNIT);
    machine.user("cp .idlehands/idlehands.json good").ok();
    let table = [
        ("gateway.mode remote", "Gateway start blocked: set gateway.mode=local (current: remote)"),
        (
            "gateway.auth.mode none && idlehands config set gateway.bind lan",
            "refusing to bind gateway to 0.0.0.0:18789 without auth",
        ),
    ];
    for (setting, why) in table {
        machine.user(&format!("idlehands config set {setting}")).ok();
        for verb in ["restart", "start", "reload", "install --force"] {
            let refused = machine.user(&format!("idlehands gateway {verb}"));
            assert_eq!(refused.code, 78, "{verb}: {refused}");
            assert!(
                refused.stderr.contains(why) && refused.stderr.contains("hint: Run: idlehands config set"),
                "{refused}"
            );
        }
        // Nor does the gateway end by itself for it.
        machine.user(&format!("systemctl --user kill -s HUP {UNIT}")).ok();
        let skipped = format!(
            "until idlehands logs --limit 50 | grep -qF 'config reload skipped (invalid config): {why}'; do sleep 0.1; done"
        );
        machine.user(&skipped).ok();
        assert_eq!(machine.pid(UNIT), pid);
        machine.user("cp good .idlehands/idlehands.json").ok();
    }
    machine.user("idlehands gateway restart").ok();
    assert_ne!(machine.pid(UNIT), pid);
}

#[test]
fn an_install_keeps_the_port_that_an_earlier_one_was_given() {
    let machine = set_up();
    machine.user("idlehands gateway install --port 19100").ok();
    let pid = machine.pid(UNIT);
    let again = machine.user("idlehands gateway install");
    assert_eq!(again.ok(), "Nothing to do: the gateway service is installed as it should be", "{again}");
    assert_eq!((machine.pid(UNIT), &machine.status()["gateway"]["port"]), (pid, &json!(19100)));
    for wrong in ["0", "65536", "configured"] {
        let refused = machine.user(&format!("idlehands gateway install --port {wrong}"));
        assert_eq!(refused.code, 2, "{refused}");
        assert!(refused.stderr.contains("a number from 1 to 65535, or \"config\""), "{refused}");
    }
    machine.user("idlehands gateway install --port config").ok();
    let status = machine.status();
    assert_eq!((&status["gateway"]["port"], &status["rpc"]["ok"]), (&json!(18789), &json!(true)));
}

/// Lifecycle notes B7: one name, one owner. Other directories make another gateway.
#[test]
fn an_install_does_not_take_the_place_of_another_gateway() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let pid = machine.pid(UNIT);
    let other = "IDLEHANDS_STATE_DIR=/home/tester/other idlehands gateway install";
    let refused = machine.user(other);
    assert_eq!(refused.code, 7, "{refused}");
    let file = format!("/home/tester/.config/systemd/user/{UNIT}");
    let what =
        "is the service of another gateway (it is for the usual directories, without IDLEHANDS_STATE_DIR)";
    assert!(refused.stderr.contains(&format!("{file} {what}")), "{refused}");
    assert!(
        refused.stderr.contains("idlehands --profile NAME gateway install")
            && refused.stderr.contains("idlehands gateway install --force"),
        "{refused}"
    );
    assert_eq!(machine.pid(UNIT), pid);
    machine.user(&format!("{other} --force")).ok();
    let back = machine.user("idlehands gateway install");
    assert!(back.stderr.contains("(IDLEHANDS_STATE_DIR=/home/tester/other)"), "{back}");
}

#[test]
fn whoever_interrupts_is_told_what_goes_on_and_an_install_is_undone() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let before = machine.user(&format!("cat .config/systemd/user/{UNIT}")).ok().to_owned();
    machine.drop_in(UNIT, "[Service]\\nExecStartPre=/bin/sh -c \"test ! -e wait || exec sleep 1000\"\\n");
    let interrupted = |verb: &str| {
        machine.user(&format!(
            "touch wait; idlehands gateway {verb} & pid=$!; \
             until [ \"$(systemctl --user show {UNIT} -P SubState)\" = start-pre ]; do :; done; \
             rm wait; kill -INT $pid; wait $pid"
        ))
    };
    let restart = interrupted("restart");
    assert_eq!(restart.code, 1, "{restart}");
    assert!(
        restart.stderr.contains("error: interrupted while it was to restart\n")
            && restart.stderr.contains("see: idlehands gateway status"),
        "{restart}"
    );
    machine.user(&format!("systemctl --user restart {UNIT}")).ok();
    let install = interrupted("install --port 19100");
    assert_eq!(install.code, 1, "{install}");
    assert!(
        install.stderr.contains("interrupted while it was to restart")
            && install.stderr.contains("rolled back: the definition before is back, and it runs"),
        "{install}"
    );
    assert_eq!(machine.user(&format!("cat .config/systemd/user/{UNIT}")).ok(), before);
    assert_eq!(machine.status()["rpc"]["ok"], json!(true));
}

#[test]
fn an_install_that_is_refused_writes_nothing() {
    let machine = Machine::boot();
    let mask = format!("mkdir -p .config/systemd/user; ln -s /dev/null .config/systemd/user/{UNIT}");
    machine.user(&mask).ok();
    for flags in ["", " --force", " --json"] {
        let refused = machine.user(&format!("idlehands gateway install{flags}"));
        assert_eq!(refused.code, 1, "{refused}");
        assert!(!format!("{refused}").contains("Wrote"), "{refused}");
    }
    assert_eq!(machine.user("test -e .idlehands").code, 1, "no configuration, no record");
}

/// The service would only end with a conflict, and an install be rolled back for it.
#[test]
fn a_gateway_in_the_foreground_is_named_before_a_service_is_started_beside_it() {
    let machine = set_up();
    let beside = |verb: &str| {
        machine.user(&format!(
            "coproc idlehands gateway; until idlehands gateway health >health 2>&1; do :; done; \
             idlehands gateway {verb}; code=$?; kill $COPROC_PID; wait; exit $code"
        ))
    };
    for installed in [false, true] {
        let refused = beside(if installed { "start" } else { "install" });
        assert_eq!(refused.code, 7, "{refused}");
        assert!(
            refused.stderr.contains("error: the gateway runs already, and not as a service (process ")
                && refused.stderr.contains("hint: end it first: kill "),
            "{refused}"
        );
        assert_eq!(machine.property(UNIT, "ActiveState"), "inactive");
        assert_eq!(machine.property(UNIT, "LoadState"), if installed { "loaded" } else { "not-found" });
        machine.user("idlehands gateway install && idlehands gateway stop").ok();
    }
    machine.user("idlehands gateway start").ok();
}

/// What is disabled by our own verbs is meant so; behind their back it is told and put right.
#[test]
fn a_service_that_is_to_be_started_by_hand_is_no_finding() {
    let machine = set_up();
    let enabled = || machine.property(UNIT, "UnitFileState");
    machine.user("idlehands gateway install").ok();
    for verb in ["disable", "stop --disable", "install --no-enable --force"] {
        machine.user("idlehands gateway install").ok();
        assert_eq!(enabled(), "enabled");
        if verb.starts_with("install") {
            let stays = machine.user(&format!("idlehands gateway {verb}"));
            assert!(
                stays
                    .stderr
                    .contains("note: it is enabled, and stays so; to change that: idlehands gateway disable"),
                "{stays}"
            );
            machine.user("idlehands gateway uninstall").ok();
        }
        machine.user(&format!("idlehands gateway {verb}")).ok();
        assert_eq!(
            machine.user(&format!("idlehands gateway {verb}")).stdout.split(':').next(),
            Some("Nothing to do")
        );
        let told = machine.user("idlehands doctor");
        assert_eq!(told.code, 0, "{verb}: {told}");
        assert!(told.stdout.contains("the service is started by hand only, as was chosen"), "{told}");
        machine.user("idlehands doctor --fix --yes").ok();
        assert_eq!(enabled(), "disabled", "{verb}");
    }
    machine.user("idlehands gateway enable").ok();
    assert_eq!(machine.user("idlehands doctor").code, 0);
    machine.user(&format!("systemctl --user disable {UNIT}")).ok();
    assert_eq!(machine.user("idlehands doctor").code, 6);
    machine.user("idlehands doctor --fix --yes").ok();
    assert_eq!(enabled(), "enabled");
}
