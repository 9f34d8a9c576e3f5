//! One product, five names: every outward name follows from the slug.

use std::ffi::OsStr;
use std::path::Path;

/// The name the product goes by, taken from the name the binary was invoked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Brand {
    /// `idlehands`, also the name under every unknown one.
    Idlehands,
    /// `smart-agent-neo`.
    SmartAgentNeo,
    /// `fased`.
    Fased,
    /// `clawdis`, whose clients speak first (the oldest dialect).
    Clawdis,
    /// `mayros`.
    Mayros,
}

impl Brand {
    /// Every brand.
    pub const ALL: [Self; 5] =
        [Self::Idlehands, Self::SmartAgentNeo, Self::Fased, Self::Clawdis, Self::Mayros];

    /// The brand a process invoked as `argv0` has. A symlink is enough to get another one.
    pub fn from_invocation(argv0: &OsStr) -> Self {
        let name = Path::new(argv0).file_stem().and_then(OsStr::to_str).unwrap_or_default();
        Self::ALL.into_iter().find(|brand| brand.slug() == name).unwrap_or(Self::Idlehands)
    }

    /// The name in commands, files and units: `smart-agent-neo`.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Idlehands => "idlehands",
            Self::SmartAgentNeo => "smart-agent-neo",
            Self::Fased => "fased",
            Self::Clawdis => "clawdis",
            Self::Mayros => "mayros",
        }
    }

    /// The name for people: `Smart Agent Neo`.
    pub fn title(self) -> String {
        let words = self.slug().split('-').map(capitalised).collect::<Vec<_>>();
        words.join(" ")
    }

    /// The name without hyphens, as launchd labels have it: `smartagentneo`.
    pub fn compact(self) -> String {
        self.slug().replace('-', "")
    }

    /// The prefix of environment variables, without the underscore: `SMART_AGENT_NEO`.
    pub fn env_prefix(self) -> String {
        self.slug().to_uppercase().replace('-', "_")
    }

    /// An environment variable of this brand: `var("GATEWAY_PORT")` is `FASED_GATEWAY_PORT`.
    pub fn var(self, name: &str) -> String {
        format!("{}_{name}", self.env_prefix())
    }

    /// The cookie of a Control UI session: `fased_ui_session` (protocol notes §10.1).
    pub fn ui_cookie(self) -> String {
        format!("{}_ui_session", self.slug().replace('-', "_"))
    }

    /// The header that may carry a hook token: `X-Fased-Token` (protocol notes §5.6).
    pub fn token_header(self) -> String {
        self.extension_key("Token")
    }

    /// A name of ours among names of others: an HTTP header, or a key in the `[Unit]` section of a unit file, where
    /// systemd ignores what begins with `X-` (systemd.unit(5)): `X-Smart-Agent-Neo-Profile`.
    pub fn extension_key(self, name: &str) -> String {
        let words = self.slug().split('-').map(capitalised).collect::<Vec<_>>();
        format!("X-{}-{name}", words.join("-"))
    }

    /// What stands for a secret in a configuration that is shown (protocol notes §3.15).
    pub fn redacted(self) -> String {
        format!("__{}_REDACTED__", self.env_prefix())
    }

    /// Whether clients of this brand may speak before they are challenged (clawdis runbook: `hello` first).
    pub const fn client_speaks_first(self) -> bool {
        matches!(self, Self::Clawdis)
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brand_is_the_name_the_binary_was_invoked_by() {
        let table = [
            ("idlehands", Brand::Idlehands),
            ("/usr/local/bin/mayros", Brand::Mayros),
            ("./smart-agent-neo", Brand::SmartAgentNeo),
            ("fased", Brand::Fased),
            ("clawdis.exe", Brand::Clawdis),
            ("openclaw", Brand::Idlehands),
            ("", Brand::Idlehands),
        ];
        for (argv0, brand) in table {
            assert_eq!(Brand::from_invocation(OsStr::new(argv0)), brand, "{argv0}");
        }
    }

    #[test]
    fn every_outward_name_follows_from_the_slug() {
        let brand = Brand::SmartAgentNeo;
        assert_eq!(brand.title(), "Smart Agent Neo");
        assert_eq!(brand.compact(), "smartagentneo");
        assert_eq!(brand.var("CONFIG_PATH"), "SMART_AGENT_NEO_CONFIG_PATH");
        assert_eq!(brand.token_header(), "X-Smart-Agent-Neo-Token");
        assert_eq!(brand.redacted(), "__SMART_AGENT_NEO_REDACTED__");
        assert_eq!(Brand::Fased.ui_cookie(), "fased_ui_session");
    }
}
