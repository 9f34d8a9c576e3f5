//! What is said where there is no manager to ask, or the wrong one.

use serde_json::Value;

use crate::support::Ran;
use crate::support::service::{UNIT, driver_command, machine};

fn result(ran: &Ran) -> Value {
    let line = ran.stdout.lines().find_map(|line| line.strip_prefix("RESULT "));
    serde_json::from_str(line.unwrap_or_else(|| panic!("{ran}"))).unwrap()
}

#[test]
fn a_shell_without_a_login_finds_the_manager_all_the_same() {
    let machine = machine();
    let found = machine.service_as("unset XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS;", "install");
    assert_eq!(
        (&found["exit"], &found["observed"]["manager"]["via"]),
        (&0.into(), &"bus".into()),
        "{found:#}"
    );
    let foreign = machine
        .service_as("export XDG_RUNTIME_DIR=/run/user/0 DBUS_SESSION_BUS_ADDRESS=unix:path=/none;", "status");
    assert_eq!(foreign["facts"]["healthy"]["is"], "yes", "{foreign:#}");
}

/// Lifecycle notes B4.
#[test]
fn root_on_behalf_of_a_user_is_sent_back_before_anything_is_written() {
    let machine = machine();
    for words in ["install", "install --force", "uninstall", "start", "stop", "restart"] {
        let command = driver_command(words);
        let ran = machine.root(&format!("export SUDO_USER=tester HOME=/home/tester; {command}"));
        let refused = result(&ran);
        assert_eq!(refused["exit"], 5, "{words}: {refused:#}");
        assert!(refused["hints"][0].as_str().unwrap().contains("as tester, without sudo"), "{refused:#}");
        assert_eq!(refused["facts"]["headline"], "unknown");
    }
    assert_eq!(machine.root("find /home/tester -user root -name '*idlehands*'").ok(), "");
}

#[test]
fn a_user_without_a_manager_is_told_how_to_get_one() {
    let machine = machine();
    machine.root("useradd --create-home other").ok();
    let command = driver_command("install");
    let alone = result(&machine.root(&format!(
        "env -i HOME=/home/other setpriv --reuid other --regid other --clear-groups {command}"
    )));
    assert_eq!(alone["exit"], 8, "{alone:#}");
    assert_eq!(alone["observed"]["manager"]["unreachable"]["kind"], "no-runtime-dir", "{alone:#}");
    assert!(alone["hints"][0].as_str().unwrap().contains("loginctl enable-linger"), "{alone:#}");

    let with_ours = "env -i HOME=/home/other USER=other XDG_RUNTIME_DIR=/run/user/4711 setpriv --reuid other --regid other --clear-groups";
    let wrong = result(&machine.root(&format!("{with_ours} {command}")));
    assert_eq!(wrong["exit"], 5, "{wrong:#}");
    assert_eq!(wrong["observed"]["manager"]["unreachable"]["kind"], "other-user", "{wrong:#}");
    assert_eq!(machine.root("ls -A /home/other/.config /home/other/.idlehands 2>/dev/null").stdout, "");

    machine.root("systemctl stop user@4711.service").ok();
    machine.root("install -d -o 4711 -m 700 /run/user/4711").ok();
    let stopped = result(&machine.root(&format!(
        "env -i HOME=/home/tester USER=tester setpriv --reuid tester --regid tester --clear-groups {command}"
    )));
    assert_eq!(stopped["exit"], 8, "{stopped:#}");
    assert_eq!(stopped["observed"]["manager"]["unreachable"]["kind"], "not-running", "{stopped:#}");
}

#[test]
fn a_place_without_systemd_is_named_and_the_foreground_recommended() {
    let machine = machine();
    let command = driver_command("install");
    let bare = "unshare --mount sh -c 'mount -t tmpfs none /run/systemd && exec setpriv --reuid tester --regid tester --clear-groups";
    let refused = result(&machine.root(&format!("export container=podman; {bare} \"$@\"' sh {command}")));
    assert_eq!(refused["exit"], 8, "{refused:#}");
    assert_eq!(refused["error"], "this system was not booted with systemd (a container: podman)");
    assert_eq!(refused["hints"][0], "run it in the foreground instead: idlehands gateway run");
}

#[test]
fn a_bus_that_leads_nowhere_is_not_taken_for_a_stopped_service() {
    let machine = machine();
    machine.service_ok("install");
    // A bus that takes connections and answers none.
    machine
        .user(
            "cd .config/systemd/user; \
         printf '[Socket]\\nListenStream=%%t/bus\\n' >mute.socket; \
         printf '[Service]\\nExecStart=/bin/sleep 1d\\n' >mute.service; \
         systemctl --user daemon-reload; systemctl --user stop dbus.socket dbus.service; \
         systemctl --user start mute.socket; test -S $XDG_RUNTIME_DIR/bus",
        )
        .ok();
    let other_way = machine.service_ok("status");
    assert_eq!(other_way["observed"]["manager"]["via"], "systemctl", "{other_way:#}");
    assert_eq!(other_way["facts"]["running"]["is"], "yes");
    assert_eq!(machine.property(UNIT, "ActiveState"), "active");
}
