//! Whether a service starts by itself, told from the links on disk: the manager's own answer is as old as its last
//! reload, and in the place of a unit there may be something that it must not be asked about.

use crate::support::program::{set_up, set_up_with};
use crate::support::service::UNIT;
use crate::support::{Boot, Machine};

const WANTS: &str = ".config/systemd/user/default.target.wants";

/// Asks everything that looks at the unit, and whether the manager still answers afterwards.
fn outlives_questions(machine: &Machine, what: &str) {
    for verb in [
        "gateway status",
        "doctor",
        "gateway enable",
        "gateway disable",
        "gateway restart",
        "gateway install",
    ] {
        let ran = machine.user(&format!("idlehands {verb}"));
        assert_ne!(ran.code, 10, "{what}: {ran}");
        assert_ne!(ran.code, 8, "{what}: {ran}");
    }
    let alive = machine.user("timeout 10 systemctl --user is-active default.target");
    assert_eq!(alive.ok(), "active", "{what}: the manager hangs");
}

/// systemd 252 opens the unit file to tell its state, and waits for ever for whoever writes into a pipe.
fn a_pipe_in_the_place_of_the_unit(options: &[&str]) {
    let machine = set_up_with(&Boot { options });
    machine.user("idlehands gateway install").ok();
    let unit = format!("~/.config/systemd/user/{UNIT}");
    machine.user(&format!("cp {unit} ~/kept")).ok();
    // What the manager knows of the file's state is gone with a reload.
    let cases = [
        ("a pipe", format!("systemctl --user daemon-reload; rm {unit}; mkfifo {unit}")),
        (
            "a link to a pipe",
            format!(
                "rm {unit}; mkfifo ~/pipe; cp ~/kept {unit}; systemctl --user daemon-reload; ln -sf ~/pipe {unit}"
            ),
        ),
        ("a pipe that was read", format!("rm {unit}; mkfifo {unit}; systemctl --user daemon-reload")),
    ];
    for (what, line) in cases {
        machine.user(&line).ok();
        outlives_questions(&machine, what);
        machine.user(&format!("rm {unit}; cp ~/kept {unit}; systemctl --user daemon-reload")).ok();
    }
    machine.user(&format!("rm {unit}; mkfifo {unit}")).ok();
    let stopped = machine.user("idlehands gateway stop");
    assert_eq!(stopped.code, 0, "a process can be stopped whatever is in the place of its unit: {stopped}");
    let refused = machine.user("idlehands gateway enable");
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("cannot be read as a unit file: it is not a file"), "{refused}");
    machine.user("idlehands doctor --fix --yes --force").ok();
    assert_eq!(machine.user("idlehands gateway start && idlehands gateway status").code, 0);
}

#[test]
fn a_manager_is_not_asked_about_a_pipe() {
    a_pipe_in_the_place_of_the_unit(&[]);
}

#[test]
fn nor_is_it_by_systemctl() {
    a_pipe_in_the_place_of_the_unit(&["--no-user-bus"]);
}

#[test]
fn what_is_on_disk_counts_and_not_what_the_manager_remembers() {
    let machine = set_up();
    machine.user("idlehands gateway install").ok();
    let enabled =
        |machine: &Machine| machine.status()["service"]["facts"]["enabled"]["is"].as_str().map(str::to_owned);
    let word = |machine: &Machine| {
        machine.status()["service"]["manager"]["state"]["unitFileState"].as_str().map(str::to_owned)
    };
    assert_eq!((enabled(&machine).as_deref(), word(&machine).as_deref()), (Some("yes"), Some("enabled")));
    machine.user(&format!("rm {WANTS}/{UNIT}")).ok();
    assert_eq!(machine.property(UNIT, "UnitFileState"), "enabled", "the manager has not looked again");
    assert_eq!((enabled(&machine).as_deref(), word(&machine).as_deref()), (Some("no"), Some("disabled")));
    machine.user("idlehands gateway enable").ok();
    assert_eq!(enabled(&machine).as_deref(), Some("yes"));
    // The words of systemctl itself, case by case.
    let unit = format!("~/.config/systemd/user/{UNIT}");
    for line in [
        format!("systemctl --user disable {UNIT}"),
        format!("systemctl --user enable --runtime {UNIT}"),
        format!("systemctl --user disable --runtime {UNIT}; mkdir -p {WANTS}; ln -s {unit} {WANTS}/{UNIT}"),
        format!("mv {WANTS}/{UNIT} {WANTS}/x; ln -s {unit} ~/.config/systemd/user/gw.service"),
        format!("ln -s ~/.config/systemd/user/gw.service {WANTS}/gw.service"),
        format!("printf '[Install]\nAlias=gw.service\n' >>{unit}"),
        format!("sed -i /^Alias=/d {unit}; rm {WANTS}/gw.service"),
        format!("rm ~/.config/systemd/user/gw.service {WANTS}/x; sed -i /^WantedBy=/d {unit}"),
        format!("printf '[Install]\\nAlso=x.socket\\n' >>{unit}"),
        format!("mkdir away; cp {unit} ~/away/; ln -sf ~/away/{UNIT} {unit}"),
        format!("mv away/{UNIT} away/x.service; ln -sf ~/away/x.service {unit}"),
        format!("ln -sf /dev/null {unit}"),
        format!("rm {unit}; : >{unit}"),
    ] {
        machine.user(&line).ok();
        machine.user("systemctl --user daemon-reload").ok();
        let theirs = machine.user(&format!("systemctl --user is-enabled {UNIT}")).stdout.trim().to_owned();
        assert_eq!(word(&machine), Some(theirs), "{line}");
    }
}
