//! Processor time per `last-heartbeat` request: the smallest request there is, so what is measured is the way to a
//! method and back. Sixteen connections, each asking again as soon as it is answered.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::bare;
use crate::bench::{Bench, Outcome, failed};
use crate::client::{Client, Incoming, Mode};
use crate::frame;
use crate::report::{Figure, Goal};
use crate::server::{Kind, Server};

use super::{in_turn, microseconds_each};

const CONNECTIONS: usize = 16;

const REQUEST: &str = r#"{"type":"req","id":"1","method":"last-heartbeat"}"#;

/// A server and the clients that ask it.
struct Asked {
    server: Server,
    clients: Vec<Client>,
}

impl Asked {
    async fn new(bench: &Bench, kind: Kind) -> Outcome<Self> {
        let server = bench.starter.start(kind).await?;
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(server.connect(Mode::Backend).await?);
        }
        Ok(Self { server, clients })
    }

    /// Microseconds of the server's time for each of `requests` requests on every connection.
    async fn sample(&mut self, requests: u64) -> Outcome<f64> {
        let request = frame::masked(frame::TEXT, REQUEST.as_bytes());
        let clients = &mut self.clients;
        microseconds_each(self.server.pid, async || {
            let mut asking: FuturesUnordered<_> =
                clients.iter_mut().map(|client| ask(client, &request, requests)).collect();
            while let Some(asked) = asking.next().await {
                asked?;
            }
            Ok(requests * CONNECTIONS as u64)
        })
        .await
    }
}

async fn ask(client: &mut Client, request: &[u8], times: u64) -> Outcome<()> {
    for _ in 0..times {
        client.write(request).await?;
        if matches!(client.answer().await?, Incoming::Closed) {
            return Err(failed("asking", "the server closed the connection"));
        }
    }
    Ok(())
}

/// The figure, in microseconds.
pub async fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let (mut bare, mut gateway) =
        (Asked::new(bench, Kind::BARE).await?, Asked::new(bench, Kind::Gateway).await?);
    let answer = first_answer(&mut gateway).await?;
    let requests = bench.either(3_000, 1_000);
    // The first requests are warmer than none, and colder than the rest.
    bare.sample(requests).await?;
    gateway.sample(requests).await?;
    let (of_bare, of_gateway) = in_turn(
        bench.either(9, 3),
        async || bare.sample(requests).await,
        async || gateway.sample(requests).await,
    )
    .await?;
    bare.server.kill().await?;
    gateway.server.kill().await?;
    Ok(vec![Figure {
        name: "CPU per last-heartbeat request, 16 connections".to_owned(),
        unit: "us",
        bare: Some(of_bare),
        gateway: of_gateway,
        goal: Some(Goal::Times(1.6)),
        note: format!("answers of {} bytes (bare) and {answer} bytes (gateway)", bare::ANSWER.len()),
    }])
}

/// The length of an answer that is no error.
async fn first_answer(gateway: &mut Asked) -> Outcome<usize> {
    let client = gateway.clients.first_mut().ok_or("no clients")?;
    client.send(REQUEST).await?;
    match client.answer().await? {
        Incoming::Text(text) if text.windows(9).any(|part| part == br#""ok":true"#) => Ok(text.len()),
        other => Err(failed("last-heartbeat", format!("answered {other:?}"))),
    }
}
