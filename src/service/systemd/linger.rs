//! Lingering: whether this user's manager runs without a session. Read and set through logind
//! (org.freedesktop.login1(5)), which is on the system bus.
//!
//! Read first, act without asking anybody for a password, read again: the answer of the call alone is no proof.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use zbus::OwnedObjectPath;
use zbus::proxy::CacheProperties;

use super::{bus, surroundings};
use crate::host;
use crate::instance::Env;
use crate::service::error::{CallKind, ServiceError};
use crate::service::observed::Linger;

#[zbus::proxy(
    interface = "org.freedesktop.login1.Manager",
    default_service = "org.freedesktop.login1",
    default_path = "/org/freedesktop/login1"
)]
trait Logind {
    fn get_user(&self, uid: u32) -> zbus::Result<OwnedObjectPath>;
    fn set_user_linger(&self, uid: u32, enable: bool, interactive: bool) -> zbus::Result<()>;
}

#[zbus::proxy(interface = "org.freedesktop.login1.User", default_service = "org.freedesktop.login1")]
trait User {
    #[zbus(property)]
    fn linger(&self) -> zbus::Result<bool>;
}

const DEADLINE: Duration = Duration::from_secs(10);

/// Whether this user lingers.
pub async fn read(env: &Env) -> Linger {
    match timeout(DEADLINE, lingers(env)).await {
        Ok(Ok(true)) => Linger::Yes,
        Ok(Ok(false)) => Linger::No,
        Ok(Err(error)) => Linger::Unknown(error.to_string()),
        Err(_) => Linger::Unknown("logind did not answer".to_owned()),
    }
}

/// Turns lingering on or off, and looks whether it is so.
pub async fn set(env: &Env, enable: bool) -> Result<(), ServiceError> {
    let failed = |why: String| ServiceError::Linger { user: host::user::name(env), enable, why };
    let act = async {
        let connection = bus::open_bus(&system_bus(env), None).await?;
        LogindProxy::new(&connection).await?.set_user_linger(host::user::id(), enable, false).await?;
        lingers(env).await
    };
    match timeout(DEADLINE, act).await {
        Ok(Ok(now)) if now == enable => Ok(()),
        Ok(Ok(_)) => Err(failed("logind agreed, and nothing changed".to_owned())),
        Ok(Err(error)) if bus::kind_of(&error) == CallKind::NotPermitted => {
            Err(failed("this needs the administrator's permission".to_owned()))
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed("logind did not answer".to_owned())),
    }
}

async fn lingers(env: &Env) -> zbus::Result<bool> {
    let connection = bus::open_bus(&system_bus(env), None).await?;
    let user = LogindProxy::new(&connection).await?.get_user(host::user::id()).await;
    match user {
        Ok(path) => {
            let user = UserProxy::builder(&connection).path(path).cache_properties(CacheProperties::No);
            user.build().await?.linger().await
        }
        // logind knows those who are logged in and those who linger. Who is neither has at most a mark on disk that
        // has not taken effect.
        Err(error) if bus::kind_of(&error) == CallKind::NoSuchUnit => {
            Ok(Path::new("/var/lib/systemd/linger").join(host::user::name(env)).exists())
        }
        Err(error) => Err(error),
    }
}

/// Where there is no system bus, connecting to its usual place tells so.
fn system_bus(env: &Env) -> String {
    surroundings::system_bus(env).unwrap_or_else(|| "unix:path=/run/dbus/system_bus_socket".to_owned())
}
