//! Files that hold secrets: private, and this user's.

use crate::doctor::facts::{Facts, Private};
use crate::doctor::finding::{Action, Class, Finding, Severity};
use crate::host::stat::Kind;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    facts.private.iter().filter_map(|private| judge(facts, private)).collect()
}

fn judge(facts: &Facts, private: &Private) -> Option<Finding> {
    let Private { path, what, stat } = private;
    let stat = match stat {
        Ok(stat) => stat.as_ref()?,
        Err(why) => {
            let summary = format!("{what} could not be looked at: {why}");
            return Some(Finding::new("permissions.unknown", Severity::Warning, summary).at(path, None));
        }
    };
    if stat.owner != facts.user {
        let summary = format!("{what} belongs to user {}, not to you", stat.owner);
        let fix = format!("sudo chown -R $(id -u):$(id -g) {}", path.display());
        return Some(Finding::new("permissions.owner", Severity::Error, summary).at(path, None).hint(fix));
    }
    // A link's own permissions mean nothing.
    if matches!(stat.kind, Kind::Link(_)) || stat.mode & 0o077 == 0 {
        return None;
    }
    let mode = if stat.kind == Kind::Directory { 0o700 } else { 0o600 };
    Some(
        Finding::new(
            "permissions.mode",
            Severity::Warning,
            format!("others can read {what}, which holds secrets"),
        )
        .differs(Some(format!("{mode:04o}")), Some(format!("{:04o}", stat.mode)))
        .at(path, None)
        .repair(Class::Fix, [Action::Mode(path.clone(), mode)]),
    )
}
