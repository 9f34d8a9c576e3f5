//! The lock under which definitions are installed and removed.

use std::time::Duration;

use super::error::ServiceError;
use crate::host;
use crate::host::lock::{Attempt, Lock};
use crate::instance::Instance;

/// How long another install may take before we give up: it waits for a start, and perhaps for the way back.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Takes the lock for installing and uninstalling this instance's service, and waits for its holder a while.
///
/// It belongs to the unit, not to the state directory: two installs may choose different ones and still write the
/// same unit. Starting and stopping take no lock, for a stop must be able to cut a start short.
pub async fn claim(instance: &Instance, patience: Duration) -> Result<Lock, ServiceError> {
    let unit = instance.unit_name();
    let path = instance.paths.adhoc_lock.with_file_name(format!("{unit}.lock"));
    let failed = |operation| {
        let path = path.clone();
        move |source| ServiceError::File { operation, path, source }
    };
    if let Some(dir) = path.parent() {
        host::fs::private_dir(dir).map_err(failed("make the directory of"))?;
    }
    match Lock::take_within(&path, patience).await.map_err(failed("lock"))? {
        Attempt::Taken(lock) => Ok(lock),
        Attempt::Held => Err(ServiceError::Busy { unit, waited: patience }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::ExitCode;
    use crate::instance::{BaseDirs, Brand, Env, Profile};

    #[tokio::test]
    async fn one_install_at_a_time_whatever_state_directory_it_chose() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = BaseDirs::under(dir.path());
        let instance = |state: &str| {
            let env: Env = [("FASED_STATE_DIR", state)].into_iter().collect();
            Instance::new(Brand::Fased, Profile::Default, &env, &dirs)
        };
        let held = claim(&instance("/a"), Duration::ZERO).await.unwrap();
        let error = claim(&instance("/b"), Duration::ZERO).await.unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Temporary);
        let other = Instance::new(Brand::Fased, Profile::Dev, &Env::default(), &dirs);
        assert!(claim(&other, Duration::ZERO).await.is_ok());
        drop(held);
        assert!(claim(&instance("/b"), Duration::ZERO).await.is_ok());
    }
}
