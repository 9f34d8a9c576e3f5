//! The benchmark's own command line, and the order of the figures.

use std::error::Error;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::figures;
use crate::leash::Scratch;
use crate::machine;
use crate::report::{Report, Row};
use crate::server::{Kind, Starter};

/// A result whose error is a sentence for whoever reads the report.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// An error that names the operation and the cause.
pub fn failed(operation: &str, cause: impl Display) -> Box<dyn Error + Send + Sync> {
    format!("{operation} failed: {cause}").into()
}

/// Measures the gateway against a bare WebSocket server on this machine. Loopback only; takes two to three minutes.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Options {
    /// The figures to measure; all of them unless named.
    topics: Vec<Topic>,
    /// Fewer repetitions, fewer clients, shorter waits: under a minute, for a rough picture.
    #[arg(long)]
    quick: bool,
    /// Print the figures as one JSON document.
    #[arg(long)]
    json: bool,
    /// The gateway binary to measure.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_idlehands"))]
    gateway: PathBuf,
    /// What cargo adds for its own harness.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A group of figures measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Topic {
    /// The size of the release binary.
    Size,
    /// Start to the first hello-ok.
    Start,
    /// Resident memory of an idle server.
    Memory,
    /// Resident memory of an idle connection.
    Connections,
    /// Processor time of a request.
    Requests,
    /// Processor time of a handshake.
    Handshakes,
    /// Processor time of one delivery of a broadcast.
    Broadcast,
    /// SIGTERM to the end of the process.
    Stop,
    /// The status command.
    Status,
    /// Wake-ups of an idle server.
    Idle,
}

/// What every figure needs to know.
#[derive(Debug)]
pub struct Bench {
    /// Starts the servers.
    pub starter: Starter,
    /// Files one process may have open.
    pub open_files: u64,
    quick: bool,
}

impl Bench {
    /// The number for a full run, or for a quick one.
    pub const fn either<T: Copy>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// Measures what was asked for and prints it.
pub fn run() -> Outcome<ExitCode> {
    let options = Options::parse();
    if options.bench {
        // Cargo is the parent and would leave this behind when it is killed.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    // One thread is all the load generator gets, and the one the servers are leashed to.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(measure(&options))?;
    if options.json {
        println!("{:#}", report.to_json());
    } else {
        print!("{}", report.to_table());
    }
    Ok(if report.complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(options: &Options) -> Outcome<Report> {
    let open_files = machine::raise_open_files()?;
    let scratch = Scratch::new()?;
    let starter = Starter::new(scratch.path(), &options.gateway);
    let bench = Bench { starter, open_files, quick: options.quick };
    let mut report = Report::new(machine::line());
    // A gateway that does not start is one error, not one for each figure.
    bench.starter.start(Kind::Gateway).await?.kill().await?;
    for topic in Topic::value_variants() {
        if options.topics.is_empty() || options.topics.contains(topic) {
            eprintln!("bench: measuring {}", topic_name(*topic));
            match figures::measure(&bench, *topic).await {
                Ok(figures) => report.rows.extend(figures.into_iter().map(Row::Measured)),
                Err(error) => {
                    report.rows.push(Row::Missing { topic: topic_name(*topic), why: error.to_string() });
                }
            }
        }
    }
    scratch.remove().await?;
    Ok(report)
}

fn topic_name(topic: Topic) -> String {
    topic.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
