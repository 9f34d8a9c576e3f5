//! The definition that should be there, for the job that was found.

use plist::Dictionary;

use super::job::{self, RenderError, Setting};
use super::launchctl::Domain;
use super::{Launchd, meaning, property_list};
use crate::service::definition::Marked;
use crate::service::observed::Observed;
use crate::service::plan::{Desired, Provision};
use crate::service::record::{self, Record};
use crate::service::redact;
use crate::service::spec::{Account, ServiceSpec};

impl Launchd {
    /// Writes the definition, and compares it with the one that is there.
    pub(super) fn definition_of(
        &self,
        spec: &ServiceSpec,
        observed: &Observed,
    ) -> Result<Desired, RenderError> {
        let brand = spec.mark.brand;
        let mut text = job::render(spec, &self.setting(spec)?)?;
        let path = observed.definition.path.display().to_string();
        let values = |text: &str| property_list::read(text.as_bytes()).ok();
        let (present, mut wanted) =
            (observed.definition.found.text().and_then(values), values(&text).unwrap_or_default());
        let changes = present.as_ref().is_none_or(|present| !meaning::same_job(present, &wanted, brand));
        let confusable = |present: &&Dictionary| job::have_one_signature(present, &wanted, brand);
        if let Some(present) = present.as_ref().filter(|_| changes).filter(confusable) {
            job::sign_apart(&mut wanted, present, brand);
            text = property_list::to_xml(&wanted);
        }
        let flat = property_list::flat(&wanted);
        let ours = present.as_ref().filter(|present| job::mark_of(present, brand) != Marked::No);
        Ok(Desired {
            addition: None,
            provision: self.provision(spec),
            another: ours.and_then(|ours| spec.another(&property_list::variables(ours))),
            changes,
            diff: present.and_then(|present| redact::diff(&path, &property_list::flat(&present), &flat)),
            record: Record {
                domain: self.control.as_ref().ok().map(|control| control.domain.get().to_string()),
                ..record::of_spec(spec, &observed.unit, &observed.definition.path, &text)
            },
            text,
        })
    }

    /// What its account needs, for a job of the machine.
    fn provision(&self, spec: &ServiceSpec) -> Option<Provision> {
        match &spec.system.as_ref()?.account {
            Account::Named(account) => {
                let (directories, secrets) = (self.own_directories(), self.secrets()?.to_owned());
                Some(Provision { account: account.clone(), directories, secrets })
            }
            Account::Dynamic => None,
        }
    }

    /// What the job has beyond the service.
    fn setting(&self, spec: &ServiceSpec) -> Result<Setting, RenderError> {
        let domain = self.control.as_ref().map(|control| control.domain.get());
        let user = match spec.system.as_ref().map(|system| &system.account) {
            None => None,
            Some(Account::Named(name)) => Some(name.clone()),
            Some(Account::Dynamic) => return Err(RenderError::NoAccount),
        };
        Ok(Setting {
            label: self.instance.launchd_label(),
            crash_file: self.instance.paths.crash_text.display().to_string(),
            background: matches!(domain, Ok(Domain::User(_))),
            secrets: self.secrets().map(|dir| dir.display().to_string()),
            user,
        })
    }
}
