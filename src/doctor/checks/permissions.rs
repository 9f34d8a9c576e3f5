//! Files that hold secrets: private, and this user's.

use crate::doctor::facts::{Facts, Private};
use crate::doctor::finding::{Action, Class, Finding, Severity};
use crate::host::stat::Kind;
use crate::service::shell::word;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    facts.private.iter().filter_map(|private| judge(facts, private)).collect()
}

fn judge(facts: &Facts, private: &Private) -> Option<Finding> {
    let Private { path, what, owner, secret, group, stat } = private;
    let stat = match stat {
        Ok(stat) => stat.as_ref()?,
        Err(why) => {
            // Whoever may not write there usually may not look either.
            let may = facts.service.observed.may_write;
            let severity = if may { Severity::Warning } else { Severity::Info };
            let summary = format!("{what} could not be looked at: {why}");
            return Some(Finding::new("permissions.unknown", severity, summary).at(path, None));
        }
    };
    if stat.owner != *owner {
        let summary = format!("{what} belongs to user {}, not to user {owner}", stat.owner);
        let fix = format!("sudo chown -R {owner} {}", word(path));
        return Some(Finding::new("permissions.owner", Severity::Error, summary).at(path, None).hint(fix));
    }
    // A link's own permissions mean nothing.
    if matches!(stat.kind, Kind::Link(_)) {
        return None;
    }
    let shared = group.is_some_and(|group| group == stat.group);
    let mode = match (stat.kind == Kind::Directory, secret) {
        (true, true) if shared => 0o750,
        (true, true) => 0o700,
        (false, true) => 0o600,
        (true, false) => 0o755,
        (false, false) => 0o644,
    };
    let summary = match secret {
        true if stat.mode & 0o077 & !mode != 0 => format!("others can read {what}, which holds secrets"),
        false if stat.mode & 0o004 == 0 => format!("the service cannot read {what}"),
        _ => return None,
    };
    Some(
        Finding::new("permissions.mode", Severity::Warning, summary)
            .differs(Some(format!("{mode:04o}")), Some(format!("{:04o}", stat.mode)))
            .at(path, None)
            .repair(Class::Fix, [Action::Mode(path.clone(), mode)]),
    )
}
