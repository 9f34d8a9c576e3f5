//! The port: whether it is the gateway that has it.

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Severity};
use crate::host::port::Owner;
use crate::instance::Scope;
use crate::service::redact;
use crate::service::systemd::words;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let port = match &facts.port {
        Ok(port) => *port,
        Err(why) => {
            return vec![Finding::new("port.invalid", Severity::Error, why.clone()).key("gateway.port")];
        }
    };
    let owners = match &facts.owners {
        Ok(owners) => owners,
        Err(why) => {
            let summary = format!("who listens on port {port} could not be looked up: {why}");
            return vec![Finding::new("port.unknown", Severity::Warning, summary)];
        }
    };
    let observed = &facts.service.observed;
    let main_pid = observed.manager.reached().and_then(|reached| reached.state.main_pid);
    // Between two runs of the service its manager has the socket.
    let between =
        observed.manager.reached().is_some_and(|reached| reached.state.is_up() && main_pid.is_none());
    let ours = |owner: &&Owner| {
        Some(owner.pid) == main_pid
            || owner.keeper && between
            || owner.unit.as_ref().is_some_and(|unit| {
                unit.user == (observed.scope == Scope::User) && unit.name == observed.unit
            })
    };
    owners
        .iter()
        .filter(|owner| !ours(owner))
        .map(|owner| taken(facts, port, owner, main_pid.is_some()))
        .collect()
}

fn taken(facts: &Facts, port: u16, owner: &Owner, service_runs: bool) -> Finding {
    let command = redact::redact_line(&owner.command);
    let unit = owner.unit.as_ref().map(|unit| format!(", unit {}", unit.name)).unwrap_or_default();
    let who = format!("process {} ({command}{unit})", owner.pid);
    let foreground =
        owner.command.contains(facts.instance.brand.slug()) && owner.unit.is_none() && !service_runs;
    if foreground {
        return Finding::new(
            "port.foreground",
            Severity::Info,
            format!("a gateway in the foreground has port {port}: {who}"),
        )
        .key("gateway.port")
        .differs(None, Some(who));
    }
    let severity =
        if service_runs || facts.service.unit.is_some() { Severity::Error } else { Severity::Warning };
    let finding =
        Finding::new("port.taken", severity, format!("port {port} belongs to somebody else: {who}"))
            .key("gateway.port")
            .differs(Some(facts.service.observed.unit.clone()), Some(who));
    match &owner.unit {
        Some(unit) => {
            let scope = if unit.user { Scope::User } else { Scope::System };
            finding.hint(format!("Stop it: {} stop {}", words::systemctl(scope), unit.name))
        }
        None => finding
            .hint(format!("Or use another port: {} config set gateway.port PORT", facts.instance.command())),
    }
}
