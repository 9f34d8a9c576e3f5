//! The way to the manager of another machine: D-Bus over ssh(1), as `systemctl --host` goes it.
//!
//! ssh runs systemd-stdio-bridge(1) over there, which connects its input and output to the bus. A user's own manager
//! is reached as well, which `systemctl --host --user` is not: the bridge asks the bus of whoever logged in.

use super::surroundings::Ways;
use crate::host::process::{self, RunError};
use crate::instance::Scope;
use crate::service::reach::Unreachable;
use crate::service::remote::Host;
use crate::service::ssh::{LOGIN_DEADLINE, OPTIONS, Terminal, command};

/// Logs in once, to see whether there is a way and as whom, and says how the bus is reached.
pub async fn log_in(host: &Host, scope: Scope) -> Result<Ways, Unreachable> {
    let failed = |why: String| Unreachable::Ssh { host: host.to_string(), why };
    let id = command(host, Terminal::None, &["id", "-u"]).map_err(|error| failed(error.to_string()))?;
    let finished = match process::run(id, LOGIN_DEADLINE).await {
        Ok(finished) => finished,
        Err(RunError::Deadline { deadline, .. }) => {
            return Err(failed(format!("no answer within {} s", deadline.as_secs())));
        }
        Err(error @ RunError::Start { .. }) => return Err(failed(super::systemctl::chain(&error))),
    };
    let said = finished.stderr.lines().map(str::trim).rfind(|line| !line.is_empty());
    let user_id = match (finished.status.success(), finished.stdout.trim().parse()) {
        (true, Ok(user_id)) => user_id,
        (true, Err(_)) => return Err(failed("it does not say who we are there".to_owned())),
        (false, _) => return Err(failed(said.unwrap_or("ssh failed").to_owned())),
    };
    Ok(Ways {
        scope,
        runtime_dir: "/run".into(),
        buses: vec![address(host, scope, user_id)],
        private_socket: false,
        user: host.to_string(),
        user_id: Some(user_id),
        wsl: false,
    })
}

/// The bus over there, as an address (D-Bus specification, "Executed Subprocesses on Unix"). zbus takes the words as
/// they stand, up to a comma; none has one.
///
/// A user's bus is named by its path: `--user` leads to the system bus in systemd 252.
fn address(host: &Host, scope: Scope, user_id: u32) -> String {
    let bus = match scope {
        Scope::User => format!("--bus-path=unix:path=/run/user/{user_id}/bus"),
        Scope::System => "--system".to_owned(),
    };
    let bridge = ["systemd-stdio-bridge", &bus];
    let words = ["-T"].into_iter().chain(OPTIONS).chain(["--", host.as_str()]).chain(bridge);
    words.zip(1..).fold("unixexec:path=ssh".to_owned(), |address, (word, number)| {
        format!("{address},argv{number}={word}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bridge_is_asked_for_the_bus_of_the_scope() {
        let host = Host::parse("ada@fe80::1").unwrap();
        assert_eq!(
            address(&host, Scope::User, 4711),
            "unixexec:path=ssh,argv1=-T,argv2=-x,argv3=-o,argv4=BatchMode yes,argv5=-o,argv6=ConnectTimeout 10,argv7=-o,\
             argv8=ServerAliveInterval 15,argv9=--,argv10=ada@fe80::1,argv11=systemd-stdio-bridge,\
             argv12=--bus-path=unix:path=/run/user/4711/bus"
        );
        assert!(address(&host, Scope::System, 4711).ends_with("=--system"));
    }
}
