//! The doctor on machines that stand in a gateway's way: file systems, processors, clocks, permissions, and a program that
//! ends again and again.

use serde_json::Value;

use crate::support::Machine;
use crate::support::program::set_up;
use crate::support::service::UNIT;

fn findings(answer: &Value) -> Vec<Value> {
    let all = answer["findings"].as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|finding| finding["severity"] != "info").collect()
}

#[track_caller]
fn found(machine: &Machine, profile: &str, id: &str) -> Value {
    let answer = machine.json(&format!("idlehands {profile} doctor --json"));
    let found = findings(&answer).into_iter().find(|finding| finding["id"] == id);
    found.unwrap_or_else(|| panic!("no {id}: {answer:#}"))
}

#[track_caller]
fn clean(machine: &Machine) {
    let answer = machine.json("idlehands doctor --json");
    assert_eq!(findings(&answer), [Value::Null; 0], "{answer:#}");
}

fn installed() -> Machine {
    let machine = set_up();
    machine.user("mkdir -p .local/bin; cp /usr/local/bin/idlehands .local/bin/; ~/.local/bin/idlehands gateway install").ok();
    clean(&machine);
    machine
}

/// Lifecycle notes B11: a program that a shell runs, and no service does.
#[test]
fn a_program_is_judged_by_where_it_is_what_it_is_and_who_may_change_it() {
    let machine = installed();
    let machine = &machine;
    let runs = |program: &str| {
        machine.drop_in(UNIT, &format!("[Service]\\nExecStart=\\nExecStart={program} gateway run\\n"));
    };
    machine.root("mkdir /srv/noexec; mount -t tmpfs -o noexec,mode=755 none /srv/noexec; cp /usr/local/bin/idlehands /srv/noexec/").ok();
    runs("/srv/noexec/idlehands");
    let noexec = found(machine, "", "machine.noexec");
    assert_eq!(
        (&noexec["key"], &noexec["at"]["file"]),
        (&"ExecStart".into(), &"/srv/noexec/idlehands".into())
    );
    let refused = machine.user("idlehands gateway restart");
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("its program cannot be run"), "{refused}");
    // Whatever runs this test: neither processor is a PowerPC (ELF machine 21).
    machine.user("head -c 4096 .local/bin/idlehands >foreign; printf '\\025\\000' | dd of=foreign bs=1 seek=18 conv=notrunc status=none; chmod 755 foreign").ok();
    runs("/home/tester/foreign");
    let foreign = found(machine, "", "machine.architecture");
    assert!(foreign["summary"].as_str().unwrap().contains("ELF machine 21"), "{foreign:#}");
    runs("/home/tester/.local/bin/idlehands");
    machine.user("idlehands gateway restart").ok();

    machine.user("chmod o+w .local/bin/idlehands; chmod 777 .local/bin").ok();
    let exposed = found(machine, "", "permissions.exposed");
    assert!(exposed["summary"].as_str().unwrap().starts_with("everybody can change"), "{exposed:#}");
    machine.user("idlehands doctor --fix --yes --json").stdout.clear();
    assert_eq!(machine.user("stat -c %a .local/bin .local/bin/idlehands").ok(), "755\n755");
    machine.root("chown 4712 /home/tester/.local/bin/idlehands").ok();
    let owner = found(machine, "", "permissions.exposed");
    assert_eq!(owner["repair"]["class"], "manual", "{owner:#}");
    machine.root("chown tester /home/tester/.local/bin/idlehands").ok();
    clean(machine);
}

#[test]
fn disks_clocks_ports_and_owners_that_do_not_fit_are_told() {
    let machine = installed();
    let machine = &machine;
    machine.root("mkdir /home/tester/.idlehands-full; mount -t tmpfs -o size=8m,uid=4711,gid=4711,mode=700 none /home/tester/.idlehands-full").ok();
    machine.user("idlehands --profile full setup; idlehands --profile full gateway install; head -c 7m /dev/zero >.idlehands-full/fill; true").ok();
    let full = found(machine, "--profile full", "machine.full");
    assert!(full["at"]["file"].as_str().unwrap().ends_with(".idlehands-full"), "{full:#}");
    machine.user("rm .idlehands-full/fill; idlehands --profile full gateway stop").ok();
    machine.root("mount -o remount,ro /home/tester/.idlehands-full").ok();
    assert_eq!(found(machine, "--profile full", "machine.read-only")["severity"], "error");
    machine.root("mount -o remount,rw /home/tester/.idlehands-full").ok();

    machine.user("cp -a .idlehands/idlehands.json kept; touch -d '+2 hours' .idlehands/idlehands.json").ok();
    let clock = found(machine, "", "machine.clock");
    assert!(clock["summary"].as_str().unwrap().contains("minutes from the future"), "{clock:#}");
    machine.user("mv kept .idlehands/idlehands.json").ok();

    machine
        .root("chown 4712 /home/tester/.idlehands/service; chmod 755 /home/tester/.idlehands/service")
        .ok();
    assert_eq!(found(machine, "", "permissions.owner")["severity"], "error");
    machine
        .root("chown tester /home/tester/.idlehands/service; chmod 700 /home/tester/.idlehands/service")
        .ok();
    clean(machine);

    machine.user("idlehands gateway install --port 18900; idlehands config set gateway.port 18901").ok();
    let port = found(machine, "", "port.outdated");
    assert_eq!((&port["expected"], &port["found"]), (&"18900".into(), &"18901".into()), "{port:#}");
    assert!(port["at"]["line"].is_number(), "{port:#}");
    machine.user("idlehands gateway install --port config").ok();
    clean(machine);
    assert_eq!(machine.status()["gateway"]["port"], 18901);
}

/// Lifecycle notes B5: what ends again and again is told with the reason, while it does and when the manager gave up.
#[test]
fn a_restart_loop_is_told_with_how_it_ended_last() {
    let machine = installed();
    let machine = &machine;
    let loops = |line: &str, burst: u32| {
        machine.drop_in(
            UNIT,
            &format!("[Unit]\\nStartLimitBurst={burst}\\n[Service]\\nType=exec\\nRestart=always\\nRestartSec=200ms\\nRestartSteps=0\\nExecStart=\\nExecStart={line}\\n"),
        );
        machine
            .user("idlehands gateway stop; systemctl --user start --no-block idlehands-gateway.service")
            .ok();
    };
    loops("/bin/sh -c \"exit 3\"", 1000);
    machine.user("until [ $(systemctl --user show -P NRestarts idlehands-gateway.service) -ge 4 ]; do sleep 0.1; done").ok();
    let answer = machine.json("idlehands doctor --json");
    let told: Vec<&Value> = answer["findings"].as_array().unwrap().iter().collect();
    let state = told.iter().find(|finding| finding["id"].as_str().unwrap().starts_with("state.restart"));
    assert!(state.is_some(), "{answer:#}");
    for (line, words) in [
        ("/bin/sh -c \"exit 3\"", "it ended with exit status 3"),
        ("/bin/sh -c \"kill -SEGV $$$$\"", "SIGSEGV"),
        ("/nowhere/program", "its program cannot be run"),
    ] {
        loops(line, 2);
        machine.wait(UNIT, &[("ActiveState", "failed")]);
        let failed = found(machine, "", "state.failed");
        assert!(failed["summary"].as_str().unwrap().contains(words), "{line}: {failed:#}");
    }
}
