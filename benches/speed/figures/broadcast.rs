//! Processor time per delivery of a broadcast to a thousand clients.
//!
//! The gateway broadcasts `presence` when one more client sends a `system-event`; it gathers presence changes for a
//! while, so the triggers are spaced and only frames that arrived count. The receivers are command lines, which have
//! no presence entry: the event stays small, and what it costs is the sending. The bare server sends a string of the
//! length that the gateway's event turned out to have.

use std::time::{Duration, Instant};

use crate::bare;
use crate::bench::{Bench, Outcome, failed};
use crate::client::{Client, Mode};
use crate::crowd::Crowd;
use crate::report::{Figure, Goal};
use crate::server::{Kind, Server};

use super::{in_turn, microseconds_each};

const TRIGGER: &str =
    r#"{"type":"req","id":"1","method":"system-event","params":{"text":"speed benchmark"}}"#;

/// From one trigger to the next: longer than the gateway gathers.
const SPACING: Duration = Duration::from_millis(350);

/// How long one broadcast may take to reach everybody.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server, those who listen to it, and one who gives them something to hear.
struct Audience {
    server: Server,
    listeners: Crowd,
    size: u64,
    speaker: Client,
    trigger: &'static str,
}

impl Audience {
    async fn new(bench: &Bench, kind: Kind, size: usize) -> Outcome<Self> {
        let trigger = if kind.challenges() { TRIGGER } else { bare::TRIGGER };
        let server = bench.starter.start(kind).await?;
        let listeners = Crowd::gather(&server, Mode::Cli, size).await?;
        let speaker = server.connect(Mode::Cli).await?;
        listeners.calm(Duration::from_millis(700)).await?;
        Ok(Self { server, listeners, size: size as u64, speaker, trigger })
    }

    /// Microseconds of the server's time for each frame that a listener gets during `times` broadcasts.
    async fn sample(&mut self, times: u64) -> Outcome<f64> {
        let (speaker, listeners) = (&mut self.speaker, &self.listeners);
        let (size, trigger) = (self.size, self.trigger);
        microseconds_each(self.server.pid, async || {
            let before = listeners.received()?.frames;
            for time in 1..=times {
                let spoken = Instant::now();
                speaker.send(trigger).await?;
                speaker.answer().await?;
                heard(listeners, before + time * size).await?;
                tokio::time::sleep(SPACING.saturating_sub(spoken.elapsed())).await;
            }
            Ok(listeners.received()?.frames - before)
        })
        .await
    }
}

async fn heard(listeners: &Crowd, frames: u64) -> Outcome<()> {
    let deadline = Instant::now() + PATIENCE;
    while listeners.received()?.frames < frames {
        if Instant::now() > deadline {
            let missing = frames - listeners.received()?.frames;
            return Err(failed("broadcasting", format!("{missing} listeners did not hear it")));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

/// The figure, in microseconds.
pub async fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let size = bench.either(1_000, 300);
    let times = bench.either(8, 4);
    let mut gateway = Audience::new(bench, Kind::Gateway, size).await?;
    let before = gateway.listeners.received()?;
    gateway.sample(times).await?;
    let after = gateway.listeners.received()?;
    let bytes = usize::try_from((after.bytes - before.bytes) / (after.frames - before.frames))?;
    let mut bare = Audience::new(bench, Kind::Bare(bytes), size).await?;
    bare.sample(times).await?;
    let (of_bare, of_gateway) =
        in_turn(bench.either(5, 3), async || bare.sample(times).await, async || gateway.sample(times).await)
            .await?;
    bare.server.kill().await?;
    gateway.server.kill().await?;
    Ok(vec![Figure {
        name: format!("CPU per delivery of a broadcast to {size}"),
        unit: "us",
        bare: Some(of_bare),
        gateway: of_gateway,
        goal: Some(Goal::Times(1.5)),
        note: format!("presence events of {bytes} bytes; the bare server's string is as long"),
    }])
}
