//! The Debian package, installed, upgraded and purged for real: what the runbooks say works without `gateway install`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::json;

use crate::support::Machine;
use crate::support::service::UNIT;

/// Two releases of the package with the program under test in them.
static PACKAGES: LazyLock<[PathBuf; 2]> = LazyLock::new(|| ["0.9.0", "0.9.1"].map(package));

fn package(version: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = Command::new(root.join("scripts/package"))
        .args(["--bin", env!("CARGO_BIN_EXE_idlehands"), "--version", version, "deb"])
        .output()
        .expect("scripts/package runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    root.join(String::from_utf8_lossy(&made.stdout).trim())
}

/// A machine with the first release installed.
fn installed() -> Machine {
    let machine = Machine::boot();
    // Images for containers forbid packages to restart services (invoke-rc.d(8)); a machine does not.
    machine.root("rm -f /usr/sbin/policy-rc.d").ok();
    machine.root(&format!("dpkg -i {}", PACKAGES[0].display())).ok();
    machine
}

const IDLEHANDS: &str = "/usr/bin/idlehands";

/// Runbooks, "Linux (systemd user)": the unit of the package is enabled as it is.
#[test]
fn a_user_enables_the_units_of_the_package_and_an_upgrade_restarts_what_ran() {
    let machine = installed();
    assert_eq!(machine.property(UNIT, "ActiveState"), "inactive", "an installation starts nothing");
    machine.user(&format!("systemctl --user enable --now {UNIT}")).ok();
    let status = machine.user(&format!("{IDLEHANDS} gateway status"));
    for line in ["Runtime: running", "RPC probe: ok"] {
        assert!(status.ok().lines().any(|said| said == line), "{line}: {status}");
    }
    assert_eq!(machine.property(UNIT, "FragmentPath"), format!("/usr/lib/systemd/user/{UNIT}"));

    // An install uses it as it is, and what the operator wants otherwise goes into a drop-in.
    let again = machine.user(&format!("{IDLEHANDS} gateway install"));
    assert!(again.ok().starts_with("Nothing to do: "), "{again}");
    let special = machine.user(&format!("{IDLEHANDS} gateway install --port 18800"));
    assert_eq!(special.code, 7, "{special}");
    assert!(special.stderr.contains("/usr/lib/systemd/user/"), "{special}");
    machine.user("test ! -e .config/systemd/user/idlehands-gateway.service").ok();

    let before = machine.pid(UNIT);
    machine.root(&format!("dpkg -i {}", PACKAGES[1].display())).ok();
    machine
        .user(&format!(
            "for _ in $(seq 300); do [ $(systemctl --user show -P MainPID {UNIT}) != {before} ] && \
         systemctl --user -q is-active {UNIT} && exit 0; sleep 0.1; done; exit 1"
        ))
        .ok();

    machine.user(&format!("systemctl --user stop {UNIT}")).ok();
    machine.root(&format!("dpkg -i {}", PACKAGES[1].display())).ok();
    assert_eq!(machine.property(UNIT, "ActiveState"), "inactive", "what was stopped stays down");

    machine.user(&format!("systemctl --user start {UNIT}")).ok();
    machine.root("dpkg -P idlehands").ok();
    assert_eq!(machine.property(UNIT, "ActiveState"), "inactive");
    assert_eq!(machine.property(UNIT, "LoadState"), "not-found");
    machine.user("test ! -e /usr/bin/idlehands && test -e .idlehands/idlehands.json").ok();
}

/// Runbooks, "Linux (system service)".
#[test]
fn the_machines_own_service_is_enabled_as_it_is_and_a_purge_leaves_nothing_of_it() {
    let machine = installed();
    machine.root(&format!("systemctl daemon-reload && systemctl enable --now {UNIT}")).ok();
    let status = machine.root(&format!("{IDLEHANDS} --system gateway status"));
    for line in ["Runtime: running", "RPC probe: ok"] {
        assert!(status.ok().lines().any(|said| said == line), "{line}: {status}");
    }
    let of =
        |unit: &str, name: &str| machine.root(&format!("systemctl show -P {name} {unit}")).ok().to_owned();
    let before = of(UNIT, "MainPID");
    // A profile is an instance of the template, with a configuration of its own.
    let second = "idlehands-gateway@rescue.service";
    machine.root(&format!("{IDLEHANDS} --system --profile rescue setup")).ok();
    machine.root(&format!("systemctl enable --now {second}")).ok();
    assert_eq!(of(second, "ActiveState"), "active");

    machine.root(&format!("dpkg -i {}", PACKAGES[1].display())).ok();
    for unit in [UNIT, second] {
        assert_eq!(of(unit, "ActiveState"), "active", "{unit}");
    }
    assert_ne!(of(UNIT, "MainPID"), before);

    machine.root("dpkg -P idlehands").ok();
    for unit in [UNIT, second] {
        assert_eq!(of(unit, "ActiveState"), "inactive", "{unit}");
    }
    let left = "find /etc /var/lib /var/log /usr -name '*idlehands*' -not -path '/usr/local/*' -not -path '/var/lib/dpkg/*'";
    assert_eq!(machine.root(left).ok(), "");
}

#[test]
fn manual_pages_render_and_completions_load_in_every_shell() {
    let machine = installed();
    let pages = machine.root("dpkg -L idlehands | grep -c /man1/").ok().parse::<u32>().unwrap();
    assert!(pages > 30, "{pages}");
    let warnings = machine
        .root("for page in $(dpkg -L idlehands | grep /man1/.); do man --warnings -l $page >/dev/null; done");
    assert_eq!((warnings.code, warnings.stderr.as_str()), (0, ""));
    let shells = json!({
        "bash --norc": "source /usr/share/bash-completion/completions/idlehands; COMP_WORDS=(idlehands gateway sta); COMP_CWORD=2; \
                 _idlehands idlehands sta gateway; echo ${COMPREPLY[@]}",
        "fish --no-config": "source /usr/share/fish/vendor_completions.d/idlehands.fish; complete -C 'idlehands gateway sta' | cut -f1 | tr '\\n' ' '",
    });
    for (shell, script) in shells.as_object().unwrap() {
        let script = script.as_str().unwrap();
        let ran = machine.root(&format!("{shell} <<'END'\n{script}\nEND"));
        let mut words: Vec<&str> = ran.ok().split_whitespace().collect();
        words.sort_unstable();
        assert_eq!(words, ["start", "status"], "{ran}");
    }
    let zsh = "autoload -Uz compinit && compinit -u -d /tmp/zcompdump && print $_comps[idlehands] && autoload +X _idlehands";
    let zsh = machine.root(&format!("zsh -f <<'END'\n{zsh}\nEND"));
    assert_eq!(zsh.ok(), "_idlehands", "{zsh}");
    assert_eq!(zsh.stderr, "");
}
