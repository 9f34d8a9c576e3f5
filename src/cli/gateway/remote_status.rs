//! `gateway status --host`: what the service manager of another machine tells over ssh, and what the gateway there
//! answers the program there.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::report;
use super::status::{Args, Rpc, Runtime, ServicePart, exit_code, runtime};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::exit::ExitCode;
use crate::host::process::{self, Finished};
use crate::instance::Instance;
use crate::service::facts::Facts;
use crate::service::manager::Manager as _;
use crate::service::observed::{Manager, Observed};
use crate::service::remote::Host;
use crate::service::ssh::{self, Ended, LOGIN_DEADLINE, Terminal};

/// How long the gateway over there may take to answer the program there.
const PROBE: Duration = Duration::from_secs(2);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    host: &'a str,
    service: ServicePart,
    runtime: Runtime,
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc: Option<Rpc>,
    /// Why the gateway was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    rpc_skipped: Option<String>,
}

/// What is used of the answer of the program over there.
#[derive(Debug, Deserialize)]
struct There {
    rpc: Rpc,
    runtime: RuntimeThere,
}

#[derive(Debug, Deserialize)]
struct RuntimeThere {
    status: String,
    pid: Option<u32>,
    version: Option<String>,
}

pub(super) fn status(host: &Host, args: &Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let (observed, asked) = context.block_on(async {
        let observe = async { context.manager().await.observe().await };
        let asked = async {
            match args.no_probe {
                true => Err("--no-probe".to_owned()),
                false => ask(host, &context.instance, args.target.timeout()).await,
            }
        };
        Ok(tokio::join!(observe, asked))
    })?;
    if let Manager::Unreachable { unreachable } = &observed.manager {
        let error = CliError::new(unreachable.exit_code(), unreachable.to_string());
        return Err(error.hint(unreachable.hint(&context.instance.command())));
    }
    let report = report(host, observed, asked);
    if args.json {
        ui.answer(1, &report);
    } else {
        describe(&report, ui);
    }
    Ok(exit_code(&report.runtime, report.rpc.as_ref(), &report.service.facts, args.require_rpc))
}

/// Has the program over there ask its gateway. The error says why it was not asked.
async fn ask(host: &Host, instance: &Instance, timeout: Duration) -> Result<There, String> {
    let command = instance.command();
    let limit = timeout.as_millis().to_string();
    let status = ["gateway", "status", "--json", "--timeout", &limit];
    let words: Vec<&str> = command.split(' ').chain(status).collect();
    let ask = ssh::command(host, Terminal::None, &words).map_err(|error| error.to_string())?;
    let finished = process::run(ask, LOGIN_DEADLINE + timeout).await;
    read(&finished.map_err(|error| error.to_string())?, instance.brand.slug())
}

/// Whether the gateway over there is well, and is this process, as far as the program there can be asked.
pub(super) async fn is_well(host: &Host, instance: &Instance, pid: u32) -> Option<Result<(), String>> {
    let there = ask(host, instance, PROBE).await.ok()?;
    Some(match (there.rpc.error, there.runtime.pid) {
        (Some(error), _) => Err(format!("{}: {error}", there.rpc.url)),
        (None, Some(other)) if other != pid => {
            Err(format!("at {} answers process {other}, not {pid}", there.rpc.url))
        }
        (None, _) => Ok(()),
    })
}

/// Reads what the program over there has answered.
fn read(finished: &Finished, program: &str) -> Result<There, String> {
    let said = finished.stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    match Ended::of(finished.status) {
        Ended::NotRun => Err(format!("there is no {program} over there to ask it: {said}")),
        Ended::Lost | Ended::Killed => Err(format!("ssh failed: {said}")),
        Ended::Code(code) => serde_json::from_str(&finished.stdout).map_err(|_| {
            format!("the {program} over there gives no answer that is understood here (exit {code}): {said}")
        }),
    }
}

fn report(host: &Host, observed: Observed, asked: Result<There, String>) -> Report<'_> {
    let main_pid = observed.manager.reached().and_then(|reached| reached.state.main_pid);
    let of_service = asked.as_ref().ok().filter(|there| main_pid.is_some() && there.runtime.pid == main_pid);
    let health = of_service.map(|there| match &there.rpc.error {
        None => Ok(()),
        Some(error) => Err(error.clone()),
    });
    let facts = Facts::of(&observed, health);
    let mut runtime = runtime(&observed, &facts, None);
    if let Ok(there) = &asked
        && there.runtime.status == "running"
    {
        // One that nobody supervises runs, too.
        let supervised = there.runtime.pid == main_pid;
        let version = there.runtime.version.clone();
        runtime = Runtime { status: "running", pid: there.runtime.pid, supervised, version };
    }
    let service = ServicePart { facts, hardening: None, observed };
    let (rpc, rpc_skipped) = match asked {
        Ok(there) => (Some(there.rpc), None),
        Err(why) => (None, Some(why)),
    };
    Report { host: host.as_str(), service, runtime, rpc, rpc_skipped }
}

fn describe(report: &Report<'_>, ui: &mut Ui) {
    ui.out(&format!("Host: {}", report.host));
    report::service(&report.service, ui);
    ui.out("");
    report::runtime(&report.runtime, &report.service, ui);
    report::facts(&report.service, ui);
    match (&report.rpc, &report.rpc_skipped) {
        (Some(rpc), _) => report::probe(rpc, ui),
        (None, why) => ui.out(&format!("RPC probe: skipped ({})", why.as_deref().unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn finished(code: i32, stdout: &str, stderr: &str) -> Finished {
        Finished {
            status: ExitStatus::from_raw(code << 8),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        }
    }

    #[test]
    fn what_is_no_answer_is_told_as_such() {
        let table = [
            (
                127,
                "sh: 1: fased: not found",
                "there is no fased over there to ask it: sh: 1: fased: not found",
            ),
            (255, "ada@a: Permission denied", "ssh failed: ada@a: Permission denied"),
            (
                2,
                "error: unexpected argument",
                "the fased over there gives no answer that is understood here (exit 2): error: unexpected argument",
            ),
        ];
        for (code, stderr, expected) in table {
            assert_eq!(read(&finished(code, "", stderr), "fased").unwrap_err(), expected);
        }
    }

    #[test]
    fn an_answer_counts_whatever_the_exit_code() {
        let answer = r#"{"schema":1,"rpc":{"ok":false,"url":"ws://x","latencyMs":3,"error":"refused"},
                         "runtime":{"status":"stopped","supervised":false},"later":true}"#;
        let there = read(&finished(3, answer, ""), "fased").unwrap();
        assert_eq!((there.rpc.ok, there.rpc.error.as_deref()), (false, Some("refused")));
        assert_eq!(there.runtime.pid, None);
    }
}
