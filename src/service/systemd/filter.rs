//! Filters of system calls as the manager has them: with every group spelled out, and without the calls that its library
//! does not know yet.
//!
//! Pure. What is in a group is the manager's own knowledge, passed in as `systemd-analyze syscall-filter` prints it.

use std::collections::{BTreeMap, BTreeSet};

/// Groups of system calls by name, `@clock` and its like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(BTreeMap<String, BTreeSet<String>>);

impl Groups {
    /// Reads what `systemd-analyze syscall-filter` prints: a group, and its members indented below it.
    pub fn parse(text: &str) -> Self {
        let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut open = None;
        for line in text.lines() {
            let word = line.trim();
            match line.strip_prefix('@') {
                Some(name) => open = Some(groups.entry(format!("@{name}")).or_default()),
                None if word.is_empty() || word.starts_with('#') => {}
                None => {
                    if let Some(members) = &mut open {
                        members.insert(word.to_owned());
                    }
                }
            }
        }
        Self(groups)
    }

    /// The calls that a word of a filter stands for, group by group: groups are made of groups. None for a group that is
    /// not known.
    fn calls(&self, word: &str) -> Option<Vec<BTreeSet<String>>> {
        if !word.starts_with('@') {
            return Some(vec![[word.to_owned()].into()]);
        }
        let (mut found, mut open) = (Vec::new(), vec![word]);
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        while let Some(group) = open.pop() {
            if !seen.insert(group) {
                continue;
            }
            let (groups, calls): (Vec<&String>, Vec<&String>) =
                self.0.get(group)?.iter().partition(|member| member.starts_with('@'));
            open.extend(groups.into_iter().map(String::as_str));
            found.push(calls.into_iter().cloned().collect());
        }
        Some(found)
    }
}

/// A filter in force: whether it lists what is allowed, else what is not; and the calls.
pub type InForce = (bool, BTreeSet<String>);

/// Whether a filter is in force as its lines say (systemd.exec(5), "SystemCallFilter="). True also where that cannot be
/// told: the first line says whether calls are listed that are allowed, and later lines add and take away.
///
/// A call that the manager's library does not know yet is missing in force, so of every group half has to be there; one
/// that nobody wrote must not be there, unless it may be the other name of one that is missing.
pub fn holds(lines: &[&str], groups: &Groups, (allows, calls): &InForce) -> bool {
    let Some(first) = lines.first() else { return true };
    let allow_list = !first.starts_with('~');
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let mut parts: Vec<BTreeSet<String>> = Vec::new();
    if allow_list {
        // These are always allowed.
        wanted.extend(groups.calls("@default").unwrap_or_default().into_iter().flatten());
    }
    for line in lines {
        let (adds, words) = match line.strip_prefix('~') {
            Some(words) => (!allow_list, words),
            None => (allow_list, *line),
        };
        for word in words.split_whitespace() {
            // An error of its own after a colon changes nothing about what is filtered.
            let word = word.split(':').next().unwrap_or(word);
            let Some(some) = groups.calls(word) else { return true };
            if adds {
                wanted.extend(some.iter().flatten().cloned());
                parts.extend(some);
            } else {
                wanted.retain(|call| !some.iter().any(|part| part.contains(call)));
            }
        }
    }
    let there = |part: &BTreeSet<String>| {
        let left: Vec<&String> = part.iter().filter(|call| wanted.contains(*call)).collect();
        left.len() <= 2 * left.iter().filter(|call| calls.contains(**call)).count()
    };
    // The library may know a call by another name: libseccomp 2.6 tells switch_endian as sys_debug_setcontext.
    let (extra, missing) = (calls.difference(&wanted).count(), wanted.difference(calls).count());
    *allows == allow_list && extra <= missing && parts.iter().all(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "# Not showing unlisted system calls\n@default\n    # Always permitted\n    exit\n    brk\n\n\
        @clock\n    # Change the system time\n    adjtimex\n    settimeofday\n\n@io\n    read\n    @clock\n@loop\n    @loop\n    x\n";

    fn force(allows: bool, calls: &[&str]) -> InForce {
        (allows, calls.iter().map(|call| (*call).to_owned()).collect())
    }

    #[test]
    fn a_filter_is_compared_call_by_call() {
        let groups = Groups::parse(PRINTED);
        let table: [(&[&str], InForce, bool); 12] = [
            (&["~@clock"], force(false, &["adjtimex", "settimeofday"]), true),
            // A call that the manager's library does not know yet.
            (&["~@clock"], force(false, &["adjtimex"]), true),
            (&["~@clock"], force(false, &[]), false),
            (&["~@clock"], force(true, &["adjtimex", "settimeofday"]), false),
            (&["~@clock"], force(false, &["adjtimex", "settimeofday", "mount"]), false),
            (&["~@clock", "~read"], force(false, &["adjtimex", "read"]), true),
            (&["~@clock", "~read"], force(false, &["adjtimex"]), false),
            (&["@io"], force(true, &["exit", "brk", "read", "adjtimex"]), true),
            (&["@io", "~@clock"], force(true, &["exit", "brk", "read", "adjtimex"]), false),
            (&["@io", "~@clock"], force(true, &["exit", "brk", "read"]), true),
            // A call by another name.
            (&["~@clock"], force(false, &["adjtimex", "set_the_time"]), true),
            (&["@unknown"], force(true, &[]), true),
        ];
        for (lines, in_force, expected) in table {
            assert_eq!(holds(lines, &groups, &in_force), expected, "{lines:?} {in_force:?}");
        }
        assert_eq!(groups.calls("@loop"), Some(vec![["x".to_owned()].into()]), "a group that holds itself");
    }
}
