//! Where this user's files go on this platform.

use std::path::{Path, PathBuf};

use crate::instance::{BaseDirs, Env, SystemDirs};

/// No home directory can be found for this user.
#[derive(Debug, thiserror::Error)]
#[error("cannot find your home directory: HOME is not set and the user database has none; set HOME")]
pub struct NoHome;

/// Finds this user's directories.
pub fn find(env: &Env) -> Result<BaseDirs, NoHome> {
    let base = directories::BaseDirs::new().ok_or(NoHome)?;
    let current = std::env::current_dir().unwrap_or_else(|_| base.home_dir().to_owned());
    // A relative HOME would be somewhere else for the service.
    let home = current.join(base.home_dir());
    Ok(BaseDirs {
        // systemd reads units from XDG_CONFIG_HOME; on macOS nothing is read from there.
        config_home: config_home(env, &home),
        home,
        runtime: runtime(env),
        current,
        system: SystemDirs::under("/"),
    })
}

fn config_home(env: &Env, home: &Path) -> PathBuf {
    let chosen = env.os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    chosen.unwrap_or_else(|| home.join(".config"))
}

/// `$XDG_RUNTIME_DIR`, else `/run/user/UID` where it exists (a shell without a login session has no variable),
/// else a directory of this user below the temporary one.
fn runtime(env: &Env) -> PathBuf {
    let uid = rustix::process::getuid().as_raw();
    let chosen = env.os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    chosen.unwrap_or_else(|| {
        let usual = PathBuf::from(format!("/run/user/{uid}"));
        if usual.is_dir() { usual } else { std::env::temp_dir().join(format!("gateway-{uid}")) }
    })
}
