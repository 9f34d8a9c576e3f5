//! What a changed setting takes to come into effect, and what a running gateway does about a change.
//!
//! A table and a decision; nothing here watches the file or applies anything.

use std::collections::BTreeSet;
use std::fmt;

use super::path::KeyPath;
use super::section::ReloadMode;

/// What it takes for a setting to come into effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it is read whenever it is needed.
    Dynamic,
    /// A part of the gateway must be told.
    Hot(Part),
    /// A restart.
    Restart,
}

/// A part of the gateway that can take a changed setting while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The log: its level, file and size.
    Log,
    /// The counters of failed attempts to authenticate.
    RateLimit,
    /// The timer of the agents' heartbeat.
    Heartbeat,
    /// The channels: those that changed are stopped and started.
    Channels,
}

/// The effects by path, the first that matches counts; a path without a row means a restart, so that forgetting a row
/// is safe. A row is for a key and everything inside it.
const EFFECTS: [(&str, Effect); 14] = [
    ("gateway.remote", Effect::Dynamic),
    ("gateway.reload", Effect::Dynamic),
    ("gateway.controlUi", Effect::Dynamic),
    ("gateway.trustedProxies", Effect::Dynamic),
    ("gateway.allowRealIpFallback", Effect::Dynamic),
    ("gateway.drainTimeoutMs", Effect::Dynamic),
    ("gateway.auth.rateLimit", Effect::Hot(Part::RateLimit)),
    ("gateway", Effect::Restart),
    ("logging", Effect::Hot(Part::Log)),
    ("agents.defaults.heartbeat", Effect::Hot(Part::Heartbeat)),
    ("agents", Effect::Dynamic),
    ("models", Effect::Dynamic),
    ("channels", Effect::Hot(Part::Channels)),
    ("meta", Effect::Dynamic),
];

/// What it takes for the setting at a path to come into effect.
pub fn effect_of(path: &KeyPath) -> Effect {
    let row = EFFECTS.iter().find(|(prefix, _)| KeyPath::from(*prefix).holds(path));
    row.map_or(Effect::Restart, |(_, effect)| *effect)
}

/// What a running gateway does about a changed configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing has changed.
    Keep,
    /// It takes the change over while it runs.
    Apply {
        /// The parts that must be told.
        parts: BTreeSet<Part>,
        /// Everything that changed.
        paths: Vec<KeyPath>,
    },
    /// It restarts.
    Restart {
        /// What cannot come into effect otherwise; in mode `restart`, everything that changed.
        because: Vec<KeyPath>,
    },
    /// It goes on as it is: the mode does not allow what the change would take.
    Ignored {
        /// The mode, `off` or `hot`.
        mode: ReloadMode,
        /// What stands in the way; in mode `off`, everything that changed.
        because: Vec<KeyPath>,
    },
}

/// Decides by the mode of the **new** configuration and the paths that changed (protocol notes §7.7).
pub fn decide_reload(mode: ReloadMode, changed: Vec<KeyPath>) -> Decision {
    if changed.is_empty() {
        return Decision::Keep;
    }
    let effects: Vec<Effect> = changed.iter().map(effect_of).collect();
    let restarting = || {
        let pairs = changed.iter().zip(&effects).filter(|(_, effect)| **effect == Effect::Restart);
        pairs.map(|(path, _)| path.clone()).collect::<Vec<_>>()
    };
    let needs_restart = effects.contains(&Effect::Restart);
    match mode {
        ReloadMode::Off => Decision::Ignored { mode, because: changed },
        ReloadMode::Restart => Decision::Restart { because: changed },
        ReloadMode::Hot if needs_restart => Decision::Ignored { mode, because: restarting() },
        ReloadMode::Hybrid if needs_restart => Decision::Restart { because: restarting() },
        ReloadMode::Hot | ReloadMode::Hybrid => {
            let part = |effect: &Effect| if let Effect::Hot(part) = effect { Some(*part) } else { None };
            Decision::Apply { parts: effects.iter().filter_map(part).collect(), paths: changed }
        }
    }
}

/// The line that tells an operator about it (protocol notes §7.7).
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |paths: &[KeyPath]| paths.iter().map(KeyPath::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Keep => f.write_str("config unchanged"),
            Self::Apply { parts, paths } if parts.is_empty() => {
                write!(f, "config change applied (dynamic reads: {})", list(paths))
            }
            Self::Apply { paths, .. } => write!(f, "config hot reload applied ({})", list(paths)),
            Self::Restart { because } => {
                write!(f, "config change requires gateway restart ({})", list(because))
            }
            Self::Ignored { mode: ReloadMode::Off, .. } => {
                f.write_str("config reload disabled (gateway.reload.mode=off)")
            }
            Self::Ignored { because, .. } => {
                write!(f, "config reload requires gateway restart; hot mode ignoring ({})", list(because))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(texts: &[&str]) -> Vec<KeyPath> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn every_setting_has_the_effect_it_should() {
        let table = [
            ("gateway.port", Effect::Restart),
            ("gateway.bind", Effect::Restart),
            ("gateway.mode", Effect::Restart),
            ("gateway.auth.token", Effect::Restart),
            ("gateway.auth.rateLimit.maxAttempts", Effect::Hot(Part::RateLimit)),
            ("gateway.auth.rateLimits", Effect::Restart),
            ("gateway.remote.url", Effect::Dynamic),
            ("gateway.reload.mode", Effect::Dynamic),
            ("gateway.controlUi.allowedOrigins", Effect::Dynamic),
            ("gateway.trustedProxies", Effect::Dynamic),
            ("gateway.allowRealIpFallback", Effect::Dynamic),
            ("gateway.drainTimeoutMs", Effect::Dynamic),
            ("gateway", Effect::Restart),
            ("logging.level", Effect::Hot(Part::Log)),
            ("agents.defaults.heartbeat.every", Effect::Hot(Part::Heartbeat)),
            ("agents.list", Effect::Dynamic),
            ("models.providers.x", Effect::Dynamic),
            ("channels.webchat.enabled", Effect::Hot(Part::Channels)),
            ("meta.lastTouchedAt", Effect::Dynamic),
            ("tomorrow", Effect::Restart),
        ];
        for (path, expected) in table {
            assert_eq!(effect_of(&path.parse().unwrap()), expected, "{path}");
        }
    }

    #[test]
    fn the_mode_decides_what_a_change_may_do() {
        use ReloadMode::{Hot, Hybrid, Off, Restart};
        let table: [(ReloadMode, &[&str], &str); 11] = [
            (Hybrid, &[], "config unchanged"),
            (Off, &[], "config unchanged"),
            (Off, &["meta.x"], "config reload disabled (gateway.reload.mode=off)"),
            (Restart, &["meta.x"], "config change requires gateway restart (meta.x)"),
            (Hot, &["models.x", "meta.x"], "config change applied (dynamic reads: models.x, meta.x)"),
            (Hot, &["logging.level", "meta.x"], "config hot reload applied (logging.level, meta.x)"),
            (
                Hot,
                &["logging.level", "gateway.port"],
                "config reload requires gateway restart; hot mode ignoring (gateway.port)",
            ),
            (
                Hybrid,
                &["logging.level", "gateway.port"],
                "config change requires gateway restart (gateway.port)",
            ),
            (Hybrid, &["logging.level"], "config hot reload applied (logging.level)"),
            (Hybrid, &["agents.list"], "config change applied (dynamic reads: agents.list)"),
            (Hybrid, &["unknown"], "config change requires gateway restart (unknown)"),
        ];
        for (mode, changed, expected) in table {
            assert_eq!(decide_reload(mode, paths(changed)).to_string(), expected, "{mode:?} {changed:?}");
        }
    }

    #[test]
    fn each_part_is_told_once() {
        let changed = paths(&["logging.level", "logging.file", "channels.webchat.enabled"]);
        let Decision::Apply { parts, .. } = decide_reload(ReloadMode::Hybrid, changed) else {
            panic!("nothing needs a restart")
        };
        assert_eq!(parts, BTreeSet::from([Part::Log, Part::Channels]));
    }
}
