//! Other gateways on this machine: other profiles, other products of this family, and OpenClaw's, among the agents and
//! the daemons.
//!
//! Found by their labels, and looked at; never changed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use plist::{Dictionary, Value};

use super::control::{Control, Way};
use super::failure::Failure;
use super::job::Installed;
use super::launchctl::{self, Answer, Domain, Look};
use super::meaning::{VARIABLES, truth};
use super::{Launchd, disk, property_list};
use crate::host;
use crate::instance::{Brand, Scope};
use crate::service::error::ServiceError;
use crate::service::inspection::Sibling;
use crate::service::place;

/// Labels of products whose gateways this one can take over from, up to the profile; and the product.
const OTHERS: [(&str, &str); 3] =
    [("ai.openclaw.", "openclaw"), ("com.clawdbot.", "clawdbot"), ("bot.molt.", "moltbot")];
/// Whatever has this for a profile is no gateway.
const NODE: &str = "node";

/// Product and profile of a label, if it is that of a gateway: `ai.mayros.gateway`, `ai.mayros.work`.
pub fn labelled(label: &str) -> Option<(String, Option<String>)> {
    let own = Brand::ALL.iter().map(|brand| (format!("ai.{}.", brand.compact()), brand.slug()));
    let others = OTHERS.iter().map(|(prefix, product)| ((*prefix).to_owned(), *product));
    own.chain(others).find_map(|(prefix, product)| {
        let profile = label.strip_prefix(&prefix)?;
        match profile {
            "" | NODE => None,
            "gateway" => Some((product.to_owned(), None)),
            other => Some((product.to_owned(), Some(other.to_owned()))),
        }
    })
}

/// Looks into the directories of one kind of job. `own` is left out.
pub fn definitions_in(dirs: &[PathBuf], user: bool, own: Option<&Path>) -> Vec<Sibling> {
    let mut found: Vec<Sibling> = Vec::new();
    for path in dirs.iter().flat_map(|dir| host::stat::names(dir)) {
        let Some(stem) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".plist")) else {
            continue;
        };
        // What cannot be read is there all the same, under the name that it most likely has.
        let bytes = host::fs::read_bytes(&path, place::LIMIT).ok().flatten().unwrap_or_default();
        let values = property_list::read(&bytes).unwrap_or_default();
        let label = property_list::text(&values, "Label").unwrap_or(stem).to_owned();
        let Some((product, profile)) = labelled(&label) else { continue };
        if Some(path.as_path()) == own || found.iter().any(|sibling| sibling.unit == label) {
            continue;
        }
        let (port, token_from) = port_and_token(&values, &product);
        let enabled = values.get("Disabled").and_then(truth) != Some(true);
        found.push(Sibling {
            unit: label,
            path,
            user,
            product,
            profile,
            port,
            token_from,
            enabled,
            running: None,
        });
    }
    found
}

impl Launchd {
    /// Other gateways, with what launchd has of them.
    pub async fn others(&self) -> Vec<Sibling> {
        let this = self.clone();
        // Reading neither panics nor is it aborted: the runtime is still here to await it.
        let work = tokio::task::spawn_blocking(move || this.defined_elsewhere());
        let mut found = work.await.unwrap_or_default();
        if let Ok(control) = self.control() {
            ask_about(&mut found, control.domain.get()).await;
        }
        found
    }

    /// Every definition of another gateway, in both scopes.
    pub(super) fn defined_elsewhere(&self) -> Vec<Sibling> {
        let (user, own) = (self.instance.scope == Scope::User, disk::plist_path(&self.instance));
        let daemons = std::slice::from_ref(&self.dirs.jobs);
        let agents = match self.instance.scope {
            Scope::User => vec![self.instance.paths.job_dir.clone(), self.dirs.agents.clone()],
            Scope::System => vec![self.dirs.agents.clone()],
        };
        let mut found = definitions_in(&agents, true, user.then_some(own.as_path()));
        found.extend(definitions_in(daemons, false, (!user).then_some(own.as_path())));
        found
    }

    /// Takes down another gateway's job: it is unloaded, and its label forbidden. Its file stays as it is.
    pub async fn retire(&self, label: &str) -> Result<(), ServiceError> {
        let other = Control { label: label.to_owned(), ..self.control()?.clone() };
        // First, so that nothing loads it again meanwhile.
        match launchctl::set_enabled(other.domain.get(), label, false).await? {
            Answer::Done => {}
            refused => return Err(Failure::refused("disable", label, refused).into()),
        }
        Ok(other.stop(&mut Way { tick: &mut |_| {}, limit: Some(PATIENCE), claim: None, known: &[] }).await?)
    }
}

/// How long its gateway may take to end: those of other products drain for more than five minutes.
const PATIENCE: Duration = Duration::from_secs(400);

/// Asks launchd which of them run, and which must not start by themselves.
pub async fn ask_about(siblings: &mut [Sibling], domain: Domain) {
    let user = domain != Domain::System;
    // A domain that tells nothing about overrides has none that are known.
    let overrides = launchctl::overrides(domain).await.unwrap_or_default();
    // Each question takes a moment, and nobody has more gateways than this.
    for sibling in siblings.iter_mut().filter(|sibling| sibling.user == user).take(16) {
        if let Ok(look) = launchctl::look(domain, &sibling.unit).await {
            sibling.running = Some(matches!(look, Look::Loaded(printed) if printed.pid.is_some()));
        }
        if let Some(disabled) = super::print::override_of(&overrides, &sibling.unit) {
            sibling.enabled = !disabled;
        }
    }
}

/// The port and the source of the token that a definition names. A token itself is never read out.
fn port_and_token(values: &Dictionary, product: &str) -> (Option<u16>, Option<String>) {
    let words = property_list::texts(values, "ProgramArguments");
    let prefix = product.to_uppercase().replace('-', "_");
    let variables = values.get(VARIABLES).and_then(Value::as_dictionary);
    let variable = |name: &str| {
        let value = variables?.get(&format!("{prefix}_{name}"))?;
        value
            .as_string()
            .map(str::to_owned)
            .or_else(|| value.as_unsigned_integer().map(|port| port.to_string()))
    };
    let flagged = Installed { command: words.clone(), ..Installed::default() }.port();
    let port = flagged.or_else(|| variable("GATEWAY_PORT").and_then(|port| port.parse().ok()));
    let token = if variable("GATEWAY_TOKEN").is_some_and(|token| !token.is_empty()) {
        Some(format!("{prefix}_GATEWAY_TOKEN in its property list"))
    } else if words.iter().any(|word| word == "--token" || word.starts_with("--token=")) {
        Some("--token in its arguments".to_owned())
    } else {
        // OpenClaw's starts by a script that reads a file of variables first (lifecycle notes C2).
        words.iter().find(|word| word.starts_with('/') && word.ends_with(".env")).cloned()
    };
    (port, token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_are_known_by_their_labels() {
        let table = [
            ("ai.mayros.gateway", Some(("mayros", None))),
            ("ai.smartagentneo.work", Some(("smart-agent-neo", Some("work")))),
            ("ai.openclaw.gateway", Some(("openclaw", None))),
            ("bot.molt.gateway", Some(("moltbot", None))),
            ("ai.openclaw.node", None),
            ("ai.openclaw.", None),
            ("ai.openclawx.gateway", None),
            ("com.apple.Finder", None),
        ];
        for (label, expected) in table {
            let named = labelled(label);
            let named = named.as_ref().map(|(product, profile)| (product.as_str(), profile.as_deref()));
            assert_eq!(named, expected, "{label}");
        }
    }

    #[test]
    fn port_and_source_of_the_token_are_told_and_the_token_is_not() {
        let table = [
            (
                "<key>ProgramArguments</key><array><string>/bin/o</string><string>--port</string><string>18790</string></array>\
                 <key>EnvironmentVariables</key><dict><key>OPENCLAW_GATEWAY_TOKEN</key><string>hunter2</string></dict>",
                Some(18790),
                Some("OPENCLAW_GATEWAY_TOKEN in its property list"),
            ),
            (
                "<key>ProgramArguments</key><array><string>/bin/o</string><string>--token=hunter2</string></array>\
                 <key>EnvironmentVariables</key><dict><key>OPENCLAW_GATEWAY_PORT</key><integer>7</integer></dict>",
                Some(7),
                Some("--token in its arguments"),
            ),
            (
                "<key>ProgramArguments</key><array><string>/bin/sh</string><string>/w.sh</string><string>/s/a.env</string></array>",
                None,
                Some("/s/a.env"),
            ),
            ("", None, None),
        ];
        for (xml, port, token) in table {
            let text = format!("<plist version=\"1.0\"><dict>{xml}</dict></plist>");
            let values = property_list::read(text.as_bytes()).unwrap();
            assert_eq!(port_and_token(&values, "openclaw"), (port, token.map(str::to_owned)), "{xml}");
        }
    }
}
