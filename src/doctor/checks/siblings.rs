//! Other gateways on this machine: the same one twice, and those of other products.

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Action, Class, Finding, Severity};
use crate::doctor::foreign::{self, Foreign};
use crate::instance::Scope;
use crate::service::definition::Standing;
use crate::service::inspection::Sibling;
use crate::service::observed::OtherOwner;
use crate::service::platform::ByHand;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let observed = &facts.service.observed;
    let mut found = Vec::new();
    found.extend(observed.definition.other_scope.as_ref().map(|other| other_scope(facts, other)));
    let own = facts.instance.brand.slug();
    let profiles = facts.service.siblings.iter().filter(|sibling| sibling.product == own);
    found.extend(profiles.filter_map(|sibling| other_profile(facts, sibling)));
    found.extend(facts.foreign.iter().map(|foreign| other_product(facts, foreign)));
    found
}

/// One gateway under two managers. That it is somebody else's alone is nobody's mistake.
fn other_scope(facts: &Facts, other: &OtherOwner) -> Finding {
    let observed = &facts.service.observed;
    let command = facts.instance.command();
    let take_down = observed.platform.give_up_there(other, facts.instance.scope);
    let whose = other.user.as_ref().map_or("the machine's".to_owned(), |user| format!("that of {user}"));
    let installed = facts.service.unit.is_some() || observed.definition.standing != Standing::Missing;
    let finding = if installed {
        let summary = format!(
            "a service of the same name is under another manager too, {whose}: both want the same port"
        );
        Finding::new("siblings.duplicate", Severity::Error, summary)
            .hint(format!("Keep this one: {take_down}"))
            .hint(format!("Or the other one: {command} gateway uninstall"))
    } else {
        let summary = format!("a service of the same name is under another manager, {whose}");
        Finding::new("siblings.duplicate", Severity::Info, summary)
            .hint(format!("To have it here instead: {take_down}"))
    };
    finding.at(&other.path, None)
}

/// Other profiles are not foreign; they only must not want the same port.
fn other_profile(facts: &Facts, sibling: &Sibling) -> Option<Finding> {
    // The same unit in the system's scope is a package's offer, or told above.
    let port = sibling.port.filter(|_| sibling.unit != facts.service.observed.unit)?;
    let active = sibling.enabled || sibling.running == Some(true);
    (active && facts.port.as_ref().ok() == Some(&port)).then(|| {
        Finding::new(
            "siblings.port",
            Severity::Warning,
            format!("{} is set to the same port, {port}", sibling.unit),
        )
        .at(&sibling.path, None)
        .differs(None, Some(port.to_string()))
    })
}

fn other_product(facts: &Facts, foreign: &Foreign) -> Finding {
    let Foreign { service, port, token, .. } = foreign;
    let active = service.enabled || service.running == Some(true);
    let clash = active && port.is_some() && *port == facts.port.as_ref().ok().copied();
    let state = match (service.running, service.enabled) {
        (Some(true), _) => "running",
        (_, true) => "enabled",
        _ => "installed",
    };
    let port_words = port.map_or_else(String::new, |port| format!(", port {port}"));
    let from = token.as_ref().map(ToString::to_string).or_else(|| service.token_from.clone());
    let from = from.map(|from| format!(", token from {from}")).unwrap_or_default();
    let severity = if clash { Severity::Warning } else { Severity::Info };
    let mut finding = Finding::new(
        "siblings.other",
        severity,
        format!("a gateway of {} is {state}: {}{port_words}{from}", service.product, service.unit),
    )
    .at(&service.path, None)
    .differs(None, port.map(|port| port.to_string()));
    let observed = &facts.service.observed;
    let theirs = if service.user { Scope::User } else { Scope::System };
    let (command, down) =
        (facts.instance.command(), observed.platform.by_hand(ByHand::TakeDown, theirs, &service.unit));
    // Two products side by side are nobody's mistake. Two on one port are, and so is one that was left behind for this
    // one to take its place.
    let fresh = facts.service.unit.is_none() && active;
    let ours_to_change = foreign::is_changeable(service, facts.instance.scope);
    if (clash || fresh) && ours_to_change {
        finding = finding.repair(Class::Force, [Action::TakeOver(Box::new(foreign.clone()))]).hint(format!(
            "To take its place: {command} doctor --fix --force stops and disables it, and takes its port and its token over"
        ));
        return finding.hint(format!("To take it down and no more: {down}"));
    }
    let port =
        port.map(|port| format!(", then: {command} config set gateway.port {port}")).unwrap_or_default();
    finding.hint(format!("To take its place: {down}{port}"))
}
