//! How tightly a service is shut in: a choice by name, which each platform fills with what it really can do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How tightly a service is shut in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hardening {
    /// Also what breaks some tools: programs that make code as they run (JIT compilers), debuggers.
    Strict,
    /// What an agent's ordinary tools do not notice. Containers and tools that shut themselves in do.
    #[default]
    Default,
    /// Nothing beyond the account it runs under.
    Off,
}

impl Hardening {
    /// Every choice, the tightest first.
    pub const ALL: [Self; 3] = [Self::Strict, Self::Default, Self::Off];

    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Default => "default",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Hardening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Hardening {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|choice| choice.word() == text);
        known.ok_or_else(|| format!("{text:?} is none of strict, default, off"))
    }
}
