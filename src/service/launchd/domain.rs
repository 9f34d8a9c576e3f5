//! Where a job belongs: which domains there can be, and the first one that answers (lifecycle notes B2).

use super::failure::Failure;
use super::launchctl::{self, Answer, Domain};
use crate::host;
use crate::instance::{Env, Scope};
use crate::service::reach::Unreachable;

/// The domain to use, and the one to use instead when it takes no jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domains {
    /// The one that answers.
    pub first: Domain,
    /// Another one that answers.
    pub second: Option<Domain>,
}

/// Looks for a domain: the one that was used before, else the graphical one, else the user's. The graphical domain of
/// root is nobody's.
pub async fn find_domain(scope: Scope, env: &Env, before: Option<&str>) -> Result<Domains, Unreachable> {
    let uid = host::user::id();
    if scope == Scope::System {
        return match launchctl::answers(Domain::System).await {
            Ok(Answer::Done) => Ok(Domains { first: Domain::System, second: None }),
            Ok(other) => Err(unusable(&Failure::refused("describe", "system", other))),
            Err(error) => Err(unusable(&error)),
        };
    }
    if let Some(user) = host::user::behind_root(env) {
        return Err(Unreachable::Sudo { user });
    }
    let mut candidates = vec![Domain::User(uid)];
    if uid != 0 {
        candidates.insert(0, Domain::Gui(uid));
    }
    candidates.sort_by_key(|domain| Some(domain.to_string().as_str()) != before);
    let mut found = Vec::new();
    for domain in candidates {
        match launchctl::answers(domain).await {
            Ok(Answer::Done) => found.push(domain),
            Ok(_) => {}
            Err(error) => return Err(unusable(&error)),
        }
    }
    match found.as_slice() {
        [first, rest @ ..] => Ok(Domains { first: *first, second: rest.first().copied() }),
        [] => Err(nowhere(uid)),
    }
}

fn unusable(error: &Failure) -> Unreachable {
    if let Failure::Silent { seconds, .. } = error {
        return Unreachable::Silent { seconds: *seconds };
    }
    let why = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Unreachable::NoDomain { why, advice: "look at launchd: launchctl print system".to_owned() }
}

fn nowhere(uid: u32) -> Unreachable {
    Unreachable::NoDomain {
        why: format!("launchd has no place for jobs of this user: neither gui/{uid} nor user/{uid} answers"),
        advice: "log in at the screen of this machine (a graphical session) or over ssh (a background session), or make \
                 it a service of the machine with --system"
            .to_owned(),
    }
}
