//! Tree to typed value, with everything that does not fit found at once.
//!
//! A serde `Deserializer` stops at the first error. [`decode_all`] notes that error, marks the value that caused it as
//! faulty (it is then passed over) and decodes again, until nothing new is found. What a message says is decided here
//! and never holds a value: the value may be a secret in the wrong place.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::node::{Finding, Kind, Member, Node};
use super::path::KeyPath;

/// How many problems one file is worth reporting.
const MAX_FAULTS: usize = 200;

/// Decodes a tree. Returns the value made of all that fits; `None` when not even the root does.
pub(super) fn decode_all<T: DeserializeOwned>(root: &mut Node, findings: &mut Vec<Finding>) -> Option<T> {
    for _ in 0..MAX_FAULTS {
        if root.faulty {
            return None;
        }
        match T::deserialize(&*root) {
            Ok(value) => return Some(value),
            Err(fault) => fault.note(root, findings),
        }
    }
    let rest = Finding::new(root.place, KeyPath::ROOT, format!("there are more than {MAX_FAULTS} problems"));
    findings.push(rest.hint("correct these first"));
    None
}

/// Why a value does not fit, and where: the positions of children from the root, innermost first.
#[derive(Debug)]
pub(super) struct Fault {
    kind: FaultKind,
    trail: Vec<usize>,
}

#[derive(Debug)]
pub(super) enum FaultKind {
    /// A key that does not exist.
    UnknownKey(&'static [&'static str]),
    /// A word that is none of those possible.
    UnknownWord(&'static [&'static str]),
    /// A key that must be there is not.
    Missing(&'static str),
    /// Another kind of value was expected.
    Expected(&'static str),
    /// The type itself says why.
    Other(String),
}

impl Fault {
    fn of(kind: FaultKind) -> Self {
        Self { kind, trail: Vec::new() }
    }

    fn inside(mut self, child: usize) -> Self {
        self.trail.push(child);
        self
    }

    /// Adds the finding, and marks the value so that the next attempt passes over it.
    fn note(self, root: &mut Node, findings: &mut Vec<Finding>) {
        let trail: Vec<usize> = self.trail.iter().rev().copied().collect();
        findings.extend(self.finding(root, &trail, findings));
        mark_faulty(root, &trail);
    }

    /// What there is to say; nothing, when what is wrong has been said already.
    fn finding(self, root: &Node, trail: &[usize], findings: &[Finding]) -> Option<Finding> {
        let (mut node, mut path, mut key_place) = (root, KeyPath::ROOT, root.place);
        for &child in trail {
            match &node.kind {
                Kind::Object(members) => {
                    let member = members.get(child)?;
                    path.push_key(&member.key);
                    (node, key_place) = (&member.value, member.key_place);
                }
                Kind::List(items) => {
                    path.push_index(child);
                    node = items.get(child)?;
                }
                _ => return None,
            }
        }
        let found = |path, message: String| Finding::new(node.place, path, message);
        Some(match self.kind {
            FaultKind::UnknownKey(keys) => {
                let key =
                    path.segments().last().and_then(|segment| segment.key()).unwrap_or_default().to_owned();
                let hint = moved_key(&path)
                    .or_else(|| nearest_word(&key, keys))
                    .unwrap_or_else(|| listing_of_keys(keys));
                Finding::new(key_place, path, format!("Unrecognized key {key:?}")).hint(hint)
            }
            FaultKind::UnknownWord(words) => {
                let given = if let Kind::Text(text) = &node.kind { text.as_str() } else { "" };
                Finding {
                    hint: nearest_word(given, words),
                    ..found(path, format!("expected one of {}", quoted_words(words)))
                }
            }
            FaultKind::Missing(name) if node.member(name).is_some() => return None,
            FaultKind::Missing(_) if findings.iter().any(|finding| finding.path == path) => return None,
            FaultKind::Missing(name) => found(path, format!("the key {name:?} is missing")),
            FaultKind::Expected(what) if matches!(node.kind, Kind::Null) => {
                found(path, format!("expected {what}, found null"))
                    .hint("leave the key out to have the default")
            }
            FaultKind::Expected(what) => found(path, format!("expected {what}, found {}", node.noun())),
            FaultKind::Other(message) => found(path, message),
        })
    }
}

fn mark_faulty(node: &mut Node, trail: &[usize]) {
    let child = match (&mut node.kind, trail) {
        (Kind::Object(members), [first, rest @ ..]) => {
            members.get_mut(*first).map(|member| (&mut member.value, rest))
        }
        (Kind::List(items), [first, rest @ ..]) => items.get_mut(*first).map(|item| (item, rest)),
        _ => None,
    };
    match child {
        Some((child, rest)) => mark_faulty(child, rest),
        None => node.faulty = true,
    }
}

/// Keys that people write in the wrong place (protocol notes §8.2).
fn moved_key(path: &KeyPath) -> Option<String> {
    let moved = match path.to_string().as_str() {
        "gateway.token" => "gateway.auth.token",
        "gateway.password" => "gateway.auth.password",
        "agent" => "agents",
        "log" => "logging",
        _ => return None,
    };
    Some(format!("use {moved:?} instead"))
}

/// The word that was probably meant.
pub(super) fn nearest_word(given: &str, words: &[&str]) -> Option<String> {
    let given = given.to_lowercase();
    let distance = |word: &str| strsim::osa_distance(&given, &word.to_lowercase());
    let word = words.iter().min_by_key(|word| distance(word))?;
    // A third of the letters may be wrong.
    (distance(word) * 3 <= word.chars().count().max(3)).then(|| format!("did you mean {word:?}?"))
}

fn quoted_words(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

fn listing_of_keys(keys: &[&str]) -> String {
    if keys.is_empty() {
        "there are no keys here".to_owned()
    } else {
        format!("known keys: {}", keys.join(", "))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::of(FaultKind::Other(message.to_string()))
    }

    // The value is left out of the message on purpose: it may be a secret.
    fn invalid_type(_: serde::de::Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::of(FaultKind::Other(format!("expected {expected}")))
    }

    fn invalid_value(_: serde::de::Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::of(FaultKind::Other(format!("expected {expected}")))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::of(FaultKind::UnknownWord(expected))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::of(FaultKind::UnknownKey(expected))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of(FaultKind::Missing(field))
    }
}

fn wanted<T>(what: &'static str) -> Result<T, Fault> {
    Err(Fault::of(FaultKind::Expected(what)))
}

/// A node whose kind is already known to fit is visited as what it is; every other is refused before serde sees it.
impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Number(number) => visit_number(number, visitor),
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Kind::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if matches!(self.kind, Kind::Bool(_)) {
            self.deserialize_any(visitor)
        } else {
            wanted("true or false")
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.kind {
            Kind::Number(number) if number.is_f64() => wanted("a whole number"),
            Kind::Number(number) => visit_number(number, visitor),
            _ => wanted("a whole number"),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if matches!(self.kind, Kind::Number(_)) { self.deserialize_any(visitor) } else { wanted("a number") }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if matches!(self.kind, Kind::Text(_)) { self.deserialize_any(visitor) } else { wanted("a string") }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    /// What is there is there: `null` is no way of leaving a key out.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if matches!(self.kind, Kind::List(_)) { self.deserialize_any(visitor) } else { wanted("a list") }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.kind {
            Kind::Object(members) => visitor.visit_map(Members { members, next: 0 }),
            _ => wanted("an object"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.kind {
            Kind::Text(text) => visitor.visit_enum(StrDeserializer::<Fault>::new(text)),
            _ => Err(Fault::of(FaultKind::UnknownWord(words))),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Fault> {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(number), ..) => visitor.visit_u64(number),
        (_, Some(number), _) => visitor.visit_i64(number),
        (_, _, number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
    }
}

/// The elements of a list that have not been read.
struct Items<'de> {
    items: &'de [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        while let Some(item) = self.items.get(self.next) {
            self.next += 1;
            if !item.faulty {
                return seed.deserialize(item).map(Some).map_err(|fault| fault.inside(self.next - 1));
            }
        }
        Ok(None)
    }
}

/// The members of an object that have not been read.
struct Members<'de> {
    members: &'de [Member],
    next: usize,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        while let Some(member) = self.members.get(self.next) {
            self.next += 1;
            if !member.value.faulty {
                let key = seed.deserialize(StrDeserializer::<Fault>::new(&member.key));
                return key.map(Some).map_err(|fault| fault.inside(self.next - 1));
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let at = self.next - 1;
        seed.deserialize(&self.members[at].value).map_err(|fault| fault.inside(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::section::Config;
    use crate::config::syntax::read_json5;

    fn problems(text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        let mut root = read_json5(text, 0, &KeyPath::ROOT, &mut findings).unwrap();
        decode_all::<Config>(&mut root, &mut findings);
        let line = |finding: Finding| {
            let hint = finding.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{}: {}{hint}", finding.path, finding.message)
        };
        findings.into_iter().map(line).collect()
    }

    #[test]
    fn a_configuration_that_fits_is_the_value_it_says() {
        let text = "{ gateway: { port: 1e3, bind: 'lan', auth: { mode: 'trusted-proxy', trustedProxy: { userHeader: 'X-User' } },
            controlUi: { allowedOrigins: ['https://A'] }, trustedProxies: ['10.0.0.0/8'] },
            agents: { list: [{ id: 'main', default: true }], defaults: { heartbeat: { every: '1h' } } },
            models: { providers: { 'a.b': { models: [{ id: 'm', contextWindow: 8000 }] } } } }";
        let mut findings = Vec::new();
        let mut root = read_json5(text, 0, &KeyPath::ROOT, &mut findings).unwrap();
        let config: Config = decode_all(&mut root, &mut findings).unwrap();
        assert_eq!(findings, []);
        assert_eq!(config.gateway.port.unwrap().get(), 1000);
        assert_eq!(config.gateway.drain_timeout_ms.get(), 30_000);
        assert_eq!(config.gateway.control_ui.allowed_origins[0].as_str(), "https://a");
        assert_eq!(config.agents.defaults.heartbeat.every.duration().unwrap().as_secs(), 3600);
        assert_eq!(config.models.providers["a.b"].models[0].context_window.unwrap().get(), 8000);
        let empty: Config =
            decode_all(&mut read_json5("{}", 0, &KeyPath::ROOT, &mut findings).unwrap(), &mut findings)
                .unwrap();
        assert_eq!(empty, Config::default());
    }

    #[test]
    fn every_problem_is_found_at_once() {
        let text = "{ gateway: { prot: 1, port: 99999, mode: 'locl', bind: 5, auth: 'x', token: 't', allowRealIpFallback: 'no',
            trustedProxies: ['nowhere', 7, '::1'], customBindHost: 'host', drainTimeoutMs: 1.5 },
            agents: { list: [{ name: 'x', odd: 1 }, { id: 5 }, { id: 'ok' }, 'no'], defaults: null },
            logging: [], zebra: 1 }";
        assert_eq!(
            problems(text),
            [
                "gateway.prot: Unrecognized key \"prot\" (did you mean \"port\"?)",
                "gateway.port: expected a number from 1 to 65535",
                "gateway.mode: expected one of \"local\", \"remote\" (did you mean \"local\"?)",
                "gateway.bind: expected one of \"auto\", \"lan\", \"loopback\", \"custom\", \"tailnet\"",
                "gateway.auth: expected an object, found a string",
                "gateway.token: Unrecognized key \"token\" (use \"gateway.auth.token\" instead)",
                "gateway.allowRealIpFallback: expected true or false, found a string",
                "gateway.trustedProxies[0]: expected an IP address such as \"192.0.2.7\", or a network such as \"10.0.0.0/8\"",
                "gateway.trustedProxies[1]: expected a string, found a number",
                "gateway.customBindHost: gateway.bind=custom requires a valid IPv4 customBindHost (got host)",
                "gateway.drainTimeoutMs: expected a whole number, found a number",
                "agents.list[0].odd: Unrecognized key \"odd\" (known keys: id, name, default, workspace, identity)",
                "agents.list[0]: the key \"id\" is missing",
                "agents.list[1].id: expected a string, found a number",
                "agents.list[3]: expected an object, found a string",
                "agents.defaults: expected an object, found null (leave the key out to have the default)",
                "logging: expected an object, found a list",
                "zebra: Unrecognized key \"zebra\" (known keys: gateway, logging, agents, models, channels, meta)",
            ]
        );
    }

    #[test]
    fn a_root_that_is_no_object_is_one_problem() {
        assert_eq!(problems("[1, 2]"), ["<root>: expected an object, found a list"]);
        assert_eq!(
            problems("null"),
            ["<root>: expected an object, found null (leave the key out to have the default)"]
        );
    }

    #[test]
    fn the_number_of_problems_is_bounded() {
        let keys: Vec<String> = (0..500).map(|n| format!("k{n}: 1")).collect();
        let found = problems(&format!("{{ {} }}", keys.join(",")));
        assert_eq!(found.len(), 201);
        assert_eq!(found[200], "<root>: there are more than 200 problems (correct these first)");
    }

    #[test]
    fn no_value_is_ever_repeated_where_a_secret_could_stand() {
        for secret in ["'hunter2'", "71077345", "['hunter2']", "{ hunter: 'hunter2' }", "true"] {
            for template in [
                "{ gateway: { auth: { token: [SECRET] } } }",
                "{ gateway: { auth: { mode: SECRET } } }",
                "{ gateway: { auth: { rateLimit: { maxAttempts: SECRET } } } }",
                "{ gateway: { auth: { rateLimit: { exemptLoopback: [SECRET] } } } }",
                "{ gateway: { remote: { url: SECRET } } }",
                "{ gateway: { remote: SECRET } }",
                "{ gateway: { port: SECRET } }",
                "{ gateway: { trustedProxies: [SECRET] } }",
                "{ agents: { defaults: { heartbeat: { every: SECRET } } } }",
                "SECRET",
            ] {
                let found = problems(&template.replace("SECRET", secret)).join("\n");
                let values = ["hunter2", "71077345"];
                assert!(!values.iter().any(|value| found.contains(value)), "{template} {secret}: {found}");
            }
        }
    }

    #[test]
    fn a_key_that_is_nearly_right_is_recognised() {
        let words = ["port", "bind", "customBindHost", "auth"];
        for (given, meant) in [
            ("prot", Some("port")),
            ("Port", Some("port")),
            ("custombindhosts", Some("customBindHost")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(
                nearest_word(given, &words),
                meant.map(|word| format!("did you mean {word:?}?")),
                "{given}"
            );
        }
    }
}
