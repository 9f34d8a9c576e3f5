//! Many clients that read whatever comes, as idle clients do, and count it.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::bench::{Outcome, failed};
use crate::client::{Client, Incoming, Mode};
use crate::server::Server;

/// Handshakes under way at a time while a crowd gathers.
const AT_ONCE: usize = 32;

/// Clients that read. They disconnect when this is dropped.
#[derive(Debug)]
pub struct Crowd {
    counts: Arc<Counts>,
    #[expect(dead_code, reason = "dropping it ends the clients")]
    clients: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Counts {
    frames: AtomicU64,
    bytes: AtomicU64,
    closed: AtomicU64,
}

/// What the clients have received so far.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Text frames.
    pub frames: u64,
    /// Bytes in them.
    pub bytes: u64,
}

impl Crowd {
    /// Connects `size` clients.
    pub async fn gather(server: &Server, mode: Mode, size: usize) -> Outcome<Self> {
        let counts = Arc::new(Counts::default());
        let mut clients = JoinSet::new();
        let mut listen = |client| clients.spawn(read(client, counts.clone()));
        connect_many(server, mode, size, |client| drop(listen(client))).await?;
        Ok(Self { counts, clients })
    }

    /// What has been received so far; an error once a client was disconnected.
    pub fn received(&self) -> Outcome<Received> {
        match self.counts.closed.load(Ordering::Relaxed) {
            0 => Ok(Received {
                frames: self.counts.frames.load(Ordering::Relaxed),
                bytes: self.counts.bytes.load(Ordering::Relaxed),
            }),
            closed => Err(failed("holding idle clients", format!("the server closed {closed} of them"))),
        }
    }

    /// Waits until the crowd has heard nothing for `quiet`, at most ten seconds.
    pub async fn calm(&self, quiet: Duration) -> Outcome<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let (mut frames, mut since) = (self.received()?.frames, Instant::now());
        while since.elapsed() < quiet {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = self.received()?.frames;
            if now != frames {
                (frames, since) = (now, Instant::now());
            }
            if Instant::now() > deadline {
                return Err(failed("waiting for idle clients to fall silent", "the server keeps sending"));
            }
        }
        Ok(())
    }
}

async fn read(mut client: Client, counts: Arc<Counts>) {
    while let Ok(Incoming::Text(text)) = client.next().await {
        counts.frames.fetch_add(1, Ordering::Relaxed);
        counts.bytes.fetch_add(text.len() as u64, Ordering::Relaxed);
    }
    counts.closed.fetch_add(1, Ordering::Relaxed);
}

/// Connects `size` clients, a few at a time, and keeps of each what `keep` makes of it.
async fn connect_many<T>(
    server: &Server,
    mode: Mode,
    size: usize,
    mut keep: impl FnMut(Client) -> T,
) -> Outcome<Vec<T>> {
    let mut connected = Vec::with_capacity(size);
    let mut under_way = JoinSet::new();
    for _ in 0..size {
        if under_way.len() == AT_ONCE
            && let Some(client) = under_way.join_next().await
        {
            connected.push(keep(client??));
        }
        let (kind, port) = (server.kind.clone(), server.port);
        under_way.spawn(async move { Client::open(&kind, port, mode).await });
    }
    while let Some(client) = under_way.join_next().await {
        connected.push(keep(client??));
    }
    Ok(connected)
}

/// Connects `size` clients and keeps only their sockets: the least a held connection can cost this process.
pub async fn hold(server: &Server, mode: Mode, size: usize) -> Outcome<Vec<TcpStream>> {
    connect_many(server, mode, size, Client::into_stream).await
}

/// How many of these clients the server has disconnected.
pub fn disconnected(clients: &[TcpStream]) -> usize {
    let mut unread = vec![0; 64 * 1024];
    let mut closed = |client: &&TcpStream| {
        loop {
            match client.try_read(&mut unread) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            }
        }
    };
    clients.iter().filter(|client| closed(client)).count()
}
