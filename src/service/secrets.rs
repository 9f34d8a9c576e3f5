//! The secrets of a service of the machine: which files its manager hands to it. Their names only, never what is in them.

use super::spec::Credential;
use crate::host;
use crate::instance::Instance;

/// What is to be handed over: every file of root's that is named after a variable. Whoever cannot look there goes by
/// what the installed definition hands over.
pub fn to_hand_over(instance: &Instance, installed: &[Credential]) -> Vec<Credential> {
    let Some(dir) = &instance.paths.credentials else { return Vec::new() };
    if std::fs::read_dir(dir).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied) {
        return installed.to_vec();
    }
    let names = host::env::credentials(dir).into_iter().map(|(name, _)| name);
    names.map(|name| Credential { path: dir.join(&name).display().to_string(), name }).collect()
}
