//! A home directory with a fake launchd in it.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fake::State;
use crate::roles::{ROLE, WORDS};

/// The scripts on the machine's path, and the parts behind them.
pub const SCRIPTS: [(&str, &str); 2] = [("launchctl", "launchctl"), ("idlehands-mac", "cli")];
/// The default instance's label.
pub const LABEL: &str = "ai.idlehands.gateway";
/// How long something that must come has to come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A machine with launchd, as far as the program can see. Its jobs end when it is dropped.
pub struct Mac {
    home: tempfile::TempDir,
    /// The port of the default instance.
    pub port: u16,
    /// What keeps others of this suite from that port.
    _lease: TcpListener,
}

/// A finished command.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Mac {
    /// A machine on which somebody is logged in at the screen.
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let (port, lease) = lease_port();
        let this = Self { home, port, _lease: lease };
        let bin = this.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir_all(this.path().join("run")).unwrap();
        let suite = std::env::current_exe().unwrap();
        for (name, role) in SCRIPTS {
            // What the harness says of itself goes nowhere where that matters; the number of the client stays, for
            // exec keeps it.
            let (client, out) =
                if role == "cli" { (" SUITE_CLIENT=$$", "") } else { ("", " 3>&1 >/dev/null") };
            let script = format!(
                "#!/bin/sh\nexport {WORDS}=\"$(printf '%s\\n' \"$@\")\" {ROLE}={role} SUITE_STATE='{}' SUITE_SELF='{}'{client}\n\
                 exec '{}' --exact roles::play --nocapture --test-threads=2{out}\n",
                this.state_file().display(),
                suite.display(),
                suite.display(),
            );
            let path = bin.join(name);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        this.state(|_| {});
        this.config("");
        this.give();
        this
    }

    /// Makes everything the user's who is logged in.
    pub fn give(&self) {
        if rustix::process::geteuid().is_root() {
            let given =
                Command::new("chown").arg("-R").arg(format!("{USER}:{USER}")).arg(self.path()).status();
            assert!(given.unwrap().success());
        }
    }

    /// Puts a file where the user would.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self.give();
    }

    /// Writes the configuration, with these further lines.
    pub fn config(&self, more: &str) {
        let dir = self.path().join(".idlehands");
        std::fs::create_dir_all(&dir).unwrap();
        self.private(&dir);
        let text = format!(
            "{{ gateway: {{ mode: 'local', port: {}, drainTimeoutMs: 1000, auth: {{ token: 'a-token-of-the-suite-0123456789' }} }} {more} }}",
            self.port
        );
        std::fs::write(dir.join("idlehands.json"), text).unwrap();
        std::fs::set_permissions(dir.join("idlehands.json"), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Lets nobody else look into a directory.
    pub fn private(&self, dir: &Path) {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.home.path()
    }

    /// Unloads a job, and waits until it is gone.
    #[track_caller]
    pub fn unload(&self, label: &str) {
        let domain = self.state(|state| state.jobs.get(label).map(|job| job.domain.clone()));
        if let Some(domain) = domain {
            self.launchctl(&format!("bootout {domain}/{label}"));
            self.wait("an end", || self.state(|state| (!state.jobs.contains_key(label)).then_some(())));
        }
    }

    /// Whether somebody listens on the port of the default instance.
    pub fn answers(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    /// The same machine, where only root may change what is the machine's. None where this suite is not run by root.
    #[expect(clippy::print_stderr, reason = "what was skipped is said")]
    pub fn of_root() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: a LaunchDaemon is root's, and so is this test");
            return None;
        }
        let mac = Self::new();
        let machine = mac.path().join("machine");
        for dir in ["var/lib", "var/log", "etc/idlehands-gateway", "run", "Library/LaunchDaemons", "Users"] {
            std::fs::create_dir_all(machine.join(dir)).unwrap();
        }
        for file in ["etc/passwd", "etc/group"] {
            std::fs::copy(Path::new("/").join(file), machine.join(file)).unwrap();
        }
        let config = machine.join("etc/idlehands-gateway/idlehands.json");
        let text = format!("{{ gateway: {{ mode: 'local', port: {}, drainTimeoutMs: 1000 }} }}", mac.port);
        std::fs::write(config, text).unwrap();
        // Accounts have to come through to what is theirs, and nobody but root may lead them elsewhere.
        std::fs::set_permissions(mac.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let owned = Command::new("chown").args(["root:root"]).arg(mac.path()).status();
        assert!(owned.unwrap().success());
        // What the fake launchd knows is changed by whoever asks it.
        std::fs::set_permissions(mac.state_file(), std::fs::Permissions::from_mode(0o666)).unwrap();
        Some(mac)
    }

    /// A command line of root's, for the machine's gateway.
    pub fn root_command(&self, words: &str) -> Command {
        let mut command = self.command(&format!("--system {words}"));
        command.uid(0).gid(0);
        command
    }

    pub fn as_root(&self, words: &str) -> Ran {
        ran(self.root_command(words))
    }

    fn state_file(&self) -> PathBuf {
        self.path().join("launchd.json")
    }

    /// Looks at, or changes, what the fake launchd has.
    pub fn state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        State::with(&self.state_file(), change)
    }

    /// The definition of the default instance.
    pub fn plist(&self) -> PathBuf {
        self.path().join(format!("Library/LaunchAgents/{LABEL}.plist"))
    }

    /// A command line of the program, as it is on macOS.
    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(self.path().join("bin/idlehands-mac"));
        command.args(words.split_whitespace()).env_clear().current_dir(self.path());
        // Where locks are: of this machine alone.
        command.env("XDG_RUNTIME_DIR", self.path().join("run"));
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.path().join("bin").display());
        command
            .env("HOME", self.path())
            .env("PATH", path)
            .env("SUITE_MACHINE", self.path().join("machine"))
            .env("SUITE_PROGRAM", env!("CARGO_BIN_EXE_idlehands"));
        command.stdin(Stdio::null());
        as_user(&mut command);
        command
    }

    pub fn run(&self, words: &str) -> Ran {
        ran(self.command(words))
    }

    /// Runs the program, which must succeed.
    #[track_caller]
    pub fn ok(&self, words: &str) -> String {
        let ran = self.run(words);
        assert_eq!(ran.code, 0, "{words}: {ran:?}");
        ran.out
    }

    /// Runs launchctl itself.
    pub fn launchctl(&self, words: &str) -> Ran {
        let mut command = Command::new(self.path().join("bin/launchctl"));
        command.args(words.split_whitespace()).env_clear().env("PATH", "/usr/bin:/bin");
        as_user(&mut command);
        ran(command)
    }

    /// The process of a job, once there is one.
    #[track_caller]
    pub fn pid(&self, label: &str) -> u32 {
        self.wait("a process", || self.state(|state| state.jobs.get(label).and_then(|job| job.pid)))
    }

    /// Waits until there is something.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                Instant::now() < end,
                "there never was {what}: {:?}",
                self.state(|state| format!("{state:?}"))
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `gateway status --json`.
    #[track_caller]
    pub fn status(&self) -> Value {
        let ran = self.run("gateway status --json");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }
}

impl Drop for Mac {
    fn drop(&mut self) {
        // Whoever still waits for its turn finds nothing to do any more.
        let pids: Vec<u32> = self.state(|state| {
            state.over = true;
            state.jobs.values().flat_map(|job| [job.pid, job.keeper]).flatten().collect()
        });
        for pid in pids {
            crate::fake::signal(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Who is logged in where the suite is run by root, for whom there is no graphical session.
const USER: u32 = 4711;

fn as_user(command: &mut Command) {
    if rustix::process::geteuid().is_root() {
        command.uid(USER).gid(USER);
    }
}

/// The number of the user that commands run as.
pub fn uid() -> u32 {
    let own = rustix::process::geteuid();
    if own.is_root() { USER } else { own.as_raw() }
}

/// Runs a command to its end.
pub fn ran(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).trim_start_matches("\nrunning 1 test\n").to_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits for a child, with a limit.
pub fn finished(mut child: Child) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Ok(Some(_)) = child.try_wait() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    false
}

/// A port for a gateway, below those that the system hands out, and the one above it, which is held for as long as the
/// port is in use: also by whoever else runs this suite.
fn lease_port() -> (u16, TcpListener) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 5000).unwrap();
    loop {
        let number = (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 5000;
        let port = 20_000 + 2 * number;
        if let Ok(lease) = TcpListener::bind(("127.0.0.1", port + 1))
            && TcpListener::bind(("127.0.0.1", port)).is_ok()
        {
            return (port, lease);
        }
    }
}
