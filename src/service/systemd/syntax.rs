//! The lines of a unit file, exactly as they stand: sections, settings, comments, and lines that mean nothing.
//!
//! Lossless: what was read is written back byte for byte. Follows the manager's own reader (systemd.syntax(7)) in
//! what is a comment, a continuation, a section; knows nothing of any directive.

use super::quoting::BLANKS;

/// A unit file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    entries: Vec<Entry>,
}

/// Lines that belong together: one line, or a setting with its continuations and the comments between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The text, with its line ends.
    pub raw: String,
    /// What it says.
    pub says: Says,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// A blank line or a comment.
    Nothing,
    /// `[Name]`.
    Section(String),
    /// `Key=value`; continuations are joined by a blank, the ends are trimmed.
    Setting {
        /// The key.
        key: String,
        /// The value, still quoted and escaped.
        value: String,
    },
    /// A line that the manager reports and ignores.
    Junk,
}

impl File {
    /// Reads a unit file. There is no text that is none.
    pub fn parse(text: &str) -> Self {
        let mut entries = Vec::new();
        // A setting under way: its text so far, and the line it joins up to.
        let mut open: Option<(String, String)> = None;
        for (number, raw) in text.split_inclusive('\n').enumerate() {
            let line = raw.strip_suffix('\n').unwrap_or(raw);
            let line = if number == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
            let line = line.trim_start_matches(BLANKS);
            if line.starts_with(['#', ';']) {
                // A comment between the lines of a continuation does not end it.
                match &mut open {
                    Some((text, _)) => text.push_str(raw),
                    None => entries.push(Entry { raw: raw.to_owned(), says: Says::Nothing }),
                }
                continue;
            }
            let (mut all, mut joined) = open.take().unwrap_or_default();
            all.push_str(raw);
            match continued(line) {
                Some(part) => {
                    joined.push_str(part);
                    joined.push(' ');
                    open = Some((all, joined));
                }
                None => {
                    joined.push_str(line);
                    entries.push(Entry { raw: all, says: says(&joined) });
                }
            }
        }
        if let Some((raw, joined)) = open {
            entries.push(Entry { raw, says: says(&joined) });
        }
        Self { entries }
    }

    /// The settings in order, each with its section and key. Those before the first section mean nothing.
    pub fn settings(&self) -> impl Iterator<Item = Setting<'_>> {
        self.placed().filter_map(|(section, line, _, entry)| match (&entry.says, section) {
            (Says::Setting { key, value }, Some(section)) => Some(Setting { section, key, value, line }),
            _ => None,
        })
    }

    /// The lines that the manager reports and ignores: those that are no setting, and settings before the first
    /// section. Each with its number, from 1.
    pub fn ignored(&self) -> impl Iterator<Item = (usize, &str)> {
        self.placed().filter_map(|(section, line, _, entry)| match (&entry.says, section) {
            (Says::Junk, _) | (Says::Setting { .. }, None) => Some((line, entry.raw.trim_end())),
            _ => None,
        })
    }

    /// Every entry with its section, the number of its first line, and its place in the list.
    fn placed(&self) -> impl Iterator<Item = (Option<&str>, usize, usize, &Entry)> {
        let (mut section, mut next) = (None, 1);
        self.entries.iter().enumerate().map(move |(index, entry)| {
            let line = next;
            next += entry.raw.matches('\n').count().max(1);
            if let Says::Section(name) = &entry.says {
                section = Some(name.as_str());
            }
            (section, line, index, entry)
        })
    }

    /// Takes settings out, and puts lines of that key in their place; at the end of the section, or in a new one, where
    /// there were none. Everything else stays byte for byte.
    pub fn replace(&mut self, section: &str, takes: impl Fn(&Setting<'_>) -> bool, lines: &[String]) {
        let taken: Vec<usize> = self
            .placed()
            .filter(|(own, line, _, entry)| match (&entry.says, own) {
                (Says::Setting { key, value }, Some(own)) if *own == section => {
                    takes(&Setting { section: own, key, value, line: *line })
                }
                _ => false,
            })
            .map(|(.., index, _)| index)
            .collect();
        // The last entry of the section that says something: what is added goes after it.
        let last =
            self.placed().filter(|(own, .., entry)| *own == Some(section) && entry.says != Says::Nothing);
        let mut at = match (taken.first(), last.map(|(.., index, _)| index).last()) {
            (Some(first), _) => *first,
            (None, Some(last)) => last + 1,
            (None, None) if lines.is_empty() => return,
            (None, None) => {
                self.end_last_line();
                let blank = if self.entries.is_empty() { "" } else { "\n" };
                let raw = format!("{blank}[{section}]\n");
                self.entries.push(Entry { raw, says: Says::Section(section.to_owned()) });
                self.entries.len()
            }
        };
        for index in taken.iter().rev() {
            self.entries.remove(*index);
        }
        if at == self.entries.len() && !lines.is_empty() {
            self.end_last_line();
        }
        for line in lines {
            self.entries.insert(at, Entry { raw: format!("{line}\n"), says: says(line) });
            at += 1;
        }
    }

    /// Takes the last line out if it was cut off in the middle of one of these.
    pub fn drop_cut_off_line(&mut self, lines: &[&str]) {
        let cut_off = |entry: &Entry| {
            let whole = entry.raw.trim_matches(BLANKS);
            let part = |line: &&str| line.len() > whole.len() && line.starts_with(whole);
            !entry.raw.ends_with('\n') && entry.says == Says::Junk && lines.iter().any(part)
        };
        if self.entries.last().is_some_and(cut_off) {
            self.entries.pop();
        }
    }

    /// Whether nothing is set.
    pub fn sets_nothing(&self) -> bool {
        self.settings().next().is_none()
    }

    /// Makes sure that nothing which is put after the last entry becomes a part of it.
    fn end_last_line(&mut self) {
        let Some(last) = self.entries.last_mut() else { return };
        if !last.raw.ends_with('\n') {
            last.raw.push('\n');
        }
        // A setting that was to be continued, and was not: a blank line ends it.
        if Self::parse(&format!("{}[X]\n", last.raw)).entries.len() == 1 {
            last.raw.push('\n');
        }
    }

    /// The values of a key in force: an empty assignment takes back those before it.
    pub fn values(&self, section: &str, key: &str) -> Vec<&str> {
        let mut values = Vec::new();
        for setting in self.settings().filter(|setting| setting.section == section && setting.key == key) {
            if setting.value.is_empty() {
                values.clear();
            } else {
                values.push(setting.value);
            }
        }
        values
    }

    /// The value in force of a key that takes one.
    pub fn value(&self, section: &str, key: &str) -> Option<&str> {
        self.values(section, key).pop()
    }

    /// Whether there is a line that the manager ignores.
    pub fn has_junk(&self) -> bool {
        self.entries.iter().any(|entry| entry.says == Says::Junk)
    }
}

/// The text of the file, byte for byte as it was read.
impl std::fmt::Display for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.entries.iter().try_for_each(|entry| f.write_str(&entry.raw))
    }
}

/// One setting of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The section it stands in.
    pub section: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Its value, still quoted and escaped.
    pub value: &'a str,
    /// The number of its first line, from 1.
    pub line: usize,
}

/// The line without its last backslash, if that backslash continues it. A doubled one does not.
fn continued(line: &str) -> Option<&str> {
    let line = line.trim_end_matches('\r');
    let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
    (backslashes % 2 == 1).then(|| &line[..line.len() - 1])
}

fn says(line: &str) -> Says {
    let line = line.trim_matches(BLANKS);
    if line.is_empty() {
        return Says::Nothing;
    }
    if let Some(rest) = line.strip_prefix('[') {
        return rest.strip_suffix(']').map_or(Says::Junk, |name| Says::Section(name.to_owned()));
    }
    match line.split_once('=') {
        Some((key, value)) if !key.trim_matches(BLANKS).is_empty() => Says::Setting {
            key: key.trim_matches(BLANKS).to_owned(),
            value: value.trim_start_matches(BLANKS).to_owned(),
        },
        _ => Says::Junk,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TANGLED: &str = "\
# top
Stray=1
[Unit]
Description = a  text\x20\x20
After=a.service
After=
After=b.service c.service
; note
[Service]
ExecStart=/bin/a \\
# between the lines
   one \\
; and here
   two
Environment=A=1\\\\
junk
=nothing
[Service]
ExecReload=/bin/b \\

Type=notify
[Broken
";

    #[test]
    fn a_tangled_file_says_what_the_manager_reads_in_it() {
        let file = File::parse(TANGLED);
        let settings: Vec<String> =
            file.settings().map(|s| format!("{}/{}={}", s.section, s.key, s.value)).collect();
        let expected = [
            "Unit/Description=a  text",
            "Unit/After=a.service",
            "Unit/After=",
            "Unit/After=b.service c.service",
            "Service/ExecStart=/bin/a  one  two",
            "Service/Environment=A=1\\\\",
            "Service/ExecReload=/bin/b",
            "Service/Type=notify",
        ];
        assert_eq!(settings, expected);
        assert_eq!(file.values("Unit", "After"), ["b.service c.service"]);
        assert_eq!(file.value("Service", "Type"), Some("notify"));
        assert_eq!(file.value("Service", "Missing"), None);
        assert!(file.has_junk());
        assert_eq!(file.to_string(), TANGLED);
    }

    #[test]
    fn a_continuation_at_the_end_of_the_file_is_a_setting() {
        let file = File::parse("[Service]\nExecStart=/bin/a \\");
        assert_eq!(file.value("Service", "ExecStart"), Some("/bin/a"));
    }

    #[test]
    fn a_byte_order_mark_and_carriage_returns_are_not_part_of_anything() {
        let text = "\u{feff}[Service]\r\nType=notify\r\nExecStart=/bin/a \\\r\n  b\r\n";
        let file = File::parse(text);
        assert_eq!(file.value("Service", "Type"), Some("notify"));
        assert_eq!(file.value("Service", "ExecStart"), Some("/bin/a  b"));
        assert_eq!(file.to_string(), text);
    }

    #[test]
    fn settings_are_replaced_where_they_stand_and_the_rest_stays() {
        let replaced = |text: &str, section: &str, name: &str, lines: &[&str]| {
            let mut file = File::parse(text);
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            file.replace(section, |setting| setting.key == name, &lines);
            file.to_string()
        };
        let text = "# top\n[Service]\nA=1\n# mine\nB=2\nA=3 \\\n 4\n\n[Install]\nA=9\n";
        let table = [
            ("Service", "A", vec!["A=x"], "# top\n[Service]\nA=x\n# mine\nB=2\n\n[Install]\nA=9\n"),
            (
                "Service",
                "C",
                vec!["C=x"],
                "# top\n[Service]\nA=1\n# mine\nB=2\nA=3 \\\n 4\nC=x\n\n[Install]\nA=9\n",
            ),
            ("Install", "A", vec![], "# top\n[Service]\nA=1\n# mine\nB=2\nA=3 \\\n 4\n\n[Install]\n"),
        ];
        for (section, name, lines, expected) in table {
            assert_eq!(replaced(text, section, name, &lines), expected, "{section} {name}");
        }
        assert_eq!(replaced("[A]\nx=1", "B", "y", &["y=1"]), "[A]\nx=1\n\n[B]\ny=1\n");
        assert_eq!(replaced("[A]\nx=1 \\", "A", "y", &["y=1"]), "[A]\nx=1 \\\n\ny=1\n");
        assert_eq!(replaced("", "B", "y", &["y=1"]), "[B]\ny=1\n");
        assert_eq!(replaced("[A]\nx=1", "A", "y", &["y=1"]), "[A]\nx=1\ny=1\n");
    }

    #[test]
    fn lines_are_counted_and_ignored_ones_are_told() {
        let file = File::parse(TANGLED);
        let lines: Vec<usize> = file.settings().map(|setting| setting.line).collect();
        assert_eq!(lines, [4, 5, 6, 7, 10, 15, 19, 21]);
        let ignored: Vec<(usize, &str)> = file.ignored().collect();
        assert_eq!(ignored, [(2, "Stray=1"), (16, "junk"), (17, "=nothing"), (22, "[Broken")]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "([ -~\\t]{0,12}[\\\\\\n\\r#;=\\[\\]]{0,3}){0,12}") {
            prop_assert_eq!(File::parse(&text).to_string(), text);
        }
    }
}
