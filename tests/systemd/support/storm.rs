//! Clients that come 200 times a second while something is done to the gateway.
//!
//! Runs inside a machine, as the suite's own binary (see [`crate::driver`]): each client shakes hands in full and
//! leaves. Whoever does not get through comes once more, as a real client would.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use idlehands::client::{Address, Client, ClientError, Connect, Credentials};
use idlehands::config::Source;
use idlehands::host::machine::raise_file_limit;
use idlehands::instance::{Brand, Instance, Profile, Scope};
use idlehands::secret::Secret;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::Machine;
use crate::driver;

/// The port of the gateway, and the shell line that is run in the midst of it.
pub const STORM: &str = "TESTBED_STORM";
/// The same, for one client that waits for the gateway's goodbye.
pub const FAREWELL: &str = "TESTBED_FAREWELL";
/// Between two clients.
const PERIOD: Duration = Duration::from_millis(5);
/// How long they come before the shell line is run.
const BEFORE: Duration = Duration::from_secs(1);
/// How long after.
const AFTER: Duration = Duration::from_secs(2);
/// How long one may take, waiting included.
const PATIENCE: Duration = Duration::from_secs(60);

impl Machine {
    /// Lets clients come while a shell line is run, which must succeed, and tells how they fared.
    ///
    /// They come to the gateway of the user, or to the machine's, and the shell line is run as the user or as root.
    #[track_caller]
    pub fn storm(&self, scope: Scope, port: u16, line: &str) -> Value {
        let quoted = line.replace('\'', r"'\''");
        let run = |line: &str| match scope {
            Scope::User => self.user(line),
            Scope::System => self.root(line),
        };
        let ran = run(&format!(
            "env {STORM}='{port} {quoted}' {} --exact driver::the_driver_knows_its_words --nocapture",
            driver::inside().display()
        ));
        let told = ran.stdout.lines().find_map(|line| line.strip_prefix("RESULT "));
        let told: Value =
            serde_json::from_str(told.unwrap_or_else(|| panic!("nothing told: {ran}"))).unwrap();
        assert_eq!(told["code"], 0, "{told:#}");
        let (made, seconds) = (told["made"].as_u64().unwrap(), told["seconds"].as_f64().unwrap());
        assert!(made as f64 >= 190.0 * seconds, "not 200 a second: {told:#}");
        told
    }
}

impl Machine {
    /// Has a client wait for the `shutdown` event while a shell line is run, and tells what was in it.
    #[track_caller]
    pub fn farewell(&self, port: u16, line: &str) -> Value {
        let ran = self.user(&format!(
            "env {FAREWELL}='{port} {line}' {} --exact driver::the_driver_knows_its_words --nocapture",
            driver::inside().display()
        ));
        let told = ran.stdout.lines().find_map(|line| line.strip_prefix("RESULT "));
        serde_json::from_str(told.unwrap_or_else(|| panic!("nothing told: {ran}"))).unwrap()
    }
}

/// Does it, and prints the payload of the event.
pub fn wait_for_farewell(words: &str) {
    let (port, line) = words.split_once(' ').unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let payload = runtime.block_on(async {
        let mut client = Client::connect(connect(port.parse().unwrap(), token())).await.unwrap();
        let mut child = tokio::process::Command::new("/bin/bash").args(["-c", line]).spawn().unwrap();
        let event = loop {
            let event = client.event().await.unwrap();
            if event.event == "shutdown" {
                break event;
            }
        };
        assert!(child.wait().await.unwrap().success());
        event.payload.unwrap()
    });
    println!("\nRESULT {payload}");
}

fn connect(port: u16, token: Secret) -> Connect {
    Connect {
        address: Address::local(port),
        credentials: Credentials { token: Some(token), ..Credentials::default() },
        scopes: Vec::new(),
        timeout: PATIENCE,
    }
}

/// How a client fared.
enum Fared {
    Well(Duration),
    Refused,
    Badly(String),
}

/// Does it, and prints what came of it.
pub fn inside(words: &str) {
    let (port, line) = words.split_once(' ').unwrap();
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let told = runtime.block_on(weather(port.parse().unwrap(), line));
    println!("\nRESULT {told}");
}

async fn weather(port: u16, line: &str) -> Value {
    let token = token();
    let done = async {
        sleep(BEFORE).await;
        let output = tokio::process::Command::new("/bin/bash").args(["-c", line]).output().await.unwrap();
        sleep(AFTER).await;
        output
    };
    tokio::pin!(done);
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut clients, begin) = (JoinSet::new(), Instant::now());
    let output = loop {
        tokio::select! {
            output = &mut done => break output,
            _ = ticks.tick() => {
                clients.spawn(twice(port, token.clone()));
            }
        }
    };
    let seconds = begin.elapsed().as_secs_f64();
    let (made, mut refused, mut slowest) = (clients.len(), 0, Duration::ZERO);
    let (mut first, mut again) = (Vec::new(), Vec::new());
    while let Some(attempts) = clients.join_next().await {
        for (attempt, fared) in attempts.unwrap().into_iter().enumerate() {
            match fared {
                Fared::Well(took) => slowest = slowest.max(took),
                Fared::Refused => refused += 1,
                Fared::Badly(why) if attempt == 0 => first.push(why),
                Fared::Badly(why) => again.push(why),
            }
        }
    }
    json!({
        "made": made, "seconds": seconds, "refused": refused, "failed": first, "failedAgain": again,
        "slowestMs": slowest.as_millis() as u64, "code": output.status.code(),
        "output": String::from_utf8_lossy(&output.stdout), "errors": String::from_utf8_lossy(&output.stderr),
    })
}

/// The token of the user's own gateway; for root, of the machine's.
fn token() -> Secret {
    let env = idlehands::host::env::snapshot();
    let dirs = idlehands::host::dirs::find(&env).unwrap();
    if idlehands::host::user::id() == 0 {
        let instance = Instance::of_system(Brand::Idlehands, Profile::Default, &dirs);
        let env = env.with(idlehands::host::env::credentials(&instance.paths.credentials.unwrap()));
        return env.text("IDLEHANDS_GATEWAY_TOKEN").and_then(Secret::new).unwrap();
    }
    let instance = Instance::new(Brand::Idlehands, Profile::Default, &env, &dirs);
    let config = Source::new(&instance, &env).load().config.unwrap();
    config.gateway.auth.token.unwrap()
}

/// Comes, and if that fails, comes again.
async fn twice(port: u16, token: Secret) -> Vec<Fared> {
    let first = once(port, token.clone()).await;
    if matches!(first, Fared::Well(_)) { vec![first] } else { vec![first, once(port, token).await] }
}

async fn once(port: u16, token: Secret) -> Fared {
    let begin = Instant::now();
    match Client::connect(connect(port, token)).await {
        Ok(client) => {
            client.close().await;
            Fared::Well(begin.elapsed())
        }
        Err(ClientError::Unreachable { source, .. }) if source.kind() == ErrorKind::ConnectionRefused => {
            Fared::Refused
        }
        Err(ClientError::Unreachable { source, .. }) => Fared::Badly(format!("unreachable: {source}")),
        Err(error) => Fared::Badly(error.to_string()),
    }
}
