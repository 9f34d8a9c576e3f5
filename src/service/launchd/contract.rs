//! How much a key of a job matters: what a supervised gateway cannot do without, what is a matter of taste, and what
//! somebody may have added that a service like this does not survive.
//!
//! Pure. The rules are those of lifecycle notes A3 (rows 67 to 76), B2, B5, B6 and B9, and of launchd.plist(5).

use std::time::Duration;

use super::meaning::{Setting, VARIABLES};
use crate::instance::Brand;
use crate::service::inspection::{Name, Weight};
use crate::service::spec::STOP_MARGIN;
use crate::service::variable::variable_harm;

/// What the judgement depends on.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The product.
    pub brand: Brand,
    /// How long the gateway lets running work finish when it stops.
    pub drain: Duration,
    /// Whether it is a job of the machine.
    pub system: bool,
}

/// How much it matters that a key of ours has this value instead, and what follows from it.
pub fn weigh(terms: &Terms, name: &Name, found: Option<&Setting>) -> (Weight, &'static str) {
    use Weight::*;
    let meaning = found.and_then(|found| found.meaning.as_deref());
    let number = || meaning.and_then(|meaning| meaning.parse::<u64>().ok());
    let unless =
        |fine: bool, weight: Weight, why: &'static str| if fine { (Taste, "") } else { (weight, why) };
    match (name.key.as_str(), name.variable.as_deref()) {
        ("Label", _) => (Identity, "launchd knows it under another name, or not at all"),
        ("ProgramArguments", _) => (Identity, "another command runs"),
        (VARIABLES, Some("PATH")) => {
            unless(meaning.is_some_and(|path| !path.is_empty()), Contract, "tools are not found")
        }
        (VARIABLES, _) => (Identity, "it would be another gateway: other files, another profile"),
        ("KeepAlive", _) => match meaning {
            Some("true") => (Contract, "it is started again and again where only a change can help"),
            Some(meaning) if meaning.split(' ').any(|one| one == "SuccessfulExit=false") => (Taste, ""),
            _ => (Contract, "it stays down after a failure"),
        },
        ("RunAtLoad", _) => (Contract, "it does not start when it is loaded"),
        ("ThrottleInterval", _) => {
            unless(number().is_some_and(|pause| pause >= 5), Contract, "failures repeat without a pause")
        }
        ("ExitTimeOut", _) => unless(
            // launchd.plist(5): 0 stands for no limit.
            number().is_some_and(|limit| limit == 0 || limit >= (terms.drain + STOP_MARGIN).as_secs()),
            Contract,
            "it is killed before running work has finished",
        ),
        ("ProcessType", _) => unless(
            meaning.is_some_and(|kind| PROCESS_TYPES.contains(&kind)),
            Contract,
            "launchd knows no such type, and takes the usual one",
        ),
        ("Umask", _) => unless(
            meaning
                .and_then(|mode| u32::from_str_radix(mode, 8).ok())
                .is_some_and(|mode| mode & 0o077 == 0o077),
            Contract,
            "files that it makes can be read by others",
        ),
        ("StandardOutPath" | "StandardErrorPath", _) => unless(
            meaning.is_some_and(|path| path != "/dev/null"),
            Contract,
            "what it says when it dies is lost",
        ),
        ("SoftResourceLimits", _) => {
            unless(limit_of(meaning, "NumberOfFiles") >= Some(1024), Contract, "it can hold few clients")
        }
        ("LimitLoadToSessionType", _) => unless(
            meaning.is_some_and(|types| types.split(' ').any(|one| one == "Background")),
            Identity,
            "launchd does not load it into a session without a screen",
        ),
        ("UserName", _) => (Identity, "it runs as somebody else, whose files are others"),
        ("WorkingDirectory" | "StandardInPath", _) => (Taste, ""),
        _ => (Contract, "it is not as this release wants it"),
    }
}

/// launchd.plist(5).
const PROCESS_TYPES: [&str; 4] = ["Background", "Standard", "Adaptive", "Interactive"];

fn limit_of(meaning: Option<&str>, name: &str) -> Option<u64> {
    let limits = meaning?.split(' ');
    limits.filter_map(|limit| limit.split_once('=')).find(|(own, _)| *own == name)?.1.parse().ok()
}

/// Why a key that is none of ours does harm, if it does. `program` is the one that the arguments name.
pub fn added_harm(
    terms: &Terms,
    name: &Name,
    found: &Setting,
    program: Option<&str>,
) -> Option<(Weight, &'static str)> {
    use Weight::*;
    let meaning = found.meaning.as_deref();
    let on = meaning == Some("true");
    match (name.key.as_str(), name.variable.as_deref()) {
        (VARIABLES, Some(variable)) => variable_harm(terms.brand, variable),
        ("Disabled", _) if on => Some((Contract, "launchd does not load it by itself")),
        ("Program", _) => {
            (meaning != program).then_some((Identity, "another program runs than the arguments name"))
        }
        ("OnDemand", _) => Some((Contract, "it says the same as KeepAlive, and launchd takes one of them")),
        ("LimitLoadToSessionType", _) if terms.system => None,
        ("LimitLoadToSessionType", _) => meaning
            .is_none_or(|types| !types.split(' ').any(|one| one == "Aqua"))
            .then_some((Identity, "launchd does not load it into the session at the screen")),
        ("LaunchOnlyOnce", _) if on => Some((Contract, "it is never started a second time")),
        ("AbandonProcessGroup", _) if on => Some((Contract, "what it started is left behind when it stops")),
        ("EnablePressuredExit", _) if on => {
            Some((Contract, "it may be ended whenever memory is short, whatever it is doing"))
        }
        ("WaitForDebugger", _) if on => Some((Identity, "it waits for a debugger before it does anything")),
        ("RootDirectory", _) => Some((Identity, "it sees other files")),
        ("inetdCompatibility", _) => Some((Identity, "launchd starts one for each connection")),
        (
            "Sockets"
            | "MachServices"
            | "LaunchEvents"
            | "StartInterval"
            | "StartCalendarInterval"
            | "WatchPaths"
            | "QueueDirectories",
            _,
        ) => Some((Contract, "launchd starts it again although it gave up for want of a change")),
        ("StartOnMount", _) if on => {
            Some((Contract, "launchd starts it again although it gave up for want of a change"))
        }
        ("UserName", _) if terms.system && meaning == Some("root") => {
            Some((Contract, "it runs as root, and nothing holds it back"))
        }
        ("HardResourceLimits", _) => {
            let files = limit_of(meaning, "NumberOfFiles");
            files.is_some_and(|files| files < 1024).then_some((Contract, "it can hold few clients"))
        }
        _ => None,
    }
}

/// Why launchd takes no notice of a key, if it does not.
pub fn ignored_key(terms: &Terms, key: &str) -> Option<&'static str> {
    match key {
        "UserName" | "GroupName" | "InitGroups" if !terms.system => {
            Some("a user's job always runs as that user")
        }
        "LimitLoadToHosts" | "LimitLoadFromHosts" | "ServiceIPC" | "Sandbox" => {
            Some("launchd no longer knows it")
        }
        _ => None,
    }
}

/// Keys of launchd.plist(5) that a mistyped one may be meant to be, beyond those that we set.
pub const KNOWN: [&str; 31] = [
    "AbandonProcessGroup",
    "AssociatedBundleIdentifiers",
    "Comment",
    "Disabled",
    "EnableGlobbing",
    "EnablePressuredExit",
    "EnableTransactions",
    "GroupName",
    "HardResourceLimits",
    "InitGroups",
    "LaunchEvents",
    "LaunchOnlyOnce",
    "LegacyTimers",
    "LimitLoadToSessionType",
    "LowPriorityBackgroundIO",
    "LowPriorityIO",
    "MachServices",
    "MaterializeDatalessFiles",
    "Nice",
    "OnDemand",
    "Program",
    "QueueDirectories",
    "RootDirectory",
    "SessionCreate",
    "Sockets",
    "StartCalendarInterval",
    "StartInterval",
    "StartOnMount",
    "TimeOut",
    "UserName",
    "WatchPaths",
];
