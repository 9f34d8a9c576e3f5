//! What a job of the machine needs that launchd does not give: directories that its account writes to, and secrets that
//! it may read and nobody else.
//!
//! The secrets stay root's, readable for the account's group: what the account could change would be followed by root
//! the next time.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Launchd;
use super::failure::Failure;
use crate::host;
use crate::host::process;
use crate::host::stat::Kind;
use crate::service::error::ServiceError;
use crate::service::place::on_disk;
use crate::service::plan::Provision;

/// An account, by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The user.
    pub user: u32,
    /// Its group.
    pub group: u32,
}

impl Launchd {
    /// Directories that the account writes to.
    pub(super) fn own_directories(&self) -> Vec<PathBuf> {
        let paths = &self.instance.paths;
        let logs = paths.log.parent().unwrap_or(&paths.state_dir);
        vec![paths.state_dir.clone(), logs.to_owned()]
    }

    /// The directory of secrets.
    pub(super) fn secrets(&self) -> Option<&Path> {
        self.instance.paths.credentials.as_deref()
    }
}

/// Looks an account up: in whatever directory service the machine has, which `id` knows.
pub async fn ids_of(account: &str) -> Option<Ids> {
    let ask = async |option: &str| -> Option<u32> {
        let mut command = process::command("id");
        command.args([option, account]);
        let finished = process::run(command, Duration::from_secs(10)).await.ok()?;
        finished.stdout.trim().parse().ok()
    };
    Some(Ids { user: ask("-u").await?, group: ask("-g").await? })
}

/// Makes what is missing, and gives it to the account.
pub async fn provide(provision: &Provision) -> Result<(), ServiceError> {
    let Some(ids) = ids_of(&provision.account).await else {
        return Err(Failure::NoAccount { name: provision.account.clone() }.into());
    };
    for dir in provision.directories.clone() {
        on_disk("give the account", dir, move |dir| own(dir, ids)).await?;
    }
    on_disk("give the account", provision.secrets.clone(), move |dir| let_read(dir, ids)).await
}

/// Whatever of it is not so.
pub fn lacking(directories: &[PathBuf], secrets: &Path, ids: Ids) -> Vec<PathBuf> {
    let stat = |path: &Path| host::stat::at(path).ok().flatten();
    let owned = |path: &Path| stat(path).is_some_and(|stat| stat.owner == ids.user);
    let readable = |path: &Path, bits: u32| {
        stat(path).is_some_and(|stat| stat.group == ids.group && stat.mode & bits == bits)
    };
    let directories = directories.iter().filter(|dir| !owned(dir)).cloned();
    let dir = (!readable(secrets, 0o050)).then(|| secrets.to_owned());
    let files = host::stat::names(secrets).into_iter().filter(|file| !readable(file, 0o040));
    directories.chain(dir).chain(files).collect()
}

/// The directory, for this account alone. What is in it stays whosever it is.
fn own(dir: &Path, ids: Ids) -> io::Result<()> {
    if let Some(parent) = dir.parent() {
        host::fs::public_dir(parent)?;
    }
    host::fs::private_dir(dir)?;
    host::fs::set_mode(dir, 0o700)?;
    lchown(dir, Some(ids.user), Some(ids.group))
}

/// The directory and the files in it: root's, and for this group to read.
fn let_read(dir: &Path, ids: Ids) -> io::Result<()> {
    if host::stat::at(dir)?.is_none() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let give = |path: &Path, mode: u32| {
        lchown(path, Some(0), Some(ids.group))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    };
    // A link would lead to what is not meant.
    if host::stat::at(dir)?.is_some_and(|stat| stat.kind == Kind::Directory) {
        give(dir, 0o750)?;
    }
    for file in host::stat::names(dir) {
        if host::stat::at(&file)?.is_some_and(|stat| stat.kind == Kind::File) {
            give(&file, 0o640)?;
        }
    }
    Ok(())
}
