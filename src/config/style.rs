//! How a file is written: whether keys have quotes, and which.

use jsonc_parser::cst::{CstNode, CstRootNode, CstStringLit, ObjectPropName};

/// The habits of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    /// Keys have quotes also where they need none.
    quoted_keys: bool,
    /// Quotes are single.
    single_quotes: bool,
}

impl Style {
    /// What most of a file does. Where nothing can be seen: no quotes around keys, double quotes around text.
    pub(super) fn of(root: &CstRootNode) -> Self {
        let mut seen = Seen::default();
        root.children().iter().for_each(|node| seen.look(node));
        Self { quoted_keys: seen.quoted > seen.bare, single_quotes: seen.single > seen.double }
    }

    /// Writes a new value, or a new key with its value, the way the rest of the file is written.
    pub(super) fn apply(self, node: &CstNode) {
        if let Some(text) = node.as_string_lit() {
            self.requote(&text);
        }
        if let Some(member) = node.as_object_prop()
            && let Some(ObjectPropName::String(name)) = member.name()
        {
            match name.decoded_value() {
                Ok(key) if !self.quoted_keys && needs_no_quotes(&key) => name.set_raw_value(key),
                _ => self.requote(&name),
            }
            if let Some(value) = member.value() {
                self.apply(&value);
            }
            return;
        }
        node.children().iter().for_each(|child| self.apply(child));
    }

    fn requote(self, text: &CstStringLit) {
        let raw = text.raw_value();
        let inside = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        if let Some(inside) = inside.filter(|inside| self.single_quotes && !inside.contains(['\\', '\''])) {
            text.set_raw_value(format!("'{inside}'"));
        }
    }
}

/// Whether a key is a JSON5 identifier that no reader takes for anything else.
fn needs_no_quotes(key: &str) -> bool {
    let first = key.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$'));
    let rest = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'));
    first && rest && !matches!(key, "true" | "false" | "null" | "Infinity" | "NaN")
}

#[derive(Default)]
struct Seen {
    bare: usize,
    quoted: usize,
    single: usize,
    double: usize,
}

impl Seen {
    fn look(&mut self, node: &CstNode) {
        if let Some(text) = node.as_string_lit() {
            *if text.raw_value().starts_with('\'') { &mut self.single } else { &mut self.double } += 1;
        }
        match node.as_object_prop().and_then(|member| member.name()) {
            Some(ObjectPropName::Word(_)) => self.bare += 1,
            Some(ObjectPropName::String(_)) => self.quoted += 1,
            None => {}
        }
        node.children().iter().for_each(|child| self.look(child));
    }
}
