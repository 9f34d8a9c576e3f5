//! Which command was asked for, in words: for what concerns every command alike and must not know their flags.

use clap::ArgMatches;

/// A command line that was understood.
pub(super) struct Asked<'a> {
    /// `gateway install`.
    pub command: String,
    /// What was found of the program itself, of the command, and of the commands below it.
    levels: Vec<&'a ArgMatches>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(matches: &'a ArgMatches) -> Self {
        let (mut words, mut levels) = (Vec::new(), vec![matches]);
        while let Some((name, below)) = levels.last().and_then(|level| level.subcommand()) {
            words.push(name);
            levels.push(below);
        }
        Self { command: words.join(" "), levels }
    }

    /// Whether the command has this flag, and it was given.
    pub(super) fn has(&self, flag: &str) -> bool {
        let leaf = self.levels.last();
        leaf.and_then(|leaf| leaf.try_get_one::<bool>(flag).ok().flatten()).copied().unwrap_or_default()
    }

    /// Whether the command, or one above it, has this option and was given a value for it.
    pub(super) fn is_given(&self, option: &str) -> bool {
        let given = |level: &&ArgMatches| level.try_get_raw(option).is_ok_and(|values| values.is_some());
        self.levels.iter().any(given)
    }

    /// Whether the command has this option with this value.
    pub(super) fn is(&self, option: &str, value: &str) -> bool {
        let values = self.levels.last().and_then(|leaf| leaf.try_get_raw(option).ok().flatten());
        values.into_iter().flatten().any(|given| given == value)
    }
}
