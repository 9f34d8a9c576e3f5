//! Wake-ups of an idle server: the context switches of all its threads while nothing happens.
//!
//! The window ends before the gateway's first tick (30 s after its start) and no service manager asks for a watchdog,
//! so there is no reason left to wake up.

use std::time::Duration;

use crate::bench::{Bench, Outcome};
use crate::client::Mode;
use crate::crowd::Crowd;
use crate::meter::Reading;
use crate::report::{Figure, Goal};
use crate::samples::Samples;
use crate::server::{Kind, Server};

const CLIENTS: usize = 100;

/// What belongs to the start is over by then.
const SETTLED: Duration = Duration::from_secs(4);

/// The figures, in context switches per second: without clients, and with some. All servers are idle at once.
pub async fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let window = Duration::from_secs(bench.either(20, 5));
    let mut servers = Vec::new();
    let mut crowds = Vec::new();
    for clients in [0, CLIENTS] {
        for kind in [Kind::BARE, Kind::Gateway] {
            let server = bench.starter.start(kind).await?;
            crowds.push(Crowd::gather(&server, Mode::Backend, clients).await?);
            servers.push(server);
        }
    }
    tokio::time::sleep(SETTLED).await;
    let before = readings(&servers)?;
    tokio::time::sleep(window).await;
    let after = readings(&servers)?;
    for crowd in &crowds {
        crowd.received()?;
    }
    for server in servers {
        server.kill().await?;
    }
    let per_second: Vec<f64> = after
        .iter()
        .zip(&before)
        .map(|(after, before)| after.switches_since(before) as f64 / window.as_secs_f64())
        .collect();
    let figures = [0, CLIENTS].into_iter().zip(per_second.chunks_exact(2)).map(|(clients, pair)| Figure {
        name: format!("wake-ups, {clients} idle clients, {} s", window.as_secs()),
        unit: "per s",
        bare: Some(Samples::one(pair[0])),
        gateway: Samples::one(pair[1]),
        goal: Some(Goal::AtMost(0.0)),
        note: String::new(),
    });
    Ok(figures.collect())
}

fn readings(servers: &[Server]) -> Outcome<Vec<Reading>> {
    servers.iter().map(|server| Reading::of(server.pid)).collect()
}
