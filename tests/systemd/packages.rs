//! The packages, installed, upgraded and removed for real: what the runbooks say works without `gateway install`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::json;

use crate::support::Machine;
use crate::support::service::UNIT;

/// A release of the program under test, as a .deb and as an .rpm.
struct Release {
    deb: PathBuf,
    rpm: PathBuf,
}

/// Three releases, one after the other.
static RELEASES: LazyLock<[Release; 3]> = LazyLock::new(|| ["0.9.0", "0.9.1", "0.9.2"].map(release));

fn release(version: &str) -> Release {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = Command::new(root.join("scripts/package"))
        .args(["--bin", env!("CARGO_BIN_EXE_idlehands"), "--version", version, "deb", "rpm"])
        .output()
        .expect("scripts/package runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let paths = String::from_utf8(made.stdout).unwrap();
    let file = |suffix: &str| root.join(paths.lines().find(|path| path.ends_with(suffix)).unwrap());
    Release { deb: file(".deb"), rpm: file(".rpm") }
}

/// How packages of a format are handled.
#[derive(Clone, Copy)]
enum Format {
    Deb,
    Rpm,
}

impl Format {
    /// Installs or upgrades to a release.
    fn install(self, machine: &Machine, release: usize) {
        let release = &RELEASES[release];
        machine
            .root(&match self {
                Self::Deb => format!("dpkg -i {}", release.deb.display()),
                // The C library is not in the database of rpm here, and Debian's rpm asks whether this is Debian.
                Self::Rpm => format!("rpm --force-debian --nodeps -U {}", release.rpm.display()),
            })
            .ok();
    }

    fn remove(self, machine: &Machine) {
        machine
            .root(match self {
                Self::Deb => "dpkg -P idlehands",
                Self::Rpm => "rpm --force-debian -e idlehands",
            })
            .ok();
    }
}

/// A machine with the first release installed.
fn installed(format: Format) -> Machine {
    let machine = Machine::boot();
    // Images for containers forbid packages to restart services (invoke-rc.d(8)); a machine does not.
    machine.root("rm -f /usr/sbin/policy-rc.d").ok();
    format.install(&machine, 0);
    machine
}

const IDLEHANDS: &str = "/usr/bin/idlehands";

#[test]
fn a_user_enables_the_units_of_the_deb_and_an_upgrade_restarts_what_ran() {
    a_user_enables_the_units(Format::Deb);
}

#[test]
fn a_user_enables_the_units_of_the_rpm_and_an_upgrade_restarts_what_ran() {
    a_user_enables_the_units(Format::Rpm);
}

/// Runbooks, "Linux (systemd user)": the unit of the package is enabled as it is.
fn a_user_enables_the_units(format: Format) {
    let machine = installed(format);
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
    assert_eq!(special.code, 0, "{special}");
    machine.user("test ! -e .config/systemd/user/idlehands-gateway.service").ok();

    let before = machine.pid(UNIT);
    format.install(&machine, 1);
    machine
        .user(&format!(
            "for _ in $(seq 300); do [ $(systemctl --user show -P MainPID {UNIT}) != {before} ] && \
         systemctl --user -q is-active {UNIT} && exit 0; sleep 0.1; done; exit 1"
        ))
        .ok();

    machine.user(&format!("systemctl --user stop {UNIT}")).ok();
    format.install(&machine, 2);
    assert_eq!(machine.property(UNIT, "ActiveState"), "inactive", "what was stopped stays down");

    machine.user(&format!("systemctl --user start {UNIT}")).ok();
    format.remove(&machine);
    assert_eq!(machine.property(UNIT, "ActiveState"), "inactive");
    assert_eq!(machine.property(UNIT, "LoadState"), "not-found");
    machine.user("test ! -e /usr/bin/idlehands && test -e .idlehands/idlehands.json").ok();
}

#[test]
fn the_machines_own_service_of_the_deb_is_enabled_as_it_is_and_a_purge_leaves_nothing_of_it() {
    let machine = the_machines_own_service(Format::Deb);
    let left = "find /etc /var/lib /var/log /usr -name '*idlehands*' -not -path '/usr/local/*' -not -path '/var/lib/dpkg/*'";
    assert_eq!(machine.root(left).ok(), "");
}

#[test]
fn the_machines_own_service_of_the_rpm_is_enabled_as_it_is_and_its_state_outlives_the_package() {
    let machine = the_machines_own_service(Format::Rpm);
    let left = "find /etc/systemd /usr -name '*idlehands*' -not -path '/usr/local/*'";
    assert_eq!(machine.root(left).ok(), "");
    machine.root("test -e /etc/idlehands-gateway/idlehands.json && test -d /var/lib/idlehands-gateway").ok();
}

/// Runbooks, "Linux (system service)": from the first start to the removal of the package.
fn the_machines_own_service(format: Format) -> Machine {
    let machine = installed(format);
    machine.root(&format!("systemctl daemon-reload && systemctl enable --now {UNIT}")).ok();
    let status = machine.root(&format!("{IDLEHANDS} --system gateway status"));
    for line in ["Runtime: running", "RPC probe: ok"] {
        assert!(status.ok().lines().any(|said| said == line), "{line}: {status}");
    }
    let before = of(&machine, UNIT, "MainPID");
    // A profile is an instance of the template, with a configuration of its own.
    let second = "idlehands-gateway@rescue.service";
    machine.root(&format!("{IDLEHANDS} --system --profile rescue setup")).ok();
    machine.root(&format!("systemctl enable --now {second}")).ok();
    assert_eq!(of(&machine, second, "ActiveState"), "active");

    format.install(&machine, 1);
    for unit in [UNIT, second] {
        assert_eq!(of(&machine, unit, "ActiveState"), "active", "{unit}");
    }
    assert_ne!(of(&machine, UNIT, "MainPID"), before);

    format.remove(&machine);
    for unit in [UNIT, second] {
        assert_eq!(of(&machine, unit, "ActiveState"), "inactive", "{unit}");
    }
    machine
}

/// A property of a unit of the machine.
fn of(machine: &Machine, unit: &str, name: &str) -> String {
    machine.root(&format!("systemctl show -P {name} {unit}")).ok().to_owned()
}

#[test]
fn gateways_that_the_deb_did_not_make_are_left_alone() {
    gateways_of_others(Format::Deb);
}

#[test]
fn gateways_that_the_rpm_did_not_make_are_left_alone() {
    gateways_of_others(Format::Rpm);
}

/// Neither an upgrade nor a removal touches what runs another program, or what `gateway install` made; a user who
/// enabled the package's unit is served like any other.
fn gateways_of_others(format: Format) {
    let machine = installed(format);
    let own = "/usr/local/bin/idlehands";
    machine.root(&format!("{own} --system --profile own gateway install --port 19810")).ok();
    machine.user(&format!("{own} --profile mine gateway install --port 19811")).ok();
    let (theirs, mine) = ("idlehands-gateway-own.service", "idlehands-gateway-mine.service");
    let pids = || (of(&machine, theirs, "MainPID"), machine.pid(mine));
    let before = pids();
    assert_ne!(before.0, "0");

    machine.root("useradd --create-home other && loginctl enable-linger other").ok();
    let other = |line: &str| machine.root(&format!("systemctl --user --machine=other@ {line}"));
    machine
        .root("su -c '/usr/bin/idlehands setup && /usr/bin/idlehands config set gateway.port 19812' other")
        .ok();
    machine
        .root("for _ in $(seq 100); do systemctl --user --machine=other@ -q is-active default.target && exit 0; sleep 0.1; done; exit 1")
        .ok();
    other(&format!("enable --now {UNIT}")).ok();
    let others = other(&format!("show -P MainPID {UNIT}")).ok().to_owned();
    assert_ne!(others, "0");

    format.install(&machine, 1);
    machine
        .root(&format!(
            "for _ in $(seq 300); do [ \"$(systemctl --user --machine=other@ show -P MainPID {UNIT})\" != {others} ] && exit 0; \
             sleep 0.1; done; exit 1"
        ))
        .ok();
    assert_eq!(pids(), before, "they run another program, which is as it was");

    format.remove(&machine);
    assert_eq!(pids(), before);
    assert_eq!(other(&format!("is-active {UNIT}")).stdout, "inactive\n");
    machine.root("test -e ~other/.idlehands/idlehands.json").ok();
    let kept = "test -e /etc/systemd/system/idlehands-gateway-own.service && test -e /etc/idlehands-gateway-own/idlehands.json \
        && test -d /var/lib/idlehands-gateway-own && test -d /var/lib/idlehands/idlehands-gateway-own";
    machine.root(kept).ok();
    machine.root(&format!("{own} --system --profile own gateway uninstall")).ok();
}

#[test]
fn manual_pages_render_and_completions_load_in_every_shell() {
    let machine = installed(Format::Deb);
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
