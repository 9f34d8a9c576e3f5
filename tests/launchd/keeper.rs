//! The part of the fake launchd that starts, watches and ends one job's process (lifecycle notes D5).

use std::fs::File;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use plist::{Dictionary, Value};

use crate::fake::{State, arguments, environment, now, number, state_path};
use crate::roles::{ROLE, WORDS};

#[expect(clippy::zombie_processes, reason = "launchctl ends at once, and its parent waits for the keeper")]
pub fn start(path: &Path, label: &str, generation: u64) {
    // Without the stream that the client reads to its end.
    let mut keeper = Command::new("/bin/sh");
    keeper.args(["-c", "exec 3>&-; exec \"$0\" \"$@\""]).arg(std::env::var_os("SUITE_SELF").unwrap());
    let keeper = keeper
        .args(["--exact", "roles::play", "--nocapture"])
        .env_clear()
        .env("SUITE_STATE", path)
        .env("HOME", path.parent().unwrap())
        .env(ROLE, "keeper")
        .env(WORDS, format!("{label}\n{generation}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    State::with(path, |state| {
        if let Some(job) = state.jobs.get_mut(label) {
            job.keeper = Some(keeper.id());
        }
    });
}

/// How often the process, and whether anything changed, is looked at.
const LOOK: Duration = Duration::from_millis(15);
/// How often everything is looked at although nothing seems to have changed: file systems are slow to tell.
const ANYWAY: Duration = Duration::from_millis(250);

/// Looks after one job's process until the job is gone.
pub fn keep(words: &[String]) -> i32 {
    let (label, generation) = (words[0].as_str(), words[1].parse::<u64>().unwrap());
    let path = state_path();
    let mut child: Option<Child> = None;
    let changed = || std::fs::metadata(&path).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok();
    while let Some(seen) = changed() {
        let Some(until) = State::with(&path, |state| turn(state, label, generation, &mut child)) else {
            break;
        };
        let since = Instant::now();
        let ended = |child: &mut Option<Child>| {
            child.as_mut().is_some_and(|process| process.try_wait().unwrap().is_some())
        };
        while since.elapsed() < ANYWAY && now() < until && changed() == Some(seen) && !ended(&mut child) {
            std::thread::sleep(LOOK);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    if let Some(mut child) = child {
        let _ = child.kill();
        let _ = child.wait();
    }
    0
}

/// One look at the job and its process, and when there is something to do at the latest. None when there is nothing left
/// to look after.
fn turn(state: &mut State, label: &str, generation: u64, child: &mut Option<Child>) -> Option<u64> {
    let over = state.over;
    let job = state.jobs.get_mut(label).filter(|job| job.generation == generation && !over)?;
    let values = job.values();
    if let Some(process) = child {
        let Some(status) = process.try_wait().unwrap() else {
            let killed_at = [job.leaving_until, job.kicked_until].into_iter().flatten().min();
            if killed_at.is_some_and(|at| now() >= at) {
                let _ = process.kill();
            }
            return Some(killed_at.unwrap_or(u64::MAX));
        };
        *child = None;
        job.pid = None;
        job.kicked_until = None;
        job.last_exit = Some(match (status.code(), status.signal()) {
            (_, Some(signal)) => format!("last terminating signal = Word: {signal}"),
            (Some(0), _) => "last exit code = 0".to_owned(),
            (code, _) => format!("last exit code = {}", code.unwrap_or(-1)),
        });
        if job.start_at.is_none() && is_wanted_again(&values, status.success()) {
            let throttle = 1000 * number(&values, "ThrottleInterval").unwrap_or(10);
            job.start_at = Some(now().max(job.started + throttle));
        }
    }
    if job.leaving_until.is_some() {
        state.jobs.remove(label);
        return None;
    }
    if job.start_at.is_some_and(|at| now() >= at) {
        job.start_at = None;
        job.runs += 1;
        job.started = now();
        match spawn(&values, label) {
            Some(process) => {
                job.pid = Some(process.id());
                *child = Some(process);
            }
            None => {
                job.last_exit = Some("last exit code = 78: EX_CONFIG".to_owned());
                if is_wanted_again(&values, false) {
                    job.start_at = Some(now() + 1000 * number(&values, "ThrottleInterval").unwrap_or(10));
                }
            }
        }
    }
    Some(job.start_at.unwrap_or(u64::MAX))
}

/// Runs what follows as the account that is its name, in a machine whose directories are those below its first argument.
const AS_ACCOUNT: &str = "root=$1/machine; shift; \
    for dir in var/lib var/log etc run; do mount --bind $root/$dir /$dir || exit 78; done; \
    exec setpriv --reuid \"$0\" --regid \"$0\" --clear-groups \"$@\"";

fn is_wanted_again(values: &Dictionary, success: bool) -> bool {
    match values.get("KeepAlive") {
        Some(Value::Boolean(keep)) => *keep,
        Some(Value::Dictionary(when)) => {
            when.get("SuccessfulExit").and_then(Value::as_boolean) == Some(success)
        }
        _ => false,
    }
}

/// Starts the process; none when it cannot be, for which launchd says 78.
fn spawn(values: &Dictionary, label: &str) -> Option<Child> {
    let words = arguments(values);
    let text = |key: &str| values.get(key).and_then(Value::as_string);
    // Found without the job's own PATH.
    let program = Path::new(words.first()?);
    let usual = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(|dir| Path::new(dir).join(program));
    let program = if program.is_absolute() {
        Some(program.to_owned())
    } else {
        usual.into_iter().find(|path| path.exists())
    }?;
    std::fs::metadata(&program).ok().filter(|meta| meta.permissions().mode() & 0o111 != 0)?;
    let umask = u32::try_from(number(values, "Umask").unwrap_or(0o022)).ok()?;
    let output = |key: &str| match text(key) {
        None => Some(Stdio::null()),
        Some(path) => {
            let file = File::options().append(true).create(true).mode(0o666 & !umask).open(path).ok()?;
            Some(Stdio::from(file))
        }
    };
    let mut command = Command::new("/bin/sh");
    let script = format!("umask {umask:04o}; exec \"$@\"");
    command.arg("-c").arg(script).arg("sh");
    if let Some(account) = text("UserName") {
        // The machine's directories are where this one's are, and the process is that account's.
        command.args(["unshare", "--mount", "/bin/sh", "-c", AS_ACCOUNT, account]);
        command.arg(std::env::var_os("HOME")?);
    }
    command.arg(program).args(&words[1..]);
    command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("HOME", std::env::var_os("HOME")?);
    command.envs(environment(values, label)).current_dir(text("WorkingDirectory").unwrap_or("/"));
    command.stdin(Stdio::null()).stdout(output("StandardOutPath")?).stderr(output("StandardErrorPath")?);
    command.process_group(0).spawn().ok()
}
