//! `gateway install`: the gateway as a service of this user or of the machine, running now and from now on.

use clap::Args as ClapArgs;

use super::preview::{Preview, preview};
use super::service::{
    How, PortChoice, Verb, Wanted, carry_out, only_root, refused_early, startable, tell_unstable,
};
use crate::cli::config::guard::config_not_created;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::config::create::{CreateError, Token, create_minimal, ensure_token};
use crate::config::tilde_path;
use crate::exit::ExitCode;
use crate::service::Scope;
use crate::service::hardening::Hardening;
use crate::service::plan::{Install, Intent};

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Port of the service, instead of what the configuration says; `config` for the configuration's again. Kept from
    /// the install before unless given
    #[arg(long, value_name = "PORT")]
    port: Option<PortChoice>,
    /// Replace a definition that was edited or is somebody else's (a copy is kept)
    #[arg(long)]
    force: bool,
    /// Do not start it now
    #[arg(long)]
    no_start: bool,
    /// Do not start it at login (with --system: at boot)
    #[arg(long)]
    no_enable: bool,
    /// Let this user's services outlive the last session (loginctl enable-linger); the machine's do so anyway
    #[arg(long)]
    linger: bool,
    /// How tightly it is shut in: strict breaks some tools (JIT compilers, debuggers), default breaks only tools that
    /// shut themselves in (containers), off adds nothing. Kept from the install before unless given
    #[arg(long, value_name = "CHOICE")]
    hardening: Option<Hardening>,
    /// Run the machine's gateway under this account, instead of one that is there only while it runs (with --system)
    #[arg(long, value_name = "ACCOUNT")]
    run_as: Option<String>,
    /// Show the definition that would be written, and do nothing
    #[arg(long, conflicts_with_all = ["diff", "dry_run", "json"])]
    print: bool,
    /// Show what would change in the definition that is installed, and do nothing
    #[arg(long, conflicts_with_all = ["dry_run", "json"])]
    diff: bool,
    #[command(flatten)]
    how: How,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    if args.run_as.is_some() && context.instance.scope != Scope::System {
        let message = "a user's service runs as that user: --run-as needs --system";
        return Err(CliError::new(ExitCode::Usage, message));
    }
    let wanted = Wanted { port: args.port, hardening: args.hardening, run_as: args.run_as };
    tell_unstable(context, ui)?;
    if args.print || args.diff {
        let what = if args.print { Preview::Definition } else { Preview::Changes };
        return preview(what, &wanted, context, ui);
    }
    let paths = &context.instance.paths;
    let install = Install {
        force: args.force,
        enable: !args.no_enable,
        start: !args.no_start,
        linger: args.linger,
        chosen: wanted.is_special() || paths.state_dir_is_chosen || paths.config_is_chosen,
    };
    let verb = Verb {
        intent: Intent::Install(install),
        name: "install",
        done: "Installed",
        result: "installed",
        already: "the gateway service is installed as it should be",
    };
    if !args.how.dry_run {
        only_root("install", context)?;
        refused_early(&verb, &wanted, context)?;
        configure(args.how.json, context, ui)?;
    }
    carry_out(&verb, &wanted, &args.how, context, ui)
}

/// A service that cannot start for want of a configuration or a token helps nobody.
fn configure(quiet: bool, context: &Context, ui: &mut Ui) -> Result<(), CliError> {
    let source = context.source();
    let failed = |error| config_not_created(context, error);
    match create_minimal(&source, &context.instance) {
        Ok(created) if !quiet => ui.note(&format!("Wrote {}", tilde_path(&created.path, &context.env))),
        Ok(_) | Err(CreateError::Exists(_)) => {}
        Err(error) => return Err(failed(error)),
    }
    startable(context)?;
    if let Token::Added(_) = ensure_token(&source).map_err(failed)?
        && !quiet
    {
        ui.note("No gateway token found. Auto-generated one and saving to config.");
    }
    Ok(())
}
