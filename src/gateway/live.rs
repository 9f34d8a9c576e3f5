//! The loop of a running gateway: one enum of everything that can make it act.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::accept::Beat;
use super::health;
use super::listen;
use super::reload::{Reloaded, Reloader};
use super::state::State;
use super::throttle::Throttle;
use super::wishes::Wish;
use crate::config::reload::Decision;
use crate::host::clock;
use crate::host::notify::Notify;
use crate::host::tasks::CoreEnded;
use crate::protocol::event::{Event as _, Health, Heartbeat, Moment, Presence, PresenceList, Tick};
use crate::protocol::frame::TICK_INTERVAL_MS;

/// The health snapshot is made anew every second tick, that is every minute (protocol notes §4.2).
const TICKS_PER_HEALTH: u32 = 2;
/// Presence is told at most this often: the event carries the whole list.
const PRESENCE_WINDOW: Duration = Duration::from_millis(250);
/// And this often at least, however many clients there are.
const PRESENCE_WINDOW_MAX: Duration = Duration::from_secs(10);
/// In between, so that telling who is there takes no more than this many bytes a second: thousands of clients that
/// come and go would otherwise have the gateway do nothing else.
const PRESENCE_BYTES_PER_SECOND: u64 = 32 * 1024 * 1024;
/// Health is told at most this often: every connect asks for it.
const HEALTH_WINDOW: Duration = Duration::from_secs(1);
/// The service manager is told how many are connected at most this often.
const STATUS_WINDOW: Duration = Duration::from_secs(2);

/// Why the loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Somebody asked it to stop.
    Stop,
    /// It should be started again.
    Restart,
    /// A part it cannot do without has ended.
    Broken(&'static str),
}

/// Everything that can make the gateway act.
enum Event {
    Stop(&'static str),
    Restart(&'static str),
    Reload,
    CoreEnded(CoreEnded),
    Wishes(Vec<Wish>),
    Due,
    Alive(bool),
}

/// The signals the gateway listens to.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user: Signal,
}

impl Signals {
    /// Takes the signals over from the system's defaults.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for a signal that asks for an end, and says which.
    pub async fn another_end(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// What the loop works with.
pub struct Live {
    pub state: Arc<State>,
    pub notify: Notify,
    pub ended: mpsc::Receiver<CoreEnded>,
    pub beats: Vec<mpsc::Sender<Beat>>,
    pub reloader: Reloader,
}

/// When which thing is due.
struct Agenda {
    tick: Instant,
    ticks: u32,
    watchdog: Option<Instant>,
    heartbeat: Option<Instant>,
    presence: Throttle,
    health: Throttle,
    status: Throttle,
}

type Proof = Pin<Box<dyn Future<Output = bool> + Send>>;

impl Live {
    /// Runs until something ends it. Gives back what the end still needs: whoever drops the reloader ends the log.
    pub async fn run(mut self, signals: &mut Signals) -> (Ending, Reloader) {
        let ending = self.turn(signals).await;
        (ending, self.reloader)
    }

    async fn turn(&mut self, signals: &mut Signals) -> Ending {
        let now = Instant::now();
        let mut agenda = Agenda {
            tick: now + Duration::from_millis(TICK_INTERVAL_MS),
            ticks: 0,
            watchdog: self.notify.watchdog().map(|period| now + period / 2),
            heartbeat: self.heartbeat_after(now),
            presence: Throttle::new(PRESENCE_WINDOW),
            health: Throttle::new(HEALTH_WINDOW),
            status: Throttle::new(STATUS_WINDOW),
        };
        let mut proof: Option<Proof> = None;
        loop {
            let event = self.next(signals, &agenda, &mut proof).await;
            match event {
                Event::Stop(name) => {
                    tracing::info!(target: "gateway", "received {name}; shutting down");
                    return Ending::Stop;
                }
                Event::Restart(why) => {
                    tracing::info!(target: "gateway", "{why}; restarting");
                    return Ending::Restart;
                }
                Event::CoreEnded(core) => {
                    let how = if core.panicked { "panicked" } else { "ended" };
                    tracing::error!(target: "gateway", "{} {how}; the gateway cannot go on without it", core.name);
                    return Ending::Broken(core.name);
                }
                Event::Reload => {
                    if self.reload(&mut agenda).await {
                        return Ending::Restart;
                    }
                }
                Event::Wishes(wishes) => self.note(&wishes, &mut agenda),
                Event::Alive(alive) => self.feed_watchdog(alive),
                Event::Due => {}
            }
            self.do_what_is_due(&mut agenda, &mut proof);
        }
    }

    async fn next(&mut self, signals: &mut Signals, agenda: &Agenda, proof: &mut Option<Proof>) -> Event {
        let proven = async {
            match proof {
                Some(running) => running.await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            _ = signals.terminate.recv() => Event::Stop("SIGTERM"),
            _ = signals.interrupt.recv() => Event::Stop("SIGINT"),
            _ = signals.hang_up.recv() => Event::Reload,
            _ = signals.user.recv() => Event::Restart("received SIGUSR1"),
            Some(core) = self.ended.recv() => Event::CoreEnded(core),
            wishes = self.state.wishes.take() => Event::Wishes(wishes.collect()),
            alive = proven => Event::Alive(alive),
            () = tokio::time::sleep_until(agenda.next()) => Event::Due,
        };
        if matches!(event, Event::Alive(_)) {
            *proof = None;
        }
        event
    }

    fn note(&self, wishes: &[Wish], agenda: &mut Agenda) {
        let now = Instant::now();
        for wish in wishes {
            match wish {
                Wish::Presence => agenda.presence.want(now),
                Wish::Health => agenda.health.want(now),
                Wish::Status => agenda.status.want(now),
                Wish::Heartbeat => self.beat(),
            }
        }
    }

    fn do_what_is_due(&self, agenda: &mut Agenda, proof: &mut Option<Proof>) {
        let now = Instant::now();
        if agenda.tick <= now {
            agenda.tick = now + Duration::from_millis(TICK_INTERVAL_MS);
            agenda.ticks += 1;
            self.publish::<Tick>(&Moment { ts: clock::unix_ms() });
            if agenda.ticks.is_multiple_of(TICKS_PER_HEALTH) {
                agenda.health.want(now);
            }
        }
        if agenda.heartbeat.is_some_and(|due| due <= now) {
            agenda.heartbeat = self.heartbeat_after(now);
            if self.state.heartbeats.enabled() {
                self.beat();
            }
        }
        if agenda.presence.take(now) {
            let presence = self.state.presence.list(clock::unix_ms());
            let bytes = self.publish::<Presence>(&PresenceList { presence });
            agenda.presence.set_window(presence_window(bytes));
        }
        if agenda.health.take(now) {
            self.tell_health();
        }
        if agenda.status.take(now) {
            self.notify.status(&status_line(&self.state));
        }
        if let Some(period) = self.notify.watchdog().filter(|_| agenda.watchdog.is_some_and(|due| due <= now))
        {
            agenda.watchdog = Some(now + period / 2);
            *proof = Some(Box::pin(prove_alive(self.beats.clone(), period / 4)));
        }
    }

    fn publish<E: crate::protocol::event::Event>(&self, payload: &E::Payload) -> usize {
        self.state.bus.publish::<E>(payload).unwrap_or_else(|error| {
            tracing::error!(target: "gateway", "cannot publish {}: {error}", E::NAME);
            0
        })
    }

    fn tell_health(&self) {
        let state = &self.state;
        let snapshot = health::look(&state.settings.load(), &state.instance.paths.state_dir);
        state.bus.health_changed();
        let told = state.health.put(&snapshot).and_then(|raw| state.bus.publish::<Health>(&*raw));
        if let Err(error) = told {
            tracing::error!(target: "gateway", "cannot publish {}: {error}", Health::NAME);
        }
    }

    fn beat(&self) {
        let note = self.state.heartbeats.beat(clock::unix_ms());
        self.publish::<Heartbeat>(&note);
    }

    fn heartbeat_after(&self, now: Instant) -> Option<Instant> {
        let every = self.state.settings.load().heartbeat.every_ms;
        (every > 0).then(|| now + Duration::from_millis(every))
    }

    fn feed_watchdog(&self, alive: bool) {
        if alive {
            self.notify.alive();
        } else {
            tracing::error!(target: "gateway", "a listener does not turn; the watchdog is not fed");
        }
    }

    /// Looks at the configuration again. READY follows RELOADING whatever comes of it, or every later reload would
    /// hang (lifecycle notes E7). Says whether a restart is needed.
    async fn reload(&mut self, agenda: &mut Agenda) -> bool {
        self.notify.reloading();
        let reloaded = self.reloader.reload(&self.state).await;
        let mut status = status_line(&self.state);
        let restart = match reloaded {
            Reloaded::Decided(decision) => {
                tracing::info!(target: "reload", "{decision}");
                if matches!(decision, Decision::Apply { .. }) {
                    agenda.heartbeat = self.heartbeat_after(Instant::now());
                }
                matches!(decision, Decision::Restart { .. })
            }
            Reloaded::Invalid(problems) => {
                tracing::error!(target: "reload", "config reload skipped (invalid config): {problems}");
                status.push_str("; reload skipped: invalid config");
                false
            }
            Reloaded::TooLate => false,
        };
        self.notify.ready(&status);
        restart
    }
}

impl Agenda {
    /// When to look at it next.
    fn next(&self) -> Instant {
        let optional =
            [self.watchdog, self.heartbeat, self.presence.due(), self.health.due(), self.status.due()];
        optional.into_iter().flatten().fold(self.tick, Instant::min)
    }
}

/// How long to wait before presence is told again, when telling it took so many bytes.
fn presence_window(bytes: usize) -> Duration {
    let millis = bytes as u64 * 1000 / PRESENCE_BYTES_PER_SECOND;
    Duration::from_millis(millis).clamp(PRESENCE_WINDOW, PRESENCE_WINDOW_MAX)
}

/// Whether every listener turns: each is asked, and must answer within the deadline.
async fn prove_alive(listeners: Vec<mpsc::Sender<Beat>>, deadline: Duration) -> bool {
    let asked = async {
        for listener in listeners {
            let (answer, answered) = oneshot::channel();
            if listener.send(answer).await.is_err() || answered.await.is_err() {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(deadline, asked).await.unwrap_or(false)
}

/// One line for `systemctl status`: where it listens, and for how many.
pub fn status_line(state: &State) -> String {
    let urls = state.listening.iter().map(|address| listen::url(*address)).collect::<Vec<_>>().join(", ");
    let clients = state.bus.len();
    let noun = if clients == 1 { "client" } else { "clients" };
    if state.stopping.load(Ordering::Relaxed) {
        return format!("stopping; {clients} {noun}");
    }
    format!("listening on {urls}; {clients} {noun}")
}
