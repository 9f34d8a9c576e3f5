//! Taking one member or element out of a text, with the comma that belonged to it.
//!
//! Knows nothing of what is taken out. Comments stay.

use std::ops::Range;

use jsonc_parser::tokens::{Token, TokenAndRange};
use jsonc_parser::{CollectOptions, parse_to_ast};

use super::syntax::JSON5;

/// The text without the member or element in `range`: the comma after it goes too, else the one before it, and the
/// line when nothing else is on it. The text must be well-formed; one that is not comes back as it is.
pub(super) fn cut_out(text: &str, range: Range<usize>) -> String {
    let collect = CollectOptions { tokens: true, ..CollectOptions::default() };
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let Some(tokens) = parse_to_ast(&text[mark..], &collect, &JSON5).ok().and_then(|parsed| parsed.tokens)
    else {
        return text.to_owned();
    };
    let comma = |token: Option<&TokenAndRange<'_>>| {
        token.filter(|token| token.token == Token::Comma).map(|token| token.range.start + mark)
    };
    let after = tokens.iter().find(|token| token.range.start + mark >= range.end);
    let before = tokens.iter().rev().find(|token| token.range.end + mark <= range.start);
    match (comma(after), comma(before)) {
        (Some(at), _) if text[range.end..at].trim().is_empty() => text_without(text, range.start..at + 1),
        // A comment stands between the value and its comma.
        (Some(at), _) => text_without(&format!("{}{}", &text[..at], &text[at + 1..]), range),
        (None, Some(at)) if text[at + 1..range.start].chars().all(|c| matches!(c, ' ' | '\t')) => {
            format!("{}{}", &text[..at], &text[range.end..])
        }
        (None, Some(at)) => {
            let text = text_without(text, range);
            format!("{}{}", &text[..at], &text[at + 1..])
        }
        (None, None) => text_without(text, range),
    }
}

/// The text without a stretch, and without the blanks or the line that it leaves behind.
fn text_without(text: &str, range: Range<usize>) -> String {
    let line_start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at + 1);
    let alone_before = text[line_start..range.start].trim().is_empty();
    let rest_of_line = &text[range.end..line_end];
    let range = if alone_before && rest_of_line.trim().is_empty() && rest_of_line.ends_with('\n') {
        line_start..line_end
    } else {
        let blanks = rest_of_line.len() - rest_of_line.trim_start_matches([' ', '\t']).len();
        range.start..range.end + blanks
    };
    format!("{}{}", &text[..range.start], &text[range.end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_goes_with_what_it_separated() {
        let table = [
            ("[1, 2, 3]", "2", "[1, 3]"),
            ("[1, 2, 3]", "1", "[2, 3]"),
            ("[1, 2, 3]", "3", "[1, 2]"),
            ("[1, 2, 3,]", "3", "[1, 2, ]"),
            ("[\n  1,\n  3 // three\n]", "3", "[\n  1\n  // three\n]"),
            ("[3]", "3", "[]"),
            ("[ 3, ]", "3", "[ ]"),
            ("[1, /* a */ 3 /* b */]", "3", "[1 /* a */ /* b */]"),
            ("[3 /* a */, 1]", "3", "[/* a */ 1]"),
            ("[\n  1,\n  3\n]", "3", "[\n  1\n]"),
            ("[\n  3, // three\n  1,\n]", "3", "[\n  // three\n  1,\n]"),
            ("[\r\n  1,\r\n  3,\r\n]", "3", "[\r\n  1,\r\n]"),
            ("\u{feff}[1, 3]", "3", "\u{feff}[1]"),
        ];
        for (text, gone, expected) in table {
            let at = text.find(gone).unwrap();
            assert_eq!(cut_out(text, at..at + gone.len()), expected, "{text:?} without {gone}");
        }
    }
}
