//! The version of the running manager, and what it decides.

use serde::Serialize;

/// A systemd release, by its major number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Version(pub u32);

impl Version {
    /// The oldest release that this program writes units for: that of Debian 11.
    pub const OLDEST: Self = Self(247);

    /// Reads the manager's `Version` property: `252.38-1~deb12u1`, `v257`, `262~rc1`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.trim_start_matches('v').chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().map(Self)
    }

    /// `Type=notify-reload` (systemd.service(5): added in version 253).
    pub fn has_notify_reload(self) -> bool {
        self >= Self(253)
    }

    /// `RestartSteps=` and `RestartMaxDelaySec=` (systemd.service(5): added in version 254).
    pub fn has_restart_steps(self) -> bool {
        self >= Self(254)
    }

    /// `LoadCredential=` (systemd.exec(5): added in version 247).
    pub fn has_credentials(self) -> bool {
        self >= Self(247)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_the_distributions() {
        let table = [
            ("252.38-1~deb12u1", Some(252)),
            ("v257.13", Some(257)),
            ("262~rc1", Some(262)),
            ("249.11-0ubuntu3", Some(249)),
            ("", None),
            ("unknown", None),
        ];
        for (text, number) in table {
            assert_eq!(Version::parse(text), number.map(Version), "{text}");
        }
    }
}
