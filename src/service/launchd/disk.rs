//! The definition of a job on disk and what is around it: one look. Nothing here is changed or judged.

use std::path::{Path, PathBuf};

use super::{job, property_list};
use crate::host;
use crate::instance::{Instance, Scope, SystemDirs};
use crate::service::definition::{Found, Marked, standing};
use crate::service::last_failure::{self, LastFailure};
use crate::service::observed::{Definition, OtherOwner};
use crate::service::place::{LIMIT, directory_problem, find_file};
use crate::service::record;

/// What was found on disk.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The definition.
    pub definition: Definition,
    /// The record.
    pub record: record::Found,
    /// Whether the state directory is there.
    pub state_dir_exists: bool,
    /// Why the gateway gave up by itself.
    pub gave_up: Option<LastFailure>,
}

/// Where the definition of an instance is.
pub fn plist_path(instance: &Instance) -> PathBuf {
    instance.paths.job_dir.join(format!("{}.plist", instance.launchd_label()))
}

/// Takes the look.
pub fn inspect_job(instance: &Instance, dirs: &SystemDirs) -> Disk {
    let (paths, label, path) = (&instance.paths, instance.launchd_label(), plist_path(instance));
    let (found, owner) = find_file(&path);
    let (found, marked) = understood(found, &path, instance);
    let record = record::load(&paths.service);
    // A record of another job says nothing about this one.
    let recorded = record.record().filter(|record| record.unit == label && record.path == path);
    let standing = standing(&found, recorded.map(|record| record.text.as_str()), marked);
    Disk {
        definition: Definition {
            found,
            standing,
            foreign_owner: owner.filter(|owner| *owner != host::user::id()),
            directory_problem: directory_problem(&paths.job_dir, (host::user::id(), host::user::group())),
            drop_ins: Vec::new(),
            drop_in_names: Vec::new(),
            addition: None,
            unprovided: Vec::new(),
            other_scope: other_scope(instance, dirs),
            path,
        },
        record,
        state_dir_exists: paths.state_dir.exists(),
        gave_up: last_failure::noted(&paths.last_words),
    }
}

/// A property list may be binary; as XML it is the same. What is none is told as such.
fn understood(found: Found, path: &Path, instance: &Instance) -> (Found, Marked) {
    let values = match &found {
        Found::File(text) => property_list::read(text.as_bytes()),
        Found::Unreadable(why) => match host::fs::read_bytes(path, LIMIT) {
            Ok(Some(bytes)) => property_list::read(&bytes),
            _ => Err(why.clone()),
        },
        Found::Missing | Found::Link { .. } => return (found, Marked::No),
    };
    match values {
        Err(why) => (Found::Unreadable(why), Marked::No),
        Ok(values) => {
            let marked = job::mark_of(&values, instance.brand);
            let text = match found {
                Found::File(text) => text,
                _ => property_list::to_xml(&values),
            };
            (Found::File(text), marked)
        }
    }
}

/// A job of the same label in the other scope: the machine's for a user's; for the machine's one that is every user's, or
/// that of some user whose home can be looked into.
fn other_scope(instance: &Instance, dirs: &SystemDirs) -> Option<OtherOwner> {
    let label = instance.launchd_label();
    let file = format!("{label}.plist");
    let there = |path: PathBuf, user: Option<String>| {
        path.symlink_metadata().is_ok().then(|| OtherOwner { unit: label.clone(), path, user })
    };
    if instance.scope == Scope::User {
        return there(dirs.jobs.join(&file), None);
    }
    let homes = host::stat::names(&dirs.homes).into_iter();
    let users = homes.filter_map(|home| {
        let user = home.file_name()?.to_str()?.to_owned();
        there(home.join("Library/LaunchAgents").join(&file), Some(user))
    });
    there(dirs.agents.join(&file), None).into_iter().chain(users).next()
}
