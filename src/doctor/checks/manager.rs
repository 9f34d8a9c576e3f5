//! The service manager: whether it can be asked, and whether it has read what is on disk.

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Action, Class, Finding, Severity};
use crate::service::definition::Standing;
use crate::service::observed::Manager;
use crate::service::platform::ByHand;
use crate::service::reach::Unreachable;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let (service, command) = (&facts.service, facts.instance.command());
    let observed = &service.observed;
    let reached = match &observed.manager {
        Manager::Unreachable { unreachable } => {
            let nothing_to_manage = matches!(unreachable, Unreachable::NoSystemd { .. })
                && observed.definition.standing == Standing::Missing;
            let severity = if nothing_to_manage { Severity::Info } else { Severity::Error };
            let summary = format!("the service manager cannot be asked: {unreachable}");
            return vec![
                Finding::new("manager.unreachable", severity, summary).hint(unreachable.hint(&command)),
            ];
        }
        Manager::Reached(reached) => reached,
    };
    let (mut found, platform) = (Vec::new(), observed.platform);
    let nothing_differs = service.stale_by_hint && service.drift.is_empty() && service.drop_ins.is_empty();
    if !service.stale.is_empty() && !nothing_differs {
        let severity = if service.stale_by_hint { Severity::Info } else { Severity::Warning };
        let summary = format!("{} has not read what is on disk", platform.name());
        let (class, actions) = match platform.reads_only_to_load() {
            true => super::process::again(facts),
            false => (Class::Fix, vec![Action::Reload]),
        };
        found.push(
            Finding::new("manager.stale", severity, summary)
                .differs(None, Some(service.stale.join("; ")))
                .repair(class, actions)
                .hint(format!(
                    "By hand: {}",
                    platform.by_hand(ByHand::Reread, observed.scope, &observed.unit)
                )),
        );
    }
    let installed = observed.definition.standing != Standing::Missing;
    if installed && !reached.reads_directory {
        let dir = observed.definition.path.parent().unwrap_or(&observed.definition.path);
        let (name, what) = (platform.name(), platform.definition());
        let summary = format!("{name} does not read any {what} from {}", dir.display());
        found.push(Finding::new("manager.directory", Severity::Error, summary).at(dir, None));
    }
    found
}
