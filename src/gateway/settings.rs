//! What a running gateway takes from its configuration. A reload makes a new one and swaps it in whole.

use std::time::Duration;

use super::credentials::Credentials;
use crate::auth::admission::Rules;
use crate::auth::limit::Limits;
use crate::auth::origin::UiRules;
use crate::auth::peer::Proxies;
use crate::config::Config;
use crate::protocol::methods::agents::{Agent, Agents, Identity};
use crate::protocol::methods::health::HeartbeatSetting;
use crate::protocol::methods::models::{Model, Models};

/// The agent that is there when none is configured.
const MAIN_AGENT: &str = "main";

/// The part of a configuration that is read while the gateway runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who may connect.
    pub rules: Rules,
    /// Failed attempts.
    pub limits: Limits,
    /// The agents.
    pub agents: Agents,
    /// Their heartbeat.
    pub heartbeat: HeartbeatSetting,
    /// The models.
    pub models: Models,
    /// Whether the web chat takes messages.
    pub webchat: bool,
    /// How long a stop waits for work in flight.
    pub drain: Duration,
    /// Hex SHA-256 of the configuration file's text.
    pub hash: String,
}

impl Settings {
    /// Takes what is needed from a checked configuration. Credentials are decided at the start and stay (protocol
    /// notes §6.2), so they are given.
    pub fn new(config: &Config, credentials: &Credentials, hash: String) -> Self {
        let (gateway, ui, rate) =
            (&config.gateway, &config.gateway.control_ui, &config.gateway.auth.rate_limit);
        let every = config.agents.defaults.heartbeat.every;
        let every_ms =
            every.duration().map_or(0, |every| u64::try_from(every.as_millis()).unwrap_or(u64::MAX));
        Self {
            rules: Rules {
                policy: credentials.policy(),
                proxies: Proxies {
                    trusted: gateway.trusted_proxies.clone(),
                    allow_real_ip: gateway.allow_real_ip_fallback,
                },
                ui: UiRules {
                    allowed_origins: ui
                        .allowed_origins
                        .iter()
                        .map(|origin| origin.as_str().to_owned())
                        .collect(),
                    host_header_fallback: ui.dangerously_allow_host_header_origin_fallback,
                    allow_insecure_auth: ui.allow_insecure_auth,
                    disable_device_auth: ui.dangerously_disable_device_auth,
                },
            },
            limits: Limits {
                max_attempts: u32::try_from(rate.max_attempts.get()).unwrap_or(u32::MAX),
                window_ms: rate.window_ms.get(),
                lockout_ms: rate.lockout_ms.get(),
                exempt_loopback: rate.exempt_loopback,
            },
            agents: agents(config),
            heartbeat: HeartbeatSetting { enabled: every_ms > 0, every: every.into(), every_ms },
            models: models(config),
            webchat: config.channels.webchat.enabled,
            drain: Duration::from_millis(gateway.drain_timeout_ms.get()),
            hash,
        }
    }

    /// The agent that answers when nobody is named.
    pub fn default_agent(&self) -> &str {
        &self.agents.default_id
    }

    /// Whether an agent is the default one.
    pub fn is_default(&self, agent: &Agent) -> bool {
        agent.id == self.agents.default_id
    }
}

fn agents(config: &Config) -> Agents {
    let list = &config.agents.list;
    let mut agents: Vec<Agent> = list
        .iter()
        .map(|agent| Agent {
            id: agent.id.as_str().to_owned(),
            name: agent.name.clone(),
            identity: agent.identity.clone().map(|identity| Identity {
                name: identity.name,
                theme: identity.theme,
                emoji: identity.emoji,
                avatar: identity.avatar,
            }),
        })
        .collect();
    if agents.is_empty() {
        agents.push(Agent { id: MAIN_AGENT.to_owned(), name: None, identity: None });
    }
    let chosen = list.iter().find(|agent| agent.default).map(|agent| agent.id.as_str().to_owned());
    Agents {
        default_id: chosen.unwrap_or_else(|| agents[0].id.clone()),
        main_key: "main".to_owned(),
        scope: "per-sender".to_owned(),
        agents,
    }
}

fn models(config: &Config) -> Models {
    let models = config.models.providers.iter().flat_map(|(provider, settings)| {
        settings.models.iter().map(|model| Model {
            id: model.id.clone(),
            name: model.name.clone().unwrap_or_else(|| model.id.clone()),
            provider: provider.clone(),
            context_window: model.context_window.map(|window| window.get()),
            reasoning: model.reasoning,
        })
    });
    Models { models: models.collect() }
}
