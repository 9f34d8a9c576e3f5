//! Start, stop and restart: from every state, with their own job, and with proof.

use std::time::{Duration, Instant};

use crate::support::Machine;
use crate::support::service::{UNIT, driver_command, machine, steps};

/// Makes changes to the unit that make a test quick, without changing its definition.
fn drop_in(machine: &Machine, lines: &str) {
    let dir = format!(".config/systemd/user/{UNIT}.d");
    machine
        .user(&format!("mkdir -p {dir}; printf '{lines}' >{dir}/test.conf; systemctl --user daemon-reload"))
        .ok();
}

/// Waits until a property has a value.
#[track_caller]
fn wait(machine: &Machine, name: &str, value: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while machine.property(UNIT, name) != value {
        assert!(Instant::now() < end, "{name} is {:?}, not {value:?}", machine.property(UNIT, name));
    }
}

#[test]
fn stop_start_and_restart_each_do_what_they_say_and_nothing_twice() {
    let machine = machine();
    machine.service_ok("install");
    let first = machine.property(UNIT, "InvocationID");
    let running = machine.service_ok("start");
    assert_eq!((steps(&running), &running["plan"]["notes"][0]), (vec![], &"it is running already".into()));

    let stopped = machine.service_ok("stop");
    assert_eq!(steps(&stopped), ["stop"]);
    assert_eq!(
        (&stopped["facts"]["headline"], &stopped["facts"]["enabled"]["is"]),
        (&"stopped".into(), &"yes".into())
    );
    let note = stopped["plan"]["notes"][0].as_str().unwrap();
    assert!(note.contains(&format!("systemctl --user disable {UNIT}")), "{note}");
    assert_eq!(steps(&machine.service_ok("stop")), [""; 0]);

    assert_eq!(steps(&machine.service_ok("start")), ["reset-failed", "start", "prove"]);
    let second = machine.property(UNIT, "InvocationID");
    assert_ne!(first, second);
    assert_eq!(steps(&machine.service_ok("restart")), ["reset-failed", "restart", "prove"]);
    assert_ne!(machine.property(UNIT, "InvocationID"), second);
}

#[test]
fn what_is_not_installed_says_so() {
    let machine = machine();
    for verb in ["start", "stop", "restart"] {
        let refused = machine.service(verb);
        assert_eq!(refused["exit"], 4, "{verb}: {refused:#}");
        assert_eq!(refused["hints"][0], "install it: idlehands gateway install");
    }
    assert_eq!(machine.service_ok("status")["facts"]["headline"], "not-installed");
}

/// Lifecycle notes E4, E9.1.
#[test]
fn a_service_that_failed_is_started_from_wherever_it_ended() {
    let machine = machine();
    machine.service_ok("install");
    drop_in(&machine, "[Unit]\\nStartLimitBurst=2\\n[Service]\\nRestartSec=100ms\\n");

    machine.user("echo exit 1 >mode-0").ok();
    let failed = machine.service("restart");
    assert_eq!((&failed["exit"], &failed["outcome"]), (&1.into(), &"failed".into()), "{failed:#}");
    assert!(failed["error"].as_str().unwrap().contains("it ended with exit status 1"), "{failed:#}");
    wait(&machine, "ActiveState", "failed");
    let status = machine.service("status");
    assert_eq!(status["facts"]["headline"], "failed");
    let why = status["facts"]["running"]["because"].as_str().unwrap();
    assert!(why.contains("it ended with exit status 1"), "{why}");
    // The limit of starts is used up; whoever starts it by hand has a reason to.
    machine.user(&format!("systemctl --user start {UNIT}; test $? != 0")).ok();
    machine.user("rm mode-0").ok();
    assert_eq!(machine.service_ok("start")["facts"]["healthy"]["is"], "yes");

    machine.user("echo exit 78 >mode-0").ok();
    let config = machine.service("restart");
    assert_eq!(config["exit"], 78, "{config:#}");
    assert_eq!(machine.property(UNIT, "NRestarts"), "0", "a configuration error is not retried");
    machine.user("rm mode-0").ok();
    machine.service_ok("restart");

    drop_in(&machine, "[Service]\\nRestartSec=1h\\n");
    machine.user("echo exit 1 >mode-0").ok();
    assert_eq!(machine.service("restart")["exit"], 1);
    wait(&machine, "SubState", "auto-restart");
    let waiting = machine.service("status");
    assert_eq!(waiting["facts"]["headline"], "restarting", "{waiting:#}");
    machine.user("rm mode-0").ok();
    assert_eq!(steps(&machine.service_ok("start")), ["reset-failed", "restart", "prove"]);
}

/// Lifecycle notes E9.1: restarts by hand count against the limit of starts.
#[test]
fn restarting_often_does_not_use_up_the_limit_of_starts() {
    let machine = machine();
    machine.service_ok("install");
    drop_in(&machine, "[Unit]\\nStartLimitBurst=2\\n");
    for _ in 0..5 {
        machine.service_ok("restart");
    }
    let by_systemctl =
        machine.user(&format!("for i in 1 2 3; do systemctl --user restart {UNIT} || exit 9; done"));
    assert_eq!(by_systemctl.code, 9, "the limit is in force: {by_systemctl}");
}

/// Lifecycle notes E9.12, B6.
#[test]
fn a_stop_cuts_a_start_short_and_a_deadline_ends_the_waiting() {
    let machine = machine();
    machine.service_ok("install");
    machine.service_ok("stop");
    machine.user("echo never >mode-0").ok();
    let late = machine.service("start --job-ms 1500");
    assert_eq!(late["exit"], 10, "{late:#}");
    assert!(late["error"].as_str().unwrap().contains("it goes on by itself"), "{late:#}");
    assert_eq!(late["facts"]["headline"], "starting");
    let job = machine.property(UNIT, "Job");
    assert_ne!(job, "", "the start was not called off");

    let both = format!(
        "{} >started & sleep 1; {} >stopped; wait; cat started stopped",
        driver_command("start"),
        driver_command("stop")
    );
    let said = machine.user(&both).ok().to_owned();
    let exits: Vec<u64> = said
        .lines()
        .filter_map(|line| line.strip_prefix("RESULT "))
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["exit"].as_u64().unwrap())
        .collect();
    assert_eq!(exits, [75, 0], "{said}");
    assert_eq!(machine.service("status")["facts"]["headline"], "stopped");
}

#[test]
fn a_slow_start_is_waited_for_and_its_status_is_told() {
    let machine = machine();
    machine.user("echo slow 2500 >mode-0").ok();
    let started = machine.service_ok("install");
    let said = started["said"].to_string();
    assert!(said.contains("status: warming up") && said.contains("status: serving"), "{said}");
}

#[test]
fn a_manager_that_executes_itself_anew_is_waited_for() {
    let machine = machine();
    machine.service_ok("install");
    machine.service_ok("stop");
    machine.user("echo slow 3000 >mode-0").ok();
    let reexec = "(sleep 1; systemctl --user daemon-reexec; sleep 1; systemctl --user daemon-reexec) &";
    let started = machine.service_as(reexec, "start");
    assert_eq!(
        (&started["exit"], &started["facts"]["healthy"]["is"]),
        (&0.into(), &"yes".into()),
        "{started:#}"
    );
}

#[test]
fn a_service_that_does_not_answer_is_reported_and_left_alone() {
    let machine = machine();
    machine.service_ok("install");
    machine.user("echo sick >mode-0").ok();
    let sick = machine.service("restart");
    assert_eq!((&sick["exit"], &sick["outcome"]), (&9.into(), &"failed".into()), "{sick:#}");
    assert!(sick["error"].as_str().unwrap().contains("the answer is: process"), "{sick:#}");
    assert_eq!(sick["facts"]["headline"], "unhealthy");
    assert_eq!(machine.property(UNIT, "ActiveState"), "active");
}

/// Lifecycle notes E9.6.
#[test]
fn a_process_without_a_definition_is_seen_and_can_be_stopped_or_adopted() {
    let machine = machine();
    machine.service_ok("install");
    let remove = format!("rm .config/systemd/user/{UNIT}; systemctl --user daemon-reload");
    machine.user(&remove).ok();
    let orphan = machine.service("restart");
    assert_eq!((&orphan["exit"], &orphan["facts"]["headline"]), (&4.into(), &"orphan".into()), "{orphan:#}");
    assert_eq!(orphan["facts"]["running"]["is"], "yes");
    let adopted = machine.service_ok("install");
    assert_eq!(adopted["facts"]["healthy"]["is"], "yes");
    machine.user(&remove).ok();
    assert_eq!(machine.service_ok("stop")["facts"]["headline"], "not-installed");
}

/// Lifecycle notes B3: an agent asks its own gateway to restart.
#[test]
fn a_restart_asked_for_from_inside_the_service_is_handed_over() {
    let machine = machine();
    machine.service_ok("install");
    let first = machine.property(UNIT, "InvocationID");
    // The service runs this once, as a child in its own control group.
    let (plan, restart) = (driver_command("restart --plan"), driver_command("restart"));
    machine.user(&format!("cat >child-0 <<'END'\n{plan} >plan 2>&1; {restart} >restarted 2>&1\nEND")).ok();
    let restart =
        format!("systemctl --user restart {UNIT}; systemctl --user show {UNIT} -p InvocationID --value");
    let second = machine.user(&restart).ok().to_owned();
    assert_ne!(first, second);
    let end = Instant::now() + Duration::from_secs(30);
    while machine.property(UNIT, "InvocationID") == second {
        assert!(Instant::now() < end, "the service did not restart itself");
    }
    wait(&machine, "ActiveState", "active");
    let plan = machine.user("cat plan");
    let line = plan.stdout.lines().find_map(|line| line.strip_prefix("RESULT ")).unwrap();
    let plan: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(plan["observed"]["inside"], true, "{plan:#}");
    assert_eq!(plan["plan"]["steps"][1]["wait"], false, "{plan:#}");
    assert_eq!(steps(&plan), ["reset-failed", "restart"]);
    assert!(plan["plan"]["notes"][0].as_str().unwrap().contains("runs inside the service"));
    assert_eq!(machine.service("status")["observed"]["inside"], false);
}

/// A process that hangs so that even SIGABRT does not end it is replaced soon (`TimeoutAbortSec=`).
#[test]
fn a_process_that_hangs_is_replaced() {
    let machine = machine();
    machine.service_ok("install");
    drop_in(&machine, "[Service]\\nWatchdogSec=1\\nTimeoutAbortSec=1\\nRestartSec=100ms\\n");
    machine.service_ok("restart");
    let hung = machine.property(UNIT, "MainPID");
    machine.user(&format!("kill -STOP {hung}")).ok();
    wait(&machine, "NRestarts", "1");
    wait(&machine, "ActiveState", "active");
    assert_ne!(machine.property(UNIT, "MainPID"), hung);
}
