//! Roles and scopes: what a connection may ask for, and what a method asks of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a connection is (§1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A person or a program that operates the gateway.
    Operator,
    /// A device that carries out commands for the gateway.
    Node,
}

impl Role {
    /// Reads a role; anything but the two is none.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "operator" => Some(Self::Operator),
            "node" => Some(Self::Node),
            _ => None,
        }
    }

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Node => "node",
        }
    }
}

/// One operator scope (§1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything.
    Admin,
    /// Reading.
    Read,
    /// Acting; includes reading.
    Write,
    /// Deciding on approvals.
    Approvals,
    /// Pairing devices.
    Pairing,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [Self::Admin, Self::Read, Self::Write, Self::Approvals, Self::Pairing];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "operator.admin",
            Self::Read => "operator.read",
            Self::Write => "operator.write",
            Self::Approvals => "operator.approvals",
            Self::Pairing => "operator.pairing",
        }
    }
}

/// A set of operator scopes. Scopes nobody knows grant nothing and are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Reads the scopes in a list.
    pub fn parse<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Self {
        let bits = texts.into_iter().filter_map(|text| {
            Scope::ALL.into_iter().find(|scope| scope.as_str() == text.as_ref()).map(Self::bit)
        });
        Self(bits.fold(0, |set, bit| set | bit))
    }

    /// All of them.
    pub fn all() -> Self {
        Self::parse(Scope::ALL.map(Scope::as_str))
    }

    /// Whether the set grants a scope: `operator.admin` grants all, `operator.write` grants reading (§2.4).
    pub fn grant(self, scope: Scope) -> bool {
        let has = |scope| self.0 & Self::bit(scope) != 0;
        has(Scope::Admin) || has(scope) || (scope == Scope::Read && has(Scope::Write))
    }

    const fn bit(scope: Scope) -> u8 {
        1 << scope as u8
    }
}

/// Whether a list of granted scopes covers every requested one: `operator.admin` covers every `operator.*`,
/// `operator.write` covers `operator.read`, anything else only itself (§1.11).
pub fn covers(granted: &[String], requested: &[String]) -> bool {
    let has = |scope: Scope| granted.iter().any(|granted| granted == scope.as_str());
    requested.iter().all(|wanted| {
        granted.contains(wanted)
            || (wanted.starts_with("operator.") && has(Scope::Admin))
            || (wanted == Scope::Read.as_str() && has(Scope::Write))
    })
}

/// What a method asks of its caller (§3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever is connected.
    Anyone,
    /// An operator with this scope.
    Operator(Scope),
}

impl Access {
    /// The scope it asks for, on the wire.
    pub const fn scope(self) -> Option<&'static str> {
        match self {
            Self::Anyone => None,
            Self::Operator(scope) => Some(scope.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_grants_all_and_write_grants_reading() {
        let admin = Scopes::parse(["operator.admin"]);
        assert!(Scope::ALL.into_iter().all(|scope| admin.grant(scope)));
        let write = Scopes::parse(["operator.write", "operator.unknown"]);
        assert!(write.grant(Scope::Write) && write.grant(Scope::Read));
        assert!(!write.grant(Scope::Admin) && !write.grant(Scope::Pairing));
        assert!(!Scopes::default().grant(Scope::Read));
    }

    #[test]
    fn coverage_is_by_name() {
        let list = |scopes: &[&str]| scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>();
        let table: [(&[&str], &[&str], bool); 6] = [
            (&["operator.admin"], &["operator.read", "operator.anything"], true),
            (&["operator.admin"], &["node.something"], false),
            (&["operator.write"], &["operator.read"], true),
            (&["operator.read"], &["operator.write"], false),
            (&[], &[], true),
            (&["node.something"], &["node.something"], true),
        ];
        for (granted, requested, covered) in table {
            assert_eq!(covers(&list(granted), &list(requested)), covered, "{granted:?} {requested:?}");
        }
    }
}
