//! The port: whether it is the gateway that has it.

use crate::config::KeyPath;
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Severity};
use crate::host::port::Owner;
use crate::instance::Scope;
use crate::service::redact;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let port = match &facts.port {
        Ok(port) => *port,
        Err(why) => {
            return vec![Finding::new("port.invalid", Severity::Error, why.clone()).key("gateway.port")];
        }
    };
    let mut found: Vec<Finding> = outdated(facts, port).into_iter().collect();
    let owners = match &facts.owners {
        Ok(owners) => owners,
        Err(why) => {
            let summary = format!("who listens on port {port} could not be looked up: {why}");
            found.push(Finding::new("port.unknown", Severity::Warning, summary));
            return found;
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
    // Where nothing is installed here, the same gateway in the other scope is told as that.
    let elsewhere = observed.definition.other_scope.is_some() && facts.service.unit.is_none();
    let told =
        |owner: &&Owner| elsewhere && owner.unit.as_ref().is_some_and(|unit| unit.name == observed.unit);
    let others = owners.iter().filter(|owner| !ours(owner) && !told(owner));
    found.extend(others.map(|owner| taken(facts, port, owner, main_pid.is_some())));
    found
}

/// The definition names a port, and the configuration another one: the gateway has the first, and whoever reads the
/// configuration looks for it on the second.
fn outdated(facts: &Facts, port: u16) -> Option<Finding> {
    let named = facts.service.port()?;
    let key = KeyPath::from("gateway.port");
    let configured = facts.config.value(&key)?.as_u64().and_then(|port| u16::try_from(port).ok())?;
    // A definition that somebody changed is told as such.
    if configured == named || named != port {
        return None;
    }
    let origin = facts.config.origin(&key);
    let (file, line) =
        origin.map_or((facts.config.path.clone(), None), |origin| (origin.file, Some(origin.line)));
    let ours = facts.instance.command();
    Some(
        Finding::new(
            "port.outdated",
            Severity::Warning,
            format!("the service was installed with port {named}, and the configuration says {configured}"),
        )
        .key("gateway.port")
        .differs(Some(named.to_string()), Some(configured.to_string()))
        .at(file, line)
        .hint(format!("To have the configuration's: {ours} gateway install --port config"))
        .hint(format!("Or the service's: {ours} config set gateway.port {named}")),
    )
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
        Some(unit) => finding.hint(format!("Stop it: {} stop {}", unit.systemctl(), unit.name)),
        None => finding
            .hint(format!("Use another port: {} config set gateway.port PORT", facts.instance.command())),
    }
}
