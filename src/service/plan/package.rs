//! A unit that a package owns: it is enabled, started and stopped as it is. What the operator wants otherwise belongs in
//! a drop-in of theirs; a copy in their own directory would hide the next release of the package.

use super::install::bring_up;
use super::{Decided, Install, Look, Refusal, Step, planned};
use crate::service::definition::Standing;
use crate::service::observed::Linger;
use crate::service::systemd::words::start_target;

/// Where packages put units (systemd.unit(5), "Unit File Load Path").
const VENDOR: [&str; 3] = ["/usr/lib/systemd", "/lib/systemd", "/usr/local/lib/systemd"];

/// Whether the manager has the unit from a package, and nobody has put another one in its place.
pub(super) fn owns(look: Look<'_>) -> bool {
    let fragment = look.reached.state.fragment_path.as_ref();
    let vendor = fragment.is_some_and(|path| VENDOR.iter().any(|dir| path.starts_with(dir)));
    vendor && look.observed.definition.standing == Standing::Missing && look.reached.state.is_loaded()
}

pub(super) fn use_as_it_is(install: Install, look: Look<'_>) -> Decided {
    if install.chosen {
        return Err(super::verbs::managed_elsewhere(look));
    }
    let (observed, state) = (look.observed, &look.reached.state);
    let mut steps = Vec::new();
    if install.enable && !state.wanted_at_login {
        steps.push(planned(Step::Enable, &format!("{} does not want it", start_target(observed.scope))));
        steps.push(planned(Step::Reload, "the manager has not seen its new links"));
    }
    let (job, note) = bring_up(install, false, look);
    if install.linger && !matches!(observed.linger, Linger::Yes | Linger::NotNeeded) {
        steps.push(planned(Step::EnableLinger, "without it the service ends with the last session"));
    }
    steps.extend(job);
    let mut notes = vec![format!(
        "the definition is the package's; for settings of your own: {} gateway edit",
        observed.command
    )];
    notes.extend(note);
    Ok((steps, notes))
}

pub(super) fn leave(look: Look<'_>) -> Decided {
    let (observed, state) = (look.observed, &look.reached.state);
    let mut steps = Vec::new();
    if state.wanted_at_login {
        steps.push(planned(Step::Disable, "its links would be left over"));
        steps.push(planned(Step::Reload, "the manager has not seen that they are gone"));
    }
    if state.is_up() {
        steps.push(planned(Step::Stop { wait: !observed.inside }, "nothing may be left running"));
    }
    if steps.is_empty() {
        return Err(Refusal::NotInstalled { unit: observed.unit.clone() });
    }
    let unit = state.fragment_path.as_deref().unwrap_or(&observed.definition.path).display();
    let notes = vec![format!("what is left: {unit} (the package's), {}", observed.state_dir.display())];
    Ok((steps, notes))
}
