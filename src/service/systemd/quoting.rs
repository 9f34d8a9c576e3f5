//! How a value is written into a unit file, and read out of it: each directive has rules of its own.
//!
//! | place | `%` | `$` | blanks and quotes |
//! |---|---|---|---|
//! | first word of `Exec…=` | `%%` | see below | quoted |
//! | further words of `Exec…=` | `%%` | `$$` | quoted |
//! | `Environment=` | `%%` | literal | the whole assignment quoted |
//! | `Description=`, paths such as `WorkingDirectory=` | `%%` | literal | never quoted |
//!
//! The manager runs the path in the first word as it stands, but replaces `${…}` in what the process sees as its own
//! name; where that matters, a `:` before the path makes every `$` of the line literal (since systemd 244).
//!
//! Inside quotes `\"` and `\\` are escapes, and so is `\s` (a blank): every backslash is doubled. Nothing escapes a
//! line end or another control character, so text with one is refused, as is text that the manager would silently
//! drop (systemd.syntax(7), systemd.service(5) "Command lines", lifecycle notes E3). Knows nothing of any directive's
//! meaning.

/// Why a text cannot stand in a unit file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// A line end or another control character.
    #[error("{what} holds the control character {character:?}, which a unit file cannot carry")]
    Control {
        /// What the text is.
        what: String,
        /// The first such character.
        character: char,
    },
    /// A code point that is no character: systemd drops the whole line without an error.
    #[error("{what} holds U+{code:04X}, which is no character; systemd would drop the line")]
    Noncharacter {
        /// What the text is.
        what: String,
        /// The code point.
        code: u32,
    },
    /// Not an absolute path.
    #[error("{what} {path:?} is not an absolute path")]
    Relative {
        /// What the path is.
        what: String,
        /// The path.
        path: String,
    },
    /// A program's path with a character that systemd takes in no program's path, quoted or not.
    #[error("the program's path {path:?} holds {character:?}, which systemd allows in no program's path")]
    Program {
        /// The path.
        path: String,
        /// The first such character.
        character: char,
    },
    /// An unquoted text that would be read back without its ends.
    #[error("{what} begins or ends with a blank, or ends with a backslash: a unit file would lose it")]
    Ends {
        /// What the text is.
        what: String,
    },
    /// Not the name of a variable.
    #[error("{name:?} is not a name for an environment variable")]
    Variable {
        /// The name.
        name: String,
    },
}

/// Refuses what no directive can carry. `what` names the text in the error.
pub fn check(what: &str, text: &str) -> Result<(), Unwritable> {
    let noncharacter = |code: u32| (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE;
    for character in text.chars() {
        if character.is_control() {
            return Err(Unwritable::Control { what: what.to_owned(), character });
        }
        if noncharacter(u32::from(character)) {
            return Err(Unwritable::Noncharacter { what: what.to_owned(), code: u32::from(character) });
        }
    }
    Ok(())
}

/// Free text such as `Description=`.
pub fn scalar(what: &str, text: &str) -> Result<String, Unwritable> {
    check(what, text)?;
    if text != text.trim_matches(BLANKS) || text.ends_with('\\') {
        return Err(Unwritable::Ends { what: what.to_owned() });
    }
    Ok(text.replace('%', "%%"))
}

/// An absolute path in a directive that takes exactly one and knows no quotes, such as `WorkingDirectory=`.
pub fn scalar_path(what: &str, path: &str) -> Result<String, Unwritable> {
    check(what, path)?;
    if !path.starts_with('/') {
        return Err(Unwritable::Relative { what: what.to_owned(), path: path.to_owned() });
    }
    let shielded = path.ends_with([' ', '\\']);
    // A slash keeps the end of the line from being trimmed or continued; the manager drops it again.
    Ok(path.replace('%', "%%") + if shielded { "/" } else { "" })
}

/// The value of `ExecStart=`: a program by absolute path, and its arguments.
pub fn exec(program: &str, args: &[String]) -> Result<String, Unwritable> {
    check("the program's path", program)?;
    if !program.starts_with('/') {
        return Err(Unwritable::Relative { what: "the program's path".to_owned(), path: program.to_owned() });
    }
    // The manager looks at the unquoted path ("contains special characters"). 262 refuses patterns too, 257 does not.
    if let Some(character) = program.chars().find(|c| "\"'\\*?[".contains(*c)) {
        return Err(Unwritable::Program { path: program.to_owned(), character });
    }
    // systemd from 255 on hands the path to its executor in a line whose ends are trimmed.
    if program.ends_with(BLANKS) {
        return Err(Unwritable::Ends { what: "the program's path".to_owned() });
    }
    let (prefix, dollar) =
        if program.contains('$') { (AS_IT_STANDS, Dollar::Literal) } else { ("", Dollar::Doubled) };
    let mut line = word(&format!("{prefix}{program}"), Dollar::Literal);
    for arg in args {
        check("an argument", arg)?;
        line.push(' ');
        line.push_str(&word(arg, dollar));
    }
    Ok(line)
}

/// Before a program's path: nothing in the line is a variable (systemd.service(5), "Special executable prefixes").
const AS_IT_STANDS: &str = ":";

/// The words of a command as the manager stores them, with variables still to be replaced, and whether it will replace
/// them.
pub fn stored_words(value: &str) -> Result<(Vec<String>, bool), Unreadable> {
    let mut words: Vec<String> = split(value)?.iter().map(|word| without_specifiers(word)).collect();
    let literal = words.first().and_then(|first| first.strip_prefix(AS_IT_STANDS)).map(str::to_owned);
    match (literal, words.first_mut()) {
        (Some(program), Some(first)) => {
            *first = program;
            Ok((words, false))
        }
        _ => Ok((words, true)),
    }
}

/// The words of a command as they reach the process.
pub fn command_words(value: &str) -> Result<Vec<String>, Unreadable> {
    let (words, replaced) = stored_words(value)?;
    let word = |(at, word): (usize, String)| match replaced && at > 0 {
        true => without_variables(&word),
        false => word,
    };
    Ok(words.into_iter().enumerate().map(word).collect())
}

/// One assignment for `Environment=`.
pub fn assignment(name: &str, value: &str) -> Result<String, Unwritable> {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !first || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Unwritable::Variable { name: name.to_owned() });
    }
    check(&format!("the variable {name}"), value)?;
    Ok(word(&format!("{name}={value}"), Dollar::Literal))
}

/// What `$` means where a word stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dollar {
    /// Nothing special.
    Literal,
    /// The start of a variable, unless doubled.
    Doubled,
}

/// Blanks as the manager trims them.
pub const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

fn word(text: &str, dollar: Dollar) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@+%".contains(c);
    let quote = text.is_empty() || !text.chars().all(plain);
    let mut out = String::with_capacity(text.len() + 2);
    if quote {
        out.push('"');
    }
    for c in text.chars() {
        match c {
            '%' => out.push_str("%%"),
            '$' if dollar == Dollar::Doubled => out.push_str("$$"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            other => out.push(other),
        }
    }
    if quote {
        out.push('"');
    }
    out
}

/// A value that the manager could not split into words either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A quotation mark without its partner.
    #[error("a quotation mark is not closed")]
    OpenQuote,
    /// A backslash before a character that it does not escape.
    #[error("unknown escape sequence")]
    Escape,
}

/// Splits a value into words as the manager does: blanks separate, either quotation mark groups, backslashes
/// escape. Specifiers (`%`) and variables (`$`) are left as they stand.
pub fn split(value: &str) -> Result<Vec<String>, Unreadable> {
    let mut words = Vec::new();
    let mut chars = value.chars().peekable();
    loop {
        while chars.next_if(|c| BLANKS.contains(c)).is_some() {}
        if chars.peek().is_none() {
            return Ok(words);
        }
        let (mut word, mut quote) = (Vec::new(), None);
        loop {
            match (chars.next(), quote) {
                (None, Some(_)) => return Err(Unreadable::OpenQuote),
                (None, None) => break,
                (Some('\\'), _) => unescape(&mut chars, &mut word)?,
                (Some(c), Some(open)) if c == open => quote = None,
                (Some(c @ ('"' | '\'')), None) => quote = Some(c),
                (Some(c), None) if BLANKS.contains(&c) => break,
                (Some(c), _) => push(&mut word, c),
            }
        }
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// One escape sequence after its backslash (systemd.syntax(7), "Quoting").
fn unescape(chars: &mut Chars<'_>, word: &mut Vec<u8>) -> Result<(), Unreadable> {
    let escaped = chars.next().ok_or(Unreadable::Escape)?;
    match escaped {
        'a' => word.push(0x07),
        'b' => word.push(0x08),
        'f' => word.push(0x0c),
        'n' => word.push(b'\n'),
        'r' => word.push(b'\r'),
        't' => word.push(b'\t'),
        'v' => word.push(0x0b),
        's' => word.push(b' '),
        '\\' | '"' | '\'' => push(word, escaped),
        // A word of its own that would otherwise end the command.
        ';' => word.push(b';'),
        'x' => word.push(byte(number(chars, 2, 16)?)?),
        'u' => push(word, char::from_u32(number(chars, 4, 16)?).ok_or(Unreadable::Escape)?),
        'U' => push(word, char::from_u32(number(chars, 8, 16)?).ok_or(Unreadable::Escape)?),
        '0'..='7' => {
            let high = escaped.to_digit(8).ok_or(Unreadable::Escape)?;
            word.push(byte(high * 64 + number(chars, 2, 8)?)?);
        }
        _ => return Err(Unreadable::Escape),
    }
    Ok(())
}

fn number(chars: &mut Chars<'_>, digits: usize, radix: u32) -> Result<u32, Unreadable> {
    (0..digits).try_fold(0, |number, _| {
        let digit = chars.next().and_then(|c| c.to_digit(radix)).ok_or(Unreadable::Escape)?;
        Ok(number * radix + digit)
    })
}

fn byte(number: u32) -> Result<u8, Unreadable> {
    u8::try_from(number).map_err(|_| Unreadable::Escape)
}

fn push(word: &mut Vec<u8>, c: char) {
    word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Undoes the doubling of `%`. Specifiers that mean something stay as they are.
pub fn without_specifiers(text: &str) -> String {
    text.replace("%%", "%")
}

/// Undoes the doubling of `$` in an argument. References to variables stay as they are.
pub fn without_variables(text: &str) -> String {
    text.replace("$$", "$")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lifecycle notes, E3.
    #[test]
    fn each_place_has_its_own_rules() {
        let args = ["a b", "$HOME", "100%", "\\s", "", ";", "é", "plain-1.2"].map(str::to_owned);
        let line = exec("/opt/a $b%/run", &args).unwrap();
        assert_eq!(line, r#"":/opt/a $b%%/run" "a b" "$HOME" 100%% "\\s" "" ";" "é" plain-1.2"#);
        let line = exec("/opt/a b%/run", &args).unwrap();
        assert_eq!(line, r#""/opt/a b%%/run" "a b" "$$HOME" 100%% "\\s" "" ";" "é" plain-1.2"#);
        assert_eq!(assignment("A_1", "$x %h \"q\"").unwrap(), r#""A_1=$x %%h \"q\"""#);
        assert_eq!(assignment("EMPTY", "").unwrap(), "EMPTY=");
        assert_eq!(scalar("the description", "100% of $HOME \"x\"").unwrap(), "100%% of $HOME \"x\"");
        assert_eq!(scalar_path("the directory", "/home/a b/50%").unwrap(), "/home/a b/50%%");
        assert_eq!(scalar_path("the directory", "/home/a\\").unwrap(), "/home/a\\/");
        assert_eq!(scalar_path("the directory", "/home/a ").unwrap(), "/home/a /");
    }

    #[test]
    fn what_a_unit_file_cannot_carry_is_refused() {
        for text in ["a\nb", "a\rb", "a\0b", "a\tb", "\u{7f}", "\u{85}"] {
            assert!(matches!(check("it", text), Err(Unwritable::Control { .. })), "{text:?}");
        }
        for text in ["\u{fdd0}", "\u{ffff}", "\u{1fffe}"] {
            assert!(matches!(check("it", text), Err(Unwritable::Noncharacter { .. })), "{text:?}");
        }
        for text in [" a", "a ", "a\\"] {
            assert_eq!(scalar("it", text), Err(Unwritable::Ends { what: "it".to_owned() }), "{text:?}");
        }
        for name in ["", "1A", "A B", "A-B", "Ä"] {
            assert!(matches!(assignment(name, "x"), Err(Unwritable::Variable { .. })), "{name:?}");
        }
        assert!(matches!(exec("run", &[]), Err(Unwritable::Relative { .. })));
        for program in ["/a\"b", "/it's", "/a\\b", "/a*", "/a?", "/a[1]"] {
            assert!(matches!(exec(program, &[]), Err(Unwritable::Program { .. })), "{program}");
        }
        assert!(matches!(exec("/a ", &[]), Err(Unwritable::Ends { .. })));
        assert!(matches!(scalar_path("it", "~/x"), Err(Unwritable::Relative { .. })));
    }

    /// systemd.syntax(7), "Quoting".
    #[test]
    fn values_split_as_the_manager_splits_them() {
        let table: [(&str, &[&str]); 9] = [
            ("", &[]),
            ("  a\tb  ", &["a", "b"]),
            (r#""a b" 'c d' e"f g"h"#, &["a b", "c d", "ef gh"]),
            (r#""" ''"#, &["", ""]),
            (r"a\sb \x41\102 \u00e9 \U0001f600", &["a b", "AB", "é", "😀"]),
            (r#""\"\\\n""#, &["\"\\\n"]),
            (r"a \; b", &["a", ";", "b"]),
            (r#""it's" '"x"'"#, &["it's", "\"x\""]),
            ("%% $$", &["%%", "$$"]),
        ];
        for (value, words) in table {
            assert_eq!(split(value).unwrap(), words, "{value}");
        }
        assert_eq!(split("a \"b"), Err(Unreadable::OpenQuote));
        for value in [r"\q", r"\", r"\x4", r"\u12", r"\777"] {
            assert_eq!(split(value), Err(Unreadable::Escape), "{value}");
        }
    }

    /// Text that a unit file can carry.
    pub(crate) fn writable() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[ -~]{0,8}",
            2 => "[%$\\\\\"' ;@+!:|-]{1,4}",
            1 => "\\PC{0,4}",
        ];
        proptest::collection::vec(piece, 0..4)
            .prop_map(|pieces| pieces.concat())
            .prop_filter("a control character or noncharacter", |text| check("it", text).is_ok())
    }

    proptest! {
        #[test]
        fn commands_come_back_as_they_were(
            program in prop_oneof![Just("/bin/run"), Just("/opt/$a ${b} $$/100%/run")],
            args in proptest::collection::vec(writable(), 0..6),
        ) {
            let back = command_words(&exec(program, &args).unwrap()).unwrap();
            prop_assert_eq!((&back[0][..], &back[1..]), (program, &args[..]));
        }

        #[test]
        fn assignments_come_back_as_they_were(value in writable()) {
            let words = split(&assignment("NAME", &value).unwrap()).unwrap();
            prop_assert_eq!(words.len(), 1);
            prop_assert_eq!(without_specifiers(&words[0]), format!("NAME={value}"));
        }
    }
}
