//! One close look at a job for the doctor: its property list, what launchd has loaded, and what should be there.
//! Nothing is changed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plist::Dictionary;

use super::job::{self, Installed};
use super::{Launchd, launchctl, property_list};
use crate::instance::Brand;
use crate::service::definition::{Marked, Standing};
use crate::service::error::ServiceError;
use crate::service::inspection::{Inspect, Inspection, Mender, Name, Need, NeedKind, Question};
use crate::service::manager::Manager;
use crate::service::observed::Observed;
use crate::service::plan::Desired;
use crate::service::secrets;
use crate::service::spec::{Account, Choices, ServiceSpec};

/// Everything that is needed to write repaired texts.
#[derive(Debug)]
struct PropertyLists {
    brand: Brand,
    present: Option<Dictionary>,
}

impl Mender for PropertyLists {
    fn definition(&self, _: &[Name]) -> Option<String> {
        None
    }

    fn drop_in(&self, _: &Path, _: &[Name]) -> Option<(String, Option<String>)> {
        None
    }

    fn corrective(&self, _: &str, _: &[Name]) -> Option<(PathBuf, String, String)> {
        None
    }

    fn sets_variable(&self, name: &str) -> bool {
        let installed = self.present.as_ref().map(|values| Installed::read(values, self.brand));
        installed.is_some_and(|installed| installed.environment.iter().any(|(own, _)| own == name))
    }

    fn is_intact(&self, text: &str) -> bool {
        property_list::read(text.as_bytes())
            .is_ok_and(|values| job::mark_of(&values, self.brand) == Marked::Intact)
    }
}

impl Inspect for Launchd {
    async fn inspect(&self, question: Question<'_>) -> Inspection {
        let observed = self.observe().await;
        let present = observed.definition.found.text();
        let present = present.and_then(|text| property_list::read(text.as_bytes()).ok());
        let installed = present.as_ref().map(|values| Installed::read(values, self.instance.brand));
        let own = !matches!(observed.definition.standing, Standing::Linked);
        let desired = self.wish(question, &observed, installed.as_ref());
        let command = installed.map(|installed| installed.command).unwrap_or_default();
        Inspection {
            desired,
            drift: Vec::new(),
            stale: Vec::new(),
            stale_by_hint: false,
            unit: present.is_some().then(|| observed.definition.path.clone()),
            own,
            others: Vec::new(),
            drop_ins: Vec::new(),
            unreadable: Vec::new(),
            environment: Ok(Vec::new()),
            needs: needed(&observed, &command),
            command,
            hardening: None,
            frozen: false,
            siblings: Vec::new(),
            mender: Arc::new(PropertyLists { brand: self.instance.brand, present }),
            observed,
        }
    }

    async fn unset_environment(&self, names: &[&str]) -> Result<(), ServiceError> {
        Ok(launchctl::unset_environment(names).await?)
    }
}

impl Launchd {
    /// What should be there: with the program and the port that were chosen when it was installed.
    fn wish(
        &self,
        question: Question<'_>,
        observed: &Observed,
        installed: Option<&Installed>,
    ) -> Result<Desired, String> {
        let record = observed.record.record().filter(|record| record.unit == observed.unit);
        let program = match (record, installed.and_then(|installed| installed.command.first())) {
            (Some(record), _) => record.program.clone(),
            (None, Some(program)) => PathBuf::from(program),
            (None, None) => question.program.to_owned(),
        };
        let port = record.map_or_else(|| installed.and_then(Installed::port), |record| record.port);
        let account = installed.and_then(|installed| Account::named(installed.user.as_deref()?).ok());
        let choices = Choices {
            port,
            account: account.unwrap_or_default(),
            credentials: secrets::to_hand_over(&self.instance, &[]),
            ..Choices::new(&program, question.dirs, question.drain)
        };
        let spec = ServiceSpec::for_gateway(&self.instance, &choices).map_err(|error| error.to_string())?;
        self.desire(&spec, observed).map_err(|error| error.to_string())
    }
}

/// The program, where it cannot be run (lifecycle notes B11).
fn needed(observed: &Observed, command: &[String]) -> Vec<Need> {
    let Some(program) = command.first().map(PathBuf::from) else { return Vec::new() };
    let problem = match program.metadata() {
        Err(error) => error.to_string(),
        Ok(meta) if !meta.is_file() => "it is not a file".to_owned(),
        Ok(meta) if meta.permissions().mode() & 0o111 == 0 => "it is not executable".to_owned(),
        Ok(_) => return Vec::new(),
    };
    let name = Name { section: String::new(), key: "ProgramArguments".to_owned(), variable: None };
    let spot = crate::service::inspection::Spot { path: observed.definition.path.clone(), line: 0 };
    vec![Need { kind: NeedKind::Program, name, spot: Some(spot), path: program, problem }]
}
