//! An install over the unit of a package: what is chosen goes into a drop-in of ours, and nothing else of the package's
//! unit is ours to change.

use std::path::Path;

use serde_json::Value;

use crate::support::Machine;
use crate::support::program::set_up;
use crate::support::service::UNIT;

const ADDITION: &str = ".config/systemd/user/idlehands-gateway.service.d/10-install.conf";

/// A machine with the units and the program of a package, by their usual paths.
fn packaged() -> Machine {
    let machine = set_up();
    machine.root("cp /usr/local/bin/idlehands /usr/bin/idlehands").ok();
    for scope in ["user", "system"] {
        // The tree that is booted need not have these files.
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("units/package").join(scope).join(UNIT);
        let text = std::fs::read_to_string(file).unwrap();
        machine.root(&format!("cat >/usr/lib/systemd/{scope}/{UNIT} <<'END'\n{text}END")).ok();
    }
    machine.root("systemctl daemon-reload").ok();
    machine.user("systemctl --user daemon-reload; sed -i 's/gateway: {/gateway: {\\n    reload: { mode: \"off\" },/' .idlehands/idlehands.json").ok();
    machine
}

/// The settings in the drop-in, without marks and comments.
fn settings(machine: &Machine, path: &str) -> Vec<String> {
    let text = machine.user(&format!("cat {path}"));
    let lines = text.stdout.lines().filter(|line| line.contains('=') && !line.starts_with(['#', 'X']));
    lines.map(str::to_owned).collect()
}

fn ids(answer: &Value) -> Vec<String> {
    let findings = answer["findings"].as_array().unwrap().iter();
    let counting = findings.filter(|finding| finding["severity"] != "info");
    counting
        .map(|finding| {
            format!("{} {} {}", finding["id"], finding["key"], finding["severity"]).replace('"', "")
        })
        .collect()
}

fn port_in_use(machine: &Machine) -> u64 {
    let status = machine.status();
    assert_eq!(status["rpc"]["ok"], true, "{status:#}");
    status["gateway"]["port"].as_u64().unwrap()
}

#[test]
fn choices_over_a_packages_unit_are_a_drop_in_that_is_compared_repaired_and_taken_away() {
    let machine = packaged();
    let machine = &machine;
    machine.user("/usr/bin/idlehands gateway install").ok();
    machine.user(&format!("test ! -e {ADDITION} && systemctl --user is-enabled -q {UNIT}")).ok();

    let print = machine.user("idlehands gateway install --port 18800 --print");
    assert!(print.ok().contains("--port 18800") && !print.stdout.contains("WantedBy"), "{print}");
    // Whichever program is asked: the package's runs.
    machine.user("idlehands gateway install --port 18800").ok();
    let command = "ExecStart=/usr/bin/idlehands gateway run --port 18800";
    assert_eq!(settings(machine, ADDITION), ["ExecStart=", command]);
    assert_eq!(port_in_use(machine), 18800);
    for again in ["install", "install --port 18800"] {
        let again = machine.user(&format!("idlehands gateway {again}"));
        assert!(again.ok().starts_with("Nothing to do: "), "{again}");
    }
    let doctor = |flags: &str| machine.json(&format!("idlehands doctor --json {flags}"));
    assert_eq!(ids(&doctor("")), [""; 0], "{:#}", doctor(""));

    for (line, severity, class) in [
        (format!("rm {ADDITION}; systemctl --user daemon-reload"), "error", "fix"),
        (format!("sed -i s/18800/19999/ {ADDITION}; systemctl --user daemon-reload"), "error", "force"),
        (format!(": >{ADDITION}; systemctl --user daemon-reload"), "error", "force"),
    ] {
        machine.user(&line).ok();
        let finding = format!("definition.settings ExecStart {severity}");
        assert!(ids(&doctor("")).contains(&finding), "{line}: {:#}", doctor(""));
        let fixed = doctor("--fix --yes");
        assert_eq!(ids(&fixed).contains(&finding), class == "force", "{line}: {fixed:#}");
        doctor("--fix --yes --force");
        assert_eq!(ids(&doctor("")), [""; 0], "{line}");
        assert_eq!(settings(machine, ADDITION), ["ExecStart=", command], "{line}");
    }

    // What is not said stays, and a choice that cannot work is taken back.
    machine.user("idlehands gateway install --hardening strict").ok();
    assert_eq!(machine.property(UNIT, "MemoryDenyWriteExecute"), "yes");
    assert_eq!(port_in_use(machine), 18800);
    let before = settings(machine, ADDITION);
    let failed = machine.user("idlehands gateway install --port 1");
    assert_ne!(failed.code, 0, "{failed}");
    assert_eq!(settings(machine, ADDITION), before, "{failed}");
    assert_eq!(port_in_use(machine), 18800);
    machine.user("idlehands gateway install --hardening default").ok();
    assert_eq!(settings(machine, ADDITION), ["ExecStart=", command]);
    assert_eq!(ids(&doctor("")), [""; 0], "{:#}", doctor(""));

    machine.drop_in(UNIT, "[Service]\\nNice=5\\n");
    machine.user("idlehands gateway install --port config").ok();
    machine.user(&format!("test ! -e {ADDITION}")).ok();
    machine.user(&format!("printf '[Service]\\nNice=6\\n' >{ADDITION}; systemctl --user daemon-reload")).ok();
    let refused = machine.user("idlehands gateway install --port 18800");
    assert_eq!(refused.code, 7, "{refused}");
    assert_eq!(settings(machine, ADDITION), ["Nice=6"]);
    machine.user(&format!("rm {ADDITION}; idlehands gateway install --port 18800")).ok();
    machine.user("idlehands gateway uninstall").ok();
    let left = machine
        .user("find .config/systemd -type f -o -type l; ls .idlehands/service/record.json 2>/dev/null; true");
    assert_eq!(left.ok(), format!(".config/systemd/user/{UNIT}.d/test.conf"), "{left}");
    assert_eq!(machine.property(UNIT, "ActiveState"), "inactive");
}

#[test]
fn the_machines_own_is_added_to_in_etc() {
    let machine = packaged();
    machine.root("/usr/bin/idlehands --system gateway install --port 18801 --hardening off").ok();
    let show = |name: &str| machine.root(&format!("systemctl show -P {name} {UNIT}")).ok().to_owned();
    for (name, value) in [
        ("ActiveState", "active"),
        ("UnitFileState", "enabled"),
        // What a dynamic user brings along stays.
        ("NoNewPrivileges", "yes"),
        ("ProtectHome", "read-only"),
        ("ProtectClock", "no"),
        ("RestrictNamespaces", "no"),
    ] {
        assert_eq!(show(name), value, "{name}");
    }
    assert_eq!(show("SystemCallFilter").trim_matches('~'), "");
    assert!(show("CapabilityBoundingSet").contains("cap_sys_admin"));
    let status = machine.root("/usr/bin/idlehands --system gateway status --json");
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(
        (&status["rpc"]["ok"], &status["gateway"]["port"]),
        (&true.into(), &18801.into()),
        "{status:#}"
    );
    let doctor = machine.root("/usr/bin/idlehands --system doctor --json");
    let doctor: Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert_eq!(ids(&doctor), [""; 0], "{doctor:#}");
    machine.root("/usr/bin/idlehands --system gateway uninstall").ok();
    assert_eq!(machine.root("find /etc/systemd/system -name '*idlehands*' -not -type d").ok(), "");
    assert_eq!((show("ProtectClock"), show("ProtectHome")), ("yes".to_owned(), "yes".to_owned()));
}
