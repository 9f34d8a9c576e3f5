//! The manager's own environment, which reaches every service of it without being in any unit (lifecycle notes E9.9).

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Action, Class, Finding, Severity};
use crate::service::inspection::Weight;
use crate::service::platform::ByHand;
use crate::service::redact;
use crate::service::variable::variable_harm;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let service = &facts.service;
    let variables = match &service.environment {
        Ok(variables) => variables,
        Err(_) if service.observed.manager.reached().is_none() => return Vec::new(),
        Err(why) => {
            let summary = format!("the environment of the service manager could not be looked up: {why}");
            return vec![Finding::new("environment.unknown", Severity::Warning, summary)];
        }
    };
    let own = |name: &str| service.mender.sets_variable(name);
    let leaks = variables.iter().filter(|(name, _)| !own(name)).filter_map(|(name, value)| {
        let (weight, why) = variable_harm(facts.instance.brand, name)?;
        let severity = if weight == Weight::Identity { Severity::Error } else { Severity::Warning };
        let shown = redact::redact_line(&format!("{name}={value}"));
        let finding = Finding::new(
            "environment.leak",
            severity,
            format!("{name} is set in the environment of the service manager: {why}"),
        )
        .key(format!("Environment:{name}"))
        .differs(None, Some(shown))
        .repair(Class::Fix, [Action::Unset(vec![name.clone()])]);
        Some(match facts.session_variables.iter().find(|(.., known)| known == name) {
            Some((file, line, _)) => finding
                .at(file, Some(*line))
                .hint("It comes back with the next login unless it is taken out of that file"),
            None => {
                let observed = &service.observed;
                let command = observed.platform.by_hand(ByHand::Unset(name), observed.scope, &observed.unit);
                finding.hint(format!("By hand: {command}"))
            }
        })
    });
    let mut found: Vec<Finding> = leaks.collect();
    found.extend(inherited(facts));
    found
}

/// What the process that runs was given, and would not be given again.
fn inherited(facts: &Facts) -> Vec<Finding> {
    let Some(environment) = facts.process.as_ref().and_then(|process| process.environment.as_ref()) else {
        return Vec::new();
    };
    let brand = facts.instance.brand;
    let (class, actions) = super::process::again(facts);
    let names = ["GATEWAY_TOKEN", "GATEWAY_PASSWORD", "GATEWAY_PORT"].map(|name| brand.var(name));
    let all = names.iter().map(String::as_str).chain(["LD_PRELOAD", "LD_LIBRARY_PATH"]);
    let still = |name: &str| {
        facts.service.environment.as_ref().is_ok_and(|all| all.iter().any(|(own, _)| own == name))
    };
    all.filter(|name| environment.os(name).is_some() && !facts.service.mender.sets_variable(name))
        // While it is in the manager's environment, that is what has to change first.
        .filter(|name| !still(name) && facts.service.environment.is_ok())
        .map(|name| {
            Finding::new(
                "environment.inherited",
                Severity::Warning,
                format!("the process that runs still has {name} in its environment"),
            )
            .key(format!("Environment:{name}"))
            .repair(class, actions.clone())
        })
        .collect()
}
