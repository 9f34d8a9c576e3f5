//! What every command is given: which instance is meant, and how this process was started.

use std::ffi::OsString;

use super::args::Global;
use super::error::CliError;
use crate::exit::ExitCode;
use crate::host;
use crate::instance::{Brand, Env, Instance, Profile};

/// The circumstances of one invocation.
pub(super) struct Context {
    pub instance: Instance,
    pub env: Env,
    /// The name this process was invoked by.
    pub argv0: OsString,
}

impl Context {
    pub(super) fn new(brand: Brand, argv0: OsString, env: Env, global: &Global) -> Result<Self, CliError> {
        let profile = profile(brand, &env, global)?;
        let dirs =
            host::dirs::find(&env).map_err(|error| CliError::new(ExitCode::Failed, error.to_string()))?;
        Ok(Self { instance: Instance::new(brand, profile, &env, &dirs), env, argv0 })
    }
}

/// The flag, else the environment, else the default profile.
fn profile(brand: Brand, env: &Env, global: &Global) -> Result<Profile, CliError> {
    if global.dev {
        return Ok(Profile::Dev);
    }
    let variable = brand.var("PROFILE");
    let (name, from) = match (&global.profile, env.text(&variable)) {
        (Some(name), _) => (name.as_str(), "--profile"),
        (None, Some(name)) => (name, variable.as_str()),
        (None, None) => return Ok(Profile::Default),
    };
    Profile::parse(name).map_err(|error| CliError::new(ExitCode::Usage, format!("{from}: {error}")))
}
