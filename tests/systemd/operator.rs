//! What the runbooks promise an operator, with the program itself, as an unprivileged user.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::program::{set_up, set_up_with};
use crate::support::service::UNIT;
use crate::support::{Boot, Machine};

const FILE: &str = ".config/systemd/user/idlehands-gateway.service";

/// Runbooks, "5-minute local startup" and "Operator checks".
#[test]
fn a_fresh_machine_is_set_up_installed_and_healthy() {
    let machine = set_up();
    let installed = machine.user("idlehands gateway install");
    assert_eq!(installed.ok(), "Installed systemd service: idlehands-gateway.service");

    let status = machine.user("idlehands gateway status");
    for line in ["Runtime: running", "RPC probe: ok"] {
        assert!(status.ok().lines().any(|said| said == line), "{line}: {status}");
    }
    assert!(machine.property(UNIT, "Type").starts_with("notify"));
    let listening = "listening on ws://127.0.0.1:18789, ws://[::1]:18789; 0 clients";
    machine.wait(UNIT, &[("StatusText", listening)]);
    assert_eq!(machine.property(UNIT, "WatchdogUSec"), "1min");
    assert!(machine.user("idlehands gateway health").ok().starts_with("Gateway Health\nOK ("));
    assert!(machine.user("idlehands health").code == 0);
    assert_eq!(machine.json("idlehands gateway call health --json")["ok"], true);
    let channels = machine.user("idlehands channels status --probe");
    assert!(
        channels.ok().contains("WebChat default: enabled, configured, linked, running, works"),
        "{channels}"
    );
    let logs = machine.user("idlehands logs --limit 100");
    assert!(logs.ok().contains("info gateway ready"), "{logs}");
    assert_eq!(logs.stderr, "Log: journal of idlehands-gateway.service\n");
}

#[test]
fn the_second_install_changes_nothing_and_says_so() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let files = "find .config .idlehands -type f -not -path '*/logs/*' | sort | xargs sha256sum";
    let (before, run) = (machine.user(files), machine.property(UNIT, "InvocationID"));
    let second = machine.user("idlehands gateway install");
    assert!(second.ok().starts_with("Nothing to do: "), "{second}");
    assert_eq!(machine.user(files).ok(), before.ok());
    assert_eq!(machine.property(UNIT, "InvocationID"), run);
    assert_eq!(machine.json("idlehands gateway install --json")["plan"]["steps"], serde_json::json!([]));
}

/// Runbooks, "Supervision and lifecycle".
#[test]
fn a_service_that_was_stopped_stays_down_until_it_is_started() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    machine.user("idlehands gateway stop").ok();
    machine.wait(UNIT, &[("ActiveState", "inactive"), ("SubState", "dead")]);
    let stopped = machine.user("idlehands gateway status");
    assert_eq!(stopped.code, 3, "{stopped}");
    assert!(stopped.stdout.contains("\nRuntime: stopped\n"), "{stopped}");
    assert!(stopped.stdout.contains("\nRPC probe: failed\n"), "{stopped}");
    assert!(machine.user("idlehands logs --limit 5").ok().contains("Stopped idlehands-gateway.service"));
    // More than any RestartSec later, as the manager tells the time.
    machine.drop_in(UNIT, "[Service]\\nRestartSec=100ms\\n");
    machine.user("systemd-run --user --wait --quiet --on-active=1s --collect true; true");
    assert_eq!(machine.property(UNIT, "ActiveState"), "inactive");

    machine.user("idlehands gateway start").ok();
    assert_eq!(machine.user("idlehands gateway status --require-rpc").code, 0);
    machine.user("idlehands gateway uninstall").ok();
    assert_eq!(machine.user("idlehands gateway status").code, 4);
    assert_eq!(machine.user(&format!("test -e {FILE}")).code, 1);
}

/// Twelve are more than StartLimitBurst allows without a reset.
#[test]
fn restarts_by_hand_never_hit_the_start_limit() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let mut runs = vec![machine.property(UNIT, "InvocationID")];
    for _ in 0..12 {
        machine.user("idlehands gateway restart").ok();
        runs.push(machine.property(UNIT, "InvocationID"));
    }
    runs.sort_unstable();
    runs.dedup();
    assert_eq!(runs.len(), 13);
    assert_eq!(machine.property(UNIT, "NRestarts"), "0");
    assert_eq!(machine.status()["rpc"]["ok"], true);
}

/// Runbooks, "Multiple gateways": two profiles share no file, port, lock or service name.
#[test]
fn a_rescue_profile_runs_beside_it_on_its_own_port() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    machine.user("idlehands --profile rescue setup && idlehands --profile rescue gateway install").ok();
    let (main, rescue) = (machine.status(), machine.json("idlehands --profile rescue gateway status --json"));
    for status in [&main, &rescue] {
        assert_eq!(
            (&status["runtime"]["status"], &status["rpc"]["ok"]),
            (&"running".into(), &true.into()),
            "{status:#}"
        );
    }
    assert_eq!(rescue["service"]["unit"], "idlehands-gateway-rescue.service");
    assert_eq!(rescue["config"]["path"], "~/.idlehands-rescue/idlehands.json");
    assert_ne!(main["gateway"]["port"], rescue["gateway"]["port"]);
    let deep = machine.user("idlehands gateway status --deep");
    let other = "Other gateway: idlehands-gateway-rescue.service (user, running";
    assert!(deep.ok().lines().any(|line| line.starts_with(other)), "{deep}");
    assert!(main.get("others").is_none(), "nobody asked");
    machine.user("idlehands gateway uninstall").ok();
    assert_eq!(machine.json("idlehands --profile rescue gateway status --json")["rpc"]["ok"], true);
}

/// One product, five names: a symlink is enough, and the service keeps the name.
#[test]
fn a_symlink_is_another_product_beside_it() {
    let machine = set_up();
    machine.root("ln -s idlehands /usr/local/bin/mayros").ok();
    machine.user("idlehands gateway install").ok();
    machine.user("idlehands gateway stop --disable").ok();
    machine.user("mayros setup").ok();
    machine.user("mayros gateway install").ok();
    let unit = "mayros-gateway.service";
    let status = machine.user("mayros gateway status");
    for line in
        ["Runtime: running", "RPC probe: ok", "Unit: mayros-gateway.service", "Config: ~/.mayros/mayros.json"]
    {
        assert!(status.ok().lines().any(|said| said == line), "{line}: {status}");
    }
    assert!(machine.property(unit, "Type").starts_with("notify"));
    let environment = machine.user(&format!("tr '\\0' '\\n' </proc/{}/environ", machine.pid(unit)));
    assert!(environment.ok().lines().any(|line| line == "MAYROS_PROFILE="), "{environment}");
    let told = machine.user("mayros gateway restart && mayros dashboard --no-open");
    assert!(told.ok().contains("Dashboard URL: http://127.0.0.1:18789/#token="), "{told}");
    assert_eq!(machine.property(UNIT, "ActiveState"), "inactive");
}

/// Lifecycle notes E9.5: linger keeps the user manager, and starts it at boot.
#[test]
fn with_linger_it_outlives_the_logout_and_the_reboot() {
    let kept = Kept::new();
    let options = ["--keep", kept.0.to_str().unwrap()];
    let first = set_up_with(&Boot { options: &options });
    first.user("idlehands gateway install").ok();
    let run = first.property(UNIT, "InvocationID");
    first
        .root("loginctl list-sessions --no-legend | awk '{print $1}' | xargs -r loginctl terminate-session")
        .ok();
    assert_eq!(first.root("loginctl show-user tester -p Linger --value").ok(), "yes");
    assert_eq!(first.property(UNIT, "InvocationID"), run);
    drop(first);

    let second = Machine::boot_with(&Boot { options: &options });
    second.wait(UNIT, &[("ActiveState", "active")]);
    assert_ne!(second.property(UNIT, "InvocationID"), run);
    let status = second.status();
    assert_eq!(
        (&status["service"]["linger"], &status["rpc"]["ok"]),
        (&"yes".into(), &true.into()),
        "{status:#}"
    );
    drop(second);
}

/// A place in memory for what a machine writes, gone with the test.
struct Kept(PathBuf);

impl Kept {
    fn new() -> Self {
        let shm = Path::new("/dev/shm");
        // Whatever a killed run has left.
        for entry in fs::read_dir(shm).unwrap().map(|entry| entry.unwrap()) {
            let name = entry.file_name().into_string().unwrap_or_default();
            let owner = name.strip_prefix("idlehands-kept-");
            if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        let dir = shm.join(format!("idlehands-kept-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // The next run removes what cannot be removed now.
        let _ = fs::remove_dir_all(&self.0);
    }
}
