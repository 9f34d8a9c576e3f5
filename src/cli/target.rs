//! Which gateway a command talks to, and with what credentials (protocol notes §6.7).
//!
//! Flags first; then the gateway of this instance that runs now, wherever it listens; then what the configuration says.

use std::time::Duration;

use clap::Args as ClapArgs;

use super::context::Context;
use super::error::CliError;
use crate::client::{Address, AddressError, Client, ClientError, Connect, Credentials};
use crate::config::Config;
use crate::config::resolve::{Resolved, SetBy, gateway_port};
use crate::config::section::Mode;
use crate::exit::ExitCode;
use crate::gateway::{self, Holder};
use crate::host::{fs, lock, user};
use crate::instance::{Paths, Scope as InstanceScope};
use crate::protocol::scope::Scope;
use crate::secret::Secret;
use crate::service::systemd::unit::Installed;
use crate::service::{place, record};

/// How long a gateway has to answer unless told otherwise.
const TIMEOUT_MS: u64 = 10_000;

/// Flags of every command that talks to a gateway, before or after its own subcommands. Global flags are found by their
/// id in the commands above, too, where `gateway` has a token of its own.
#[derive(Clone, Debug, ClapArgs)]
#[group(skip)]
pub(super) struct Args {
    /// Another gateway: ws://HOST:PORT (needs --token or --password)
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// Its token. Others on this machine can see it in the process list: prefer the environment
    #[arg(long, id = "target-token", global = true, value_name = "TOKEN")]
    token: Option<String>,
    /// Its password. Others on this machine can see it in the process list: prefer the environment
    #[arg(long, id = "target-password", global = true, value_name = "PASSWORD")]
    password: Option<String>,
    /// How long the gateway has to answer, milliseconds
    #[arg(long, global = true, value_name = "MS", default_value_t = TIMEOUT_MS, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout: u64,
}

/// A gateway to talk to.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub address: Address,
    /// Where the address came from, for people.
    pub source: &'static str,
    credentials: Credentials,
    pub timeout: Duration,
}

/// No flags: what the configuration, or the gateway that runs, says.
impl Default for Args {
    fn default() -> Self {
        Self { url: None, token: None, password: None, timeout: TIMEOUT_MS }
    }
}

impl Args {
    /// How long the gateway has to answer.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout)
    }

    /// Finds the gateway that is meant.
    pub(super) fn resolve(&self, context: &Context, config: &Config) -> Result<Target, CliError> {
        let timeout = self.timeout();
        let flags =
            Credentials { token: secret(&self.token), password: secret(&self.password), identity: None };
        let given = flags.token.is_some() || flags.password.is_some();
        if let Some(url) = &self.url {
            if !given {
                let message = "gateway url override requires explicit credentials";
                return Err(CliError::new(ExitCode::Usage, message)
                    .hint("Fix: pass --token or --password")
                    .hint(format!("Config: {}", context.instance.paths.config.display())));
            }
            let address = Address::parse_safe(url).map_err(|error| unusable(&error))?;
            return Ok(Target { address, source: "cli --url", credentials: flags, timeout });
        }
        let remote = config.gateway.mode == Some(Mode::Remote);
        let remote_url = config.gateway.remote.url.as_ref().filter(|_| remote);
        let holder = if remote { None } else { holder(context) };
        let (address, source) = match (remote_url, remote) {
            (Some(url), _) => (
                Address::parse_safe(url.as_str()).map_err(|error| unusable(&error))?,
                "config gateway.remote.url",
            ),
            (None, true) => (local(context, config, None)?, "missing gateway.remote.url (fallback local)"),
            (None, false) => (local(context, config, holder.as_ref())?, "local loopback"),
        };
        let credentials = if given { flags } else { stored(context, config, remote, holder) };
        Ok(Target { address, source, credentials, timeout })
    }
}

impl Target {
    /// The token it would present.
    pub(super) fn token(&self) -> Option<&Secret> {
        self.credentials.token.as_ref()
    }

    /// Connects, asking for everything an operator may do.
    pub(super) async fn connect(&self) -> Result<Client, ClientError> {
        Client::connect(Connect {
            address: self.address.clone(),
            credentials: self.credentials.clone(),
            scopes: Scope::ALL.to_vec(),
            timeout: self.timeout,
        })
        .await
    }

    /// A failure, with where it was tried.
    pub(super) fn failure(&self, what: &str, error: ClientError, context: &Context) -> CliError {
        let code = match error {
            ClientError::Unreachable { .. } => ExitCode::NotRunning,
            ClientError::Timeout(_) => ExitCode::TimedOut,
            _ => ExitCode::Failed,
        };
        let command = context.instance.command();
        let hint = match &error {
            ClientError::Unreachable { .. } => {
                format!("Start it: {}  (or see: {command} gateway status)", start_command(context))
            }
            ClientError::Unauthorized(_) => format!("Config: {}", context.instance.paths.config.display()),
            _ => format!("See: {command} logs"),
        };
        CliError::new(code, what)
            .cause(error)
            .details(vec![format!("Gateway target: {}", self.address), format!("Source: {}", self.source)])
            .hint(hint)
    }
}

/// The gateway of this instance that runs now.
pub(super) fn holder(context: &Context) -> Option<Holder> {
    holder_at(&context.instance.paths)
}

/// The gateway that runs now with these files.
pub(super) fn holder_at(paths: &Paths) -> Option<Holder> {
    // A lock that cannot be read tells as much as one that nobody holds, and so does one that others may have put there:
    // commands bring their credentials to where it says.
    let ad_hoc = Some(&paths.adhoc_lock).filter(|path| path.parent().is_some_and(fs::is_ours_alone));
    [Some(&paths.lock), ad_hoc].into_iter().flatten().find_map(|path| lock::read(path).ok().flatten())
}

fn local(context: &Context, config: &Config, holder: Option<&Holder>) -> Result<Address, CliError> {
    let running = holder.and_then(|holder| holder.url.as_deref()).and_then(|url| Address::parse(url).ok());
    if let Some(address) = running {
        return Ok(address);
    }
    let port = port(context, config)?;
    Ok(Address::at(gateway::reached_at(config, port.value)))
}

/// The port of a gateway that does not say where it listens: the one that its service was installed with, unless the
/// environment of this command names another.
pub(super) fn port(context: &Context, config: &Config) -> Result<Resolved<u16>, CliError> {
    let resolved = gateway_port(None, &context.env, config, &context.instance)
        .map_err(|error| CliError::new(ExitCode::Config, error.to_string()))?;
    let named = if matches!(resolved.set_by, SetBy::Env(_)) { None } else { installed_port(context) };
    Ok(match named {
        Some(value) => Resolved { value, set_by: SetBy::Flag("--port of the service") },
        None => resolved,
    })
}

/// What was named at the install. Root's record is not everybody's to read; the definition is.
fn installed_port(context: &Context) -> Option<u16> {
    let paths = &context.instance.paths;
    match record::load(&paths.service).record() {
        Some(record) => record.port,
        None => {
            let text = fs::read_text(&paths.unit, place::LIMIT).ok().flatten()?;
            Installed::read(&text, context.instance.brand).port()
        }
    }
}

/// How to start the gateway that is meant: its service, where it has one.
pub(super) fn start_command(context: &Context) -> String {
    let (instance, command) = (&context.instance, context.instance.command());
    let installed = instance.paths.unit.exists() || record::record_path(&instance.paths.service).exists();
    match instance.scope {
        InstanceScope::System if user::id() != 0 => format!("sudo {command} gateway start"),
        InstanceScope::System => format!("{command} gateway start"),
        InstanceScope::User if installed => format!("{command} gateway start"),
        InstanceScope::User => format!("{command} gateway"),
    }
}

/// The client takes the environment's secret before the configuration's: the opposite of the server.
fn stored(context: &Context, config: &Config, remote: bool, holder: Option<Holder>) -> Credentials {
    let from_env = |name: &str| context.env.text(context.instance.brand.var(name)).and_then(Secret::new);
    let (auth, far) = (&config.gateway.auth, &config.gateway.remote);
    let first = |sources: [Option<Secret>; 3]| sources.into_iter().flatten().next();
    let (token, password) = if remote {
        (
            first([far.token.clone(), from_env("GATEWAY_TOKEN"), auth.token.clone()]),
            first([from_env("GATEWAY_PASSWORD"), far.password.clone(), auth.password.clone()]),
        )
    } else {
        (
            first([from_env("GATEWAY_TOKEN"), auth.token.clone(), far.token.clone()]),
            first([from_env("GATEWAY_PASSWORD"), auth.password.clone(), far.password.clone()]),
        )
    };
    let ad_hoc = holder.and_then(|holder| holder.token.0);
    Credentials { token: ad_hoc.or(token), password, identity: Some(context.instance.paths.identity.clone()) }
}

fn secret(text: &Option<String>) -> Option<Secret> {
    text.as_deref().and_then(Secret::new)
}

fn unusable(error: &AddressError) -> CliError {
    CliError::new(ExitCode::Usage, error.to_string())
}
