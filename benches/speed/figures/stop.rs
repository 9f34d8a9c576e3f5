//! SIGTERM to the end of the process, with idle clients that read and answer the close frame as clients do. The bare
//! server has no handler: its figure is what the kernel needs to end a process with so many sockets.

use std::time::Duration;

use crate::bench::{Bench, Outcome};
use crate::client::Mode;
use crate::crowd::Crowd;
use crate::report::{Figure, Goal};
use crate::server::Kind;

use super::in_turn;

const CLIENTS: usize = 100;

/// How long it may take before it counts as not measurable.
const PATIENCE: Duration = Duration::from_secs(30);

/// The figure, in milliseconds.
pub async fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let sample = async |kind: Kind| {
        let server = bench.starter.start(kind).await?;
        let clients = Crowd::gather(&server, Mode::Backend, CLIENTS).await?;
        clients.calm(Duration::from_millis(400)).await?;
        Ok(server.terminate(PATIENCE).await?.as_secs_f64() * 1e3)
    };
    let (bare, gateway) =
        in_turn(bench.either(7, 3), async || sample(Kind::BARE).await, async || sample(Kind::Gateway).await)
            .await?;
    Ok(vec![Figure {
        name: format!("SIGTERM to exit, {CLIENTS} idle clients"),
        unit: "ms",
        bare: Some(bare),
        gateway,
        goal: Some(Goal::AtMost(100.0)),
        note: String::new(),
    }])
}
