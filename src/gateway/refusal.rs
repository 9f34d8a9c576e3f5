//! Why a gateway does not start: what, where, why, and what to do next. The first line of each is a signature that
//! operators look up (runbooks, "Common failure signatures").

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use super::prepare::Holder;
use crate::config::Problem;
use crate::exit::ExitCode;
use crate::host::port::{Owner, Unit};
use crate::instance::Brand;
use crate::service::redact;

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The configuration cannot be used.
    #[error("the configuration is invalid")]
    Config(Vec<Problem>),
    /// The configuration says that the gateway is elsewhere.
    #[error("Gateway start blocked: set gateway.mode=local (current: remote) or pass --allow-unconfigured.")]
    Blocked {
        /// What the operator types to change it.
        command: String,
    },
    /// It would be open to others, and nothing protects it.
    #[error(
        "refusing to bind gateway to {host}:{port} without auth (set gateway.auth.token/password, or set {}/{})",
        .brand.var("GATEWAY_TOKEN"), .brand.var("GATEWAY_PASSWORD")
    )]
    OpenWithoutAuth {
        /// The address.
        host: IpAddr,
        /// The port.
        port: u16,
        /// For the names of variables.
        brand: Brand,
    },
    /// Password mode without a password.
    #[error("gateway auth mode is password, but no password was configured (set gateway.auth.password or {}, or pass --password)", .brand.var("GATEWAY_PASSWORD"))]
    NoPassword {
        /// For the name of the variable.
        brand: Brand,
    },
    /// Trusted-proxy mode without rules.
    #[error(
        "gateway auth mode is trusted-proxy, but no trustedProxy config was provided (set gateway.auth.trustedProxy)"
    )]
    NoProxyRules,
    /// The port is not one.
    #[error("{0}")]
    Port(String),
    /// The port is somebody else's.
    #[error("another gateway instance is already listening on {url} (EADDRINUSE)")]
    PortHeld {
        /// The port.
        port: u16,
        /// Where it was to listen.
        url: String,
        /// Who listens there.
        owners: Vec<Owner>,
    },
    /// The state directory is another gateway's.
    #[error("gateway already running{}: it holds {}", holder_words(.holder.as_ref()), .lock.display())]
    Locked {
        /// The lock.
        lock: PathBuf,
        /// Who holds it.
        holder: Option<Holder>,
        /// The service that process belongs to.
        service: Option<Unit>,
        /// The name that this gateway's own service has.
        own: String,
    },
    /// An address that cannot be bound for another reason.
    #[error("failed to bind gateway socket on {url}")]
    Bind {
        /// Where it was to listen.
        url: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A file or directory of its own cannot be used.
    #[error("cannot use {}", .path.display())]
    Files {
        /// The path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// What is kept of devices cannot be read.
    #[error(transparent)]
    Devices(#[from] crate::auth::store::LoadError),
    /// The machine's gateway lacks what root alone can write for it.
    #[error("there is no {what}, and the machine's gateway cannot make one: that is for root to do")]
    NotSetUp {
        /// What is missing.
        what: &'static str,
    },
    /// The first configuration, or a token, cannot be written.
    #[error("cannot write the configuration")]
    Write(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No random numbers.
    #[error("the system gives no random numbers for a token: {0}")]
    Random(String),
    /// The system does not give what every program needs.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
}

fn holder_words(holder: Option<&Holder>) -> String {
    let Some(holder) = holder else { return String::new() };
    let listening =
        holder.url.as_deref().map(|url| format!("; another gateway instance is already listening on {url}"));
    format!(" (pid {}{})", holder.pid, listening.unwrap_or_default())
}

/// How to stop whoever holds the lock, be it a service or not.
fn stop_hint(command: &str, holder: Option<&Holder>, service: Option<&Unit>, own: &str) -> String {
    let Some(Holder { pid, .. }) = holder else {
        return format!("If it is a service, stop it: {command} gateway stop");
    };
    match service {
        Some(unit) if unit.name == own => {
            format!("Stop it: {command} gateway stop  (it is the service {own})")
        }
        // A terminal's shells may be in one, too, and a supervisor's children.
        Some(unit) => {
            format!("Stop it: kill {pid}  (if {} starts it again: {})", unit.name, stop_unit(unit))
        }
        None if cfg!(target_os = "linux") => format!("Stop it: kill {pid}  (or Ctrl+C where it runs)"),
        // Nobody else tells whose a process is.
        None => format!("Stop it: kill {pid}, or, if it is a service: {command} gateway stop"),
    }
}

fn stop_unit(unit: &Unit) -> String {
    format!("{} stop {}", unit.systemctl(), unit.name)
}

impl Refusal {
    /// How the process ends. 78 and 7 are not restarted by the unit: waiting does not help.
    pub fn code(&self) -> ExitCode {
        match self {
            Self::Config(_)
            | Self::Blocked { .. }
            | Self::OpenWithoutAuth { .. }
            | Self::NoPassword { .. }
            | Self::NoProxyRules
            | Self::NotSetUp { .. }
            | Self::Port(_) => ExitCode::Config,
            Self::PortHeld { .. } | Self::Locked { .. } => ExitCode::Conflict,
            Self::Bind { .. }
            | Self::Files { .. }
            | Self::Devices(_)
            | Self::Write(_)
            | Self::Random(_)
            | Self::Runtime(_) => ExitCode::Failed,
        }
    }

    /// Details below the first line.
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::Config(problems) => problems.iter().map(ToString::to_string).collect(),
            Self::PortHeld { port, owners, .. } => {
                let lines = owners.iter().map(|owner| format!("- {}", owner_line(owner)));
                std::iter::once(format!("Port {port} is already in use.")).chain(lines).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What to do next; `command` is what the operator types for this instance.
    pub fn hints(&self, command: &str) -> Vec<String> {
        match self {
            Self::Config(_) => vec![format!("Run: {command} config validate")],
            Self::Blocked { command } => vec![format!("Run: {command} config set gateway.mode local")],
            Self::OpenWithoutAuth { .. } => {
                vec![format!(
                    "Run: {command} config set gateway.auth.mode token  (a token is made at the next start)"
                )]
            }
            Self::NoPassword { .. } => {
                vec![format!("Run: {command} config set gateway.auth.password --stdin")]
            }
            Self::NoProxyRules => vec![format!("Run: {command} config schema  (what trustedProxy takes)")],
            Self::PortHeld { owners, .. } => port_hints(command, owners),
            Self::Locked { holder, service, own, .. } => vec![
                stop_hint(command, holder.as_ref(), service.as_ref(), own),
                format!("To see it: {command} gateway status"),
            ],
            Self::Bind { .. } => {
                vec!["Choose another address with gateway.bind, or another port.".to_owned()]
            }
            Self::NotSetUp { .. } => vec![format!("Run: sudo {command} gateway install")],
            Self::Devices(_) => {
                vec![
                    "Move the file away to begin without paired devices; they can be paired again."
                        .to_owned(),
                ]
            }
            Self::Files { .. } | Self::Write(_) => {
                vec!["Check who owns the directory, and that the disk is not full.".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

/// `pid 4711: idlehands gateway (127.0.0.1:18789), unit idlehands-gateway.service (user)`, without what may be a
/// secret in the command line.
pub fn owner_line(owner: &Owner) -> String {
    let unit = owner
        .unit
        .as_ref()
        .map(|unit| format!(", unit {} ({})", unit.name, if unit.user { "user" } else { "system" }));
    let addresses: Vec<String> = owner.addresses.iter().map(ToString::to_string).collect();
    let command = redact::redact_line(&owner.command);
    let keeps = if owner.keeper { ", which keeps it for a service" } else { "" };
    format!("pid {}: {command} ({}){}{keeps}", owner.pid, addresses.join(", "), unit.unwrap_or_default())
}

fn port_hints(command: &str, owners: &[Owner]) -> Vec<String> {
    let mut hints = Vec::new();
    for owner in owners.iter().filter(|owner| !owner.keeper) {
        hints.push(match &owner.unit {
            Some(unit) => format!("Stop it: {}", stop_unit(unit)),
            None => format!("Stop it: kill {}", owner.pid),
        });
    }
    if owners.iter().any(|owner| owner.keeper) {
        hints.push(format!("If it is kept for this gateway's service: {command} gateway stop"));
        hints.push("If it is a socket unit's: systemctl --user list-sockets".to_owned());
    }
    if owners.is_empty() {
        hints.push("The listener belongs to another user; root can see it: ss -ltnp".to_owned());
    }
    hints.push(format!("Or take the port from its owner: {command} gateway --force"));
    hints.push(format!("Or use another port: {command} gateway --port PORT"));
    hints.dedup();
    hints
}
