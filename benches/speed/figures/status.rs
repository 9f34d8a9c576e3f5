//! `gateway status --json --no-probe`, from the start of the command to its end, in the home of a running gateway.

use std::process::Stdio;
use std::time::{Duration, Instant};

use idlehands::host::process;

use crate::bench::{Bench, Outcome, failed};
use crate::report::{Figure, Goal};
use crate::samples::Samples;
use crate::server::{Kind, Server};

/// How long the command may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The figure, in milliseconds.
pub async fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let server = bench.starter.start(Kind::Gateway).await?;
    let mut samples = Vec::new();
    run(bench, &server).await?;
    for _ in 0..bench.either(31, 9) {
        samples.push(run(bench, &server).await?);
    }
    server.kill().await?;
    Ok(vec![Figure {
        name: "gateway status --json --no-probe".to_owned(),
        unit: "ms",
        bare: None,
        gateway: Samples::new(samples).ok_or("no samples")?,
        goal: Some(Goal::AtMost(15.0)),
        note: String::new(),
    }])
}

async fn run(bench: &Bench, server: &Server) -> Outcome<f64> {
    let mut command = process::command(bench.starter.gateway());
    command.args(["gateway", "status", "--json", "--no-probe"]).env_clear().env("HOME", &server.home);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .map_err(|_| failed("the status command", format!("it did not end within {PATIENCE:?}")))??;
    let took = started.elapsed();
    // What it says about a service that is not installed is its affair; that it answers in JSON is the measurement's.
    if serde_json::from_slice::<serde_json::Value>(&output.stdout).is_err() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        return Err(failed("the status command", format!("{}; it said: {said}", output.status)));
    }
    Ok(took.as_secs_f64() * 1e3)
}
