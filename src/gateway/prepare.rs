//! Everything a start needs before anything runs: the configuration, the credentials, the addresses, the lock.
//!
//! Each refusal is a value; the words for people are in [`super::refusal`].

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::credentials::{Credentials, Flags, Lacking};
use super::refusal::Refusal;
use crate::auth::admission::fresh_token;
use crate::config::section::{Bind, Mode};
use crate::config::{Config, Loaded, Source};
use crate::host::lock::Lock;
use crate::host::{clock, fs, machine};
use crate::instance::{Env, Instance};
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
    pub(super) port: u16,
    /// Empty means loopback.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) verbose: bool,
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
    /// Where it listens; 0 before it does.
    pub port: u16,
    /// The address to reach it by.
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
        let (loaded, config) = load(&source, &instance, &env, &options, &mut notices)?;
        if config.gateway.mode == Some(Mode::Remote) && !options.allow_unconfigured {
            return Err(Refusal::Blocked { command: instance.command() });
        }
        let ad_hoc = !loaded.exists;
        let flags = &options.credentials;
        let resolved = Credentials::resolve(flags, &config.gateway.auth, instance.brand, &env);
        let (loaded, config, credentials) = match resolved {
            Ok(credentials) => (loaded, config, credentials),
            Err(Lacking::Token { for_this_run }) if ad_hoc || for_this_run => {
                notices.push(Notice::TokenForThisRun);
                let token = fresh_token().map_err(|error| Refusal::Random(error.to_string()))?;
                (loaded, config, Credentials::Token(token))
            }
            Err(Lacking::Token { .. }) => save_token(&source, &instance, &env, flags, &mut notices)?,
            Err(Lacking::Password) => return Err(Refusal::NoPassword { brand: instance.brand }),
            Err(Lacking::ProxyRules) => return Err(Refusal::NoProxyRules),
        };
        if !credentials.protects() {
            notices.push(Notice::Unprotected);
        }
        let (port, _) = crate::config::resolve::port(options.port, &instance, &env, &config)
            .map_err(|error| Refusal::Port(error.to_string()))?;
        let addresses = addresses(options.bind, &config, &mut notices);
        if let Some(open) = addresses.iter().find(|address| !address.is_loopback())
            && !credentials.protects()
        {
            return Err(Refusal::OpenWithoutAuth { host: *open, port, brand: instance.brand });
        }
        let verbose = options.verbose;
        Ok(Self { instance, env, source, loaded, config, credentials, port, addresses, verbose, ad_hoc, notices })
    }
}
