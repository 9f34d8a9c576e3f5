//! Installing and uninstalling: complete, repeatable, reversible, and nothing that belongs to others is touched.

use crate::support::service::{UNIT, driver_command, machine, steps};

const FILE: &str = ".config/systemd/user/idlehands-gateway.service";

#[test]
fn an_install_runs_a_second_one_does_nothing_and_an_uninstall_leaves_nothing() {
    let machine = machine();
    let first = machine.service_ok("install");
    let expected = [
        "write-definition",
        "enable",
        "reload",
        "check-definition",
        "reset-failed",
        "start",
        "prove",
        "save-record",
    ];
    assert_eq!(steps(&first), expected);
    for fact in ["installed", "enabled", "loaded", "running", "ready", "healthy"] {
        assert_eq!(first["facts"][fact]["is"], "yes", "{fact}: {first:#}");
    }
    assert_eq!(first["observed"]["manager"]["via"], "bus");
    assert_eq!(first["observed"]["manager"]["state"]["statusText"], "serving");
    assert_eq!(machine.property(UNIT, "ActiveState"), "active");
    assert_eq!(machine.user("stat -c %a .idlehands/service/record.json").ok(), "600");
    let run = machine.property(UNIT, "InvocationID");

    let second = machine.service_ok("install");
    assert_eq!(steps(&second), [""; 0]);
    assert_eq!(machine.property(UNIT, "InvocationID"), run);

    let gone = machine.service_ok("uninstall");
    let expected = ["stop", "disable", "remove-definition", "reload", "reset-failed", "remove-record"];
    assert_eq!(steps(&gone), expected);
    assert_eq!(gone["facts"]["headline"], "not-installed");
    assert_eq!(gone["facts"]["running"]["is"], "no");
    assert_eq!(machine.property(UNIT, "LoadState"), "not-found");
    assert_eq!(machine.user("find .config/systemd -name '*idlehands*'; ls .idlehands/service").ok(), "");
    assert_eq!(steps(&machine.service_ok("uninstall")), [""; 0]);
}

#[test]
fn a_plan_is_shown_and_nothing_is_done() {
    let machine = machine();
    let shown = machine.service_ok("install --plan");
    let first = "1. write /home/tester/.config/systemd/user/idlehands-gateway.service: it is not installed";
    assert_eq!(shown["text"].as_str().unwrap().lines().next(), Some(first));
    assert_eq!(machine.user("find .config .idlehands 2>/dev/null").stdout, "");
}

/// Lifecycle notes B6, E4: a finished job is no proof.
#[test]
fn a_definition_that_does_not_become_healthy_is_taken_back_and_the_one_before_runs_again() {
    let machine = machine();
    machine.service_ok("install");
    let before = machine.user(&format!("cat {FILE}")).ok().to_owned();
    let table = [
        ("exit 78", 78, "it ended with exit status 78: configuration error"),
        ("exit 1", 1, "it ended with exit status 1"),
        ("crash", 1, "did not stay: it ended with exit status 1"),
        ("sick", 9, "is not healthy"),
    ];
    for (mode, exit, message) in table {
        machine.user(&format!("echo {mode} >mode-19999")).ok();
        let failed = machine.service("install --port 19999");
        assert_eq!(failed["outcome"], "rolled-back", "{mode}: {failed:#}");
        assert_eq!(failed["restored"], "running", "{mode}");
        assert_eq!(failed["exit"], exit, "{mode}: {failed:#}");
        let error = failed["error"].as_str().unwrap();
        assert!(error.contains(message), "{mode}: {error}");
        assert_eq!(machine.user(&format!("cat {FILE}")).ok(), before, "{mode}");
        assert_eq!(failed["facts"]["running"]["is"], "yes", "{mode}: {failed:#}");
        assert_eq!(machine.service_ok("status")["facts"]["healthy"]["is"], "yes", "{mode}");
        assert_eq!(steps(&machine.service_ok("install")), [""; 0], "{mode}");
    }
    machine.user("rm mode-19999").ok();
    let done = machine.service_ok("install --port 19999");
    assert_eq!(steps(&done)[..2], ["back-up", "write-definition"]);
    let diff = done["plan"]["steps"][1]["diff"].as_str().unwrap();
    assert!(diff.contains("+ExecStart=/usr/local/bin/served gateway run --port 19999"), "{diff}");
}

#[test]
fn a_first_install_that_fails_leaves_nothing_behind() {
    let machine = machine();
    machine.user("echo exit 7 >mode-0").ok();
    let failed = machine.service("install");
    assert_eq!((&failed["exit"], &failed["restored"]), (&7.into(), &"nothing".into()), "{failed:#}");
    assert_eq!(failed["facts"]["headline"], "not-installed");
    assert_eq!(machine.property(UNIT, "LoadState"), "not-found");
    assert_eq!(machine.user("find .config/systemd -name '*idlehands*'").ok(), "");
}

/// Lifecycle notes E9.3: what systemd cannot use it drops in silence.
#[test]
fn a_definition_that_systemd_does_not_take_as_written_is_not_started() {
    let machine = machine();
    let failed = machine.service("install --program /usr/local/bin/no-such-program");
    assert_eq!(failed["outcome"], "rolled-back", "{failed:#}");
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("its program cannot be run"), "{error}");
    assert_eq!(machine.property(UNIT, "LoadState"), "not-found");

    // A unit of the same name in a directory that counts more than ours.
    let shadow = ".config/systemd/user.control";
    machine.user(&format!("mkdir {shadow}; printf '[Service]\nExecStart=/bin/true\n' >{shadow}/{UNIT}")).ok();
    let shadowed = machine.service("install");
    assert_eq!((&shadowed["step"], &shadowed["restored"]), (&4.into(), &"nothing".into()), "{shadowed:#}");
    let error = shadowed["error"].as_str().unwrap();
    assert!(error.ends_with(&format!("it has one from /home/tester/{shadow}/{UNIT} instead")), "{error}");
    let refused = machine.service("install");
    assert_eq!(refused["exit"], 7, "{refused:#}");
    assert!(refused["error"].as_str().unwrap().contains("is managed elsewhere"), "{refused:#}");
}

#[test]
fn edits_and_foreign_units_are_kept_unless_forced_and_then_backed_up() {
    let machine = machine();
    machine.service_ok("install");
    machine.user(&format!("sed -i s/OOMPolicy=continue/OOMPolicy=stop/ {FILE}")).ok();
    let refused = machine.service("install");
    assert_eq!(refused["exit"], 6, "{refused:#}");
    assert!(
        refused["hints"][0].as_str().unwrap().contains("systemctl --user edit idlehands-gateway.service")
    );
    assert_eq!(machine.user(&format!("grep -c OOMPolicy=stop {FILE}")).ok(), "1");

    machine.service_ok("install --force");
    let backup = ".idlehands/service/idlehands-gateway.service.replaced-*";
    assert_eq!(machine.user(&format!("grep -c OOMPolicy=stop {backup}; stat -c %a {backup}")).ok(), "1\n600");
    assert_eq!(steps(&machine.service_ok("install")), [""; 0]);

    // Comments and blank lines change nothing; they are no reason to refuse, nor to write.
    machine.user(&format!("sed -i '1i # mine' {FILE}")).ok();
    assert_eq!(steps(&machine.service_ok("install")), ["reload", "check-definition"]);
    assert_eq!(steps(&machine.service_ok("install")), [""; 0]);
    machine.service_ok("uninstall");

    machine.user(&format!("printf '[Service]\\nExecStart=/bin/sleep 1d\\n' >{FILE}")).ok();
    for words in ["install", "uninstall"] {
        assert_eq!(machine.service(words)["exit"], 7, "{words}");
    }
    machine.service_ok("install --force");
    assert_eq!(machine.user(&format!("cat {backup} | grep -c -e 'sleep 1d' -e OOMPolicy=stop")).ok(), "2");
}

/// Lifecycle notes E9.5: to disable a linked unit removes the link itself.
#[test]
fn a_unit_that_somebody_else_keeps_is_not_touched_but_can_be_started_and_stopped() {
    let machine = machine();
    machine.service_ok("install");
    machine.service_ok("stop");
    machine
        .user(&format!(
            "mkdir -p dotfiles && mv {FILE} dotfiles/ && ln -s ~/dotfiles/idlehands-gateway.service {FILE}"
        ))
        .ok();
    machine.user("systemctl --user daemon-reload").ok();
    for words in ["install --force", "uninstall"] {
        let refused = machine.service(words);
        assert_eq!(refused["exit"], 7, "{words}: {refused:#}");
        assert_eq!(refused["observed"]["definition"]["standing"], "linked");
    }
    assert_eq!(machine.service_ok("start")["facts"]["healthy"]["is"], "yes");
    assert_eq!(machine.service_ok("stop")["facts"]["headline"], "stopped");
    assert_eq!(
        machine.user(&format!("readlink {FILE}")).ok(),
        "/home/tester/dotfiles/idlehands-gateway.service"
    );

    machine.user(&format!("rm {FILE}; systemctl --user mask {UNIT}")).ok();
    for words in ["install", "install --force", "start", "restart", "uninstall"] {
        let refused = machine.service(words);
        assert_eq!(refused["exit"], 1, "{words}: {refused:#}");
        assert_eq!(refused["hints"][0], format!("systemctl --user unmask {UNIT}"), "{words}");
    }
}

#[test]
fn drop_ins_survive_and_are_told() {
    let machine = machine();
    machine.service_ok("install");
    let drop_in = format!(".config/systemd/user/{UNIT}.d/mine.conf");
    machine
        .user(&format!(
            "mkdir -p {}; printf '[Service]\\nOOMPolicy=stop\\n' >{drop_in}",
            drop_in.trim_end_matches("/mine.conf")
        ))
        .ok();
    // The manager of systemd 252 does not notice the first drop-in of a unit.
    assert_eq!(steps(&machine.service_ok("install")), ["reload", "check-definition"]);
    assert_eq!(steps(&machine.service_ok("install")), [""; 0]);
    let again = machine.service_ok("install --port 19999");
    let notes = again["notes"].to_string();
    assert!(
        notes.contains("OOMPolicy= is written as \\\"continue\\\" and in force as \\\"stop\\\""),
        "{notes}"
    );
    assert_eq!(again["observed"]["manager"]["state"]["dropInPaths"][0], format!("/home/tester/{drop_in}"));
    assert!(
        machine.service_ok("restart --port 19999")["plan"]["notes"][0]
            .as_str()
            .unwrap()
            .contains("mine.conf")
    );

    let gone = machine.service_ok("uninstall");
    let left = gone["plan"]["notes"][0].as_str().unwrap();
    assert!(left.contains(&drop_in) && left.contains(".idlehands (configuration"), "{left}");
    assert_eq!(machine.user(&format!("cat {drop_in}")).ok(), "[Service]\nOOMPolicy=stop");
}

#[test]
fn two_installs_at_once_both_succeed_and_one_that_will_not_wait_says_so() {
    let machine = machine();
    machine.user("echo slow 1500 >mode-0").ok();
    let both = format!(
        "({0} >a) & ({0} >b) & sleep 0.7; {1} >c; wait; cat a b c",
        driver_command("install"),
        driver_command("install --claim-ms 1")
    );
    let said = machine.user(&both).ok().to_owned();
    let results: Vec<serde_json::Value> = said
        .lines()
        .filter_map(|line| line.strip_prefix("RESULT "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let exits: Vec<u64> = results.iter().map(|result| result["exit"].as_u64().unwrap()).collect();
    assert_eq!(exits, [0, 0, 75], "{said}");
    let mut counts: Vec<usize> = results[..2].iter().map(|result| steps(result).len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [0, 8]);
}

#[test]
fn an_install_that_is_killed_half_way_is_completed_by_the_next() {
    let machine = machine();
    machine.user("echo slow 4000 >mode-0").ok();
    let command = driver_command("install");
    machine.user(&format!("{command} >/dev/null & sleep 1; kill -KILL $!; test -e {FILE}; test ! -e .idlehands/service/record.json")).ok();
    machine.user("rm mode-0").ok();
    let done = machine.service_ok("install");
    assert_eq!(steps(&done), ["reset-failed", "start", "prove", "save-record"], "{done:#}");
    assert_eq!(steps(&machine.service_ok("install")), [""; 0]);
}

#[test]
fn a_home_directory_by_another_name_is_the_same() {
    let machine = machine();
    machine.root("ln -s /home/tester /home/alias").ok();
    let aliased = machine.service_as("export HOME=/home/alias;", "install");
    assert_eq!(aliased["exit"], 0, "{aliased:#}");
    assert_eq!(aliased["observed"]["definition"]["standing"], "ours");
    assert_eq!(machine.service_ok("status")["facts"]["healthy"]["is"], "yes");
}

/// Lifecycle notes B9.
#[test]
fn no_secret_of_the_installer_gets_anywhere() {
    let machine = machine();
    let secret = "IDLEHANDS_GATEWAY_TOKEN=hunter2-hunter2 IDLEHANDS_GATEWAY_PASSWORD=hunter2-hunter2";
    let installed = machine.service_as(&format!("export {secret};"), "install");
    assert_eq!(installed["exit"], 0, "{installed:#}");
    assert!(!installed.to_string().contains("hunter2"));
    let seen = machine.user(&format!(
        "cat {FILE} .idlehands/service/*; systemctl --user show {UNIT}; systemctl --user status {UNIT}; \
         tr '\\0' '\\n' </proc/$(systemctl --user show {UNIT} -p MainPID --value)/environ"
    ));
    assert!(seen.stdout.contains("PATH=/home/tester/.local/bin:"), "{seen}");
    assert!(!seen.stdout.contains("hunter2"), "{seen}");
}

#[test]
fn profiles_and_chosen_directories_are_services_of_their_own() {
    let machine = machine();
    machine.service_ok("install");
    let other =
        machine.service_as("export IDLEHANDS_STATE_DIR=~/other;", "install --profile rescue --port 19998");
    assert_eq!(other["exit"], 0, "{other:#}");
    assert_eq!(other["observed"]["unit"], "idlehands-gateway-rescue.service");
    assert_eq!(machine.user("ls other/service").ok(), "record.json");
    // Somebody put another gateway's variables into the manager; ours knows who it is all the same.
    machine
        .user("systemctl --user set-environment IDLEHANDS_STATE_DIR=/nowhere IDLEHANDS_PROFILE=rescue")
        .ok();
    machine.service_ok("restart");
    let environ = |unit: &str| {
        let pid = machine.property(unit, "MainPID");
        machine
            .user(&format!("tr '\\0' '\\n' </proc/{pid}/environ | grep ^IDLEHANDS_ | sort"))
            .ok()
            .to_owned()
    };
    let empty = "IDLEHANDS_CONFIG_PATH=\nIDLEHANDS_HOME=\nIDLEHANDS_PROFILE=\nIDLEHANDS_STATE_DIR=";
    assert_eq!(environ(UNIT), empty);
    assert_eq!(environ("idlehands-gateway-rescue.service"), format!("{empty}/home/tester/other"));
    // The record is where only the variable leads to; the mark in the file is enough.
    let gone = machine.service_ok("uninstall --profile rescue");
    assert_eq!(gone["facts"]["headline"], "not-installed");
    assert_eq!(machine.service_ok("status")["facts"]["healthy"]["is"], "yes");
}

#[test]
fn places_where_a_unit_would_be_lost_or_unsafe_are_refused() {
    let machine = machine();
    let elsewhere = machine.service_as("export XDG_CONFIG_HOME=~/elsewhere;", "install");
    assert_eq!(elsewhere["exit"], 1, "{elsewhere:#}");
    assert!(
        elsewhere["error"].as_str().unwrap().contains("does not read /home/tester/elsewhere/systemd/user")
    );
    assert_eq!(machine.user("ls -d elsewhere 2>/dev/null; echo").ok(), "");

    machine.user("mkdir -p .config/systemd/user; chmod 777 .config/systemd/user").ok();
    let open = machine.service("install");
    assert_eq!(
        (&open["exit"], &open["hints"][0]),
        (&5.into(), &"chmod go-w /home/tester/.config/systemd/user".into())
    );
    machine
        .root("chmod 755 /home/tester/.config/systemd/user; chown root: /home/tester/.config/systemd/user")
        .ok();
    let roots = machine.service("install");
    assert_eq!(roots["exit"], 5, "{roots:#}");
    assert!(roots["error"].as_str().unwrap().contains("belongs to user 0"), "{roots:#}");
    machine.root("chown tester: /home/tester/.config/systemd/user").ok();

    let system = format!("/etc/systemd/system/{UNIT}");
    machine.root(&format!("printf '[Service]\\nExecStart=/bin/sleep 1d\\n' >{system}; systemctl daemon-reload; systemctl start {UNIT}")).ok();
    let owned = machine.service("install");
    assert_eq!(owned["exit"], 7, "{owned:#}");
    assert!(owned["hints"][0].as_str().unwrap().contains(&format!("sudo systemctl disable --now {UNIT}")));
    machine.root(&format!("systemctl stop {UNIT}")).ok();
    machine.service_ok("install");
}
