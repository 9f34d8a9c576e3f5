//! A service in a machine, handled by the library through [`crate::driver`].

use serde_json::Value;

use super::{Boot, Machine};
use crate::driver;

/// The unit of the default instance.
pub const UNIT: &str = "idlehands-gateway.service";

/// A machine in which a service can be installed.
pub fn machine() -> Machine {
    machine_with(&[])
}

/// The same, booted with further options.
pub fn machine_with(options: &[&str]) -> Machine {
    let machine = Machine::boot_with(&Boot { options });
    let script = format!(
        "#!/bin/sh\n{}=\"serve $*\" exec {} --exact driver::the_driver_knows_its_words --nocapture\n",
        driver::SERVE,
        driver::inside().display()
    );
    machine.root(&format!("cat >{0} <<'END'\n{script}END\nchmod 755 {0}", driver::PROGRAM)).ok();
    machine
}

impl Machine {
    /// Handles the service as the user, and returns what happened.
    pub fn service(&self, words: &str) -> Value {
        self.service_as("", words)
    }

    /// The same with shell words before the command, such as variables.
    pub fn service_as(&self, before: &str, words: &str) -> Value {
        let ran = self.user(&format!("{before} {}", driver_command(words)));
        let line = ran.stdout.lines().find_map(|line| line.strip_prefix("RESULT "));
        let line = line.unwrap_or_else(|| panic!("the driver said nothing: {ran}"));
        serde_json::from_str(line).unwrap()
    }

    /// Handles the service, which must succeed, and returns what happened.
    #[track_caller]
    pub fn service_ok(&self, words: &str) -> Value {
        let result = self.service(words);
        assert_eq!(result["exit"], 0, "{words}: {result:#}");
        result
    }

    /// A property of a unit, as systemctl tells it.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.user(&format!("systemctl --user show {unit} -p {name} --value")).ok().to_owned()
    }
}

/// The shell command that drives the service with these words.
pub fn driver_command(words: &str) -> String {
    format!(
        "env {}='{words}' {} --exact driver::the_driver_knows_its_words --nocapture",
        driver::DRIVE,
        driver::inside().display()
    )
}

/// The shell command that runs [`crate::quoting::inside`].
pub fn quoting_command() -> String {
    driver_command("quoting")
}

/// The steps that were performed.
pub fn steps(result: &Value) -> Vec<String> {
    let steps = result["plan"]["steps"].as_array().cloned().unwrap_or_default();
    steps.iter().map(|step| step["do"].as_str().unwrap().to_owned()).collect()
}
