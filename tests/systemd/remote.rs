//! `--host`: the service of another machine, over a real sshd.

use crate::support::Machine;
use crate::support::program::set_up;
use crate::support::service::UNIT;

/// A machine with the gateway installed, on which root may log in as the user, over ssh and without a password.
fn with_sshd() -> Machine {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    machine
        .root(
            "set -e; mkdir -p /run/sshd /root/.ssh; rm -f /root/.ssh/*; ssh-keygen -A >/dev/null
             ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
             install -d -o tester -m 700 /home/tester/.ssh
             install -o tester -m 600 /root/.ssh/id_ed25519.pub /home/tester/.ssh/authorized_keys
             systemd-run --quiet --unit=test-sshd /usr/sbin/sshd -D -o ListenAddress=127.0.0.1
             for _ in $(seq 100); do ssh-keyscan -t ed25519 127.0.0.1 >/root/.ssh/known_hosts 2>/dev/null && break; sleep 0.1; done",
        )
        .ok();
    machine
}

#[test]
fn the_verbs_and_the_log_reach_the_manager_of_another_machine() {
    let machine = with_sshd();
    let there = |line: &str| machine.root(&format!("idlehands --host tester@127.0.0.1 {line}"));

    let status = there("gateway status");
    for line in ["Host: tester@127.0.0.1", "Runtime: running"] {
        assert!(status.ok().lines().any(|said| said == line), "{line}: {status}");
    }
    let json = there("gateway status --json");
    let json: serde_json::Value = serde_json::from_str(json.ok()).unwrap();
    assert_eq!(json["service"]["via"].as_str().or(json["service"]["manager"]["via"].as_str()), Some("bus"));

    let before = machine.pid(UNIT);
    assert_eq!(there("gateway restart").ok(), format!("Restarted systemd service: {UNIT}"));
    assert_ne!(machine.pid(UNIT), before);
    there("gateway stop").ok();
    assert_eq!(machine.property(UNIT, "ActiveState"), "inactive");
    assert_eq!(there("gateway status").code, 3);
    there("gateway start").ok();
    assert_eq!(machine.property(UNIT, "ActiveState"), "active");
    let logs = there("logs --limit 100");
    assert!(logs.ok().contains("gateway ready"), "{logs}");

    // A machine that cannot be reached is told, and so is what stays where it is.
    let nobody = machine.root("idlehands --host nobody@127.0.0.1 gateway status");
    assert_eq!(nobody.code, 8, "{nobody}");
    assert!(
        nobody.stderr.contains("cannot reach the service manager of nobody@127.0.0.1 over ssh: "),
        "{nobody}"
    );
    assert!(nobody.stderr.contains("Permission denied"), "{nobody}");
    let nobody = machine.root("idlehands --host nobody@127.0.0.1 doctor");
    assert_eq!((nobody.code, nobody.stdout.as_str()), (8, ""), "{nobody}");
    // There is a machine, and no way from it to its manager.
    machine.root("mv /usr/bin/systemd-stdio-bridge /usr/bin/away").ok();
    let bare = there("gateway stop");
    assert_eq!(bare.code, 8, "{bare}");
    let told = "tester@127.0.0.1 can be reached, but not its service manager: it has no systemd-stdio-bridge";
    assert!(bare.stderr.contains(told), "{bare}");
    assert!(bare.stderr.contains("ssh -t tester@127.0.0.1 idlehands gateway status"), "{bare}");
    machine.root("printf '#!/bin/sh\\nexit 1\\n' >/usr/bin/systemd-stdio-bridge; chmod +x /usr/bin/systemd-stdio-bridge").ok();
    let mute = there("gateway stop --json");
    assert_eq!(mute.code, 8, "{mute}");
    assert!(mute.stdout.contains("its bus gives no answer"), "{mute}");
    machine.root("mv /usr/bin/away /usr/bin/systemd-stdio-bridge").ok();
    let call = there("gateway call config.set --params '{}'");
    assert_eq!((call.code, call.stdout.as_str()), (2, ""), "{call}");
    assert!(call.stderr.contains("its words may be secrets"), "{call}");
    assert!(call.stderr.contains("ssh -t tester@127.0.0.1"), "{call}");
}

#[test]
fn what_needs_the_files_is_done_by_the_program_over_there() {
    let machine = with_sshd();
    let there = |line: &str| machine.root(&format!("idlehands --host tester@127.0.0.1 {line}"));
    let file = format!("/home/tester/.config/systemd/user/{UNIT}");

    // Nothing of it happens on this machine, and the answers come as they would there.
    let printed = there("gateway install --print");
    assert_eq!(printed.ok(), machine.user(&format!("cat {file}")).ok());
    let diff = there("gateway install --diff --port 19555");
    assert!(diff.ok().contains("\n+ExecStart=/usr/local/bin/idlehands gateway run --port 19555"), "{diff}");
    let removed = there("gateway uninstall --json");
    let removed: serde_json::Value = serde_json::from_str(removed.ok()).unwrap();
    assert_eq!(removed["result"], "uninstalled", "{removed:#}");
    machine.user(&format!("test ! -e {file}")).ok();
    assert_eq!(there("gateway status").code, 4);
    assert!(there("gateway install").ok().starts_with("Installed systemd service: "));
    assert_eq!(machine.property(UNIT, "ActiveState"), "active");
    let doctor = there("doctor");
    assert!(doctor.ok().contains(&format!("No problems found: {UNIT}")), "{doctor}");
    machine.user(&format!("sed -i s/^Restart=.*/Restart=no/ {file}; systemctl --user daemon-reload")).ok();
    let found = there("doctor --json");
    assert_eq!(found.code, 6, "{found}");
    let found: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    assert!(found["findings"].to_string().contains("drift."), "{found:#}");
    there("doctor --fix --force --yes").ok();
    assert_eq!(machine.property(UNIT, "Restart"), "on-failure");
    machine.root("test ! -e /root/.idlehands && test ! -e /root/.config/systemd/user").ok();

    // Which gateway is meant goes along, and every word arrives as one.
    let other = machine.root("IDLEHANDS_PROFILE=rescue idlehands --host tester@127.0.0.1 config path");
    assert_eq!(other.ok(), "/home/tester/.idlehands-rescue/idlehands.json");
    let hostile = there("config get \"a'b; touch /tmp/owned \\$(touch /tmp/owned)\"");
    assert_ne!(hostile.code, 0, "{hostile}");
    machine.root("test ! -e /tmp/owned").ok();

    // Settings come in on standard input, or are edited over there on a terminal.
    let edited = machine.root(
        "printf '[Service]\\nRestartSec=7\\n' | idlehands --host tester@127.0.0.1 gateway edit --stdin",
    );
    assert_eq!(edited.ok(), format!("Wrote {file}.d/override.conf"), "{edited}");
    assert_eq!(machine.property(UNIT, "RestartUSec"), "7s");
    machine
        .user("printf '#!/bin/sh\\ntest -t 0 && test -t 1 && sed -i s/7/9/ \"$1\"\\n' >ed; chmod +x ed; echo export VISUAL=~/ed >.bashrc")
        .ok();
    let edit = "idlehands --host tester@127.0.0.1 gateway edit";
    let edited = machine.root(&format!("script -qec '{edit}' /dev/null </dev/null"));
    assert!(edited.ok().contains("Wrote "), "{edited}");
    assert_eq!(machine.property(UNIT, "RestartUSec"), "9s");

    // A list of machines that a loop reads is not eaten.
    let each = machine.root(
        "printf '127.0.0.1\\n127.0.0.1\\n' | while read -r host; do idlehands --host tester@$host config path; done",
    );
    assert_eq!(each.ok().lines().count(), 2, "{each}");
}

#[test]
fn the_gateway_is_asked_by_the_program_over_there() {
    let machine = with_sshd();
    let there = |line: &str| machine.root(&format!("idlehands --host tester@127.0.0.1 {line}"));
    let status = there("gateway status");
    for line in ["Runtime: running", "RPC probe: ok"] {
        assert!(status.ok().lines().any(|said| said == line), "{line}: {status}");
    }
    let json: serde_json::Value = serde_json::from_str(there("gateway status --json").ok()).unwrap();
    assert_eq!((&json["rpc"]["ok"], &json["host"]), (&true.into(), &"tester@127.0.0.1".into()), "{json:#}");
    assert_eq!(json["service"]["facts"]["healthy"]["is"], "yes", "{json:#}");
    // A restart is proven by an answer, there as here.
    let restarted: serde_json::Value = serde_json::from_str(there("gateway restart --json").ok()).unwrap();
    assert_eq!(restarted["service"]["healthy"]["is"], "yes", "{restarted:#}");
    // What runs is not stopped for what could not start.
    let pid = machine.pid(UNIT);
    machine
        .user("cp .idlehands/idlehands.json good; echo '{ gateway: { prot: 1 } }' >.idlehands/idlehands.json")
        .ok();
    let refused = there("gateway restart");
    assert_eq!(refused.code, 78, "{refused}");
    assert!(refused.stderr.contains("gateway.prot"), "{refused}");
    machine.user("mv good .idlehands/idlehands.json").ok();
    assert_eq!(machine.pid(UNIT), pid);
    let skipped = there("gateway status --no-probe");
    assert!(skipped.ok().contains("RPC probe: skipped (--no-probe)"), "{skipped}");

    // A process that does not answer is not healthy, there as here.
    machine.user(&format!("kill -STOP {}", machine.pid(UNIT))).ok();
    let hung = there("gateway status --timeout 1000");
    assert_eq!(hung.code, 9, "{hung}");
    assert!(hung.stdout.contains("RPC probe: failed"), "{hung}");
    machine.user(&format!("kill -CONT {}", machine.pid(UNIT))).ok();
    let deep = there("gateway status --deep");
    assert!(deep.ok().contains("\nPort 18789: busy\n"), "{deep}");

    // Where the program is missing, the manager is reached all the same.
    machine.root("ln -s /usr/local/bin/idlehands /root/mayros").ok();
    let bare = machine.root("/root/mayros --host tester@127.0.0.1 gateway status");
    assert_eq!(bare.code, 4, "{bare}");
    assert!(bare.stdout.contains("RPC probe: skipped (there is no mayros over there"), "{bare}");
    let doctor = machine.root("/root/mayros --host tester@127.0.0.1 doctor");
    assert_eq!((doctor.code, doctor.stdout.as_str()), (4, ""), "{doctor}");
    assert!(
        doctor.stderr.contains("this needs mayros on tester@127.0.0.1, which finds no such program"),
        "{doctor}"
    );
}
