//! Profiles: separate gateways of one user on one machine.

use std::fmt;

/// Which of a user's gateways is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The usual one.
    Default,
    /// For development: its own state and base port 19001 (runbooks, "Dev profile quick path").
    Dev,
    /// A named one, for instance `rescue`.
    Named(String),
}

/// Why a text is not a profile name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Outside `[A-Za-z0-9][A-Za-z0-9_-]{0,31}`.
    #[error(
        "invalid profile name {0:?}: use 1 to 32 letters, digits, \"_\" or \"-\", beginning with a letter or digit"
    )]
    Alphabet(String),
    /// Its unit or label would be another service's.
    #[error(
        "the profile name {0:?} is reserved: its service would be named like another one; choose another name"
    )]
    Reserved(String),
}

/// The port of the default profile (runbooks, "Port and bind precedence").
const DEFAULT_PORT: u16 = 18789;
/// The port of the dev profile (runbooks, "Dev profile quick path").
const DEV_PORT: u16 = 19001;
/// Named profiles get a port of their own from here, in steps that leave room for a profile's further ports.
const NAMED_PORT_BASE: u16 = 19101;
const NAMED_PORT_STEP: u16 = 20;
const NAMED_PORT_SLOTS: u16 = 400;

impl Profile {
    /// Reads a profile name. `default` is the default profile, `dev` the dev profile.
    ///
    /// The alphabet has no dot, so that `ai.brand.a.b` cannot be ambiguous; `gateway` and `node` would give
    /// labels that other services have.
    pub fn parse(name: &str) -> Result<Self, ProfileError> {
        let mut chars = name.chars();
        let first_ok = chars.next().is_some_and(|c| c.is_ascii_alphanumeric());
        let rest_ok = chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if !first_ok || !rest_ok || name.len() > 32 {
            return Err(ProfileError::Alphabet(name.to_owned()));
        }
        match name.to_ascii_lowercase().as_str() {
            "default" => Ok(Self::Default),
            "dev" => Ok(Self::Dev),
            "gateway" | "node" => Err(ProfileError::Reserved(name.to_owned())),
            _ => Ok(Self::Named(name.to_owned())),
        }
    }

    /// The name in files, units and labels; the default profile has none.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Default => None,
            Self::Dev => Some("dev"),
            Self::Named(name) => Some(name),
        }
    }

    /// The port when nothing else names one. Named profiles get one derived from the name.
    pub fn default_port(&self) -> u16 {
        match self {
            Self::Default => DEFAULT_PORT,
            Self::Dev => DEV_PORT,
            Self::Named(name) => {
                let slot = fnv1a(name.as_bytes()) % u32::from(NAMED_PORT_SLOTS);
                NAMED_PORT_BASE + NAMED_PORT_STEP * u16::try_from(slot).unwrap_or_default()
            }
        }
    }

    /// The port to try when `port` turned out to be another profile's.
    pub fn next_port(port: u16) -> u16 {
        let last = NAMED_PORT_BASE + NAMED_PORT_STEP * (NAMED_PORT_SLOTS - 1);
        if (NAMED_PORT_BASE..last).contains(&port) { port + NAMED_PORT_STEP } else { NAMED_PORT_BASE }
    }
}

/// FNV-1a, 32 bits: the same on every machine and in every release, which `std`'s hashers do not promise.
pub(super) fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().unwrap_or("default"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_profiles() {
        assert_eq!(Profile::parse("default"), Ok(Profile::Default));
        assert_eq!(Profile::parse("dev"), Ok(Profile::Dev));
        for name in ["rescue", "a", "0", "Work_2-b", "abcdefghijklmnopqrstuvwxyz012345"] {
            assert_eq!(Profile::parse(name), Ok(Profile::Named(name.to_owned())), "{name}");
        }
    }

    #[test]
    fn names_that_are_not() {
        for name in ["", "-a", "_a", "a.b", "a b", "ä", "a/b", "..", "abcdefghijklmnopqrstuvwxyz0123456"] {
            assert_eq!(Profile::parse(name), Err(ProfileError::Alphabet(name.to_owned())), "{name}");
        }
        for name in ["gateway", "node", "Gateway"] {
            assert_eq!(Profile::parse(name), Err(ProfileError::Reserved(name.to_owned())), "{name}");
        }
    }

    #[test]
    fn base_ports() {
        assert_eq!(Profile::Default.default_port(), 18789);
        assert_eq!(Profile::Dev.default_port(), 19001);
        let named = Profile::parse("rescue").unwrap().default_port();
        assert!((19101..=27081).contains(&named), "{named}");
        assert_eq!(Profile::next_port(27081), 19101);
        assert_eq!(Profile::next_port(18789), 19101);
        assert_eq!(Profile::next_port(19101), 19121);
    }
}
