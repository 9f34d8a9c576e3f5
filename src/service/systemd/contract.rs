//! How much a directive matters: what a supervised gateway cannot do without, what is a matter of taste, and what
//! somebody may have added that a service like this does not survive.
//!
//! Pure. The rules are those of lifecycle notes A3, B5 to B9, E5 and E7.

use std::time::Duration;

use super::directives;
use super::layers::Held;
use super::timespan;
use crate::instance::Brand;
use crate::service::inspection::{Name, Weight};
use crate::service::spec::STOP_MARGIN;
use crate::service::variable::{is_identity, is_secret, variable_harm};

/// What the judgement depends on.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The product.
    pub brand: Brand,
    /// How long the gateway lets running work finish when it stops.
    pub drain: Duration,
    /// Whether it is under a user's manager.
    pub user_scope: bool,
}

/// How much it matters that a directive of ours has this value instead, and what follows from it.
pub fn weigh(terms: &Terms, name: &Name, wanted: &Held, found: Option<&Held>) -> (Weight, &'static str) {
    use Weight::*;
    let value = found.map(Held::words).unwrap_or_default();
    let span = timespan::read(&value);
    let seconds = |seconds| Duration::from_secs(seconds);
    let below = |limit: Duration| span.is_none_or(|usec| Duration::from_micros(usec) < limit);
    let holds_all =
        || found.is_some_and(|found| wanted.meaning.iter().all(|word| found.meaning.contains(word)));
    let unless =
        |fine: bool, weight: Weight, why: &'static str| if fine { (Taste, "") } else { (weight, why) };
    match (name.key.as_str(), name.variable.as_deref()) {
        ("ExecStart", _) => (Identity, "another command runs"),
        ("Environment", Some("PATH")) => unless(value.len() > "PATH=".len(), Contract, "tools are not found"),
        ("Environment", Some(_)) => (Identity, "it would be another gateway: other files, another profile"),
        ("Type", _) => {
            unless(value.starts_with("notify"), Contract, "systemd does not know when it is ready")
        }
        ("NotifyAccess", _) => {
            unless(found.is_none() || value != "none", Contract, "systemd does not hear that it is ready")
        }
        ("Restart", _) => unless(
            matches!(value.as_str(), "always" | "on-failure"),
            Contract,
            "it stays down after a failure",
        ),
        ("RestartSec", _) => {
            unless(!below(seconds(1)) || found.is_none(), Contract, "failures repeat without a pause")
        }
        ("RestartPreventExitStatus", _) => {
            unless(holds_all(), Contract, "it is restarted again and again where only a change can help")
        }
        ("RestartForceExitStatus" | "SuccessExitStatus", _) => {
            unless(holds_all(), Contract, "a restart that it asks for counts as a failure")
        }
        ("KillMode", _) => (Contract, "running work is cut off, or left behind, when it stops"),
        ("WatchdogSec", _) => unless(
            !below(seconds(10)) && span != Some(u64::MAX),
            Contract,
            "a gateway that hangs is not noticed, or one that is busy is killed",
        ),
        ("TimeoutStopSec", _) => unless(
            !below(terms.drain + STOP_MARGIN),
            Contract,
            "it is killed before running work has finished",
        ),
        ("TimeoutStartSec", _) => {
            unless(!below(seconds(30)) || found.is_none(), Contract, "a slow start is taken for a failure")
        }
        ("UMask", _) => {
            let mode = u32::from_str_radix(&value, 8).unwrap_or(0o022);
            unless(mode & 0o077 == 0o077, Contract, "files that it makes can be read by others")
        }
        ("StartLimitBurst" | "StartLimitIntervalSec", _) => {
            unless(found.is_none() || value != "0", Contract, "failed starts repeat for ever")
        }
        (
            "NoNewPrivileges"
            | "LockPersonality"
            | "RestrictRealtime"
            | "RestrictSUIDSGID"
            | "SystemCallArchitectures",
            _,
        ) => unless(found == Some(wanted), Contract, "it is less confined than it should be"),
        ("FileDescriptorStoreMax", _) => unless(
            value.parse::<u32>().is_ok_and(|most| most >= 2),
            Contract,
            "clients are refused while it is restarted",
        ),
        ("OOMPolicy", _) => {
            unless(value == "continue", Contract, "a tool that runs out of memory takes the gateway with it")
        }
        ("SyslogIdentifier", _) => {
            (Contract, "the last lines of a start that fails are not found in the journal")
        }
        ("WantedBy", _) => unless(holds_all(), Contract, "it does not start by itself"),
        (
            "Description" | "TimeoutAbortSec" | "RestartSteps" | "RestartMaxDelaySec" | "WorkingDirectory",
            _,
        ) => (Taste, ""),
        _ => (Contract, "it is not as this release wants it"),
    }
}

/// Why a directive that is none of ours does harm, if it does.
pub fn harm(terms: &Terms, name: &Name, found: &Held) -> Option<(Weight, &'static str)> {
    use Weight::*;
    let value = found.words();
    let on = directives::flag(&value) == Some(true);
    let user = terms.user_scope;
    match (name.key.as_str(), name.variable.as_deref()) {
        ("Environment", Some(variable)) => variable_harm(terms.brand, variable),
        ("User", _) if matches!(value.as_str(), "root" | "0") && !user => {
            Some((Contract, "it runs as root, and nothing holds it back"))
        }
        ("User" | "Group" | "SupplementaryGroups", _) if user => {
            Some((Identity, "a user manager cannot change users: it does not start (216)"))
        }
        ("DynamicUser", _) if user && on => {
            Some((Identity, "a user manager cannot make users: it does not start (217)"))
        }
        ("PrivateDevices" | "ProtectKernelModules" | "ProtectKernelLogs" | "ProtectClock", _)
            if user && on =>
        {
            Some((Identity, "a user manager cannot drop capabilities: it does not start (218)"))
        }
        ("CapabilityBoundingSet", _) if user => {
            Some((Identity, "a user manager cannot drop capabilities: it does not start (218)"))
        }
        ("PrivateNetwork", _) if on => Some((Identity, "no client can reach it")),
        ("RootDirectory" | "RootImage", _) => Some((Identity, "it sees other files")),
        ("KillSignal", _) => (!matches!(value.as_str(), "SIGTERM" | "15"))
            .then_some((Contract, "it does not take this signal for a stop")),
        ("SendSIGKILL", _) if !on => Some((Contract, "a gateway that hangs cannot be stopped")),
        ("RemainAfterExit", _) if on => Some((Contract, "it counts as running when it is not")),
        ("RuntimeMaxSec", _) => {
            (timespan::read(&value) != Some(u64::MAX)).then_some((Contract, "it is stopped after this time"))
        }
        ("StandardOutput" | "StandardError", _) => {
            (value == "null").then_some((Contract, "what it says is lost"))
        }
        ("RefuseManualStart" | "RefuseManualStop", _) if on => {
            Some((Contract, "it can no longer be started or stopped by hand"))
        }
        ("StopWhenUnneeded", _) if on => Some((Contract, "it is stopped as soon as nothing else needs it")),
        ("MemoryDenyWriteExecute", _) if on => {
            Some((Contract, "tools that translate code while they run are killed (node, python)"))
        }
        ("LimitNOFILE", _) => {
            let limit = value.split(':').next().and_then(|text| text.parse::<u64>().ok());
            limit.is_some_and(|limit| limit < 1024).then_some((Contract, "it can hold few clients"))
        }
        ("UnsetEnvironment", _) => {
            let prefix = format!("{}_", terms.brand.env_prefix());
            value
                .split_whitespace()
                .any(|word| word.starts_with(&prefix) && is_identity(terms.brand, word))
                .then_some((Identity, "it would be another gateway: other files, another profile"))
        }
        ("PassEnvironment", _) => {
            value.split_whitespace().any(|word| is_secret(terms.brand, word)).then_some((
                Contract,
                "a secret of the manager's environment reaches it, and everything it starts",
            ))
        }
        _ => None,
    }
}
