//! `gateway [run]`: the gateway in the foreground.

use std::io::IsTerminal;

use clap::{Args as ClapArgs, ValueEnum};

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::target;
use crate::cli::ui::Ui;
use crate::config::section::{AuthMode, Bind};
use crate::exit::ExitCode;
use crate::gateway::{self, Did, Flags, ForceError, Notice, Options, Prepared, Refusal, WsLog};
use crate::host::first::{self, Ended};
use crate::host::{self, clock, fs, log};
use crate::instance::{Profile, Scope};
use crate::secret::Secret;
use crate::service::last_failure::{self, LastFailure};
use crate::service::spec::Restart;

/// Flags of `gateway` and `gateway run` alike.
#[derive(Clone, Debug, Default, ClapArgs)]
#[group(skip)]
pub(in crate::cli) struct Args {
    /// Port to listen on, 0 for any free one (else the environment, the configuration, 18789)
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Addresses to listen on
    #[arg(long, value_enum, value_name = "MODE")]
    bind: Option<BindArg>,
    /// How clients prove that they may connect
    #[arg(long, value_enum, value_name = "MODE")]
    auth: Option<AuthArg>,
    /// Token for this run. Others on this machine can see it in the process list: prefer the configuration
    #[arg(long, value_name = "TOKEN", hide_default_value = true)]
    token: Option<String>,
    /// Password for this run. Others on this machine can see it in the process list: prefer the configuration
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Run without a configuration and write none; a token is made for this run
    #[arg(long)]
    allow_unconfigured: bool,
    /// Wipe the dev profile first: configuration, devices, sessions, workspace (with --dev only)
    #[arg(long)]
    reset: bool,
    /// Where only a change by the operator can help, note why in the state directory and exit 0: for supervisors that
    /// restart every failure
    #[arg(long, hide = true)]
    stay_down: bool,
    /// Take the port from whoever listens on it: its unit is stopped, or it gets SIGTERM, then SIGKILL
    #[arg(long)]
    force: bool,
    /// Debug records too, on standard output and in the log
    #[arg(long)]
    verbose: bool,
    /// What --verbose says of requests
    #[arg(long, value_enum, value_name = "STYLE")]
    ws_log: Option<WsLogArg>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WsLogArg {
    /// Refused and slow ones (the default)
    Auto,
    /// Each with its id, size and connection
    Full,
    /// Each in one short line
    Compact,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum BindArg {
    /// This machine only
    Loopback,
    /// Every network the machine is in
    Lan,
    /// The machine's Tailscale address
    Tailnet,
    /// Loopback, or the network where that is not possible
    Auto,
    /// `gateway.customBindHost`
    Custom,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AuthArg {
    /// Nothing is asked for
    None,
    /// The gateway's token
    Token,
    /// The gateway's password
    Password,
    /// A proxy in front says who it is
    TrustedProxy,
}

impl Args {
    /// These flags, and where they say nothing, those given before the subcommand.
    pub(super) fn or(self, outer: Self) -> Self {
        Self {
            port: self.port.or(outer.port),
            bind: self.bind.or(outer.bind),
            auth: self.auth.or(outer.auth),
            token: self.token.or(outer.token),
            password: self.password.or(outer.password),
            allow_unconfigured: self.allow_unconfigured || outer.allow_unconfigured,
            reset: self.reset || outer.reset,
            force: self.force || outer.force,
            stay_down: self.stay_down || outer.stay_down,
            verbose: self.verbose || outer.verbose,
            ws_log: self.ws_log.or(outer.ws_log),
        }
    }

    /// The first of these flags that was given, if any was.
    pub(super) fn first_given(&self) -> Option<&'static str> {
        let given = [
            (self.port.is_some(), "--port"),
            (self.bind.is_some(), "--bind"),
            (self.auth.is_some(), "--auth"),
            (self.token.is_some(), "--token"),
            (self.password.is_some(), "--password"),
            (self.allow_unconfigured, "--allow-unconfigured"),
            (self.reset, "--reset"),
            (self.force, "--force"),
            (self.verbose, "--verbose"),
            (self.ws_log.is_some(), "--ws-log"),
        ];
        given.into_iter().find_map(|(given, flag)| given.then_some(flag))
    }

    fn options(&self) -> Options {
        let secret = |text: &Option<String>| text.as_deref().and_then(Secret::new);
        Options {
            port: self.port,
            bind: self.bind.map(|bind| match bind {
                BindArg::Loopback => Bind::Loopback,
                BindArg::Lan => Bind::Lan,
                BindArg::Tailnet => Bind::Tailnet,
                BindArg::Auto => Bind::Auto,
                BindArg::Custom => Bind::Custom,
            }),
            credentials: Flags {
                mode: self.auth.map(|mode| match mode {
                    AuthArg::None => AuthMode::None,
                    AuthArg::Token => AuthMode::Token,
                    AuthArg::Password => AuthMode::Password,
                    AuthArg::TrustedProxy => AuthMode::TrustedProxy,
                }),
                token: secret(&self.token),
                password: secret(&self.password),
            },
            allow_unconfigured: self.allow_unconfigured,
            verbose: self.verbose,
            ws_log: self.ws_log.map_or(WsLog::Auto, |style| match style {
                WsLogArg::Auto => WsLog::Auto,
                WsLogArg::Full => WsLog::Full,
                WsLogArg::Compact => WsLog::Compact,
            }),
        }
    }
}

/// Bytes of earlier crashes that are kept, where the supervisor collects them in a file.
const CRASH_TEXT: u64 = 1024 * 1024;

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    if first::is_first(&context.env) {
        return run_below(context);
    }
    if !args.stay_down {
        return attempt(args, context, ui);
    }
    log::bound_standard_error(CRASH_TEXT);
    let dir = &context.instance.paths.last_words;
    // What an earlier start failed for says nothing about this one.
    let cleared = last_failure::clear(dir);
    let error = match attempt(args, context, ui) {
        Err(error) if Restart::default().never.contains(&error.code().number()) => error,
        other => return other,
    };
    ui.error(&error);
    let note = LastFailure { code: error.code().number(), why: error.to_string(), at_ms: clock::unix_ms() };
    if let Err(source) = cleared.and_then(|()| last_failure::save(dir, &note)) {
        ui.warning(&format!("this could not be noted in {}: {source}", dir.display()));
    }
    Ok(ExitCode::Ok)
}

/// As process 1 of a container: the gateway runs in a process below this one. There is nobody else to start it again when
/// it asks for that.
fn run_below(context: &Context) -> Result<ExitCode, CliError> {
    let again = ExitCode::Temporary.number();
    let ended = first::stand_by(&context.running, &context.argv, again).map_err(|error| {
        CliError::new(ExitCode::Failed, "cannot run the gateway below process 1").cause(error)
    })?;
    match ended {
        // It has said why, if there is anything to say.
        Ended::Code(code) => {
            let code = u8::try_from(code).ok().and_then(ExitCode::numbered);
            Ok(code.unwrap_or(ExitCode::Failed))
        }
        Ended::Signal(signal) => {
            Err(CliError::new(ExitCode::Failed, format!("the gateway was killed by signal {signal}")))
        }
    }
}

fn attempt(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let instance = context.instance.clone();
    if instance.scope == Scope::System && host::user::id() == 0 {
        let message = "the machine's gateway runs under an account of its own, which its service gives it, and not as root";
        let command = instance.command();
        return Err(CliError::new(ExitCode::NotPermitted, message)
            .hint(format!("Run it as a service: {command} gateway install  (then {command} gateway start)"))
            .hint(format!("Or run your own in the foreground: {} gateway run", instance.brand.slug())));
    }
    let refused = |refusal| refusal_error(refusal, &context.instance.command());
    if args.reset {
        reset(context, ui)?;
    }
    let force = args.force;
    let prepared = Prepared::new(instance, context.env.clone(), args.options()).map_err(refused)?;
    for notice in &prepared.notices {
        tell(notice, &prepared, context, ui);
    }
    if force {
        take_port(prepared.port, context, ui)?;
    }
    gateway::run(prepared).map_err(refused)
}

/// Takes the port from whoever listens on it, saying who that is before anything is done.
fn take_port(port: u16, context: &Context, ui: &mut Ui) -> Result<(), CliError> {
    let freed = context.block_on(async {
        let tell = |did: Did| {
            ui.note(&match did {
                Did::NobodyThere => format!("force: no listeners on port {port}"),
                Did::Found(owner) => format!("force: port {port} is held by {}", gateway::owner_line(&owner)),
                Did::StoppedUnit(unit) => format!("force: stopped {unit}"),
                Did::Terminated(pid) => format!("force: killed pid {pid} on port {port}"),
                Did::Killed(pid) => {
                    format!("force: escalated to SIGKILL while freeing port {port} (pid {pid})")
                }
            });
        };
        Ok(gateway::free_port(port, &context.instance.unit_name(), &context.env, tell).await)
    })?;
    freed.map_err(|error| {
        let (code, hint) = match &error {
            ForceError::SystemUnit { unit, .. } => {
                (ExitCode::NotPermitted, format!("Run: sudo systemctl stop {unit}"))
            }
            ForceError::Signal { pid, .. } => (ExitCode::NotPermitted, format!("Run: sudo kill {pid}")),
            ForceError::Kept { .. } => {
                (ExitCode::Conflict, "See whose it is: systemctl --user list-sockets".to_owned())
            }
            _ => (
                ExitCode::Conflict,
                format!("Choose another port: {} gateway --port PORT", context.instance.command()),
            ),
        };
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let failed = CliError::new(code, format!("Force: {error}")).hint(hint);
        source.into_iter().fold(failed, CliError::cause)
    })
}

/// Wipes the dev profile: nothing of another profile, nothing that was put elsewhere by the environment.
fn reset(context: &Context, ui: &mut Ui) -> Result<(), CliError> {
    let (instance, paths) = (&context.instance, &context.instance.paths);
    if instance.profile != Profile::Dev {
        return Err(CliError::new(ExitCode::Usage, "Use --reset with --dev."));
    }
    if paths.state_dir_is_chosen || paths.config_is_chosen {
        let message = "--reset wipes the dev profile's own directory only; the environment chose another";
        return Err(CliError::new(ExitCode::Usage, message).hint(format!(
            "Unset {} and {}, or remove the files yourself",
            instance.brand.var("STATE_DIR"),
            instance.brand.var("CONFIG_PATH")
        )));
    }
    if let Some(holder) = target::holder(context) {
        let message =
            format!("cannot wipe {}: a gateway runs there (pid {})", paths.state_dir.display(), holder.pid);
        return Err(CliError::new(ExitCode::Conflict, message).hint(format!(
            "Stop it first: {} gateway stop, or Ctrl+C where it runs in the foreground",
            instance.command()
        )));
    }
    fs::remove_tree(&paths.state_dir).map_err(|error| {
        CliError::new(ExitCode::Failed, format!("cannot wipe {}", paths.state_dir.display())).cause(error)
    })?;
    ui.note(&format!("Wiped {}", paths.state_dir.display()));
    Ok(())
}

fn tell(notice: &Notice, prepared: &Prepared, context: &Context, ui: &mut Ui) {
    let command = context.instance.command();
    match notice {
        Notice::FirstRun { config } => {
            ui.note(&format!("First run: wrote {} (mode local, a new token).", config.display()));
            let (url, token) = prepared.dashboard();
            // The link that signs in holds the token: it is for a person at a terminal, not for a file or a journal.
            match token.filter(|_| std::io::stderr().is_terminal()) {
                Some(token) => ui.note(&format!("Dashboard URL: {url}#token={token}")),
                None => ui.note(&format!("Dashboard URL: {url} (the link that signs you in: {command} dashboard)")),
            }
        }
        Notice::TokenSaved => ui.note(
            "Gateway auth token was missing. Generated a new token and saved it to config (gateway.auth.token).",
        ),
        Notice::TokenForThisRun => ui.note(
            "Gateway auth token was missing. Generated a runtime token for this startup without changing config; \
             restart will generate a different token.",
        ),
        Notice::Unprotected => ui.warning(
            "Gateway auth mode=none explicitly configured; all gateway connections are unauthenticated.",
        ),
        Notice::NoTailnet => {
            ui.warning("gateway.bind=tailnet, but this machine has no tailnet address; listening on loopback");
        }
    }
}

/// A gateway that does not start, for the operator.
pub(super) fn refusal_error(refusal: Refusal, command: &str) -> CliError {
    let (code, hints, details) = (refusal.code(), refusal.hints(command), refusal.details());
    let mut error = CliError::new(code, refusal.to_string()).details(details);
    for hint in hints {
        error = error.hint(hint);
    }
    match refusal {
        Refusal::Bind { source, .. } | Refusal::Files { source, .. } | Refusal::Runtime(source) => {
            error.cause(source)
        }
        Refusal::Write(source) => error.cause(source),
        _ => error,
    }
}
