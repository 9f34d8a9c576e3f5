//! Whether the service starts by itself, and outlives the last session.

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Action, Class, Finding, Repair, Severity};
use crate::instance::Scope;
use crate::service::definition::Standing;
use crate::service::observed::Linger;
use crate::service::platform::ByHand;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let observed = &facts.service.observed;
    let Some(reached) = observed.manager.reached() else { return Vec::new() };
    let there = facts.service.unit.is_some() && observed.definition.standing != Standing::Masked;
    if !there {
        return Vec::new();
    }
    let mut found = Vec::new();
    let (state, unit, platform) = (&reached.state, &observed.unit, observed.platform);
    // A unit that lost its section about this is told by that.
    let wish = |id, summary: &str, action| {
        Finding::new(id, Severity::Warning, summary)
            .key(platform.start_key())
            .differs(Some(platform.enabled(observed.scope)), Some(state.unit_file_state.clone()))
            .repair(Class::Fix, [action, Action::Reload])
            .hint(format!("By hand: {}", platform.by_hand(ByHand::Enable, observed.scope, unit)))
    };
    let own = facts.service.own;
    match (state.unit_file_state.as_str(), state.wanted_at_login) {
        // The manager cannot tell, and why is told elsewhere.
        ("bad" | "", _) => {}
        ("disabled", _) if observed.record.record().is_some_and(|record| record.by_hand) => {
            let summary = "the service is started by hand only, as was chosen";
            found.push(Finding::new("enablement.by-hand", Severity::Info, summary));
        }
        ("disabled", _) => {
            found.push(wish("enablement.disabled", "the service does not start by itself", Action::Enable));
        }
        ("enabled-runtime", true) => found.push(wish(
            "enablement.runtime",
            "the service starts by itself only until the machine is restarted",
            Action::Enable,
        )),
        (_, true) => {}
        // The manager has not read the links, which is told elsewhere.
        (_, false) if state.wanted_on_disk => {}
        (_, false) => found.push(wish(
            "enablement.edge",
            "no target that is reached wants the service, whatever its file says: it does not start by itself",
            Action::Reenable,
        )),
    }
    if !own {
        // Enabling and disabling change a link that somebody else looks after (lifecycle notes E9.5).
        found
            .iter_mut()
            .for_each(|finding| finding.repair = Repair { class: Class::Manual, actions: Vec::new() });
    }
    if observed.scope == Scope::User {
        found.extend(lingering(facts));
    }
    found
}

fn lingering(facts: &Facts) -> Option<Finding> {
    match &facts.service.observed.linger {
        Linger::No => Some(
            Finding::new("enablement.linger", Severity::Info, "the service ends with your last session, and does not start before you log in")
                .hint("To change that: sudo loginctl enable-linger $(id -un)"),
        ),
        Linger::NotNeeded => None,
        Linger::Unknown(why) => Some(Finding::new(
            "enablement.linger-unknown",
            Severity::Info,
            format!("whether the service outlives your last session could not be looked up: {why}"),
        )),
        Linger::Yes => facts.encryption.map(|what| {
            Finding::new(
                "enablement.encrypted-home",
                Severity::Warning,
                format!("your home directory is encrypted ({what}): after a boot the manager starts before it can read your units"),
            )
            .hint("Log in once after a boot, then: systemctl --user daemon-reload")
        }),
    }
}
