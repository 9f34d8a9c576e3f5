//! What all verbs of the service have in common: look, plan, show or perform, look again, say what came of it.

use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::answer::Answer;
use super::foreground::refused;
use super::probe::Health;
use super::progress::Steps;
use super::remote_config;
use super::run::refusal_error;
use crate::cli::config::guard::config_invalid;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::config::Config;
use crate::config::resolve::gateway_port;
use crate::doctor::foreign;
use crate::exit::ExitCode;
use crate::gateway::{self, Holder};
use crate::host;
use crate::host::lock::Lock;
use crate::instance::Profile;
use crate::service::Scope;
use crate::service::apply::{Outcome, Restored, apply};
use crate::service::claim::claim;
use crate::service::error::ServiceError;
use crate::service::facts::Facts;
use crate::service::hardening::Hardening;
use crate::service::manager::{Circumstances, Manager, Patience, Progress};
use crate::service::native::Native;
use crate::service::observed::Observed;
use crate::service::plan::{Desired, Intent, Plan, Planned, Refusal, Step, plan};
use crate::service::platform::ByHand;
use crate::service::program::{self, Program};
use crate::service::secrets;
use crate::service::shell::word;
use crate::service::spec::{Account, Choices, ServiceSpec};

/// How long another install may take before this one gives up.
pub(super) const CLAIM: Duration = Duration::from_secs(30);

/// Flags of every verb that changes something.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(super) struct How {
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Answer in JSON
    #[arg(long)]
    pub json: bool,
}

/// A verb: what is wanted, and the words for it.
pub(super) struct Verb {
    /// For the planner.
    pub intent: Intent,
    /// `install`: the `action` in JSON.
    pub name: &'static str,
    /// `Installed`: said of the service when something was done.
    pub done: &'static str,
    /// `installed`: the `result` in JSON when something was done.
    pub result: &'static str,
    /// The same when there was nothing to do.
    pub already: &'static str,
}

/// What the operator said about the definition; what they did not say stays as it is installed.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub port: Option<PortChoice>,
    pub hardening: Option<Hardening>,
    pub run_as: Option<String>,
}

/// Where a service's port comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PortChoice {
    /// The definition, which names it.
    Number(u16),
    /// The configuration.
    Configured,
}

impl FromStr for PortChoice {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.parse() {
            Ok(0) | Err(_) if word != "config" => Err("a number from 1 to 65535, or \"config\""),
            Ok(port) => Ok(Self::Number(port)),
            Err(_) => Ok(Self::Configured),
        }
    }
}

impl Wanted {
    /// Whether the definition has to say something that it would not say by itself.
    pub(super) fn is_special(&self) -> bool {
        self.port.is_some() || self.hardening.is_some() || self.run_as.is_some()
    }
}

/// Nobody else writes definitions of the machine's services, nor the configuration beside them.
pub(super) fn only_root(verb: &'static str, context: &Context) -> Result<(), CliError> {
    match context.instance.scope {
        Scope::System if host::user::id() != 0 => {
            Err(service_error(Refusal::NotRoot { verb }.into(), context))
        }
        _ => Ok(()),
    }
}

/// The configuration, if a gateway could start with it; else one that runs would be gone for one that cannot.
pub(super) fn startable(context: &Context) -> Result<Config, CliError> {
    let config = context.source().load().config.map_err(|problems| config_invalid(context, &problems))?;
    match gateway::hindrance(&config, &context.instance) {
        Some(refusal) => Err(refusal_error(refusal, &context.instance.command())),
        None => Ok(config),
    }
}

/// Carries a verb out.
pub(super) fn carry_out(
    verb: &Verb,
    wanted: &Wanted,
    how: &How,
    context: &Context,
    ui: &mut Ui,
) -> Result<ExitCode, CliError> {
    let acts_here = !how.dry_run && context.host.is_none();
    let starts = matches!(verb.intent, Intent::Start | Intent::Restart | Intent::Reload) && !how.dry_run;
    let config = match &context.host {
        Some(_) => Config::default(),
        None if starts => startable(context)?,
        None => context.config_or_default(ui),
    };
    context.block_on(async {
        if let (Some(host), true) = (&context.host, starts) {
            remote_config::check(host, context).await?;
        }
        let changes = verb.intent.writes() && acts_here;
        let failed = |error: ServiceError| service_error(error, context);
        if changes {
            only_root(verb.name, context)?;
        }
        let locks = changes || (context.platform.locks_every_verb() && !how.dry_run);
        let claim = if locks { Some(claim(&context.instance, CLAIM).await.map_err(failed)?) } else { None };
        let Considered { manager, before, desired, plan } =
            consider(verb.intent, wanted, &config, context).await?;
        if how.dry_run {
            show_plan(verb, &plan, how, ui);
            return Ok(ExitCode::Ok);
        }
        let port = match (&desired, before.record.record()) {
            (Some(desired), _) => desired.record.port,
            (None, known) => known.and_then(|known| known.port),
        };
        let probe = Health::new(port, &config, context);
        let outcome = perform(&manager, (&plan, &before), &probe, claim.as_ref(), how, ui).await;
        conclude(verb, &plan, outcome, &manager, &probe, how, context, ui).await
    })
}

/// What a verb would do, before anything is done.
struct Considered {
    manager: Native,
    before: Observed,
    desired: Option<Desired>,
    plan: Plan,
}

async fn consider(
    intent: Intent,
    wanted: &Wanted,
    config: &Config,
    context: &Context,
) -> Result<Considered, CliError> {
    let manager = context.manager().await;
    let before = manager.observe().await;
    let desired = match intent {
        Intent::Install(_) => Some(desire(&manager, &before, wanted, config, context)?),
        _ => None,
    };
    let plan = plan(intent, desired.as_ref(), &before);
    let plan = plan.map_err(|refusal| refused(intent, refusal, context))?;
    if let Some(error) = in_the_way(&plan, &before, context) {
        return Err(error);
    }
    if let (Intent::Install(install), Some(desired)) = (intent, &desired)
        && !install.force
        && let Some(error) = rival((&manager, &before), desired.record.port, config, context).await
    {
        return Err(error);
    }
    Ok(Considered { manager, before, desired, plan })
}

/// Another gateway's service that has the same port, and starts by itself or runs: the two would take turns (lifecycle
/// notes B5, B7).
async fn rival(
    (manager, before): (&Native, &Observed),
    named: Option<u16>,
    config: &Config,
    context: &Context,
) -> Option<CliError> {
    let port = gateway_port(named, &context.env, config, &context.instance).ok()?.value;
    let own = &before.unit;
    let others = manager.siblings(&context.dirs).await;
    let active = others.iter().filter(|other| other.enabled || other.running == Some(true));
    let other = active
        .filter(|other| other.unit != *own)
        .map(|other| foreign::look(other, &context.dirs))
        .find(|other| other.port == Some(port))?;
    let scope = if other.service.user { Scope::User } else { Scope::System };
    let down = context.platform.by_hand(ByHand::TakeDown, scope, &other.service.unit);
    let (unit, product, command) = (&other.service.unit, &other.service.product, context.instance.command());
    let message = format!("port {port} is that of another gateway: {unit} ({product})");
    Some(CliError::new(ExitCode::Conflict, message).hint(format!("take it down first: {down}")).hint(
        format!("or have another port here: {command} gateway install --port {}", Profile::next_port(port)),
    ))
}

/// A gateway in the foreground that has the state directory: the service would end with a conflict.
fn in_the_way(plan: &Plan, before: &Observed, context: &Context) -> Option<CliError> {
    let starts = |planned: &Planned| matches!(planned.step, Step::Start { .. } | Step::Restart { .. });
    let up = before.manager.reached().is_none_or(|reached| reached.state.is_up());
    if context.host.is_some() || up || !plan.steps.iter().any(starts) {
        return None;
    }
    let holder: Holder = host::lock::read(&context.instance.paths.lock).ok().flatten()?;
    let message = format!("the gateway runs already, and not as a service (process {})", holder.pid);
    let end = format!("end it first: kill {}, or Ctrl-C where it runs in the foreground", holder.pid);
    Some(CliError::new(ExitCode::Conflict, message).hint(end))
}

/// Fails as the verb will, if it will be refused: before anything is written that it needs.
pub(super) fn refused_early(verb: &Verb, wanted: &Wanted, context: &Context) -> Result<(), CliError> {
    let config = context.source().load().config.unwrap_or_default();
    context.block_on(async { consider(verb.intent, wanted, &config, context).await.map(drop) })
}

/// The program that the service is to run, by a path that lasts.
fn stable_program(context: &Context) -> Result<Program, CliError> {
    let invoked = context.program()?;
    let found = program::find(&invoked, &context.env);
    found.map_err(|error| {
        CliError::new(ExitCode::Failed, format!("cannot use {}", invoked.display())).cause(error)
    })
}

/// Warns of a program that may not be there at the next start.
pub(super) fn tell_unstable(context: &Context, ui: &mut Ui) -> Result<(), CliError> {
    let program = stable_program(context)?;
    if let Some(why) = program.unstable {
        ui.warning(&format!("the service will run {}, which may not last: {why}", program.path.display()));
    }
    Ok(())
}

/// What is to be installed.
pub(super) fn desire(
    manager: &Native,
    before: &Observed,
    wanted: &Wanted,
    config: &Config,
    context: &Context,
) -> Result<Desired, CliError> {
    let cannot = |what: &str| CliError::new(ExitCode::Failed, what.to_owned());
    let program = stable_program(context)?;
    let drain = config.gateway.drain_timeout_ms.millis();
    if context.instance.scope == Scope::System && program::is_in_a_home(&program.real) {
        let message = format!(
            "a service of the machine cannot reach {}, which is in a home directory",
            program.real.display()
        );
        return Err(CliError::new(ExitCode::Failed, message).hint(format!(
            "Put the program where every account can run it: sudo install {} /usr/local/bin/",
            word(&program.real)
        )));
    }
    let text = before.installed_text();
    let installed = text.map(|text| before.platform.chosen_in(&text, context.instance.brand));
    let installed = installed.unwrap_or_default();
    let account = match wanted.run_as.as_ref().or(installed.account.as_ref()) {
        Some(name) if context.instance.scope == Scope::System => {
            Account::named(name).map_err(|error| CliError::new(ExitCode::Usage, error))?
        }
        _ => Account::Dynamic,
    };
    let port = match wanted.port {
        Some(PortChoice::Number(port)) => Some(port),
        Some(PortChoice::Configured) => None,
        None => before.record.record().map_or(installed.port, |known| known.port),
    };
    let choices = Choices {
        program: &program.path,
        dirs: &context.dirs,
        port,
        drain,
        hardening: wanted.hardening.or(installed.hardening).unwrap_or_default(),
        account,
        credentials: secrets::to_hand_over(&context.instance, &installed.credentials),
    };
    let spec = ServiceSpec::for_gateway(&context.instance, &choices);
    let spec = spec.map_err(|error| cannot(&error.to_string()))?;
    manager
        .desire(&spec, before)
        .map_err(|error| cannot("cannot write the service's definition").hint(error.hint).cause(error))
}

fn show_plan(verb: &Verb, plan: &Plan, how: &How, ui: &mut Ui) {
    if how.json {
        Answer::planned(verb, plan).print(ui);
    } else if plan.is_empty() {
        ui.out(&format!("Nothing to do: {}", verb.already));
    } else {
        ui.text(&plan.to_string());
    }
    if !how.json {
        plan.notes.iter().for_each(|note| ui.note(&format!("note: {note}")));
    }
}

async fn perform(
    manager: &Native,
    (plan, before): (&Plan, &Observed),
    probe: &Health,
    claim: Option<&Lock>,
    how: &How,
    ui: &mut Ui,
) -> Outcome {
    let mut steps = Steps::default();
    let mut report = |progress: Progress<'_>| {
        if !how.json {
            steps.show(&progress, ui);
        }
    };
    let mut circumstances = Circumstances::new(probe, &mut report, Patience::default());
    circumstances.claim = claim;
    let interrupt = Arc::new(Notify::new());
    circumstances.interrupt = Some(Arc::clone(&interrupt));
    let ctrl_c = async {
        // Without a handler the signal ends this process, as ever.
        if tokio::signal::ctrl_c().await.is_ok() {
            interrupt.notify_one();
        }
        std::future::pending::<Infallible>().await
    };
    let outcome = tokio::select! {
        outcome = apply(manager, plan, before, &mut circumstances) => outcome,
        never = ctrl_c => match never {},
    };
    steps.end(ui);
    outcome
}

#[expect(clippy::too_many_arguments, reason = "the end of a verb, where everything comes together once")]
async fn conclude(
    verb: &Verb,
    plan: &Plan,
    outcome: Outcome,
    manager: &Native,
    probe: &Health,
    how: &How,
    context: &Context,
    ui: &mut Ui,
) -> Result<ExitCode, CliError> {
    let (notes, error) = match outcome {
        Outcome::Done { notes } => (notes, None),
        Outcome::Failed { error, notes, .. } => (notes, Some(service_error(error, context))),
        Outcome::RolledBack { error, restored, .. } => {
            let what = match restored {
                Restored::Nothing => "nothing is installed, as before",
                Restored::Definition => "the definition before is back",
                Restored::Running => "the definition before is back, and it runs",
            };
            (Vec::new(), Some(service_error(error, context).hint(format!("rolled back: {what}"))))
        }
        Outcome::Stuck { error, undoing, .. } => {
            let error = service_error(error, context);
            (Vec::new(), Some(error.hint(format!("rolling back failed too: {undoing}"))))
        }
    };
    let said = match plan.is_empty() {
        true => format!("Nothing to do: {}", verb.already),
        false => {
            format!("{} {}: {}", verb.done, context.platform.service(context.instance.scope), plan.unit)
        }
    };
    let notes: Vec<String> = plan.notes.iter().cloned().chain(notes).collect();
    if how.json {
        let observed = manager.observe().await;
        let facts = Facts::of(&observed, probe.of(&observed).await);
        let outcome = error.as_ref().map_or(Ok(said), Err);
        Answer::of(verb, plan, outcome, &notes, facts).print(ui);
        return Ok(error.map_or(ExitCode::Ok, |error| error.code()));
    }
    if let Some(error) = error {
        return Err(error);
    }
    ui.out(&said);
    notes.iter().for_each(|note| ui.note(&format!("note: {note}")));
    Ok(ExitCode::Ok)
}

/// A failure of the service's side, for the operator.
pub(in crate::cli) fn service_error(error: ServiceError, context: &Context) -> CliError {
    let (command, scope) = (context.instance.command(), context.instance.scope);
    let (code, hints) = (error.exit_code(), error.hints(&command, scope, context.platform));
    let mut failed = CliError::new(code, error.to_string());
    if let ServiceError::Refused(refusal) = &error
        && let Some(diff) = refusal.diff()
    {
        failed = failed.details(diff.lines().map(str::to_owned).collect());
    }
    if let Some(source) = std::error::Error::source(&error) {
        failed = failed.cause(source.to_string());
    }
    hints.into_iter().fold(failed, CliError::hint)
}
