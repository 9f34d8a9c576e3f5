//! `health` and `gateway health`: how the gateway is, as it says itself.

use std::time::Instant;

use clap::Args as ClapArgs;

use super::context::Context;
use super::error::CliError;
use super::target;
use super::ui::Ui;
use crate::exit::ExitCode;
use crate::protocol::methods::health::{Health, HealthSnapshot, Params};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: target::Args,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let (snapshot, took) = fetch(&args, context, ui)?;
    if args.json {
        ui.answer(1, &snapshot);
    } else {
        ui.out(&format!("Gateway: ok ({took} ms)"));
        describe(&snapshot, ui);
    }
    Ok(code(&snapshot))
}

/// `gateway health`: the same in the words of the reference.
pub(super) fn run_gateway(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let (snapshot, took) = fetch(&args, context, ui)?;
    if args.json {
        ui.answer(1, &snapshot);
    } else {
        ui.out("Gateway Health");
        ui.out(&format!("OK ({took}ms)"));
        channel_lines(&snapshot, ui);
    }
    Ok(code(&snapshot))
}

fn fetch(args: &Args, context: &Context, ui: &mut Ui) -> Result<(HealthSnapshot, u128), CliError> {
    let config = context.config_or_default(ui);
    let target = args.target.resolve(context, &config)?;
    context.block_on(async {
        let failed = |error| target.failure("cannot get the gateway's health", error, context);
        let begun = Instant::now();
        let mut client = target.connect().await.map_err(failed)?;
        let snapshot = client.call::<Health>(&Params::default()).await.map_err(failed)?;
        client.close().await;
        Ok((snapshot, begun.elapsed().as_millis()))
    })
}

fn code(snapshot: &HealthSnapshot) -> ExitCode {
    if snapshot.ok { ExitCode::Ok } else { ExitCode::Unhealthy }
}

fn channel_lines(snapshot: &HealthSnapshot, ui: &mut Ui) {
    for id in &snapshot.channel_order {
        let Some(channel) = snapshot.channels.get(id) else { continue };
        let label = snapshot.channel_labels.get(id).unwrap_or(id);
        let linked = if channel.linked { "linked" } else { "not linked" };
        ui.out(&format!("{label}: {linked}"));
    }
}

fn describe(snapshot: &HealthSnapshot, ui: &mut Ui) {
    channel_lines(snapshot, ui);
    let agents = snapshot.agents.iter().map(|agent| {
        if agent.is_default { format!("{} (default)", agent.agent_id) } else { agent.agent_id.clone() }
    });
    ui.out(&format!("Agents: {}", agents.collect::<Vec<_>>().join(", ")));
    if let Some(agent) = snapshot.agents.iter().find(|agent| agent.is_default) {
        ui.out(&format!("Heartbeat interval: {} ({})", agent.heartbeat.every, agent.agent_id));
        ui.out(&format!(
            "Session store ({}): {} ({} entries)",
            agent.agent_id, agent.sessions.path, agent.sessions.count
        ));
    }
}
