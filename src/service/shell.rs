//! Words of commands that people are given to type: as any shell reads them back.
//!
//! Pure. Not for running anything: what is run here gets its arguments as they are.

use std::path::Path;

/// A path as one word of a shell. A name that is not UTF-8, or that no shell takes, is shown as it prints.
pub fn word(path: &Path) -> String {
    let text = path.to_string_lossy();
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_whatever_is_in_it() {
        assert_eq!(word(Path::new("/home/ada/.fased")), "/home/ada/.fased");
        for odd in ["/home/Ada L/x", "/a/$(reboot)", "/it's", "/a;b", "/a*", "/ü \"b\""] {
            assert_eq!(shlex::split(&word(Path::new(odd))).unwrap(), [odd]);
        }
    }
}
