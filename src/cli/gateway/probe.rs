//! Asks the gateway itself whether it is well: of this machine, or by the program of another one.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::remote_status::is_well;
use crate::cli::context::Context;
use crate::cli::target;
use crate::client::{Address, probe};
use crate::config::Config;
use crate::config::resolve::gateway_port;
use crate::gateway;
use crate::instance::{Instance, Paths};
use crate::service::manager::{Probe, Run};
use crate::service::observed::Observed;
use crate::service::remote::Host;

/// How long one question to the gateway may take.
const PROBE: Duration = Duration::from_secs(2);

/// Asks the gateway itself whether it is well, and which process it is.
pub(super) struct Health {
    /// On another machine it is the program there that asks. Where there is none, that the service said it is ready has
    /// to do.
    there: Option<(Host, Instance)>,
    paths: Paths,
    fallback: Result<Address, String>,
}

impl Health {
    pub(super) fn new(port: Option<u16>, config: &Config, context: &Context) -> Self {
        let port = gateway_port(port, &context.env, config, &context.instance);
        Self {
            there: context.host.clone().map(|host| (host, context.instance.clone())),
            paths: context.instance.paths.clone(),
            fallback: port
                .map(|port| Address::at(gateway::reached_at(config, port.value)))
                .map_err(|error| error.to_string()),
        }
    }

    /// Asks the process that the manager calls the main one, if there is one.
    pub(super) async fn of(&self, observed: &Observed) -> Option<Result<(), String>> {
        let pid = observed.manager.reached()?.state.main_pid?;
        match &self.there {
            Some((host, instance)) => is_well(host, instance, pid).await,
            None => Some(self.ask(pid).await),
        }
    }

    async fn ask(&self, main_pid: u32) -> Result<(), String> {
        // Whoever holds the lock says where it listens; until then it is where the configuration says.
        let holder = target::holder_at(&self.paths).filter(|holder| holder.pid == main_pid);
        let told = holder.and_then(|holder| holder.url).and_then(|url| Address::parse(&url).ok());
        let address = match told {
            Some(address) => address,
            None => self.fallback.clone()?,
        };
        let ready = probe::ready(&address, PROBE).await.map_err(|error| format!("{address}: {error}"))?;
        match ready.pid {
            Some(pid) if pid != main_pid => {
                Err(format!("at {address} answers process {pid}, not {main_pid}"))
            }
            _ if !ready.ready => {
                let failing = ready.failing.unwrap_or_default().join(", ");
                Err(format!("it is not ready ({failing})"))
            }
            _ => Ok(()),
        }
    }
}

impl Probe for Health {
    fn probe(&self, run: Run) -> BoxFuture<'_, Result<(), String>> {
        match &self.there {
            Some((host, instance)) => {
                Box::pin(async move { is_well(host, instance, run.main_pid).await.unwrap_or(Ok(())) })
            }
            None => Box::pin(self.ask(run.main_pid)),
        }
    }
}
