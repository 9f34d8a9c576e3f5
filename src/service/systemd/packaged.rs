//! A unit that a package owns: what is there, and what was chosen over it.

use super::disk::{self, Disk};
use super::layers::Layer;
use super::specifier::Specifiers;
use super::syntax::File;
use super::unit::{self, Installed};
use super::version::Version;
use super::{Systemd, addition};
use crate::instance::Scope;
use crate::service::definition::Standing;
use crate::service::manager::{RENAME, Unwritable};
use crate::service::observed::{Manager, Observed, Package};
use crate::service::plan::Choice;
use crate::service::spec::ServiceSpec;
use crate::service::{record, redact};

impl Systemd {
    /// The unit that the manager has, if a package owns it and nobody has put another one in its place.
    pub(super) async fn package(&self, disk: &Disk, manager: &Manager) -> Option<Package> {
        let state = &manager.reached()?.state;
        if self.elsewhere || disk.definition.standing != Standing::Missing || !state.is_loaded() {
            return None;
        }
        let fragment = state.fragment_path.clone()?;
        // Reading neither panics nor is it aborted; what cannot be read is no package's.
        tokio::task::spawn_blocking(move || disk::package(&fragment)).await.ok().flatten()
    }

    /// What a service has otherwise than the package's unit, as a drop-in. The program is the package's.
    pub(super) fn choice(
        &self,
        spec: &ServiceSpec,
        package: &Package,
        observed: &Observed,
        version: Version,
    ) -> Result<Choice, Unwritable> {
        let installed = Installed::read(&package.text, spec.mark.brand);
        let program = installed.command.into_iter().next().unwrap_or_else(|| spec.program.clone());
        let spec = ServiceSpec { program, ..spec.clone() };
        let wanted = unit::render(&spec, &self.unit, version)
            .map_err(|error| Unwritable { source: error.into(), hint: RENAME })?;
        let layer =
            |path: &std::path::Path, text: &str| Layer { path: path.to_owned(), file: File::parse(text) };
        let wanted = layer(&observed.definition.path, &wanted);
        // In a user's unit of ours the working directory is the home directory, which is what `%h` stands for.
        let home = (self.instance.scope == Scope::User).then(|| ('h', spec.working_directory.clone()));
        let specifiers = Specifiers::new(&self.unit, home);
        let base = layer(&package.path, &package.text);
        let names = addition::names(self.instance.scope, &wanted, &base, &specifiers);
        let path = disk::addition_path(&observed.definition.path);
        let text =
            (!names.is_empty()).then(|| addition::render(&spec, &self.unit, &wanted, &names, &specifiers));
        let present = observed.definition.addition.as_ref().and_then(|addition| addition.found.text());
        let changes = match (present, &text) {
            (Some(present), Some(text)) => !unit::same_meaning(present, text, spec.mark.brand),
            (present, text) => present.is_some() != text.is_some(),
        };
        let shown = path.display().to_string();
        Ok(Choice {
            names: names.iter().map(ToString::to_string).collect(),
            changes,
            diff: redact::diff(&shown, present.unwrap_or_default(), text.as_deref().unwrap_or_default()),
            record: text.as_ref().map(|text| record::of_spec(&spec, &self.unit, &path, text)),
            text,
            path,
        })
    }
}
