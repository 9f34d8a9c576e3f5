//! What no single value can tell: values that contradict each other.
//!
//! Only contradictions within the file are problems here. What depends on the environment, on flags or on the machine
//! (may this bind go without a token?) is judged by whoever starts the gateway.

use super::node::{Finding, Node};
use super::path::KeyPath;
use super::section::{Agents, AuthMode, Bind, Config, Gateway, Models};
use crate::instance::Brand;

/// Finds contradictions. Those about a value that is faulty already, or lies in or around one, are not reported.
pub(super) fn add_contradictions(config: &Config, root: &Node, brand: Brand, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    gateway_contradictions(&config.gateway, &mut found);
    agent_contradictions(&config.agents, &mut found);
    model_contradictions(&config.models, &mut found);
    let mark = brand.redacted();
    for (path, secret) in config.secrets() {
        if secret.expose() == mark {
            found.push(Contradiction::at(
                KeyPath::from(path),
                "this is what stands for a secret when it is shown, not the secret",
            ));
        }
    }
    let known: Vec<KeyPath> = findings.iter().map(|finding| finding.path.clone()).collect();
    let touched = |path: &KeyPath| known.iter().any(|known| known.holds(path) || path.holds(known));
    for Contradiction { path, because, message } in found {
        if !touched(&path) {
            let place = root.nearest_place(because.as_ref().unwrap_or(&path));
            findings.push(Finding::new(place, path, message));
        }
    }
}

struct Contradiction {
    /// What must change, or be there.
    path: KeyPath,
    /// The value that demands it, where the other is not there to be shown.
    because: Option<KeyPath>,
    message: String,
}

impl Contradiction {
    fn at(path: KeyPath, message: impl Into<String>) -> Self {
        Self { path, because: None, message: message.into() }
    }

    fn absent(path: &'static str, because: &'static str, message: &str) -> Self {
        Self { path: path.into(), because: Some(because.into()), message: message.to_owned() }
    }
}

/// In the words of protocol notes §6.4.
fn gateway_contradictions(gateway: &Gateway, found: &mut Vec<Contradiction>) {
    if gateway.bind == Some(Bind::Custom) && gateway.custom_bind_host.is_none() {
        let message = "gateway.bind=custom requires gateway.customBindHost";
        found.push(Contradiction::absent("gateway.customBindHost", "gateway.bind", message));
    }
    if gateway.auth.mode != Some(AuthMode::TrustedProxy) {
        return;
    }
    if gateway.auth.trusted_proxy.is_none() {
        let message = "gateway auth mode is trusted-proxy, but no trustedProxy config was provided (set \
                       gateway.auth.trustedProxy)";
        found.push(Contradiction::absent("gateway.auth.trustedProxy", "gateway.auth.mode", message));
    }
    if gateway.trusted_proxies.is_empty() {
        let message = "gateway auth mode=trusted-proxy requires gateway.trustedProxies to be configured with at least \
                       one proxy IP";
        found.push(Contradiction::absent("gateway.trustedProxies", "gateway.auth.mode", message));
    } else if gateway.bind == Some(Bind::Loopback)
        && !gateway.trusted_proxies.iter().any(|range| range.is_loopback())
    {
        let message = "gateway auth mode=trusted-proxy with bind=loopback requires gateway.trustedProxies to include \
                       127.0.0.1, ::1, or a loopback CIDR";
        found.push(Contradiction::at("gateway.trustedProxies".into(), message));
    }
}

fn agent_contradictions(agents: &Agents, found: &mut Vec<Contradiction>) {
    let at = |index: usize, key: &str| {
        let mut path = KeyPath::from("agents.list");
        path.push_index(index);
        path.child(key)
    };
    for (index, agent) in agents.list.iter().enumerate() {
        let earlier = &agents.list[..index];
        if earlier.iter().any(|other| other.id == agent.id) {
            found.push(Contradiction::at(
                at(index, "id"),
                format!("two agents have the id {:?}", agent.id.as_str()),
            ));
        }
        if agent.default && earlier.iter().any(|other| other.default) {
            found.push(Contradiction::at(at(index, "default"), "two agents are the default one".to_owned()));
        }
    }
}

fn model_contradictions(models: &Models, found: &mut Vec<Contradiction>) {
    for (name, provider) in &models.providers {
        for (index, model) in provider.models.iter().enumerate() {
            if provider.models[..index].iter().any(|other| other.id == model.id) {
                let mut path = KeyPath::from("models.providers").child(name).child("models");
                path.push_index(index);
                let message = format!("two models of the provider have the id {:?}", model.id);
                found.push(Contradiction::at(path.child("id"), message));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::decode::decode_all;
    use crate::config::syntax::read_json5;

    fn checked(text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        let mut root = read_json5(text, 0, &KeyPath::ROOT, &mut findings).unwrap();
        let config = decode_all(&mut root, &mut findings).unwrap();
        add_contradictions(&config, &root, Brand::Idlehands, &mut findings);
        findings.into_iter().map(|finding| format!("{}: {}", finding.path, finding.message)).collect()
    }

    #[test]
    fn values_that_contradict_each_other_are_found() {
        let trusted = "gateway: { auth: { mode: 'trusted-proxy'";
        let table = [
            ("{}", vec![]),
            ("{ gateway: { bind: 'custom', customBindHost: '10.0.0.5' } }", vec![]),
            (
                "{ gateway: { bind: 'custom' } }",
                vec!["gateway.customBindHost: gateway.bind=custom requires gateway.customBindHost"],
            ),
            (
                &format!("{{ {trusted} }} }} }}"),
                vec![
                    "gateway.auth.trustedProxy: gateway auth mode is trusted-proxy, but no trustedProxy config was provided \
                     (set gateway.auth.trustedProxy)",
                    "gateway.trustedProxies: gateway auth mode=trusted-proxy requires gateway.trustedProxies to be configured \
                     with at least one proxy IP",
                ],
            ),
            (
                &format!(
                    "{{ {trusted}, trustedProxy: {{ userHeader: 'x' }} }}, trustedProxies: ['10.0.0.1'], bind: 'loopback' }} }}"
                ),
                vec![
                    "gateway.trustedProxies: gateway auth mode=trusted-proxy with bind=loopback requires \
                     gateway.trustedProxies to include 127.0.0.1, ::1, or a loopback CIDR",
                ],
            ),
            (
                &format!(
                    "{{ {trusted}, trustedProxy: {{ userHeader: 'x' }} }}, trustedProxies: ['10.0.0.1', '::1'], bind: 'loopback' }} }}"
                ),
                vec![],
            ),
            (
                "{ agents: { list: [{ id: 'a', default: true }, { id: 'b' }, { id: 'a', default: true }] } }",
                vec![
                    "agents.list[2].id: two agents have the id \"a\"",
                    "agents.list[2].default: two agents are the default one",
                ],
            ),
            (
                "{ models: { providers: { p: { models: [{ id: 'm' }, { id: 'm' }] }, q: { models: [{ id: 'm' }] } } } }",
                vec!["models.providers.p.models[1].id: two models of the provider have the id \"m\""],
            ),
            (
                "{ gateway: { auth: { token: '__IDLEHANDS_REDACTED__' } } }",
                vec!["gateway.auth.token: this is what stands for a secret when it is shown, not the secret"],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(checked(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_faulty_already_is_not_reported_twice() {
        assert_eq!(checked("{ gateway: { bind: 'custom', customBindHost: 5 } }").len(), 1);
        assert_eq!(
            checked(
                "{ gateway: { auth: { mode: 'trusted-proxy', trustedProxy: {} }, trustedProxies: 'x' } }"
            )
            .len(),
            2
        );
    }
}
