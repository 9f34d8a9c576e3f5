//! Everything a start needs before anything runs: the configuration, the credentials, the addresses.
//!
//! Each refusal is a value; the words for people are in [`super::refusal`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::credentials::{Credentials, Flags, Lacking};
use super::listen::reachable;
use super::refusal::Refusal;
use super::ws_log::WsLog;
use crate::auth::admission::fresh_token;
use crate::config::create::{create_minimal, ensure_token};
use crate::config::resolve::{gateway_bind, gateway_port};
use crate::config::section::{AuthMode, Bind, Mode, Port};
use crate::config::{Config, Loaded, Source};
use crate::host::machine;
use crate::instance::{Env, Instance, Scope};
use crate::protocol::text::Credential;

/// What the command line asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--port`.
    pub port: Option<u16>,
    /// `--bind`.
    pub bind: Option<Bind>,
    /// `--auth`, `--token`, `--password`.
    pub credentials: Flags,
    /// `--allow-unconfigured`.
    pub allow_unconfigured: bool,
    /// `--verbose`.
    pub verbose: bool,
    /// `--ws-log`.
    pub ws_log: WsLog,
}

/// A gateway that is ready to be started.
#[derive(Debug)]
pub struct Prepared {
    pub(super) instance: Instance,
    pub(super) env: Env,
    pub(super) source: Source,
    pub(super) loaded: Loaded,
    pub(super) config: Config,
    pub(super) credentials: Credentials,
    /// The port to listen on.
    pub port: u16,
    /// How addresses are chosen.
    pub(super) bind: Bind,
    /// The addresses to listen on; empty means loopback.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) verbose: bool,
    pub(super) ws_log: WsLog,
    /// Whether nothing may be written into the state directory.
    pub(super) ad_hoc: bool,
    /// What the operator should know.
    pub notices: Vec<Notice>,
}

/// Something the operator should know before the gateway runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// There was no configuration; this one was written.
    FirstRun {
        /// The file.
        config: PathBuf,
    },
    /// The configuration had no token; one was made and saved.
    TokenSaved,
    /// There is no token; one was made for this run only.
    TokenForThisRun,
    /// Nothing protects the gateway.
    Unprotected,
    /// The machine has no tailnet address; the gateway listens on loopback instead.
    NoTailnet,
}

/// Who holds the lock of a state directory: for the next one who wants it, and for clients on this machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The address to reach it by; none before it listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The program's version.
    pub version: String,
    /// When it began, milliseconds since 1970.
    pub started_at_ms: u64,
    /// The token of an ad hoc run, which is nowhere else. The file is private and lasts no longer than the boot.
    #[serde(default, skip_serializing_if = "Credential::is_absent")]
    pub token: Credential,
}

impl Prepared {
    /// Prepares a start: reads the configuration, writes one on a first run, and refuses what must be refused.
    pub fn new(instance: Instance, env: Env, options: Options) -> Result<Self, Refusal> {
        let source = Source::new(&instance, &env);
        let mut notices = Vec::new();
        let (mut loaded, mut config) = checked(source.load())?;
        if !options.allow_unconfigured {
            runs_here(&config, &instance)?;
        }
        let lacks = |what| match instance.scope {
            Scope::System => Err(Refusal::NotSetUp { what }),
            Scope::User => Ok(()),
        };
        if !loaded.exists && !options.allow_unconfigured {
            lacks("configuration")?;
            let created = create_minimal(&source, &instance).map_err(|error| Refusal::Write(error.into()))?;
            notices.push(Notice::FirstRun { config: created.path });
            (loaded, config) = checked(source.load())?;
        }
        let ad_hoc = !loaded.exists;
        let flags = &options.credentials;
        let resolve =
            |config: &Config| Credentials::resolve(flags, &config.gateway.auth, instance.brand, &env);
        let credentials = match resolve(&config) {
            Err(Lacking::Token { for_this_run }) if ad_hoc || for_this_run => {
                notices.push(Notice::TokenForThisRun);
                Credentials::Token(fresh_token().map_err(|error| Refusal::Random(error.to_string()))?)
            }
            Err(Lacking::Token { .. }) => {
                lacks("token")?;
                ensure_token(&source).map_err(|error| Refusal::Write(error.into()))?;
                notices.push(Notice::TokenSaved);
                (loaded, config) = checked(source.load())?;
                resolve(&config).map_err(|lacking| lacking_refusal(lacking, &instance))?
            }
            other => other.map_err(|lacking| lacking_refusal(lacking, &instance))?,
        };
        if !credentials.protects() {
            notices.push(Notice::Unprotected);
        }
        let port = gateway_port(options.port, &env, &config, &instance)
            .map_err(|error| Refusal::Port(error.to_string()))?
            .value;
        let bind = gateway_bind(options.bind, &config).value;
        let addresses = addresses(bind, &config, &mut notices);
        if !credentials.protects() {
            private(&addresses, port, &instance)?;
        }
        let Options { verbose, ws_log, .. } = options;
        Ok(Self {
            instance,
            env,
            source,
            loaded,
            config,
            credentials,
            port,
            bind,
            addresses,
            verbose,
            ws_log,
            ad_hoc,
            notices,
        })
    }

    /// The link that signs a browser in: the token is in the fragment, which no server sees.
    pub fn dashboard(&self) -> (String, Option<&str>) {
        let url = format!("http://{}/", first_reached(&self.addresses, self.port));
        match &self.credentials {
            Credentials::Token(token) => (url, Some(token.expose())),
            _ => (url, None),
        }
    }
}

/// Where this machine reaches a gateway with this configuration.
pub fn reached_at(config: &Config, port: u16) -> SocketAddr {
    first_reached(&addresses(gateway_bind(None, config).value, config, &mut Vec::new()), port)
}

fn first_reached(addresses: &[IpAddr], port: u16) -> SocketAddr {
    let first = addresses.first().copied().unwrap_or(Ipv4Addr::LOCALHOST.into());
    reachable(SocketAddr::from((first, port)))
}

/// What would keep a service from starting with this configuration, as far as the file alone tells: flags and
/// variables are the service's own. Asked before a gateway that runs is stopped for one that would not.
pub fn hindrance(config: &Config, instance: &Instance) -> Option<Refusal> {
    let open = || match config.gateway.auth.mode {
        Some(AuthMode::None) => {
            let port = config.gateway.port.map_or(instance.profile.default_port(), Port::get);
            private(&addresses(gateway_bind(None, config).value, config, &mut Vec::new()), port, instance)
        }
        _ => Ok(()),
    };
    runs_here(config, instance).and_then(|()| open()).err()
}

/// Refuses a gateway that the configuration says is elsewhere.
fn runs_here(config: &Config, instance: &Instance) -> Result<(), Refusal> {
    match config.gateway.mode {
        Some(Mode::Remote) => Err(Refusal::Blocked { command: instance.command() }),
        Some(Mode::Local) | None => Ok(()),
    }
}

/// Refuses to be open to others, for a gateway that nothing protects.
fn private(addresses: &[IpAddr], port: u16, instance: &Instance) -> Result<(), Refusal> {
    match addresses.iter().find(|address| !address.is_loopback()) {
        Some(host) => Err(Refusal::OpenWithoutAuth { host: *host, port, brand: instance.brand }),
        None => Ok(()),
    }
}

fn checked(mut loaded: Loaded) -> Result<(Loaded, Config), Refusal> {
    let config = std::mem::replace(&mut loaded.config, Ok(Config::default())).map_err(Refusal::Config)?;
    loaded.config = Ok(config.clone());
    Ok((loaded, config))
}

fn lacking_refusal(lacking: Lacking, instance: &Instance) -> Refusal {
    match lacking {
        Lacking::Password => Refusal::NoPassword { brand: instance.brand },
        Lacking::ProxyRules => Refusal::NoProxyRules,
        Lacking::Token { .. } => Refusal::Write("the token that was written is not read back".into()),
    }
}

/// The addresses a bind mode means (protocol notes §7.2).
fn addresses(bind: Bind, config: &Config, notices: &mut Vec<Notice>) -> Vec<IpAddr> {
    match bind {
        Bind::Loopback | Bind::Auto => Vec::new(),
        Bind::Lan => vec![Ipv4Addr::UNSPECIFIED.into()],
        // Without an address the configuration is invalid, unless only the flag asked for it.
        Bind::Custom => config.gateway.custom_bind_host.map(IpAddr::from).into_iter().collect(),
        Bind::Tailnet => match machine::tailnet_address() {
            Some(address) => vec![address.into()],
            None => {
                notices.push(Notice::NoTailnet);
                Vec::new()
            }
        },
    }
}
