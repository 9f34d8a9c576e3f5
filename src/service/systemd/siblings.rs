//! Other gateways on this machine: other profiles, other products of this family, and OpenClaw's, in both scopes.
//!
//! Found by the names of their unit files, which are looked at and never changed.

use std::path::{Path, PathBuf};

use super::layers::{Held, Layer, drop_in_dirs, drop_in_order, merge};
use super::neighbour::is_edge;
use super::specifier::Specifiers;
use super::syntax::File;
use super::words::start_target;
use super::{enabled, quoting};
use crate::host;
use crate::instance::{Brand, Env, Scope};
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

/// Product and profile of a unit's name, if it is that of a gateway: `mayros-gateway-work.service`, or an instance of a
/// template, `mayros-gateway@work.service`.
pub fn named(unit: &str) -> Option<(String, Option<String>)> {
    let stem = unit.strip_suffix(".service")?;
    let slugs = Brand::ALL.iter().map(|brand| brand.slug()).chain(OTHERS);
    slugs.into_iter().find_map(|slug| {
        let rest = stem.strip_prefix(slug)?.strip_prefix("-gateway")?;
        match rest.strip_prefix(['-', '@']) {
            // A template by itself is no service.
            Some("") => None,
            Some(profile) => Some((slug.to_owned(), Some(profile.to_owned()))),
            None => rest.is_empty().then(|| (slug.to_owned(), None)),
        }
    })
}

/// The same for the names of earlier days, which other services of the product have too: `openclaw-work.service`. What
/// it runs decides.
fn named_formerly(unit: &str, command: &[String]) -> Option<(String, Option<String>)> {
    let stem = unit.strip_suffix(".service")?;
    let runs_gateway = command.iter().skip(1).any(|word| word == "gateway");
    OTHERS.into_iter().filter(|_| runs_gateway).find_map(|slug| {
        let rest = stem.strip_prefix(slug)?;
        match rest.strip_prefix('-') {
            Some(profile) => Some((slug.to_owned(), Some(profile.to_owned()))),
            None => rest.is_empty().then(|| (slug.to_owned(), None)),
        }
    })
}

/// Looks into the directories of one manager, and for what runs under it though its file is gone. `own` is left out.
pub fn find(dirs: &[PathBuf], user: bool, own: Option<&str>, specifiers: &Specifiers) -> Vec<Sibling> {
    let target = start_target(if user { Scope::User } else { Scope::System });
    let groups = groups(user);
    let in_dirs = dirs.iter().flat_map(|dir| host::stat::names(dir));
    // Instances of templates have no file of their own, but a link that starts them.
    let edges = dirs.iter().flat_map(|dir| host::stat::names(dir)).filter(|dir| is_edge(dir));
    let links = edges.flat_map(|dir| host::stat::names(&dir));
    let links = links.filter(|link| link.to_string_lossy().contains('@') && link.exists());
    let mut found: Vec<Sibling> = Vec::new();
    for path in in_dirs.chain(links).chain(groups.iter().cloned()) {
        let Some(unit) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let may_be = OTHERS.into_iter().any(|slug| unit.starts_with(slug)) || named(unit).is_some();
        if !may_be || Some(unit) == own || found.iter().any(|sibling| sibling.unit == unit) {
            continue;
        }
        // What cannot be read is there all the same; a mask is nothing.
        let texts = texts(&path, unit, dirs);
        let command = command(&texts);
        let Some((product, profile)) = named(unit).or_else(|| named_formerly(unit, &command)) else {
            continue;
        };
        let running = groups.iter().any(|group| group.file_name() == path.file_name());
        let masked = path.canonicalize().is_ok_and(|real| real == Path::new("/dev/null"));
        if masked && !running {
            continue;
        }
        let enabled = enabled::look(dirs, unit).starts_with(target);
        let (port, token_from) = says(&texts, &product, specifiers);
        let port = port.or_else(|| port_of(&running_command(&path)?));
        let (unit, running) = (unit.to_owned(), running.then_some(true));
        found.push(Sibling { unit, path, user, product, profile, port, token_from, enabled, running });
    }
    found
}

/// The control groups of services that run under this user's manager, or the machine's: whoever wants to know needs no
/// permission to ask for that, and finds also what has no file any more.
fn groups(user: bool) -> Vec<PathBuf> {
    let id = host::user::id();
    let root = Path::new("/sys/fs/cgroup");
    let slices = match user {
        true => {
            let manager = root.join(format!("user.slice/user-{id}.slice/user@{id}.service"));
            vec![manager.join("app.slice"), manager]
        }
        false => vec![root.join("system.slice")],
    };
    let within = slices.iter().flat_map(|slice| host::stat::names(slice));
    // Instances of a template have a slice of their own in between.
    let nested = |path: PathBuf| match path.extension().is_some_and(|kind| kind == "slice") {
        true => host::stat::names(&path),
        false => vec![path],
    };
    within.flat_map(nested).filter(|path| path.is_dir()).collect()
}

/// The command of the first process in a control group, for a unit that is found nowhere else.
fn running_command(group: &Path) -> Option<Vec<String>> {
    let pids = std::fs::read_to_string(group.join("cgroup.procs")).ok()?;
    let line = std::fs::read(Path::new("/proc").join(pids.lines().next()?).join("cmdline")).ok()?;
    Some(line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// A unit and its drop-ins.
fn texts(path: &Path, unit: &str, dirs: &[PathBuf]) -> Vec<Layer> {
    let drop_ins = drop_in_dirs(unit, dirs).into_iter().flat_map(|dir| host::stat::names(&dir));
    std::iter::once(path.to_owned())
        .chain(drop_in_order(drop_ins))
        .filter_map(|path| {
            let text = host::fs::read_text(&path, place::LIMIT).ok().flatten()?;
            Some(Layer { path, file: File::parse(&text) })
        })
        .collect()
}

/// The words of the last command that counts.
fn command(texts: &[Layer]) -> Vec<String> {
    let lines = texts.iter().rev().find_map(|layer| layer.file.value("Service", "ExecStart"));
    lines.and_then(|line| quoting::command_words(line).ok()).unwrap_or_default()
}

/// The port that a command names.
fn port_of(words: &[String]) -> Option<u16> {
    let next = words.iter().skip_while(|word| *word != "--port").nth(1).map(String::as_str);
    next.or_else(|| words.iter().find_map(|word| word.strip_prefix("--port=")))
        .and_then(|port| port.parse().ok())
}

/// The port and the source of the token that a unit names. A token itself is never read out.
fn says(texts: &[Layer], product: &str, specifiers: &Specifiers) -> (Option<u16>, Option<String>) {
    let merged = merge(texts, specifiers);
    let prefix = product.to_uppercase().replace('-', "_");
    let words = command(texts);
    let flag = port_of(&words);
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

    fn layer(text: &str) -> Layer {
        Layer { path: "/u".into(), file: File::parse(text) }
    }

    #[test]
    fn gateways_are_known_by_their_names() {
        let table = [
            ("mayros-gateway.service", Some(("mayros", None))),
            ("smart-agent-neo-gateway-work.service", Some(("smart-agent-neo", Some("work")))),
            ("openclaw-gateway-a-b.service", Some(("openclaw", Some("a-b")))),
            ("openclaw-node.service", None),
            ("fased-gateway@work.service", Some(("fased", Some("work")))),
            ("fased-gateway@.service", None),
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
    fn names_of_earlier_days_are_gateways_where_they_run_one() {
        let table = [
            (
                "openclaw-work.service",
                "/usr/bin/node /opt/openclaw gateway --port 1",
                Some(("openclaw", Some("work"))),
            ),
            ("clawdbot.service", "/usr/bin/clawdbot gateway", Some(("clawdbot", None))),
            ("openclaw-node.service", "/usr/bin/node /opt/openclaw node run", None),
            ("mayros-work.service", "/usr/bin/mayros gateway run", None),
        ];
        for (unit, line, expected) in table {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let named = named_formerly(unit, &words);
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
                says(&[layer(text)], "openclaw", &Specifiers::default()),
                (port, token.map(str::to_owned)),
                "{text}"
            );
        }
    }
}
