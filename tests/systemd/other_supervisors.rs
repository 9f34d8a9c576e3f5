//! The gateway where systemd is not its supervisor: as process 1 of a PID namespace, and under a real runsv(8).

use std::time::{Duration, Instant};

use crate::support::{Machine, Ran};

/// How long something that must come has to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a line as root until it says this.
#[track_caller]
fn until(machine: &Machine, line: &str, said: impl Fn(&Ran) -> bool) -> Ran {
    let end = Instant::now() + PATIENCE;
    loop {
        let ran = machine.root(line);
        if said(&ran) {
            return ran;
        }
        assert!(Instant::now() < end, "{ran}");
    }
}

/// Waits until a gateway is ready on a port.
#[track_caller]
fn until_ready(machine: &Machine, port: u16) {
    let knock = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port} && \
         printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && head -1 <&3"
    );
    until(machine, &knock, |ran| ran.stdout == "HTTP/1.1 200 OK\r\n");
}

/// A machine with a gateway as process 1 of a namespace, as in a container, and the number of that process outside.
fn contained(port: u16) -> (Machine, String) {
    let machine = Machine::boot();
    // Nothing of the outer manager gets in; how it ended is noted beside.
    let inside = format!(
        "unshare --pid --fork --mount-proc env -i PATH=$PATH HOME=/root idlehands gateway run --allow-unconfigured \
         --port {port}; echo $? >/run/box.code"
    );
    machine
        .root(&format!("systemd-run --quiet --unit=box --property=KillMode=process sh -c '{inside}'"))
        .ok();
    until_ready(&machine, port);
    let first = machine.root("pgrep -P \"$(pgrep -x unshare)\"").ok().to_owned();
    (machine, first)
}

/// The process that listens.
fn gateway(machine: &Machine, first: &str) -> String {
    machine.root(&format!("pgrep -P {first} -x idlehands")).ok().to_owned()
}

#[test]
fn process_1_of_a_container_buries_orphans_restarts_the_gateway_and_ends_as_it_does() {
    let (machine, first) = contained(19700);
    let inside = |line: &str| machine.root(&format!("nsenter -t {first} -p -m {line}"));
    assert_eq!(inside("readlink /proc/1/exe").ok(), "/usr/local/bin/idlehands");

    // A shell leaves a process behind, which process 1 inherits.
    inside("sh -c '(sleep 0.3; exit 7) & :'").ok();
    let orphans = "ps -eo ppid=,stat=,comm= | awk '$1 == 1 && $3 != \"idlehands\"'";
    let orphans = format!("nsenter -t {first} -p -m sh -c {}", shell_word(orphans));
    until(&machine, &orphans, |ran| ran.code == 0 && ran.stdout.is_empty());

    // It asks to be run again, and there is nobody else who would.
    let before = gateway(&machine, &first);
    machine.root(&format!("kill -USR1 {first}")).ok();
    until(&machine, &format!("pgrep -P {first} -x idlehands"), |ran| {
        ran.code == 0 && !ran.stdout.trim().is_empty() && ran.stdout.trim() != before
    });
    until_ready(&machine, 19700);

    machine.root(&format!("kill -TERM {first}")).ok();
    let code = until(&machine, "cat /run/box.code", |ran| ran.code == 0);
    assert_eq!(code.ok(), "0");
}

#[test]
fn process_1_ends_with_the_code_of_a_gateway_that_cannot_start() {
    let machine = Machine::boot();
    machine
        .root("mkdir -p /root/.idlehands; echo '{ gateway: { prot: 1 } }' >/root/.idlehands/idlehands.json")
        .ok();
    let ran = machine.root(
        "unshare --pid --fork --mount-proc env -i PATH=$PATH HOME=/root idlehands gateway run --port 19701",
    );
    assert_eq!(ran.code, 78, "{ran}");
    assert_eq!(ran.stderr.matches("the configuration is invalid").count(), 1, "said once: {ran}");
}

/// Whoever wants it to end is not told how to run it.
#[test]
fn without_systemd_a_stop_says_what_ends_the_gateway_that_runs() {
    let machine = Machine::boot();
    machine.user("idlehands setup && idlehands config set gateway.port 19704").ok();
    let tester = "env -i PATH=$PATH HOME=/home/tester XDG_RUNTIME_DIR=/run/user/4711 \
                  setpriv --reuid tester --regid tester --clear-groups idlehands gateway";
    let bare = |verb: &str| {
        format!("unshare --mount sh -c 'mount -t tmpfs none /run/systemd && exec {tester} {verb}'")
    };
    let nothing = machine.root(&bare("stop"));
    assert_eq!(nothing.code, 8, "{nothing}");
    assert!(nothing.stderr.contains("hint: no gateway of this profile runs"), "{nothing}");
    assert!(!nothing.stderr.contains("gateway run"), "{nothing}");

    // Runs a line while a gateway runs in the foreground, and puts its number for `PID`.
    let beside = |line: &str| {
        let ran = machine.root(&format!(
            "coproc {tester} run 2>/dev/null; pid=$COPROC_PID; read -r _ <&${{COPROC[0]}}; echo $pid; \
             {line}; code=$?; kill $pid; wait $pid; exit $code"
        ));
        let pid = ran.stdout.lines().next().unwrap_or_default().to_owned();
        Ran { stderr: ran.stderr.replace(&pid, "PID"), ..ran }
    };
    for (verb, told) in [("stop", "kill PID, or Ctrl+C where it runs"), ("reload", "kill -HUP PID")] {
        let ran = beside(&bare(verb));
        let told = format!("hint: a gateway runs without a service: {told}");
        assert!(ran.code == 8 && ran.stderr.contains(&told), "{ran}");
    }
    // The same where there is a manager, which does not have it.
    let stop = beside(&format!("{tester} stop"));
    assert!(stop.code == 4 && stop.stderr.contains("kill PID, or Ctrl+C"), "{stop}");

    // A second one is pointed to what stops the first, be it a service.
    let second = beside(&format!("{tester} run"));
    assert!(second.code == 7 && second.stderr.contains("hint: Stop it: kill PID  ("), "{second}");
    machine.user("idlehands gateway install").ok();
    let second = machine.user("idlehands gateway run");
    assert_eq!(second.code, 7, "{second}");
    let told = "Stop it: idlehands gateway stop  (it is the service idlehands-gateway.service)";
    assert!(second.stderr.contains(told), "{second}");
}

fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[test]
fn under_runit_it_is_restarted_reloaded_and_stopped_and_stays_down_where_waiting_does_not_help() {
    let machine = Machine::boot();
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/runit");
    machine
        .root(&format!(
            "install -D -t /run/sv/gateway {files}/run {files}/finish; echo tester >/run/sv/gateway/user"
        ))
        .ok();
    machine.user("idlehands setup && idlehands config set gateway.port 19702").ok();
    machine.root("systemd-run --quiet --unit=runsv env -i PATH=$PATH runsv /run/sv/gateway").ok();
    until_ready(&machine, 19702);
    let pid = || machine.root("cat /run/sv/gateway/supervise/pid").ok().to_owned();
    let sv = |verb: &str| machine.root(&format!("sv -w 30 {verb} /run/sv/gateway"));
    let status = machine.user("idlehands gateway status");
    for line in ["Runtime: running", "RPC probe: ok"] {
        assert!(status.ok().lines().any(|said| said == line), "{line}: {status}");
    }

    let first = pid();
    sv("restart").ok();
    until_ready(&machine, 19702);
    let second = pid();
    assert_ne!(first, second);
    // A reload that needs a new process: it ends with 75, and runsv starts it again.
    machine.user("idlehands config set gateway.port 19703").ok();
    sv("hup").ok();
    until_ready(&machine, 19703);
    let third = pid();
    assert_ne!(second, third);

    assert!(sv("down").ok().starts_with("ok: down"), "it ends when it is asked to");
    machine.user("echo '{ gateway: { prot: 1 } }' >.idlehands/idlehands.json").ok();
    machine.root("sv up /run/sv/gateway").ok();
    until(&machine, "cat /run/sv/gateway/supervise/stat", |ran| ran.stdout == "down\n");
    let wanted = machine.root("sv status /run/sv/gateway");
    assert!(wanted.ok().starts_with("down: ") && !wanted.stdout.contains("want up"), "{wanted}");
    machine.root("sv -w 10 exit /run/sv/gateway").ok();
}
