//! Logging: every record to the gateway's own bounded file, and to standard output for whoever started it.
//!
//! Records are written by a thread of their own. Its queue is bounded: when the disk cannot keep up, records are
//! counted and dropped rather than the gateway slowed down, and the next record that is written says how many.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::FileType;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::reload;

use crate::instance::Env;

/// Records that may wait to be written.
const QUEUE: usize = 4096;
/// How long the end of the log waits for what is queued. Whoever stopped reading standard output must not keep the
/// process from ending.
const LAST_RECORDS: Duration = Duration::from_millis(500);
/// How often it looks for room in a full queue.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Where records go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Least important records that are kept.
    pub level: LevelFilter,
    /// The gateway's own file, and the size in bytes at which it is put aside as `.1`: both together are at most twice
    /// that. `None` writes none.
    pub file: Option<(PathBuf, u64)>,
}

/// The running log. Dropping it writes what is queued, if that takes no longer than it may.
#[derive(Debug)]
pub struct Log {
    level: reload::Handle<LevelFilter, tracing_subscriber::Registry>,
    queue: SyncSender<Entry>,
    /// Disconnected once the writer has ended, however it did.
    ended: Receiver<()>,
}

#[derive(Debug)]
struct Record {
    level: Level,
    subsystem: &'static str,
    message: String,
    fields: Map<String, Value>,
    time: jiff::Timestamp,
}

impl Log {
    /// Starts logging for the whole process. Opening the file comes first, so that one that cannot be written is
    /// told at once.
    pub fn start(settings: &Settings, env: &Env) -> io::Result<Self> {
        let file = settings.file.as_ref().map(|(path, max)| Rotating::open(path, *max)).transpose()?;
        let (queue, records) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let sink = Sink { queue: Mutex::new(queue.clone()), dropped: Arc::clone(&dropped) };
        let console = Console::new(env, file.is_some());
        let writer = Writer { file, console, dropped };
        let ended = writer.start(records)?;
        let (filter, level) = reload::Layer::new(settings.level);
        let subscriber = tracing_subscriber::registry().with(sink.with_filter(filter));
        tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)?;
        Ok(Self { level, queue, ended })
    }

    /// Writes to another file from now on, of at most so many bytes; `None` writes none.
    pub fn set_file(&self, file: Option<(PathBuf, u64)>) {
        // Only a writer that has ended does not take it, and that one has no file.
        let _ = self.queue.send(Entry::File(file));
    }

    /// Changes the least important level that is kept.
    pub fn set_level(&self, level: LevelFilter) {
        if let Err(error) = self.level.reload(level) {
            tracing::warn!(target: "log", "cannot change the log level: {error}");
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        end(&self.queue, &self.ended);
    }
}

/// Has the writer write what is queued and end, and waits for that as long as it may take. A writer that panicked has
/// ended already, and has said so itself.
fn end(queue: &SyncSender<Entry>, ended: &Receiver<()>) {
    let deadline = Instant::now() + LAST_RECORDS;
    while let Err(TrySendError::Full(_)) = queue.try_send(Entry::End) {
        if Instant::now() >= deadline {
            return;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    // Nothing is ever sent: either way there is no more to wait for.
    let _ = ended.recv_timeout(deadline.saturating_duration_since(Instant::now()));
}

/// What the writer is told.
#[derive(Debug)]
enum Entry {
    Record(Record),
    File(Option<(PathBuf, u64)>),
    End,
}

impl Record {
    fn of_the_log(message: String, time: jiff::Timestamp) -> Self {
        Self { level: Level::WARN, subsystem: "log", message, fields: Map::new(), time }
    }

    fn level_name(&self) -> &'static str {
        match self.level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        }
    }

    /// ISO 8601 with milliseconds, UTC.
    fn time_text(&self) -> String {
        self.time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// One JSON object and a line end.
    fn json_line(&self) -> String {
        let mut object = Map::new();
        object.insert("time".to_owned(), self.time_text().into());
        object.insert("level".to_owned(), self.level_name().into());
        object.insert("subsystem".to_owned(), self.subsystem.into());
        object.insert("message".to_owned(), self.message.as_str().into());
        object.extend(self.fields.clone());
        let mut line = Value::Object(object).to_string();
        line.push('\n');
        line
    }

    /// For people: `[gateway] listening on …`, with a word for what is not ordinary.
    fn text(&self) -> String {
        let mut text = format!("[{}] ", self.subsystem);
        if self.level != Level::INFO {
            let _ = write!(text, "{}: ", self.level_name());
        }
        // A record is a line; what follows a line end could pass for another record.
        text.extend(self.message.chars().map(|c| if c.is_control() { ' ' } else { c }));
        for (name, value) in &self.fields {
            let _ = write!(text, " {name}={value}");
        }
        text
    }
}

struct Sink {
    queue: Mutex<SyncSender<Entry>>,
    dropped: Arc<AtomicU64>,
}

impl<S: Subscriber> Layer<S> for Sink {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let record = Record {
            level: *event.metadata().level(),
            subsystem: event.metadata().target(),
            message: words.message,
            fields: words.fields,
            time: jiff::Timestamp::now(),
        };
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(TrySendError::Full(_)) = queue.try_send(Entry::Record(record)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[derive(Default)]
struct Words {
    message: String,
    fields: Map<String, Value>,
}

impl Words {
    fn keep(&mut self, field: &Field, value: Value) {
        self.fields.insert(field.name().to_owned(), value);
    }
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.keep(field, format!("{value:?}").into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, value.into());
    }
}

struct Writer {
    file: Option<Rotating>,
    console: Console,
    dropped: Arc<AtomicU64>,
}

impl Writer {
    /// Writes entries on a thread of its own, and says where the end of that shows.
    fn start(self, entries: Receiver<Entry>) -> io::Result<Receiver<()>> {
        let (alive, ended) = sync_channel(0);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            self.run(&entries);
            drop::<SyncSender<()>>(alive);
        })?;
        Ok(ended)
    }

    fn run(mut self, entries: &Receiver<Entry>) {
        while let Ok(entry) = entries.recv() {
            match entry {
                Entry::Record(record) => {
                    self.tell_dropped(record.time);
                    self.write(&record);
                }
                Entry::File(None) => self.file = None,
                Entry::File(Some((path, max_bytes))) => match Rotating::open(&path, max_bytes) {
                    Ok(file) => self.file = Some(file),
                    Err(error) => {
                        let message = format!("cannot write the log to {}: {error}", path.display());
                        self.write(&Record::of_the_log(message, jiff::Timestamp::now()));
                    }
                },
                Entry::End => return,
            }
        }
    }

    fn tell_dropped(&mut self, time: jiff::Timestamp) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let message = format!("{dropped} log records were dropped: the disk could not keep up");
            self.write(&Record::of_the_log(message, time));
        }
    }

    fn write(&mut self, record: &Record) {
        if let Some(file) = &mut self.file {
            // A full disk must not end the gateway; the console still has the record.
            let _ = file.append(record.json_line().as_bytes());
        }
        self.console.write(record);
    }
}

/// Standard output, as whoever reads it expects: journald takes the priority as a prefix and adds the time itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Console {
    Plain,
    Journal,
    /// Records are in the gateway's own file, and standard output is a file that nobody keeps small.
    Silent,
}

impl Console {
    fn new(env: &Env, has_file: bool) -> Self {
        if env.os("JOURNAL_STREAM").is_some() {
            Self::Journal
        } else if has_file && super::process::is_job_of_launchd(env) && is_file(&io::stdout()) {
            Self::Silent
        } else {
            Self::Plain
        }
    }

    fn write(self, record: &Record) {
        let text = record.text();
        let line = match self {
            Self::Silent => return,
            Self::Plain => format!("{} {text}\n", record.time_text()),
            // sd-daemon(3): the syslog priority in angle brackets.
            Self::Journal => {
                let priority = match record.level {
                    Level::ERROR => 3,
                    Level::WARN => 4,
                    Level::INFO => 6,
                    Level::DEBUG | Level::TRACE => 7,
                };
                format!("<{priority}>{text}\n")
            }
        };
        // Nobody may be reading.
        let _ = io::stdout().lock().write_all(line.as_bytes());
    }
}

fn is_file(stream: &impl AsFd) -> bool {
    rustix::fs::fstat(stream)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::RegularFile)
}

/// Empties the file that standard error goes to when it has grown beyond so many bytes. launchd opens it for appending
/// before each start: emptied in place it is the same file for everybody, renamed it would not be (lifecycle notes B13).
pub fn bound_standard_error(max_bytes: u64) {
    let stream = io::stderr();
    let is_large = rustix::fs::fstat(&stream)
        .is_ok_and(|found| u64::try_from(found.st_size).is_ok_and(|size| size > max_bytes));
    if is_file(&stream) && is_large {
        // A file that cannot be emptied is no reason not to start.
        let _ = rustix::fs::ftruncate(&stream, 0);
    }
}

/// A file that is put aside when it is full: `gateway.log` becomes `gateway.log.1`, the only one kept.
#[derive(Debug)]
struct Rotating {
    path: PathBuf,
    file: File,
    size: u64,
    max_bytes: u64,
}

impl Rotating {
    fn open(path: &Path, max_bytes: u64) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            super::fs::private_dir(dir)?;
        }
        let file = append_to(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size, max_bytes })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 > self.max_bytes {
            std::fs::rename(&self.path, aside(&self.path))?;
            self.file = append_to(&self.path)?;
            self.size = 0;
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(super::fs::PRIVATE).open(path)
}

/// Where a full log is put: the same name with `.1`.
pub fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(message: &str) -> Record {
        let time = "2026-11-21T02:09:00.1234Z".parse().unwrap();
        Record {
            level: Level::WARN,
            subsystem: "gateway",
            message: message.to_owned(),
            fields: Map::new(),
            time,
        }
    }

    #[test]
    fn a_record_is_one_line_in_both_forms() {
        let record = record("two\nlines");
        let json = r#"{"time":"2026-11-21T02:09:00.123Z","level":"warn","subsystem":"gateway","message":"two\nlines"}"#;
        assert_eq!(record.json_line(), format!("{json}\n"));
        assert_eq!(record.text(), "[gateway] warn: two lines");
    }

    #[test]
    fn the_end_writes_what_is_queued_and_does_not_wait_for_a_writer_that_is_stuck() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gateway.log");
        let file = Some(Rotating::open(&path, 1 << 20).unwrap());
        let writer = Writer { file, console: Console::Plain, dropped: Arc::default() };
        let (queue, records) = sync_channel(8);
        let ended = writer.start(records).unwrap();
        queue.send(Entry::Record(record("the last one"))).unwrap();
        end(&queue, &ended);
        assert!(std::fs::read_to_string(&path).unwrap().contains("the last one"));

        // Nobody takes from these queues, as if the writer waited for a reader of its output: one is full, one is not.
        for room in [1, 2] {
            let (stuck, _kept) = sync_channel(room);
            let (_alive, ended) = sync_channel(0);
            stuck.send(Entry::Record(record("never written"))).unwrap();
            end(&stuck, &ended);
        }
    }

    #[test]
    fn the_file_and_the_one_put_aside_stay_within_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs/gateway.log");
        let mut log = Rotating::open(&path, 100).unwrap();
        for number in 0..50 {
            log.append(format!("line {number:04}\n").as_bytes()).unwrap();
        }
        let (now, before) =
            (std::fs::read_to_string(&path).unwrap(), std::fs::read_to_string(aside(&path)).unwrap());
        assert!(now.len() <= 100 && before.len() <= 100);
        assert!(now.ends_with("line 0049\n"));
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
        let reopened = Rotating::open(&path, 100).unwrap();
        assert_eq!(reopened.size, now.len() as u64);
    }
}
