//! What others could change: the definition, the program and the directories that lead to them. Whoever may write there
//! decides what runs under this account.

use std::path::{Path, PathBuf};

use crate::host;
use crate::host::stat::{Kind, Stat};

/// Groups below this are the system's own, and their members administrators.
const FIRST_USER: u32 = 1000;
/// What owners without a name in this container look like (user_namespaces(7)).
const NOBODY: u32 = 65534;

/// Something that others could change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The path.
    pub path: PathBuf,
    /// What it is for people.
    pub what: &'static str,
    /// What is there.
    pub stat: Stat,
    /// Who could.
    pub to: Others,
}

/// Who could change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Everybody.
    Everybody,
    /// A group that is not this user's own.
    Group(u32),
    /// Another user, whose it is.
    Owner(u32),
}

/// Looks at a file and at every directory that leads to it.
pub fn along(path: &Path, what: &'static str, way: &'static str) -> Vec<Exposed> {
    let own = judged(path, what);
    let dirs = path.ancestors().skip(1).filter_map(|dir| judged(dir, way));
    own.into_iter().chain(dirs).collect()
}

/// Looks at one file or directory; what is not there exposes nothing.
pub fn judged(path: &Path, what: &'static str) -> Option<Exposed> {
    let stat = host::stat::at(path).ok().flatten()?;
    let to = others(&stat, host::user::id(), host::user::group())?;
    Some(Exposed { path: path.to_owned(), what, stat, to })
}

fn others(stat: &Stat, user: u32, group: u32) -> Option<Others> {
    let sticky = stat.kind == Kind::Directory && stat.mode & 0o1000 != 0;
    match stat {
        // A link's own permissions mean nothing.
        Stat { kind: Kind::Link(_), .. } => None,
        Stat { owner, .. } if ![0, user, NOBODY].contains(owner) => Some(Others::Owner(*owner)),
        // There everybody may add, and nobody may take another's place.
        _ if sticky => None,
        Stat { mode, .. } if mode & 0o002 != 0 => Some(Others::Everybody),
        // Many systems give every user a group of their own.
        Stat { mode, group: owning, .. }
            if mode & 0o020 != 0 && *owning >= FIRST_USER && *owning != group =>
        {
            Some(Others::Group(*owning))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_may_write_is_exposed() {
        let file = |mode, owner, group| Stat { kind: Kind::File, owner, group, mode };
        let dir = |mode| Stat { kind: Kind::Directory, owner: 0, group: 0, mode };
        let table = [
            (file(0o755, 4711, 4711), None),
            (file(0o775, 4711, 4711), None),
            (file(0o775, 0, 50), None),
            (file(0o775, 0, 2000), Some(Others::Group(2000))),
            (file(0o757, 0, 0), Some(Others::Everybody)),
            (file(0o755, 1234, 0), Some(Others::Owner(1234))),
            (file(0o755, NOBODY, NOBODY), None),
            (dir(0o1777), None),
            (dir(0o777), Some(Others::Everybody)),
            (Stat { kind: Kind::Link("/x".into()), ..dir(0o777) }, None),
        ];
        for (stat, expected) in table {
            assert_eq!(others(&stat, 4711, 4711), expected, "{stat:?}");
        }
    }
}
