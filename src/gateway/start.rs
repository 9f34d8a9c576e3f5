//! From a prepared start to a running gateway: the lock, the listeners, the parts, and the proof that it answers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing_subscriber::filter::LevelFilter;

use super::accept::Accepting;
use super::credentials::Credentials;
use super::health::{self, HealthCache};
use super::heartbeat::Heartbeats;
use super::live::{Ending, Live, Signals, status_line};
use super::notes::Notes;
use super::prepare::{Holder, Prepared};
use super::presence::PresenceList;
use super::refusal::Refusal;
use super::reload::Reloader;
use super::settings::Settings;
use super::state::State;
use super::wishes::Wishes;
use super::{accept, listen, methods, stop, store};
use crate::auth::admission::Limiters;
use crate::auth::store::DeviceStore;
use crate::bus::Bus;
use crate::config::Config;
use crate::config::section::{Bind, Level};
use crate::exit::ExitCode;
use crate::host::handed::{self, Gift, Handed};
use crate::host::lock::{self, Attempt, Lock};
use crate::host::log::{Log, Settings as LogSettings};
use crate::host::notify::Notify;
use crate::host::tasks::Tasks;
use crate::host::{clock, fs, machine, port};
use crate::instance::Instance;
use crate::protocol::text::Credential;

/// How long a supervised gateway waits for its predecessor to let go of the port and the state directory.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long the gateway may take to answer itself.
const SELF_PROBE: Duration = Duration::from_secs(10);

/// The program's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs a prepared gateway to its end.
pub fn run(prepared: Prepared) -> Result<ExitCode, Refusal> {
    let gift = handed::take(&prepared.env);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Refusal::Runtime)?;
    let done = runtime.block_on(live_and_stop(prepared, gift));
    // Whatever still blocks a thread now was given its time.
    runtime.shutdown_timeout(Duration::from_millis(100));
    done
}

async fn live_and_stop(prepared: Prepared, gift: Gift) -> Result<ExitCode, Refusal> {
    let supervised = ["NOTIFY_SOCKET", "INVOCATION_ID"].iter().any(|name| prepared.env.os(name).is_some());
    let deadline = Instant::now() + if supervised { PATIENCE } else { Duration::ZERO };
    let mut signals = Signals::listen().map_err(Refusal::Runtime)?;
    let mut lock = take_lock(&prepared, deadline).await?;
    let notify = Notify::new(&prepared.env);
    let sorted = listen::sort(gift.listeners, &prepared.addresses, prepared.port);
    let told = store::drop_unwanted(sorted.unwanted, notify);
    let listeners = claim_port(&prepared, deadline, &sorted.kept).await?;
    machine::raise_file_limit();

    let log = start_log(&prepared)?;
    for problem in &gift.problems {
        tracing::warn!(target: "service", "{problem}");
    }
    for news in &told {
        tracing::info!(target: "service", "{news}");
    }
    let to_store = store::to_store(&listeners, sorted.kept, notify);
    let (tasks, ended) = Tasks::new();
    let state = Arc::new(state(&prepared, &listeners, tasks.clone())?);
    describe(&mut lock, &prepared, &state);
    let accepting = Accepting::default();
    let beats = accept_all(listeners, &state, &accepting);
    announce(&prepared, &state);

    let reloader =
        Reloader::new(prepared.source, prepared.credentials, prepared.loaded, log, prepared.verbose);
    tasks.spawn(become_ready(Arc::clone(&state), notify, to_store));
    let live = Live { state: Arc::clone(&state), notify, ended, beats, reloader };
    let (ending, log) = live.run(&mut signals).await;
    stop::stop(&state, (&ending, &prepared.env), &accepting, notify, &mut signals).await;
    lock.clear();
    drop(log);
    Ok(match ending {
        Ending::Stop => ExitCode::Ok,
        Ending::Restart => ExitCode::Temporary,
        Ending::Broken(_) => ExitCode::Failed,
    })
}

/// Takes the state directory for this process. An ad hoc gateway writes nothing there; its lock lasts no longer than
/// the boot.
async fn take_lock(prepared: &Prepared, deadline: Instant) -> Result<Lock, Refusal> {
    let paths = &prepared.instance.paths;
    let path = if prepared.ad_hoc { &paths.adhoc_lock } else { &paths.lock };
    let unusable = |source| Refusal::Files { path: path.clone(), source };
    if let Some(dir) = path.parent() {
        fs::private_dir(dir).map_err(unusable)?;
        // The record of an ad hoc gateway holds its token, and tells commands where to go.
        if prepared.ad_hoc && !fs::is_ours_alone(dir) {
            return Err(unusable(std::io::Error::other("others can write to its directory, or own it")));
        }
    }
    loop {
        match Lock::try_take(path).map_err(unusable)? {
            Attempt::Taken(lock) => return Ok(lock),
            Attempt::Held if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
            Attempt::Held => {
                let holder = lock::read::<Holder>(path).map_err(unusable)?;
                let service = holder.as_ref().and_then(|holder| port::unit_of_process(holder.pid));
                let own = prepared.instance.unit_name();
                return Err(Refusal::Locked { lock: path.clone(), holder, service, own });
            }
        }
    }
}

async fn claim_port(
    prepared: &Prepared,
    deadline: Instant,
    kept: &[Handed],
) -> Result<Vec<TcpListener>, Refusal> {
    let (addresses, port) = (&prepared.addresses, prepared.port);
    let url = match addresses.first() {
        Some(address) => listen::url(SocketAddr::from((*address, port))),
        None => format!("ws://127.0.0.1:{port}"),
    };
    loop {
        let bound = match listen::bind_all(addresses, port, kept) {
            // A machine whose loopback cannot be bound is reached through its network.
            Err(error)
                if prepared.bind == Bind::Auto
                    && prepared.credentials.protects()
                    && error.kind() != std::io::ErrorKind::AddrInUse =>
            {
                listen::bind_all(&[std::net::Ipv4Addr::UNSPECIFIED.into()], port, kept)
            }
            other => other,
        };
        match bound {
            Ok(listeners) => return Ok(listeners),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                if Instant::now() >= deadline {
                    let owners = tokio::task::spawn_blocking(move || port::owners(port)).await;
                    let owners = owners.ok().and_then(Result::ok).unwrap_or_default();
                    return Err(Refusal::PortHeld { port, url, owners });
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Err(source) => return Err(Refusal::Bind { url, source }),
        }
    }
}

fn start_log(prepared: &Prepared) -> Result<Log, Refusal> {
    let file = log_file(&prepared.config, &prepared.instance, !prepared.ad_hoc);
    let path = file.as_ref().map(|(path, _)| path.clone()).unwrap_or_default();
    let settings = LogSettings { level: level(&prepared.config, prepared.verbose), file };
    let log = Log::start(&settings, &prepared.env).map_err(|source| Refusal::Files { path, source })?;
    log_panics();
    Ok(log)
}

/// The least important level that is kept.
pub(super) fn level(config: &Config, verbose: bool) -> LevelFilter {
    let configured = match config.logging.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    if verbose { configured.max(LevelFilter::DEBUG) } else { configured }
}

/// The log file and its size; none when nothing may be written.
pub(super) fn log_file(config: &Config, instance: &Instance, may_write: bool) -> Option<(PathBuf, u64)> {
    let configured = config.logging.file.as_ref().map(|file| file.under(&instance.paths.home));
    may_write
        .then(|| (configured.unwrap_or_else(|| instance.paths.log.clone()), config.logging.max_bytes.get()))
}

/// A panic is a line of the log, wherever it happens, with where it happened.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("(no message)");
        let trace = std::backtrace::Backtrace::force_capture().to_string();
        tracing::error!(target: "panic", backtrace = trace.as_str(), "panicked at {place}: {what}");
    }));
}

fn state(prepared: &Prepared, listeners: &[TcpListener], tasks: Tasks) -> Result<State, Refusal> {
    let instance = prepared.instance.clone();
    let settings = Settings::new(&prepared.config, &prepared.credentials, prepared.loaded.hash.clone());
    let devices = DeviceStore::load((!prepared.ad_hoc).then(|| instance.paths.devices.clone()))?;
    let health = HealthCache::new();
    if let Err(error) = health.put(&health::look(&settings, &instance.paths.state_dir)) {
        tracing::error!(target: "gateway", "the health snapshot does not serialise: {error}");
    }
    let invocation_id = prepared.env.text("INVOCATION_ID").map(str::to_owned);
    Ok(State {
        version: VERSION,
        boot_id: uuid::Uuid::new_v4().to_string(),
        invocation_id,
        started: Instant::now(),
        started_ms: clock::unix_ms(),
        listening: listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect(),
        source: prepared.source.clone(),
        limiters: Limiters::new(settings.limits),
        settings: ArcSwap::from_pointee(settings),
        bus: Bus::new(),
        presence: PresenceList::new(VERSION),
        health,
        heartbeats: Heartbeats::new(),
        notes: Notes::default(),
        devices,
        features: methods::features(false),
        features_v4: methods::features(true),
        tasks,
        requests: TaskTracker::new(),
        wishes: Wishes::default(),
        ws_log: prepared.ws_log,
        log: ArcSwapOption::from_pointee(
            log_file(&prepared.config, &instance, !prepared.ad_hoc).map(|(path, _)| path),
        ),
        ready: AtomicBool::new(false),
        stopping: AtomicBool::new(false),
        handshakes: Arc::default(),
        instance,
    })
}

/// Writes into the lock who holds it.
fn describe(lock: &mut Lock, prepared: &Prepared, state: &State) {
    let token = match &prepared.credentials {
        Credentials::Token(token) if prepared.ad_hoc => Credential(Some(token.clone())),
        _ => Credential::default(),
    };
    let holder = Holder {
        pid: std::process::id(),
        url: state.listening.first().map(|address| listen::url(listen::reachable(*address))),
        version: VERSION.to_owned(),
        started_at_ms: state.started_ms,
        token,
    };
    if let Err(error) = lock.describe(&holder) {
        tracing::warn!(target: "gateway", "cannot write who holds the lock: {error}");
    }
}

fn accept_all(
    listeners: Vec<TcpListener>,
    state: &Arc<State>,
    accepting: &Accepting,
) -> Vec<mpsc::Sender<accept::Beat>> {
    let start = |listener| {
        let (beat, beats) = mpsc::channel(1);
        state.tasks.spawn_core("listener", accepting.run(listener, Arc::clone(state), beats));
        beat
    };
    listeners.into_iter().map(start).collect()
}

fn announce(prepared: &Prepared, state: &State) {
    let urls = state.listening.iter().map(|address| listen::url(*address)).collect::<Vec<_>>().join(", ");
    tracing::info!(target: "gateway", "listening on {urls} (PID {})", std::process::id());
    match &*state.log.load() {
        Some(path) => tracing::info!(target: "gateway", "log file: {}", path.display()),
        None => tracing::info!(target: "gateway", "running ad hoc: nothing is written"),
    }
    let ui = &prepared.config.gateway.control_ui;
    let dangerous = [
        (ui.dangerously_allow_host_header_origin_fallback, "dangerouslyAllowHostHeaderOriginFallback"),
        (ui.dangerously_disable_device_auth, "dangerouslyDisableDeviceAuth"),
        (ui.allow_insecure_auth, "allowInsecureAuth"),
    ];
    let flags: Vec<_> = dangerous.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    if !flags.is_empty() {
        let flags = flags.join(", ");
        tracing::warn!(target: "gateway", "security warning: dangerous config flags enabled: gateway.controlUi.{flags}");
    }
}

/// Asks the gateway from outside whether it lives; only then is it ready.
async fn become_ready(state: Arc<State>, notify: Notify, to_store: Vec<store::Listener>) {
    let addresses: Vec<SocketAddr> =
        state.listening.iter().map(|address| listen::reachable(*address)).collect();
    for address in addresses {
        match tokio::time::timeout(SELF_PROBE, probe(address)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(target: "gateway", "not ready: {address} does not answer: {error}");
                return;
            }
            Err(_) => {
                tracing::error!(target: "gateway", "not ready: {address} did not answer within {} s", SELF_PROBE.as_secs());
                return;
            }
        }
    }
    state.ready.store(true, Ordering::Relaxed);
    // First the sockets: whoever sees that the service is ready may kill it at once.
    store::put(to_store, notify);
    notify.ready(&status_line(&state));
    tracing::info!(target: "gateway", "ready");
}

/// One request for `/healthz`, through the front door.
async fn probe(address: SocketAddr) -> std::io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    if answer.starts_with(b"HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(std::io::Error::other("it answered something else than 200"))
    }
}
