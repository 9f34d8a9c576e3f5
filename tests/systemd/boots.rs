//! The machine itself: a real systemd, a real user manager, our binary.

use crate::support::{Boot, Machine};

#[test]
fn a_machine_boots_with_a_user_manager_and_our_binary() {
    let machine = Machine::boot();
    assert_eq!(machine.root("cat /proc/1/comm").ok(), "systemd");
    assert_eq!(machine.user("systemctl --user is-system-running").ok(), "running");
    assert_eq!(machine.user("idlehands --version").ok(), format!("idlehands {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(machine.user("exit 3").code, 3);
}

#[test]
fn a_machine_without_a_user_bus_still_has_a_user_manager() {
    let machine = Machine::boot_with(&Boot { options: &["--no-user-bus"] });
    assert_eq!(machine.user("test -S $XDG_RUNTIME_DIR/bus; echo $?").ok(), "1");
    assert_eq!(machine.user("systemctl --user is-system-running").ok(), "running");
}
