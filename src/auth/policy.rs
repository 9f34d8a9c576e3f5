//! The gateway's own credentials, and whether what a client presents is them (protocol notes §6.5).

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::peer::{Peer, Proxies, header};
use super::reason::{ProxyRefusal, Refusal};
use crate::secret::Secret;

/// The hash of a secret. Comparing hashes takes the same time whatever is presented, of whatever length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Hashes a secret; the secret itself need not be kept.
    pub fn of(secret: &Secret) -> Self {
        Self(Sha256::digest(secret.expose()).into())
    }

    /// Whether this is the hash of what is presented.
    pub fn fits(&self, presented: &Secret) -> bool {
        Self::of(presented).0.ct_eq(&self.0).into()
    }
}

/// How clients prove that they may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Not at all.
    None,
    /// By the gateway's token.
    Token(SecretHash),
    /// By the gateway's password.
    Password(SecretHash),
    /// A proxy in front has done it and says for whom.
    TrustedProxy(ProxyRules),
}

/// What a trusted proxy must send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyRules {
    /// The header that names the user.
    pub user_header: String,
    /// Headers that must be there.
    pub required_headers: Vec<String>,
    /// Users that are allowed; empty means all.
    pub allow_users: Vec<String>,
}

/// How a client was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Nothing is asked for.
    None,
    /// The gateway's token.
    Token,
    /// The gateway's password.
    Password,
    /// A trusted proxy's word.
    TrustedProxy,
    /// A device's token.
    DeviceToken,
}

impl Method {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Token => "token",
            Self::Password => "password",
            Self::TrustedProxy => "trusted-proxy",
            Self::DeviceToken => "device-token",
        }
    }

    /// Whether it proves that the client knows a secret shared with the gateway (protocol notes §1.8).
    pub const fn is_shared_secret(self) -> bool {
        matches!(self, Self::Token | Self::Password | Self::TrustedProxy)
    }
}

/// What a client presents.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presented<'a> {
    /// `auth.token`.
    pub token: Option<&'a Secret>,
    /// `auth.password`.
    pub password: Option<&'a Secret>,
}

impl Policy {
    /// The mode's name, as configured and as `hello-ok` says it.
    pub const fn mode(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Token(_) => "token",
            Self::Password(_) => "password",
            Self::TrustedProxy(_) => "trusted-proxy",
        }
    }

    /// Checks what is presented. Counting failures is the caller's.
    pub fn check(
        &self,
        presented: Presented<'_>,
        peer: &Peer,
        headers: &HeaderMap,
        proxies: &Proxies,
    ) -> Result<Method, Refusal> {
        match self {
            Self::None => Ok(Method::None),
            Self::Token(hash) => match presented.token {
                None => Err(Refusal::TokenMissing),
                Some(token) if hash.fits(token) => Ok(Method::Token),
                Some(_) => Err(Refusal::TokenMismatch),
            },
            Self::Password(hash) => match presented.password {
                None => Err(Refusal::PasswordMissing),
                Some(password) if hash.fits(password) => Ok(Method::Password),
                Some(_) => Err(Refusal::PasswordMismatch),
            },
            Self::TrustedProxy(rules) => {
                rules.check(peer, headers, proxies).map_err(Refusal::TrustedProxy)?;
                Ok(Method::TrustedProxy)
            }
        }
    }
}

impl ProxyRules {
    fn check(&self, peer: &Peer, headers: &HeaderMap, proxies: &Proxies) -> Result<(), ProxyRefusal> {
        if !proxies.trust(peer.socket) {
            return Err(ProxyRefusal::UntrustedSource);
        }
        if self.required_headers.iter().any(|name| header(headers, name).is_none()) {
            return Err(ProxyRefusal::MissingHeader);
        }
        // Said twice, one of them may be the client's own word.
        let said_once = headers.get_all(&self.user_header).iter().count() == 1;
        let user = header(headers, &self.user_header).map(str::trim).filter(|_| said_once);
        let user = user.ok_or(ProxyRefusal::UserMissing)?;
        if self.allow_users.is_empty() || self.allow_users.iter().any(|allowed| allowed == user) {
            Ok(())
        } else {
            Err(ProxyRefusal::UserNotAllowed)
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    fn check(policy: &Policy, token: Option<&str>, password: Option<&str>) -> Result<Method, Refusal> {
        let (token, password) = (token.map(secret), password.map(secret));
        let headers = HeaderMap::new();
        let proxies = Proxies::default();
        let peer = Peer::resolve([127, 0, 0, 1].into(), &headers, &proxies);
        let presented = Presented { token: token.as_ref(), password: password.as_ref() };
        policy.check(presented, &peer, &headers, &proxies)
    }

    #[test]
    fn each_mode_takes_its_own_credential_only() {
        let token = Policy::Token(SecretHash::of(&secret("right")));
        let password = Policy::Password(SecretHash::of(&secret("right")));
        let table = [
            (&token, Some("right"), None, Ok(Method::Token)),
            (&token, Some("wrong"), None, Err(Refusal::TokenMismatch)),
            (&token, Some("right and more"), None, Err(Refusal::TokenMismatch)),
            (&token, None, Some("right"), Err(Refusal::TokenMissing)),
            (&password, None, Some("right"), Ok(Method::Password)),
            (&password, None, Some("wrong"), Err(Refusal::PasswordMismatch)),
            (&password, Some("right"), None, Err(Refusal::PasswordMissing)),
            (&Policy::None, None, None, Ok(Method::None)),
        ];
        for (policy, token, password, expected) in table {
            assert_eq!(check(policy, token, password), expected, "{} {token:?} {password:?}", policy.mode());
        }
    }

    #[test]
    fn a_trusted_proxy_must_be_one_and_must_name_an_allowed_user() {
        let rules = ProxyRules {
            user_header: "x-user".to_owned(),
            required_headers: vec!["x-verified".to_owned()],
            allow_users: vec!["ada".to_owned()],
        };
        let policy = Policy::TrustedProxy(rules);
        let proxies =
            Proxies { trusted: vec!["10.0.0.0/8".to_owned().try_into().unwrap()], allow_real_ip: false };
        let twice = [("x-user", "ada"), ("x-user", "eve"), ("x-verified", "yes")];
        let table: [(&str, &[(&str, &str)], Result<Method, ProxyRefusal>); 6] = [
            ("10.0.0.1", &twice, Err(ProxyRefusal::UserMissing)),
            ("10.0.0.1", &[("x-user", "ada"), ("x-verified", "yes")], Ok(Method::TrustedProxy)),
            ("10.0.0.1", &[("x-user", "ada")], Err(ProxyRefusal::MissingHeader)),
            ("10.0.0.1", &[("x-verified", "yes"), ("x-user", " ")], Err(ProxyRefusal::UserMissing)),
            ("10.0.0.1", &[("x-verified", "yes"), ("x-user", "eve")], Err(ProxyRefusal::UserNotAllowed)),
            ("192.0.2.1", &[("x-user", "ada"), ("x-verified", "yes")], Err(ProxyRefusal::UntrustedSource)),
        ];
        for (socket, headers, expected) in table {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap()))
                .collect();
            let peer = Peer::resolve(socket.parse().unwrap(), &headers, &proxies);
            let checked = policy.check(Presented::default(), &peer, &headers, &proxies);
            assert_eq!(checked, expected.map_err(Refusal::TrustedProxy), "{socket} {headers:?}");
        }
    }
}
