//! `devices`: which devices may connect.

use clap::{Args as ClapArgs, Subcommand};
use serde::Serialize;

use super::context::Context;
use super::error::CliError;
use super::target;
use super::ui::Ui;
use crate::exit::ExitCode;
use crate::protocol::method::{Ignored, Method};
use crate::protocol::methods::devices::{
    DeviceId, DevicePairApprove, DevicePairList, DevicePairReject, DevicePairRemove, DeviceTokenRevoke,
    DeviceTokenRotate, Devices, RequestId, RevokeParams, RotateParams,
};
use crate::protocol::text::NonEmpty;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    target: target::Args,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show devices that are paired or ask to be
    List,
    /// Let a device in: the request's id, or --latest
    Approve {
        /// The request
        #[arg(required_unless_present = "latest")]
        request: Option<NonEmptyArg>,
        /// The newest request there is
        #[arg(long, conflicts_with = "request")]
        latest: bool,
    },
    /// Refuse a device that asks to be paired
    Reject {
        /// The request
        request: NonEmptyArg,
    },
    /// Unpair a device
    Remove {
        /// The device
        device: NonEmptyArg,
    },
    /// Give a device a new token; the old one is no good any more
    Rotate {
        /// The device
        device: NonEmptyArg,
        /// The role the token is for
        #[arg(long, default_value = "operator")]
        role: NonEmptyArg,
        /// Scopes of the new token (else those of the old)
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<NonEmptyArg>,
    },
    /// Revoke a device's token
    Revoke {
        /// The device
        device: NonEmptyArg,
        /// The role the token is for
        #[arg(long, default_value = "operator")]
        role: NonEmptyArg,
    },
}

/// An argument that is not empty.
#[derive(Clone, Debug)]
struct NonEmptyArg(NonEmpty);

impl std::str::FromStr for NonEmptyArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NonEmpty::new(text).map(Self).ok_or("must not be empty")
    }
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let asker = Asker { args: &args.target, context, json: args.json };
    match args.command {
        Command::List => {
            let devices = asker.ask::<DevicePairList>(&Ignored::default(), ui)?;
            if args.json { ui.answer(1, &devices) } else { describe(&devices, ui) }
        }
        Command::Approve { request, latest: _ } => {
            let request_id = match request {
                Some(request) => request.0,
                None => newest(&asker.ask::<DevicePairList>(&Ignored::default(), ui)?)?,
            };
            let approved = asker.ask::<DevicePairApprove>(&RequestId { request_id }, ui)?;
            asker.say(&approved, &format!("Approved device {}", approved.device.device_id), ui);
        }
        Command::Reject { request } => {
            let rejected = asker.ask::<DevicePairReject>(&RequestId { request_id: request.0 }, ui)?;
            asker.say(&rejected, &format!("Rejected device {}", rejected.device_id), ui);
        }
        Command::Remove { device } => {
            let removed = asker.ask::<DevicePairRemove>(&DeviceId { device_id: device.0 }, ui)?;
            asker.say(&removed, &format!("Removed device {}", removed.device_id), ui);
        }
        Command::Rotate { device, role, scopes } => {
            let scopes = (!scopes.is_empty()).then(|| scopes.into_iter().map(|scope| scope.0).collect());
            let params = RotateParams { device_id: device.0, role: role.0, scopes };
            let rotated = asker.ask::<DeviceTokenRotate>(&params, ui)?;
            // The token is what was asked for: it is data, and told this once.
            let token = rotated.token.0.as_ref().map(|token| token.expose().to_owned()).unwrap_or_default();
            if !args.json {
                ui.note(&format!("New token of {} for role {}:", rotated.device_id, rotated.role));
            }
            asker.say(&rotated, &token, ui);
        }
        Command::Revoke { device, role } => {
            let params = RevokeParams { device_id: device.0, role: role.0 };
            let revoked = asker.ask::<DeviceTokenRevoke>(&params, ui)?;
            asker.say(&revoked, &format!("Revoked the {} token of {}", revoked.role, revoked.device_id), ui);
        }
    }
    Ok(ExitCode::Ok)
}

/// Asks the gateway one thing and says what came of it.
struct Asker<'a> {
    args: &'a target::Args,
    context: &'a Context,
    json: bool,
}

impl Asker<'_> {
    fn ask<M: Method>(&self, params: &M::Params, ui: &mut Ui) -> Result<M::Output, CliError> {
        let config = self.context.config_or_default(ui);
        let target = self.args.resolve(self.context, &config)?;
        self.context.block_on(async {
            let failed = |error| target.failure(M::NAME, error, self.context);
            let mut client = target.connect().await.map_err(failed)?;
            let answer = client.call::<M>(params).await.map_err(failed)?;
            client.close().await;
            Ok(answer)
        })
    }

    fn say(&self, answer: &impl Serialize, words: &str, ui: &mut Ui) {
        if self.json { ui.answer(1, answer) } else { ui.out(words) }
    }
}

fn newest(devices: &Devices) -> Result<NonEmpty, CliError> {
    let newest = devices.pending.first().and_then(|request| NonEmpty::new(request.request_id.as_str()));
    newest.ok_or_else(|| CliError::new(ExitCode::Failed, "no device asks to be paired"))
}

fn describe(devices: &Devices, ui: &mut Ui) {
    ui.out(&format!("Pending ({})", devices.pending.len()));
    for request in &devices.pending {
        let name = request.display_name.as_deref().or(request.client_id.as_deref()).unwrap_or("?");
        let place = request.remote_ip.as_deref().unwrap_or("this machine");
        let scopes = request.scopes.join(" ");
        ui.out(&format!("- {} {name} from {place}: {} {scopes}", request.request_id, request.role));
    }
    ui.out(&format!("Paired ({})", devices.paired.len()));
    for device in &devices.paired {
        let name = device.display_name.as_deref().or(device.client_id.as_deref()).unwrap_or("?");
        let roles = device.roles.join(",");
        ui.out(&format!("- {} {name}: {roles} {}", device.device_id, device.scopes.join(" ")));
    }
}
