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

/// The program over there that connects its input and output to a bus.
const BRIDGE: &str = "systemd-stdio-bridge";
/// Who we are over there, and where the bridge is, if it is.
const LOOK: &str = "id -u; command -v systemd-stdio-bridge || :";

/// A failure on the way to the bus of another machine, in words that make sense here.
pub fn over_there(host: &Host, unreachable: Unreachable) -> Unreachable {
    let why = match unreachable {
        Unreachable::Bus { why, .. } => format!("its bus gives no answer ({why})"),
        Unreachable::NotRunning { .. } | Unreachable::NoSystemBus => "its bus is not there".to_owned(),
        other => return other,
    };
    Unreachable::NotThere { host: host.to_string(), why }
}

/// Logs in once, to see whether there is a way and as whom, and says how the bus is reached.
pub async fn log_in(host: &Host, scope: Scope) -> Result<Ways, Unreachable> {
    let failed = |why: String| Unreachable::Ssh { host: host.to_string(), why };
    let look =
        command(host, Terminal::None, &["sh", "-c", LOOK]).map_err(|error| failed(error.to_string()))?;
    let finished = match process::run(look, LOGIN_DEADLINE).await {
        Ok(finished) => finished,
        Err(RunError::Deadline { deadline, .. }) => {
            return Err(failed(format!("no answer within {} s", deadline.as_secs())));
        }
        Err(error @ RunError::Start { .. }) => return Err(failed(super::systemctl::chain(&error))),
    };
    // An account that may not log in says so where the answer would be.
    let lines = finished.stderr.lines().chain(finished.stdout.lines());
    let said = lines.map(str::trim).rfind(|line| !line.is_empty());
    let mut answer = finished.stdout.lines();
    let user_id = match (finished.status.success(), answer.next().and_then(|line| line.trim().parse().ok())) {
        (true, Some(user_id)) => user_id,
        (true, None) => return Err(failed("it does not say who we are there".to_owned())),
        (false, _) => return Err(failed(said.unwrap_or("ssh failed").to_owned())),
    };
    if answer.next().is_none() {
        let why = format!("it has no {BRIDGE}, which belongs to systemd");
        return Err(Unreachable::NotThere { host: host.to_string(), why });
    }
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
    let bridge = [BRIDGE, &bus];
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
