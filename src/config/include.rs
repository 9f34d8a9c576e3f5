//! `$include`: other files merged into the tree.
//!
//! Rules of protocol notes §7.5: a name or a list of names, relative to the including file; objects are merged deeply,
//! lists are concatenated, of single values the later one wins, and the keys beside `$include` win over all of them.
//! How a name becomes a text is the business of whoever implements [`Include`].

use std::path::{Path, PathBuf};

use super::node::{Finding, Kind, Member, Node, Place};
use super::path::KeyPath;
use super::syntax::read_json5;

/// The key that includes.
const INCLUDE: &str = "$include";
/// How deep files may include files.
const MAX_DEPTH: usize = 10;
/// How many files may be included in all: ten levels of lists could otherwise name millions.
const MAX_FILES: usize = 256;
/// Keys that merging drops (protocol notes §7.5).
const DROPPED: [&str; 3] = ["__proto__", "prototype", "constructor"];

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TextFile {
    pub path: PathBuf,
    pub text: String,
}

/// Where included files come from.
pub(super) trait Include {
    /// The file that `including` means by `name`, under one path however it is reached; or why it cannot be had.
    fn read(&self, name: &str, including: &Path) -> Result<TextFile, String>;
}

/// Puts what is included in place of every `$include`. The files read are added to `files`, whose first is the root.
pub(super) fn expand_includes(
    root: Node,
    files: &mut Vec<TextFile>,
    source: &dyn Include,
    findings: &mut Vec<Finding>,
) -> Node {
    let chain = files.iter().map(|file| file.path.clone()).collect();
    Expansion { files, source, findings, chain, path: KeyPath::ROOT }.node(root)
}

struct Expansion<'a> {
    files: &'a mut Vec<TextFile>,
    source: &'a dyn Include,
    findings: &'a mut Vec<Finding>,
    /// The files being expanded, each included by the one before.
    chain: Vec<PathBuf>,
    path: KeyPath,
}

impl Expansion<'_> {
    fn node(&mut self, mut node: Node) -> Node {
        node.kind = match node.kind {
            Kind::List(items) => {
                let expand = |(index, item)| {
                    self.path.push_index(index);
                    let item = self.node(item);
                    self.path.pop();
                    item
                };
                Kind::List(items.into_iter().enumerate().map(expand).collect())
            }
            Kind::Object(mut members) => {
                let include = members.iter().position(|member| member.key == INCLUDE);
                let include = include.map(|at| members.remove(at).value);
                for member in &mut members {
                    self.path.push_key(&member.key);
                    let value = std::mem::replace(&mut member.value, Node::new(member.key_place, Kind::Null));
                    member.value = self.node(value);
                    self.path.pop();
                }
                match include {
                    Some(include) => {
                        return self.with_included(include, Node { kind: Kind::Object(members), ..node });
                    }
                    None => Kind::Object(members),
                }
            }
            other => other,
        };
        node
    }

    /// What `include` names, with the keys that stand beside it merged over.
    fn with_included(&mut self, include: Node, beside: Node) -> Node {
        let place = include.place;
        let included = self.names(include).into_iter().filter_map(|(name, place)| self.file(&name, place));
        let Some(included) = included.collect::<Vec<_>>().into_iter().reduce(merge_over) else {
            return beside;
        };
        match (&included.kind, &beside.kind) {
            (Kind::Object(_), _) => merge_over(included, beside),
            (_, Kind::Object(members)) if members.is_empty() => included,
            _ => {
                self.refuse(
                    place,
                    format!("what is included is {}: keys can stand beside an object only", included.noun()),
                );
                beside
            }
        }
    }

    fn names(&mut self, include: Node) -> Vec<(String, Place)> {
        let items = match include.kind {
            Kind::List(items) => items,
            _ => vec![include],
        };
        let mut names = Vec::with_capacity(items.len());
        for item in items {
            match item.kind {
                Kind::Text(name) => names.push((name, item.place)),
                _ => self.refuse(
                    item.place,
                    format!("$include takes a file name or a list of them, not {}", item.noun()),
                ),
            }
        }
        names
    }

    /// Reads, parses and expands one file.
    fn file(&mut self, name: &str, place: Place) -> Option<Node> {
        if self.chain.len() > MAX_DEPTH {
            self.refuse(place, format!("Maximum include depth ({MAX_DEPTH}) exceeded at: {name}"));
            return None;
        }
        if self.files.len() > MAX_FILES {
            self.refuse(place, format!("More than {MAX_FILES} files are included at: {name}"));
            return None;
        }
        let including = self.chain.last().cloned().unwrap_or_default();
        let file = match self.source.read(name, &including) {
            Ok(file) => file,
            Err(why) => {
                self.refuse(place, format!("cannot include {name:?}: {why}"));
                return None;
            }
        };
        if self.chain.contains(&file.path) {
            let around = self.chain.iter().chain([&file.path]).map(|path| path.display().to_string());
            let around = around.collect::<Vec<_>>().join(" -> ");
            self.refuse(place, format!("Circular include detected: {around}"));
            return None;
        }
        let parsed = read_json5(&file.text, self.files.len(), &self.path, self.findings);
        self.chain.push(file.path.clone());
        self.files.push(file);
        let expanded = match parsed {
            Ok(node) => Some(self.node(node)),
            Err(finding) => {
                self.findings.push(finding);
                None
            }
        };
        self.chain.pop();
        expanded
    }

    fn refuse(&mut self, place: Place, message: String) {
        self.findings.push(Finding::new(place, self.path.clone(), message));
    }
}

/// One value over another.
fn merge_over(under: Node, over: Node) -> Node {
    let kind = match (under.kind, over.kind) {
        (Kind::Object(mut members), Kind::Object(others)) => {
            for other in others {
                match members.iter_mut().find(|member| member.key == other.key) {
                    Some(member) => {
                        let under =
                            std::mem::replace(&mut member.value, Node::new(other.key_place, Kind::Null));
                        *member = Member { value: merge_over(under, other.value), ..other };
                    }
                    None => members.push(other),
                }
            }
            members.retain(|member| !DROPPED.contains(&member.key.as_str()));
            Kind::Object(members)
        }
        (Kind::List(mut items), Kind::List(others)) => {
            items.extend(others);
            Kind::List(items)
        }
        (_, over) => over,
    };
    Node { place: over.place, kind, faulty: over.faulty }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use serde_json::{Value, json};

    /// Files by name, all in one directory.
    struct Table(BTreeMap<String, String>);

    impl Include for Table {
        fn read(&self, name: &str, _: &Path) -> Result<TextFile, String> {
            let text = self.0.get(name).cloned().ok_or("no such file")?;
            Ok(TextFile { path: name.into(), text })
        }
    }

    fn expand(files: &[(&str, &str)]) -> (Value, Vec<String>) {
        let table =
            Table(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect());
        let mut findings = Vec::new();
        let mut read = vec![table.read("root", Path::new("")).unwrap()];
        let root = read_json5(&read[0].text, 0, &KeyPath::ROOT, &mut findings).unwrap();
        let root = expand_includes(root, &mut read, &table, &mut findings);
        let at = |finding: &Finding| {
            let file = &read[finding.place.file].path;
            format!("{} {}: {}", file.display(), finding.path, finding.message)
        };
        (root.to_value(), findings.iter().map(at).collect())
    }

    #[test]
    fn objects_merge_lists_concatenate_and_what_stands_beside_wins() {
        let (value, findings) = expand(&[
            ("root", "{ $include: ['a', 'b'], x: 3, o: { own: 1 }, l: [4] }"),
            ("a", "{ x: 1, y: 1, o: { a: 1, s: 1 }, l: [1, 2] }"),
            ("b", "{ x: 2, y: 2, o: { b: 2, s: 2 }, l: [3] }"),
        ]);
        assert_eq!(findings, [""; 0]);
        assert_eq!(
            value,
            json!({"x": 3, "y": 2, "o": {"a": 1, "s": 2, "b": 2, "own": 1}, "l": [1, 2, 3, 4]})
        );
    }

    #[test]
    fn any_value_can_be_included_anywhere() {
        let (value, findings) = expand(&[
            ("root", "{ list: { $include: 'l' }, n: [{ $include: 'n' }], deep: { $include: 'd' } }"),
            ("l", "[1]"),
            ("n", "7"),
            ("d", "{ again: { $include: 'l' } }"),
        ]);
        assert_eq!(findings, [""; 0]);
        assert_eq!(value, json!({"list": [1], "n": [7], "deep": {"again": [1]}}));
    }

    #[test]
    fn keys_that_poison_prototypes_are_dropped() {
        let (value, _) = expand(&[
            ("root", "{ $include: 'a', constructor: 1 }"),
            ("a", "{ __proto__: 1, x: 1, prototype: 2 }"),
        ]);
        assert_eq!(value, json!({"x": 1}));
    }

    #[test]
    fn everything_that_fails_is_found_and_the_rest_stays() {
        let (value, findings) = expand(&[
            ("root", "{ $include: ['gone', 'broken', 5, 'good'], a: { $include: 'scalar', b: 1 } }"),
            ("broken", "{ x: "),
            ("scalar", "1"),
            ("good", "{ g: 1 }"),
        ]);
        assert_eq!(
            findings,
            [
                "root a: what is included is a number: keys can stand beside an object only",
                "root <root>: $include takes a file name or a list of them, not a number",
                "root <root>: cannot include \"gone\": no such file",
                "broken <root>: JSON5 parse failed: expected value after colon in object property",
            ]
        );
        assert_eq!(value, json!({"g": 1, "a": {"b": 1}}));
    }

    #[test]
    fn a_circle_is_shown_from_where_it_began() {
        let (_, findings) =
            expand(&[("root", "{ $include: 'a' }"), ("a", "{ $include: 'b' }"), ("b", "{ $include: 'a' }")]);
        assert_eq!(findings, ["b <root>: Circular include detected: root -> a -> b -> a"]);
    }

    #[test]
    fn depth_and_number_of_files_are_bounded() {
        let chain: Vec<(String, String)> = (0..12)
            .map(|n| {
                (
                    if n == 0 { "root".into() } else { format!("f{n}") },
                    format!("{{ $include: 'f{}' }}", n + 1),
                )
            })
            .collect();
        let files: Vec<(&str, &str)> =
            chain.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(expand(&files).1, ["f10 <root>: Maximum include depth (10) exceeded at: f11"]);

        let many = format!("{{ $include: [{}] }}", "'a',".repeat(258));
        let findings = expand(&[("root", &many), ("a", "{}")]).1;
        assert_eq!(findings, ["root <root>: More than 256 files are included at: a"; 2]);
    }
}
