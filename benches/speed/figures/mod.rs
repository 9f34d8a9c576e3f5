//! The figures, a file for each group, and how samples of two servers are taken in turn.

mod broadcast;
mod handshakes;
mod idle;
mod memory;
mod requests;
mod start;
mod status;
mod stop;

use std::time::Duration;

use crate::bench::{Bench, Outcome, Topic};
use crate::meter::Reading;
use crate::report::{Figure, Goal};
use crate::samples::Samples;

/// Measures one group.
pub async fn measure(bench: &Bench, topic: Topic) -> Outcome<Vec<Figure>> {
    match topic {
        Topic::Size => binary_size(bench).map(|figure| vec![figure]),
        Topic::Start => start::measure(bench).await,
        Topic::Memory => memory::idle(bench).await,
        Topic::Connections => memory::connections(bench).await,
        Topic::Requests => requests::measure(bench).await,
        Topic::Handshakes => handshakes::measure(bench).await,
        Topic::Broadcast => broadcast::measure(bench).await,
        Topic::Stop => stop::measure(bench).await,
        Topic::Status => status::measure(bench).await,
        Topic::Idle => idle::measure(bench).await,
    }
}

/// Samples of the bare server and of the gateway.
type Pair = (Samples, Samples);

/// Takes samples of both in turn, changing who is first, so that what the machine does meanwhile meets both alike.
async fn in_turn(
    rounds: usize,
    mut bare: impl AsyncFnMut() -> Outcome<f64>,
    mut gateway: impl AsyncFnMut() -> Outcome<f64>,
) -> Outcome<Pair> {
    let (mut of_bare, mut of_gateway) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            of_bare.push(bare().await?);
            of_gateway.push(gateway().await?);
        } else {
            of_gateway.push(gateway().await?);
            of_bare.push(bare().await?);
        }
    }
    Samples::new(of_bare).zip(Samples::new(of_gateway)).ok_or_else(|| "no rounds were asked for".into())
}

/// After the work, servers may still have something to do for it: the gateway gathers presence events for a quarter
/// of a second. That time counts.
const AFTERWARDS: Duration = Duration::from_millis(350);

/// Microseconds of processor time that process `pid` spends on each of the things that `work` does and counts.
async fn microseconds_each(pid: u32, work: impl AsyncFnOnce() -> Outcome<u64>) -> Outcome<f64> {
    let before = Reading::of(pid)?;
    let count = work().await?;
    tokio::time::sleep(AFTERWARDS).await;
    let spent = Reading::of(pid)?.nanoseconds_since(&before);
    Ok(spent / 1000.0 / count as f64)
}

fn binary_size(bench: &Bench) -> Outcome<Figure> {
    let bytes = std::fs::metadata(bench.starter.gateway())?.len() as f64;
    Ok(Figure {
        name: "release binary".to_owned(),
        unit: "MB",
        bare: None,
        gateway: Samples::one(bytes / 1e6),
        goal: Some(Goal::AtMost(20.0)),
        note: String::new(),
    })
}
