//! What depends on the manager's release: what it has is used, what it lacks is replaced (lifecycle notes E7).
//!
//! The suite runs on this machine's systemd and, with `TESTBED_ROOT`, on another one.

use crate::support::Machine;

const UNIT: &str = "idlehands-gateway.service";

/// The manager's release.
fn release(machine: &Machine) -> u32 {
    let shown = machine.root("systemctl show -p Version --value").ok().to_owned();
    shown.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[test]
fn reload_and_restart_delays_are_those_of_the_managers_release_in_both_scopes() {
    let machine = Machine::boot();
    let release = release(&machine);
    machine.root("idlehands --system gateway install --no-start").ok();
    machine.user("idlehands setup && idlehands gateway install --no-start --force").ok();
    let shown =
        format!("show {UNIT} -p Type -p ExecReload -p RestartUSec -p RestartSteps -p RestartMaxDelayUSec");
    for ran in
        [machine.root(&format!("systemctl {shown}")), machine.user(&format!("systemctl --user {shown}"))]
    {
        let has = |line: &str| ran.ok().lines().any(|found| found == line);
        assert_eq!(has("Type=notify-reload"), release >= 253, "{release}: {ran}");
        assert_eq!(has("Type=notify"), release < 253, "{release}: {ran}");
        assert_eq!(ran.ok().contains("ExecReload={"), release < 253, "{release}: {ran}");
        assert_eq!(
            has("RestartSteps=5") && has("RestartMaxDelayUSec=1min"),
            release >= 254,
            "{release}: {ran}"
        );
        assert_eq!(has("RestartUSec=5s"), release < 254, "{release}: {ran}");
    }
}

#[test]
fn a_reload_through_the_manager_applies_the_configuration_and_keeps_the_process() {
    let machine = Machine::boot();
    machine.root("idlehands --system gateway install").ok();
    let pid = machine.root(&format!("systemctl show {UNIT} -p MainPID --value")).ok().to_owned();
    let reload =
        "idlehands --system config set logging.level '\"debug\"' && systemctl reload idlehands-gateway
        until [ $(systemctl show idlehands-gateway -p ActiveState --value) = active ]; do sleep 0.05; done
        idlehands --system gateway call config.get | grep -c '\"debug\"'";
    assert_ne!(machine.root(reload).ok(), "0");
    assert_eq!(machine.root(&format!("systemctl show {UNIT} -p MainPID --value")).ok(), pid);
    // A configuration that is wrong must not leave the unit reloading for ever.
    let wrong =
        "echo '{ gateway: 1 }' >/etc/idlehands-gateway/idlehands.json; systemctl reload idlehands-gateway
        until [ $(systemctl show idlehands-gateway -p ActiveState --value) = active ]; do sleep 0.05; done";
    machine.root(wrong).ok();
    assert_eq!(machine.root(&format!("systemctl show {UNIT} -p MainPID --value")).ok(), pid);
}
