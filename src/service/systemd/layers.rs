//! A unit and its drop-ins, merged as the manager merges them, with the place where each value was set.
//!
//! Pure: files are passed in, in the order in which they apply (systemd.unit(5)).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::directives::{self, Kind};
use super::quoting;
use super::specifier::Specifiers;
use super::syntax::File;
use crate::service::inspection::{Name, Spot};

/// A file of settings: the unit or a drop-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub file: File,
}

/// A value in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its meaning: equal where the meaning is.
    pub meaning: Vec<String>,
    /// Where it was set; the last place counts most.
    pub spots: Vec<Spot>,
}

impl Held {
    /// For people: the words, in a line. It may hold a secret.
    pub fn words(&self) -> String {
        self.meaning.join(" ")
    }
}

/// A line whose value the manager drops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// What it would set.
    pub name: Name,
    /// The value as it is written.
    pub value: String,
    /// Where.
    pub spot: Spot,
}

/// Everything that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Values by name. What was set to nothing is not here.
    pub values: BTreeMap<Name, Held>,
    /// Lines without effect.
    pub dropped: Vec<Dropped>,
    /// Where names were last taken back by an empty line.
    pub emptied: BTreeMap<Name, Spot>,
}

/// Merges files in the order in which they apply.
pub fn merge<'a>(layers: impl IntoIterator<Item = &'a Layer>, specifiers: &Specifiers) -> Merged {
    let mut merged = Merged::default();
    for layer in layers {
        for setting in layer.file.settings() {
            let spot = Spot { path: layer.path.clone(), line: setting.line };
            // One line for two directives (systemd.service(5)).
            let keys: &[&str] = match (setting.section, setting.key) {
                ("Service", "TimeoutSec") => &["TimeoutStartSec", "TimeoutStopSec"],
                _ => &[setting.key],
            };
            for key in keys {
                let (section, key) = directives::current_name(setting.section, key);
                merged.apply(section, key, setting.value, spot.clone(), specifiers);
            }
        }
    }
    merged
}

impl Merged {
    /// A value by its name.
    pub fn get(&self, section: &str, key: &str) -> Option<&Held> {
        self.values.get(&Name { section: section.to_owned(), key: key.to_owned(), variable: None })
    }

    /// The variables of `Environment=`.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Held)> {
        self.values.iter().filter_map(|(name, held)| Some((name.variable.as_deref()?, held)))
    }

    /// Where a name was set or taken back last.
    pub fn place(&self, name: &Name) -> Option<&Spot> {
        let whole = Name { variable: None, ..name.clone() };
        let held = self.values.get(name).and_then(|held| held.spots.last());
        held.or_else(|| self.emptied.get(name)).or_else(|| self.emptied.get(&whole))
    }

    fn apply(&mut self, section: &str, key: &str, value: &str, spot: Spot, specifiers: &Specifiers) {
        let kind = directives::kind(section, key);
        let name = Name { section: section.to_owned(), key: key.to_owned(), variable: None };
        if value.is_empty() {
            if kind != Kind::Edges {
                self.values.retain(|own, _| own.section != section || own.key != key);
                self.emptied.insert(name, spot);
            }
            return;
        }
        let Some(meaning) = directives::meaning(kind, value, specifiers) else {
            self.dropped.push(Dropped { name, value: value.to_owned(), spot });
            return;
        };
        if kind == Kind::Assignments {
            for assignment in meaning {
                let variable = assignment.split('=').next().map(str::to_owned);
                let held = Held { meaning: vec![assignment], spots: vec![spot.clone()] };
                self.values.insert(Name { variable, ..name.clone() }, held);
            }
        } else if directives::adds_up(kind) {
            let held =
                self.values.entry(name).or_insert_with(|| Held { meaning: Vec::new(), spots: Vec::new() });
            held.meaning.extend(meaning);
            if !directives::is_ordered(kind) {
                held.meaning.sort();
                held.meaning.dedup();
            }
            held.spots.push(spot);
        } else {
            self.values.insert(name, Held { meaning, spots: vec![spot] });
        }
    }

    /// One text with everything that is set and usable, specifiers in place: for comparing with what is in force.
    pub fn to_file(&self) -> File {
        let mut text = String::new();
        for (name, held) in &self.values {
            let lines: Vec<String> = match directives::kind(&name.section, &name.key) {
                Kind::Assignments => held.meaning.iter().map(|assignment| quoted_again(assignment)).collect(),
                Kind::Text | Kind::Path => {
                    held.meaning.iter().map(|value| value.replace('%', "%%")).collect()
                }
                // Already as a unit file has it, but for specifiers.
                Kind::Command => held.meaning.iter().map(|value| value.replace('%', "%%")).collect(),
                Kind::Codes | Kind::Words | Kind::Edges => vec![held.meaning.join(" ")],
                _ => held.meaning.clone(),
            };
            for line in lines {
                text.push_str(&format!("[{}]\n{}={line}\n", name.section, name.key));
            }
        }
        // Of some directives nothing is a value.
        for name in self.emptied.keys().filter(|name| !self.values.contains_key(name)) {
            text.push_str(&format!("[{}]\n{}=\n", name.section, name.key));
        }
        File::parse(&text)
    }
}

/// An assignment as a line of a unit file.
fn quoted_again(assignment: &str) -> String {
    let (name, value) = assignment.split_once('=').unwrap_or((assignment, ""));
    // What no unit file can carry was read from none.
    quoting::assignment(name, value).unwrap_or_default()
}

/// The directories with drop-ins of a unit, the first of which counts most (systemd.unit(5), "Description"): for each
/// name from the most special to the most general, the manager's directories in their order.
pub fn drop_in_dirs(unit: &str, unit_path: &[PathBuf]) -> Vec<PathBuf> {
    let (stem, kind) = unit.rsplit_once('.').unwrap_or((unit, "service"));
    let mut names = vec![unit.to_owned()];
    if let Some((template, _)) = stem.split_once('@') {
        names.push(format!("{template}@.{kind}"));
    }
    let mut prefix = stem.split('@').next().unwrap_or(stem);
    while let Some(at) = prefix.rfind('-') {
        let shorter = &prefix[..=at];
        if shorter.len() < stem.len() && shorter.len() > 1 {
            names.push(format!("{shorter}.{kind}"));
        }
        prefix = prefix[..at].trim_end_matches('-');
    }
    names.push(kind.to_owned());
    names.iter().flat_map(|name| unit_path.iter().map(move |dir| dir.join(format!("{name}.d")))).collect()
}

/// The drop-ins that apply, in their order, of everything that is in those directories: of one name the first counts,
/// and names are sorted wherever they are.
pub fn drop_in_order(found: impl IntoIterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut by_name: BTreeMap<std::ffi::OsString, PathBuf> = BTreeMap::new();
    for path in found {
        let is_drop_in = path.extension().is_some_and(|extension| extension == "conf");
        if let Some(name) = path.file_name().map(Path::new).filter(|_| is_drop_in) {
            by_name.entry(name.as_os_str().to_owned()).or_insert(path.clone());
        }
    }
    by_name.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(path: &str, text: &str) -> Layer {
        Layer { path: path.into(), file: File::parse(text) }
    }

    fn merged(texts: &[&str]) -> Merged {
        let layers: Vec<Layer> =
            texts.iter().enumerate().map(|(at, text)| layer(&format!("/{at}"), text)).collect();
        merge(&layers, &Specifiers::default())
    }

    fn shown(merged: &Merged) -> Vec<String> {
        merged
            .values
            .iter()
            .map(|(name, held)| {
                let spots: Vec<String> =
                    held.spots.iter().map(|spot| format!("{}:{}", spot.path.display(), spot.line)).collect();
                format!("{name}={} {}", held.words(), spots.join(","))
            })
            .collect()
    }

    #[test]
    fn later_files_override_add_and_take_back() {
        let unit = "[Unit]\nAfter=a.service\n[Service]\nRestart=on-failure\nEnvironment=A=1 B=2\nEnvironment=A=3\n\
                    RestartPreventExitStatus=78\nExecStart=/bin/a\nTimeoutStopSec=5\n";
        let table: [(&str, &[&str]); 6] = [
            (
                "",
                &[
                    "Environment:A=A=3 /0:6",
                    "Environment:B=B=2 /0:5",
                    "ExecStart=/bin/a /0:8",
                    "Restart=on-failure /0:4",
                    "RestartPreventExitStatus=78 /0:7",
                    "TimeoutStopSec=5 /0:9",
                    "After=a.service /0:2",
                ],
            ),
            ("[Service]\nRestart=no\n", &["Restart=no /1:2"]),
            ("[Service]\nRestart=sometimes\n", &["Restart=on-failure /0:4"]),
            ("[Service]\nRestartPreventExitStatus=7\n", &["RestartPreventExitStatus=7 78 /0:7,/1:2"]),
            ("[Service]\nExecStart=\nExecStart=/bin/b\n", &["ExecStart=/bin/b /1:3"]),
            ("[Service]\nTimeoutSec=1min\n", &["TimeoutStartSec=60 /1:2", "TimeoutStopSec=60 /1:2"]),
        ];
        for (drop_in, expected) in table {
            let shown = shown(&merged(&[unit, drop_in]));
            for line in expected {
                assert!(shown.iter().any(|shown| shown == line), "{drop_in}: {line}: {shown:#?}");
            }
        }
        let emptied = merged(&[unit, "[Service]\nEnvironment=\n[Unit]\nAfter=\n"]);
        assert_eq!(emptied.variables().count(), 0);
        assert!(emptied.get("Unit", "After").is_some(), "dependencies cannot be taken back");
        let name = Name {
            section: "Service".to_owned(),
            key: "Environment".to_owned(),
            variable: Some("A".to_owned()),
        };
        assert_eq!(emptied.place(&name), Some(&Spot { path: "/1".into(), line: 2 }));
        assert_eq!(merged(&["[Service]\nRestart=maybe\n"]).dropped[0].name.to_string(), "Restart");
    }

    /// Lifecycle notes E9.7.
    #[test]
    fn drop_ins_come_from_many_places_and_one_of_a_name_counts() {
        let dirs = drop_in_dirs("a-b-c.service", &["/u".into(), "/e".into()]);
        let expected = [
            "/u/a-b-c.service.d",
            "/e/a-b-c.service.d",
            "/u/a-b-.service.d",
            "/e/a-b-.service.d",
            "/u/a-.service.d",
            "/e/a-.service.d",
            "/u/service.d",
            "/e/service.d",
        ];
        assert_eq!(dirs, expected.map(PathBuf::from));
        let found = [
            "/u/a.service.d/20-x.conf",
            "/e/a.service.d/10-y.conf",
            "/u/service.d/20-x.conf",
            "/u/service.d/README",
        ];
        let order = drop_in_order(found.map(PathBuf::from));
        assert_eq!(order, ["/e/a.service.d/10-y.conf", "/u/a.service.d/20-x.conf"].map(PathBuf::from));
    }
}
