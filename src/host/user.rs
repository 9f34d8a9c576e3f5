//! Who this process is, and on whose behalf.

use std::path::{Path, PathBuf};

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

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// The number.
    pub id: u32,
    /// The home directory.
    pub home: PathBuf,
}

/// The users of the machine with this root directory, as its own database has them (passwd(5)); those of a directory
/// service are not in it. Lines that are none are left out.
pub fn all(root: &Path) -> Vec<User> {
    let text = std::fs::read_to_string(root.join("etc/passwd")).unwrap_or_default();
    let user = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let (name, id, home) =
            (*fields.first()?, fields.get(2)?.parse().ok()?, PathBuf::from(fields.get(5)?));
        Some(User { name: name.to_owned(), id, home })
    };
    text.lines().filter_map(user).collect()
}

/// The user who became root by sudo(8) or doas(1) for this command.
pub fn behind_root(env: &Env) -> Option<String> {
    if id() != 0 {
        return None;
    }
    let name = env.text("SUDO_USER").or_else(|| env.text("DOAS_USER"))?;
    (name != "root").then(|| name.to_owned())
}
