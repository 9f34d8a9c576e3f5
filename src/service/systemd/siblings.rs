//! Other gateways on this machine: other profiles, other products of this family, and OpenClaw's, in both scopes.
//!
//! Found by the names of their unit files, which are looked at and never changed.

use std::path::{Path, PathBuf};

use super::layers::{Layer, merge};
use super::quoting;
use super::specifier::Specifiers;
use super::syntax::File;
use crate::host;
use crate::instance::{Brand, Env};
use crate::service::inspection::Sibling;
use crate::service::place;

/// Products whose gateways this one can take over from.
const OTHERS: [&str; 3] = ["openclaw", "clawdbot", "moltbot"];

/// Where a system manager reads units, the first of which counts (systemd.unit(5)).
pub const SYSTEM_DIRS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Product and profile of a unit's name, if it is that of a gateway: `mayros-gateway-work.service`.
pub fn named(unit: &str) -> Option<(String, Option<String>)> {
    let stem = unit.strip_suffix(".service")?;
    let slugs = Brand::ALL.iter().map(|brand| brand.slug()).chain(OTHERS);
    slugs.into_iter().find_map(|slug| {
        let rest = stem.strip_prefix(slug)?.strip_prefix("-gateway")?;
        match rest.strip_prefix('-') {
            Some(profile) => Some((slug.to_owned(), Some(profile.to_owned()))),
            None => rest.is_empty().then(|| (slug.to_owned(), None)),
        }
    })
}

/// Looks into the directories of one manager. `own` is left out.
pub fn find(dirs: &[PathBuf], user: bool, own: Option<&str>, specifiers: &Specifiers) -> Vec<Sibling> {
    let mut found: Vec<Sibling> = Vec::new();
    for path in dirs.iter().flat_map(|dir| host::stat::names(dir)) {
        let Some(unit) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some((product, profile)) = named(unit) else { continue };
        if Some(unit) == own || found.iter().any(|sibling| sibling.unit == unit) {
            continue;
        }
        // What cannot be read is there all the same.
        let text = host::fs::read_text(&path, place::LIMIT).ok().flatten().unwrap_or_default();
        let enabled = dirs.iter().any(|dir| {
            ["default.target.wants", "multi-user.target.wants"]
                .iter()
                .any(|edge| dir.join(edge).join(unit).symlink_metadata().is_ok())
        });
        let (port, token_from) = says(&text, &product, specifiers);
        let unit = unit.to_owned();
        found.push(Sibling { unit, path, user, product, profile, port, token_from, enabled, running: None });
    }
    found
}

/// The port and the source of the token that a unit names. A token itself is never read out.
fn says(text: &str, product: &str, specifiers: &Specifiers) -> (Option<u16>, Option<String>) {
    let merged = merge([&Layer { path: PathBuf::new(), file: File::parse(text) }], specifiers);
    let prefix = product.to_uppercase().replace('-', "_");
    let command = File::parse(text).value("Service", "ExecStart").map(quoting::command_words);
    let words = command.and_then(Result::ok).unwrap_or_default();
    let flag = words.iter().skip_while(|word| *word != "--port").nth(1).and_then(|port| port.parse().ok());
    let variable = |name: &str| {
        let name = format!("{prefix}_{name}");
        let held = merged.variables().find(|(variable, _)| *variable == name);
        held.and_then(|(_, held)| held.words().split_once('=').map(|(_, value)| value.to_owned()))
    };
    let port = flag.or_else(|| variable("GATEWAY_PORT").and_then(|port| port.parse().ok()));
    let named = |key: &str| merged.get("Service", key).map(Held::words);
    let token = if variable("GATEWAY_TOKEN").is_some() {
        Some(format!("{prefix}_GATEWAY_TOKEN in the unit"))
    } else if words.iter().any(|word| word == "--token" || word.starts_with("--token=")) {
        Some("--token in the unit's command".to_owned())
    } else {
        named("LoadCredential").or_else(|| named("EnvironmentFile"))
    };
    (port, token)
}

use super::layers::Held;

/// The directories of a user's manager, where it cannot be asked (systemd.unit(5), "User Unit Search Path").
pub fn user_dirs(config_home: &Path, env: &Env) -> Vec<PathBuf> {
    let runtime = env.os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", host::user::id())));
    let mut dirs = vec![
        config_home.join("systemd/user.control"),
        runtime.join("systemd/user.control"),
        config_home.join("systemd/user"),
        PathBuf::from("/etc/systemd/user"),
        runtime.join("systemd/user"),
        PathBuf::from("/run/systemd/user"),
    ];
    if let Some(home) = env.os("HOME") {
        dirs.push(Path::new(home).join(".local/share/systemd/user"));
    }
    dirs.extend(["/usr/local/lib/systemd/user", "/usr/lib/systemd/user"].map(PathBuf::from));
    dirs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_are_known_by_their_names() {
        let table = [
            ("mayros-gateway.service", Some(("mayros", None))),
            ("smart-agent-neo-gateway-work.service", Some(("smart-agent-neo", Some("work")))),
            ("openclaw-gateway-a-b.service", Some(("openclaw", Some("a-b")))),
            ("openclaw-node.service", None),
            ("fased-gatewayx.service", None),
            ("fased-gateway.socket", None),
        ];
        for (unit, expected) in table {
            let named = named(unit);
            let named = named.as_ref().map(|(product, profile)| (product.as_str(), profile.as_deref()));
            assert_eq!(named, expected, "{unit}");
        }
    }

    #[test]
    fn port_and_source_of_the_token_are_told_and_the_token_is_not() {
        let table = [
            (
                "[Service]\nExecStart=/bin/openclaw gateway --port 18790\nEnvironment=OPENCLAW_GATEWAY_TOKEN=hunter2\n",
                Some(18790),
                Some("OPENCLAW_GATEWAY_TOKEN in the unit"),
            ),
            (
                "[Service]\nExecStart=/bin/openclaw gateway --token hunter2\nEnvironment=\"OPENCLAW_GATEWAY_PORT=1\"\n",
                Some(1),
                Some("--token in the unit's command"),
            ),
            (
                "[Service]\nExecStart=/bin/openclaw gateway\nEnvironmentFile=-/home/a/.openclaw/gateway.systemd.env\n",
                None,
                Some("-/home/a/.openclaw/gateway.systemd.env"),
            ),
            ("junk", None, None),
        ];
        for (text, port, token) in table {
            assert_eq!(
                says(text, "openclaw", &Specifiers::default()),
                (port, token.map(str::to_owned)),
                "{text}"
            );
        }
    }
}
