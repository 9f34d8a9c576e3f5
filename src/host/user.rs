//! Who this process is, and on whose behalf.

use crate::instance::Env;

/// The user id that counts for permissions.
pub fn id() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The group id that counts for permissions.
pub fn group() -> u32 {
    rustix::process::getegid().as_raw()
}

/// This user's name, for commands that are printed: as the environment has it, else the number, which the same
/// commands take too.
pub fn name(env: &Env) -> String {
    let name = env.text("USER").or_else(|| env.text("LOGNAME"));
    name.map_or_else(|| id().to_string(), str::to_owned)
}

/// The user who became root by sudo(8) or doas(1) for this command.
pub fn behind_root(env: &Env) -> Option<String> {
    if id() != 0 {
        return None;
    }
    let name = env.text("SUDO_USER").or_else(|| env.text("DOAS_USER"))?;
    (name != "root").then(|| name.to_owned())
}
