//! `status`: the whole of it in a few lines.

use std::time::Instant;

use clap::Args as ClapArgs;
use serde::Serialize;
use serde_json::Value;

use super::context::Context;
use super::error::CliError;
use super::target::{self, Target};
use super::ui::Ui;
use crate::client::ClientError;
use crate::exit::ExitCode;
use crate::protocol::method::Ignored;
use crate::protocol::methods::channels::{ChannelsReport, ChannelsStatus};
use crate::protocol::methods::health::{Health, HealthSnapshot, Params};
use crate::protocol::methods::status::{Status, StatusSummary};
use crate::service::facts::{Answer, Facts};
use crate::service::manager::Manager;
use crate::service::observed::Observed;
use crate::service::systemd::words::start_time;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// Have the gateway ask its channels too
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    target: target::Args,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    gateway: Gateway,
    gateway_service: Service,
    #[serde(flatten)]
    summary: Option<StatusSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<HealthSnapshot>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<ChannelsReport>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gateway {
    url: String,
    url_source: &'static str,
    reachable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_latency_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Service {
    unit: String,
    facts: Facts,
}

/// What the gateway answered.
struct Answers {
    latency_ms: u64,
    hello: Value,
    summary: StatusSummary,
    health: Option<HealthSnapshot>,
    channels: Option<ChannelsReport>,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let config = context.config_or_default(ui);
    let target = args.target.resolve(context, &config)?;
    let (observed, answers) = context.block_on(async {
        let manager = context.manager().await;
        let (observed, answers) = tokio::join!(manager.observe(), fetch_all(&target, args.deep));
        Ok((observed, answers))
    })?;
    let report = report(&target, observed, answers);
    let reachable = report.gateway.reachable;
    if args.json {
        ui.answer(1, &report);
    } else {
        describe(&report, context, ui);
    }
    Ok(if reachable { ExitCode::Ok } else { ExitCode::NotRunning })
}

async fn fetch_all(target: &Target, deep: bool) -> Result<Answers, ClientError> {
    let begun = Instant::now();
    let mut client = target.connect().await?;
    let latency_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let summary = client.call::<Status>(&Ignored::default()).await?;
    let (mut health, mut channels) = (None, None);
    if deep {
        health = Some(client.call::<Health>(&Params { probe: Some(true) }).await?);
        let probe = crate::protocol::methods::channels::Params { probe: Some(true), timeout_ms: None };
        channels = Some(client.call::<ChannelsStatus>(&probe).await?);
    }
    let hello = std::mem::take(&mut client.hello);
    client.close().await;
    Ok(Answers { latency_ms, hello, summary, health, channels })
}

fn report(target: &Target, observed: Observed, answers: Result<Answers, ClientError>) -> Report {
    let told = |hello: &Value, path: &str| hello.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let gateway = Gateway {
        url: target.address.to_string(),
        url_source: target.source,
        reachable: answers.is_ok(),
        connect_latency_ms: answers.as_ref().ok().map(|answers| answers.latency_ms),
        auth_mode: answers.as_ref().ok().and_then(|answers| told(&answers.hello, "/snapshot/authMode")),
        version: answers.as_ref().ok().and_then(|answers| told(&answers.hello, "/server/version")),
        error: answers.as_ref().err().map(ToString::to_string),
    };
    let gateway_service = Service { unit: observed.unit.clone(), facts: Facts::of(&observed, None) };
    match answers {
        Ok(Answers { summary, health, channels, .. }) => {
            Report { gateway, gateway_service, summary: Some(summary), health, channels }
        }
        Err(_) => Report { gateway, gateway_service, summary: None, health: None, channels: None },
    }
}

fn describe(report: &Report, context: &Context, ui: &mut Ui) {
    let gateway = &report.gateway;
    let how = match (gateway.connect_latency_ms, &gateway.error) {
        (Some(latency), _) => format!(
            "reachable {latency}ms · auth {} · version {}",
            gateway.auth_mode.as_deref().unwrap_or("?"),
            gateway.version.as_deref().unwrap_or("?")
        ),
        (None, error) => format!("unreachable ({})", error.as_deref().unwrap_or("?")),
    };
    ui.out(&format!("Gateway: {} ({}) · {how}", gateway.url, gateway.url_source));
    let facts = &report.gateway_service.facts;
    let enabled = match facts.enabled.is {
        Answer::Yes => "starts",
        Answer::No => "does not start",
        Answer::Unknown => "cannot tell whether it starts",
    };
    let when = start_time(context.instance.scope);
    let (unit, headline) = (&report.gateway_service.unit, facts.headline.words());
    ui.out(&format!("Service: {unit} · {headline} · {enabled} {when}"));
    if let Some(summary) = &report.summary {
        ui.out(&format!("Channels: {}", summary.channel_summary.join(", ")));
        for agent in &summary.heartbeat.agents {
            let on = if agent.enabled { agent.every.as_str() } else { "off" };
            let mark = if agent.agent_id == summary.heartbeat.default_agent_id { " (default)" } else { "" };
            ui.out(&format!("Agent: {}{mark} · heartbeat {on}", agent.agent_id));
        }
        ui.out(&format!("Sessions: {}", summary.sessions.count));
        if !summary.queued_system_events.is_empty() {
            ui.out(&format!("Queued notes: {}", summary.queued_system_events.len()));
        }
    }
    for (id, account) in report.channels.iter().flat_map(ChannelsReport::accounts) {
        let works = account.probe.as_ref().is_some_and(|probe| probe.ok);
        ui.out(&format!(
            "Probe: {id} {} {}",
            account.account_id,
            if works { "works" } else { "does not work" }
        ));
    }
    if !gateway.reachable {
        ui.hint(&format!("Look closer: {} gateway status", context.instance.command()));
    }
}
