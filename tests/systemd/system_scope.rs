//! The machine's own gateway: installed and run by root's manager, shut in, with its secrets handed to it, and apart from
//! every user's.

use serde_json::Value;

use crate::support::Machine;

const UNIT: &str = "idlehands-gateway.service";
const FILE: &str = "/etc/systemd/system/idlehands-gateway.service";
const TOKEN: &str = "/etc/idlehands-gateway/credentials/IDLEHANDS_GATEWAY_TOKEN";

impl Machine {
    /// The answer of root's command in JSON, whatever its exit code.
    #[track_caller]
    fn system_json(&self, line: &str) -> Value {
        let ran = self.root(line);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("no JSON, {error}: {ran}"))
    }

    /// A property of a unit of the machine's manager.
    #[track_caller]
    fn system_property(&self, name: &str) -> String {
        self.root(&format!("systemctl show {UNIT} -p {name} --value")).ok().to_owned()
    }

    /// Has a shell line run as a part of the service, in its sandbox, and returns what it printed.
    #[track_caller]
    fn inside_service(&self, line: &str) -> String {
        let dir = format!("/run/systemd/system/{UNIT}.d");
        let script = format!(
            "mkdir -p {dir}; printf '#!/bin/bash\\n%s\\n' '{line}' >/usr/local/bin/within; chmod 755 /usr/local/bin/within
             printf '[Service]\\nExecStartPre=/bin/sh -c \"exec /usr/local/bin/within >%%S/idlehands-gateway/said 2>&1\"\\n' >{dir}/t.conf
             systemctl daemon-reload; systemctl restart {UNIT}; cat /var/lib/idlehands-gateway/said
             rm -r {dir}; systemctl daemon-reload"
        );
        let ran = self.root(&script);
        ran.ok().to_owned()
    }
}

#[test]
fn an_install_runs_a_second_one_does_nothing_and_an_uninstall_leaves_what_it_says() {
    let machine = Machine::boot();
    let first = machine.system_json("idlehands --system gateway install --json");
    for fact in ["installed", "enabled", "loaded", "running", "ready", "healthy"] {
        assert_eq!(first["service"][fact]["is"], "yes", "{fact}: {first:#}");
    }
    assert_eq!(machine.root("idlehands --system gateway status --require-rpc").code, 0);
    assert_eq!(machine.root("idlehands --system status").code, 0);
    let because = first["service"]["enabled"]["because"].as_str().unwrap();
    assert!(because.contains("multi-user.target wants it"), "{because}");
    let log = machine.root("idlehands --system logs; idlehands --system logs --source file");
    assert_eq!(log.ok().matches("log file: /var/log/idlehands-gateway/gateway.log").count(), 2, "{log}");
    let run = machine.system_property("InvocationID");
    let second = machine.system_json("idlehands --system gateway install --json");
    assert_eq!(
        (&second["result"], machine.system_property("InvocationID")),
        (&"unchanged".into(), run.clone())
    );
    machine.root("idlehands --system gateway restart").ok();
    assert_ne!(machine.system_property("InvocationID"), run);
    // Root reaches the manager also where no bus leads to it.
    let no_bus = "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/none idlehands --system gateway";
    assert_eq!(machine.system_json(&format!("{no_bus} restart --json"))["result"], "restarted");
    assert_eq!(
        machine.system_json(&format!("{no_bus} status --json"))["service"]["manager"]["via"],
        "systemctl"
    );

    let gone = machine.root("idlehands --system gateway uninstall");
    gone.ok();
    assert_eq!(machine.system_property("LoadState"), "not-found");
    assert_eq!(
        machine
            .root("find /etc/systemd /var/lib/idlehands -name '*idlehands*.service*' -o -name record.json")
            .ok(),
        ""
    );
    assert!(gone.stderr.contains("/var/lib/idlehands-gateway"), "{gone}");
    assert_eq!(machine.system_json("idlehands --system gateway uninstall --json")["result"], "unchanged");
}

/// Lifecycle notes B9, E6: the process has its token, and nobody else can see it.
#[test]
fn the_token_reaches_the_process_as_a_credential_and_nothing_else_shows_it() {
    let machine = Machine::boot();
    machine.root("idlehands --system gateway install").ok();
    let token = machine.root(&format!("cat {TOKEN}")).ok().to_owned();
    assert_eq!(token.len(), 43);
    assert_eq!(
        machine
            .root(&format!("stat -c '%U %a' {TOKEN} $(dirname {TOKEN})"))
            .stdout
            .lines()
            .collect::<Vec<_>>(),
        ["root 600", "root 700"]
    );
    let pid = machine.system_property("MainPID");
    let handed = machine.root(&format!(
        "dir=$(tr '\\0' '\\n' </proc/{pid}/environ | sed -n s/^CREDENTIALS_DIRECTORY=//p); cat /proc/{pid}/root$dir/IDLEHANDS_GATEWAY_TOKEN"
    ));
    assert_eq!(handed.ok(), token);
    let everything = format!(
        "systemctl show {UNIT}; systemctl cat {UNIT}; tr '\\0' '\\n' </proc/{pid}/environ; tr '\\0' ' ' </proc/{pid}/cmdline; \
         cat /etc/idlehands-gateway/*.json /var/lib/idlehands/*/* /var/log/idlehands-gateway/*; journalctl -u {UNIT}; \
         idlehands --system gateway status --json; idlehands --system gateway install --json"
    );
    let shown = machine.root(&everything);
    assert!(
        shown.ok().contains("LoadCredential=IDLEHANDS_GATEWAY_TOKEN:/etc/idlehands-gateway/credentials/"),
        "{shown}"
    );
    assert!(!shown.stdout.contains(&token) && !shown.stderr.contains(&token));
    let user = machine.user(&format!("cat {TOKEN} /run/credentials/{UNIT}/IDLEHANDS_GATEWAY_TOKEN"));
    assert_eq!((user.code, user.stdout.as_str()), (1, ""));

    // Further secrets are handed over too, and the configuration refers to them.
    machine.root("printf 'p4ss\\n' >/etc/idlehands-gateway/credentials/DOOR; chmod 600 /etc/idlehands-gateway/credentials/DOOR").ok();
    let refused = machine.root("idlehands --system config set gateway.auth.password '\"p4ss\"'");
    assert_eq!(refused.code, 2, "{refused}");
    machine.root("idlehands --system config set gateway.auth.password '\"${DOOR}\"' && idlehands --system gateway install").ok();
    let unit = machine.root(&format!("cat {FILE}"));
    assert!(unit.ok().contains("LoadCredential=DOOR:/etc/idlehands-gateway/credentials/DOOR"), "{unit}");
    assert_eq!(machine.root("idlehands --system gateway status --require-rpc").code, 0);
}

/// Lifecycle notes A1 rows 15 and 140, B4: what a user may do, what root may, and the way from one to the other.
#[test]
fn who_is_not_root_sees_the_machines_gateway_and_is_told_how_to_change_it() {
    let machine = Machine::boot();
    for verb in ["install", "uninstall"] {
        let refused = machine.user(&format!("idlehands --system gateway {verb}"));
        assert_eq!(refused.code, 5, "{refused}");
        assert!(refused.stderr.contains(&format!("sudo idlehands --system gateway {verb}")), "{refused}");
    }
    for command in ["setup", "config set gateway.port 1"] {
        let refused = machine.user(&format!("idlehands --system {command}"));
        assert_eq!(refused.code, 5, "{refused}");
        assert!(refused.stderr.contains("run this with sudo"), "{refused}");
    }
    assert_eq!(machine.root("ls /etc/idlehands-gateway").code, 2);
    machine.root("idlehands --system gateway install").ok();
    for verb in ["stop", "restart"] {
        let refused = machine.user(&format!("idlehands --system gateway {verb}"));
        assert_eq!(refused.code, 5, "{refused}");
        assert!(refused.stderr.contains("run the same command with sudo"), "{refused}");
    }
    let shown = machine.user("idlehands --system gateway status");
    assert_eq!(shown.code, 9, "{shown}");
    assert!(shown.stdout.contains("Hardening: default"), "{shown}");
    assert!(shown.stderr.contains("sudo idlehands --system gateway status"), "{shown}");
    let status = machine.json("idlehands --system gateway status --json");
    assert_eq!(status["service"]["facts"]["healthy"]["is"], "yes", "{status:#}");
    assert_eq!(status["service"]["scope"], "system");

    // An administrator may let a user do it without sudo.
    let rule = "polkit.addRule(function(action, subject) { if (action.id == \"org.freedesktop.systemd1.manage-units\" && subject.user == \"tester\") { return polkit.Result.YES; } });";
    if machine.root("test -d /etc/polkit-1/rules.d && systemctl start polkit").code == 0 {
        machine.root(&format!("cat >/etc/polkit-1/rules.d/00-test.rules <<'END'\n{rule}\nEND\nchmod 644 /etc/polkit-1/rules.d/00-test.rules; systemctl restart polkit")).ok();
        machine.user("idlehands --system gateway restart").ok();
    }

    let sudo = machine.root("export SUDO_USER=tester HOME=/home/tester; idlehands gateway install");
    assert_eq!(sudo.code, 5, "{sudo}");
    assert!(sudo.stderr.contains("sudo idlehands --system gateway install"), "{sudo}");
    let foreground = machine.root("idlehands --system gateway run");
    assert_eq!(foreground.code, 5, "{foreground}");
}

/// Lifecycle notes B7: one gateway, one owner.
#[test]
fn a_gateway_that_the_other_scope_owns_is_refused_with_the_two_commands_that_move_it() {
    let machine = Machine::boot();
    machine.user("idlehands setup && idlehands gateway install").ok();
    let refused = machine.root("idlehands --system gateway install");
    assert_eq!(refused.code, 7, "{refused}");
    assert!(refused.stderr.contains("is a service of the user tester, too"), "{refused}");
    let disable = format!("sudo systemctl --user --machine=tester@ disable --now {UNIT}");
    assert!(refused.stderr.contains(&disable), "{refused}");
    assert!(refused.stderr.contains("then: sudo idlehands --system gateway install"), "{refused}");
    machine.user(&format!("systemctl --user disable --now {UNIT}")).ok();
    machine.root("idlehands --system gateway install").ok();

    let refused = machine.user("idlehands gateway install");
    assert_eq!(refused.code, 7, "{refused}");
    assert!(refused.stderr.contains(&format!("sudo systemctl disable --now {UNIT}")), "{refused}");
    assert!(refused.stderr.contains("then: idlehands gateway install"), "{refused}");
    machine.root(&format!("systemctl disable --now {UNIT}")).ok();
    machine.user("idlehands gateway install").ok();
}

/// Lifecycle notes A4 rows 80 and 89.
#[test]
fn a_definition_that_cannot_start_is_taken_back_and_two_installs_are_one() {
    let machine = Machine::boot();
    let both = machine.root(
        "idlehands --system gateway install & first=$!; idlehands --system gateway install & second=$!
         wait $first; a=$?; wait $second; echo codes $a $?",
    );
    assert!(both.ok().ends_with("codes 0 0"), "{both}");
    assert_eq!(machine.system_property("ActiveState"), "active");
    let before = machine.root(&format!("cat {FILE}")).ok().to_owned();

    // The service may not listen on a port of root's.
    let failed = machine.system_json("idlehands --system gateway install --port 1 --json");
    assert_eq!(failed["result"], "failed", "{failed:#}");
    assert!(failed["hints"].to_string().contains("the definition before is back, and it runs"), "{failed:#}");
    assert_eq!(machine.root(&format!("cat {FILE}")).ok(), before);
    assert_eq!(machine.root("idlehands --system gateway status --require-rpc").code, 0);
}

/// What only root can make is asked of root, and a service that lacks it is not started again and again.
#[test]
fn without_its_configuration_or_its_secret_it_stays_down_and_says_why() {
    let machine = Machine::boot();
    machine
        .root("idlehands --system gateway install && mv /etc/idlehands-gateway/idlehands.json /tmp/kept")
        .ok();
    let failed = machine.root("idlehands --system gateway restart");
    assert_eq!(failed.code, 78, "{failed}");
    assert_eq!(machine.system_property("NRestarts"), "0");
    let log = machine.root("idlehands --system logs");
    assert!(
        log.ok().contains("there is no configuration, and the machine's gateway cannot make one"),
        "{log}"
    );
    assert!(log.ok().contains("sudo idlehands --system gateway install"), "{log}");
    machine.root(&format!("mv /tmp/kept /etc/idlehands-gateway/idlehands.json; mv {TOKEN} /tmp/token")).ok();
    let failed = machine.root("idlehands --system gateway restart");
    assert!(failed.stderr.contains("its credentials cannot be loaded"), "{failed}");
    machine.root("idlehands --system gateway install").ok();
    assert_eq!(machine.root("idlehands --system gateway status --require-rpc").code, 0);
    assert_ne!(machine.root(&format!("cat {TOKEN}")).ok(), machine.root("cat /tmp/token").ok());
}

#[test]
fn an_account_of_the_administrators_is_used_and_remembered() {
    let machine = Machine::boot();
    machine
        .root(
            "mkdir -p /etc/sysusers.d && echo 'u gw - gateway' >/etc/sysusers.d/gw.conf && systemd-sysusers",
        )
        .ok();
    let refused = machine.root("idlehands --system gateway install --run-as root");
    assert_eq!(refused.code, 2, "{refused}");
    machine.root("idlehands --system gateway install --run-as gw").ok();
    assert_eq!(
        (machine.system_property("User"), machine.system_property("DynamicUser")),
        ("gw".to_owned(), "no".to_owned())
    );
    assert_eq!(machine.root("stat -c %U /var/lib/idlehands-gateway").ok(), "gw");
    let again = machine.system_json("idlehands --system gateway install --json");
    assert_eq!(again["result"], "unchanged", "{again:#}");
    let nobody = machine.system_json("idlehands --system gateway install --run-as no-such --json");
    assert!(nobody["hints"].to_string().contains("the definition before is back"), "{nobody:#}");
}

/// A profile as an instance of the template that packages ship.
#[test]
fn a_template_unit_runs_a_profile() {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/units/package/system/idlehands-gateway@.service");
    let bind = format!("{template}:/usr/lib/systemd/system/idlehands-gateway@.service");
    let machine = Machine::boot_with(&crate::support::Boot { options: &["--bind-ro", &bind] });
    machine.root("ln -s /usr/local/bin/idlehands /usr/bin/idlehands").ok();
    machine.root("idlehands --system --profile work setup && systemctl enable --now idlehands-gateway@work.service").ok();
    assert_eq!(machine.root("idlehands --system --profile work health").code, 0);
    machine.root("test -f /var/lib/idlehands-gateway-work/gateway.lock").ok();
    let refused = machine.user("idlehands --profile work gateway install");
    assert_eq!(refused.code, 7, "{refused}");
    assert!(
        refused.stderr.contains("sudo systemctl disable --now idlehands-gateway@work.service"),
        "{refused}"
    );
}

/// Lifecycle notes E5: what is promised of the sandbox, by the manager's own figures.
#[test]
fn exposure_stays_below_what_is_promised_in_both_scopes() {
    let machine = Machine::boot();
    machine.root("idlehands --system gateway install").ok();
    let exposure = |machine: &Machine, options: &str| {
        let ran =
            machine.root(&format!("systemd-analyze security --no-pager --threshold={options} | tail -1"));
        println!("{}", ran.stdout.trim());
        let gate =
            machine.root(&format!("systemd-analyze security --no-pager --threshold={options} >/dev/null"));
        assert_eq!(gate.code, 0, "{ran}");
    };
    exposure(&machine, &format!("20 {UNIT}"));
    machine.root("idlehands --system gateway install --hardening strict").ok();
    exposure(&machine, &format!("15 {UNIT}"));
    machine.root("idlehands --system gateway uninstall").ok();
    machine.user("idlehands setup && idlehands gateway install").ok();
    for (hardening, threshold) in [("default", 65), ("strict", 63)] {
        machine.user(&format!("idlehands gateway install --hardening {hardening}")).ok();
        exposure(&machine, &format!("{threshold} --offline=true /home/tester/.config/systemd/user/{UNIT}"));
        assert_eq!(machine.user("idlehands gateway status --require-rpc").code, 0, "{hardening}");
    }
}

/// Tools of an agent run in the sandbox; what is shut off is shut off.
#[test]
fn ordinary_tools_run_in_the_sandbox_and_each_choice_is_kept_until_another_is_made() {
    let machine = Machine::boot();
    machine.root("idlehands --system gateway install").ok();
    let tools = "id -un; cd; pwd; echo x >w && cat w; ls /home 2>/dev/null | wc -l; touch /etc/x 2>/dev/null || echo closed; \
                 nice true && perl -e \"print 1+1\"; echo; grep -c . /proc/self/status >/dev/null && echo proc";
    let said = machine.inside_service(tools);
    let expected = ["idlehands-gateway", "/var/lib/idlehands-gateway", "x", "0", "closed", "2"];
    assert_eq!(said.lines().take(6).collect::<Vec<_>>(), expected, "{said}");
    assert!(said.contains("proc"), "{said}");
    // mmap(2) of memory that is writable and executable, as a JIT compiler asks for it.
    let call = if cfg!(target_arch = "aarch64") { 222 } else { 9 };
    let makes_code = format!(
        "perl -e \"print syscall({call}, 0, 4096, 7, 34, -1, 0) == -1 ? \\\"refused\\\" : \\\"made\\\"\""
    );
    let makes_code = makes_code.as_str();
    assert_eq!(machine.inside_service(makes_code), "made");
    machine.root("idlehands --system gateway install --hardening strict").ok();
    assert_eq!(machine.inside_service(makes_code), "refused");
    assert_eq!(machine.system_json("idlehands --system gateway install --json")["result"], "unchanged");
    assert_eq!(machine.system_property("MemoryDenyWriteExecute"), "yes");
    machine.root("idlehands --system gateway install --hardening off").ok();
    assert_eq!(
        (machine.system_property("MemoryDenyWriteExecute"), machine.system_property("DynamicUser")),
        ("no".to_owned(), "yes".to_owned())
    );
    assert_eq!(machine.root("idlehands --system gateway status --require-rpc").code, 0);
}
