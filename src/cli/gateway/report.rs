//! What `gateway status` prints for people. The lines `Runtime: running` and `RPC probe: ok` are the runbooks' healthy
//! baseline.

use super::status::{Report, Rpc, Runtime, ServicePart, word};
use crate::cli::context::Context;
use crate::cli::ui::Ui;
use crate::host;
use crate::service::Scope;
use crate::service::definition::Standing;
use crate::service::facts::{Answer, Headline};
use crate::service::observed::{Linger, Manager, Observed};
use crate::service::reach::Unreachable;
use crate::service::systemd::exits;

/// Causes of a failed probe that are shown.
const MAX_ERROR_LINES: usize = 12;

pub(super) fn describe(found: &Report, context: &Context, ui: &mut Ui) {
    service(&found.service, ui);
    ui.out(&format!("File logs: {}", found.log_file));
    ui.out("");
    config(found, ui);
    gateway(found, ui);
    ui.out("");
    runtime(&found.runtime, &found.service, ui);
    facts(&found.service, ui);
    match &found.rpc {
        Some(rpc) => probe(rpc, ui),
        None => ui.out("RPC probe: skipped (--no-probe)"),
    }
    if let Some(audit) = &found.audit {
        ui.out(&match audit.findings.len() {
            0 => "Doctor: no problems found".to_owned(),
            1 => "Doctor: 1 problem".to_owned(),
            many => format!("Doctor: {many} problems"),
        });
        audit.findings.iter().for_each(|finding| ui.out(&format!("- {}: {}", finding.id, finding.summary)));
        if !audit.ok {
            ui.hint(&format!("Look closer: {} doctor", context.instance.command()));
        }
    }
    advice(found, context, ui);
}

pub(super) fn service(found: &ServicePart, ui: &mut Ui) {
    let observed = &found.observed;
    let enabled = match found.facts.enabled.is {
        Answer::Yes => "enabled",
        Answer::No => "disabled",
        Answer::Unknown => "unknown",
    };
    ui.out(&format!("Service: {} {} ({enabled})", observed.platform.name(), observed.scope.word()));
    ui.out(&format!("Unit: {}", observed.unit));
    if observed.definition.standing != Standing::Missing {
        ui.out(&format!("Service file: {}", observed.definition.path.display()));
    }
    let drop_ins = observed.manager.reached().map(|reached| &reached.state.drop_in_paths);
    for path in drop_ins.into_iter().flatten() {
        ui.out(&format!("Drop-in: {}", path.display()));
    }
    if let Some(hardening) = found.hardening {
        ui.out(&format!("Hardening: {hardening}"));
    }
}

fn config(found: &Report, ui: &mut Ui) {
    let missing = if found.config.exists { "" } else { " (missing)" };
    let invalid = if found.config.valid { "" } else { " (invalid)" };
    ui.out(&format!("Config: {}{missing}{invalid}", found.config.path));
    found.config.issues.iter().take(5).for_each(|issue| ui.out(&format!("Config issue: {issue}")));
}

fn gateway(found: &Report, ui: &mut Ui) {
    let gateway = &found.gateway;
    ui.out(&format!("Gateway: bind={}, port={} ({})", gateway.bind_mode, gateway.port, gateway.port_source));
    ui.out(&format!("Probe target: {}", gateway.probe_url));
    ui.out(&format!("Dashboard: {}", gateway.dashboard));
    if let Some(port) = &found.port {
        ui.out(&format!("Port {}: {}", port.port, port.status));
        for listener in &port.listeners {
            ui.out(&format!("- {}", listener.line));
        }
    }
    for other in found.others.iter().flatten() {
        let state = match (other.running, other.enabled) {
            (Some(true), _) => "running",
            (_, true) => "enabled",
            (_, false) => "installed",
        };
        let whose = if other.user { Scope::User } else { Scope::System };
        let port = other.port.map(|port| format!(", port {port}")).unwrap_or_default();
        ui.out(&format!("Other gateway: {} ({}, {state}{port})", other.unit, whose.word()));
    }
}

pub(super) fn runtime(runtime: &Runtime, service: &ServicePart, ui: &mut Ui) {
    ui.out(&format!("Runtime: {}", runtime.status));
    if let Some(pid) = runtime.pid {
        let how = match &service.observed.manager {
            _ if runtime.supervised => "supervised",
            // A manager that cannot be asked may look after it all the same.
            Manager::Unreachable { unreachable } if !matches!(unreachable, Unreachable::NoSystemd { .. }) => {
                "supervised or not: unknown"
            }
            _ => "in the foreground, not supervised",
        };
        let version =
            runtime.version.as_ref().map(|version| format!(", version {version}")).unwrap_or_default();
        ui.out(&format!("Process: {pid} ({how}{version})"));
    }
    let Manager::Reached(reached) = &service.observed.manager else { return };
    let state = &reached.state;
    if let Some(status) = &state.status_text {
        ui.out(&format!("Status: {status}"));
    }
    if state.n_restarts > 0 {
        ui.out(&format!("Restarts: {} since it was last started by hand", state.n_restarts));
    }
    if !matches!(service.facts.headline, Headline::Running | Headline::NotInstalled | Headline::Stopped) {
        ui.out(&format!(
            "Last exit: {}",
            reached.failure.clone().unwrap_or_else(|| exits::why_down(state).0)
        ));
    }
}

pub(super) fn facts(service: &ServicePart, ui: &mut Ui) {
    let facts = &service.facts;
    let rows = [
        ("Installed", &facts.installed),
        ("Enabled", &facts.enabled),
        ("Loaded", &facts.loaded),
        ("Running", &facts.running),
        ("Ready", &facts.ready),
        ("Healthy", &facts.healthy),
    ];
    for (name, fact) in rows {
        ui.out(&format!("{:<10} {:<8} {}", format!("{name}:"), word(fact.is), fact.because));
    }
    match &service.observed.linger {
        Linger::Yes => ui.out("Linger:    yes"),
        Linger::No => ui.out("Linger:    no       the service ends with the last session"),
        Linger::NotNeeded => {}
        Linger::Unknown(why) => ui.out(&format!("Linger:    unknown  {why}")),
    }
}

pub(super) fn probe(rpc: &Rpc, ui: &mut Ui) {
    match &rpc.error {
        None => {
            ui.out("RPC probe: ok");
            let version = rpc.server_version.as_deref().unwrap_or("?");
            ui.out(&format!("RPC answer: {} ms from {} (version {version})", rpc.latency_ms, rpc.url));
        }
        Some(error) => {
            ui.out("RPC probe: failed");
            ui.note(&format!("RPC target: {}", rpc.url));
            error.lines().take(MAX_ERROR_LINES).for_each(|line| ui.note(&format!("  {line}")));
        }
    }
}

fn advice(found: &Report, context: &Context, ui: &mut Ui) {
    let command = context.instance.command();
    let denied = found.rpc.as_ref().is_some_and(|rpc| !rpc.ok) && found.runtime.status == "running";
    if denied && context.instance.scope == Scope::System && host::user::id() != 0 {
        ui.hint(&format!("Only root can read its token: sudo {command} gateway status"));
    }
    let facts = &found.service.facts;
    if let Manager::Unreachable { unreachable } = &found.service.observed.manager {
        let Observed { platform, scope, .. } = &found.service.observed;
        ui.note(&format!("{} {} services unavailable: {unreachable}", platform.name(), scope.word()));
        if found.runtime.status != "running" {
            ui.hint(&unreachable.hint(&command));
        }
        return;
    }
    if found.runtime.status == "running" {
        let (cli, running) =
            (found.cli_version, found.runtime.version.as_deref().unwrap_or(found.cli_version));
        if cli != running {
            ui.warning(&format!("the running gateway is version {running}, this command is {cli}"));
            ui.hint(&format!("Run: {command} gateway restart"));
        }
        return;
    }
    match facts.headline {
        Headline::NotInstalled => ui.hint(&format!("Install it: {command} gateway install")),
        Headline::Stopped => ui.hint(&format!("Start it: {command} gateway start")),
        _ => ui.hint(&format!("See why: {command} logs")),
    }
}
