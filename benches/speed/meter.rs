//! What a server's process has used, read from `/proc` (proc_pid_schedstat(5), proc_pid_status(5), smaps_rollup).

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::bench::{Outcome, failed};

/// The processor time and the context switches of a process so far.
#[derive(Debug)]
pub struct Reading {
    threads: BTreeMap<String, Thread>,
    /// Nanoseconds in the kernel's coarse per-process account, which keeps the time of threads that have ended.
    account: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    /// Nanoseconds on a processor.
    ran: u64,
    /// Times it left a processor, of its own accord or not.
    switches: u64,
}

/// The granularity of the coarse account: one clock tick, which Linux shows as 1/100 s everywhere.
const TICK: u64 = 10_000_000;

impl Reading {
    /// Of a process, now.
    pub fn of(pid: u32) -> Outcome<Self> {
        let about = |what: &str| failed(&format!("reading {what} of process {pid}"), "unknown format");
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let dir = entry?.path();
            // A thread may end between the listing and the reading.
            let (Ok(schedstat), Ok(status)) =
                (fs::read_to_string(dir.join("schedstat")), fs::read_to_string(dir.join("status")))
            else {
                continue;
            };
            let ran = first_number(&schedstat).ok_or_else(|| about("schedstat"))?;
            let switches = context_switches(&status).ok_or_else(|| about("status"))?;
            let id = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            threads.insert(id, Thread { ran, switches });
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let account = clock_ticks(&stat).ok_or_else(|| about("stat"))? * TICK;
        Ok(Self { threads, account })
    }

    /// Nanoseconds of processor time since an earlier reading. Exact while the threads stay the same; where one ended
    /// with time the others do not show, the coarse account of the whole process.
    pub fn nanoseconds_since(&self, earlier: &Self) -> f64 {
        let exact = self.since(earlier, |thread| thread.ran);
        let coarse = self.account.saturating_sub(earlier.account);
        if coarse > exact + 3 * TICK { coarse as f64 } else { exact as f64 }
    }

    /// Context switches since an earlier reading.
    pub fn switches_since(&self, earlier: &Self) -> u64 {
        self.since(earlier, |thread| thread.switches)
    }

    fn since(&self, earlier: &Self, what: impl Fn(&Thread) -> u64) -> u64 {
        let before = |id: &String| earlier.threads.get(id).copied().unwrap_or_default();
        self.threads.iter().map(|(id, thread)| what(thread).saturating_sub(what(&before(id)))).sum()
    }
}

/// Resident bytes, exact (VmRSS is not on kernels that count per processor).
pub fn resident(pid: u32) -> Outcome<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let kib = field(&rollup, "Rss:").ok_or_else(|| failed("reading smaps_rollup", "it has no Rss"))?;
    Ok((kib * 1024) as f64)
}

/// Resident bytes once two samples 300 ms apart agree within 32 KiB, or the last sample after ten seconds.
pub async fn settled_resident(pid: u32) -> Outcome<f64> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut before = resident(pid)?;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = resident(pid)?;
        if (now - before).abs() <= 32.0 * 1024.0 || Instant::now() > deadline {
            return Ok(now);
        }
        before = now;
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| first_number(line.strip_prefix(name)?))
}

fn context_switches(status: &str) -> Option<u64> {
    Some(field(status, "voluntary_ctxt_switches:")? + field(status, "nonvoluntary_ctxt_switches:")?)
}

/// utime + stime, fields 14 and 15 of /proc/PID/stat; the name in field 2 may hold blanks and parentheses.
fn clock_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}
