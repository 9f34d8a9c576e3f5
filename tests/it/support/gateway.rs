//! The real gateway, started in a home of its own, watched through its output, and gone when the test is.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{Ran, TestHome};

/// How long anything may take that should be quick. Long, because the machine may be busy; nothing waits it out
/// unless it is broken.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The token of gateways that are not given another one.
pub const TOKEN: &str = "tok-Zm9yLXRlc3Rz-4711";

/// A gateway that is not started yet.
pub struct Setup {
    home: TestHome,
    runtime: tempfile::TempDir,
    brand: &'static str,
    args: Vec<OsString>,
    env: Vec<(String, OsString)>,
}

impl Setup {
    /// A home without any configuration.
    pub fn bare() -> Self {
        let runtime = tempfile::tempdir().expect("a temporary directory");
        Self { home: TestHome::new(), runtime, brand: "idlehands", args: Vec::new(), env: Vec::new() }
    }

    /// A gateway with [`TOKEN`], and these settings beside or instead of it.
    pub fn with(settings: Value) -> Self {
        Self::of_brand("idlehands", settings)
    }

    /// The same under another name.
    pub fn of_brand(brand: &'static str, settings: Value) -> Self {
        let mut config = json!({ "gateway": { "mode": "local", "auth": { "token": TOKEN } } });
        merge(&mut config, settings);
        let setup = Self { brand, ..Self::bare() };
        setup.write_config(&config.to_string());
        setup
    }

    pub fn write_config(&self, text: &str) {
        let path = config_path(self.home.path(), self.brand);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A command line in the same home and with the same variables.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_as(self.brand, args)
    }

    /// The same under another name.
    pub fn command_as(&self, brand: &str, args: &[&str]) -> Command {
        let mut command = self.home.command_as(brand, args);
        command.env("XDG_RUNTIME_DIR", self.runtime.path());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts `gateway run`, and waits until it is ready. It gets a free port unless its arguments name one.
    pub fn start(self) -> TestGateway {
        self.start_on(Some(0))
    }

    /// The same on this port; without one it takes what its environment and configuration say.
    pub fn start_on(self, port: Option<u16>) -> TestGateway {
        let process = self.spawn(port);
        let listening = process.line("listening on ws://");
        let address = listening.split("ws://").nth(1).unwrap().split([',', ' ']).next().unwrap();
        let port = address.rsplit(':').next().unwrap().parse().expect("a port");
        process.line("[gateway] ready");
        TestGateway { process, port, setup: self }
    }

    /// Starts `gateway run` and looks on.
    pub fn spawn(&self, port: Option<u16>) -> Process {
        let port = port.map(|port| format!("--port={port}"));
        let run = ["gateway", "run"].into_iter().chain(port.as_deref());
        let mut command = self.command(&run.collect::<Vec<_>>());
        command.args(&self.args);
        Process::spawn(command)
    }

    /// Starts `gateway run`, which must not come to anything, and says how it ended.
    pub fn refused(&self, port: u16) -> Ran {
        self.spawn(Some(port)).ended().ran
    }
}

/// A running gateway.
pub struct TestGateway {
    process: Process,
    /// The port it listens on.
    pub port: u16,
    setup: Setup,
}

impl TestGateway {
    /// A gateway with nothing out of the ordinary.
    pub fn start() -> Self {
        Setup::with(json!({})).start()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    pub fn home(&self) -> &Path {
        self.setup.home()
    }

    /// Where it keeps what lasts no longer than the machine's boot.
    pub fn runtime(&self) -> &Path {
        self.setup.runtime.path()
    }

    /// Asks it to end, and returns what it said; its files stay until the home is dropped.
    pub fn ended_by_term(&self) -> Ran {
        self.signal(Signal::TERM);
        self.process.closed()
    }

    /// Its state directory.
    pub fn state(&self, inside: &str) -> PathBuf {
        self.home().join(format!(".{}", self.setup.brand)).join(inside)
    }

    /// A command line of the same instance, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        self.setup.command(args)
    }

    /// A command line of the same instance, run to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.setup.command(args))
    }

    /// Replaces its configuration: the settings it was made with are forgotten.
    pub fn write_config(&self, text: &str) {
        self.setup.write_config(text);
    }

    /// Replaces its configuration by [`TOKEN`] and these settings.
    pub fn configure(&self, settings: Value) {
        let mut config = json!({ "gateway": { "mode": "local", "auth": { "token": TOKEN } } });
        merge(&mut config, settings);
        self.write_config(&config.to_string());
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.process.ended()
    }

    /// Waits until it has ended.
    pub fn ended(self) -> Ended {
        self.process.ended()
    }

    /// Asks it to end, and returns what it was made of when it has.
    pub fn stop_and_keep(self) -> Setup {
        self.signal(Signal::TERM);
        self.process.ended();
        self.setup
    }

    /// Ends it and starts it again in the same home.
    pub fn restart(self) -> Self {
        let Self { process, setup, .. } = self;
        process.signal(Signal::TERM);
        assert_eq!(process.ended().ran.code, 0);
        setup.start()
    }
}

fn config_path(home: &Path, brand: &str) -> PathBuf {
    home.join(format!(".{brand}")).join(format!("{brand}.json"))
}

/// Puts settings over others, object by object.
pub fn merge(into: &mut Value, settings: Value) {
    match (into, settings) {
        (Value::Object(into), Value::Object(settings)) => {
            for (key, value) in settings {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, settings) => *into = settings,
    }
}

/// A child whose output is collected. It is killed and reaped when this is dropped, and killed by the kernel when the
/// test process is.
pub struct Process {
    child: Child,
    output: Arc<Output>,
}

#[derive(Default)]
struct Output {
    streams: Mutex<Streams>,
    changed: Condvar,
}

#[derive(Default)]
struct Streams {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    open: u32,
}

impl Streams {
    fn texts(&self) -> [String; 2] {
        [&self.stdout, &self.stderr]
            .map(|bytes| String::from_utf8(bytes.clone()).expect("the output is UTF-8"))
    }
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    pub ran: Ran,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// From the call that waited for it.
    pub took: Duration,
}

impl Process {
    pub fn spawn(command: Command) -> Self {
        // PR_SET_PDEATHSIG counts the thread that forked, so the thread that owns the child must be the one that
        // spawns it.
        let mut bound = Command::new("setpriv");
        bound.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        bound.env_clear().current_dir(command.get_current_dir().unwrap());
        bound.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut child =
            bound.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = Arc::new(Output::default());
        output.lock().open = 2;
        collect(child.stdout.take().unwrap(), Arc::clone(&output), |streams| &mut streams.stdout);
        collect(child.stderr.take().unwrap(), Arc::clone(&output), |streams| &mut streams.stderr);
        Self { child, output }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).expect("it has not been reaped");
    }

    /// Waits for a line of its standard output with this text in it, from the beginning on.
    pub fn line(&self, text: &str) -> String {
        self.line_number(text, 1)
    }

    /// Waits for the `number`th such line, counted from 1.
    pub fn line_number(&self, text: &str, number: usize) -> String {
        let find = |streams: &Streams| {
            let stdout = String::from_utf8_lossy(&streams.stdout);
            stdout.lines().filter(|line| line.contains(text)).nth(number - 1).map(str::to_owned)
        };
        self.wait(find).unwrap_or_else(|| panic!("no line with {text:?}; the output:\n{}", self.all_output()))
    }

    /// What it has written so far, to either stream.
    pub fn all_output(&self) -> String {
        let streams = self.output.lock();
        let texts = [&streams.stdout, &streams.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        texts.join("\n")
    }

    /// Waits until it has closed its output, and returns that. The code is not known yet.
    fn closed(&self) -> Ran {
        let closed = self.wait(|streams| (streams.open == 0).then(|| streams.texts()));
        let [stdout, stderr] =
            closed.unwrap_or_else(|| panic!("it does not end; the output:\n{}", self.all_output()));
        Ran { code: -1, stdout, stderr }
    }

    /// Waits until it has ended and says how.
    pub fn ended(mut self) -> Ended {
        let began = Instant::now();
        let ran = self.closed();
        let status = self.child.wait().unwrap();
        let ran = Ran { code: status.code().unwrap_or(-1), ..ran };
        Ended { ran, signal: status.signal(), took: began.elapsed() }
    }

    /// Waits until something is found in what it has written. `None` when it ended, or the deadline passed, before.
    fn wait<T>(&self, find: impl Fn(&Streams) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + DEADLINE;
        let mut streams = self.output.lock();
        loop {
            if let Some(found) = find(&streams) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if streams.open == 0 || left.is_zero() {
                return None;
            }
            streams = self.output.changed.wait_timeout(streams, left).unwrap().0;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already needs neither.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap()
    }
}

fn collect(stream: impl Read + Send + 'static, output: Arc<Output>, which: fn(&mut Streams) -> &mut Vec<u8>) {
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            which(&mut output.lock()).append(&mut line);
            output.changed.notify_all();
        }
        output.lock().open -= 1;
        output.changed.notify_all();
    });
}

/// A port that nobody listens on. Below those that the system gives to whoever asks for any (ip(7),
/// `ip_local_port_range`), and no other test of this run gets it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).unwrap();
    let taken = |host: &str, port| {
        TcpListener::bind((host, port)).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
    };
    let is_free = |port: &u16| !["127.0.0.1", "::1"].iter().any(|host| taken(host, *port));
    let ports = std::iter::repeat_with(|| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000);
    ports.take(12_000).find(is_free).expect("of thousands one is free")
}

/// Asks again and again until the answer is yes.
pub fn eventually(what: &str, mut asked: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !asked() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
