//! What `logs` finds of a service that did not live long enough to be found by its process.

use crate::support::program::set_up;
use crate::support::service::UNIT;

/// A program that says something and ends before anybody can look at it.
const BRIEF: &str = "[Unit]\\nStartLimitBurst=0\\n[Service]\\nType=exec\\nRestart=no\\nExecStart=\\n\
                     ExecStart=/bin/echo last words of $WHICH\\n";
/// Enough for some of them to be gone before the journal looks.
const STARTS: usize = 20;

/// systemd issue 2913: the journal knows the unit of a line by the process that wrote it.
#[test]
fn the_last_line_of_a_start_that_fails_at_once_is_shown_in_both_scopes() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    machine.root("idlehands --system --profile work gateway install").ok();
    let unit = "idlehands-gateway-work.service";
    let starts = |systemctl: &str, unit: &str| {
        format!(
            "for i in $(seq {STARTS}); do {systemctl} set-environment WHICH=$i; {systemctl} restart {unit}; done"
        )
    };
    machine.drop_in(UNIT, BRIEF);
    machine.user(&starts("systemctl --user", UNIT)).ok();
    let dir = format!("/etc/systemd/system/{unit}.d");
    machine.root(&format!("mkdir {dir}; printf '{BRIEF}' >{dir}/brief.conf; systemctl daemon-reload")).ok();
    machine.root(&starts("systemctl", unit)).ok();
    // Somebody else's lines under the same identifier.
    machine
        .user("systemd-run --user --wait -q systemd-cat -t idlehands-gateway sh -c 'echo forged; sleep 1'")
        .ok();
    machine.user("journalctl --user -q -o cat -t idlehands-gateway | grep -qx forged").ok();

    let of_user = machine.user("idlehands logs --limit 500").ok().to_owned();
    let of_system = machine.root("idlehands --system --profile work logs --limit 500").ok().to_owned();
    for number in 1..=STARTS {
        for said in [&of_user, &of_system] {
            assert!(
                said.lines().any(|line| line.ends_with(&format!(" last words of {number}"))),
                "{number}: {said}"
            );
        }
    }
    assert!(!of_user.contains("forged"), "{of_user}");
    assert!(
        of_user.contains("Started") || of_user.contains("Finished"),
        "what the manager says is there too"
    );
}
