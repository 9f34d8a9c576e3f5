//! Lingering: read from logind, turned on without asking anybody, and turned off only by whoever turned it on.

use crate::support::service::{machine, machine_with, steps};

#[test]
fn lingering_that_came_with_the_service_goes_with_it() {
    let machine = machine();
    // The manager stays, for there is a session; only the wish to linger goes.
    machine.root("loginctl disable-linger tester").ok();
    let first = machine.service_ok("install");
    assert_eq!(first["observed"]["linger"], "no", "{first:#}");
    assert!(first["plan"]["notes"].to_string().contains("ends with your last session"), "{first:#}");
    let second = machine.service_ok("install --linger");
    assert_eq!(steps(&second), ["enable-linger", "save-record"]);
    assert_eq!(second["observed"]["linger"], "yes");
    assert_eq!(machine.root("ls /var/lib/systemd/linger").ok(), "tester");
    assert_eq!(steps(&machine.service_ok("install --linger")), [""; 0]);
    let gone = machine.service_ok("uninstall");
    assert_eq!(steps(&gone).last().unwrap(), "disable-linger");
    assert_eq!(machine.root("ls /var/lib/systemd/linger").ok(), "");
}

#[test]
fn lingering_that_was_there_before_or_serves_others_stays() {
    let machine = machine();
    machine.service_ok("install --linger");
    assert!(!steps(&machine.service_ok("uninstall")).contains(&"disable-linger".to_owned()));
    machine.root("loginctl disable-linger tester").ok();
    machine.service_ok("install --linger");
    machine.user("printf '[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=default.target\\n' >.config/systemd/user/other.service; systemctl --user enable other.service").ok();
    let gone = machine.service_ok("uninstall");
    assert!(!steps(&gone).contains(&"disable-linger".to_owned()), "{gone:#}");
    assert_eq!(gone["observed"]["linger"], "yes");
}

#[test]
fn lingering_that_is_not_permitted_is_told_and_fails_no_install() {
    let machine = machine_with(&["--no-polkit"]);
    machine.root("loginctl disable-linger tester").ok();
    let done = machine.service_ok("install --linger");
    assert_eq!(done["observed"]["linger"], "no", "{done:#}");
    let notes = done["notes"].to_string();
    assert!(notes.contains("needs the administrator's permission"), "{notes}");
    assert!(notes.contains("sudo loginctl enable-linger tester"), "{notes}");
    let record = machine.user("grep linger .idlehands/service/record.json");
    assert!(record.ok().contains("false"), "{record}");
}
