//! The manager over D-Bus: the few members that are called, and waiting for one's own job.
//!
//! org.freedesktop.systemd1(5). The traits below are the whole list of what we ask of systemd; nothing is cached,
//! for systemd announces few changes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use zbus::fdo::PropertiesProxy;
use zbus::names::InterfaceName;
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, Variant};

use super::link::{JobEnd, SERVICE, Tick, Verb};
use super::properties::{Properties, Value};
use super::surroundings::Ways;
use crate::service::error::{CallKind, ServiceError};
use crate::service::reach::Unreachable;

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn restart_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn reload_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn reset_failed_unit(&self, name: &str) -> zbus::Result<()>;
    fn reload(&self) -> zbus::Result<()>;
    fn enable_unit_files(
        &self,
        files: &[&str],
        runtime: bool,
        force: bool,
    ) -> zbus::Result<(bool, Vec<(String, String, String)>)>;
    fn disable_unit_files(
        &self,
        files: &[&str],
        runtime: bool,
    ) -> zbus::Result<Vec<(String, String, String)>>;

    fn unset_environment(&self, names: &[&str]) -> zbus::Result<()>;

    #[zbus(signal)]
    fn job_removed(&self, id: u32, job: zbus::ObjectPath<'_>, unit: &str, result: &str) -> zbus::Result<()>;

    #[zbus(property)]
    fn version(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn unit_path(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property)]
    fn environment(&self) -> zbus::Result<Vec<String>>;
}

/// No answer takes longer, unless the manager is stuck. Reloading many units on a slow machine takes seconds.
const CALL_DEADLINE: Duration = Duration::from_secs(60);
/// A local socket connects at once, or something is wrong with it.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Another machine is connected to and logged in to first.
const LOGIN_DEADLINE: Duration = Duration::from_secs(30);
/// Properties of a unit for which no file is opened.
const IN_MEMORY: [&str; 10] = [
    "LoadState",
    "LoadError",
    "ActiveState",
    "SubState",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "InvocationID",
    "Job",
    "FreezerState",
];
/// How often the unit is looked at while its job is waited for.
const TICK: Duration = Duration::from_millis(500);

/// A connection to the manager.
#[derive(Clone, Debug)]
pub struct Bus {
    connection: Connection,
    manager: ManagerProxy<'static>,
    version: String,
}

impl Bus {
    /// Connects to a bus that has the manager on it.
    ///
    /// Tells the directories that the manager reads units from, too.
    pub async fn connect(address: &str, ways: &Ways) -> Result<(Self, Vec<PathBuf>), Unreachable> {
        let connect = async {
            let connection = open_bus(address, ways.user_id).await?;
            let manager =
                ManagerProxy::builder(&connection).cache_properties(CacheProperties::No).build().await?;
            let version = manager.version().await?;
            let dirs = manager.unit_path().await?.into_iter().map(PathBuf::from).collect();
            Ok((Self { connection, manager, version }, dirs))
        };
        let deadline = if ways.user_id.is_some() { LOGIN_DEADLINE } else { CONNECT_DEADLINE };
        match timeout(deadline, connect).await {
            Ok(Ok(found)) => Ok(found),
            // A socket that its owner left behind.
            Ok(Err(error)) if nobody_listens(&error) => Err(ways.not_running()),
            Ok(Err(error)) => Err(Unreachable::Bus {
                address: address.to_owned(),
                why: error.to_string(),
                refused: kind_of(&error) == CallKind::NotPermitted,
            }),
            Err(_) => Err(Unreachable::Silent { seconds: deadline.as_secs() }),
        }
    }

    /// The manager's version, as it prints it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The variables that it gives to everything it starts.
    pub async fn environment(&self) -> Result<Vec<String>, ServiceError> {
        self.manager.environment().await.map_err(failed("tell its own environment"))
    }

    /// Takes variables out of that environment.
    pub async fn unset_environment(&self, names: &[&str]) -> Result<(), ServiceError> {
        self.manager.unset_environment(names).await.map_err(failed("change its own environment"))
    }

    /// The properties of a unit and of its kind. A unit that does not exist has properties too.
    pub async fn unit(&self, name: &str, interfaces: &[&'static str]) -> Result<Properties, ServiceError> {
        let failed = failed(&format!("describe {name}"));
        let read = async {
            let proxy = self.properties_of(name).await?;
            let mut all = HashMap::new();
            for interface in interfaces {
                let interface = InterfaceName::try_from(*interface)?;
                all.extend(proxy.get_all(interface).await?);
            }
            Ok(all)
        };
        read.await.map(properties).map_err(|error: zbus::Error| failed(error))
    }

    /// The properties of a service that the manager has in memory. To tell all of them it would open the unit's file.
    pub async fn known(&self, name: &str) -> Result<Properties, ServiceError> {
        let failed = failed(&format!("describe {name}"));
        let read = async {
            let proxy = self.properties_of(name).await?;
            let mut all = proxy.get_all(InterfaceName::try_from(SERVICE[1])?).await?;
            all.extend(single(&proxy, &IN_MEMORY).await?);
            Ok(all)
        };
        read.await.map(properties).map_err(|error: zbus::Error| failed(error))
    }

    /// What a unit wants, and requires.
    pub async fn edges(&self, name: &str) -> Result<Properties, ServiceError> {
        let read = async { single(&self.properties_of(name).await?, &["Wants", "Requires"]).await };
        read.await.map(properties).map_err(failed(&format!("describe {name}")))
    }

    async fn properties_of(&self, unit: &str) -> zbus::Result<PropertiesProxy<'static>> {
        let path = self.manager.load_unit(unit).await?;
        PropertiesProxy::builder(&self.connection)
            .destination("org.freedesktop.systemd1")
            .path(path)
            .cache_properties(CacheProperties::No)
            .build()
            .await
    }

    /// What a job does: "start", "stop", "restart". None when there is no such job.
    pub async fn job_type(&self, job: &str) -> Option<String> {
        let job = zbus::ObjectPath::try_from(job).ok()?;
        let proxy = PropertiesProxy::builder(&self.connection)
            .destination("org.freedesktop.systemd1")
            .path(job)
            .cache_properties(CacheProperties::No)
            .build()
            .await
            .ok()?;
        let interface = InterfaceName::try_from("org.freedesktop.systemd1.Job").ok()?;
        let kind = proxy.get(interface, "JobType").await.ok()?;
        match plain(&kind)? {
            Value::Text(kind) => Some(kind),
            _ => None,
        }
    }

    /// Reads all definitions again; comes back when that is done.
    pub async fn reload(&self) -> Result<(), ServiceError> {
        self.manager.reload().await.map_err(failed("reload its definitions"))
    }

    /// Makes the links of the `[Install]` section.
    pub async fn enable(&self, unit: &str) -> Result<(), ServiceError> {
        let done = self.manager.enable_unit_files(&[unit], false, false).await;
        done.map(drop).map_err(failed(&format!("enable {unit}")))
    }

    /// Removes the links to the unit.
    pub async fn disable(&self, unit: &str) -> Result<(), ServiceError> {
        let done = self.manager.disable_unit_files(&[unit], false).await;
        done.map(drop).map_err(failed(&format!("disable {unit}")))
    }

    /// Clears failures and counters. A unit that is not loaded has none.
    pub async fn reset_failed(&self, unit: &str) -> Result<(), ServiceError> {
        match self.manager.reset_failed_unit(unit).await {
            Err(error) if kind_of(&error) != CallKind::NoSuchUnit => {
                Err(failed(&format!("clear the failures of {unit}"))(error))
            }
            _ => Ok(()),
        }
    }

    /// Hands a job over without waiting for it.
    pub async fn enqueue(&self, verb: Verb, unit: &str) -> Result<OwnedObjectPath, ServiceError> {
        // "replace" takes the place of a job that contradicts it: a stop cuts a start short.
        let job = match verb {
            Verb::Start => self.manager.start_unit(unit, "replace").await,
            Verb::Stop => self.manager.stop_unit(unit, "replace").await,
            Verb::Restart => self.manager.restart_unit(unit, "replace").await,
            Verb::Reload => self.manager.reload_unit(unit, "replace").await,
        };
        job.map_err(failed(&format!("{} {unit}", verb.word())))
    }

    /// Runs a job and waits for its own end, telling at every tick what the unit is like.
    pub async fn job(
        &self,
        verb: Verb,
        unit: &str,
        deadline: Duration,
        tick: &mut Tick<'_>,
    ) -> Result<JobEnd, ServiceError> {
        let lost = failed(&format!("tell how the job for {unit} ends"));
        // Listening comes before asking: the end of a short job may overtake the reply that names it.
        let mut removed = self.manager.receive_job_removed_with_args(&[(2, unit)]).await.map_err(&lost)?;
        self.subscribe().await.map_err(&lost)?;
        let begin = Instant::now();
        let job = self.enqueue(verb, unit).await?;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut gone = 0;
        loop {
            tokio::select! {
                signal = removed.next() => {
                    let signal = signal.ok_or_else(|| lost(zbus::Error::Failure("the connection was closed".to_owned())))?;
                    let args = signal.args().map_err(&lost)?;
                    if args.job.as_str() == job.as_str() {
                        return Ok(JobEnd::named(args.result));
                    }
                }
                _ = ticks.tick() => {
                    // A manager that executes itself anew does not answer for a moment, and keeps its jobs.
                    if let Ok(properties) = self.known(unit).await {
                        let state = properties.unit_state(false);
                        tick(begin.elapsed(), &state);
                        // A signal that never comes must not keep us waiting for a job that is no more.
                        gone = if state.job.as_deref() == Some(job.as_str()) { 0 } else { gone + 1 };
                        if gone > 2 {
                            return Ok(JobEnd::Unseen);
                        }
                    }
                    if begin.elapsed() >= deadline {
                        return Err(ServiceError::JobDeadline { verb: verb.word(), unit: unit.to_owned(), deadline });
                    }
                }
            }
        }
    }

    /// Signals are sent to everybody only after somebody asked for them.
    async fn subscribe(&self) -> zbus::Result<()> {
        match self.manager.subscribe().await {
            Err(zbus::Error::MethodError(name, _, _)) if name.ends_with(".AlreadySubscribed") => Ok(()),
            other => other,
        }
    }
}

/// Connects to a bus, as another user than this one where it is on another machine. No call over it waits for ever.
pub(super) async fn open_bus(address: &str, user_id: Option<u32>) -> zbus::Result<Connection> {
    let builder = zbus::connection::Builder::address(address).method_timeout(CALL_DEADLINE);
    match user_id {
        Some(user_id) => builder.user_id(user_id).build().await,
        None => builder.build().await,
    }
}

/// Properties of a unit one by one; those that this manager does not have are left out.
async fn single(
    proxy: &PropertiesProxy<'_>,
    names: &[&'static str],
) -> zbus::Result<HashMap<String, OwnedVariant>> {
    let unit = InterfaceName::try_from(SERVICE[0])?;
    let mut found = HashMap::new();
    for name in names {
        match proxy.get(unit.clone(), name).await {
            Ok(value) => drop(found.insert((*name).to_owned(), value)),
            Err(zbus::fdo::Error::UnknownProperty(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn failed(operation: &str) -> impl Fn(zbus::Error) -> ServiceError + use<> {
    let operation = operation.to_owned();
    move |error| ServiceError::Call {
        operation: operation.clone(),
        kind: kind_of(&error),
        source: error.into(),
    }
}

/// What an error is about, by its D-Bus name (lifecycle notes: error names are the same from 247 to 262).
pub(super) fn kind_of(error: &zbus::Error) -> CallKind {
    use zbus::fdo;
    match error {
        zbus::Error::MethodError(name, _, _) => match name.rsplit('.').next().unwrap_or_default() {
            "NoSuchUnit" | "NoSuchUser" => CallKind::NoSuchUnit,
            "UnitMasked" => CallKind::Masked,
            "BadUnitSetting" => CallKind::BadDefinition,
            "InteractiveAuthorizationRequired" => CallKind::NotPermitted,
            _ => CallKind::Other,
        },
        zbus::Error::FDO(error) => match error.as_ref() {
            fdo::Error::AccessDenied(_)
            | fdo::Error::AuthFailed(_)
            | fdo::Error::InteractiveAuthorizationRequired(_) => CallKind::NotPermitted,
            fdo::Error::NoReply(_) | fdo::Error::Timeout(_) | fdo::Error::TimedOut(_) => CallKind::Silent,
            fdo::Error::Disconnected(_)
            | fdo::Error::ServiceUnknown(_)
            | fdo::Error::NameHasNoOwner(_)
            | fdo::Error::UnknownObject(_) => CallKind::Lost,
            fdo::Error::ZBus(inner) => kind_of(inner),
            _ => CallKind::Other,
        },
        zbus::Error::InputOutput(error) | zbus::Error::Connection(error, _) => match error.kind() {
            std::io::ErrorKind::TimedOut => CallKind::Silent,
            std::io::ErrorKind::PermissionDenied => CallKind::NotPermitted,
            _ => CallKind::Lost,
        },
        zbus::Error::Handshake(_) => CallKind::NotPermitted,
        _ => CallKind::Other,
    }
}

fn nobody_listens(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::InputOutput(error) | zbus::Error::Connection(error, _) => {
            matches!(error.kind(), std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::NotFound)
        }
        _ => false,
    }
}

fn properties(all: HashMap<String, OwnedVariant>) -> Properties {
    Properties(all.into_iter().filter_map(|(name, value)| Some((name, plain(&value)?))).collect())
}

/// A D-Bus value without its types. What no property has is left out.
fn plain(value: &Variant<'_>) -> Option<Value> {
    Some(match value {
        Variant::Str(text) => Value::Text(text.to_string()),
        Variant::ObjectPath(path) => Value::Text(path.to_string()),
        Variant::Bool(flag) => Value::Flag(*flag),
        Variant::U8(number) => Value::Number(i128::from(*number)),
        Variant::I16(number) => Value::Number(i128::from(*number)),
        Variant::U16(number) => Value::Number(i128::from(*number)),
        Variant::I32(number) => Value::Number(i128::from(*number)),
        Variant::U32(number) => Value::Number(i128::from(*number)),
        Variant::I64(number) => Value::Number(i128::from(*number)),
        Variant::U64(number) => Value::Number(i128::from(*number)),
        Variant::Array(values) => Value::Many(values.iter().filter_map(plain).collect()),
        Variant::Structure(fields) => Value::Many(fields.fields().iter().filter_map(plain).collect()),
        Variant::Variant(inner) => plain(inner)?,
        _ => return None,
    })
}
