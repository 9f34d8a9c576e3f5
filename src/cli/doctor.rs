//! `doctor`: what is wrong with the gateway and its service, and with `--fix` its repair.

use clap::Args as ClapArgs;
use serde::Serialize;

use super::context::Context;
use super::error::CliError;
use super::gateway::service_error;
use super::ui::Ui;
use crate::doctor::diagnose;
use crate::doctor::facts::{Circumstances, Facts};
use crate::doctor::finding::{Class, Finding, Severity};
use crate::doctor::repair::{self, Permission, Plan};
use crate::exit::ExitCode;
use crate::service::claim::{PATIENCE, claim};
use crate::service::hardening::Hardening;
use crate::service::native::Native;
use crate::service::observed::Manager;
use crate::service::reach::Unreachable;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Repair what can be repaired without losing anything that somebody meant
    #[arg(long, visible_alias = "repair")]
    fix: bool,
    /// With --fix: also overwrite what somebody changed (a copy is kept)
    #[arg(long, requires = "fix")]
    force: bool,
    /// With --fix: do not ask
    #[arg(long, short)]
    yes: bool,
    /// Never ask; without --yes, do only what needs no restart
    #[arg(long)]
    non_interactive: bool,
    /// Look closer: everything that was looked at and found well, too
    #[arg(long)]
    deep: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// The answer in JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    ok: bool,
    profile: String,
    unit: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hardening: Option<&'static str>,
    counts: Counts,
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<&'a Repaired>,
}

#[derive(Serialize)]
struct Counts {
    error: usize,
    warning: usize,
    info: usize,
}

/// What `--fix` did.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Repaired {
    /// Whether anything was done.
    done: bool,
    steps: Vec<String>,
    diffs: Vec<String>,
    restarted: bool,
    notes: Vec<String>,
    /// What was found before, and is gone.
    gone: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Repairs may uncover more to repair; this often they are tried.
const ROUNDS: usize = 3;

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let program = context.program()?;
    context.block_on(async {
        let around = Look { program: &program, context };
        let (_, mut facts) = around.look().await;
        let mut findings = diagnose(&facts);
        if !args.fix {
            show(&args, &facts, &findings, None, context, ui);
            return Ok(exit_code(&facts, &findings));
        }
        if !facts.service.observed.may_write {
            let command = context.instance.command();
            return Err(CliError::new(
                ExitCode::NotPermitted,
                "only root can repair a service of the machine",
            )
            .hint(format!("sudo {command} doctor --fix")));
        }
        let _claim =
            claim(&context.instance, PATIENCE).await.map_err(|error| service_error(error, context))?;
        let before = findings.clone();
        let mut repaired = Repaired::default();
        let mut last = Vec::new();
        for _ in 0..ROUNDS {
            let (manager, seen) = around.look().await;
            facts = seen;
            findings = diagnose(&facts);
            let may = Permission { force: args.force, restart: args.yes || !args.non_interactive };
            let plan = repair::plan(&facts, &findings, may);
            if plan.steps.is_empty() || plan.steps == last || !agreed(&args, &plan, &findings, ui) {
                break;
            }
            let port = facts.port.as_ref().ok().copied();
            let quiet = args.json;
            let mut say = |line: &str| {
                if !quiet {
                    ui.note(line)
                }
            };
            let done =
                repair::perform(&manager, &plan, (&context.instance, &context.env, port), &mut say).await;
            repaired.done = true;
            repaired.restarted |= plan.restarts;
            repaired.steps.extend(repair::shown(&plan));
            repaired.diffs.extend(plan.diffs);
            last = plan.steps;
            match done {
                Ok(notes) => repaired.notes.extend(notes),
                Err((step, error)) => {
                    let error = service_error(error, context);
                    repaired.error = Some(format!("step {step}: {error}"));
                    break;
                }
            }
        }
        if repaired.done {
            // What is fixed is said by the manager and the disk, not by the steps.
            facts = around.look().await.1;
            findings = diagnose(&facts);
        }
        let same = |a: &Finding, b: &Finding| a.id == b.id && a.key == b.key && a.at == b.at;
        repaired.gone = before.into_iter().filter(|old| !findings.iter().any(|new| same(old, new))).collect();
        show(&args, &facts, &findings, Some(&repaired), context, ui);
        match &repaired.error {
            Some(_) if findings.iter().all(|finding| !finding.counts()) => Ok(ExitCode::Failed),
            _ => Ok(exit_code(&facts, &findings)),
        }
    })
}

/// What every look needs.
struct Look<'a> {
    program: &'a std::path::Path,
    context: &'a Context,
}

impl Look<'_> {
    async fn look(&self) -> (Native, Facts) {
        let Context { instance, env, dirs, .. } = self.context;
        let manager = self.context.manager().await;
        let around = Circumstances { instance, env, dirs, program: self.program, manager: &manager };
        let facts = Facts::gather(around).await;
        (manager, facts)
    }
}

/// Shows what will change, and asks whether it may.
fn agreed(args: &Args, plan: &Plan, findings: &[Finding], ui: &mut Ui) -> bool {
    if !args.json {
        findings
            .iter()
            .filter(|finding| finding.is_repaired(args.force))
            .for_each(|finding| line(finding, ui));
        plan.diffs.iter().for_each(|diff| ui.note(diff));
        repair::shown(plan).iter().for_each(|step| ui.note(&format!("will: {step}")));
        if plan.restarts {
            ui.warning("the service will be restarted");
        }
    }
    if args.yes || args.non_interactive {
        return true;
    }
    match ui.ask("Do this?") {
        Some(answer) => answer,
        None => {
            ui.hint("Nothing was done: nobody is there to be asked. Add --yes");
            false
        }
    }
}

fn exit_code(facts: &Facts, findings: &[Finding]) -> ExitCode {
    // Of a manager that cannot be asked most is not known: that is another answer than that something differs.
    if let Manager::Unreachable { unreachable } = &facts.service.observed.manager
        && !matches!(unreachable, Unreachable::NoSystemd { .. })
        && findings.iter().any(|finding| finding.id == "manager.unreachable" && finding.counts())
    {
        return unreachable.exit_code();
    }
    if findings.iter().any(Finding::counts) { ExitCode::Drift } else { ExitCode::Ok }
}

fn show(
    args: &Args,
    facts: &Facts,
    findings: &[Finding],
    repaired: Option<&Repaired>,
    context: &Context,
    ui: &mut Ui,
) {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let counts = Counts {
        error: count(Severity::Error),
        warning: count(Severity::Warning),
        info: count(Severity::Info),
    };
    let unit = facts.service.observed.unit.as_str();
    let hardening = facts.service.hardening.map(Hardening::word);
    if args.json {
        let ok = exit_code(facts, findings) == ExitCode::Ok;
        let profile = context.instance.profile.to_string();
        ui.answer(1, &Answer { ok, profile, unit, hardening, counts, findings, repair: repaired });
        return;
    }
    if args.deep {
        if let Some(hardening) = hardening {
            ui.out(&format!("{:<14} {hardening}", "hardening"));
        }
        crate::doctor::checks::ALL.iter().for_each(|(name, check)| {
            let found = check(facts).iter().filter(|finding| finding.counts()).count();
            ui.out(&format!(
                "{:<14} {}",
                name,
                if found == 0 { "ok".to_owned() } else { format!("{found} findings") }
            ));
        });
    }
    if let Some(repaired) = repaired {
        repaired.gone.iter().for_each(|gone| ui.out(&format!("repaired {:<22} {}", gone.id, gone.summary)));
        repaired.notes.iter().for_each(|note| ui.note(&format!("note: {note}")));
        if let Some(error) = &repaired.error {
            ui.warning(&format!("the repair ended early: {error}"));
        }
    }
    findings.iter().for_each(|finding| line(finding, ui));
    if counts.error + counts.warning == 0 {
        ui.out(&format!("No problems found: {unit}"));
        return;
    }
    let many = |count, noun| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let (errors, warnings) = (many(counts.error, "error"), many(counts.warning, "warning"));
    ui.out(&format!("{errors}, {warnings}: {unit}"));
    let class = |class| findings.iter().any(|finding| finding.counts() && finding.repair.class == class);
    let command = context.instance.command();
    if class(Class::Fix) && repaired.is_none() {
        ui.hint(&format!("Repair it: {command} doctor --fix"));
    }
    if class(Class::Force) && !args.force {
        ui.hint(&format!("Take back what somebody changed: {command} doctor --fix --force"));
    }
}

fn line(finding: &Finding, ui: &mut Ui) {
    ui.out(&format!("{:<8} {:<24} {}", finding.severity.word(), finding.id, finding.summary));
    let mut more = |name: &str, text: &str| ui.out(&format!("         {name:<10} {text}"));
    if let Some(expected) = &finding.expected {
        more("expected:", expected);
    }
    if let Some(found) = &finding.found {
        more("found:", found);
    }
    if let Some(at) = &finding.at {
        let line = at.line.map(|line| format!(":{line}")).unwrap_or_default();
        more("at:", &format!("{}{line}", at.file.display()));
    }
    finding.hints.iter().for_each(|hint| more("hint:", hint));
}
