//! The handles a request may use. No behaviour.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio_util::task::TaskTracker;

use super::handshakes::Handshakes;
use super::health::HealthCache;
use super::heartbeat::Heartbeats;
use super::notes::Notes;
use super::presence::PresenceList;
use super::settings::Settings;
use super::wishes::Wishes;
use super::ws_log::WsLog;
use crate::auth::admission::Limiters;
use crate::auth::store::DeviceStore;
use crate::bus::Bus;
use crate::config::Source;
use crate::host::tasks::Tasks;
use crate::instance::Instance;
use crate::protocol::snapshot::Features;

/// Everything a running gateway is made of.
#[derive(Debug)]
pub struct State {
    /// Which gateway it is.
    pub instance: Instance,
    /// The program's version.
    pub version: &'static str,
    /// This process, as clients are told it.
    pub boot_id: String,
    /// systemd's name for this run of the service.
    pub invocation_id: Option<String>,
    /// When it began.
    pub started: Instant,
    /// When it began, milliseconds since 1970.
    pub started_ms: u64,
    /// Where it listens.
    pub listening: Vec<SocketAddr>,
    /// Where its configuration comes from.
    pub source: Source,
    /// What a reload replaces.
    pub settings: ArcSwap<Settings>,
    /// Events to every client.
    pub bus: Arc<Bus>,
    /// Who is there.
    pub presence: PresenceList,
    /// How it is.
    pub health: HealthCache,
    /// The agents' heartbeat.
    pub heartbeats: Heartbeats,
    /// Notes for the main session.
    pub notes: Notes,
    /// Paired devices.
    pub devices: DeviceStore,
    /// Failed attempts.
    pub limiters: Limiters,
    /// Methods and events, as protocol 1 and 3 are told them.
    pub features: Features,
    /// The same as protocol 4 is told them.
    pub features_v4: Features,
    /// Every task.
    pub tasks: Tasks,
    /// Work under way: requests being carried out, and whatever else holds a token of it. A stop waits for it up to the
    /// deadline, and reports how much is left.
    pub requests: TaskTracker,
    /// What the loop is asked to do.
    pub wishes: Wishes,
    /// How much is said of requests.
    pub ws_log: WsLog,
    /// Where the log is, if there is one.
    pub log: ArcSwapOption<PathBuf>,
    /// Whether a probe from outside was answered and nothing has been stopped since.
    pub ready: AtomicBool,
    /// Whether it is stopping: no new request is taken.
    pub stopping: AtomicBool,
    /// Connections that have not finished their handshake.
    pub handshakes: Arc<Handshakes>,
}
