//! Specifiers in unit files: `%h`, `%t` and their like (systemd.unit(5), "Specifiers").
//!
//! Pure: what they stand for is passed in. One whose value is not known here stays as it stands, for then nothing can
//! be said about the value that holds it.

/// What specifiers stand for, for one unit under one manager.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Specifiers {
    known: Vec<(char, String)>,
}

impl Specifiers {
    /// The specifiers of a unit: its own name, and what else is known.
    pub fn new(unit: &str, known: impl IntoIterator<Item = (char, String)>) -> Self {
        let stem = unit.rsplit_once('.').map_or(unit, |(stem, _)| stem);
        let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
        let own = [('n', unit), ('N', stem), ('p', prefix), ('i', instance)];
        let own = own.map(|(letter, value)| (letter, value.to_owned()));
        Self { known: own.into_iter().chain(known).collect() }
    }

    /// The text with what is known put in place, still to be read as a unit file's text: `%%` stays doubled, and what
    /// is put in is doubled too.
    pub fn expand(&self, text: &str) -> String {
        let (mut out, mut chars) = (String::with_capacity(text.len()), text.chars());
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some(letter) => match self.known.iter().find(|(known, _)| *known == letter) {
                    Some((_, value)) => out.push_str(&value.replace('%', "%%")),
                    None => out.extend(['%', letter]),
                },
                None => out.push('%'),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_put_in_place_and_the_rest_stays() {
        let specifiers = Specifiers::new("a-b.service", [('h', "/home/50%".to_owned())]);
        let table = [
            ("%h/bin", "/home/50%%/bin"),
            ("%%h", "%%h"),
            ("%n %N %p", "a-b.service a-b a-b"),
            ("%q %", "%q %"),
            ("", ""),
        ];
        for (text, expanded) in table {
            assert_eq!(specifiers.expand(text), expanded, "{text}");
        }
    }
}
