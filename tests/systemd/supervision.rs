//! A gateway that crashes, hangs, or must give way to another one, under a real supervisor.

use crate::support::program::set_up;
use crate::support::service::UNIT;

#[test]
fn a_killed_gateway_runs_again_with_a_new_pid() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    machine.drop_in(UNIT, "[Service]\\nRestartSec=100ms\\n");
    let pid = machine.pid(UNIT);
    machine.user(&format!("kill -KILL {pid}")).ok();
    machine.wait(UNIT, &[("NRestarts", "1"), ("ActiveState", "active")]);
    assert_ne!(machine.pid(UNIT), pid);
    let status = machine.user("idlehands gateway status");
    assert!(status.ok().contains("\nRestarts: 1 since it was last started by hand\n"), "{status}");
    assert!(status.ok().contains("\nRPC probe: ok\n"), "{status}");
}

/// sd_notify(3): WATCHDOG comes from the event loop, so whoever stops turning is found out.
#[test]
fn a_hanging_gateway_is_restarted_by_the_watchdog() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    machine.drop_in(UNIT, "[Service]\\nRestartSec=100ms\\nWatchdogSec=1s\\nTimeoutAbortSec=1s\\n");
    machine.user("idlehands gateway restart").ok();
    let pid = machine.pid(UNIT);
    machine.user(&format!("kill -STOP {pid}")).ok();
    machine.wait(UNIT, &[("NRestarts", "1"), ("ActiveState", "active")]);
    assert_ne!(machine.pid(UNIT), pid);
    let journal = machine.user(&format!("journalctl --user -u {UNIT} -o cat"));
    assert!(journal.ok().contains("Watchdog timeout"), "{journal}");
    assert_eq!(machine.status()["rpc"]["ok"], true);
}

/// Lifecycle notes A6c: neither is worth a restart, and the unit knows.
#[test]
fn a_broken_configuration_and_a_held_port_are_not_restarted() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    machine.drop_in(UNIT, "[Service]\\nRestartSec=100ms\\n");
    machine
        .user("cp .idlehands/idlehands.json good; echo '{ gateway: { prot: 1 } }' >.idlehands/idlehands.json")
        .ok();
    let run = machine.property(UNIT, "InvocationID");
    let refused = machine.user("idlehands gateway restart");
    assert_eq!(refused.code, 78, "{refused}");
    assert!(refused.stderr.contains("gateway.prot"), "{refused}");
    assert_eq!(machine.property(UNIT, "InvocationID"), run, "the one that runs is left alone");
    machine.user(&format!("systemctl --user restart {UNIT}; true")).ok();
    machine.wait(UNIT, &[("ActiveState", "failed"), ("ExecMainStatus", "78"), ("NRestarts", "0")]);

    machine.user("cp good .idlehands/idlehands.json").ok();
    let hold = "coproc idlehands --profile other gateway --port 18789 --allow-unconfigured; \
        read -r line <&${COPROC[0]}; idlehands gateway start; code=$?; kill $COPROC_PID; wait; exit $code";
    let held = machine.user(hold);
    assert_eq!(held.code, 7, "{held}");
    machine.wait(UNIT, &[("ActiveState", "failed"), ("ExecMainStatus", "7"), ("NRestarts", "0")]);
    let logs = machine.user("idlehands logs --limit 30");
    let signature = "another gateway instance is already listening on ws://127.0.0.1:18789";
    assert!(logs.ok().contains(signature), "{logs}");
    machine.user("idlehands gateway start").ok();

    let beside = machine.user("idlehands --profile rescue gateway install --port 18789");
    assert_eq!(beside.code, 7, "{beside}");
    assert_eq!(machine.user("idlehands --profile rescue gateway status").code, 4);
    assert_eq!(machine.status()["rpc"]["ok"], true);
}

/// Protocol notes §8.4: the owner of the port is shown, and its unit is stopped, or the manager would start it again.
#[test]
fn force_stops_the_unit_that_owns_the_port() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let pid = machine.pid(UNIT);
    let take = "coproc idlehands gateway --force 2>said; read -r line <&${COPROC[0]}; \
        idlehands gateway status --json --no-probe; kill $COPROC_PID; wait; cat said >&2";
    let ran = machine.user(take);
    let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(status["runtime"]["supervised"], false, "{ran}");
    assert_ne!(status["runtime"]["pid"].to_string(), pid);
    let held = format!("force: port 18789 is held by pid {pid}: /usr/local/bin/idlehands gateway run");
    assert!(ran.stderr.starts_with(&held), "{ran}");
    assert!(ran.stderr.contains("force: stopped idlehands-gateway.service\n"), "{ran}");
    machine.wait(UNIT, &[("ActiveState", "inactive"), ("NRestarts", "0")]);
}

#[test]
fn the_manager_reloads_it_without_a_restart() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let pid = machine.pid(UNIT);
    machine.user("idlehands config set logging.level debug").ok();
    machine.user(&format!("systemctl --user reload {UNIT}")).ok();
    let line = "config hot reload applied (logging.level)";
    machine.user(&format!("until idlehands logs 2>/dev/null | grep -qF '{line}'; do sleep 0.1; done")).ok();
    assert_eq!(machine.pid(UNIT), pid);
}

/// Whatever moment the installation is killed at, there is the old state or the new one, and the next one repairs it.
#[test]
fn an_install_that_is_killed_leaves_nothing_half_written() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let file = format!(".config/systemd/user/{UNIT}");
    let complete = machine.user(&format!("cat {file}")).ok().to_owned();
    machine.user("idlehands gateway uninstall").ok();
    let mut killed = 0;
    for delay in ["0.005", "0.01", "0.02", "0.03", "0.05", "0.07", "0.1", "0.15", "0.2", "0.3"] {
        let ran = machine.user(&format!("timeout -s KILL {delay} idlehands gateway install"));
        killed += u32::from(ran.code == 137);
        let now = machine
            .user(&format!("cat {file} 2>/dev/null; ls -A .config/systemd/user 2>/dev/null | grep -c tmp"));
        let text = now.stdout.trim_end_matches("0\n").trim_end();
        assert!(text.is_empty() || text == complete, "after {delay} s: {now}");
        let done = machine.user("idlehands gateway install");
        assert_eq!(done.code, 0, "after {delay} s: {done}");
        assert_eq!(machine.user(&format!("cat {file}")).ok(), complete);
        assert_eq!(machine.status()["rpc"]["ok"], true);
        machine.user("idlehands gateway uninstall").ok();
    }
    assert!(killed > 0, "none was killed in time");
}

/// systemd.service(5), systemd.exec(5): what is meant by the words of a unit, not what they look like. The path of a
/// program may hold neither quotes nor backslashes there; the environment may hold anything.
#[test]
fn a_definition_reaches_the_process_unchanged() {
    let machine = set_up();
    let program = "/opt/we ird %h $HOME ${USER} é/idlehands";
    machine
        .root(&format!(
            "mkdir '{0}' && cp /usr/local/bin/idlehands '{0}/'",
            program.trim_end_matches("/idlehands")
        ))
        .ok();
    let state = r#"/home/tester/st ate %h $HOME "b\s'é"#;
    let set = format!("export IDLEHANDS_STATE_DIR='{}'", state.replace('\'', r"'\''"));
    machine.user(&format!("{set}; '{program}' gateway install --port 20101")).ok();
    let argv = machine.user(&format!("tr '\\0' '\\n' </proc/{}/cmdline", machine.pid(UNIT)));
    assert_eq!(argv.ok(), format!("{program}\ngateway\nrun\n--port\n20101"));
    let environ = machine.user(&format!("tr '\\0' '\\n' </proc/{}/environ", machine.pid(UNIT)));
    let expected = format!("IDLEHANDS_STATE_DIR={state}");
    assert!(environ.ok().lines().any(|line| line == expected), "{environ}");
    let second = machine.user(&format!("{set}; '{program}' gateway install --port 20101"));
    assert!(second.ok().starts_with("Nothing to do"), "{second}");

    machine.root("mkdir '/opt/a\"b' && cp /usr/local/bin/idlehands '/opt/a\"b/'").ok();
    let refused = machine.user("'/opt/a\"b/idlehands' gateway install");
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("which systemd allows in no program's path"), "{refused}");
    assert!(refused.stderr.contains("\nhint: "), "{refused}");
}
