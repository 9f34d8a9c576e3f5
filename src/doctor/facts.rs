//! One look at everything that a check may want to know. What could not be looked at says so.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::exposed::{self, Exposed};
use super::foreign::{self, Foreign};
use super::machine::{self, Space};
use super::process::{self, Process};
use crate::client::{Address, probe};
use crate::config::resolve::gateway_port;
use crate::config::{Config, Loaded, Source};
use crate::host;
use crate::host::port::Owner;
use crate::host::stat::Stat;
use crate::instance::{BaseDirs, Env, Instance, Scope};
use crate::protocol::probe::Ready;
use crate::secret::Secret;
use crate::service::inspection::{Inspect, Inspection, Question};
use crate::service::native::Native;

/// Everything that was found.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Which gateway is meant.
    pub instance: Instance,
    /// This user.
    pub user: u32,
    /// The configuration.
    pub config: Loaded,
    /// The same where it is valid, else the default one.
    pub settings: Config,
    /// The port the gateway should have, or why there is none.
    pub port: Result<u16, String>,
    /// Who listens there.
    pub owners: Result<Vec<Owner>, String>,
    /// The service.
    pub service: Inspection,
    /// What the gateway answers, where somebody should.
    pub ready: Option<Result<Ready, String>>,
    /// The main process of the service.
    pub process: Option<Process>,
    /// Files and directories that should be private.
    pub private: Vec<Private>,
    /// What others could change of what runs.
    pub exposed: Vec<Exposed>,
    /// File systems that are written to.
    pub spaces: Vec<Result<Space, (PathBuf, String)>>,
    /// The program that the service runs.
    pub program: Option<Program>,
    /// What encrypts the home directory, if anything does.
    pub encryption: Option<&'static str>,
    /// The wall clock, milliseconds since 1970.
    pub now_ms: u64,
    /// The latest time that a file of ours has, milliseconds since 1970.
    pub newest_ms: u64,
    /// Where variables of ours are set for the whole session: file, line, name.
    pub session_variables: Vec<(PathBuf, usize, String)>,
    /// Secrets that the manager hands to a service of the machine, by the names of their variables.
    pub handed: Vec<(String, Option<Secret>)>,
    /// Whether the environment of this command has a token.
    pub token_in_env: bool,
    /// Gateways of other products.
    pub foreign: Vec<Foreign>,
}

/// Something that should be private.
#[derive(Clone, Debug)]
pub struct Private {
    /// The path.
    pub path: PathBuf,
    /// What it is for people.
    pub what: &'static str,
    /// Whose it should be.
    pub owner: u32,
    /// Whether nobody else may read it; else everybody must be able to.
    pub secret: bool,
    /// The group that may read it all the same.
    pub group: Option<u32>,
    /// What is there, or why that is not known.
    pub stat: Result<Option<Stat>, String>,
}

/// The program of the service.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its path.
    pub path: PathBuf,
    /// Where it really is.
    pub real: PathBuf,
    /// The architecture it is made for, and that of this program.
    pub architecture: (Option<u16>, Option<u16>),
    /// Its file system.
    pub space: Option<Space>,
    /// Its SELinux label, where that is enforced.
    pub label: Option<String>,
    /// Why its path may not last.
    pub passing: Option<&'static str>,
}

/// What the gateway says in its lock.
#[derive(Deserialize)]
struct Told {
    pid: u32,
    url: Option<String>,
}

/// What the look needs.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Which gateway is meant.
    pub instance: &'a Instance,
    /// The environment.
    pub env: &'a Env,
    /// This user's directories.
    pub dirs: &'a BaseDirs,
    /// The program that this command is.
    pub program: &'a std::path::Path,
    /// The service manager.
    pub manager: &'a Native,
}

/// How long the gateway has to answer.
const ANSWER: Duration = Duration::from_secs(3);

impl Facts {
    /// Takes the look.
    pub async fn gather(around: Circumstances<'_>) -> Self {
        let Circumstances { instance, env, dirs, program, manager } = around;
        let source = Source::new(instance, env);
        let load = tokio::task::spawn_blocking(move || source.load());
        // Loading neither panics nor is it aborted: the runtime is still here to await it.
        let config = load.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let settings = config.config.as_ref().cloned().unwrap_or_default();
        let drain = settings.gateway.drain_timeout_ms.millis();
        let service = manager.inspect(Question { dirs, program, drain }).await;
        // Root's record is not everybody's to read; the definition is.
        let named = match service.observed.record.record() {
            Some(record) => record.port,
            None => service.port(),
        };
        let port = gateway_port(named, env, &settings, instance)
            .map(|port| port.value)
            .map_err(|error| error.to_string());
        let main_pid = service.observed.manager.reached().and_then(|reached| reached.state.main_pid);
        let ready = match (main_pid, &port) {
            (Some(pid), Ok(port)) => Some(ask(instance, pid, *port).await),
            _ => None,
        };
        let rest = Rest {
            instance: instance.clone(),
            env: env.clone(),
            dirs: dirs.clone(),
            service: service.clone(),
            port: port.clone(),
        };
        let rest = tokio::task::spawn_blocking(move || rest.look());
        let rest = rest.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        Self {
            instance: instance.clone(),
            user: host::user::id(),
            settings,
            config,
            port,
            owners: rest.owners,
            ready,
            process: main_pid.map(process::look),
            private: rest.private,
            exposed: rest.exposed,
            spaces: rest.spaces,
            program: rest.program,
            encryption: machine::encryption(&dirs.home),
            now_ms: host::clock::unix_ms(),
            newest_ms: rest.newest_ms,
            session_variables: rest.session_variables,
            handed: rest.handed,
            foreign: rest.foreign,
            token_in_env: env.text(instance.brand.var("GATEWAY_TOKEN")).is_some(),
            service,
        }
    }
}

/// Asks the gateway, where it says it listens or else where it should.
pub(super) async fn ask(instance: &Instance, pid: u32, port: u16) -> Result<Ready, String> {
    let told = host::lock::read::<Told>(&instance.paths.lock).ok().flatten().filter(|told| told.pid == pid);
    let told = told.and_then(|told| told.url).and_then(|url| Address::parse(&url).ok());
    let address = told.unwrap_or_else(|| Address::local(port));
    probe::ready(&address, ANSWER).await.map_err(|error| format!("{address}: {error}"))
}

/// What is looked at away from the runtime.
struct Rest {
    instance: Instance,
    env: Env,
    dirs: BaseDirs,
    service: Inspection,
    port: Result<u16, String>,
}

struct Rested {
    handed: Vec<(String, Option<Secret>)>,
    owners: Result<Vec<Owner>, String>,
    private: Vec<Private>,
    spaces: Vec<Result<Space, (PathBuf, String)>>,
    program: Option<Program>,
    newest_ms: u64,
    session_variables: Vec<(PathBuf, usize, String)>,
    foreign: Vec<Foreign>,
    exposed: Vec<Exposed>,
}

impl Rest {
    fn look(self) -> Rested {
        let paths = &self.instance.paths;
        let owners = match &self.port {
            Ok(port) => host::port::owners(*port).map_err(|error| error.to_string()),
            Err(why) => Err(why.clone()),
        };
        let owner = if self.instance.scope == Scope::User { host::user::id() } else { 0 };
        let group = self.service.account.map(|(_, group)| group);
        let service = (&paths.service, "what is remembered of the service", true);
        let private = match &paths.credentials {
            None => vec![
                (&paths.state_dir, "the state directory", true),
                (&paths.config, "the configuration", true),
                (&paths.identity, "the identity of this client", true),
                (&paths.devices, "the list of devices", true),
                service,
            ],
            // The account of a service of the machine is another one than that of who configures it.
            Some(credentials) => {
                vec![
                    (&paths.config, "the configuration", false),
                    (credentials, "the directory of secrets", true),
                    service,
                ]
            }
        };
        let private = private.into_iter().map(|(path, what, secret)| Private {
            path: path.clone(),
            what,
            owner,
            secret,
            group: group.filter(|_| Some(path) == paths.credentials.as_ref()),
            stat: host::stat::at(path).map_err(|error| error.to_string()),
        });
        let definition = &self.service.observed.definition.path;
        let spaces = [&paths.state_dir, definition.parent().unwrap_or(definition)]
            .map(|path| machine::space(path).map_err(|why| (path.to_owned(), why)));
        let files = [&paths.config, &paths.log, definition, &paths.lock];
        let newest_ms = files.iter().filter_map(|path| changed_ms(path)).max().unwrap_or(0);
        let handed = paths.credentials.iter().flat_map(|dir| host::env::credentials(dir));
        let secret = |text: &std::ffi::OsStr| text.to_str().and_then(Secret::new);
        Rested {
            handed: handed.map(|(name, text)| (name, secret(&text))).collect(),
            owners,
            private: private.collect(),
            spaces: spaces.into(),
            program: self.service.command.first().map(|program| look_at_program(program.as_ref())),
            newest_ms,
            exposed: self.exposed(),
            foreign: self.foreign(),
            session_variables: self.session_variables(),
        }
    }

    fn exposed(&self) -> Vec<Exposed> {
        let service = &self.service;
        let mut found = Vec::new();
        if let Some(unit) = &service.unit {
            found.extend(exposed::along(unit, "the definition", "a directory that leads to the definition"));
        }
        for drop_in in &service.drop_ins {
            found.extend(exposed::along(drop_in, "a drop-in", "a directory that leads to a drop-in"));
        }
        let program = service.command.first().map(Path::new).filter(|program| program.is_absolute());
        for path in
            program.into_iter().flat_map(|path| [Some(path.to_owned()), path.canonicalize().ok()]).flatten()
        {
            found.extend(exposed::along(&path, "the program", "a directory that leads to the program"));
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found.dedup_by(|a, b| a.path == b.path);
        found
    }

    fn foreign(&self) -> Vec<Foreign> {
        let own = self.instance.brand.slug();
        let others = self.service.siblings.iter().filter(|sibling| sibling.product != own);
        others.map(|sibling| foreign::look(sibling, &self.dirs)).collect()
    }

    /// environment.d(5): what a user's manager takes its environment from.
    fn session_variables(&self) -> Vec<(PathBuf, usize, String)> {
        let prefix = format!("{}_", self.instance.brand.env_prefix());
        let _ = &self.env;
        let mut found = Vec::new();
        for dir in [self.dirs.config_home.join("environment.d"), PathBuf::from("/etc/environment.d")] {
            for path in host::stat::names(&dir) {
                let text = host::fs::read_text(&path, 1024 * 1024).ok().flatten().unwrap_or_default();
                for (number, line) in text.lines().enumerate() {
                    let name = line.split('=').next().unwrap_or_default().trim();
                    if name.starts_with(&prefix) || name.starts_with("LD_") {
                        found.push((path.clone(), number + 1, name.to_owned()));
                    }
                }
            }
        }
        found
    }
}

fn changed_ms(path: &std::path::Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    let meta = path.metadata().ok()?;
    u64::try_from(meta.mtime()).ok()?.checked_mul(1000)
}

fn look_at_program(path: &std::path::Path) -> Program {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let own = std::path::Path::new("/proc/self/exe");
    Program {
        architecture: (machine::architecture(&real), machine::architecture(own)),
        space: machine::space(&real).ok(),
        label: machine::enforced_label(&real),
        passing: crate::service::program::passing(path),
        path: path.to_owned(),
        real,
    }
}
