//! Taking down another gateway's service: stopped, and not started by itself any more. Its files stay as they are.

use std::time::Duration;

use super::Systemd;
use super::link::{JobEnd, Verb};
use crate::exit::ExitCode;
use crate::service::error::ServiceError;

/// How long its gateway may take to end: those of other products drain for more than five minutes.
const PATIENCE: Duration = Duration::from_secs(400);

impl Systemd {
    /// Disables and stops a service of the same manager.
    pub async fn retire(&self, unit: &str) -> Result<(), ServiceError> {
        let link = self.link.as_ref().map_err(|unreachable| ServiceError::from(unreachable.clone()))?;
        let state = link.state(unit).await?;
        // A unit whose file is gone has no links that anybody reads.
        if state.fragment_path.is_some() {
            link.disable(unit).await?;
            link.reload().await?;
        }
        if !state.is_up() {
            return Ok(());
        }
        match link.job(Verb::Stop, unit, PATIENCE, &mut |_, _| {}).await? {
            JobEnd::Done => Ok(()),
            _ if !link.state(unit).await?.is_up() => Ok(()),
            end => Err(ServiceError::Job {
                verb: Verb::Stop.word(),
                unit: unit.to_owned(),
                why: format!("the job ended as {end:?}"),
                code: ExitCode::Failed,
            }),
        }
    }
}
