//! Start to the first hello-ok: from the server's execve to the answer its first client waits for.

use crate::bench::{Bench, Outcome};
use crate::report::{Figure, Goal};
use crate::server::Kind;

use super::in_turn;

/// The figure, in milliseconds.
pub async fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let sample = async |kind: Kind| {
        let server = bench.starter.start(kind).await?;
        let reached = server.reached;
        server.kill().await?;
        Ok(reached.as_secs_f64() * 1e3)
    };
    let (bare, gateway) =
        in_turn(bench.either(31, 9), async || sample(Kind::BARE).await, async || sample(Kind::Gateway).await)
            .await?;
    Ok(vec![Figure {
        name: "start to first hello-ok".to_owned(),
        unit: "ms",
        bare: Some(bare),
        gateway,
        goal: Some(Goal::Times(4.0)),
        note: String::new(),
    }])
}
