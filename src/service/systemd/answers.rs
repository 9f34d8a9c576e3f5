//! What the manager says about the service, in one look; and what only the disk and logind can tell beside it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;

use super::{Systemd, enabled, exits, linger, words};
use crate::instance::Scope;
use crate::service::error::ServiceError;
use crate::service::observed::{Linger, Reached};
use crate::service::place;
use crate::service::reach::Unreachable;

/// How long the manager may take to answer the questions of one look.
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

impl Systemd {
    /// What the manager says about the unit.
    pub(super) async fn ask(&self) -> Result<Reached, Unreachable> {
        let link = self.link.as_ref().map_err(Clone::clone)?;
        let target = words::start_target(self.instance.scope);
        let answers = async {
            let wanted = link.wanted_by(target, &self.unit).await?;
            link.service(&self.unit).await.map(|properties| properties.unit_state(wanted))
        };
        let silent = || Unreachable::Silent { seconds: ANSWER_DEADLINE.as_secs() };
        let answers = timeout(ANSWER_DEADLINE, answers).await.map_err(|_| silent())?;
        let mut state = answers.map_err(|error: ServiceError| Unreachable::NoAnswer {
            why: std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string),
        })?;
        state.wanted_on_disk = state.wanted_at_login;
        if !self.elsewhere {
            let (dirs, unit) = (link.unit_path().to_vec(), self.unit.clone());
            let found = tokio::task::spawn_blocking(move || enabled::look(&dirs, &unit)).await;
            // The look neither panics nor is it aborted: the runtime is still here to await it.
            let found = found.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            found.word.clone_into(&mut state.unit_file_state);
            state.wanted_on_disk = found.starts_with(target);
        }
        let own = &self.instance.paths.unit_dir;
        let reads_directory = link.unit_path().iter().any(|dir| dir == own)
            || link.unit_path().iter().any(|dir| place::same_place(dir, own));
        let version = link.version().to_owned();
        let failed = state.active_state == "failed" || state.awaits_restart();
        let failure = failed.then(|| exits::why_down(&state).0);
        Ok(self.respelled(Reached { via: link.via(), version, reads_directory, failure, state }))
    }

    /// The machine's services outlive every session.
    pub(super) async fn linger(&self) -> Linger {
        match self.instance.scope {
            Scope::User if self.elsewhere => {
                Linger::Unknown("it is not asked about on another machine".to_owned())
            }
            Scope::User => linger::read(&self.env).await,
            Scope::System => Linger::NotNeeded,
        }
    }

    /// With our own path for our own file, where the manager knows the home directory by another name.
    fn respelled(&self, mut reached: Reached) -> Reached {
        if self.elsewhere {
            return reached;
        }
        let own = &self.instance.paths.unit;
        let same = |path: &PathBuf| path.file_name() == own.file_name() && same_parent(path, own);
        if reached.state.fragment_path.as_ref().is_some_and(same) {
            reached.state.fragment_path = Some(own.clone());
        }
        reached
    }
}

/// Links in the last part are not followed: a linked unit is another one than its target.
pub(super) fn same_parent(a: &Path, b: &Path) -> bool {
    a.parent().zip(b.parent()).is_some_and(|(a, b)| place::same_place(a, b))
}
