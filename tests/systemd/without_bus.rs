//! The same service handled by `systemctl` where there is no user bus, and never where there is one.

use crate::support::service::{UNIT, machine, machine_with, steps};

#[test]
fn without_a_bus_everything_works_as_with_one() {
    let machine = machine_with(&["--no-user-bus"]);
    let first = machine.service_ok("install");
    assert_eq!(first["observed"]["manager"]["via"], "systemctl", "{first:#}");
    for fact in ["installed", "enabled", "loaded", "running", "ready", "healthy"] {
        assert_eq!(first["facts"][fact]["is"], "yes", "{fact}: {first:#}");
    }
    let state = &first["observed"]["manager"]["state"];
    assert_eq!((&state["statusText"], &state["watchdogUsec"]), (&"serving".into(), &60_000_000.into()));
    assert_eq!(state["timeoutStopUsec"], 20_000_000);
    assert!(state["serviceType"].as_str().unwrap().starts_with("notify"), "{state:#}");
    assert_eq!(steps(&machine.service_ok("install")), [""; 0]);

    let run = machine.property(UNIT, "InvocationID");
    assert_eq!(steps(&machine.service_ok("restart")), ["reset-failed", "restart", "prove"]);
    assert_ne!(machine.property(UNIT, "InvocationID"), run);

    for (mode, exit) in [("exit 78", 78), ("crash", 1), ("sick", 9)] {
        machine.user(&format!("echo {mode} >mode-19999")).ok();
        let failed = machine.service("install --port 19999");
        assert_eq!(
            (&failed["exit"], &failed["restored"]),
            (&exit.into(), &"running".into()),
            "{mode}: {failed:#}"
        );
    }
    assert_eq!(machine.service_ok("stop")["facts"]["headline"], "stopped");
    machine.user("echo never >mode-0").ok();
    let late = machine.service("start --job-ms 1500");
    assert_eq!((&late["exit"], &late["facts"]["headline"]), (&10.into(), &"starting".into()), "{late:#}");
    machine.service_ok("stop");
    machine.user("rm mode-0").ok();
    machine.service_ok("start");
    let gone = machine.service_ok("uninstall");
    assert_eq!(gone["facts"]["headline"], "not-installed", "{gone:#}");
    assert_eq!(machine.service("start")["exit"], 4);
    assert_eq!(machine.user("find .config/systemd -name '*idlehands*'").ok(), "");
}

#[test]
fn systemctl_is_not_run_where_a_bus_answers() {
    let machine = machine();
    machine.root("printf '#!/bin/sh\\necho \"$@\" >>/tmp/systemctl-was-run\\nexit 1\\n' >/usr/local/bin/systemctl; chmod 755 /usr/local/bin/systemctl").ok();
    for words in ["install", "restart", "stop", "start", "uninstall"] {
        machine.service_ok(words);
    }
    assert_eq!(machine.user("cat /tmp/systemctl-was-run").stdout, "");
}
