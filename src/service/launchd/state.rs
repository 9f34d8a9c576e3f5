//! What launchd shows of a job, in the words that plans and reports are written in.
//!
//! Pure. launchd does not know whether a service is ready, so a job that runs counts as active.

use std::path::PathBuf;

use super::print::{LastExit, Printed};
use crate::exit::ExitCode;
use crate::service::last_failure::LastFailure;
use crate::service::observed::UnitState;

/// What else is known about a job.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Whether its label is disabled.
    pub disabled: bool,
    /// Whether it has a definition on disk.
    pub defined: bool,
    /// Whether what is loaded is another definition than the one on disk.
    pub outdated: bool,
    /// Why it gave up by itself.
    pub gave_up: Option<&'a LastFailure>,
}

/// The state of a job, none being loaded included.
pub fn unit_state(job: Option<&Printed>, known: Known<'_>) -> UnitState {
    let base = UnitState {
        unit_file_state: if known.disabled { "disabled" } else { "enabled" }.to_owned(),
        wanted_at_login: known.defined && !known.disabled,
        wanted_on_disk: known.defined && !known.disabled,
        service_type: "launchd job".to_owned(),
        ..UnitState::default()
    };
    let Some(job) = job else {
        return UnitState {
            load_state: "not-found".to_owned(),
            active_state: "inactive".to_owned(),
            sub_state: "dead".to_owned(),
            ..base
        };
    };
    let (active, sub) = activity(job, known.gave_up.is_some());
    let (code, status) = match (job.pid, job.last_exit, known.gave_up) {
        (None, LastExit::Code(0) | LastExit::Never | LastExit::Unknown, Some(note)) => {
            (1, i32::from(note.code))
        }
        (_, LastExit::Code(code), _) => (1, code),
        (_, LastExit::Signal(signal), _) => (2, signal),
        (_, LastExit::Never | LastExit::Unknown, _) => (0, 0),
    };
    UnitState {
        load_state: "loaded".to_owned(),
        active_state: active.to_owned(),
        sub_state: sub.to_owned(),
        result: if active == "failed" { "exit-code" } else { "success" }.to_owned(),
        fragment_path: job.path.as_ref().map(PathBuf::from),
        need_daemon_reload: known.outdated,
        invocation_id: run_of(job),
        main_pid: job.pid,
        exec_main_code: code,
        exec_main_status: status,
        // Starts by hand are counted too; whoever was told to go has not failed.
        n_restarts: if ended_badly(job) { job.runs.unwrap_or(0).saturating_sub(1) } else { 0 },
        timeout_stop_usec: job.exit_timeout.map(|seconds| seconds.saturating_mul(1_000_000)),
        ..base
    }
}

/// A name for one run of a job: launchd has none, but counts them.
pub fn run_of(job: &Printed) -> Option<String> {
    job.pid.map(|pid| format!("{pid}.{}", job.runs.unwrap_or(0)))
}

fn ended_badly(job: &Printed) -> bool {
    match job.last_exit {
        LastExit::Code(code) => code != 0,
        LastExit::Signal(_) => true,
        LastExit::Never | LastExit::Unknown => false,
    }
}

/// The state and its detail.
fn activity(job: &Printed, gave_up: bool) -> (&'static str, &'static str) {
    let ended_badly = ended_badly(job);
    match (job.state.as_str(), job.pid) {
        ("xpcproxy", _) => ("activating", "start"),
        (_, Some(_)) => ("active", "running"),
        ("running", None) => ("activating", "start"),
        ("spawn scheduled" | "throttled", None) if ended_badly => ("activating", "auto-restart"),
        ("spawn scheduled" | "throttled", None) => ("activating", "start"),
        (_, None) if ended_badly || gave_up => ("failed", "failed"),
        (_, None) => ("inactive", "dead"),
    }
}

/// What a signal most likely was sent for (signal(3)); the numbers are the same on every system that has launchd's.
const fn meaning_of(signal: i32) -> &'static str {
    match signal {
        4 | 6 | 8 | 11 => {
            " (a crash: what it said is in its crash text, and in a report below Library/Logs/DiagnosticReports)"
        }
        9 => " (by somebody, for want of memory, or because it took too long to stop)",
        15 => " (by somebody who asked it to go)",
        _ => "",
    }
}

/// Why a job does not run, in words, and how a command should end that wanted it to.
pub fn why_not(job: Option<&Printed>, gave_up: Option<&LastFailure>) -> (String, ExitCode) {
    let Some(job) = job else { return ("it is not loaded".to_owned(), ExitCode::Failed) };
    let goes_on =
        if activity(job, gave_up.is_some()).1 == "auto-restart" { "; launchd keeps trying" } else { "" };
    let (why, code) = match (job.last_exit, gave_up) {
        (LastExit::Code(0) | LastExit::Never | LastExit::Unknown, Some(note)) => {
            let code =
                [ExitCode::Config, ExitCode::Conflict].into_iter().find(|code| code.number() == note.code);
            let code = code.unwrap_or(ExitCode::Failed);
            (format!("it gave up: {} ({})", note.why, code.meaning()), code)
        }
        // launchd's own word for a program that it could not run.
        (LastExit::Code(78), _) => (
            "launchd could not run its program, or could not open its output files (78: EX_CONFIG)"
                .to_owned(),
            ExitCode::Failed,
        ),
        (LastExit::Code(code), _) => (format!("it ended with exit status {code}"), ExitCode::Failed),
        (LastExit::Signal(signal), _) => {
            (format!("it was killed by signal {signal}{}", meaning_of(signal)), ExitCode::Failed)
        }
        (LastExit::Never, None) => (format!("it has not run yet ({})", job.state), ExitCode::Failed),
        (LastExit::Unknown, None) => (format!("it is {}", job.state), ExitCode::Failed),
    };
    (format!("{why}{goes_on}"), code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: &str, pid: Option<u32>, last_exit: LastExit) -> Printed {
        Printed { state: state.to_owned(), pid, last_exit, runs: Some(2), ..Printed::default() }
    }

    /// Lifecycle notes D3.
    #[test]
    fn the_states_of_launchd_are_those_of_a_service() {
        let note = LastFailure { code: 78, why: "the port is no number".to_owned(), at_ms: 0 };
        let table = [
            (job("running", Some(7), LastExit::Code(78)), None, "active", "running"),
            (job("xpcproxy", Some(7), LastExit::Never), None, "activating", "start"),
            (job("spawn scheduled", None, LastExit::Code(1)), None, "activating", "auto-restart"),
            (job("throttled", None, LastExit::Signal(9)), None, "activating", "auto-restart"),
            (job("spawn scheduled", None, LastExit::Never), None, "activating", "start"),
            (job("not running", None, LastExit::Code(0)), None, "inactive", "dead"),
            (job("not running", None, LastExit::Code(0)), Some(&note), "failed", "failed"),
            (job("not running", None, LastExit::Code(78)), None, "failed", "failed"),
            (job("words of tomorrow", None, LastExit::Unknown), None, "inactive", "dead"),
        ];
        for (job, gave_up, active, sub) in table {
            let state = unit_state(Some(&job), Known { gave_up, ..Known::default() });
            assert_eq!((state.active_state.as_str(), state.sub_state.as_str()), (active, sub), "{job:?}");
            assert!(state.is_loaded());
        }
        let absent = unit_state(None, Known { defined: true, disabled: true, ..Known::default() });
        assert_eq!((absent.load_state.as_str(), absent.wanted_at_login), ("not-found", false));
    }

    #[test]
    fn an_end_is_told_in_words_and_the_programs_own_reason_wins() {
        let note = LastFailure { code: 7, why: "port 18789 is taken".to_owned(), at_ms: 0 };
        let ended = job("not running", None, LastExit::Code(0));
        let told = why_not(Some(&ended), Some(&note));
        assert_eq!(
            told,
            ("it gave up: port 18789 is taken (port or owner conflict)".to_owned(), ExitCode::Conflict)
        );
        let trying = job("spawn scheduled", None, LastExit::Code(3));
        assert_eq!(why_not(Some(&trying), None).0, "it ended with exit status 3; launchd keeps trying");
        let missing = job("not running", None, LastExit::Code(78));
        assert!(why_not(Some(&missing), None).0.contains("could not run its program"));
    }
}
