//! `gateway status`: the service and the gateway, each fact with its source, and whether the gateway answers.

use std::time::Instant;

use clap::Args as ClapArgs;
use serde::{Deserialize, Serialize};

use super::probe::Health;
use super::report;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::target;
use crate::cli::ui::Ui;
use crate::client::{Address, ClientError};
use crate::config::resolve::gateway_bind;
use crate::config::{Config, Problem, tilde_path};
use crate::doctor;
use crate::doctor::facts::Circumstances;
use crate::doctor::finding::Finding;
use crate::exit::ExitCode;
use crate::gateway::{self, Holder};
use crate::host::port::{self, Owner};
use crate::protocol::method::Ignored;
use crate::protocol::methods::status::Status;
use crate::service::facts::{Answer, Facts, Headline};
use crate::service::hardening::Hardening;
use crate::service::inspection::Sibling;
use crate::service::manager::Manager;
use crate::service::native::Native;
use crate::service::observed::Observed;
use crate::service::redact;
use crate::service::systemd::unit::Installed;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
    /// Look closer: who listens on the port, and which other gateways there are
    #[arg(long)]
    deep: bool,
    /// Do not ask the gateway itself
    #[arg(long, conflicts_with = "require_rpc")]
    pub no_probe: bool,
    /// Look again and again until interrupted: a live view on a terminal; elsewhere, and with --json, whatever changed
    #[arg(long)]
    watch: bool,
    /// Fail unless the gateway answers
    #[arg(long)]
    pub require_rpc: bool,
    /// Fail, with exit code 6, where the doctor finds something wrong with the service or the gateway
    #[arg(long, conflicts_with = "watch")]
    strict: bool,
    #[command(flatten)]
    pub target: target::Args,
}

/// Everything that was found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub profile: String,
    pub service: ServicePart,
    pub config: ConfigPart,
    pub gateway: GatewayPart,
    pub runtime: Runtime,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc: Option<Rpc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<PortPart>,
    /// The services of other gateways on this machine, if they were looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<Vec<Sibling>>,
    /// What the doctor found, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Audit>,
    pub log_file: String,
    pub cli_version: &'static str,
}

#[derive(Serialize)]
pub(super) struct ServicePart {
    pub facts: Facts,
    /// How tightly it is shut in, as its definition says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardening: Option<Hardening>,
    #[serde(flatten)]
    pub observed: Observed,
}

#[derive(Serialize)]
pub(super) struct ConfigPart {
    pub path: String,
    pub exists: bool,
    pub valid: bool,
    pub issues: Vec<Problem>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GatewayPart {
    pub bind_mode: &'static str,
    pub port: u16,
    pub port_source: String,
    pub probe_url: String,
    pub dashboard: String,
}

/// Whether a gateway of this profile runs, supervised or not.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Runtime {
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    pub supervised: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What came of asking the gateway over its own protocol.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rpc {
    pub ok: bool,
    pub url: String,
    pub latency_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
}

/// What the doctor found that counts.
#[derive(Serialize)]
pub(super) struct Audit {
    pub ok: bool,
    pub findings: Vec<Finding>,
}

#[derive(Serialize)]
pub(super) struct PortPart {
    pub port: u16,
    pub status: &'static str,
    pub listeners: Vec<Listener>,
}

#[derive(Serialize)]
pub(super) struct Listener {
    pub pid: u32,
    pub command: String,
    pub addresses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// All of it in a line.
    #[serde(skip)]
    pub line: String,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    if let Some(host) = &context.host {
        return super::remote_status::status(host, &args, context, ui);
    }
    if args.watch {
        return super::watch::watch(&args, context, ui);
    }
    let found = look(&args, context)?;
    show(&found, &args, context, ui);
    let code = exit_code(&found.runtime, found.rpc.as_ref(), &found.service.facts, args.require_rpc);
    let drift = found.audit.as_ref().is_some_and(|audit| !audit.ok);
    Ok(if code == ExitCode::Ok && drift { ExitCode::Drift } else { code })
}

pub(super) fn show(found: &Report, args: &Args, context: &Context, ui: &mut Ui) {
    if args.json { ui.answer(1, found) } else { report::describe(found, context, ui) }
}

/// The state of things in one number: the gateway counts, then its service (lifecycle notes A6c).
pub(super) fn exit_code(runtime: &Runtime, rpc: Option<&Rpc>, facts: &Facts, require_rpc: bool) -> ExitCode {
    match (runtime.status == "running", rpc.map(|rpc| rpc.ok)) {
        (true, Some(true)) => ExitCode::Ok,
        (true, Some(false)) => ExitCode::Unhealthy,
        _ if require_rpc => ExitCode::Unhealthy,
        (true, None) if !runtime.supervised => ExitCode::Ok,
        _ => facts.headline.exit_code(),
    }
}

pub(super) fn look(args: &Args, context: &Context) -> Result<Report, CliError> {
    let loaded = context.source().load();
    let config = loaded.config.as_ref().cloned().unwrap_or_default();
    let port = target::port(context, &config)?;
    let (observed, health, rpc, examined, holder) = context.block_on(async {
        let manager = context.manager().await;
        let observed = manager.observe().await;
        let closer = args.strict || args.deep;
        let facts = if closer { Some(examine(&manager, context).await?) } else { None };
        let holder = target::holder(context);
        if args.no_probe {
            return Ok((observed, None, None, facts, holder));
        }
        let health = Health::new(Some(port.value), &config, context).of(&observed).await;
        let rpc = ask(args, &config, context).await;
        Ok((observed, health, Some(rpc), facts, holder))
    })?;
    let facts = Facts::of(&observed, health);
    let runtime = runtime(&observed, &facts, holder.as_ref());
    let told = holder.and_then(|holder| holder.url).and_then(|url| Address::parse(&url).ok());
    let address = told.unwrap_or_else(|| Address::at(gateway::reached_at(&config, port.value)));
    let listens = address.port();
    let text = observed.definition.found.text();
    let hardening = text.and_then(|text| Installed::read(text, context.instance.brand).hardening);
    Ok(Report {
        profile: context.instance.profile.to_string(),
        config: ConfigPart {
            path: tilde_path(&loaded.path, &context.env),
            exists: loaded.exists,
            valid: loaded.config.is_ok(),
            issues: loaded.problems().to_vec(),
        },
        gateway: GatewayPart {
            bind_mode: gateway_bind(None, &config).value.as_str(),
            port: listens,
            port_source: if listens == port.value {
                port.set_by.to_string()
            } else {
                "the running gateway".to_owned()
            },
            dashboard: address.page(),
            probe_url: address.to_string(),
        },
        runtime,
        rpc,
        port: args.deep.then(|| port_part(listens)),
        audit: examined.as_ref().filter(|_| args.strict).map(audit),
        others: examined.filter(|_| args.deep).map(|facts| facts.service.siblings),
        log_file: log_file(&config, context),
        cli_version: env!("CARGO_PKG_VERSION"),
        service: ServicePart { facts, hardening, observed },
    })
}

/// Looks at what the doctor looks at, which is more than a status needs.
async fn examine(manager: &Native, context: &Context) -> Result<doctor::facts::Facts, CliError> {
    let program = context.program()?;
    let Context { instance, env, dirs, .. } = context;
    let around = Circumstances { instance, env, dirs, program: &program, manager };
    Ok(doctor::facts::Facts::gather(around).await)
}

fn audit(facts: &doctor::facts::Facts) -> Audit {
    let findings = doctor::diagnose(facts);
    let findings: Vec<Finding> = findings.into_iter().filter(Finding::counts).collect();
    Audit { ok: findings.is_empty(), findings }
}

/// A gateway in the foreground runs too: the lock says so (runbooks, "5-minute local startup").
pub(super) fn runtime(observed: &Observed, facts: &Facts, holder: Option<&Holder>) -> Runtime {
    let main_pid = observed.manager.reached().and_then(|reached| reached.state.main_pid);
    let supervised = main_pid.is_some() && holder.is_none_or(|holder| Some(holder.pid) == main_pid);
    let status = match (facts.headline, holder) {
        (Headline::Running | Headline::Unhealthy, _) | (_, Some(_)) => "running",
        (headline, None) => headline.words(),
    };
    let pid = if supervised { main_pid } else { holder.map(|holder| holder.pid) };
    Runtime { status, pid, supervised, version: holder.map(|holder| holder.version.clone()) }
}

async fn ask(args: &Args, config: &Config, context: &Context) -> Rpc {
    let begun = Instant::now();
    let target = match args.target.resolve(context, config) {
        Ok(target) => target,
        Err(error) => return answer(String::new(), begun, Err(error.to_string())),
    };
    let asked = async {
        let mut client = target.connect().await?;
        client.call::<Status>(&Ignored::default()).await?;
        let version =
            client.hello.pointer("/server/version").and_then(|version| version.as_str().map(str::to_owned));
        client.close().await;
        Ok::<_, ClientError>(version)
    };
    let asked = asked.await.map_err(|error| with_causes(&error));
    answer(target.address.to_string(), begun, asked)
}

fn answer(url: String, begun: Instant, asked: Result<Option<String>, String>) -> Rpc {
    let latency_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (server_version, error) = match asked {
        Ok(version) => (version, None),
        Err(error) => (None, Some(error)),
    };
    Rpc { ok: error.is_none(), url, latency_ms, error, server_version }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn port_part(port: u16) -> PortPart {
    let owners = port::owners(port).unwrap_or_default();
    PortPart {
        port,
        status: if owners.is_empty() { "free" } else { "busy" },
        listeners: owners.into_iter().map(listener).collect(),
    }
}

fn listener(owner: Owner) -> Listener {
    Listener {
        line: gateway::owner_line(&owner),
        pid: owner.pid,
        command: redact::redact_line(&owner.command),
        addresses: owner.addresses.iter().map(ToString::to_string).collect(),
        unit: owner.unit.map(|unit| unit.name),
    }
}

fn log_file(config: &Config, context: &Context) -> String {
    let paths = &context.instance.paths;
    let file = config.logging.file.as_ref().map_or_else(|| paths.log.clone(), |file| file.under(&paths.home));
    tilde_path(&file, &context.env)
}

/// A fact in a word.
pub(super) fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::Unknown => "unknown",
    }
}
