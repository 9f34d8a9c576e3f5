//! What is different: between what was last applied, what is on disk, what is wanted, and the drop-ins; key by key and
//! by meaning (lifecycle notes E8).
//!
//! Pure. What is in force is compared in `super::effective`; what to do about it is the caller's business.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::contract::{self, Terms};
use super::directives::{self, Kind};
use super::layers::{Dropped, Held, Layer, Merged, merge};
use super::specifier::Specifiers;
use crate::service::inspection::{Drift, Name, Spot, Verdict, Weight};
use crate::service::redact;

/// The sides that are compared.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// What this release would write.
    pub wanted: &'a Layer,
    /// What was last applied, where that is known.
    pub applied: Option<&'a Layer>,
    /// What is on disk.
    pub unit: &'a Layer,
    /// The drop-ins that apply, in order.
    pub drop_ins: &'a [Layer],
    /// Whether the unit file is ours to write.
    pub own: bool,
    /// Whether the unit still has our mark: without it, it may be another unit altogether.
    pub marked: bool,
    /// Whether the manager cannot use the definition at all.
    pub unusable: bool,
}

/// Everything that is different.
pub fn drift(sides: &Sides<'_>, terms: &Terms, specifiers: &Specifiers) -> Vec<Drift> {
    let wanted = merge([sides.wanted], specifiers);
    let applied = sides.applied.map(|applied| merge([applied], specifiers));
    let unit = merge([sides.unit], specifiers);
    let all = merge(std::iter::once(sides.unit).chain(sides.drop_ins), specifiers);
    let look = Look { sides, terms, wanted: &wanted, applied: applied.as_ref(), unit: &unit, all: &all };

    let mut found = Vec::new();
    let known = wanted.values.keys().chain(applied.iter().flat_map(|applied| applied.values.keys()));
    let ours: BTreeSet<&Name> = known.filter(|name| !name.key.starts_with("X-")).collect();
    for name in &ours {
        found.extend(look.in_unit(name));
        found.extend(look.overridden(name));
    }
    for (name, held) in &all.values {
        if !ours.contains(name) && !name.key.starts_with("X-") {
            found.extend(look.added(name, held));
        }
    }
    found.extend(all.dropped.iter().filter_map(|dropped| look.dropped(dropped, &ours)));
    let layers = std::iter::once(sides.unit).chain(sides.drop_ins);
    found.extend(layers.flat_map(|layer| ignored(layer, &wanted)));
    found
}

struct Look<'a> {
    sides: &'a Sides<'a>,
    terms: &'a Terms,
    wanted: &'a Merged,
    applied: Option<&'a Merged>,
    unit: &'a Merged,
    all: &'a Merged,
}

impl Look<'_> {
    /// The unit has another value than is wanted.
    fn in_unit(&self, name: &Name) -> Option<Drift> {
        let (wanted, unit) = (self.wanted.values.get(name), self.unit.values.get(name));
        let effective = self.all.values.get(name);
        if same(wanted, unit) || (!self.sides.own && same(wanted, effective)) {
            return None;
        }
        let lost = self.unit.dropped.iter().find(|dropped| is_about(&dropped.name, name));
        let applied = self.applied.and_then(|applied| applied.values.get(name));
        let verdict = match () {
            () if !self.sides.own => Verdict::Elsewhere,
            () if lost.is_some() => Verdict::Dropped,
            () if unit.is_none() && (self.applied.is_none() || applied.is_some()) => Verdict::Missing,
            () if self.applied.is_some() && same(applied, unit) => Verdict::Outdated,
            () if self.applied.is_none() || same(applied, wanted) => Verdict::Edited,
            () => Verdict::Conflict,
        };
        // What we want to be gone counts as our own business only where we wrote it.
        let Some(judged) = wanted else {
            return (verdict == Verdict::Outdated).then(|| {
                self.tell(verdict, name, (Weight::Contract, "this release does not want it"), None, unit)
            });
        };
        let (mut weight, why) = contract::weigh(self.terms, name, judged, unit);
        if verdict == Verdict::Outdated || verdict == Verdict::Missing {
            weight = weight.max(Weight::Contract);
        }
        let why = if why.is_empty() { "it is not as this release wants it" } else { why };
        let mut drift = self.tell(verdict, name, (weight, why), wanted, unit);
        if let Some(lost) = lost {
            drift.found = Some(shown(name, &lost.value));
            drift.spot = Some(lost.spot.clone());
            drift.weight = weight.max(Weight::Contract);
            drift.why = format!("systemd cannot use the value and has a default in its place: {why}");
        }
        Some(drift)
    }

    /// A drop-in has another value than is wanted, and than the unit has.
    fn overridden(&self, name: &Name) -> Option<Drift> {
        let (wanted, unit) = (self.wanted.values.get(name)?, self.unit.values.get(name));
        let effective = self.all.values.get(name);
        if same(wanted.into(), effective) || same(unit, effective) {
            return None;
        }
        let judged = contract::weigh(self.terms, name, wanted, effective);
        Some(self.tell(Verdict::Overridden, name, judged, Some(wanted), effective))
    }

    /// Something that we do not set.
    fn added(&self, name: &Name, held: &Held) -> Option<Drift> {
        let judged = contract::harm(self.terms, name, held)?;
        let mut drift = self.tell(Verdict::Harmful, name, judged, None, Some(held));
        drift.in_unit = drift.spot.as_ref().is_some_and(|spot| spot.path == self.sides.unit.path);
        Some(drift)
    }

    /// A value of a drop-in that the manager drops; those of the unit are told as differences.
    fn dropped(&self, dropped: &Dropped, ours: &BTreeSet<&Name>) -> Option<Drift> {
        let in_unit = dropped.spot.path == self.sides.unit.path;
        let told = in_unit && ours.iter().any(|name| is_about(&dropped.name, name));
        (!told).then(|| Drift {
            verdict: Verdict::Dropped,
            name: dropped.name.clone(),
            weight: Weight::Contract,
            why: "systemd cannot use the value, and acts as if the line were not there".to_owned(),
            wanted: None,
            found: Some(shown(&dropped.name, &dropped.value)),
            spot: Some(dropped.spot.clone()),
            in_unit,
            mends: false,
        })
    }

    fn tell(
        &self,
        verdict: Verdict,
        name: &Name,
        (weight, why): (Weight, &str),
        wanted: Option<&Held>,
        found: Option<&Held>,
    ) -> Drift {
        let in_unit = !matches!(verdict, Verdict::Overridden | Verdict::Harmful);
        let side = if in_unit { self.unit } else { self.all };
        let mends = match verdict {
            Verdict::Outdated => true,
            Verdict::Missing | Verdict::Dropped => self.sides.marked,
            Verdict::Edited | Verdict::Conflict => self.sides.unusable,
            Verdict::Elsewhere => weight > Weight::Taste,
            Verdict::Overridden | Verdict::Harmful | Verdict::Ignored => false,
        };
        let unit = || self.sides.unit.path.clone();
        Drift {
            verdict,
            name: name.clone(),
            weight,
            why: why.to_owned(),
            wanted: wanted.map(|held| shown(name, &held.words())),
            found: found.map(|held| shown(name, &held.words())),
            // What is missing is missing in the unit.
            spot: side.place(name).cloned().or_else(|| in_unit.then(|| Spot { path: unit(), line: 0 })),
            in_unit,
            mends,
        }
    }
}

/// Whether two values mean the same; none means the same as none.
fn same(a: Option<&Held>, b: Option<&Held>) -> bool {
    a.map(|held| &held.meaning) == b.map(|held| &held.meaning)
}

/// Whether a line about `whole` is about `name` too: a line of `Environment=` is about every variable.
fn is_about(whole: &Name, name: &Name) -> bool {
    whole.section == name.section
        && whole.key == name.key
        && whole.variable.as_ref().is_none_or(|own| Some(own) == name.variable.as_ref())
}

/// A value, fit to be shown.
fn shown(name: &Name, value: &str) -> String {
    // The words of a secret are known by the name before them.
    let line = if name.variable.is_some() { value.to_owned() } else { format!("{}={value}", name.key) };
    let safe = redact::redact_line(&line);
    match name.variable {
        Some(_) => safe,
        None => safe[(name.key.len() + 1).min(safe.len())..].to_owned(),
    }
}

/// Lines and sections that the manager ignores, and keys that look like ours and are not.
fn ignored(layer: &Layer, wanted: &Merged) -> Vec<Drift> {
    let tell = |section: &str, key: &str, line: usize, found: &str, why: String| Drift {
        verdict: Verdict::Ignored,
        name: Name { section: section.to_owned(), key: key.to_owned(), variable: None },
        weight: Weight::Contract,
        why,
        wanted: None,
        found: Some(redact::redact_line(found)),
        spot: Some(Spot { path: layer.path.clone(), line }),
        in_unit: false,
        mends: false,
    };
    let mut found: Vec<Drift> = layer
        .file
        .ignored()
        .map(|(line, text)| {
            let key = text.split('=').next().unwrap_or(text).trim();
            tell("", key, line, text, "systemd ignores this line".to_owned())
        })
        .collect();
    let mut sections: Vec<&str> = Vec::new();
    for setting in layer.file.settings() {
        let known =
            matches!(setting.section, "Unit" | "Service" | "Install") || setting.section.starts_with("X-");
        if !known {
            if !sections.contains(&setting.section) {
                let why = format!("systemd ignores the section [{}] of a service", setting.section);
                found.push(tell(setting.section, setting.key, setting.line, setting.section, why));
                sections.push(setting.section);
            }
        } else if let Some(meant) = meant(setting.section, setting.key, wanted) {
            let why = format!("systemd has no such directive; {meant}= may be meant");
            found.push(tell(setting.section, setting.key, setting.line, setting.value, why));
        }
    }
    found
}

/// The directive of ours that a key may be meant to be: one that nobody knows, and that is nearly that one.
fn meant<'a>(section: &str, key: &str, wanted: &'a Merged) -> Option<&'a str> {
    if directives::kind(section, key) != Kind::Lines
        || key.starts_with("X-")
        || key.len() < 4
        || key == "TimeoutSec"
    {
        return None;
    }
    let ours = wanted.values.keys().filter(|name| name.section == section);
    ours.map(|name| name.key.as_str()).find(|own| {
        let (a, b) = (own.to_ascii_lowercase(), key.to_ascii_lowercase());
        *own != key && (a == b || strsim::damerau_levenshtein(&a, &b) <= 2)
    })
}

/// The unit's text with our values for these names, everything else as it is.
pub fn mended(unit: &str, wanted: &Layer, names: &[Name], specifiers: &Specifiers) -> String {
    let ours = wanted.file.to_string();
    let mut file = super::syntax::File::parse(unit);
    file.drop_cut_off_line(&ours.lines().collect::<Vec<_>>());
    let mut keys: Vec<(&str, &str)> =
        names.iter().map(|name| (name.section.as_str(), name.key.as_str())).collect();
    keys.sort_unstable();
    keys.dedup();
    for (section, key) in keys {
        let variables: Option<Vec<&str>> = names
            .iter()
            .filter(|name| name.section == section && name.key == key)
            .map(|name| name.variable.as_deref())
            .collect();
        match variables {
            Some(variables) => mend_variables(&mut file, wanted, &variables, specifiers),
            None => {
                let lines = lines_of(wanted, section, key, |_| true);
                file.replace(
                    section,
                    |setting| directives::current_name(setting.section, setting.key).1 == key,
                    &lines,
                );
            }
        }
    }
    let mended = file.to_string();
    if is_nobody_elses(&mended, &ours) { ours } else { mended }
}

/// Whether nothing of anybody else's is in a unit that means the same as ours: then it is ours again, line by line, with
/// our marks, which are no setting that is compared.
fn is_nobody_elses(mended: &str, ours: &str) -> bool {
    let is_comment = |line: &&str| line.starts_with(['#', ';']);
    let key = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
    let marks: BTreeSet<String> = ours.lines().filter(|line| line.starts_with("X-")).map(key).collect();
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut lines: Vec<String> = lines
            .filter(|line| !is_comment(line) && !marks.contains(&key(line)))
            .map(str::to_owned)
            .collect();
        lines.sort_unstable();
        lines
    };
    let comments: Vec<&str> = ours.lines().filter(is_comment).collect();
    lines(mended) == lines(ours) && mended.lines().filter(is_comment).all(|line| comments.contains(&line))
}

/// The lines that set a key in the wanted unit.
fn lines_of(wanted: &Layer, section: &str, key: &str, takes: impl Fn(&str) -> bool) -> Vec<String> {
    let settings = wanted.file.settings().filter(|setting| setting.section == section && setting.key == key);
    settings
        .filter(|setting| takes(setting.value))
        .map(|setting| format!("{}={}", setting.key, setting.value))
        .collect()
}

/// Lines of `Environment=` may set several variables: those that also set others stay, and ours comes after them.
fn mend_variables(
    file: &mut super::syntax::File,
    wanted: &Layer,
    variables: &[&str],
    specifiers: &Specifiers,
) {
    let sets = |value: &str| -> Vec<String> {
        let words = directives::meaning(Kind::Assignments, value, specifiers).unwrap_or_default();
        words.iter().map(|word| word.split('=').next().unwrap_or_default().to_owned()).collect()
    };
    let lines = lines_of(wanted, "Service", "Environment", |value| {
        sets(value).iter().any(|own| variables.contains(&own.as_str()))
    });
    let takes = |setting: &super::syntax::Setting<'_>| {
        let own = sets(setting.value);
        setting.key == "Environment"
            && own.iter().all(|own| variables.contains(&own.as_str()))
            && !setting.value.is_empty()
    };
    file.replace("Service", takes, &[]);
    file.replace("Service", |_| false, &lines);
}

/// A drop-in's text without these names. Variables that share a line with others stay, and are taken back after it.
pub fn without(drop_in: &str, names: &[Name], wanted: &Layer, specifiers: &Specifiers) -> String {
    let mut file = super::syntax::File::parse(drop_in);
    for name in names {
        let takes = |setting: &super::syntax::Setting<'_>| {
            let own = directives::current_name(setting.section, setting.key)
                == (name.section.as_str(), name.key.as_str())
                || (setting.key == "TimeoutSec" && name.key.starts_with("Timeout"));
            let variables =
                || directives::meaning(Kind::Assignments, setting.value, specifiers).unwrap_or_default();
            match &name.variable {
                None => own,
                Some(variable) => {
                    let words = variables();
                    own && (words.is_empty()
                        || words.iter().all(|word| word.split('=').next() == Some(variable)))
                }
            }
        };
        // An older spelling may stand in another section.
        let mut sections: Vec<String> = file.settings().map(|setting| setting.section.to_owned()).collect();
        sections.dedup();
        for section in sections {
            file.replace(&section, takes, &[]);
        }
        let left = Layer { path: PathBuf::new(), file: file.clone() };
        if name.variable.is_some() && merge([&left], specifiers).values.contains_key(name) {
            mend_variables(&mut file, wanted, &[name.variable.as_deref().unwrap_or_default()], specifiers);
        }
    }
    file.to_string()
}

/// A drop-in that gives these names our values over everything before it.
pub fn corrective(command: &str, wanted: &Layer, names: &[Name], specifiers: &Specifiers) -> String {
    let mut file = super::syntax::File::parse(&format!(
        "# Written by `{command} doctor`: what the unit, which is not ours to change, has otherwise.\n"
    ));
    corrective_lines(&mut file, wanted, names, specifiers);
    file.to_string()
}

/// The lines of such a drop-in.
pub(super) fn corrective_lines(
    file: &mut super::syntax::File,
    wanted: &Layer,
    names: &[Name],
    specifiers: &Specifiers,
) {
    let mut done: Vec<(&str, &str)> = Vec::new();
    for name in names.iter().filter(|name| name.variable.is_none()) {
        let key = (name.section.as_str(), name.key.as_str());
        if done.contains(&key) {
            continue;
        }
        done.push(key);
        let mut lines = lines_of(wanted, key.0, key.1, |_| true);
        if directives::adds_up(directives::kind(key.0, key.1)) || lines.is_empty() {
            lines.insert(0, format!("{}=", key.1));
        }
        file.replace(key.0, |setting| setting.key == key.1, &lines);
    }
    let variables: Vec<&str> = names.iter().filter_map(|name| name.variable.as_deref()).collect();
    if !variables.is_empty() {
        mend_variables(file, wanted, &variables, specifiers);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::syntax::File;
    use super::*;
    use crate::instance::Brand;

    const WANTED: &str = "[Unit]\nDescription=A\nX-Fased-Checksum=1\n[Service]\nType=notify\nExecStart=/bin/a run\n\
        Environment=PATH=/bin\nEnvironment=FASED_PROFILE=\nRestart=on-failure\nTimeoutStopSec=45\nKillMode=mixed\n\
        RestartPreventExitStatus=78 7\n[Install]\nWantedBy=default.target\n";

    fn layer(path: &str, text: &str) -> Layer {
        Layer { path: path.into(), file: File::parse(text) }
    }

    fn terms() -> Terms {
        Terms { brand: Brand::Fased, drain: Duration::from_secs(30), user_scope: true }
    }

    fn differences(applied: Option<&str>, unit: &str, drop_ins: &[&str]) -> Vec<Drift> {
        let applied = applied.map(|text| layer("/r", text));
        let drop_ins: Vec<Layer> =
            drop_ins.iter().enumerate().map(|(at, text)| layer(&format!("/d{at}"), text)).collect();
        let sides = Sides {
            wanted: &layer("/u", WANTED),
            applied: applied.as_ref(),
            unit: &layer("/u", unit),
            drop_ins: &drop_ins,
            own: true,
            marked: true,
            unusable: false,
        };
        drift(&sides, &terms(), &Specifiers::default())
    }

    fn shown(found: &[Drift]) -> Vec<String> {
        let spot =
            |drift: &Drift| drift.spot.as_ref().map(|spot| format!("{}:{}", spot.path.display(), spot.line));
        found
            .iter()
            .map(|drift| {
                let (verdict, weight) = (drift.verdict, drift.weight);
                format!(
                    "{} {verdict:?} {weight:?} {} {}",
                    drift.name,
                    spot(drift).unwrap_or_default(),
                    drift.mends
                )
            })
            .collect()
    }

    /// Lifecycle notes E8.
    #[test]
    fn every_row_of_the_table_has_its_verdict() {
        let with = |from: &str, to: &str| WANTED.replace(from, to);
        let old = with("KillMode=mixed", "KillMode=process");
        let mine = with("KillMode=mixed", "KillMode=none");
        let table: [(Option<&str>, &str, &[&str], &[&str]); 13] = [
            (Some(WANTED), WANTED, &[], &[]),
            (Some(&old), &old, &[], &["KillMode Outdated Contract /u:11 true"]),
            (Some(WANTED), &mine, &[], &["KillMode Edited Contract /u:11 false"]),
            (Some(&old), &mine, &[], &["KillMode Conflict Contract /u:11 false"]),
            (None, &mine, &[], &["KillMode Edited Contract /u:11 false"]),
            (Some(WANTED), &with("KillMode=mixed\n", ""), &[], &["KillMode Missing Contract /u:0 true"]),
            (
                Some(WANTED),
                &with("KillMode=mixed", "KillMode=x"),
                &[],
                &["KillMode Dropped Contract /u:11 true"],
            ),
            (
                Some(WANTED),
                WANTED,
                &["[Service]\nKillMode=none\n"],
                &["KillMode Overridden Contract /d0:2 false"],
            ),
            (Some(WANTED), WANTED, &["[Service]\nKillMode=none\n", "[Service]\nKillMode=mixed\n"], &[]),
            (Some(WANTED), WANTED, &["[Service]\nNice=5\nEnvironment=A=1\n"], &[]),
            (
                Some(WANTED),
                WANTED,
                &["[Service]\nTimeoutStopSec=2min\n"],
                &["TimeoutStopSec Overridden Taste /d0:2 false"],
            ),
            (
                Some(WANTED),
                WANTED,
                &["[Service]\nEnvironment=\n"],
                &[
                    "Environment:FASED_PROFILE Overridden Identity /d0:2 false",
                    "Environment:PATH Overridden Contract /d0:2 false",
                ],
            ),
            (
                Some(WANTED),
                WANTED,
                &["[Service]\nUser=x\nRestrat=no\n"],
                &["User Harmful Identity /d0:2 false", "Restrat Ignored Contract /d0:3 false"],
            ),
        ];
        for (applied, unit, drop_ins, expected) in table {
            assert_eq!(shown(&differences(applied, unit, drop_ins)), expected, "{unit} {drop_ins:?}");
        }
    }

    #[test]
    fn values_that_sound_like_a_secret_are_not_shown() {
        let drop_in = "[Service]\nEnvironment=FASED_GATEWAY_TOKEN=hunter2\nExecStart=\nExecStart=/bin/a --token hunter2\n";
        let found = differences(Some(WANTED), WANTED, &[drop_in]);
        assert_eq!(found.len(), 2);
        assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    }

    #[test]
    fn a_mended_unit_is_ours_and_what_the_operator_added_stays() {
        let specifiers = Specifiers::default();
        let wanted = layer("/u", WANTED);
        let names = |found: &[Drift]| found.iter().map(|drift| drift.name.clone()).collect::<Vec<_>>();
        for broken in [
            WANTED.replace("KillMode=mixed\n", ""),
            WANTED.replace("on-failure", "no"),
            WANTED.replace("Environment=PATH=/bin\n", "").replace("FASED_PROFILE=", "FASED_PROFILE=x"),
            WANTED[..120].to_owned(),
        ] {
            let found = differences(Some(WANTED), &broken, &[]);
            assert_eq!(mended(&broken, &wanted, &names(&found), &specifiers), WANTED, "{broken}");
        }
        let added = WANTED.replace("KillMode=mixed", "# mine\nNice=5\nKillMode=none");
        let found = differences(Some(WANTED), &added, &[]);
        let expected = WANTED.replace("KillMode=mixed", "# mine\nNice=5\nKillMode=mixed");
        assert_eq!(mended(&added, &wanted, &names(&found), &specifiers), expected);
    }

    #[test]
    fn what_is_taken_out_of_a_drop_in_takes_nothing_else_along() {
        let wanted = layer("/u", WANTED);
        let specifiers = Specifiers::default();
        let text = "[Service]\nNice=5\nEnvironment=A=1 FASED_PROFILE=x\nKillMode=none\n";
        let found = differences(Some(WANTED), WANTED, &[text]);
        let names: Vec<Name> = found.iter().map(|drift| drift.name.clone()).collect();
        let left = without(text, &names, &wanted, &specifiers);
        assert_eq!(left, "[Service]\nNice=5\nEnvironment=A=1 FASED_PROFILE=x\nEnvironment=FASED_PROFILE=\n");
        assert_eq!(differences(Some(WANTED), WANTED, &[&left]), []);
        let right = corrective("fased", &wanted, &names, &specifiers);
        assert_eq!(differences(Some(WANTED), WANTED, &[text, &right]), []);
    }

    /// One line of the wanted unit, changed in some way.
    fn mutated() -> impl Strategy<Value = String> {
        let lines: Vec<&str> = WANTED.lines().collect();
        let change = (0..lines.len(), 0..5_u8, "[ -~]{0,12}");
        proptest::collection::vec(change, 1..5).prop_map(|changes| {
            let mut lines: Vec<String> = WANTED.lines().map(str::to_owned).collect();
            for (at, how, text) in changes {
                let at = at % lines.len().max(1);
                match how {
                    0 if lines.len() > 1 => drop(lines.remove(at)),
                    1 => lines[at].push_str(&text),
                    2 => lines.insert(at, text),
                    3 => lines[at] = text,
                    _ => lines.push(lines[at].clone()),
                }
            }
            lines.join("\n")
        })
    }

    proptest! {
        /// Whatever is in a unit or a drop-in, it is looked at, and a repair can be written.
        #[test]
        fn no_text_makes_it_panic(unit in proptest::collection::vec(any::<u8>(), 0..400), drop_in in mutated()) {
            let unit = String::from_utf8_lossy(&unit).into_owned();
            for (unit, drop_in) in [(&unit, &drop_in), (&drop_in, &unit)] {
                let found = differences(Some(WANTED), unit, &[drop_in]);
                let names: Vec<Name> = found.iter().map(|drift| drift.name.clone()).collect();
                let (wanted, specifiers) = (layer("/u", WANTED), Specifiers::default());
                mended(unit, &wanted, &names, &specifiers);
                without(drop_in, &names, &wanted, &specifiers);
                corrective("fased", &wanted, &names, &specifiers);
            }
        }

        /// Lifecycle notes B8: what is repaired is not found again.
        #[test]
        fn a_repair_of_every_key_converges(unit in mutated()) {
            let ours = |found: &[Drift]| found.iter().filter(|drift| drift.in_unit && drift.verdict != Verdict::Ignored).map(|drift| drift.name.clone()).collect::<Vec<_>>();
            let names = ours(&differences(Some(WANTED), &unit, &[]));
            let wanted = layer("/u", WANTED);
            let repaired = mended(&unit, &wanted, &names, &Specifiers::default());
            let left: Vec<Name> = ours(&differences(Some(WANTED), &repaired, &[])).into_iter().filter(|name| names.contains(name)).collect();
            prop_assert_eq!(left, Vec::<Name>::new(), "{}\n---\n{}", unit, repaired);
        }
    }
}
