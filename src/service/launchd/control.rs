//! Starting, stopping and replacing a job: every verb asks, looks until it is so or time is up, and only then says what
//! became of it (lifecycle notes B1 to B3).
//!
//! No answer of launchctl but a clear one ends anything. Nothing here leaves the job unloaded that was not asked to.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use plist::Dictionary;
use tokio::time::{Instant, sleep};

use super::effective;
use super::failure::Failure;
use super::job::{self, Installed};
use super::launchctl::{self, Answer, Domain, Look};
use super::print::Printed;
use super::property_list;
use crate::host::lock::Lock;
use crate::host::{self, process};
use crate::instance::Brand;
use crate::service::place;

/// How often a job is looked at.
const PAUSE: Duration = Duration::from_millis(300);
/// What launchd needs beyond a job's own time to stop (lifecycle notes B1).
const MARGIN: Duration = Duration::from_secs(10);
/// How long a job that launchd does not show is tried to be loaded: nothing is in the way then that would go away.
const LOAD: Duration = Duration::from_secs(10);
/// What launchd allows a job that names no time to stop (launchd.plist(5)).
const USUAL_EXIT: Duration = Duration::from_secs(20);

/// One job, and where its files are.
#[derive(Clone, Debug)]
pub struct Control {
    /// Where it is loaded, or will be.
    pub domain: Cell<Domain>,
    /// Where it may be loaded instead, when that domain takes no jobs.
    pub other_domain: Option<Domain>,
    /// Its label.
    pub label: String,
    /// Whose it is.
    pub brand: Brand,
    /// Its definition.
    pub plist: PathBuf,
    /// A private directory for the definition before.
    pub service_dir: PathBuf,
}

/// How a verb goes about it.
pub struct Way<'a> {
    /// Is told how long it has been waited for.
    pub tick: &'a mut dyn FnMut(Duration),
    /// How long it may take; none for what the job's own limits allow.
    pub limit: Option<Duration>,
    /// Held on by whoever goes on after this process.
    pub claim: Option<&'a Lock>,
    /// Texts one of which may be the definition that is loaded.
    pub known: &'a [String],
}

impl Control {
    /// Starts the job from whatever state it is in.
    pub async fn start(&self, way: &mut Way<'_>) -> Result<(), Failure> {
        let definition = self.definition()?;
        match self.look().await? {
            Look::Absent => self.load(&definition, way).await,
            Look::Loaded(printed) if self.differs(&printed, &definition) => {
                self.swap(&printed, &definition, way).await
            }
            Look::Loaded(printed) if printed.pid.is_some() => Ok(()),
            Look::Loaded(_) => match launchctl::kickstart(self.domain.get(), &self.label, false).await? {
                Answer::Done | Answer::Unclear(_) => Ok(()),
                Answer::NoJob => self.load(&definition, way).await,
                other => Err(Failure::refused("start", &self.label, other)),
            },
        }
    }

    /// Starts the job anew; with the definition on disk, if that is another one than the one that is loaded.
    pub async fn restart(&self, way: &mut Way<'_>) -> Result<(), Failure> {
        let definition = self.definition()?;
        match self.look().await? {
            Look::Absent => self.load(&definition, way).await,
            Look::Loaded(printed) if self.must_swap(&printed, &definition) => {
                self.swap(&printed, &definition, way).await
            }
            Look::Loaded(printed) => self.kick(&printed, &definition, way).await,
        }
    }

    /// Unloads the job and waits until it is gone.
    pub async fn stop(&self, way: &mut Way<'_>) -> Result<(), Failure> {
        let Look::Loaded(printed) = self.look().await? else { return Ok(()) };
        let (begin, limit) = (Instant::now(), way.limit.unwrap_or(exit_time(&printed) + MARGIN));
        let mut said = launchctl::bootout(self.domain.get(), &self.label).await;
        loop {
            match (self.look().await, &said) {
                (Ok(Look::Absent), _) => return Ok(()),
                (_, Ok(Answer::Denied(_) | Answer::NoDomain(_))) => {
                    return Err(Failure::refused("unload", &self.label, said?));
                }
                (Err(error), _) if begin.elapsed() >= limit => return Err(error),
                (_, _) if begin.elapsed() >= limit => {
                    return Err(Failure::Leaving { label: self.label.clone(), seconds: limit.as_secs() });
                }
                (_, Ok(Answer::Done)) => {}
                // What did not come back, or was answered by something else, may not have been heard.
                (_, _) => said = launchctl::bootout(self.domain.get(), &self.label).await,
            }
            (way.tick)(begin.elapsed());
            sleep(PAUSE).await;
        }
    }

    /// Asks for a verb without waiting, for a process that goes down with the job: somebody else carries it out.
    pub async fn hand_over(&self, verb: HandOver, way: &Way<'_>) -> Result<(), Failure> {
        let target = vec![format!("{}/{}", self.domain.get(), self.label)];
        if verb == HandOver::Stop {
            return detached("exec launchctl bootout \"$1\"", &target, way.claim).map(drop);
        }
        let definition = self.definition()?;
        let Look::Loaded(printed) = self.look().await? else {
            return Err(Failure::refused("restart", &self.label, Answer::NoJob));
        };
        if !self.must_swap(&printed, &definition) {
            return detached("exec launchctl kickstart -k \"$1\"", &target, way.claim).map(drop);
        }
        let fallback = self.keep_loaded(&printed, way).unwrap_or_default();
        let words = self.swap_words(&fallback, exit_time(&printed) + MARGIN);
        detached(SWAP, &words, way.claim).map(drop)
    }

    /// What is loaded, as far as launchd tells.
    pub async fn look(&self) -> Result<Look, Failure> {
        launchctl::look(self.domain.get(), &self.label).await
    }

    /// The definition on disk; a failure where launchd could not load it anyway, before anything is unloaded for it.
    fn definition(&self) -> Result<Dictionary, Failure> {
        let bad = |why: String| Failure::BadDefinition {
            path: self.plist.display().to_string(),
            label: self.label.clone(),
            why,
        };
        let bytes =
            host::fs::read_bytes(&self.plist, place::LIMIT).map_err(|error| bad(error.to_string()))?;
        let bytes = bytes.ok_or_else(|| bad("it is not there".to_owned()))?;
        let values = property_list::read(&bytes).map_err(bad)?;
        match property_list::text(&values, "Label") {
            Some(label) if label == self.label => {}
            Some(label) => return Err(bad(format!("its label is {label}"))),
            None => return Err(bad("it has no label".to_owned())),
        }
        if Installed::read(&values, self.brand).command.is_empty() {
            return Err(bad("it names no program".to_owned()));
        }
        Ok(values)
    }

    /// Whether what is loaded is another definition than this one.
    pub fn differs(&self, printed: &Printed, definition: &Dictionary) -> bool {
        !effective::out_of_force(printed, definition, self.brand).is_empty() || self.is_elsewhere(printed)
    }

    /// Whether it was loaded from another file.
    pub fn is_elsewhere(&self, printed: &Printed) -> bool {
        printed.path.as_ref().is_some_and(|path| !place::same_place(Path::new(path), &self.plist))
    }

    /// Whether a new process is not enough: another definition is loaded, or nobody can tell, for the one on disk was
    /// changed since it was signed.
    fn must_swap(&self, printed: &Printed, definition: &Dictionary) -> bool {
        self.differs(printed, definition) || !job::is_told_apart(definition, self.brand)
    }

    /// Loads a job that is not loaded. Loading starts it.
    async fn load(&self, definition: &Dictionary, way: &mut Way<'_>) -> Result<(), Failure> {
        let mut definition = definition.clone();
        let (begin, mut clear_since) = (Instant::now(), Instant::now());
        let limit = way.limit.unwrap_or(exit_time_of(&definition) + MARGIN);
        make_room(&definition);
        let mut last = String::new();
        let mut domain_given_up = false;
        loop {
            match self.look().await {
                Ok(Look::Loaded(printed)) if !self.differs(&printed, &definition) => return Ok(()),
                // The one before is still on its way out.
                Ok(Look::Loaded(_)) => clear_since = Instant::now(),
                Ok(Look::Absent) => match self.attempt().await {
                    Ok(Answer::Done) => continue,
                    Ok(Answer::NoDomain(said)) => match self.other_domain {
                        Some(other) if !domain_given_up => {
                            domain_given_up = true;
                            definition = self.move_to(other, &definition)?;
                        }
                        _ => return Err(Failure::NoDomain { domain: self.domain.get().to_string(), said }),
                    },
                    Ok(answer @ Answer::Denied(_)) => {
                        return Err(Failure::refused("load", &self.label, answer));
                    }
                    Ok(Answer::Unclear(said) | Answer::Other(said)) => last = said,
                    Ok(Answer::NoJob | Answer::Disabled) => last = "it is disabled".to_owned(),
                    Err(error) => last = error.to_string(),
                },
                Err(error) => last = error.to_string(),
            }
            if begin.elapsed() >= limit || clear_since.elapsed() >= LOAD.min(limit) {
                let seconds = begin.elapsed().as_secs();
                return Err(Failure::NotLoaded {
                    label: self.label.clone(),
                    seconds,
                    said: last,
                    restored: false,
                });
            }
            (way.tick)(begin.elapsed());
            sleep(PAUSE).await;
        }
    }

    /// Clears what forbids the label, and hands the definition over.
    async fn attempt(&self) -> Result<Answer, Failure> {
        // A label that nobody disabled needs no permission; bootstrap says what is wrong.
        let _ = launchctl::set_enabled(self.domain.get(), &self.label, true).await;
        launchctl::bootstrap(self.domain.get(), &self.plist).await
    }

    /// Makes the definition one for another domain: a job is loaded only into sessions of its type.
    fn move_to(&self, domain: Domain, definition: &Dictionary) -> Result<Dictionary, Failure> {
        let mut values = definition.clone();
        if matches!(domain, Domain::User(_)) {
            values.insert("LimitLoadToSessionType".to_owned(), job::BACKGROUND.into());
        }
        job::resign(&mut values, self.brand);
        let text = property_list::to_xml(&values);
        let written = host::fs::write_atomic(&self.plist, text.as_bytes(), host::fs::PUBLIC);
        let path = self.plist.display().to_string();
        let bad = |error: std::io::Error| Failure::BadDefinition {
            path,
            label: self.label.clone(),
            why: error.to_string(),
        };
        written.map_err(bad)?;
        self.domain.set(domain);
        Ok(values)
    }

    /// Ends the process and starts a new one, with the definition that is loaded.
    async fn kick(
        &self,
        before: &Printed,
        definition: &Dictionary,
        way: &mut Way<'_>,
    ) -> Result<(), Failure> {
        let (begin, limit) = (Instant::now(), way.limit.unwrap_or(exit_time(before) + MARGIN));
        let mut answer = launchctl::kickstart(self.domain.get(), &self.label, true).await;
        loop {
            match self.look().await {
                Ok(Look::Absent) => return self.load(definition, way).await,
                Ok(Look::Loaded(now))
                    if now.runs != before.runs || now.pid.is_some_and(|pid| Some(pid) != before.pid) =>
                {
                    return Ok(());
                }
                _ => {}
            }
            match answer {
                Ok(refused @ (Answer::Denied(_) | Answer::NoDomain(_) | Answer::Other(_))) => {
                    return Err(Failure::refused("restart", &self.label, refused));
                }
                // It may have been heard all the same: a process that drains keeps launchctl waiting.
                Ok(answered) if begin.elapsed() >= limit => {
                    return Err(Failure::refused("restart", &self.label, answered));
                }
                Err(error) if begin.elapsed() >= limit => return Err(error),
                Ok(Answer::Unclear(_) | Answer::NoJob | Answer::Disabled) => {
                    answer = launchctl::kickstart(self.domain.get(), &self.label, true).await
                }
                Ok(_) | Err(_) => {}
            }
            (way.tick)(begin.elapsed());
            sleep(PAUSE).await;
        }
    }

    /// Replaces the loaded definition by the one on disk. That is done by a process of its own: if this one died
    /// in the middle, nothing would be loaded.
    async fn swap(
        &self,
        printed: &Printed,
        definition: &Dictionary,
        way: &mut Way<'_>,
    ) -> Result<(), Failure> {
        make_room(definition);
        let fallback = self.keep_loaded(printed, way).unwrap_or_default();
        let (begin, leave) = (Instant::now(), way.limit.unwrap_or(exit_time(printed) + MARGIN));
        let mut helper = detached(SWAP, &self.swap_words(&fallback, leave), way.claim)?;
        let limit = leave + LOAD * 2 + MARGIN;
        while begin.elapsed() < limit && !matches!(helper.try_wait(), Ok(Some(_)) | Err(_)) {
            (way.tick)(begin.elapsed());
            sleep(PAUSE).await;
        }
        let outcome = match self.look().await? {
            Look::Loaded(now) if !self.differs(&now, definition) => Ok(()),
            Look::Loaded(_) => Err(true),
            Look::Absent => Err(false),
        };
        outcome.map_err(|restored| Failure::NotLoaded {
            label: self.label.clone(),
            seconds: begin.elapsed().as_secs(),
            said: "the definition on disk was refused again and again".to_owned(),
            restored,
        })
    }

    fn swap_words(&self, fallback: &str, leave: Duration) -> Vec<String> {
        let plist = self.plist.display().to_string();
        let seconds = leave.as_secs().max(1).to_string();
        vec![self.domain.get().to_string(), self.label.clone(), plist, fallback.to_owned(), seconds]
    }

    /// Where a definition is kept from which the job that is loaded now can be loaded again.
    pub fn fallback(&self) -> PathBuf {
        self.service_dir.join(format!("{}.loaded.plist", self.label))
    }

    /// Keeps the definition that is loaded, if it is one of those known.
    fn keep_loaded(&self, printed: &Printed, way: &Way<'_>) -> Option<String> {
        let signed = job::signature(&printed.environment, self.brand)?;
        let loaded = way.known.iter().find(|text| {
            let values = property_list::read(text.as_bytes()).unwrap_or_default();
            job::signature(&Installed::read(&values, self.brand).environment, self.brand) == Some(signed)
        })?;
        let path = self.fallback();
        host::fs::private_dir(&self.service_dir).ok()?;
        host::fs::write_atomic(&path, loaded.as_bytes(), host::fs::PRIVATE).ok()?;
        Some(path.display().to_string())
    }
}

/// What is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// Unload it.
    Stop,
    /// Start it anew.
    Restart,
}

/// The script that replaces a loaded job.
const SWAP: &str = include_str!("swap.sh");

/// Starts a shell that this process' end does not touch, nor that of its job: it leads a session of its own, and the
/// lock stays taken until it ends.
fn detached(script: &str, words: &[String], claim: Option<&Lock>) -> Result<std::process::Child, Failure> {
    let no_tool = |source| Failure::NoTool { source };
    let stdin = match claim {
        Some(lock) => Stdio::from(lock.share().map_err(no_tool)?),
        None => Stdio::null(),
    };
    process::detached("/bin/sh", stdin).arg("-c").arg(script).arg("swap").args(words).spawn().map_err(no_tool)
}

fn exit_time(printed: &Printed) -> Duration {
    printed.exit_timeout.map_or(USUAL_EXIT, Duration::from_secs)
}

fn exit_time_of(definition: &Dictionary) -> Duration {
    property_list::number(definition, "ExitTimeOut").map_or(USUAL_EXIT, Duration::from_secs)
}

/// launchd opens the output files before the program runs, and fails where their directory is missing.
fn make_room(definition: &Dictionary) {
    for key in ["StandardOutPath", "StandardErrorPath"] {
        if let Some(dir) = property_list::text(definition, key).map(Path::new).and_then(Path::parent) {
            // Where it cannot be made launchd says so by not starting the job.
            let _ = host::fs::private_dir(dir);
        }
    }
}
