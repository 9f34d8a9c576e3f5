//! Other gateways on this machine: the same one twice, and those of other products.

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Severity};
use crate::instance::Scope;
use crate::service::inspection::Sibling;
use crate::service::platform::ByHand;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let observed = &facts.service.observed;
    let mut found = Vec::new();
    if let Some(other) = &observed.definition.other_scope {
        let whose = other.user.as_ref().map_or("the machine's".to_owned(), |user| format!("that of {user}"));
        let there = match facts.instance.scope {
            Scope::User => Scope::System,
            Scope::System => Scope::User,
        };
        let take_down = observed.platform.by_hand(ByHand::TakeDown, there, &other.unit);
        found.push(
            Finding::new("siblings.duplicate", Severity::Error, format!("a service of the same name is under another manager too, {whose}: both want the same port"))
                .at(&other.path, None)
                .hint(format!("Keep this one: {take_down}"))
                .hint(format!("Or the other one: {} gateway uninstall", facts.instance.command())),
        );
    }
    found.extend(facts.service.siblings.iter().filter_map(|sibling| tell(facts, sibling)));
    found
}

fn tell(facts: &Facts, sibling: &Sibling) -> Option<Finding> {
    let own_port = facts.port.as_ref().ok().copied();
    let same_product = sibling.product == facts.instance.brand.slug();
    // The same unit in the system's scope is a package's offer, or told above.
    if same_product && sibling.unit == facts.service.observed.unit {
        return None;
    }
    let clash = sibling.port.is_some() && sibling.port == own_port;
    let active = sibling.enabled || sibling.running == Some(true);
    let port = sibling.port.map_or_else(String::new, |port| format!(", port {port}"));
    let token = sibling.token_from.as_ref().map(|from| format!(", token from {from}")).unwrap_or_default();
    let there = if sibling.user { Scope::User } else { Scope::System };
    let take_down = facts.service.observed.platform.by_hand(ByHand::TakeDown, there, &sibling.unit);
    if same_product {
        // Other profiles are not foreign.
        return (clash && active).then(|| {
            Finding::new(
                "siblings.port",
                Severity::Warning,
                format!("{} is set to the same port{port}", sibling.unit),
            )
            .at(&sibling.path, None)
            .differs(None, sibling.port.map(|port| port.to_string()))
        });
    }
    let severity = if clash && active { Severity::Warning } else { Severity::Info };
    let state = match (sibling.running, sibling.enabled) {
        (Some(true), _) => "running",
        (_, true) => "enabled",
        _ => "installed",
    };
    let profile = sibling.profile.as_ref().map(|name| format!(" --profile {name}")).unwrap_or_default();
    let slug = facts.instance.brand.slug();
    let take_port = sibling.port.map(|port| format!(" --port {port}")).unwrap_or_default();
    Some(
        Finding::new(
            "siblings.other",
            severity,
            format!("a gateway of {} is {state}: {}{port}{token}", sibling.product, sibling.unit),
        )
        .at(&sibling.path, None)
        .hint(format!("To take over from it: {take_down}, then {slug}{profile} gateway install{take_port}")),
    )
}
