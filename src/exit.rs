//! The one table of exit codes: every verb, the daemon, the generated unit and the documentation use it.
//!
//! Knows nothing of what can go wrong; only what an outcome is called.

/// How a process of ours ends. The numbers are part of the contract with scripts and service managers.
///
/// 75 and 78 are `EX_TEMPFAIL` and `EX_CONFIG` of sysexits(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitCode {
    /// Done, or it was so already.
    Ok,
    /// The operation failed.
    Failed,
    /// The command line was wrong.
    Usage,
    /// `status`: the service is installed but not running.
    NotRunning,
    /// The service is not installed, or the unit is unknown.
    NotInstalled,
    /// Not permitted: sudo, polkit or file ownership.
    NotPermitted,
    /// What is installed differs from what should be.
    Drift,
    /// The port, or the profile, belongs to somebody else.
    Conflict,
    /// The service manager cannot be reached.
    NoManager,
    /// Running, but not ready or not healthy.
    Unhealthy,
    /// A wait reached its deadline.
    TimedOut,
    /// Temporary: try again. From the daemon: "please restart me".
    Temporary,
    /// The configuration must be changed first; restarting cannot help.
    Config,
}

impl ExitCode {
    /// Every outcome, in ascending order of its number.
    pub const ALL: [Self; 13] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::NotRunning,
        Self::NotInstalled,
        Self::NotPermitted,
        Self::Drift,
        Self::Conflict,
        Self::NoManager,
        Self::Unhealthy,
        Self::TimedOut,
        Self::Temporary,
        Self::Config,
    ];

    /// The number the process exits with.
    pub const fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotRunning => 3,
            Self::NotInstalled => 4,
            Self::NotPermitted => 5,
            Self::Drift => 6,
            Self::Conflict => 7,
            Self::NoManager => 8,
            Self::Unhealthy => 9,
            Self::TimedOut => 10,
            Self::Temporary => 75,
            Self::Config => 78,
        }
    }

    /// The outcome with this number, if it is one of ours.
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// What the number means, in words for a help text.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done, or already so",
            Self::Failed => "failed",
            Self::Usage => "wrong command line",
            Self::NotRunning => "not running (status)",
            Self::NotInstalled => "not installed, or unknown unit",
            Self::NotPermitted => "not permitted (sudo, polkit, owner)",
            Self::Drift => "drift found (doctor, status --strict)",
            Self::Conflict => "port or owner conflict",
            Self::NoManager => "service manager not reachable (no systemd, no bus)",
            Self::Unhealthy => "running but not ready or not healthy",
            Self::TimedOut => "timed out while waiting",
            Self::Temporary => "temporary, try again (lock held); from the daemon: restart me",
            Self::Config => "configuration error",
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::ExitCode;

    #[test]
    fn numbers_ascend_so_that_none_is_used_twice() {
        let numbers: Vec<u8> = ExitCode::ALL.iter().map(|code| code.number()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
}
