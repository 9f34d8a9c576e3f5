//! The flags of every command, and the list of commands. Each command owns its own flags.

use clap::{Args, Parser, Subcommand};

use crate::service::remote::Host;

use super::{
    channels, completions, config, dashboard, devices, doctor, gateway, health, logs, man, protocol, setup,
    status,
};

/// An always-on gateway: one process, one port, supervised by systemd or launchd.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Global {
    /// Use a separate gateway: its own state, configuration, port and service
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "dev")]
    pub profile: Option<String>,
    /// The machine's own gateway, not this user's: its service runs at boot, under an account of its own
    #[arg(long, global = true)]
    pub system: bool,
    /// The same as `--profile dev`: for development, base port 19001
    #[arg(long, global = true)]
    pub dev: bool,
    /// Do it on another machine, reached by ssh
    #[arg(long, global = true, value_name = "[USER@]SERVER", value_parser = Host::parse)]
    pub host: Option<Host>,
    /// No colour, even on a terminal (`NO_COLOR` does the same)
    #[arg(long, global = true)]
    pub no_color: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the gateway, or manage its service
    Gateway(Box<gateway::Args>),
    /// Show the whole of it in a few lines
    Status(status::Args),
    /// Make everything a first start needs, without starting
    Setup(setup::Args),
    /// Show how the gateway is, as it says itself
    Health(health::Args),
    /// Find what is wrong with the gateway and its service, and repair it
    Doctor(doctor::Args),
    /// Show what the gateway said, whether it runs or not
    Logs(logs::Args),
    /// Print the link that signs a browser in, and open it
    Dashboard(dashboard::Args),
    /// Show channels
    Channels(channels::Args),
    /// Decide which devices may connect
    Devices(devices::Args),
    /// Read, check and change the configuration
    Config(config::Args),
    /// Describe the protocol
    Protocol(protocol::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Write the manual pages into a directory, for packages
    #[command(hide = true)]
    Man(man::Args),
}
