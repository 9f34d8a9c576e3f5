//! `channels.status`: every channel and its accounts (§3.16).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::method::Method;
use crate::protocol::scope::{Access, Scope};

/// `channels.status`.
pub enum ChannelsStatus {}

impl Method for ChannelsStatus {
    const NAME: &'static str = "channels.status";
    const ACCESS: Access = Access::Operator(Scope::Read);
    type Params = Params;
    type Output = ChannelsReport;
}

/// How closely to look.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Params {
    /// Ask every channel rather than tell what is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<bool>,
    /// How long each may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1000))]
    pub timeout_ms: Option<u64>,
}

/// Every channel.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelsReport {
    /// When, milliseconds since 1970.
    pub ts: u64,
    /// The channels in the order to show them.
    pub channel_order: Vec<String>,
    /// What people call them.
    pub channel_labels: BTreeMap<String, String>,
    /// The same, with more words.
    pub channel_detail_labels: BTreeMap<String, String>,
    /// Names of symbols.
    pub channel_system_images: BTreeMap<String, String>,
    /// Id and labels together.
    pub channel_meta: Vec<ChannelMeta>,
    /// Each in short.
    pub channels: BTreeMap<String, ChannelSummary>,
    /// The accounts of each.
    pub channel_accounts: BTreeMap<String, Vec<AccountSnapshot>>,
    /// The account that is used when none is named.
    pub channel_default_account_id: BTreeMap<String, String>,
}

impl ChannelsReport {
    /// Every account with its channel, in the order to show them.
    pub fn accounts(&self) -> impl Iterator<Item = (&String, &AccountSnapshot)> {
        self.channel_order.iter().flat_map(|id| {
            self.channel_accounts.get(id).into_iter().flatten().map(move |account| (id, account))
        })
    }
}

/// A channel's id and labels.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelMeta {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub label: String,
    /// The same, with more words.
    pub detail_label: String,
}

/// A channel in short.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ChannelSummary {
    /// Whether it is set up.
    pub configured: bool,
    /// Whether it has an account.
    pub linked: bool,
    /// Whether it is running.
    pub running: bool,
}

/// An account of a channel.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountSnapshot {
    /// Its id.
    pub account_id: String,
    /// Whether it may run.
    pub enabled: bool,
    /// Whether it is set up.
    pub configured: bool,
    /// Whether it has an account.
    pub linked: bool,
    /// Whether it is running.
    pub running: bool,
    /// Whether somebody is connected through it.
    pub connected: bool,
    /// When it began, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_start_at: Option<u64>,
    /// What the probe said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeAnswer>,
    /// When it was last asked, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_probe_at: Option<u64>,
}

/// What a channel answered when it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeAnswer {
    /// Whether it works.
    pub ok: bool,
    /// How long it took, milliseconds.
    pub elapsed_ms: u64,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
