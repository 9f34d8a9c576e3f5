//! The real gateway as a service: what its unit says and what it does itself fit together.

use std::time::{Duration, Instant};

use crate::support::Machine;
use crate::support::service::{UNIT, machine, steps};

/// Installs the real gateway, and asks it at its port.
const REAL: &str = "--program /usr/local/bin/idlehands --readyz 18789";

/// Waits until a property has a value.
#[track_caller]
fn wait(machine: &Machine, name: &str, value: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while machine.property(UNIT, name) != value {
        assert!(Instant::now() < end, "{name} is {:?}, not {value:?}", machine.property(UNIT, name));
    }
}

#[test]
fn the_gateway_is_ready_reloads_stops_and_comes_back_under_systemd() {
    let machine = machine();
    let first = machine.service_ok(&format!("install {REAL}"));
    assert_eq!(first["facts"]["healthy"]["is"], "yes", "{first:#}");
    let status = first["observed"]["manager"]["state"]["statusText"].as_str().unwrap();
    assert!(status.contains("ws://127.0.0.1:18789"), "{status}");
    assert_eq!(steps(&machine.service_ok(&format!("install {REAL}"))), [""; 0]);

    let run = machine.property(UNIT, "InvocationID");
    machine.user(&format!("systemctl --user reload {UNIT}")).ok();
    wait(&machine, "ActiveState", "active");
    assert_eq!(machine.property(UNIT, "InvocationID"), run);

    machine.user(&format!("kill -KILL {}", machine.property(UNIT, "MainPID"))).ok();
    wait(&machine, "NRestarts", "1");
    wait(&machine, "ActiveState", "active");
    assert_eq!(machine.service_ok(&format!("status {REAL}"))["facts"]["healthy"]["is"], "yes");

    let stopped = machine.service_ok(&format!("stop {REAL}"));
    assert_eq!(stopped["facts"]["headline"], "stopped", "{stopped:#}");
    assert_eq!(machine.property(UNIT, "Result"), "success");
    machine.service_ok(&format!("start {REAL}"));
    machine.service_ok(&format!("uninstall {REAL}"));
    assert_eq!(machine.user("ls .idlehands/idlehands.json").code, 0, "an uninstall keeps the configuration");
}

#[test]
fn a_broken_configuration_or_a_held_port_is_not_retried_and_told_by_its_exit_code() {
    let machine = machine();
    machine.service_ok(&format!("install {REAL}"));
    machine.user("cp .idlehands/idlehands.json good.json; echo '{ gateway: { port: \"x\" } }' >.idlehands/idlehands.json").ok();
    let broken = machine.service(&format!("restart {REAL}"));
    assert_eq!(broken["exit"], 78, "{broken:#}");
    assert_eq!(machine.property(UNIT, "ActiveState"), "failed");
    assert_eq!(machine.property(UNIT, "NRestarts"), "0");
    machine.user("cp good.json .idlehands/idlehands.json").ok();
    machine.service_ok(&format!("start {REAL}"));

    let held = machine.service(&format!("install --profile rescue --port 18789 {REAL}"));
    assert_eq!((&held["exit"], &held["restored"]), (&7.into(), &"nothing".into()), "{held:#}");
    assert_eq!(machine.service_ok(&format!("status {REAL}"))["facts"]["healthy"]["is"], "yes");
}
