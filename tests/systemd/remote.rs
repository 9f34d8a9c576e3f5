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

    // What is not there over here, and a machine that cannot be reached, are told.
    let install = there("gateway install");
    assert_eq!(install.code, 2, "{install}");
    assert!(install.stderr.contains("ssh tester@127.0.0.1 idlehands"), "{install}");
    let nobody = machine.root("idlehands --host nobody@127.0.0.1 gateway status");
    assert_eq!(nobody.code, 8, "{nobody}");
    assert!(
        nobody.stderr.contains("cannot reach the service manager of nobody@127.0.0.1 over ssh: "),
        "{nobody}"
    );
    assert!(nobody.stderr.contains("Permission denied"), "{nobody}");
}
