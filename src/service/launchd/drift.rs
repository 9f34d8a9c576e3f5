//! What is different between the job that was last applied, the one on disk and the one that is wanted; key by key and by
//! meaning (lifecycle notes E8). And the way back, key by key.
//!
//! Pure. What launchd has in force is compared in `super::effective`; what to do about it is the caller's business.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plist::{Dictionary, Value};

use super::contract::{self, Terms};
use super::job;
use super::lines::line_of;
use super::meaning::{Setting, VARIABLES, same_job, settings};
use crate::service::inspection::{Drift, Name, Spot, Verdict, Weight};
use crate::service::redact;

/// The sides that are compared.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// What this release would write.
    pub wanted: &'a Dictionary,
    /// What was last applied, where that is known.
    pub applied: Option<&'a Dictionary>,
    /// What is on disk.
    pub present: &'a Dictionary,
    /// Where that is.
    pub path: &'a Path,
    /// The same as it is written, where that has lines.
    pub text: Option<&'a str>,
    /// Whether the file is ours to write.
    pub own: bool,
    /// Whether it still has our mark: without it, it may be another job altogether.
    pub marked: bool,
}

/// Everything that is different.
pub fn drift(sides: &Sides<'_>, terms: &Terms) -> Vec<Drift> {
    let all = |values| settings(values, terms.brand);
    let look = Look {
        sides,
        terms,
        wanted: all(sides.wanted),
        applied: sides.applied.map(all),
        present: all(sides.present),
    };
    let known = look.wanted.keys().chain(look.applied.iter().flat_map(BTreeMap::keys));
    let ours: BTreeSet<&Name> = known.collect();
    let mut found: Vec<Drift> = ours.iter().filter_map(|name| look.changed(name)).collect();
    let added = look.present.iter().filter(|(name, _)| !ours.contains(name));
    found.extend(added.filter_map(|(name, setting)| look.added(name, setting)));
    found
}

struct Look<'a> {
    sides: &'a Sides<'a>,
    terms: &'a Terms,
    wanted: BTreeMap<Name, Setting>,
    applied: Option<BTreeMap<Name, Setting>>,
    present: BTreeMap<Name, Setting>,
}

impl Look<'_> {
    /// A key of ours has another value than is wanted.
    fn changed(&self, name: &Name) -> Option<Drift> {
        let (wanted, present) = (self.wanted.get(name), self.present.get(name));
        if alike(wanted, present) {
            return None;
        }
        // One that cannot be used at all stands for each of its variables.
        let whole = self.present.get(&Name { variable: None, ..name.clone() });
        let lost = present.or(whole).filter(|present| present.meaning.is_none());
        let applied = self.applied.as_ref().and_then(|applied| applied.get(name));
        let verdict = match () {
            () if !self.sides.own => Verdict::Elsewhere,
            () if lost.is_some() => Verdict::Dropped,
            () if present.is_none() && (self.applied.is_none() || applied.is_some()) => Verdict::Missing,
            () if self.applied.is_some() && alike(applied, present) => Verdict::Outdated,
            () if self.applied.is_none() || alike(applied, wanted) => Verdict::Edited,
            () => Verdict::Conflict,
        };
        if wanted.is_none() {
            let judged = (Weight::Contract, "this release does not want it".to_owned());
            return (verdict == Verdict::Outdated).then(|| self.tell(verdict, name, judged, None, present));
        }
        let (mut weight, why) = contract::weigh(self.terms, name, present);
        if matches!(verdict, Verdict::Outdated | Verdict::Missing | Verdict::Dropped) {
            weight = weight.max(Weight::Contract);
        }
        let why = if why.is_empty() { "it is not as this release wants it" } else { why };
        let why = match lost {
            Some(_) => format!("launchd cannot use the value and has a default in its place: {why}"),
            None => why.to_owned(),
        };
        Some(self.tell(verdict, name, (weight, why), wanted, present.or(lost)))
    }

    /// Something that we do not set.
    fn added(&self, name: &Name, setting: &Setting) -> Option<Drift> {
        // What it is instead of variables is told of each of them.
        if name.key == VARIABLES && name.variable.is_none() {
            return None;
        }
        let tell = |verdict, weight, why: &str| {
            Some(self.tell(verdict, name, (weight, why.to_owned()), None, Some(setting)))
        };
        if name.variable.is_none() {
            if let Some(why) = contract::ignored_key(self.terms, &name.key) {
                return tell(Verdict::Ignored, Weight::Contract, why);
            }
            if let Some(meant) = self.meant(&name.key) {
                let why = format!("launchd has no such key; {meant} may be meant");
                return tell(Verdict::Ignored, Weight::Contract, &why);
            }
        }
        let key = |key: &str| Name { section: String::new(), key: key.to_owned(), variable: None };
        let words = self.present.get(&key("ProgramArguments")).and_then(|words| words.meaning.as_deref());
        let program = words.and_then(|words| words.split('\u{0}').next());
        let (weight, why) = contract::added_harm(self.terms, name, setting, program)?;
        tell(Verdict::Harmful, weight, why)
    }

    /// The key that one may be meant to be which nobody knows, and which is nearly that one.
    fn meant(&self, key: &str) -> Option<String> {
        let ours = self.wanted.keys().filter(|name| name.variable.is_none()).map(|name| name.key.as_str());
        let known: BTreeSet<&str> = ours.chain(contract::KNOWN).chain([VARIABLES]).collect();
        if known.contains(key) || key.len() < 4 {
            return None;
        }
        let near = |own: &&str| {
            let (a, b) = (own.to_ascii_lowercase(), key.to_ascii_lowercase());
            a == b || strsim::damerau_levenshtein(&a, &b) <= 2
        };
        known.into_iter().find(near).map(str::to_owned)
    }

    fn tell(
        &self,
        verdict: Verdict,
        name: &Name,
        (weight, why): (Weight, String),
        wanted: Option<&Setting>,
        found: Option<&Setting>,
    ) -> Drift {
        let whole = [name.key.as_str()];
        let path: Vec<&str> = whole.into_iter().chain(name.variable.as_deref()).collect();
        let line = |path: &[&str]| self.sides.text.and_then(|text| line_of(text, path));
        Drift {
            verdict,
            name: name.clone(),
            weight,
            why,
            wanted: wanted.map(|setting| fit_to_show(name, setting)),
            found: found.map(|setting| fit_to_show(name, setting)),
            spot: Some(Spot {
                path: self.sides.path.to_owned(),
                line: line(&path).or_else(|| line(&whole)).unwrap_or(0),
            }),
            in_unit: true,
            mends: match verdict {
                Verdict::Outdated => true,
                Verdict::Missing | Verdict::Dropped => self.sides.marked,
                _ => false,
            },
        }
    }
}

/// Whether two values mean the same; none means the same as none.
fn alike(a: Option<&Setting>, b: Option<&Setting>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.meaning.is_some() && a.meaning == b.meaning,
        _ => false,
    }
}

/// A value, fit to be shown.
fn fit_to_show(name: &Name, setting: &Setting) -> String {
    let line = match name.variable {
        Some(_) => setting.written.clone(),
        None => format!("{}={}", name.key, setting.written),
    };
    let safe = redact::redact_line(&line);
    match name.variable {
        Some(_) => safe,
        None => safe[(name.key.len() + 1).min(safe.len())..].to_owned(),
    }
}

/// The job on disk with the wanted values for these names, everything else as it is. Signed so that launchd shows
/// whether it has this one loaded; as one of ours only where nothing else is left in it.
pub fn mended(present: &Dictionary, wanted: &Dictionary, names: &[Name], terms: &Terms) -> Dictionary {
    let mut values = present.clone();
    for name in names {
        match &name.variable {
            None => put(&mut values, &name.key, wanted.get(&name.key)),
            Some(variable) => {
                let variables = wanted.get(VARIABLES).and_then(Value::as_dictionary);
                let value = variables.and_then(|variables| variables.get(variable));
                if values.get(VARIABLES).is_none_or(|present| present.as_dictionary().is_none()) {
                    values.insert(VARIABLES.to_owned(), Dictionary::new().into());
                }
                if let Some(Value::Dictionary(present)) = values.get_mut(VARIABLES) {
                    put(present, variable, value);
                }
            }
        }
    }
    if same_job(&values, wanted, terms.brand) {
        return wanted.clone();
    }
    job::sign_for_loading(&mut values, terms.brand);
    values
}

fn put(values: &mut Dictionary, key: &str, value: Option<&Value>) {
    match value {
        Some(value) => drop(values.insert(key.to_owned(), value.clone())),
        None => drop(values.remove(key)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::property_list;
    use super::*;
    use crate::instance::Brand;

    const WANTED: &str = "<key>Label</key><string>l</string>\n<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>\n\
        <key>ExitTimeOut</key><integer>45</integer>\n<key>EnvironmentVariables</key><dict>\n<key>PATH</key><string>/bin</string>\n\
        <key>FASED_DEFINITION</key><string>0</string>\n<key>FASED_PROFILE</key><string></string></dict>\n\
        <key>ProgramArguments</key><array><string>/bin/a</string></array>";

    fn values(xml: &str) -> Dictionary {
        property_list::read(list(xml).as_bytes()).unwrap()
    }

    fn list(xml: &str) -> String {
        format!("<plist version=\"1.0\"><dict>\n{xml}</dict></plist>")
    }

    fn terms() -> Terms {
        Terms { brand: Brand::Fased, drain: Duration::from_secs(30), system: false }
    }

    fn found(applied: Option<&str>, present: &str) -> Vec<Drift> {
        let (wanted, applied) = (values(WANTED), applied.map(values));
        let sides = Sides {
            wanted: &wanted,
            applied: applied.as_ref(),
            present: &values(present),
            path: Path::new("/p"),
            text: Some(&list(present)),
            own: true,
            marked: true,
        };
        drift(&sides, &terms())
    }

    fn shown(found: &[Drift]) -> Vec<String> {
        let line = |drift: &Drift| drift.spot.as_ref().map_or(0, |spot| spot.line);
        found
            .iter()
            .map(|drift| {
                let (verdict, weight) = (drift.verdict, drift.weight);
                format!("{} {verdict:?} {weight:?} {} {}", drift.name, line(drift), drift.mends)
            })
            .collect()
    }

    /// Lifecycle notes E8.
    #[test]
    fn every_row_of_the_table_has_its_verdict() {
        let with = |from: &str, to: &str| WANTED.replace(from, to);
        let old = with("<integer>45<", "<integer>20<");
        let mine = with("<integer>45<", "<integer>10<");
        let table: [(Option<&str>, &str, &[&str]); 14] = [
            (Some(WANTED), WANTED, &[]),
            (Some(WANTED), &with("<integer>45</integer>", "<real>45.0</real>"), &[]),
            (Some(WANTED), &with("<false/>", "<integer>0</integer>"), &[]),
            (Some(WANTED), &with("<key>Label", "<key>Nice</key><integer>5</integer><key>Label"), &[]),
            (Some(&old), &old, &["ExitTimeOut Outdated Contract 4 true"]),
            (Some(WANTED), &mine, &["ExitTimeOut Edited Contract 4 false"]),
            (Some(WANTED), &with("<integer>45<", "<integer>300<"), &["ExitTimeOut Edited Taste 4 false"]),
            (Some(&old), &mine, &["ExitTimeOut Conflict Contract 4 false"]),
            (None, &mine, &["ExitTimeOut Edited Contract 4 false"]),
            (
                Some(WANTED),
                &with("<integer>45</integer>", "<string>45</string>"),
                &["ExitTimeOut Dropped Contract 4 true"],
            ),
            (
                Some(WANTED),
                &with("<key>FASED_PROFILE</key><string></string>", ""),
                &["EnvironmentVariables:FASED_PROFILE Missing Identity 5 true"],
            ),
            (
                Some(WANTED),
                &with(
                    "</dict>\n<key>Program",
                    "<key>LD_PRELOAD</key><string>/x</string></dict>\n<key>Program",
                ),
                &["EnvironmentVariables:LD_PRELOAD Harmful Contract 8 false"],
            ),
            (
                Some(WANTED),
                &with("ExitTimeOut", "ExitTimeout"),
                &["ExitTimeOut Missing Contract 0 true", "ExitTimeout Ignored Contract 4 false"],
            ),
            (
                Some(WANTED),
                &with("<key>Label", "<key>Program</key><string>/bin/b</string><key>Label"),
                &["Program Harmful Identity 2 false"],
            ),
        ];
        for (applied, present, expected) in table {
            assert_eq!(shown(&found(applied, present)), expected, "{present}");
        }
    }

    #[test]
    fn a_repair_gives_back_ours_and_leaves_what_was_added() {
        let names = |found: &[Drift]| found.iter().map(|drift| drift.name.clone()).collect::<Vec<_>>();
        for broken in [
            WANTED.replace("45", "5"),
            WANTED.replace("<key>ExitTimeOut</key><integer>45</integer>", ""),
            WANTED.replace("/bin/a", "/bin/b").replace("/bin<", "/sbin<"),
            "<key>EnvironmentVariables</key><array/>".to_owned(),
            String::new(),
        ] {
            let left = mended(&values(&broken), &values(WANTED), &names(&found(None, &broken)), &terms());
            assert_eq!(left, values(WANTED), "{broken}");
        }
        let added =
            WANTED.replace("<key>Label", "<key>Nice</key><integer>5</integer><key>Label").replace("45", "5");
        let left = mended(&values(&added), &values(WANTED), &names(&found(Some(WANTED), &added)), &terms());
        assert_eq!(left.get("Nice").and_then(Value::as_unsigned_integer), Some(5));
        let again = property_list::to_xml(&left);
        let inner = again.split_once("<dict>").unwrap().1.rsplit_once("</dict>").unwrap().0;
        assert_eq!(found(Some(WANTED), inner), []);
        assert!(job::is_told_apart(&left, Brand::Fased));
    }

    #[test]
    fn values_that_sound_like_a_secret_are_not_shown() {
        let secret = "<key>ProgramArguments</key><array><string>/bin/a</string><string>--token</string><string>hunter2</string></array>\
            <key>EnvironmentVariables</key><dict><key>FASED_GATEWAY_TOKEN</key><string>hunter2</string></dict>";
        let found = found(Some(WANTED), secret);
        assert!(found.len() > 2 && !format!("{found:?}").contains("hunter2"), "{found:?}");
    }
}
