//! A server under measurement: the gateway or the bare one, each with a home directory of its own.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use tokio::time::timeout;

use crate::bare;
use crate::bench::{Outcome, failed};
use crate::client::{Client, Mode};
use crate::leash::Leashed;

/// The shared secret of a run. It guards nothing: a loopback port for some seconds.
const TOKEN: &str = "speed-benchmark";

/// Which server.
#[derive(Clone, Debug)]
pub enum Kind {
    /// The bare one, and the length of what it broadcasts.
    Bare(usize),
    /// The gateway.
    Gateway,
}

impl Kind {
    /// The bare server where nothing is broadcast.
    pub const BARE: Self = Self::Bare(0);

    /// Whether the server speaks first.
    pub const fn challenges(&self) -> bool {
        matches!(self, Self::Gateway)
    }

    /// The token to connect with.
    pub const fn token(&self) -> &'static str {
        TOKEN
    }

    /// Whether this answer to `connect` lets the client in.
    pub fn accepted(&self, answer: &[u8]) -> bool {
        let hello = br#""type":"hello-ok""#;
        match self {
            Self::Bare(_) => answer == bare::ANSWER.as_bytes(),
            Self::Gateway => answer.windows(hello.len()).any(|part| part == hello),
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Bare(_) => "bare",
            Self::Gateway => "gateway",
        }
    }
}

/// Starts servers.
#[derive(Debug)]
pub struct Starter {
    scratch: PathBuf,
    gateway: PathBuf,
    homes: AtomicU32,
    ports: AtomicU16,
}

/// Ports tried, below the usual range of local ports: a client of a port in that range that nobody listens on yet
/// may get connected to itself.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

impl Starter {
    /// For this gateway binary, with homes below `scratch`.
    pub fn new(scratch: &Path, gateway: &Path) -> Self {
        // Two benchmarks at a time begin at different ports; the remainder fits.
        let first = PORTS.start + (std::process::id() % 100) as u16 * 100;
        Self {
            scratch: scratch.to_owned(),
            gateway: gateway.to_owned(),
            homes: AtomicU32::new(0),
            ports: AtomicU16::new(first),
        }
    }

    /// The gateway's binary.
    pub fn gateway(&self) -> &Path {
        &self.gateway
    }

    /// Starts a server and connects a first client, which is closed again.
    pub async fn start(&self, kind: Kind) -> Outcome<Server> {
        let home = self.scratch.join(self.homes.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&home)?;
        let port = self.free_port()?;
        let log = home.with_extension("log");
        let program = self.program(&kind, port)?;
        let token = Path::new(TOKEN);
        let env = [("HOME", home.as_path()), ("TMPDIR", &home), ("IDLEHANDS_GATEWAY_TOKEN", token)];
        let leashed = Leashed::prepare(&program, &env, &log).await?;
        let (mut child, started) = leashed.start().await?;
        let pid = child.id().ok_or("the server has ended")?;
        let ended = || child.try_wait().is_ok_and(|status| status.is_some());
        let first = match Client::open_first(&kind, port, Mode::Backend, ended).await {
            Ok(first) => first,
            Err(error) => {
                let ended = child.try_wait()?.map(|status| format!(", {status}")).unwrap_or_default();
                let said = fs::read_to_string(&log).unwrap_or_default();
                let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
                return Err(format!("the {} server: {error}{ended}; it said: {said}", kind.name()).into());
            }
        };
        let reached = started.elapsed();
        first.close().await?;
        Ok(Server { kind, pid, port, home, reached, child })
    }

    fn program(&self, kind: &Kind, port: u16) -> Outcome<Vec<OsString>> {
        let port = port.to_string();
        let (program, args) = match kind {
            Kind::Bare(bytes) => {
                (std::env::current_exe()?, vec![bare::ROLE.to_owned(), port, bytes.to_string()])
            }
            Kind::Gateway => {
                let args = ["gateway", "run", "--port", &port, "--auth", "token", "--allow-unconfigured"];
                (self.gateway.clone(), args.map(str::to_owned).to_vec())
            }
        };
        Ok(std::iter::once(program.into()).chain(args.into_iter().map(OsString::from)).collect())
    }

    fn free_port(&self) -> Outcome<u16> {
        for _ in PORTS {
            let next = self.ports.fetch_add(1, Ordering::Relaxed);
            let port = PORTS.start + (next - PORTS.start) % (PORTS.end - PORTS.start);
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
        }
        Err(failed("finding a free port", format!("none in {PORTS:?}")))
    }
}

/// A running server, killed when dropped.
#[derive(Debug)]
pub struct Server {
    /// Which one it is.
    pub kind: Kind,
    /// Its process.
    pub pid: u32,
    /// Where it listens.
    pub port: u16,
    /// Its home directory.
    pub home: PathBuf,
    /// From its execve to the first client's hello-ok.
    pub reached: Duration,
    child: Child,
}

impl Server {
    /// A new client.
    pub async fn connect(&self, mode: Mode) -> Outcome<Client> {
        Client::open(&self.kind, self.port, mode).await
    }

    /// Kills it.
    pub async fn kill(mut self) -> Outcome<()> {
        self.child.kill().await.map_err(|error| failed("killing a server", error))
    }

    /// Asks it to end by SIGTERM and says how long that took.
    pub async fn terminate(mut self, patience: Duration) -> Outcome<Duration> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or("no such process id")?;
        let asked = Instant::now();
        kill_process(pid, Signal::TERM)?;
        timeout(patience, self.child.wait())
            .await
            .map_err(|_| failed("ending by SIGTERM", format!("still running after {patience:?}")))??;
        Ok(asked.elapsed())
    }
}
