//! The machine the figures come from, and what it lets one process hold.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::bench::{Outcome, failed};

/// One line: processors, kernel, load.
pub fn line() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let names = rustix::system::uname();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{cores} cores, {} {}, load average {}",
        names.machine().to_string_lossy(),
        names.release().to_string_lossy(),
        load.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" "),
    )
}

/// Raises the soft limit of open files to the hard one, for this program and the servers it starts.
pub fn raise_open_files() -> Outcome<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .map_err(|error| failed("raising the limit of open files", error))?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}
