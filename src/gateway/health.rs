//! The health snapshot: made when something changed or somebody asks, kept as JSON for every `hello-ok`
//! (protocol notes §3.3).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::value::RawValue;

use super::settings::Settings;
use crate::host::clock;
use crate::protocol::methods::channels::{
    AccountSnapshot, ChannelMeta, ChannelSummary, ChannelsReport, ProbeAnswer,
};
use crate::protocol::methods::health::{
    AgentHealth, ChannelHealth, HealthSnapshot, SessionsSummary, WebHealth,
};

/// The one channel there is: chats over the gateway's own WebSocket.
pub const WEBCHAT: &str = "webchat";
/// What people call it.
pub const WEBCHAT_LABEL: &str = "WebChat";
/// The account of a channel that has but one.
const DEFAULT_ACCOUNT: &str = "default";

/// The last snapshot as JSON.
#[derive(Debug)]
pub struct HealthCache(Mutex<Arc<RawValue>>);

impl HealthCache {
    /// `{}`: nothing has been looked at yet.
    pub fn new() -> Self {
        let empty = RawValue::from_string("{}".to_owned()).unwrap_or_default();
        Self(Mutex::new(empty.into()))
    }

    /// The last snapshot.
    pub fn get(&self) -> Arc<RawValue> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps a snapshot and returns it as JSON.
    pub fn put(&self, snapshot: &HealthSnapshot) -> serde_json::Result<Arc<RawValue>> {
        let raw: Arc<RawValue> = serde_json::value::to_raw_value(snapshot)?.into();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&raw);
        Ok(raw)
    }
}

/// Looks at everything and says how it is.
pub fn look(settings: &Settings, state_dir: &Path) -> HealthSnapshot {
    let (begun, ts) = (Instant::now(), clock::unix_ms());
    let linked = settings.webchat;
    let channel = ChannelHealth {
        configured: linked,
        linked,
        running: linked,
        account_id: DEFAULT_ACCOUNT.to_owned(),
        last_probe_at: Some(ts),
    };
    let agents = settings.agents.agents.iter().map(|agent| AgentHealth {
        agent_id: agent.id.clone(),
        name: agent.name.clone(),
        is_default: settings.is_default(agent),
        heartbeat: settings.heartbeat.clone(),
        sessions: sessions(state_dir, &agent.id),
    });
    HealthSnapshot {
        ok: true,
        ts,
        channels: BTreeMap::from([(WEBCHAT.to_owned(), channel)]),
        channel_order: vec![WEBCHAT.to_owned()],
        channel_labels: BTreeMap::from([(WEBCHAT.to_owned(), WEBCHAT_LABEL.to_owned())]),
        heartbeat_seconds: settings.heartbeat.every_ms / 1000,
        default_agent_id: settings.default_agent().to_owned(),
        agents: agents.collect(),
        sessions: sessions(state_dir, settings.default_agent()),
        web: WebHealth { linked },
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

/// Where an agent's sessions are. Nothing makes sessions yet, so there are none.
pub fn sessions(state_dir: &Path, agent: &str) -> SessionsSummary {
    let path = state_dir.join("agents").join(agent).join("sessions/sessions.json");
    SessionsSummary { path: path.display().to_string(), count: 0, recent: Vec::new() }
}

/// Every channel and its accounts. `connected` says whether a web chat is connected now; `probe` asks each channel.
pub fn channels(settings: &Settings, started_ms: u64, connected: bool, probe: bool) -> ChannelsReport {
    let (begun, ts, enabled) = (Instant::now(), clock::unix_ms(), settings.webchat);
    let answer = probe.then(|| ProbeAnswer {
        ok: enabled,
        elapsed_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        error: (!enabled).then(|| "disabled: channels.webchat.enabled is false".to_owned()),
    });
    let account = AccountSnapshot {
        account_id: DEFAULT_ACCOUNT.to_owned(),
        enabled,
        configured: enabled,
        linked: enabled,
        running: enabled,
        connected,
        last_start_at: enabled.then_some(started_ms),
        last_probe_at: answer.as_ref().map(|_| ts),
        probe: answer,
    };
    let one = |text: &str| BTreeMap::from([(WEBCHAT.to_owned(), text.to_owned())]);
    ChannelsReport {
        ts,
        channel_order: vec![WEBCHAT.to_owned()],
        channel_labels: one(WEBCHAT_LABEL),
        channel_detail_labels: one("WebChat over the gateway's own port"),
        channel_system_images: one("bubble.left.and.bubble.right"),
        channel_meta: vec![ChannelMeta {
            id: WEBCHAT.to_owned(),
            label: WEBCHAT_LABEL.to_owned(),
            detail_label: "WebChat over the gateway's own port".to_owned(),
        }],
        channels: BTreeMap::from([(
            WEBCHAT.to_owned(),
            ChannelSummary { configured: enabled, linked: enabled, running: enabled },
        )]),
        channel_accounts: BTreeMap::from([(WEBCHAT.to_owned(), vec![account])]),
        channel_default_account_id: one(DEFAULT_ACCOUNT),
    }
}
