//! The decision on a `connect`: every check of the protocol, in its order (protocol notes §1.6 to §1.11).
//!
//! A function of what the client sent, where it comes from and what the gateway allows. Its one effect is counting
//! failed attempts.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use serde_json::json;

use super::device::{self, Device};
use super::limit::{Credential, Limiter, Limits};
use super::origin::{self, UiRules};
use super::pairing::{Asking, MAX_SCOPE_CHARS, MAX_SCOPES, MAX_TEXT_CHARS, Pairing};
use super::peer::{Peer, Proxies, header};
use super::policy::{Method, Policy, Presented};
use super::reason::{HintFor, Refusal};
use crate::protocol::connect::{
    ClientKind, ClientMode, ConnectParams, PROTOCOL_MAX, PROTOCOL_MIN, negotiate,
};
use crate::protocol::error::{ErrorCode, ErrorShape};
use crate::protocol::scope::Role;
use crate::secret::Secret;

/// What the gateway allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Its own credentials.
    pub policy: Policy,
    /// Whose forwarding headers it believes.
    pub proxies: Proxies,
    /// What it allows web pages.
    pub ui: UiRules,
}

/// Failed attempts: those that came directly, and those that came through a browser or a proxy, where loopback proves
/// nothing about who asks (protocol notes §2.8).
#[derive(Debug)]
pub struct Limiters {
    direct: Mutex<Limiter>,
    passed_on: Mutex<Limiter>,
}

impl Limiters {
    /// Limiters that have seen nothing.
    pub fn new(limits: Limits) -> Self {
        let strict = Limits { exempt_loopback: false, ..limits };
        Self { direct: Mutex::new(Limiter::new(limits)), passed_on: Mutex::new(Limiter::new(strict)) }
    }

    /// Changes the numbers.
    pub fn set_limits(&self, limits: Limits) {
        self.of(false).set_limits(limits);
        self.of(true).set_limits(Limits { exempt_loopback: false, ..limits });
    }

    /// The limiter for requests that came through somebody, or for those that did not.
    pub fn of(&self, passed_on: bool) -> MutexGuard<'_, Limiter> {
        let limiter = if passed_on { &self.passed_on } else { &self.direct };
        // Counters are consistent between any two statements.
        limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The moment and the place of a `connect`.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Where it comes from.
    pub peer: Peer,
    /// The headers of the upgrade request.
    pub headers: &'a HeaderMap,
    /// The nonce this connection was given.
    pub nonce: &'a str,
    /// Now.
    pub now_ms: u64,
}

/// A client that may come in, once its device is paired.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The protocol to speak.
    pub protocol: u32,
    /// Its role.
    pub role: Role,
    /// The scopes it has, in the order it asked.
    pub scopes: Vec<String>,
    /// How it was let in.
    pub method: Method,
    /// Its device, and what that asks for; must be paired for it.
    pub device: Option<Asking>,
}

/// A client that may not.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The answer.
    pub error: ErrorShape,
    /// The close code.
    pub close: u16,
}

impl Refused {
    fn policy(error: ErrorShape) -> Self {
        Self { error, close: 1008 }
    }

    fn unauthorized(refusal: Refusal, hint: HintFor) -> Self {
        let details = json!({ "code": refusal.code(), "authReason": refusal.reason() });
        let mut error = ErrorShape::invalid(refusal.message(hint)).with_details(details);
        if let Refusal::RateLimited { retry_after_ms } = refusal {
            (error.retryable, error.retry_after_ms) = (Some(true), Some(retry_after_ms));
        }
        Self::policy(error)
    }
}

/// Decides on a `connect`.
pub fn admit(
    params: &ConnectParams,
    at: Circumstances<'_>,
    rules: &Rules,
    limiters: &Limiters,
    pairing: &Pairing,
) -> Result<Admitted, Refused> {
    check_sizes(params)?;
    let protocol = negotiate(params.min_protocol, params.max_protocol).ok_or_else(|| mismatch(params))?;
    let role_text = params.role.as_deref().unwrap_or("operator");
    let role = Role::parse(role_text).ok_or_else(|| Refused::policy(ErrorShape::invalid("invalid role")))?;
    let kind = params.client.id.kind();
    let is_page = matches!(kind, ClientKind::ControlUi | ClientKind::WebchatUi);
    check_origin(is_page || params.client.mode == ClientMode::Webchat, at, rules)?;

    let control_ui = kind == ClientKind::ControlUi;
    let bypass = control_ui && rules.ui.disable_device_auth;
    let proof = params.device.as_ref().filter(|_| !bypass);
    let proven = proof.map(|proof| device::verify(params, proof, role_text, at.nonce, at.now_ms));
    let device = proven.as_ref().and_then(|proven| proven.as_ref().ok());
    let mut scopes: Vec<String> = params.scopes.iter().flatten().map(|scope| scope.to_string()).collect();
    let authorised =
        credentials(params, at, rules, limiters, pairing, device.map(|device| (device, role, &scopes[..])));

    if proof.is_none() {
        let shared = authorised.is_ok_and(Method::is_shared_secret);
        without_device(params, at, rules, role, authorised)?;
        if !shared && !bypass {
            scopes.clear();
        }
    }
    if let Some(Err(refusal)) = proven {
        let details = json!({ "code": "DEVICE_AUTH_INVALID", "reason": refusal.reason() });
        return Err(Refused::policy(ErrorShape::invalid(refusal.message()).with_details(details)));
    }
    let method = authorised.map_err(|refusal| Refused::unauthorized(refusal, HintFor::client(params)))?;

    let vouched = method == Method::TrustedProxy && control_ui && role == Role::Operator;
    let device = device.filter(|_| !vouched).map(|device| asking(params, at.peer, device, role, &scopes));
    Ok(Admitted { protocol, role, scopes, method, device })
}

/// What a device asks is kept until somebody decides on it, so it must not be large.
fn check_sizes(params: &ConnectParams) -> Result<(), Refused> {
    let scopes = params.scopes.as_deref().unwrap_or_default();
    let long = scopes.iter().position(|scope| scope.chars().count() > MAX_SCOPE_CHARS);
    let issue = match long {
        _ if scopes.len() > MAX_SCOPES => format!("at /scopes: must NOT have more than {MAX_SCOPES} items"),
        Some(index) => format!("at /scopes/{index}: must NOT have more than {MAX_SCOPE_CHARS} characters"),
        None => return Ok(()),
    };
    Err(Refused::policy(ErrorShape::invalid(format!("invalid connect params: {issue}"))))
}

fn mismatch(params: &ConnectParams) -> Refused {
    let expected = if params.max_protocol < PROTOCOL_MIN { PROTOCOL_MIN } else { PROTOCOL_MAX };
    let details = json!({
        "code": "PROTOCOL_MISMATCH",
        "clientMinProtocol": params.min_protocol,
        "clientMaxProtocol": params.max_protocol,
        "expectedProtocol": expected,
    });
    Refused { error: ErrorShape::invalid("protocol mismatch").with_details(details), close: 1002 }
}

/// Whether a page, or whoever may be one, comes from where pages may come from (protocol notes §1.7). `is_page` says
/// that the client is one for certain.
pub fn check_origin(is_page: bool, at: Circumstances<'_>, rules: &Rules) -> Result<(), Refused> {
    let origin = header(at.headers, "origin");
    let applies = is_page || (origin.is_some() && !at.peer.forwarded);
    if !applies || origin::allowed(&rules.ui, origin, header(at.headers, "host")) {
        return Ok(());
    }
    Err(Refused::policy(ErrorShape::invalid(
        "origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)",
    )))
}

/// What becomes of a client without a device (protocol notes §1.8).
fn without_device(
    params: &ConnectParams,
    at: Circumstances<'_>,
    rules: &Rules,
    role: Role,
    authorised: Result<Method, Refusal>,
) -> Result<(), Refused> {
    let control_ui = params.client.id.kind() == ClientKind::ControlUi;
    if control_ui && role == Role::Operator && authorised == Ok(Method::TrustedProxy) {
        return Ok(());
    }
    let excused = rules.ui.disable_device_auth || (rules.ui.allow_insecure_auth && at.peer.local);
    if control_ui && !excused {
        let details = json!({ "code": "CONTROL_UI_DEVICE_IDENTITY_REQUIRED" });
        let message = "control ui requires device identity (use HTTPS or localhost secure context)";
        return Err(Refused::policy(ErrorShape::invalid(message).with_details(details)));
    }
    if role == Role::Operator && authorised.is_ok_and(Method::is_shared_secret) {
        return Ok(());
    }
    let auth = params.auth.as_ref();
    let supplied = auth.is_some_and(|auth| !auth.token.is_absent() || !auth.password.is_absent());
    match authorised {
        Err(refusal) if supplied => Err(Refused::unauthorized(refusal, HintFor::client(params))),
        Err(refusal @ Refusal::RateLimited { .. }) => {
            Err(Refused::unauthorized(refusal, HintFor::client(params)))
        }
        _ => {
            let details = json!({ "code": "DEVICE_IDENTITY_REQUIRED" });
            let error =
                ErrorShape::new(ErrorCode::NotPaired, "device identity required").with_details(details);
            Err(Refused::policy(error))
        }
    }
}

/// The shared secret first; if that fails, the token of a proven device (protocol notes §1.10).
fn credentials(
    params: &ConnectParams,
    at: Circumstances<'_>,
    rules: &Rules,
    limiters: &Limiters,
    pairing: &Pairing,
    device: Option<(&Device, Role, &[String])>,
) -> Result<Method, Refusal> {
    let auth = params.auth.as_ref();
    let token = auth.and_then(|auth| auth.token.0.as_ref());
    let password = auth.and_then(|auth| auth.password.0.as_ref());
    let device_token = auth.and_then(|auth| auth.device_token.0.as_ref());
    let shared = check_shared(Presented { token, password }, at, rules, limiters);
    let Err(refusal) = shared else { return shared };
    let (Some((device, role, scopes)), Some(presented)) = (device, device_token.or(token)) else {
        return Err(refusal);
    };
    let address = account(at);
    let mut limiter = limiters.of(loopback_proves_nothing(at));
    if let Some(retry_after_ms) = limiter.locked(Credential::DeviceToken, address, at.now_ms) {
        return Err(Refusal::RateLimited { retry_after_ms });
    }
    if pairing.token_fits(&device.id, role.as_str(), presented, scopes) {
        limiter.succeeded(Credential::DeviceToken, address);
        return Ok(Method::DeviceToken);
    }
    limiter.failed(Credential::DeviceToken, address, at.now_ms);
    Err(if token.is_none() { Refusal::DeviceTokenMismatch } else { refusal })
}

/// Checks a shared secret and counts a failure. Also the way in for HTTP and for the oldest dialect.
pub fn check_shared(
    presented: Presented<'_>,
    at: Circumstances<'_>,
    rules: &Rules,
    limiters: &Limiters,
) -> Result<Method, Refusal> {
    if matches!(rules.policy, Policy::None | Policy::TrustedProxy(_)) {
        return rules.policy.check(presented, &at.peer, at.headers, &rules.proxies);
    }
    let address = account(at);
    let mut limiter = limiters.of(loopback_proves_nothing(at));
    if let Some(retry_after_ms) = limiter.locked(Credential::SharedSecret, address, at.now_ms) {
        return Err(Refusal::RateLimited { retry_after_ms });
    }
    let checked = rules.policy.check(presented, &at.peer, at.headers, &rules.proxies);
    match checked {
        Ok(_) => limiter.succeeded(Credential::SharedSecret, address),
        Err(_) => limiter.failed(Credential::SharedSecret, address, at.now_ms),
    }
    checked
}

/// Whether a page opened the connection, or a proxy passed it on: then everybody comes from loopback.
fn loopback_proves_nothing(at: Circumstances<'_>) -> bool {
    header(at.headers, "origin").is_some() || (at.peer.forwarded && !at.peer.local)
}

/// The address failures are counted for.
fn account(at: Circumstances<'_>) -> IpAddr {
    at.peer.client.unwrap_or(at.peer.socket)
}

fn asking(params: &ConnectParams, peer: Peer, device: &Device, role: Role, scopes: &[String]) -> Asking {
    let client = &params.client;
    let kept = |text: &str| text.chars().take(MAX_TEXT_CHARS).collect::<String>();
    Asking {
        device: device.clone(),
        role: role.as_str().to_owned(),
        scopes: scopes.to_vec(),
        display_name: client.display_name.as_deref().map(kept),
        platform: kept(&client.platform),
        device_family: client.device_family.as_deref().map(kept),
        client_id: client.id.as_str().to_owned(),
        client_mode: client.mode.as_str().to_owned(),
        remote_ip: if peer.local { None } else { peer.client.map(|ip| ip.to_string()) },
    }
}

/// A fresh token: 32 random bytes, base64url (protocol notes §1.11).
pub fn fresh_token() -> Result<Secret, getrandom::Error> {
    use base64::Engine;
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    // 32 bytes always encode to 43 characters.
    Secret::new(&text).ok_or(getrandom::Error::UNEXPECTED)
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
