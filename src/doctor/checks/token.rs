//! The gateway's token: missing, or easy to guess.

use crate::config::KeyPath;
use crate::config::section::{AuthMode, Bind};
use crate::doctor::facts::Facts;
use crate::doctor::finding::{Action, Class, Finding, Severity};
use crate::secret::Secret;
use crate::service::shell::word;

/// Characters below which a secret can be guessed.
const SHORT: usize = 16;
/// Different characters below which it can.
const FEW: usize = 6;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.config.config.is_err() || !facts.config.exists {
        return Vec::new();
    }
    let gateway = &facts.settings.gateway;
    let auth = &gateway.auth;
    let implied = if auth.password.is_some() { AuthMode::Password } else { AuthMode::Token };
    let place = |finding: Finding, key: &'static str| {
        let origin = facts.config.origin(&KeyPath::from(key));
        let (file, line) =
            origin.map_or((facts.config.path.clone(), None), |origin| (origin.file, Some(origin.line)));
        finding.key(key).at(file, line)
    };
    let mut found = Vec::new();
    let weak = || Finding::new("token.weak", Severity::Warning, "the secret for clients is easy to guess");
    let handed = |key: &str| {
        let name = if key == "gateway.auth.token" { "GATEWAY_TOKEN" } else { "GATEWAY_PASSWORD" };
        let name = facts.instance.brand.var(name);
        facts.handed.iter().find(|(handed, _)| *handed == name)
    };
    // Where its secrets are root's, not everybody can tell.
    let hidden = facts.instance.paths.credentials.is_some() && !facts.service.observed.may_write;
    let command = facts.instance.command();
    let mut weigh = |secret: &Option<Secret>, key: &'static str| match secret {
        None if hidden => {}
        None if let Some((name, secret)) = handed(key) => {
            if secret.as_ref().is_none_or(is_weak) {
                let file = facts.instance.paths.credentials.clone().unwrap_or_default().join(name);
                let fix = format!("sudo rm {}, then: sudo {command} doctor --fix", word(&file));
                found.push(weak().key(key).at(file, None).hint(format!("To have a new one made: {fix}")));
            }
        }
        None => {
            let known =
                if facts.token_in_env { " (that of this shell does not reach a service)" } else { "" };
            let finding = Finding::new(
                "token.missing",
                Severity::Error,
                format!("the configuration has no secret for clients{known}"),
            );
            let finding = place(finding, key);
            found.push(match key {
                "gateway.auth.token" => finding.repair(Class::Fix, [Action::Token]),
                _ => finding.hint(format!("Run: {} config set {key}", facts.instance.command())),
            });
        }
        Some(secret) if is_weak(secret) => {
            let unset = format!("{command} config unset {key}, then: {command} doctor --fix");
            found.push(place(weak(), key).hint(format!("To have a new one made: {unset}")));
        }
        Some(_) => {}
    };
    match auth.mode.unwrap_or(implied) {
        AuthMode::Token => weigh(&auth.token, "gateway.auth.token"),
        AuthMode::Password => weigh(&auth.password, "gateway.auth.password"),
        AuthMode::None => {
            let open = !matches!(gateway.bind, None | Some(Bind::Loopback));
            let severity = if open { Severity::Error } else { Severity::Warning };
            let who = if open { "everybody who can reach it" } else { "every user of this machine" };
            let finding = Finding::new(
                "token.none",
                severity,
                format!("the gateway asks for no secret: it obeys {who}"),
            );
            found.push(place(finding, "gateway.auth.mode"));
        }
        AuthMode::TrustedProxy => {}
    }
    found
}

fn is_weak(secret: &Secret) -> bool {
    let text = secret.expose();
    let mut different: Vec<char> = text.chars().collect();
    different.sort_unstable();
    different.dedup();
    text.chars().count() < SHORT || different.len() < FEW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_uniform_secrets_are_weak() {
        let table = [
            ("hunter2", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaa", true),
            ("abababababababababab", true),
            ("correct-horse-battery", false),
            ("3f9c0a7be1d2465f8a90", false),
        ];
        for (text, weak) in table {
            assert_eq!(is_weak(&Secret::new(text).unwrap()), weak, "{text}");
        }
    }
}
