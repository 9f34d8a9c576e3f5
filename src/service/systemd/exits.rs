//! How a service ended, in words.

use crate::exit::ExitCode;
use crate::service::observed::UnitState;

/// Exit statuses that the manager sets itself, before the program runs (systemd.exec(5), "Process Exit Codes").
const BEFORE_EXEC: [(i32, &str); 12] = [
    (200, "its working directory cannot be entered"),
    (203, "its program cannot be run: missing, not executable, or on a file system without execution"),
    (209, "its standard output cannot be set up"),
    (216, "its group cannot be set"),
    (217, "its user cannot be set"),
    (218, "its capabilities cannot be set: a hardening setting that user services cannot have"),
    (
        226,
        "its name spaces cannot be set up: a hardening setting that its manager, or a container around it, cannot have \
         (gateway install --hardening off)",
    ),
    (228, "its system call filter cannot be set up (gateway install --hardening off)"),
    (233, "its runtime directory cannot be made"),
    (238, "its state directory cannot be made"),
    (242, "its cgroup namespace cannot be set up"),
    (243, "its credentials cannot be loaded: a file is missing or not readable"),
];

/// Why the unit is not running, as far as the manager knows, and how a command should end that wanted it to run.
pub fn why_down(state: &UnitState) -> (String, ExitCode) {
    let (why, code) = match state.result.as_str() {
        "timeout" => (timeout(state), ExitCode::TimedOut),
        "watchdog" => ("it no longer said that it is alive".to_owned(), ExitCode::Failed),
        "start-limit-hit" => too_often(state),
        "oom-kill" => ("the kernel ran out of memory and killed it".to_owned(), ExitCode::Failed),
        "protocol" => {
            ("it did not say that it is ready in the way its type requires".to_owned(), ExitCode::Failed)
        }
        "resources" => (
            "systemd could not prepare its start: a file it names may be missing, or memory is short"
                .to_owned(),
            ExitCode::Failed,
        ),
        _ => ended(state),
    };
    let again = match state.n_restarts {
        0 => String::new(),
        count => format!(" (restarted {count} times)"),
    };
    let goes_on = if state.awaits_restart() { "; systemd keeps trying" } else { "" };
    (format!("{why}{again}{goes_on}"), code)
}

/// systemd 257 and before tell the last failure instead of the limit, 262 the limit.
fn too_often(state: &UnitState) -> (String, ExitCode) {
    let why = "it failed too often in too short a time";
    if state.exec_main_code == 0 {
        return (why.to_owned(), ExitCode::Failed);
    }
    let (last, code) = ended(state);
    (format!("{why}; the last time {last}"), code)
}

fn timeout(state: &UnitState) -> String {
    let limit =
        state.timeout_start_usec.map_or_else(String::new, |usec| format!(" within {} s", usec / 1_000_000));
    format!("it did not say that it is ready{limit}")
}

fn ended(state: &UnitState) -> (String, ExitCode) {
    let status = state.exec_main_status;
    match state.exec_main_code {
        1 => exited(status),
        2 => (format!("it was killed by signal {}", signal(status)), ExitCode::Failed),
        3 => (format!("it crashed with signal {}", signal(status)), ExitCode::Failed),
        _ if state.result.is_empty() || state.result == "success" => {
            (format!("it is {}", state.active_state), ExitCode::Failed)
        }
        _ => (format!("its result is \"{}\"", state.result), ExitCode::Failed),
    }
}

fn exited(status: i32) -> (String, ExitCode) {
    if let Some((_, why)) = BEFORE_EXEC.iter().find(|(code, _)| *code == status) {
        return (format!("{why} (exit status {status})"), ExitCode::Failed);
    }
    // Those that only a program of ours gives, and that a script wants to know.
    let own =
        [ExitCode::Config, ExitCode::Conflict].into_iter().find(|code| i32::from(code.number()) == status);
    match own {
        Some(code) => (format!("it ended with exit status {status}: {}", code.meaning()), code),
        None => (format!("it ended with exit status {status}"), ExitCode::Failed),
    }
}

/// The name of a signal.
fn signal(number: i32) -> String {
    let names = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (15, "SIGTERM"),
        (31, "SIGSYS"),
    ];
    let name = names.into_iter().find(|(known, _)| *known == number);
    name.map_or_else(|| number.to_string(), |(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(result: &str, code: i32, status: i32) -> UnitState {
        UnitState {
            active_state: "failed".to_owned(),
            result: result.to_owned(),
            exec_main_code: code,
            exec_main_status: status,
            timeout_start_usec: Some(90_000_000),
            ..UnitState::default()
        }
    }

    #[test]
    fn an_end_is_told_in_words_and_as_an_exit_code() {
        let table = [
            (state("exit-code", 1, 1), "it ended with exit status 1", ExitCode::Failed),
            (
                state("exit-code", 1, 78),
                "it ended with exit status 78: configuration error",
                ExitCode::Config,
            ),
            (
                state("exit-code", 1, 7),
                "it ended with exit status 7: port or owner conflict",
                ExitCode::Conflict,
            ),
            (state("signal", 2, 9), "it was killed by signal SIGKILL", ExitCode::Failed),
            (state("core-dump", 3, 11), "it crashed with signal SIGSEGV", ExitCode::Failed),
            (state("timeout", 2, 15), "it did not say that it is ready within 90 s", ExitCode::TimedOut),
            (state("watchdog", 3, 6), "it no longer said that it is alive", ExitCode::Failed),
            (
                state("start-limit-hit", 1, 7),
                "it failed too often in too short a time; the last time it ended with exit status 7: port or owner \
                 conflict",
                ExitCode::Conflict,
            ),
            (state("success", 0, 0), "it is failed", ExitCode::Failed),
        ];
        for (state, words, code) in table {
            assert_eq!(why_down(&state), (words.to_owned(), code));
        }
        let (words, _) = why_down(&state("exit-code", 1, 203));
        assert!(
            words.contains("its program cannot be run") && words.ends_with("(exit status 203)"),
            "{words}"
        );
    }

    #[test]
    fn it_is_told_when_systemd_keeps_trying() {
        let state =
            UnitState { sub_state: "auto-restart".to_owned(), n_restarts: 3, ..state("exit-code", 1, 1) };
        assert_eq!(
            why_down(&state).0,
            "it ended with exit status 1 (restarted 3 times); systemd keeps trying"
        );
    }
}
