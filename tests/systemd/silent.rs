//! A manager that does not answer, or not in its language: every command ends by itself, soon, and says what it is.

use crate::support::program::set_up_with;
use crate::support::service::UNIT;
use crate::support::{Boot, Machine};

/// Everything that asks the manager. Those that would wait for each other's lock have a profile of their own.
const VERBS: [&str; 14] = [
    "--profile f gateway status",
    "--profile f gateway status --json",
    "gateway start",
    "gateway stop",
    "gateway restart",
    "gateway reload",
    "gateway edit --stdin",
    "doctor",
    "doctor --json",
    "--profile a gateway enable",
    "--profile b gateway disable",
    "--profile c gateway install",
    "--profile d gateway uninstall",
    "--profile e doctor --fix --yes",
];
/// Connecting over the bus, then by systemctl, and what a command does besides.
const SECONDS: f64 = 45.0;

fn installed(options: &[&str]) -> Machine {
    let machine = set_up_with(&Boot { options });
    machine.user("idlehands gateway install; for p in a b c d e; do idlehands --profile $p setup; done").ok();
    machine
}

/// Runs every verb at once between two shell lines.
#[track_caller]
fn all_end(machine: &Machine, what: &str, before: &str, after: &str) {
    let verbs = VERBS.iter().enumerate().map(|(number, verb)| {
        format!(
            "( b=$EPOCHREALTIME; idlehands {verb} </dev/null >out-{number} 2>err-{number}; c=$?; e=$EPOCHREALTIME; \
             echo \"$c $b $e\" >code-{number} ) & "
        )
    });
    let verbs: String = verbs.collect();
    machine.user(&format!("rm -f code-*; {before}\n{verbs}\nwait; {after}")).ok();
    for (number, verb) in VERBS.iter().enumerate() {
        let said = machine.user(&format!("cat code-{number} out-{number} err-{number}")).ok().to_owned();
        let mut words = said.lines().next().unwrap_or_default().split(' ');
        let code = words.next().unwrap();
        let times: Vec<f64> = words.map(|time| time.parse().unwrap()).collect();
        assert!(["8", "10"].contains(&code), "{what}: {verb}: {said}");
        assert!(times[1] - times[0] < SECONDS, "{what}: {verb} took {} s: {said}", times[1] - times[0]);
        assert!(said.lines().count() > 1, "{what}: {verb} says nothing: {said}");
        assert!(!said.contains("panicked"), "{what}: {verb}: {said}");
    }
}

#[test]
fn a_manager_that_is_stopped_is_told_as_one_that_does_not_answer() {
    let machine = installed(&[]);
    let manager = "m=$(pgrep -u tester -x systemd)";
    all_end(&machine, "stopped", &format!("{manager}; kill -STOP $m"), "kill -CONT $m");
    // A gateway that answers by itself runs, and that is all that is known.
    let told = machine
        .user(&format!("{manager}; kill -STOP $m; idlehands gateway status; c=$?; kill -CONT $m; exit $c"));
    assert!(told.ok().contains("Enabled:   unknown  the service manager did not answer within"), "{told}");
    assert!(told.stdout.contains("(supervised or not: unknown, version"), "{told}");
    // Nothing was done, and everything works again.
    assert_eq!(machine.status()["rpc"]["ok"], true);
    assert_eq!(machine.user("idlehands doctor").code, 0);
}

/// Listens on a path: `mute` takes connections and says nothing, `garbage` says what nobody understands.
fn listener(machine: &Machine, unit: &str, path: &str, says: &str) -> String {
    let speaks = match says {
        "mute" => "/bin/sleep 1d",
        _ => "/bin/sh -c \"head -c 4096 /dev/urandom; sleep 1\"",
    };
    machine
        .root(&format!(
            "cd /etc/systemd/system; printf '[Socket]\\nListenStream={path}\\nSocketUser=tester\\nAccept=yes\\n' >{unit}.socket; \
             printf '[Service]\\nExecStart={speaks}\\nStandardInput=socket\\nStandardOutput=socket\\n' >{unit}@.service; systemctl daemon-reload"
        ))
        .ok();
    format!("systemctl start {unit}.socket")
}

#[test]
fn a_socket_that_is_mute_or_speaks_in_tongues_is_no_manager() {
    let machine = installed(&["--no-user-bus"]);
    let private = "/run/user/4711/systemd/private";
    for says in ["mute", "garbage"] {
        // The manager itself goes on, and its own socket is out of reach.
        let start = listener(&machine, says, private, says);
        machine.root(&format!("mv {private} {private}.kept; {start}")).ok();
        all_end(&machine, says, "true", "true");
        machine
            .root(&format!("systemctl stop {says}.socket; rm -f {private}; mv {private}.kept {private}"))
            .ok();
        assert_eq!(machine.property(UNIT, "ActiveState"), "active", "{says}");
    }
}

#[test]
fn a_bus_that_speaks_in_tongues_leaves_the_managers_own_socket() {
    let machine = installed(&[]);
    let bus = "/run/user/4711/bus";
    let start = listener(&machine, "garbage", bus, "garbage");
    machine.root(&format!("mv {bus} {bus}.kept; {start}")).ok();
    let status = machine.status();
    assert_eq!(status["service"]["manager"]["via"], "systemctl", "{status:#}");
    assert_eq!(status["rpc"]["ok"], true, "{status:#}");
}
