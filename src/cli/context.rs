//! What every command is given: which instance is meant, and how this process was started.

use std::ffi::OsString;
use std::path::PathBuf;

use super::Started;
use super::args::Global;
use super::error::CliError;
use super::ui::Ui;
use crate::config::{Config, Source};
use crate::exit::ExitCode;
use crate::host;
use crate::instance::{BaseDirs, Brand, Env, Instance, Profile};
use crate::service::native::Native;
use crate::service::platform::Platform;
use crate::service::remote::Host;

/// The circumstances of one invocation.
pub(super) struct Context {
    /// Whose service manager handles the gateway.
    pub platform: Platform,
    /// The machine whose service manager is meant, if it is another one.
    pub host: Option<Host>,
    pub instance: Instance,
    pub env: Env,
    /// This user's directories.
    pub dirs: BaseDirs,
    /// The words of the command line, the name this process was invoked by first.
    pub argv: Vec<OsString>,
    /// The file that runs.
    pub running: PathBuf,
}

impl Context {
    pub(super) fn new(started: Started, brand: Brand, global: &Global) -> Result<Self, CliError> {
        let Started { platform, argv, env, running, system } = started;
        let profile = profile(brand, &env, global)?;
        let found = host::dirs::find(&env);
        let found = found.map_err(|error| CliError::new(ExitCode::Failed, error.to_string()))?;
        let dirs = BaseDirs { system, ..found };
        let instance = match global.system {
            true => Instance::of_system(brand, profile, &dirs),
            false => Instance::new(brand, profile, &env, &dirs),
        };
        // Root alone can read them; for everybody else there are none.
        let env = match instance.paths.credentials.as_deref() {
            Some(dir) if env.os("CREDENTIALS_DIRECTORY").is_none() => env.with(host::env::credentials(dir)),
            _ => env,
        };
        // Another machine is reached by way of systemd, whatever this one has.
        let platform = if global.host.is_some() { Platform::Systemd } else { platform };
        Ok(Self { platform, host: global.host.clone(), instance, env, dirs, argv, running })
    }

    /// The path that this program was invoked by.
    pub(super) fn program(&self) -> Result<PathBuf, CliError> {
        let argv0 = self.argv.first().map(OsString::as_os_str).unwrap_or_default();
        host::process::invoked_path(argv0, &self.running, &self.env).map_err(|error| {
            CliError::new(ExitCode::Failed, "cannot find this program's own path").cause(error)
        })
    }

    /// The way to the service manager of this instance, on the machine that is meant.
    pub(super) async fn manager(&self) -> Native {
        Native::connect(self.platform, self.host.as_ref(), &self.instance, &self.env, &self.dirs).await
    }

    /// Where the configuration comes from.
    pub(super) fn source(&self) -> Source {
        Source::new(&self.instance, &self.env)
    }

    /// The configuration, for commands that can do without: where it is invalid they say so and go on with defaults.
    pub(super) fn config_or_default(&self, ui: &mut Ui) -> Config {
        let loaded = self.source().load();
        loaded.config.unwrap_or_else(|problems| {
            let count = match problems.len() {
                1 => "1 problem".to_owned(),
                count => format!("{count} problems"),
            };
            ui.warning(&format!("the configuration is invalid and not used ({count})"));
            ui.hint(&format!("Run: {} config validate", self.instance.command()));
            Config::default()
        })
    }

    /// Runs what has to wait for others.
    pub(super) fn block_on<T>(&self, work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| CliError::new(ExitCode::Failed, "cannot start the runtime").cause(error))?;
        runtime.block_on(work)
    }
}

/// The flag, else the environment, else the default profile.
fn profile(brand: Brand, env: &Env, global: &Global) -> Result<Profile, CliError> {
    if global.dev {
        return Ok(Profile::Dev);
    }
    let variable = brand.var("PROFILE");
    // A name that is not UTF-8 is no profile's; taking it for none would mean another gateway.
    let chosen = env.os(&variable).map(|name| name.to_string_lossy());
    let (name, from) = match (&global.profile, &chosen) {
        (Some(name), _) => (name.as_str(), "--profile"),
        (None, Some(name)) => (name.trim(), variable.as_str()),
        (None, None) => return Ok(Profile::Default),
    };
    Profile::parse(name).map_err(|error| CliError::new(ExitCode::Usage, format!("{from}: {error}")))
}
