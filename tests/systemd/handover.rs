//! One process takes the place of another, and nobody who connects meanwhile is turned away: the listeners are kept by
//! the manager (lifecycle notes E9.13).

use idlehands::instance::Scope;
use serde_json::{Value, json};

use crate::support::Machine;
use crate::support::program::set_up;
use crate::support::service::UNIT;

const PORT: u16 = 18789;

/// Whether somebody listens.
fn knock(machine: &Machine, port: u16) -> bool {
    machine.user(&format!("(exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null")).code == 0
}

fn installed() -> Machine {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    machine.wait(UNIT, &[("NFileDescriptorStore", "2")]);
    machine
}

/// The verbs of a scope: whose shell, whose manager.
fn in_scope(scope: Scope) -> (Machine, &'static str, &'static str) {
    match scope {
        Scope::User => (installed(), "idlehands gateway restart", "systemctl --user"),
        Scope::System => {
            let machine = Machine::boot();
            machine.root("idlehands --system gateway install").ok();
            (machine, "idlehands --system gateway restart", "systemctl")
        }
    }
}

/// Lifecycle notes B6: a restart is a new process, and whoever connects meanwhile waits for it.
fn restart_refuses_nobody(scope: Scope) {
    let (machine, restart, systemctl) = in_scope(scope);
    let line = format!(
        "before=$({systemctl} show {UNIT} -P MainPID); {restart} && test $before != $({systemctl} show {UNIT} -P MainPID)"
    );
    let told = machine.storm(scope, PORT, &line);
    assert_eq!(told["refused"], 0, "{told:#}");
    assert_eq!(told["failed"], json!([]), "{told:#}");
}

/// Whoever talked to the killed process is cut off, and gets through when it comes again. More wait than may be in
/// their handshake at once.
fn kill_refuses_nobody(scope: Scope) {
    let (machine, _, systemctl) = in_scope(scope);
    let dir = if scope == Scope::System { "/etc/systemd/system" } else { ".config/systemd/user" };
    let drop_in = format!(
        "mkdir -p {dir}/{UNIT}.d; printf '[Service]\\nRestartSec=8s\\nRestartSteps=0\\n' >{dir}/{UNIT}.d/slow.conf; \
         {systemctl} daemon-reload"
    );
    let line = format!(
        "{systemctl} kill -s KILL --kill-who=main {UNIT}; until [ \"$({systemctl} show {UNIT} -P NRestarts)\" = 1 ] && \
         {systemctl} is-active -q {UNIT}; do sleep 0.1; done"
    );
    match scope {
        Scope::User => machine.user(&drop_in).ok(),
        Scope::System => machine.root(&drop_in).ok(),
    };
    let told = machine.storm(scope, PORT, &line);
    assert_eq!(told["refused"], 0, "{told:#}");
    assert_eq!(told["failedAgain"], json!([]), "{told:#}");
}

#[test]
fn a_restart_refuses_no_connection_and_fails_no_handshake() {
    restart_refuses_nobody(Scope::User);
}

#[test]
fn a_restart_of_the_machines_gateway_refuses_no_connection_and_fails_no_handshake() {
    restart_refuses_nobody(Scope::System);
}

#[test]
fn a_killed_gateway_refuses_no_connection_and_answers_everybody_who_comes_again() {
    kill_refuses_nobody(Scope::User);
}

#[test]
fn a_killed_gateway_of_the_machine_refuses_no_connection_and_answers_everybody_who_comes_again() {
    kill_refuses_nobody(Scope::System);
}

/// Lifecycle notes E9.13: kept through restart and SIGKILL, named, and dropped by a stop.
#[test]
fn the_manager_keeps_the_listeners_until_the_service_is_stopped() {
    let machine = installed();
    machine.drop_in(UNIT, "[Service]\\nRestartSec=3s\\nRestartSteps=0\\n");
    machine.user("idlehands gateway restart").ok();
    let names = |machine: &Machine| {
        let environ = machine.user(&format!("tr '\\0' '\\n' </proc/{}/environ", machine.pid(UNIT)));
        let names = environ.ok().lines().find_map(|line| line.strip_prefix("LISTEN_FDNAMES="));
        let mut names: Vec<String> = names.unwrap_or_default().split(':').map(str::to_owned).collect();
        names.sort();
        names
    };
    let kept = [format!("gateway-127.0.0.1-{PORT}"), format!("gateway-__1-{PORT}")];
    assert_eq!(names(&machine), kept);

    let pid = machine.pid(UNIT);
    let gap = format!(
        "kill -KILL {pid}; until [ \"$(systemctl --user show {UNIT} -P SubState)\" = auto-restart ]; do :; done; \
         exec 3<>/dev/tcp/127.0.0.1/{PORT} || exit 1; systemctl --user show {UNIT} -P SubState; \
         printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3; head -1 <&3"
    );
    let gap = machine.user(&gap);
    assert_eq!(gap.ok(), "auto-restart\nHTTP/1.1 200 OK\r", "{gap}");
    machine.wait(UNIT, &[("NRestarts", "1"), ("ActiveState", "active"), ("NFileDescriptorStore", "2")]);
    assert_ne!(machine.pid(UNIT), pid);
    assert_eq!(names(&machine), kept);

    // The one who listens is the gateway, not its manager.
    let other =
        machine.user(&format!("idlehands --profile other gateway --port {PORT} --allow-unconfigured"));
    assert_eq!(other.code, 7, "{other}");
    let owners: Vec<&str> = other.stderr.lines().filter(|line| line.contains("- pid ")).collect();
    let gateway = format!("- pid {}: /usr/local/bin/idlehands gateway run", machine.pid(UNIT));
    assert!(owners.len() == 1 && owners[0].contains(&gateway), "{other}");

    machine.user("idlehands gateway stop").ok();
    machine.wait(UNIT, &[("ActiveState", "inactive"), ("NFileDescriptorStore", "0")]);
    assert!(!knock(&machine, PORT));
    machine.user("idlehands gateway start").ok();
    assert!(knock(&machine, PORT));
}

#[test]
fn a_listener_that_is_not_configured_any_longer_is_gone() {
    let machine = installed();
    machine.user("idlehands config set gateway.port 19555").ok();
    machine.user("idlehands gateway restart").ok();
    assert!(!knock(&machine, PORT), "the old port is not listened on");
    assert!(knock(&machine, 19555));
    machine.wait(UNIT, &[("NFileDescriptorStore", "2")]);

    // Another address on the same port: what is kept must not be in the way.
    machine.user("idlehands config set gateway.bind lan").ok();
    machine.user("idlehands gateway restart").ok();
    machine.wait(UNIT, &[("NFileDescriptorStore", "1")]);
    let status = machine.status();
    let said = status["service"]["manager"]["state"]["statusText"].as_str().unwrap();
    assert!(said.starts_with("listening on ws://0.0.0.0:19555; "), "{status:#}");
    assert_eq!(status["rpc"]["ok"], true, "{status:#}");
}

/// The port is held between two runs, by a manager that nobody may ever signal.
#[test]
fn a_port_that_is_kept_is_told_as_such_and_taken_by_stopping_the_unit() {
    let machine = installed();
    machine.drop_in(UNIT, "[Service]\\nRestartSec=1h\\nRestartSteps=0\\n");
    machine.user("idlehands gateway restart").ok();
    let manager = machine.user("pgrep -u tester -x systemd").ok().to_owned();
    machine.user(&format!("kill -KILL {}", machine.pid(UNIT))).ok();
    machine.wait(UNIT, &[("SubState", "auto-restart")]);

    let other = machine.user("idlehands --profile other gateway --port 18789 --allow-unconfigured");
    assert_eq!(other.code, 7, "{other}");
    assert!(other.stderr.contains(&format!("- pid {manager}: ")), "{other}");
    assert!(other.stderr.contains(", which keeps it for a service\n"), "{other}");

    let take = "coproc idlehands gateway --force 2>said; read -r line <&${COPROC[0]}; \
        idlehands gateway status --json --no-probe; kill $COPROC_PID; wait; cat said >&2";
    let ran = machine.user(take);
    let status: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(status["runtime"]["supervised"], false, "{ran}");
    assert!(ran.stderr.contains("force: stopped idlehands-gateway.service\n"), "{ran}");
    assert_eq!(machine.user("pgrep -u tester -x systemd").ok(), manager);
    machine.wait(UNIT, &[("ActiveState", "inactive")]);
}

/// sd_listen_fds(3): a socket that somebody else bound is served where it is what was configured, and only there.
#[test]
fn a_socket_units_listener_is_served_if_it_is_the_configured_one() {
    let machine = set_up();
    let activated = |listen: &str, port: u16| {
        machine.user(&format!(
            "systemd-socket-activate -l {listen} idlehands --profile x gateway run --port {port} --allow-unconfigured \
             >log 2>&1 & pid=$!; until (exec 3<>/dev/tcp/127.0.0.1/19600) 2>/dev/null; do sleep 0.1; done; \
             until grep -q '\\[gateway\\] ready' log; do kill -0 $pid || break; sleep 0.1; done; \
             exec 3<>/dev/tcp/127.0.0.1/{port}; \
             printf 'GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3; head -1 <&3; \
             kill $pid; wait $pid; cat log"
        ))
    };
    let served = activated("127.0.0.1:19600", 19600);
    assert!(served.ok().starts_with("HTTP/1.1 200 OK\r\n"), "{served}");
    let elsewhere = activated("127.0.0.1:19600", 19601);
    assert!(elsewhere.ok().starts_with("HTTP/1.1 200 OK\r\n"), "{elsewhere}");
    let told = "listens on 127.0.0.1:19600, which is not configured; not served";
    assert!(elsewhere.stdout.contains(told), "{elsewhere}");
}

/// Protocol notes §4.2: clients are told whether it comes back, which only the manager knows.
#[test]
fn clients_are_told_whether_the_gateway_comes_back() {
    let machine = installed();
    for (verb, expected) in [
        ("restart", json!({ "reason": "gateway restarting", "restartExpectedMs": 1500 })),
        ("stop", json!({ "reason": "gateway stopping", "restartExpectedMs": null })),
    ] {
        assert_eq!(machine.farewell(PORT, &format!("idlehands gateway {verb}")), expected, "{verb}");
    }
}
