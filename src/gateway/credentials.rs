//! The gateway's own credentials: flags, then configuration, then environment (protocol notes §6.2).

use crate::auth::policy::{Policy, ProxyRules, SecretHash};
use crate::config::section::{Auth, AuthMode};
use crate::instance::{Brand, Env};
use crate::secret::Secret;

/// What the command line said of credentials.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--auth`.
    pub mode: Option<AuthMode>,
    /// `--token`.
    pub token: Option<Secret>,
    /// `--password`.
    pub password: Option<Secret>,
}

/// How clients prove that they may connect, with the secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Not at all.
    None,
    /// By this token.
    Token(Secret),
    /// By this password.
    Password(Secret),
    /// By a proxy's word.
    TrustedProxy(ProxyRules),
}

/// Why there are no credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// Token mode, and no token: one can be made.
    Token {
        /// Whether the mode is only this run's (`--auth token`), so that a token made for it is not saved.
        for_this_run: bool,
    },
    /// Password mode, and no password.
    Password,
    /// Trusted-proxy mode, and nothing said of the proxy.
    ProxyRules,
}

impl Credentials {
    /// Decides. The server takes its configuration's secret before the environment's.
    pub fn resolve(flags: &Flags, auth: &Auth, brand: Brand, env: &Env) -> Result<Self, Lacking> {
        let from_env = |name: &str| env.text(brand.var(name)).and_then(Secret::new);
        let token = flags.token.clone().or_else(|| auth.token.clone()).or_else(|| from_env("GATEWAY_TOKEN"));
        let password =
            flags.password.clone().or_else(|| auth.password.clone()).or_else(|| from_env("GATEWAY_PASSWORD"));
        let implied =
            if password.is_some() && token.is_none() { AuthMode::Password } else { AuthMode::Token };
        match flags.mode.or(auth.mode).unwrap_or(implied) {
            AuthMode::None => Ok(Self::None),
            AuthMode::Token => {
                token.map(Self::Token).ok_or(Lacking::Token { for_this_run: flags.mode.is_some() })
            }
            AuthMode::Password => password.map(Self::Password).ok_or(Lacking::Password),
            AuthMode::TrustedProxy => auth
                .trusted_proxy
                .as_ref()
                .map(|proxy| {
                    Self::TrustedProxy(ProxyRules {
                        user_header: proxy.user_header.as_str().to_owned(),
                        required_headers: proxy
                            .required_headers
                            .iter()
                            .map(|h| h.as_str().to_owned())
                            .collect(),
                        allow_users: proxy.allow_users.clone(),
                    })
                })
                .ok_or(Lacking::ProxyRules),
        }
    }

    /// The same for checking: hashes instead of secrets.
    pub fn policy(&self) -> Policy {
        match self {
            Self::None => Policy::None,
            Self::Token(token) => Policy::Token(SecretHash::of(token)),
            Self::Password(password) => Policy::Password(SecretHash::of(password)),
            Self::TrustedProxy(rules) => Policy::TrustedProxy(rules.clone()),
        }
    }

    /// Whether somebody has to prove something before a client gets in.
    pub const fn protects(&self) -> bool {
        !matches!(self, Self::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Option<Secret> {
        Secret::new(text)
    }

    fn resolve(flags: Flags, auth: Auth, env: &[(&str, &str)]) -> Result<Credentials, Lacking> {
        Credentials::resolve(&flags, &auth, Brand::Mayros, &env.iter().copied().collect())
    }

    #[test]
    fn the_nearest_source_wins() {
        let token = |text: &str| Ok(Credentials::Token(secret(text).unwrap()));
        let env = [("MAYROS_GATEWAY_TOKEN", "env"), ("FASED_GATEWAY_TOKEN", "other brand")];
        let config = Auth { token: secret("config"), ..Auth::default() };
        let flags = Flags { token: secret("flag"), ..Flags::default() };
        assert_eq!(resolve(flags, config.clone(), &env), token("flag"));
        assert_eq!(resolve(Flags::default(), config, &env), token("config"));
        assert_eq!(resolve(Flags::default(), Auth::default(), &env), token("env"));
        let nothing = resolve(Flags::default(), Auth::default(), &[]);
        assert_eq!(nothing, Err(Lacking::Token { for_this_run: false }));
    }

    #[test]
    fn a_lone_password_implies_its_mode_and_a_mode_asks_for_its_secret() {
        let env = [("MAYROS_GATEWAY_PASSWORD", "pw")];
        let password = Ok(Credentials::Password(secret("pw").unwrap()));
        assert_eq!(resolve(Flags::default(), Auth::default(), &env), password);
        let mode = |mode| Flags { mode: Some(mode), ..Flags::default() };
        assert_eq!(resolve(mode(AuthMode::None), Auth::default(), &env), Ok(Credentials::None));
        assert_eq!(resolve(mode(AuthMode::Password), Auth::default(), &[]), Err(Lacking::Password));
        assert_eq!(resolve(mode(AuthMode::TrustedProxy), Auth::default(), &[]), Err(Lacking::ProxyRules));
        let this_run = Err(Lacking::Token { for_this_run: true });
        assert_eq!(resolve(mode(AuthMode::Token), Auth::default(), &env), this_run);
    }
}
