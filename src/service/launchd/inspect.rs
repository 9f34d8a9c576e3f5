//! One close look at a job for the doctor: its property list, what launchd has loaded, and what should be there.
//! Nothing is changed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plist::Dictionary;

use super::contract::Terms;
use super::drift::{self, Sides};
use super::job::{self, Installed};
use super::launchctl::{self, Look};
use super::lines::line_of;
use super::print::Printed;
use super::{Launchd, effective, property_list, siblings};
use crate::host;
use crate::host::stat::Kind;
use crate::instance::Scope;
use crate::service::definition::{Marked, Standing};
use crate::service::error::ServiceError;
use crate::service::inspection::{
    Drift, Inspect, Inspection, Mender, Name, Need, NeedKind, Question, Sibling, Spot, Weight,
};
use crate::service::manager::Manager;
use crate::service::observed::Observed;
use crate::service::place;
use crate::service::plan::Desired;
use crate::service::secrets;
use crate::service::spec::{Account, Choices, ServiceSpec};

/// Everything that is needed to write repaired texts. launchd has one file for a job, and nothing beside it.
#[derive(Debug)]
struct PropertyLists {
    terms: Terms,
    present: Option<Dictionary>,
    wanted: Option<Dictionary>,
}

impl Mender for PropertyLists {
    fn definition(&self, names: &[Name]) -> Option<String> {
        let values = drift::mended(self.present.as_ref()?, self.wanted.as_ref()?, names, &self.terms);
        Some(property_list::to_xml(&values))
    }

    fn drop_in(&self, _: &Path, _: &[Name]) -> Option<(String, Option<String>)> {
        None
    }

    fn corrective(&self, _: &str, _: &[Name]) -> Option<(PathBuf, String, String)> {
        None
    }

    fn sets_variable(&self, name: &str) -> bool {
        let installed = self.present.as_ref().map(|values| Installed::read(values, self.terms.brand));
        installed.is_some_and(|installed| installed.environment.iter().any(|(own, _)| own == name))
    }

    fn legible(&self, text: &str) -> String {
        // What is no property list may hold a secret anywhere.
        property_list::read(text.as_bytes()).map(|values| property_list::flat(&values)).unwrap_or_default()
    }

    fn is_intact(&self, text: &str) -> bool {
        property_list::read(text.as_bytes())
            .is_ok_and(|values| job::mark_of(&values, self.terms.brand) == Marked::Intact)
    }
}

/// The files on disk.
#[derive(Default)]
struct Files {
    /// The file that counts.
    path: Option<PathBuf>,
    /// What it says.
    values: Option<Dictionary>,
    /// As it is written, where it is text.
    text: Option<String>,
    open_to_others: Option<u32>,
    siblings: Vec<Sibling>,
}

impl Inspect for Launchd {
    async fn inspect(&self, question: Question<'_>) -> Inspection {
        let observed = self.observe().await;
        let printed = match self.look().await {
            Ok(Look::Loaded(printed)) => Some(*printed),
            Ok(Look::Absent) | Err(_) => None,
        };
        let files = {
            let (launchd, observed, printed) = (self.clone(), observed.clone(), printed.clone());
            let work = move || launchd.read_files(&observed, printed.as_ref());
            // Reading neither panics nor is it aborted: the runtime is still here to await it.
            tokio::task::spawn_blocking(work).await.unwrap_or_default()
        };
        let brand = self.instance.brand;
        let own = files.path.is_none()
            || (files.path.as_ref() == Some(&observed.definition.path)
                && observed.definition.standing != Standing::Linked);
        let desired = self.wish(question, &observed, files.values.as_ref());
        let wanted =
            desired.as_ref().ok().and_then(|desired| property_list::read(desired.text.as_bytes()).ok());
        let terms = Terms { brand, drain: question.drain, system: observed.scope == Scope::System };
        let command = files.values.as_ref().map(|values| Installed::read(values, brand).command);
        let needs = files.values.as_ref().map(|values| needed(&files, values)).unwrap_or_default();
        let mut drift = differences(&observed, &files, wanted.as_ref(), &terms, own);
        for drift in &mut drift {
            // Whatever may be chosen, it has to be there.
            if let Some(need) = needs.iter().find(|need| need.name == drift.name) {
                drift.weight = Weight::Identity;
                drift.why = format!("it cannot be used: {}", need.problem);
            }
        }
        let account = self.account_of(observed.definition.found.text()).await;
        let mut siblings = files.siblings.clone();
        if let Ok(control) = self.control() {
            siblings::ask_about(&mut siblings, control.domain.get()).await;
        }
        Inspection {
            drift,
            stale: self.stale(printed.as_ref(), &files),
            stale_by_hint: false,
            unit: files.path.clone(),
            own,
            open_to_others: files.open_to_others,
            others: Vec::new(),
            drop_ins: Vec::new(),
            unreadable: Vec::new(),
            environment: match (&printed, observed.manager.reached()) {
                (_, None) => Err("launchd cannot be asked".to_owned()),
                (printed, Some(_)) => {
                    Ok(printed.as_ref().map(|printed| printed.inherited.clone()).unwrap_or_default())
                }
            },
            needs,
            command: command.unwrap_or_default(),
            hardening: None,
            account: account.map(|ids| (ids.user, ids.group)),
            frozen: false,
            siblings,
            mender: Arc::new(PropertyLists { terms, present: files.values, wanted }),
            desired,
            observed,
        }
    }

    async fn unset_environment(&self, names: &[&str]) -> Result<(), ServiceError> {
        Ok(launchctl::unset_environment(names).await?)
    }
}

impl Launchd {
    /// Reads the definition that counts, and looks for other gateways.
    fn read_files(&self, observed: &Observed, printed: Option<&Printed>) -> Files {
        let own = &observed.definition.path;
        let loaded = printed.and_then(|printed| printed.path.as_ref()).map(PathBuf::from);
        let path = match observed.definition.standing {
            Standing::Missing => loaded.filter(|path| path.exists() && !place::same_place(path, own)),
            Standing::Masked => None,
            _ => Some(own.clone()),
        };
        let bytes = path.as_ref().and_then(|path| host::fs::read_bytes(path, place::LIMIT).ok().flatten());
        let values = bytes.as_ref().and_then(|bytes| property_list::read(bytes).ok());
        let stat = host::stat::at(own).ok().flatten().filter(|stat| stat.kind == Kind::File);
        Files {
            text: bytes.and_then(|bytes| String::from_utf8(bytes).ok()),
            open_to_others: stat.map(|stat| stat.mode).filter(|mode| mode & 0o022 != 0),
            siblings: self.defined_elsewhere(),
            values,
            path,
        }
    }

    /// Why launchd has something else loaded than what is on disk.
    fn stale(&self, printed: Option<&Printed>, files: &Files) -> Vec<String> {
        let (Some(printed), Some(values), Ok(control)) = (printed, &files.values, self.control()) else {
            return Vec::new();
        };
        let mut why = effective::out_of_force(printed, values, self.instance.brand);
        let elsewhere = files.path.as_ref() == Some(&control.plist) && control.is_elsewhere(printed);
        if let (true, Some(path)) = (elsewhere, &printed.path) {
            why.push(format!("it was loaded from {path}"));
        }
        why
    }

    /// What should be there: with the program and the port that were chosen when it was installed.
    fn wish(
        &self,
        question: Question<'_>,
        observed: &Observed,
        present: Option<&Dictionary>,
    ) -> Result<Desired, String> {
        let brand = self.instance.brand;
        let record = observed.record.record().filter(|record| record.unit == observed.unit);
        let mark = present.map_or(Marked::No, |values| job::mark_of(values, brand));
        let intact = mark == Marked::Intact;
        // What somebody else wrote says nothing about what was chosen, nor what somebody may have changed.
        let installed = present.filter(|_| mark != Marked::No).map(|values| Installed::read(values, brand));
        let applied = record.and_then(|record| property_list::read(record.text.as_bytes()).ok());
        let applied = applied.map(|values| Installed::read(&values, brand));
        let told = if intact || applied.is_none() { installed } else { applied };
        let program = match (record, told.as_ref().and_then(|told| told.command.first())) {
            (Some(record), _) => record.program.clone(),
            (None, Some(program)) => PathBuf::from(program),
            (None, None) => question.program.to_owned(),
        };
        let port = record.map_or_else(|| told.as_ref().and_then(Installed::port), |record| record.port);
        let account = told.as_ref().and_then(|told| Account::named(told.user.as_deref()?).ok());
        let choices = Choices {
            port,
            account: account.unwrap_or_default(),
            credentials: secrets::to_hand_over(&self.instance, &[]),
            ..Choices::new(&program, question.dirs, question.drain)
        };
        let spec = ServiceSpec::for_gateway(&self.instance, &choices).map_err(|error| error.to_string())?;
        self.desire(&spec, observed).map_err(|error| error.to_string())
    }
}

fn differences(
    observed: &Observed,
    files: &Files,
    wanted: Option<&Dictionary>,
    terms: &Terms,
    own: bool,
) -> Vec<Drift> {
    let (Some(path), Some(present), Some(wanted)) = (&files.path, &files.values, wanted) else {
        return Vec::new();
    };
    let standing = observed.definition.standing;
    // What is not ours at all is no drift of ours.
    if !matches!(standing, Standing::Ours | Standing::Edited | Standing::Linked) {
        return Vec::new();
    }
    let record = observed.record.record();
    let record =
        record.filter(|record| record.unit == observed.unit && record.path == observed.definition.path);
    let mark = job::mark_of(present, terms.brand);
    let applied = match record {
        _ if mark == Marked::Intact => Some(present.clone()),
        Some(record) => property_list::read(record.text.as_bytes()).ok(),
        None => None,
    };
    let sides = Sides {
        wanted,
        applied: applied.as_ref(),
        present,
        path,
        text: files.text.as_deref(),
        own,
        marked: mark != Marked::No,
    };
    drift::drift(&sides, terms)
}

/// Files that a job cannot start without: launchd answers 78 for all of them (lifecycle notes D3).
fn needed(files: &Files, values: &Dictionary) -> Vec<Need> {
    let need = |kind: NeedKind, key: &str, path: &Path, problem: Option<String>| {
        let line = files.text.as_deref().and_then(|text| line_of(text, &[key])).unwrap_or(0);
        let spot = files.path.clone().map(|path| Spot { path, line });
        let name = Name { section: String::new(), key: key.to_owned(), variable: None };
        problem.map(|problem| Need { kind, name, spot, path: path.to_owned(), problem })
    };
    let words = property_list::texts(values, "ProgramArguments");
    let named = property_list::text(values, "Program").map(|program| ("Program", program));
    let program = named.or(words.first().map(|program| ("ProgramArguments", program.as_str())));
    let program = program.and_then(|(key, program)| {
        let path = Path::new(program);
        let problem = match path.metadata() {
            Err(error) => Some(error.to_string()),
            Ok(meta) if !meta.is_file() => Some("it is not a file".to_owned()),
            Ok(meta) if meta.permissions().mode() & 0o111 == 0 => Some("it is not executable".to_owned()),
            Ok(_) => None,
        };
        need(NeedKind::Program, key, path, problem)
    });
    let directory = |path: &Path| match path.metadata() {
        Err(error) => Some(error.to_string()),
        Ok(meta) => (!meta.is_dir()).then(|| "it is not a directory".to_owned()),
    };
    let place = property_list::text(values, "WorkingDirectory").map(Path::new);
    let place =
        place.and_then(|path| need(NeedKind::WorkingDirectory, "WorkingDirectory", path, directory(path)));
    let outputs = ["StandardOutPath", "StandardErrorPath"].into_iter().filter_map(|key| {
        let dir = property_list::text(values, key).map(Path::new)?.parent()?;
        need(NeedKind::Output, key, dir, directory(dir))
    });
    program.into_iter().chain(place).chain(outputs).collect()
}
