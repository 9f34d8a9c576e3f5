//! The project's speed benchmark: every figure for the gateway and for a bare tokio-tungstenite server, measured in
//! the same run on the same machine, and the ratio of the two. `scripts/bench` runs it.
//!
//! It reports and judges nothing: a missed goal is a word in the table, and only a figure that could not be measured
//! makes it fail. Everything measured belongs to the server's process and is read from `/proc`, so it runs on Linux
//! only. Everything stays on the loopback interface, every wait has a deadline, and everything it starts ends with it
//! (see `leash`).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

#[cfg(target_os = "linux")]
mod bare;
#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod crowd;
#[cfg(target_os = "linux")]
mod figures;
#[cfg(target_os = "linux")]
mod frame;
#[cfg(target_os = "linux")]
mod leash;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod meter;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod samples;
#[cfg(target_os = "linux")]
mod server;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    // The other roles of this program are told apart before anything else is set up: what the bare server does not
    // need must not be in its start-up time or its memory.
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let rest = args.get(2..).unwrap_or_default();
    let ended = match args.get(1).and_then(|role| role.to_str()) {
        Some(bare::ROLE) => bare::run(rest),
        Some(leash::ROLE) => leash::run(rest),
        Some(leash::SWEEPER) => leash::sweep(rest),
        _ => bench::run(),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("bench: the figures are read from /proc, so they exist on Linux only");
    std::process::ExitCode::FAILURE
}
