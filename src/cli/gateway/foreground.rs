//! What is said to whoever wants to stop or reload a gateway that no service manager has.

use super::service::service_error;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::target::holder;
use crate::host::port::unit_of_process;
use crate::service::plan::{Intent, Refusal};

/// A verb that is not carried out, with what helps whoever wanted it: how to run a gateway is no help to those who want
/// it to end.
pub(super) fn refused(intent: Intent, refusal: Refusal, context: &Context) -> CliError {
    let signal = match intent {
        Intent::Stop | Intent::StopForGood | Intent::Uninstall => "TERM",
        Intent::Reload => "HUP",
        _ => return service_error(refusal.into(), context),
    };
    let remedy = match &refusal {
        Refusal::Unreachable(unreachable) => unreachable.remedy(&context.instance.command()),
        Refusal::NotInstalled { .. } => None,
        _ => return service_error(refusal.into(), context),
    };
    let holder = holder(context).filter(|_| context.host.is_none());
    // It is a service after all, and it is the way to its manager that is missing.
    let unit = holder.as_ref().and_then(|holder| unit_of_process(holder.pid));
    if unit.is_some_and(|unit| unit.name == context.instance.unit_name()) {
        return service_error(refusal.into(), context);
    }
    let failed = CliError::new(refusal.exit_code(), refusal.to_string());
    let failed = remedy.into_iter().fold(failed, CliError::hint);
    // Over there it is looked for by the program over there.
    if context.host.is_some() {
        return failed;
    }
    failed.hint(match (holder, signal) {
        (Some(holder), "TERM") => {
            format!("a gateway runs without a service: kill {}, or Ctrl+C where it runs", holder.pid)
        }
        (Some(holder), signal) => {
            format!("a gateway runs without a service: kill -{signal} {}", holder.pid)
        }
        (None, _) => "no gateway of this profile runs in the foreground either".to_owned(),
    })
}
