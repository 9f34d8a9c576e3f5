//! One close look at a service for the doctor: every file that makes it up, what the manager has of them, and what
//! should be there. Nothing is changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::contract::Terms;
use super::drift::{self, Sides};
use super::effective::Difference;
use super::layers::{Layer, Merged, drop_in_dirs, drop_in_order, merge};
use super::siblings;
use super::specifier::Specifiers;
use super::syntax::File;
use super::unit::{self, Installed};
use super::{Systemd, addition, disk, needs};
use crate::host;
use crate::instance::{BaseDirs, Brand, Scope};
use crate::service::definition::{Marked, Standing};
use crate::service::error::ServiceError;
use crate::service::inspection::{Drift, Inspect, Inspection, Mender, Name, Question, Sibling};
use crate::service::manager::Manager;
use crate::service::observed::Observed;
use crate::service::place;
use crate::service::plan::Desired;
use crate::service::secrets;
use crate::service::spec::{Account, Choices, ServiceSpec};

/// Everything that is needed to write repaired texts.
#[derive(Debug)]
struct Texts {
    brand: Brand,
    wanted: Option<Layer>,
    unit: Option<Layer>,
    drop_ins: Vec<Layer>,
    own_drop_in: PathBuf,
    specifiers: Specifiers,
}

impl Mender for Texts {
    fn definition(&self, names: &[Name]) -> Option<String> {
        let unit = self.unit.as_ref()?.file.to_string();
        Some(drift::mended(&unit, self.wanted.as_ref()?, names, &self.specifiers))
    }

    fn drop_in(&self, path: &Path, names: &[Name]) -> Option<(String, Option<String>)> {
        let layer = self.drop_ins.iter().find(|layer| layer.path == path)?;
        let text = layer.file.to_string();
        let without = drift::without(&text, names, self.wanted.as_ref()?, &self.specifiers);
        let left = (!File::parse(&without).sets_nothing()).then_some(without);
        Some((text, left))
    }

    fn corrective(&self, command: &str, names: &[Name]) -> Option<(PathBuf, String, String)> {
        let name = self.own_drop_in.file_name();
        let before = self.drop_ins.iter().find(|layer| layer.path.file_name() == name);
        let mut all: Vec<Name> = names.to_vec();
        // What an earlier repair put right stays right.
        all.extend(before.iter().flat_map(|layer| merge([*layer], &self.specifiers).values.into_keys()));
        all.dedup();
        let text = drift::corrective(command, self.wanted.as_ref()?, &all, &self.specifiers);
        Some((self.own_drop_in.clone(), before.map(|layer| layer.file.to_string()).unwrap_or_default(), text))
    }

    fn sets_variable(&self, name: &str) -> bool {
        let merged = merge(self.unit.iter().chain(&self.drop_ins), &self.specifiers);
        merged.variables().any(|(own, _)| own == name)
    }

    fn legible(&self, text: &str) -> String {
        text.to_owned()
    }

    fn is_intact(&self, text: &str) -> bool {
        unit::marked(text, self.brand) == Marked::Intact
    }
}

/// The name of our own drop-in, which comes after those of everybody else.
const CORRECTIVE: &str = "zz-doctor.conf";

/// What the manager's own hint is worth (lifecycle notes E9.2).
const HINT: &str = "files changed since systemd read them";

/// The files on disk.
#[derive(Default)]
struct Files {
    unit: Option<Layer>,
    drop_ins: Vec<Layer>,
    unreadable: Vec<(PathBuf, String)>,
    others: Vec<PathBuf>,
    siblings: Vec<Sibling>,
}

impl Inspect for Systemd {
    async fn inspect(&self, question: Question<'_>) -> Inspection {
        let observed = self.observe().await;
        let (unit_path, properties, environment) = self.ask_more(question.dirs).await;
        let reached = observed.manager.reached();
        let specifiers = self.specifiers(question.dirs);
        let fragment = reached.and_then(|reached| reached.state.fragment_path.clone());
        let files = {
            let (unit, own_path) = (self.unit.clone(), observed.definition.path.clone());
            let rest = self.search(question.dirs, unit_path.clone());
            let work = move || {
                let mut files = read_files(&unit, &unit_path, &own_path, fragment.as_deref());
                files.siblings = rest();
                files
            };
            // Reading neither panics nor is it aborted: the runtime is still here to await it.
            tokio::task::spawn_blocking(work).await.unwrap_or_default()
        };
        let own = match &files.unit {
            Some(layer) => {
                layer.path == observed.definition.path && observed.definition.standing != Standing::Linked
            }
            None => true,
        };
        let desired = self.wish(question, &observed, &files, own);
        let wanted = desired.as_ref().ok().map(|desired| Layer {
            path: observed.definition.path.clone(),
            file: File::parse(&desired.text),
        });
        let terms = Terms {
            brand: self.instance.brand,
            drain: question.drain,
            user_scope: observed.scope == Scope::User,
        };
        let drift = self.differences(&observed, &files, own, wanted.as_ref(), (&terms, &specifiers));
        let merged = merge(files.unit.iter().chain(&files.drop_ins), &specifiers);
        let stale = match (&properties, reached) {
            (Some(properties), Some(_)) => {
                let differs = match &self.link {
                    Ok(link) => link.differences(&merged.to_file(), properties).await,
                    Err(_) => Vec::new(),
                };
                stale(&observed, &files, differs)
            }
            _ => Vec::new(),
        };
        let mut siblings = files.siblings;
        self.ask_siblings(&mut siblings).await;
        Inspection {
            desired,
            drift,
            stale_by_hint: stale.iter().all(|why| why == HINT),
            stale,
            unit: files.unit.as_ref().map(|layer| layer.path.clone()),
            own,
            // systemd uses it all the same.
            open_to_others: None,
            others: files.others,
            drop_ins: files.drop_ins.iter().map(|layer| layer.path.clone()).collect(),
            unreadable: files.unreadable,
            environment,
            needs: needs::needs(&merged, observed.may_write),
            command: command(&merged),
            hardening: files
                .unit
                .as_ref()
                .and_then(|layer| Installed::read(&layer.file.to_string(), self.instance.brand).hardening),
            account: None,
            frozen: properties.is_some_and(|properties| properties.text("FreezerState") == "frozen"),
            siblings,
            mender: Arc::new(Texts {
                brand: self.instance.brand,
                own_drop_in: self.instance.paths.unit_dir.join(format!("{}.d", self.unit)).join(CORRECTIVE),
                wanted,
                unit: files.unit,
                drop_ins: files.drop_ins,
                specifiers,
            }),
            observed,
        }
    }

    async fn unset_environment(&self, names: &[&str]) -> Result<(), ServiceError> {
        let link = self.link.as_ref().map_err(|unreachable| ServiceError::from(unreachable.clone()))?;
        link.unset_environment(names).await
    }
}

impl Systemd {
    async fn ask_more(
        &self,
        dirs: &BaseDirs,
    ) -> (Vec<PathBuf>, Option<super::properties::Properties>, Result<Vec<(String, String)>, String>) {
        let usual = || match self.instance.scope {
            Scope::User => siblings::user_dirs(&dirs.config_home, &self.env),
            Scope::System => siblings::SYSTEM_DIRS.iter().map(PathBuf::from).collect(),
        };
        let Ok(link) = &self.link else {
            return (usual(), None, Err("the manager cannot be asked".to_owned()));
        };
        let asked = async {
            let properties = link.service(&self.unit).await.ok();
            let environment = link.environment().await.map_err(|error| error.to_string());
            let pair =
                |line: String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            (
                link.unit_path().to_vec(),
                properties,
                environment.map(|lines| lines.into_iter().filter_map(pair).collect()),
            )
        };
        let silent = |_| (usual(), None, Err("the manager does not answer".to_owned()));
        tokio::time::timeout(super::answers::ANSWER_DEADLINE, asked).await.unwrap_or_else(silent)
    }

    /// Looks for other gateways in both scopes.
    fn search(
        &self,
        dirs: &BaseDirs,
        unit_path: Vec<PathBuf>,
    ) -> impl FnOnce() -> Vec<Sibling> + Send + use<> {
        let elsewhere = match self.instance.scope {
            Scope::User => siblings::SYSTEM_DIRS.iter().map(PathBuf::from).collect(),
            Scope::System => siblings::user_dirs(&dirs.config_home, &self.env),
        };
        let (user, unit) = (self.instance.scope == Scope::User, self.unit.clone());
        let specifiers = self.specifiers(dirs);
        move || {
            let mut found = siblings::find(&unit_path, user, Some(&unit), &specifiers);
            found.extend(siblings::find(&elsewhere, !user, None, &specifiers));
            found
        }
    }

    /// Other gateways on this machine.
    pub async fn siblings(&self, dirs: &BaseDirs) -> Vec<Sibling> {
        if self.elsewhere {
            return Vec::new();
        }
        let unit_path = self.link.as_ref().map(|link| link.unit_path().to_vec()).unwrap_or_default();
        // Reading neither panics nor is it aborted: the runtime is still here to await it.
        tokio::task::spawn_blocking(self.search(dirs, unit_path)).await.unwrap_or_default()
    }

    /// Whether user services of other gateways run.
    async fn ask_siblings(&self, siblings: &mut [Sibling]) {
        let Ok(link) = &self.link else { return };
        let user = self.instance.scope == Scope::User;
        for sibling in siblings.iter_mut().filter(|sibling| sibling.user == user).take(64) {
            let asked = tokio::time::timeout(Duration::from_secs(2), link.service(&sibling.unit)).await;
            let asked = asked.ok().and_then(Result::ok).map(|found| found.unit_state(false).is_up());
            sibling.running = asked.or(sibling.running);
        }
    }

    fn specifiers(&self, dirs: &BaseDirs) -> Specifiers {
        let text = |path: &Path| path.to_str().map(str::to_owned);
        let runtime = self.env.text("XDG_RUNTIME_DIR").map(str::to_owned);
        let known = [
            ('h', text(&dirs.home)),
            ('t', if self.instance.scope == Scope::User { runtime } else { Some("/run".to_owned()) }),
            ('u', Some(host::user::name(&self.env))),
            ('U', Some(host::user::id().to_string())),
        ];
        Specifiers::new(&self.unit, known.into_iter().filter_map(|(letter, value)| Some((letter, value?))))
    }

    /// What should be there: with the program and the port that were chosen when it was installed.
    fn wish(
        &self,
        question: Question<'_>,
        observed: &Observed,
        files: &Files,
        own: bool,
    ) -> Result<Desired, String> {
        let brand = self.instance.brand;
        let text = files.unit.as_ref().map(|layer| layer.file.to_string()).unwrap_or_default();
        let intact = unit::marked(&text, brand) == Marked::Intact;
        let record = observed.record.record().filter(|record| record.unit == observed.unit);
        let installed = Installed::read(&text, brand);
        // What was chosen over a package's unit.
        let addition = observed.definition.addition.as_ref().filter(|_| observed.package.is_some());
        let intact_addition = addition.filter(|addition| addition.standing == Standing::Ours);
        let over = record.filter(|record| record.path == disk::addition_path(&observed.definition.path));
        let over = match (over, intact_addition) {
            (Some(record), _) => Some(record.text.as_str()),
            (None, Some(addition)) => addition.found.text(),
            (None, None) => None,
        };
        let chosen = over.map(|over| Installed::read(&format!("{text}\n{over}"), brand));
        // What somebody may have changed says nothing about what was chosen.
        let applied = record.filter(|_| own).map(|record| Installed::read(&record.text, brand));
        let told = match (chosen.as_ref(), !own || intact) {
            (Some(chosen), _) => Some(chosen),
            (None, true) => Some(&installed),
            (None, false) => applied.as_ref(),
        };
        let program = match (record, told.and_then(|told| told.command.first())) {
            (Some(record), _) if own => record.program.clone(),
            (_, Some(program)) => PathBuf::from(program),
            _ => question.program.to_owned(),
        };
        let port = match record {
            Some(record) if own => record.port,
            _ => told.and_then(Installed::port),
        };
        let account = told.and_then(|told| Account::named(told.account.as_deref()?).ok());
        let choices = Choices {
            port,
            hardening: told.and_then(|told| told.hardening).or(installed.hardening).unwrap_or_default(),
            account: account.unwrap_or_default(),
            credentials: secrets::to_hand_over(&self.instance, &installed.credentials),
            ..Choices::new(&program, question.dirs, question.drain)
        };
        let spec = ServiceSpec::for_gateway(&self.instance, &choices).map_err(|error| error.to_string())?;
        self.desire(&spec, observed).map_err(|error| error.to_string())
    }

    fn differences(
        &self,
        observed: &Observed,
        files: &Files,
        own: bool,
        wanted: Option<&Layer>,
        (terms, specifiers): (&Terms, &Specifiers),
    ) -> Vec<Drift> {
        let (Some(unit), Some(wanted)) = (&files.unit, wanted) else { return Vec::new() };
        // What is not ours at all is no drift of ours.
        if own && !matches!(observed.definition.standing, Standing::Ours | Standing::Edited) {
            return Vec::new();
        }
        let record = observed.record.record();
        let record =
            record.filter(|record| record.unit == observed.unit && record.path == observed.definition.path);
        let mark = unit::marked(&unit.file.to_string(), self.instance.brand);
        let intact = mark == Marked::Intact;
        let applied = match record {
            _ if intact => Some(unit.clone()),
            Some(record) => Some(Layer { path: record.path.clone(), file: File::parse(&record.text) }),
            None => None,
        };
        let load_state = observed.manager.reached().map(|reached| reached.state.load_state.as_str());
        let unusable = matches!(load_state, Some("bad-setting" | "error"));
        let sides = Sides {
            wanted,
            applied: applied.as_ref(),
            unit,
            drop_ins: &files.drop_ins,
            own,
            marked: mark != Marked::No,
            unusable,
        };
        let mut found = drift::drift(&sides, terms, specifiers);
        // What was chosen over a package's unit is told as a whole.
        if observed.package.is_some() {
            let own = disk::addition_path(&observed.definition.path);
            let ours = |path: &Path| *path == own || *path == unit.path;
            let told = |drift: &Drift| drift.spot.as_ref().is_none_or(|spot| ours(&spot.path));
            found.retain(|drift| !(addition::is_chosen(observed.scope, &drift.name) && told(drift)));
        }
        found
    }
}

/// Reads the unit that counts and its drop-ins.
fn read_files(unit: &str, unit_path: &[PathBuf], own: &Path, fragment: Option<&Path>) -> Files {
    let mut files = Files::default();
    let own_is_there = own.symlink_metadata().is_ok();
    let path = fragment.filter(|path| !own_is_there || !place::same_place(path, own)).unwrap_or(own);
    let mut read = |path: &Path| match host::fs::read_text(path, place::LIMIT) {
        Ok(text) => text.map(|text| Layer { path: path.to_owned(), file: File::parse(&text) }),
        Err(error) => {
            files.unreadable.push((path.to_owned(), error.to_string()));
            None
        }
    };
    let masked = std::fs::read_link(path).is_ok_and(|target| target == Path::new("/dev/null"));
    files.unit = (!masked).then(|| read(path)).flatten();
    let dirs = drop_in_dirs(unit, unit_path);
    let found = dirs.iter().flat_map(|dir| host::stat::names(dir));
    for path in drop_in_order(found).into_iter().filter(|path| disk::is_filled(path)) {
        files.drop_ins.extend(read(&path));
    }
    // The manager may know the directory by another name.
    let same = |a: &Path, b: &Path| place::same_place(a, b);
    let others = unit_path.iter().map(|dir| dir.join(unit)).filter(|other| other.symlink_metadata().is_ok());
    files.others = others.filter(|other| !same(other, path)).collect();
    files
}

/// Why the manager has something else than what is on disk. Its own answer is only a hint (lifecycle notes E9.2).
fn stale(observed: &Observed, files: &Files, differences: Vec<Difference>) -> Vec<String> {
    let Some(reached) = observed.manager.reached() else { return Vec::new() };
    let (state, mut why) = (&reached.state, Vec::new());
    if state.need_daemon_reload {
        why.push(HINT.to_owned());
    }
    if state.wanted_on_disk && !state.wanted_at_login {
        why.push("systemd has not read the links that start it".to_owned());
    }
    let loaded = matches!(state.load_state.as_str(), "loaded" | "bad-setting" | "error");
    if files.unit.is_some() && state.load_state == "not-found" {
        why.push("systemd does not know the unit that is on disk".to_owned());
    }
    if !loaded {
        return why;
    }
    let known = |path: &Path| state.drop_in_paths.iter().any(|own| place::same_place(own, path));
    for layer in files.drop_ins.iter().filter(|layer| !known(&layer.path)) {
        why.push(format!("systemd has not read {}", layer.path.display()));
    }
    for gone in &state.drop_in_paths {
        if !files.drop_ins.iter().any(|layer| place::same_place(&layer.path, gone)) && !gone.exists() {
            why.push(format!("systemd still has {}, which is gone", gone.display()));
        }
    }
    if state.is_loaded() {
        why.extend(
            differences
                .iter()
                .map(|difference| format!("{}= is in force otherwise than on disk", difference.key)),
        );
    }
    why
}

fn command(merged: &Merged) -> Vec<String> {
    let line = merged.get("Service", "ExecStart").and_then(|held| held.meaning.last());
    line.and_then(|line| super::quoting::command_words(line).ok()).unwrap_or_default()
}
