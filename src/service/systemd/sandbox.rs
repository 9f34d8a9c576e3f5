//! What shuts a service in: the directives of each scope and each [`Hardening`], as two tables.
//!
//! A user manager cannot do much, and says so rarely: most of what the machine's manager enforces it drops in silence,
//! and some of it makes the start fail (lifecycle notes E5). The table for users has only what was seen to work from
//! systemd 247 to 262. The figure of `systemd-analyze security` for each is held by a test.

use crate::instance::Scope;
use crate::service::hardening::Hardening;

/// A directive, its value, and from which choice on it is there.
type Row = (&'static str, &'static str, Hardening);

use Hardening::{Default, Strict};

/// What a user manager enforces: no privileges to gain, and filters of system calls.
const USER: &[Row] = &[
    ("NoNewPrivileges", "yes", Default),
    ("LockPersonality", "yes", Default),
    ("RestrictRealtime", "yes", Default),
    ("RestrictSUIDSGID", "yes", Default),
    ("RestrictNamespaces", "yes", Default),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK", Default),
    ("MemoryDenyWriteExecute", "yes", Strict),
    ("SystemCallArchitectures", "native", Default),
    // Not @debug, for debuggers and sanitizers are tools; nor @privileged, which ping and rsync use without harm.
    (
        "SystemCallFilter",
        "~@clock @cpu-emulation @module @mount @obsolete @raw-io @reboot @resources @swap",
        Default,
    ),
    ("SystemCallFilter", "~@debug @privileged", Strict),
    // A tool that tries gets an error, and is not killed.
    ("SystemCallErrorNumber", "EPERM", Default),
];

/// What the machine's manager enforces besides.
const SYSTEM: &[Row] = &[
    ("CapabilityBoundingSet", "", Default),
    ("AmbientCapabilities", "", Default),
    ("NoNewPrivileges", "yes", Default),
    ("ProtectSystem", "strict", Default),
    ("ProtectHome", "yes", Default),
    ("PrivateTmp", "yes", Default),
    ("PrivateDevices", "yes", Default),
    ("PrivateUsers", "yes", Strict),
    ("ProtectClock", "yes", Default),
    ("ProtectControlGroups", "yes", Default),
    ("ProtectHostname", "yes", Default),
    ("ProtectKernelLogs", "yes", Default),
    ("ProtectKernelModules", "yes", Default),
    ("ProtectKernelTunables", "yes", Default),
    ("ProtectProc", "invisible", Default),
    ("RemoveIPC", "yes", Default),
    ("KeyringMode", "private", Default),
    ("LockPersonality", "yes", Default),
    ("RestrictRealtime", "yes", Default),
    ("RestrictSUIDSGID", "yes", Default),
    ("RestrictNamespaces", "yes", Default),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK", Default),
    ("MemoryDenyWriteExecute", "yes", Strict),
    ("SystemCallArchitectures", "native", Default),
    ("SystemCallFilter", "@system-service", Default),
    ("SystemCallFilter", "~@privileged @resources", Strict),
    ("SystemCallErrorNumber", "EPERM", Default),
];

/// The directives for a scope and a choice, in the order they are written.
pub fn directives(scope: Scope, hardening: Hardening) -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = match scope {
        Scope::User => USER,
        Scope::System => SYSTEM,
    };
    let applies = move |row: &&Row| match hardening {
        Hardening::Strict => true,
        Hardening::Default => row.2 == Default,
        Hardening::Off => false,
    };
    rows.iter().filter(applies).map(|(key, value, _)| (*key, *value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(scope: Scope, hardening: Hardening) -> Vec<&'static str> {
        directives(scope, hardening).map(|(key, _)| key).collect()
    }

    /// Lifecycle notes E5: these make a user unit fail (216, 217, 218, 226), or do nothing in it.
    #[test]
    fn a_user_unit_has_nothing_that_its_manager_cannot_do() {
        let not = [
            "User",
            "DynamicUser",
            "PrivateDevices",
            "ProtectKernelModules",
            "ProtectKernelLogs",
            "ProtectClock",
            "CapabilityBoundingSet",
            "AmbientCapabilities",
            "ProtectSystem",
            "ProtectHome",
            "PrivateTmp",
            "PrivateUsers",
            "ProtectKernelTunables",
            "ProtectControlGroups",
            "ProtectHostname",
            "ProtectProc",
            "PrivateIPC",
            "PrivateNetwork",
            "IPAddressDeny",
            "TemporaryFileSystem",
            "BindPaths",
        ];
        let found = keys(Scope::User, Hardening::Strict);
        assert!(not.iter().all(|key| !found.contains(key)), "{found:?}");
    }

    #[test]
    fn the_choices_differ_as_they_say() {
        for scope in [Scope::User, Scope::System] {
            assert_eq!(keys(scope, Hardening::Off), [""; 0]);
            let (usual, strict) = (keys(scope, Hardening::Default), keys(scope, Hardening::Strict));
            assert!(usual.iter().all(|key| strict.contains(key)));
            // Programs that make code as they run are ordinary tools: node, java, wasm.
            assert!(!usual.contains(&"MemoryDenyWriteExecute") && strict.contains(&"MemoryDenyWriteExecute"));
        }
    }
}
