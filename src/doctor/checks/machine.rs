//! What the machine allows: room on disk, the clock, and running the program from where it is.

use crate::doctor::facts::{Facts, Program};
use crate::doctor::finding::{Finding, Severity};
use crate::service::platform::ByHand;

/// Bytes below which the next log line may be lost.
const FULL: u64 = 4 * 1024 * 1024;
/// Bytes below which it will soon be.
const TIGHT: u64 = 100 * 1024 * 1024;
/// Files below which the same holds.
const FEW_FILES: u64 = 100;
/// Milliseconds that a file may be from the future: file systems round, and networks lag.
const SKEW: u64 = 5 * 60 * 1000;
/// 2024-01-01: a clock before that was never set.
const SOONEST: u64 = 1_704_067_200_000;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = spaces(facts);
    found.extend(clock(facts));
    if let Some(program) = &facts.program {
        found.extend(runs(facts, program));
    }
    found
}

fn spaces(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for space in &facts.spaces {
        let space = match space {
            Ok(space) => space,
            Err((path, why)) => {
                let summary = format!("how much room is left could not be looked up: {why}");
                found.push(Finding::new("machine.space-unknown", Severity::Warning, summary).at(path, None));
                continue;
            }
        };
        let few_files = space.files.is_some_and(|files| files < FEW_FILES);
        let free = format!("{} MiB free", space.free / (1024 * 1024));
        let finding = match space {
            _ if space.read_only => {
                Finding::new("machine.read-only", Severity::Error, "nothing can be written there")
            }
            _ if space.free < FULL || few_files => {
                Finding::new("machine.full", Severity::Error, "the disk is full")
            }
            _ if space.free < TIGHT => {
                Finding::new("machine.tight", Severity::Warning, "the disk is nearly full")
            }
            _ => continue,
        };
        found.push(finding.differs(None, Some(free)).at(&space.path, None));
    }
    found
}

fn clock(facts: &Facts) -> Option<Finding> {
    let summary = if facts.now_ms < SOONEST {
        "the clock of this machine is not set".to_owned()
    } else if facts.newest_ms > facts.now_ms + SKEW {
        let minutes = (facts.newest_ms - facts.now_ms) / 60_000;
        format!("files of the gateway are {minutes} minutes from the future: the clock was wrong, or is")
    } else {
        return None;
    };
    let observed = &facts.service.observed;
    let look = observed.platform.by_hand(ByHand::Clock, observed.scope, &observed.unit);
    Some(Finding::new("machine.clock", Severity::Warning, summary).hint(format!("See: {look}")))
}

/// Lifecycle notes B11.
fn runs(facts: &Facts, program: &Program) -> Vec<Finding> {
    let mut found = Vec::new();
    let key = facts.service.observed.platform.command_key();
    let tell =
        |id, summary: String| Finding::new(id, Severity::Error, summary).key(key).at(&program.path, None);
    if program.space.as_ref().is_some_and(|space| space.no_exec) {
        found.push(tell(
            "machine.noexec",
            "the program is on a file system from which nothing may be run (noexec)".to_owned(),
        ));
    }
    if let (Some(made_for), Some(own)) = program.architecture
        && made_for != own
    {
        found.push(tell(
            "machine.architecture",
            format!("the program is made for another processor (ELF machine {made_for}, this is {own})"),
        ));
    }
    let home_label =
        program.label.as_ref().filter(|label| label.contains("user_home_t") || label.contains("user_tmp_t"));
    if let Some(label) = home_label {
        let path = program.real.display();
        let finding =
            tell("machine.selinux", "SELinux does not let services run a program with this label".to_owned());
        found.push(
            finding
                .differs(Some("bin_t".to_owned()), Some(label.clone()))
                .hint(format!("sudo chcon -t bin_t {path}")),
        );
    }
    if let Some(why) = program.passing {
        let summary = format!("the program's path may not last: {why}");
        let finding =
            Finding::new("machine.passing", Severity::Info, summary).key(key).at(&program.path, None);
        found.push(
            finding
                .hint(format!("Install from a lasting path: {} gateway install", facts.instance.command())),
        );
    }
    found
}
