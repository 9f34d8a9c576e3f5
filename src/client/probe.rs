//! Asking a gateway's HTTP probe whether it is ready, and which process it is.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::address::Address;
use crate::protocol::probe::Ready;

/// Bytes of an answer that are read.
const ANSWER_LIMIT: u64 = 16 * 1024;

/// Asks `/readyz`. An answer that it is not ready is an answer, too.
pub async fn ready(address: &Address, timeout: Duration) -> io::Result<Ready> {
    let asked = tokio::time::timeout(timeout, ask(address)).await;
    let answer = asked.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    parse(&answer).ok_or_else(|| io::Error::other("what answers there is not a gateway"))
}

async fn ask(address: &Address) -> io::Result<String> {
    let mut stream = TcpStream::connect(address.socket()).await?;
    let host = address.authority();
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_LIMIT).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn parse(answer: &str) -> Option<Ready> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?;
    if status != "200" && status != "503" {
        return None;
    }
    serde_json::from_str(body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let ready = parse("HTTP/1.1 200 OK\r\nX: y\r\n\r\n{\"ready\":true,\"pid\":7}").unwrap();
        assert_eq!((ready.ready, ready.pid), (true, Some(7)));
        let busy =
            parse("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ready\":false,\"failing\":[\"starting\"]}");
        assert_eq!(busy.unwrap().failing.unwrap(), ["starting"]);
        assert_eq!(parse("HTTP/1.1 404 Not Found\r\n\r\n{}"), None);
        assert_eq!(parse("SSH-2.0-OpenSSH"), None);
    }
}
