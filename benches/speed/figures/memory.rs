//! Resident memory: of an idle server, and of what each idle connection adds to it.

use crate::bench::{Bench, Outcome, failed};
use crate::client::Mode;
use crate::crowd;
use crate::meter::settled_resident;
use crate::report::{Figure, Goal};
use crate::server::Kind;

use super::in_turn;

/// Files a server may need beside its connections.
const OTHER_FILES: u64 = 200;

/// Of a server that has had one client, in megabytes.
pub async fn idle(bench: &Bench) -> Outcome<Vec<Figure>> {
    let sample = async |kind: Kind| {
        let server = bench.starter.start(kind).await?;
        let bytes = settled_resident(server.pid).await?;
        server.kill().await?;
        Ok(bytes / 1e6)
    };
    let (bare, gateway) =
        in_turn(bench.either(5, 2), async || sample(Kind::BARE).await, async || sample(Kind::Gateway).await)
            .await?;
    Ok(vec![Figure {
        name: "idle resident memory".to_owned(),
        unit: "MB",
        bare: Some(bare),
        gateway,
        goal: Some(Goal::Times(2.5)),
        note: String::new(),
    }])
}

/// Of an authenticated connection that does nothing, in kilobytes.
pub async fn connections(bench: &Bench) -> Outcome<Vec<Figure>> {
    let wanted = bench.either(10_000, 2_000);
    let size = usize::try_from(bench.open_files.saturating_sub(OTHER_FILES))?.min(wanted);
    let sample = async |kind: Kind| {
        let server = bench.starter.start(kind).await?;
        let before = settled_resident(server.pid).await?;
        let clients = crowd::hold(&server, Mode::Backend, size).await?;
        let after = settled_resident(server.pid).await?;
        let lost = crowd::disconnected(&clients);
        if lost != 0 {
            return Err(failed("holding idle connections", format!("{lost} of {size} were closed")));
        }
        // The server has nothing left to do with them when it is gone.
        server.kill().await?;
        drop(clients);
        Ok((after - before) / size as f64 / 1e3)
    };
    let (bare, gateway) =
        in_turn(bench.either(3, 1), async || sample(Kind::BARE).await, async || sample(Kind::Gateway).await)
            .await?;
    Ok(vec![Figure {
        name: format!("memory per idle connection, {size} held"),
        unit: "kB",
        bare: Some(bare),
        gateway,
        goal: Some(Goal::Times(1.5)),
        note: if size < wanted {
            format!("the limit of {} open files allows no more than {size}", bench.open_files)
        } else {
            String::new()
        },
    }])
}
