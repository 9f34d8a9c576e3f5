//! Files that the unit names, and those that could not be read.

use crate::doctor::facts::Facts;
use crate::doctor::finding::{At, Finding, Severity};
use crate::service::inspection::NeedKind;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let service = &facts.service;
    let needs = service.needs.iter().map(|need| {
        let (id, what) = match need.kind {
            NeedKind::Program => ("files.program", "the program cannot be run"),
            NeedKind::WorkingDirectory => {
                ("files.working-directory", "the working directory cannot be entered")
            }
            NeedKind::Credential => ("files.credential", "a credential cannot be read"),
            NeedKind::Output => ("files.output", "there is no place for what it says"),
            NeedKind::Variables => ("files.environment", "a file of variables cannot be read"),
        };
        let mut finding =
            Finding::new(id, Severity::Error, format!("{what}: {}: {}", need.path.display(), need.problem))
                .key(need.name.to_string())
                .differs(None, Some(need.path.display().to_string()));
        finding.at = need.spot.as_ref().map(At::from);
        if need.kind == NeedKind::Program {
            finding = finding.hint(format!(
                "Install the program again, then: {} gateway install --force",
                facts.instance.command()
            ));
        }
        finding
    });
    let unit = &service.observed.definition.path;
    let unreadable = service.unreadable.iter().filter(|(path, _)| path != unit).map(|(path, why)| {
        Finding::new(
            "files.unreadable",
            Severity::Warning,
            format!("a file of the service cannot be read: {why}"),
        )
        .at(path, None)
    });
    needs.chain(unreadable).collect()
}
