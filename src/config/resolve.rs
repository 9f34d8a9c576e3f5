//! Settings that more than the file can set: which one wins, and who set it.

use std::fmt;

use super::section::{Bind, Config, Port};
use crate::instance::{Env, Instance};

/// A setting and who set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved<T> {
    /// The value that counts.
    pub value: T,
    /// Where it comes from.
    pub set_by: SetBy,
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// A flag on the command line.
    Flag(&'static str),
    /// An environment variable.
    Env(String),
    /// A key of the configuration.
    Config(&'static str),
    /// Nobody.
    Default,
}

/// `--port`, `IDLEHANDS_GATEWAY_PORT`, `gateway.port`, `default`.
impl fmt::Display for SetBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Config(name) => f.write_str(name),
            Self::Env(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The environment names a port that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is not a port: {text:?} (set it to a number from 1 to 65535, or unset it)")]
pub struct NotAPort {
    /// The variable.
    pub variable: String,
    /// What it is set to.
    pub text: String,
}

/// The gateway's port: the flag, else `<PREFIX>_GATEWAY_PORT`, else `gateway.port`, else the profile's own (runbooks,
/// "Port and bind precedence").
pub fn gateway_port(
    flag: Option<u16>,
    env: &Env,
    config: &Config,
    instance: &Instance,
) -> Result<Resolved<u16>, NotAPort> {
    if let Some(value) = flag {
        return Ok(Resolved { value, set_by: SetBy::Flag("--port") });
    }
    let variable = instance.brand.var("GATEWAY_PORT");
    if let Some(text) = env.os(&variable) {
        let port = text.to_str().and_then(|text| text.trim().parse().ok()).and_then(Port::new);
        return match port {
            Some(port) => Ok(Resolved { value: port.get(), set_by: SetBy::Env(variable) }),
            None => Err(NotAPort { variable, text: text.to_string_lossy().into_owned() }),
        };
    }
    Ok(match config.gateway.port {
        Some(port) => Resolved { value: port.get(), set_by: SetBy::Config("gateway.port") },
        None => Resolved { value: instance.profile.default_port(), set_by: SetBy::Default },
    })
}

/// The addresses to listen on: the flag, else `gateway.bind`, else `loopback`.
pub fn gateway_bind(flag: Option<Bind>, config: &Config) -> Resolved<Bind> {
    match (flag, config.gateway.bind) {
        (Some(value), _) => Resolved { value, set_by: SetBy::Flag("--bind") },
        (None, Some(value)) => Resolved { value, set_by: SetBy::Config("gateway.bind") },
        (None, None) => Resolved { value: Bind::Loopback, set_by: SetBy::Default },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{BaseDirs, Brand, Profile};

    fn instance(profile: &str) -> Instance {
        let dirs = BaseDirs::under("/home/ada");
        Instance::new(Brand::Fased, Profile::parse(profile).unwrap(), &Env::default(), &dirs)
    }

    #[test]
    fn the_port_comes_from_the_first_that_names_one() {
        let env = |text: &str| [("FASED_GATEWAY_PORT", text.to_owned())].into_iter().collect::<Env>();
        let mut configured = Config::default();
        configured.gateway.port = Port::new(3);
        let none = Config::default();
        let table = [
            (Some(1), env("2"), &configured, "default", "1 --port"),
            (None, env(" 2 "), &configured, "default", "2 FASED_GATEWAY_PORT"),
            (None, env(""), &configured, "default", "3 gateway.port"),
            (None, Env::default(), &none, "default", "18789 default"),
            (None, Env::default(), &none, "dev", "19001 default"),
        ];
        for (flag, env, config, profile, expected) in table {
            let port = gateway_port(flag, &env, config, &instance(profile)).unwrap();
            assert_eq!(format!("{} {}", port.value, port.set_by), expected);
        }
        for text in ["0", "65536", "-1", "http", "18789x", " "] {
            let refused = gateway_port(None, &env(text), &none, &instance("default")).unwrap_err();
            assert_eq!(
                refused,
                NotAPort { variable: "FASED_GATEWAY_PORT".to_owned(), text: text.to_owned() }
            );
        }
    }

    #[test]
    fn the_bind_mode_comes_from_the_first_that_names_one() {
        let mut configured = Config::default();
        configured.gateway.bind = Some(Bind::Lan);
        let none = Config::default();
        let table = [
            (Some(Bind::Auto), &configured, Bind::Auto, "--bind"),
            (None, &configured, Bind::Lan, "gateway.bind"),
            (None, &none, Bind::Loopback, "default"),
        ];
        for (flag, config, value, set_by) in table {
            let bind = gateway_bind(flag, config);
            assert_eq!((bind.value, bind.set_by.to_string().as_str()), (value, set_by));
        }
    }
}
