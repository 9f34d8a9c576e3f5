//! `status`: the gateway in short.

use super::{Call, Now};
use crate::gateway::health::{WEBCHAT, WEBCHAT_LABEL, sessions};
use crate::protocol::error::ErrorShape;
use crate::protocol::method::Ignored;
use crate::protocol::methods::status::{
    AgentHeartbeat, AgentSessions, HeartbeatSummary, LinkChannel, SessionModel, SessionsOverview, Status,
    StatusSummary,
};
use crate::protocol::scope::Scope;

impl Now for Status {
    fn handle(call: &Call<'_>, _: Ignored) -> Result<StatusSummary, ErrorShape> {
        let state = call.state;
        let settings = state.settings.load();
        let (state_dir, agents) = (&state.instance.paths.state_dir, &settings.agents.agents);
        // Paths are for administrators (protocol notes §3.4).
        let admin = call.caller.scopes.grant(Scope::Admin);
        let enabled = state.heartbeats.enabled();
        let heartbeats = agents.iter().map(|agent| AgentHeartbeat {
            agent_id: agent.id.clone(),
            enabled,
            every: settings.heartbeat.every.clone(),
            every_ms: enabled.then_some(settings.heartbeat.every_ms),
        });
        let by_agent = agents.iter().map(|agent| {
            let summary = sessions(state_dir, &agent.id);
            AgentSessions {
                agent_id: agent.id.clone(),
                path: if admin { summary.path } else { "[redacted]".to_owned() },
                count: summary.count,
                recent: Vec::new(),
            }
        });
        let by_agent: Vec<_> = by_agent.collect();
        let paths = by_agent.iter().map(|agent| agent.path.clone()).filter(|_| admin).collect();
        Ok(StatusSummary {
            link_channel: Some(LinkChannel {
                id: WEBCHAT.to_owned(),
                label: WEBCHAT_LABEL.to_owned(),
                linked: settings.webchat,
                auth_age_ms: None,
            }),
            heartbeat: HeartbeatSummary {
                default_agent_id: settings.default_agent().to_owned(),
                agents: heartbeats.collect(),
            },
            channel_summary: vec![format!(
                "{WEBCHAT_LABEL}: {}",
                if settings.webchat { "ready" } else { "disabled" }
            )],
            queued_system_events: state.notes.list(),
            sessions: SessionsOverview {
                paths,
                count: by_agent.iter().map(|agent| agent.count).sum(),
                defaults: SessionModel { model: None, context_tokens: None },
                recent: Vec::new(),
                by_agent,
            },
        })
    }
}
