//! The first configuration of a gateway, and the token it cannot do without.

use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::edit::{EditError, set_value};
use super::problem::Problem;
use super::section::AuthMode;
use super::source::Source;
use super::write::{WriteError, update_config};
use crate::host::fs::{PRIVATE, private_dir, read_text, write_atomic};
use crate::instance::{Instance, Profile};
use crate::secret::Secret;

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 32;
/// How many ports are tried before every one counts as taken.
const PORTS: usize = 500;

/// A configuration that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Created {
    /// The file.
    pub path: PathBuf,
    /// The token: in it, or for a system service beside it.
    pub token: Secret,
    /// The port the gateway will listen on.
    pub port: u16,
}

/// What there is to say about a configuration's token.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// There was one already.
    Present,
    /// There was none; this one was made and written.
    Added(Secret),
    /// Clients prove who they are in another way.
    NotNeeded(AuthMode),
}

/// Why there is no new configuration or token.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is a configuration already.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// There is no configuration to add a token to.
    #[error("there is no configuration at {}", .0.display())]
    Missing(PathBuf),
    /// The configuration is not valid.
    #[error("the configuration is not valid")]
    Invalid(Vec<Problem>),
    /// Other profiles claim every port.
    #[error("every port for a profile is claimed by another one: set gateway.port by hand")]
    NoPort,
    /// The system has no randomness to give.
    #[error("the system gave no random bytes for a token")]
    Random(#[from] getrandom::Error),
    /// The token cannot be put into the text.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Writes the first configuration of an instance: a local gateway with a new token, and for a named profile a port
/// that no other profile of the brand claims. Refuses to touch a file that exists. Blocks; call it off the runtime.
pub fn create_minimal(source: &Source, instance: &Instance) -> Result<Created, CreateError> {
    let (token, text) = token_for_config()?;
    let port = unclaimed_port(source, instance)?;
    let own_port = port == instance.profile.default_port() && !matches!(instance.profile, Profile::Named(_));
    let explicit = (!own_port).then_some(port);
    let place = match &source.credentials {
        None => format!(
            "// Whoever has this token controls the gateway. Keep it to yourself.\n      token: \"{text}\","
        ),
        Some(dir) => format!(
            "// Whoever has the token controls the gateway. It is root's alone, in the files of\n      // {}: each is handed to the service by its name.",
            dir.display()
        ),
    };
    update_config(source, |old| match old.exists {
        true => Err(CreateError::Exists(source.path.clone())),
        false => Ok(Some(first_text(instance, &place, explicit))),
    })?;
    let token = keep_token(source, token)?;
    Ok(Created { path: source.path.clone(), token, port })
}

/// Makes sure that a configuration whose clients need a token has one, leaving everything else in the file as it is.
///
/// The environment's token does not count: a service does not have the operator's environment.
pub fn ensure_token(source: &Source) -> Result<Token, CreateError> {
    if !source.path.exists() {
        return Err(CreateError::Missing(source.path.clone()));
    }
    let mut outcome = Token::Present;
    update_config(source, |old| {
        let auth = match &old.config {
            Ok(config) => &config.gateway.auth,
            Err(problems) => return Err(CreateError::Invalid(problems.clone())),
        };
        // Protocol notes §6.2: without a mode, a password makes it `password`.
        let implied = if auth.password.is_some() { AuthMode::Password } else { AuthMode::Token };
        match auth.mode.unwrap_or(implied) {
            AuthMode::Token if auth.token.is_some() => return Ok(None),
            AuthMode::Token if source.credentials.is_some() => {
                let (token, _) = token_for_config()?;
                if keep_token(source, token.clone())? == token {
                    outcome = Token::Added(token);
                }
                return Ok(None);
            }
            AuthMode::Token => {}
            other => {
                outcome = Token::NotNeeded(other);
                return Ok(None);
            }
        }
        let (token, text) = token_for_config()?;
        outcome = Token::Added(token);
        let mut edited = old.raw.clone();
        if auth.mode.is_none() {
            edited = Some(set_value(edited.as_deref(), &"gateway.auth.mode".into(), &Value::from("token"))?);
        }
        Ok(Some(set_value(edited.as_deref(), &"gateway.auth.token".into(), &Value::from(text))?))
    })?;
    Ok(outcome)
}

/// Puts another gateway's port and token into a configuration, in place of those that are there: its clients find this
/// one in its place. Makes a configuration where there is none.
pub fn adopt(
    source: &Source,
    instance: &Instance,
    port: Option<u16>,
    token: Option<Secret>,
) -> Result<(), CreateError> {
    match create_minimal(source, instance) {
        Ok(_) | Err(CreateError::Exists(_)) => {}
        Err(error) => return Err(error),
    }
    update_config(source, |old| {
        old.config.as_ref().map_err(|problems| CreateError::Invalid(problems.clone()))?;
        let mut text = old.raw.clone();
        if let Some(port) = port {
            text = Some(set_value(text.as_deref(), &"gateway.port".into(), &Value::from(port))?);
        }
        if let Some(token) = token.as_ref().filter(|_| source.credentials.is_none()) {
            let value = Value::from(token.expose());
            text = Some(set_value(text.as_deref(), &"gateway.auth.token".into(), &value)?);
        }
        Ok::<_, CreateError>(text)
    })?;
    if let (Some(dir), Some(token)) = (&source.credentials, token) {
        let path = dir.join(token_variable(source));
        let written = private_dir(dir).and_then(|()| write_atomic(&path, token.expose().as_bytes(), PRIVATE));
        written.map_err(|source| WriteError::Io { what: "write", path, source })?;
    }
    Ok(())
}

/// The variable that the token of a system service counts as, and the name of its file.
fn token_variable(source: &Source) -> String {
    source.brand.var("GATEWAY_TOKEN")
}

/// Keeps the token of a system service in a file of root's, unless there is one already, which then counts. Nothing to
/// do where the token is in the configuration.
fn keep_token(source: &Source, token: Secret) -> Result<Secret, CreateError> {
    let Some(dir) = &source.credentials else { return Ok(token) };
    let path = dir.join(token_variable(source));
    let failed = |source| WriteError::Io { what: "read", path: path.clone(), source };
    if let Some(known) = read_text(&path, 4096).map_err(failed)?.as_deref().and_then(Secret::new) {
        return Ok(known);
    }
    let written = private_dir(dir).and_then(|()| write_atomic(&path, token.expose().as_bytes(), PRIVATE));
    written.map_err(|source| WriteError::Io { what: "write", path, source })?;
    Ok(token)
}

/// A token of 32 random bytes in base64url, kept and as text.
fn token_for_config() -> Result<(Secret, String), CreateError> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    let text = URL_SAFE_NO_PAD.encode(bytes);
    #[expect(clippy::expect_used, reason = "43 characters of base64 are not blank")]
    let token = Secret::new(&text).expect("not blank");
    Ok((token, text))
}

/// The profile's own port, or the next that no other profile of the brand claims.
fn unclaimed_port(source: &Source, instance: &Instance) -> Result<u16, CreateError> {
    let claimed = ports_of_siblings(source, instance);
    let ports =
        std::iter::successors(Some(instance.profile.default_port()), |port| Some(Profile::next_port(*port)));
    ports.take(PORTS).find(|port| !claimed.contains(port)).ok_or(CreateError::NoPort)
}

/// The ports of the brand's other profiles: those in their configurations, else their own.
fn ports_of_siblings(source: &Source, instance: &Instance) -> Vec<u16> {
    let slug = instance.brand.slug();
    let mut ports = Vec::new();
    // A home that cannot be listed has no siblings that could be asked.
    for entry in fs::read_dir(&instance.paths.home).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(suffix) = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_prefix(slug)) else {
            continue;
        };
        let profile = match suffix.strip_prefix('-') {
            Some(profile) => Profile::parse(profile),
            None if suffix.is_empty() => Ok(Profile::Default),
            None => continue,
        };
        let config = entry.path().join(format!("{slug}.json"));
        if config == source.path || !config.is_file() {
            continue;
        }
        // Also the port of a configuration that has other problems.
        let port = source.at(config).load().value(&"gateway.port".into()).and_then(|port| port.as_u64());
        let own = profile.map(|profile| profile.default_port()).ok();
        ports.extend(port.and_then(|port| u16::try_from(port).ok()).or(own));
    }
    ports
}

/// A first configuration that a person likes to read.
fn first_text(instance: &Instance, token: &str, port: Option<u16>) -> String {
    let (title, command) = (instance.brand.title(), instance.command());
    let port = port.map(|port| {
        format!("    // This profile's own port; every gateway on a machine needs a different one.\n    port: {port},\n\n")
    });
    format!(
        r#"// Configuration of the {title} gateway, in JSON5: comments and trailing commas are welcome.
//
//   {command} config schema           every setting there is
//   {command} config set KEY VALUE    change one, keeping these comments
//   {command} config validate         check this file after editing it by hand
{{
  gateway: {{
    // The gateway runs on this machine. ("remote": commands talk to one elsewhere.)
    mode: "local",

{port}    // Who can reach it: "loopback" is this machine only, "lan" is everybody on the network.
    bind: "loopback",

    auth: {{
      mode: "token",
      {token}
    }},
  }},
}}
"#,
        port = port.unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;
    use crate::config::section::{Bind, Mode};
    use crate::instance::{BaseDirs, Brand, Env};

    fn instance(home: &Path, profile: &str) -> (Source, Instance) {
        let profile = Profile::parse(profile).unwrap();
        let instance = Instance::new(Brand::Mayros, profile, &Env::default(), &BaseDirs::under(home));
        (Source::new(&instance, &Env::default()), instance)
    }

    #[test]
    fn the_first_configuration_is_valid_private_and_never_written_over() {
        let home = tempfile::tempdir().unwrap();
        let (source, instance) = instance(home.path(), "default");
        let created = create_minimal(&source, &instance).unwrap();
        assert_eq!((&created.path, created.port), (&home.path().join(".mayros/mayros.json"), 18789));
        let config = source.load().config.unwrap();
        assert_eq!((config.gateway.mode, config.gateway.bind), (Some(Mode::Local), Some(Bind::Loopback)));
        assert_eq!((config.gateway.auth.mode, config.gateway.port), (Some(AuthMode::Token), None));
        assert_eq!(config.gateway.auth.token.as_ref(), Some(&created.token));
        assert_eq!(created.token.expose().len(), 43);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&created.path), mode(created.path.parent().unwrap())), (0o600, 0o700));

        assert!(matches!(create_minimal(&source, &instance), Err(CreateError::Exists(_))));
        assert_eq!(source.load().config.unwrap().gateway.auth.token, Some(created.token));
    }

    #[test]
    fn a_named_profile_gets_a_port_that_no_other_claims() {
        let home = tempfile::tempdir().unwrap();
        let own = Profile::parse("rescue").unwrap().default_port();
        let next = Profile::next_port(own);
        for (dir, text) in [
            (".mayros", "{}".to_owned()),
            (".mayros-a", format!("{{ gateway: {{ port: {own}, odd: 1 }} }}")),
            (".mayros-b", format!("{{ gateway: {{ $include: 'port.json' }} }} // {next}")),
            (".mayrosx", format!("{{ gateway: {{ port: {} }} }}", Profile::next_port(next))),
        ] {
            fs::create_dir(home.path().join(dir)).unwrap();
            write_atomic(&home.path().join(dir).join("mayros.json"), text.as_bytes(), 0o600).unwrap();
        }
        write_atomic(
            &home.path().join(".mayros-b/port.json"),
            format!("{{ port: {next} }}").as_bytes(),
            0o600,
        )
        .unwrap();
        let (source, instance) = instance(home.path(), "rescue");
        let created = create_minimal(&source, &instance).unwrap();
        assert_eq!(created.port, Profile::next_port(next));
        let text = source.load().raw.unwrap();
        assert!(text.contains(&format!("    port: {},\n", created.port)), "{text}");
        assert!(text.contains("//   mayros --profile rescue config validate"), "{text}");
    }

    #[test]
    fn profiles_without_a_port_in_their_configuration_claim_their_own() {
        let home = tempfile::tempdir().unwrap();
        let (first, instance_of_first) = instance(home.path(), "rescue");
        create_minimal(&first, &instance_of_first).unwrap();
        write_atomic(&first.path, b"{}", 0o600).unwrap();
        assert_eq!(
            ports_of_siblings(&instance(home.path(), "b").0, &instance_of_first),
            [instance_of_first.profile.default_port()]
        );
        assert_eq!(ports_of_siblings(&first, &instance_of_first), [0; 0]);
    }

    #[test]
    fn a_missing_token_is_added_and_comments_stay() {
        let home = tempfile::tempdir().unwrap();
        let (source, _) = instance(home.path(), "default");
        assert!(matches!(ensure_token(&source), Err(CreateError::Missing(_))));
        fs::create_dir(source.path.parent().unwrap()).unwrap();
        write_atomic(&source.path, b"// mine\n{\n  gateway: { port: 1 }, // port\n}\n", 0o600).unwrap();
        let Token::Added(token) = ensure_token(&source).unwrap() else { panic!("there was none") };
        let loaded = source.load();
        let auth = &loaded.config.as_ref().unwrap().gateway.auth;
        assert_eq!((auth.mode, auth.token.as_ref()), (Some(AuthMode::Token), Some(&token)));
        let text = loaded.raw.unwrap();
        assert!(text.starts_with("// mine\n") && text.contains("// port\n"), "{text}");
        assert_eq!(ensure_token(&source).unwrap(), Token::Present);
    }

    #[test]
    fn no_token_is_added_where_none_is_needed_or_the_file_is_wrong() {
        let home = tempfile::tempdir().unwrap();
        let (source, _) = instance(home.path(), "default");
        fs::create_dir(source.path.parent().unwrap()).unwrap();
        let outcome = |text: &str| {
            write_atomic(&source.path, text.as_bytes(), 0o600).unwrap();
            let outcome = ensure_token(&source);
            assert_eq!(source.load().raw.as_deref(), Some(text));
            outcome
        };
        assert_eq!(
            outcome("{ gateway: { auth: { mode: 'none' } } }").unwrap(),
            Token::NotNeeded(AuthMode::None)
        );
        assert_eq!(
            outcome("{ gateway: { auth: { password: 'p' } } }").unwrap(),
            Token::NotNeeded(AuthMode::Password)
        );
        assert_eq!(
            outcome("{ gateway: { auth: { token: 't', password: 'p', mode: 'token' } } }").unwrap(),
            Token::Present
        );
        assert!(
            matches!(outcome("{ gatway: {} }"), Err(CreateError::Invalid(problems)) if problems.len() == 1)
        );
    }

    #[test]
    fn the_token_of_a_system_service_is_in_a_file_of_its_own_and_stays() {
        let root = tempfile::tempdir().unwrap();
        let system = crate::instance::SystemDirs::under(root.path());
        let dirs = BaseDirs { system, ..BaseDirs::under("/home/ada") };
        let instance = Instance::of_system(Brand::Mayros, Profile::Default, &dirs);
        let dir = root.path().join("etc/mayros-gateway/credentials");
        let source = || Source::new(&instance, &Env::default());
        let created = create_minimal(&source(), &instance).unwrap();
        let text = fs::read_to_string(root.path().join("etc/mayros-gateway/mayros.json")).unwrap();
        assert!(!text.contains(created.token.expose()) && text.contains("mode: \"token\""), "{text}");
        let file = dir.join("MAYROS_GATEWAY_TOKEN");
        assert_eq!(fs::read_to_string(&file).unwrap(), created.token.expose());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&dir)), (0o600, 0o700));
        assert_eq!(ensure_token(&source()).unwrap(), Token::Present);
        fs::remove_file(&file).unwrap();
        assert!(matches!(ensure_token(&source()).unwrap(), Token::Added(_)));
        assert_eq!(source().load().raw.as_deref(), Some(text.as_str()));
    }
}
