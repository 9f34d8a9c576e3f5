//! Processor time per handshake without a device: TCP accept, upgrade, `connect`, its answer, and the close. Half of
//! them one after the other, half sixteen at a time.

use futures_util::StreamExt;
use futures_util::stream;

use crate::bare;
use crate::bench::{Bench, Outcome};
use crate::client::Mode;
use crate::report::{Figure, Goal};
use crate::server::{Kind, Server};

use super::{in_turn, microseconds_each};

const AT_ONCE: usize = 16;

/// The figures, in microseconds: back ends, each of which leaves a presence entry that the next hello-ok lists, and
/// command lines, which leave none.
pub async fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let backend = of_mode(bench, Mode::Backend, Some(Goal::Times(2.0))).await?;
    let cli = of_mode(bench, Mode::Cli, None).await?;
    Ok(vec![backend, cli])
}

async fn of_mode(bench: &Bench, mode: Mode, goal: Option<Goal>) -> Outcome<Figure> {
    let (bare, gateway) = (bench.starter.start(Kind::BARE).await?, bench.starter.start(Kind::Gateway).await?);
    let handshakes = bench.either(1_000, 400);
    let sample = async |server: &Server| {
        microseconds_each(server.pid, async || shake_hands(server, mode, handshakes).await).await
    };
    // The first of them fill the gateway's presence list.
    sample(&bare).await?;
    sample(&gateway).await?;
    let (of_bare, of_gateway) =
        in_turn(bench.either(5, 3), async || sample(&bare).await, async || sample(&gateway).await).await?;
    let hello = gateway.connect(mode).await?.hello;
    bare.kill().await?;
    gateway.kill().await?;
    Ok(Figure {
        name: format!("CPU per handshake, {mode}"),
        unit: "us",
        bare: Some(of_bare),
        gateway: of_gateway,
        goal,
        note: format!("hello-ok of {hello} bytes, {} from the bare server", bare::ANSWER.len()),
    })
}

async fn shake_hands(server: &Server, mode: Mode, times: u64) -> Outcome<u64> {
    let one = async |_| server.connect(mode).await?.close().await;
    for at in 0..times / 2 {
        one(at).await?;
    }
    let mut many = stream::iter(times / 2..times).map(one).buffer_unordered(AT_ONCE);
    while let Some(shaken) = many.next().await {
        shaken?;
    }
    Ok(times)
}
