//! Gateways of other products: where their port and their token are, so that this one can take both over.
//!
//! A token is read only at the moment when it is taken over, and never told; until then only its place is known.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::parse_value;
use crate::host;
use crate::instance::{BaseDirs, Brand, Instance, Profile, Scope};
use crate::secret::Secret;
use crate::service::inspection::Sibling;
use crate::service::launchd::property_list;
use crate::service::systemd::syntax::File;
use crate::service::systemd::unit::Installed;

/// Nobody's configuration is longer.
const LIMIT: u64 = 4 * 1024 * 1024;

/// What is known of a gateway beyond its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its service.
    pub service: Sibling,
    /// The port it has when it runs.
    pub port: Option<u16>,
    /// Its configuration, where there is one.
    pub config: Option<PathBuf>,
    /// Where its token is.
    pub token: Option<TokenPlace>,
}

/// Where a token is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// A variable of the unit itself.
    Unit(PathBuf, String),
    /// A variable in a file of the unit's.
    Variables(PathBuf, String),
    /// A file with nothing else in it.
    File(PathBuf),
    /// `gateway.auth.token` of a configuration.
    Config(PathBuf),
}

impl std::fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unit(path, name) | Self::Variables(path, name) => write!(f, "{name} in {}", path.display()),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Config(path) => write!(f, "gateway.auth.token in {}", path.display()),
        }
    }
}

impl TokenPlace {
    /// Reads the token. None where it is gone, or no token any more.
    pub fn read(&self) -> io::Result<Option<Secret>> {
        let text = |path: &Path| host::fs::read_text(path, LIMIT).map(Option::unwrap_or_default);
        let found = match self {
            Self::Unit(path, name) => variable(&unit_variables(&text(path)?), name),
            Self::Variables(path, name) => variable(&file_variables(&text(path)?), name),
            Self::File(path) => Some(text(path)?.trim().to_owned()),
            Self::Config(path) => token_in(&text(path)?),
        };
        Ok(found.filter(|token| !token.is_empty()).and_then(|token| Secret::new(&token)))
    }
}

/// Looks at a service of another product.
pub fn look(sibling: &Sibling, dirs: &BaseDirs) -> Foreign {
    let text = read(&sibling.path);
    let unit = File::parse(&text);
    let own = unit_variables(&text);
    let prefix = sibling.product.to_uppercase().replace('-', "_");
    let token_name = format!("{prefix}_GATEWAY_TOKEN");
    let files: Vec<PathBuf> = unit
        .values("Service", "EnvironmentFile")
        .into_iter()
        .map(|path| {
            PathBuf::from(path.trim_start_matches('-').replace("%h", &dirs.home.display().to_string()))
        })
        .collect();
    let mut all: Vec<(String, String)> = files.iter().flat_map(|file| file_variables(&read(file))).collect();
    all.extend(own.clone());

    let config = config_of(sibling, &all, &prefix, dirs);
    let settings = config.as_deref().map(read).and_then(|text| parse_value(&text).ok());
    let configured = settings.as_ref().and_then(|value| value.pointer("/gateway/port")?.as_u64());
    let port = sibling
        .port
        .or_else(|| variable(&all, &format!("{prefix}_GATEWAY_PORT"))?.parse().ok())
        .or_else(|| u16::try_from(configured?).ok())
        .or_else(|| usual_port(sibling));
    let in_file =
        files.into_iter().find(|file| variable(&file_variables(&read(file)), &token_name).is_some());
    let credential = unit.values("Service", "LoadCredential").into_iter().find_map(|line| {
        let (name, path) = line.split_once(':')?;
        (name == token_name)
            .then(|| PathBuf::from(path))
            .filter(|path| host::fs::read_text(path, LIMIT).is_ok())
    });
    let in_config =
        settings.as_ref().is_some_and(|value| value.pointer("/gateway/auth/token").is_some_and(is_literal));
    let token = if let Some(file) = in_file {
        Some(TokenPlace::Variables(file, token_name))
    } else if variable(&own, &token_name).is_some() {
        Some(TokenPlace::Unit(sibling.path.clone(), token_name))
    } else if let Some(path) = credential.filter(|path| path.exists()) {
        Some(TokenPlace::File(path))
    } else {
        config.clone().filter(|_| in_config).map(TokenPlace::Config)
    };
    Foreign { service: sibling.clone(), port, config, token }
}

fn read(path: &Path) -> String {
    // What cannot be read says nothing.
    host::fs::read_text(path, LIMIT).ok().flatten().unwrap_or_default()
}

fn variable(all: &[(String, String)], name: &str) -> Option<String> {
    let value = all.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    value.filter(|value| !value.is_empty())
}

/// The variables that a unit, or a property list, sets.
fn unit_variables(text: &str) -> Vec<(String, String)> {
    match property_list::read(text.as_bytes()) {
        Ok(values) => property_list::variables(&values),
        Err(_) => Installed::read(text, Brand::Idlehands).environment,
    }
}

/// The variables in a file of `EnvironmentFile=` (systemd.exec(5)): quotes around a value are not part of it.
fn file_variables(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| {
            let value = value.trim();
            let quoted =
                ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
            (name.trim().to_owned(), quoted.unwrap_or(value).to_owned())
        })
        .collect()
}

/// Where the configuration of a gateway is, if there is one.
fn config_of(
    sibling: &Sibling,
    variables: &[(String, String)],
    prefix: &str,
    dirs: &BaseDirs,
) -> Option<PathBuf> {
    let chosen = |name: &str| variable(variables, &format!("{prefix}_{name}")).map(PathBuf::from);
    let product = &sibling.product;
    let path = chosen("CONFIG_PATH").or_else(|| {
        let state = chosen("STATE_DIR").or_else(|| match (sibling.user, brand(product)) {
            // Its files follow from its name, as ours do.
            (false, Some(brand)) => {
                let profile = Profile::parse(sibling.profile.as_deref().unwrap_or("default")).ok()?;
                let instance = Instance::of_system(brand, profile, dirs);
                instance.paths.config.parent().map(Path::to_owned)
            }
            (false, None) => None,
            (true, _) => {
                let profile = sibling.profile.as_ref().map(|name| format!("-{name}")).unwrap_or_default();
                Some(dirs.home.join(format!(".{product}{profile}")))
            }
        });
        Some(state?.join(format!("{product}.json")))
    });
    path.filter(|path| path.is_file())
}

fn brand(product: &str) -> Option<Brand> {
    Brand::ALL.into_iter().find(|brand| brand.slug() == product)
}

/// The port of a gateway for which nobody chose one.
fn usual_port(sibling: &Sibling) -> Option<u16> {
    let profile = Profile::parse(sibling.profile.as_deref().unwrap_or("default")).ok()?;
    // Only of products of this family it is known how a profile's name makes a port.
    (brand(&sibling.product).is_some() || profile == Profile::Default).then(|| profile.default_port())
}

fn is_literal(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty() && !text.contains("${"))
}

fn token_in(config: &str) -> Option<String> {
    let value = parse_value(config).ok()?;
    let token = value.pointer("/gateway/auth/token")?;
    token.as_str().filter(|_| is_literal(token)).map(str::to_owned)
}

/// Whether a service is one that this user may stop and disable. Disabling a link would remove it, and whoever made it
/// looks after it (lifecycle notes E9.5).
pub fn is_changeable(sibling: &Sibling, scope: Scope) -> bool {
    let linked = sibling.path.is_symlink();
    match scope {
        _ if linked => false,
        Scope::User => sibling.user,
        Scope::System => !sibling.user && host::user::id() == 0,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn put(path: &Path, text: &str) {
        host::fs::write_atomic(path, text.as_bytes(), host::fs::PRIVATE).unwrap();
    }

    fn sibling(home: &Path, product: &str, profile: Option<&str>, unit: &str) -> Sibling {
        let path = home.join("unit.service");
        put(&path, unit);
        Sibling {
            unit: format!("{product}-gateway.service"),
            path,
            user: true,
            product: product.to_owned(),
            profile: profile.map(str::to_owned),
            port: None,
            token_from: None,
            enabled: true,
            running: None,
        }
    }

    #[test]
    fn port_and_token_are_found_where_their_products_keep_them() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let dirs = BaseDirs::under(home);
        let config = home.join(".openclaw/openclaw.json");
        fs::create_dir(home.join(".openclaw")).unwrap();
        put(&config, "{ gateway: { port: 18790, auth: { token: 'hunter2' } } }");
        let env = home.join("gw.env");
        put(&env, "# x\nOPENCLAW_GATEWAY_TOKEN=\"hunter3\"\nOPENCLAW_GATEWAY_PORT=18791\n");
        let with_file = format!("[Service]\nEnvironmentFile=-{}\n", env.display());
        let in_unit = "[Service]\nEnvironment=OPENCLAW_GATEWAY_TOKEN=hunter4\n";
        let unit = home.join("unit.service");
        let name = || "OPENCLAW_GATEWAY_TOKEN".to_owned();
        let table = [
            ("openclaw", None, "", Some(18790), Some((TokenPlace::Config(config), "hunter2"))),
            (
                "openclaw",
                None,
                with_file.as_str(),
                Some(18791),
                Some((TokenPlace::Variables(env, name()), "hunter3")),
            ),
            ("openclaw", None, in_unit, Some(18790), Some((TokenPlace::Unit(unit, name()), "hunter4"))),
            ("openclaw", Some("work"), "", None, None),
            ("moltbot", None, "", Some(18789), None),
            ("mayros", Some("dev"), "", Some(19001), None),
        ];
        for (product, profile, text, port, token) in table {
            let found = look(&sibling(home, product, profile, text), &dirs);
            assert_eq!(
                (found.port, found.token.as_ref()),
                (port, token.as_ref().map(|(place, _)| place)),
                "{text}"
            );
            if let Some((place, value)) = token {
                assert!(!place.to_string().contains("hunter"), "{place}");
                assert_eq!(place.read().unwrap().unwrap().expose(), value);
            }
        }
    }
}
