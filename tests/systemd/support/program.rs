//! The program itself in a machine, as an operator runs it.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Boot, Machine};

/// How long something that must come has to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine on which a person has just set the program up.
pub fn set_up() -> Machine {
    set_up_with(&Boot::default())
}

/// The same, booted with further options.
pub fn set_up_with(boot: &Boot<'_>) -> Machine {
    let machine = Machine::boot_with(boot);
    machine.user("idlehands setup").ok();
    machine
}

impl Machine {
    /// The answer of a command in JSON, whatever its exit code.
    #[track_caller]
    pub fn json(&self, line: &str) -> Value {
        let ran = self.user(line);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("no JSON, {error}: {ran}"))
    }

    /// `gateway status --json` of the default instance.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.json("idlehands gateway status --json")
    }

    /// The process of a unit.
    #[track_caller]
    pub fn pid(&self, unit: &str) -> String {
        let pid = self.property(unit, "MainPID");
        assert_ne!(pid, "0", "{unit} has no process");
        pid
    }

    /// Waits until properties of a unit have these values.
    #[track_caller]
    pub fn wait(&self, unit: &str, expected: &[(&str, &str)]) {
        let end = Instant::now() + PATIENCE;
        loop {
            let found: Vec<String> = expected.iter().map(|(name, _)| self.property(unit, name)).collect();
            if found.iter().zip(expected).all(|(found, (_, value))| found == value) {
                return;
            }
            assert!(Instant::now() < end, "{unit} has {found:?}, not {expected:?}");
        }
    }

    /// Changes the unit by a drop-in, which is not part of its definition.
    #[track_caller]
    pub fn drop_in(&self, unit: &str, lines: &str) {
        let dir = format!(".config/systemd/user/{unit}.d");
        let write =
            format!("mkdir -p {dir}; printf '{lines}' >{dir}/test.conf; systemctl --user daemon-reload");
        self.user(&write).ok();
    }
}
