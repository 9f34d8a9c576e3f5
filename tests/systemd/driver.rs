//! What runs inside a machine: the library under test, driven by words, and a service for it to handle.
//!
//! The suite's own binary is bound into every machine. Started there with [`DRIVE`] in its environment it handles a
//! service as the command line would and prints what happened as JSON; started by systemd, through the script that
//! [`crate::support::service`] puts there, it is that service.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;
use idlehands::client::{Address, probe};
use idlehands::exit::ExitCode;
use idlehands::host;
use idlehands::instance::{BaseDirs, Brand, Env, Instance, Profile};
use idlehands::service::apply::{Outcome, apply};
use idlehands::service::claim::claim;
use idlehands::service::error::ServiceError;
use idlehands::service::facts::Facts;
use idlehands::service::manager::{Circumstances, Manager, Patience, Probe, Progress, Run};
use idlehands::service::observed::Observed;
use idlehands::service::plan::{Install, Intent, Plan, plan};
use idlehands::service::spec::{Choices, ServiceSpec};
use idlehands::service::systemd::Systemd;
use serde_json::{Value, json};

use crate::support::storm::{FAREWELL, STORM};

/// Words for the driver.
pub const DRIVE: &str = "TESTBED_DRIVE";
/// Words of the service's own command line.
pub const SERVE: &str = "TESTBED_SERVE";
/// Where the service's program is in a machine, unless the words say otherwise.
pub const PROGRAM: &str = "/usr/local/bin/served";

/// The one entry: as a test of its own it checks that no word is taken for another.
#[test]
fn the_driver_knows_its_words() {
    let env = host::env::snapshot();
    if let Some(words) = env.text(SERVE) {
        return serve(words, &env);
    }
    if let Some(words) = env.text(STORM) {
        return crate::support::storm::inside(words);
    }
    if let Some(words) = env.text(FAREWELL) {
        return crate::support::storm::wait_for_farewell(words);
    }
    if env.text(DRIVE) == Some("quoting") {
        return crate::quoting::inside(&env.os("HOME").map(PathBuf::from).unwrap());
    }
    if let Some(words) = env.text(DRIVE) {
        let result = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(drive(words, &env));
        println!("\nRESULT {result}");
        return;
    }
    for words in ["install --force --port 1", "uninstall", "start", "stop", "restart --plan", "status"] {
        assert!(Words::parse(words).is_ok(), "{words}");
    }
    for words in ["", "reinstall", "install --force=1", "install --port x"] {
        assert!(Words::parse(words).is_err(), "{words}");
    }
}

/// What is to be driven.
struct Words {
    verb: String,
    install: Install,
    only_plan: bool,
    asks: bool,
    readyz: Option<u16>,
    port: Option<u16>,
    profile: Profile,
    program: PathBuf,
    claim: Duration,
    job: Option<Duration>,
}

impl Words {
    fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let mut this = Self {
            verb: words.next().unwrap_or_default().to_owned(),
            install: Install::default(),
            only_plan: false,
            asks: true,
            readyz: None,
            port: None,
            profile: Profile::Default,
            program: PROGRAM.into(),
            claim: Duration::from_secs(20),
            job: None,
        };
        if !["install", "uninstall", "start", "stop", "restart", "status"].contains(&this.verb.as_str()) {
            return Err(format!("no verb: {text}"));
        }
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
            match word {
                "--force" => this.install.force = true,
                "--no-start" => this.install.start = false,
                "--no-enable" => this.install.enable = false,
                "--linger" => this.install.linger = true,
                "--plan" => this.only_plan = true,
                "--no-probe" => this.asks = false,
                "--port" => this.port = Some(value()?.parse().map_err(|error| format!("{error}"))?),
                "--profile" => this.profile = Profile::parse(value()?).map_err(|error| error.to_string())?,
                "--readyz" => this.readyz = Some(value()?.parse().map_err(|error| format!("{error}"))?),
                "--program" => this.program = value()?.into(),
                "--claim-ms" => this.claim = Duration::from_millis(number(value()?)?),
                "--job-ms" => this.job = Some(Duration::from_millis(number(value()?)?)),
                other => return Err(format!("unknown word {other}")),
            }
        }
        Ok(this)
    }

    fn intent(&self) -> Option<Intent> {
        match self.verb.as_str() {
            "install" => Some(Intent::Install(self.install)),
            "uninstall" => Some(Intent::Uninstall),
            "start" => Some(Intent::Start),
            "stop" => Some(Intent::Stop),
            "restart" => Some(Intent::Restart),
            _ => None,
        }
    }
}

/// Does what the command line would do, and tells everything about it.
async fn drive(text: &str, env: &Env) -> Value {
    let words = Words::parse(text).unwrap();
    let dirs = host::dirs::find(env).unwrap();
    let instance = Instance::new(Brand::Idlehands, words.profile.clone(), env, &dirs);
    let mut said = Vec::new();
    let done = act(&words, &instance, &dirs, env, &mut said).await;
    let after = Systemd::connect(&instance, env).await.observe().await;
    let run = after.manager.reached().and_then(|reached| reached.state.run());
    let health = match run.filter(|_| words.asks) {
        Some(run) => Some(prober(&words, env).probe(run).await),
        None => None,
    };
    let mut result = match done {
        Ok(result) => result,
        Err(error) => failure(&error, &after),
    };
    let fields = result.as_object_mut().unwrap();
    fields.insert("said".to_owned(), json!(said));
    fields.insert("facts".to_owned(), json!(Facts::of(&after, health)));
    fields.insert("observed".to_owned(), json!(after));
    result
}

fn failure(error: &ServiceError, observed: &Observed) -> Value {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    json!({ "exit": error.exit_code().number(), "error": message, "hints": error.hints(&observed.command, observed.scope, observed.platform) })
}

async fn act(
    words: &Words,
    instance: &Instance,
    dirs: &BaseDirs,
    env: &Env,
    said: &mut Vec<String>,
) -> Result<Value, ServiceError> {
    let Some(intent) = words.intent() else { return Ok(json!({ "exit": 0 })) };
    let changes = matches!(intent, Intent::Install(_) | Intent::Uninstall) && !words.only_plan;
    let _claim = if changes { Some(claim(instance, words.claim).await?) } else { None };
    let systemd = Systemd::connect(instance, env).await;
    let before = systemd.observe().await;
    let choices = Choices { port: words.port, ..Choices::new(&words.program, dirs, Duration::from_secs(5)) };
    let spec = ServiceSpec::for_gateway(instance, &choices).unwrap();
    let desired = systemd.desire(&spec, &before).unwrap();
    let plan = plan(intent, Some(&desired), &before)?;
    if words.only_plan {
        return Ok(json!({ "exit": 0, "plan": plan, "text": plan.to_string() }));
    }
    let outcome = perform(words, env, (&systemd, &plan, &before), said).await;
    Ok(told(outcome, &plan, &before))
}

async fn perform(
    words: &Words,
    env: &Env,
    (systemd, plan, before): (&Systemd, &Plan, &Observed),
    said: &mut Vec<String>,
) -> Outcome {
    let mut report = |progress: Progress<'_>| match progress {
        Progress::Step { planned, .. } => said.push(planned.step.to_string()),
        Progress::Undoing { .. } => said.push("undo".to_owned()),
        Progress::Waiting { status: Some(status), .. } => {
            let line = format!("status: {status}");
            if said.last() != Some(&line) {
                said.push(line);
            }
        }
        Progress::Waiting { status: None, .. } => {}
    };
    let patience =
        Patience { job: words.job, answer: Duration::from_secs(2), settle: Duration::from_millis(700) };
    let asked = prober(words, env);
    let mut circumstances = Circumstances::new(asked.as_ref(), &mut report, patience);
    apply(systemd, plan, before, &mut circumstances).await
}

fn told(outcome: Outcome, plan: &Plan, before: &Observed) -> Value {
    let mut value = match outcome {
        Outcome::Done { notes } => {
            json!({ "exit": ExitCode::Ok.number(), "outcome": "done", "notes": notes })
        }
        Outcome::Failed { step, error, notes } => {
            let mut value = failure(&error, before);
            value["outcome"] = json!("failed");
            value["step"] = json!(step);
            value["notes"] = json!(notes);
            value
        }
        Outcome::RolledBack { step, error, restored } => {
            let mut value = failure(&error, before);
            value["outcome"] = json!("rolled-back");
            value["step"] = json!(step);
            value["restored"] = json!(restored);
            value
        }
        Outcome::Stuck { step, error, undoing } => {
            let mut value = failure(&error, before);
            value["outcome"] = json!("stuck");
            value["step"] = json!(step);
            value["undoing"] = json!(undoing.to_string());
            value
        }
    };
    value["plan"] = json!(plan);
    value
}

/// Who is asked whether the service is well.
fn prober(words: &Words, env: &Env) -> Box<dyn Probe> {
    match words.readyz {
        Some(port) => Box::new(Readyz(port)),
        None => Box::new(Socket(socket_path(env, words.port))),
    }
}

/// The real gateway's own probe.
struct Readyz(u16);

impl Probe for Readyz {
    fn probe(&self, run: Run) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let ready = probe::ready(&Address::local(self.0), Duration::from_secs(2)).await;
            let ready = ready.map_err(|error| error.to_string())?;
            let same =
                ready.pid == Some(run.main_pid) && ready.invocation_id == Some(run.invocation_id.clone());
            if ready.ready && same {
                Ok(())
            } else {
                Err(format!("{run:?} was asked, and {ready:?} answers"))
            }
        })
    }
}

/// The socket of the service in this file, which tells who answers.
struct Socket(PathBuf);

fn socket_path(env: &Env, port: Option<u16>) -> PathBuf {
    let dir = env.os("HOME").map(PathBuf::from).unwrap_or_default();
    dir.join(format!("served-{}.sock", port.unwrap_or(0)))
}

impl Probe for Socket {
    fn probe(&self, run: Run) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let main_pid = run.main_pid;
            let mut answer = String::new();
            let mut socket = UnixStream::connect(&self.0).map_err(|error| error.to_string())?;
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            socket.read_to_string(&mut answer).map_err(|error| error.to_string())?;
            match answer.trim() == format!("process {main_pid} is well") {
                true => Ok(()),
                false => Err(format!("process {main_pid} was asked, and the answer is: {}", answer.trim())),
            }
        })
    }
}

/// The service. How it behaves is in `~/mode-PORT`, or `~/mode-0` without a port:
/// `exit N`, `never`, `crash`, `sick`, `slow MS`; without such a file it is well.
fn serve(words: &str, env: &Env) {
    let words: Vec<&str> = words.split_whitespace().collect();
    let port = words.iter().skip_while(|word| **word != "--port").nth(1).and_then(|port| port.parse().ok());
    let home = env.os("HOME").map(PathBuf::from).unwrap_or_default();
    let mode = std::fs::read_to_string(home.join(format!("mode-{}", port.unwrap_or(0)))).unwrap_or_default();
    let mode: Vec<&str> = mode.split_whitespace().collect();
    let number = mode.get(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
    match mode.first().copied() {
        Some("exit") => std::process::exit(i32::try_from(number).unwrap()),
        Some("never") => std::thread::sleep(Duration::from_secs(3600)),
        Some("slow") => {
            notify(&[sd_notify::NotifyState::Status("warming up")]);
            std::thread::sleep(Duration::from_millis(number));
        }
        _ => {}
    }
    let path = socket_path(env, port);
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    answer_reloads();
    notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status("serving")]);
    if mode.first() == Some(&"crash") {
        std::thread::sleep(Duration::from_millis(300));
        std::process::exit(1);
    }
    std::thread::spawn(|| {
        loop {
            notify(&[sd_notify::NotifyState::Watchdog]);
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    run_child(&home, port);
    let well = if mode.first() == Some(&"sick") { "sick" } else { "well" };
    for mut client in listener.incoming().flatten() {
        let _ = writeln!(client, "process {} is {well}", std::process::id());
    }
}

/// systemd 262 refuses a service of type notify-reload that has no handler for SIGHUP when it says READY.
fn answer_reloads() {
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut hangups = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).unwrap();
            ready.send(()).unwrap();
            while hangups.recv().await.is_some() {
                let now = sd_notify::NotifyState::monotonic_usec_now().unwrap();
                notify(&[sd_notify::NotifyState::Reloading, now]);
                notify(&[sd_notify::NotifyState::Ready]);
            }
        });
    });
    is_ready.recv().unwrap();
}

/// Runs the shell line in `~/child-PORT`, once.
fn run_child(home: &Path, port: Option<u16>) {
    let (from, to) = (home.join(format!("child-{}", port.unwrap_or(0))), home.join("child-started"));
    if std::fs::rename(from, &to).is_ok() {
        // Without the variable that makes this binary the service.
        let mut child = std::process::Command::new("sh").arg(to).env_remove(SERVE).spawn().unwrap();
        std::thread::spawn(move || child.wait());
    }
}

fn notify(states: &[sd_notify::NotifyState<'_>]) {
    sd_notify::notify(states).unwrap();
}

/// Where this binary is in a machine.
pub fn inside() -> &'static Path {
    Path::new("/usr/local/lib/testbed/driver")
}
