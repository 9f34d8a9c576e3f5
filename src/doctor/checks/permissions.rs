//! Files that hold secrets: private, and this user's.

use std::path::Path;

use crate::doctor::exposed::{Exposed, Others};
use crate::doctor::facts::{Facts, Private};
use crate::doctor::finding::{Action, Class, Finding, Severity};
use crate::host::stat::{Kind, Stat};
use crate::service::shell::word;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let private = facts.private.iter().filter_map(|private| judge(facts, private));
    private.chain(facts.exposed.iter().filter_map(|exposed| open(facts, exposed))).collect()
}

/// What others could change decides what runs here.
fn open(facts: &Facts, exposed: &Exposed) -> Option<Finding> {
    let observed = &facts.service.observed;
    let Exposed { path, what, stat, to } = exposed;
    // The definition's own place and permissions are told elsewhere, with what else is wrong with them.
    let own_dir = observed.definition.path.parent();
    let told =
        observed.definition.directory_problem.is_some() && own_dir.is_some_and(|dir| dir.starts_with(path));
    let own = *path == observed.definition.path;
    if told || own && (facts.service.open_to_others.is_some() || observed.definition.foreign_owner.is_some())
    {
        return None;
    }
    let who = match to {
        Others::Everybody => "everybody".to_owned(),
        Others::Group(group) => format!("every member of group {group}"),
        Others::Owner(owner) => format!("user {owner}, whose it is,"),
    };
    let summary = format!("{who} can change {what}, and with it what runs here");
    let closed = stat.mode & !0o022;
    let finding = Finding::new("permissions.exposed", Severity::Error, summary)
        .differs(Some(format!("{closed:04o}")), Some(format!("{:04o}", stat.mode)))
        .at(path, None);
    let shown = path.display();
    Some(match to {
        Others::Owner(_) => finding.hint(format!("Look at it: ls -ld {shown}")),
        _ if stat.owner == facts.user => finding.repair(Class::Fix, [Action::Mode(path.clone(), closed)]),
        _ => finding.hint(format!("sudo chmod go-w {shown}")),
    })
}

/// Whether a file is found to be closed to whom it is for, or to belong to somebody else who closed it.
pub(super) fn is_shut(facts: &Facts, path: &Path) -> bool {
    let private = facts.private.iter().filter(|private| private.path == path);
    let closed = |stat: &Stat, owner: u32| stat.owner != owner || stat.mode & 0o400 == 0;
    private
        .flat_map(|private| Some((private.stat.as_ref().ok()?.as_ref()?, private.owner)))
        .any(|(stat, owner)| closed(stat, owner))
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
            let finding = Finding::new("permissions.unknown", severity, summary).at(path, None);
            let look = || format!("Look as root: sudo {} doctor", facts.instance.command());
            return Some(if may { finding } else { finding.hint(look()) });
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
    if stat.mode & 0o002 != 0 {
        let summary = format!("everybody can change {what}");
        return Some(
            Finding::new("permissions.exposed", Severity::Error, summary)
                .differs(Some(format!("{mode:04o}")), Some(format!("{:04o}", stat.mode)))
                .at(path, None)
                .repair(Class::Fix, [Action::Mode(path.clone(), mode)]),
        );
    }
    let own = if stat.kind == Kind::Directory { 0o700 } else { 0o400 };
    let (severity, summary) = match secret {
        true if stat.mode & own != own => (Severity::Error, format!("the gateway cannot read {what}")),
        true if stat.mode & 0o077 & !mode != 0 => {
            (Severity::Warning, format!("others can read {what}, which holds secrets"))
        }
        false if stat.mode & 0o004 == 0 => (Severity::Warning, format!("the service cannot read {what}")),
        _ => return None,
    };
    Some(
        Finding::new("permissions.mode", severity, summary)
            .differs(Some(format!("{mode:04o}")), Some(format!("{:04o}", stat.mode)))
            .at(path, None)
            .repair(Class::Fix, [Action::Mode(path.clone(), mode)]),
    )
}
