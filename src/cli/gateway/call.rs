//! `gateway call METHOD`: any method, raw.

use clap::Args as ClapArgs;
use serde_json::Value;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::target;
use crate::cli::ui::Ui;
use crate::exit::ExitCode;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The method, such as `health`
    method: String,
    /// Its parameters, a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    params: String,
    /// Print the answer only
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: target::Args,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let params: Value = serde_json::from_str(&args.params)
        .map_err(|error| CliError::new(ExitCode::Usage, "--params is not JSON").cause(error))?;
    if !params.is_object() {
        return Err(CliError::new(ExitCode::Usage, "--params is not a JSON object")
            .hint("Write it like {\"key\": 1}"));
    }
    let config = context.config_or_default(ui);
    let target = args.target.resolve(context, &config)?;
    let answer = context.block_on(async {
        let failed = |error| target.failure("Gateway call failed", error, context);
        let mut client = target.connect().await.map_err(failed)?;
        let answer = client.call_raw(&args.method, &params).await.map_err(failed)?;
        client.close().await;
        Ok(answer)
    })?;
    if !args.json {
        ui.note(&format!("Gateway call: {}", args.method));
    }
    ui.json(&answer);
    Ok(ExitCode::Ok)
}
