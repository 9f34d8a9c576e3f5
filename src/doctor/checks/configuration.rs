//! The configuration: every problem in it, and what keeps a service with it from starting.

use crate::config::Problem;
use crate::config::section::Mode;
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Severity};
use crate::service::definition::Standing;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let command = facts.instance.command();
    for problem in facts.config.problems().iter().filter(|problem| !is_told_as_closed(facts, problem)) {
        found.push(
            Finding::new("config.invalid", Severity::Error, problem.placeless())
                .key(problem.path.to_string())
                .at(&problem.file, problem.line)
                .hint(format!("Edit it, then: {command} config validate")),
        );
    }
    let installed = facts.service.observed.definition.standing != Standing::Missing;
    if !facts.config.exists && installed {
        found.push(
            Finding::new(
                "config.missing",
                Severity::Warning,
                "there is no configuration; the service runs with defaults",
            )
            .at(&facts.config.path, None)
            .hint(format!("Run: {command} setup")),
        );
    }
    if facts.settings.gateway.mode == Some(Mode::Remote) && installed {
        found.push(
            Finding::new(
                "config.mode",
                Severity::Error,
                "the gateway is configured as remote: a service of it does not start here",
            )
            .key("gateway.mode")
            .differs(Some("local".to_owned()), Some("remote".to_owned()))
            .at(&facts.config.path, None)
            .hint(format!("Run: {command} config set gateway.mode local")),
        );
    }
    found
}

/// Whether the problem is that the file may not be read, which is told as that.
fn is_told_as_closed(facts: &Facts, problem: &Problem) -> bool {
    let whole = problem.line.is_none() && problem.file == facts.config.path;
    whole && super::permissions::is_shut(facts, &facts.config.path)
}
