//! `config.get`, `config.schema`.

use std::sync::Arc;

use serde_json::Map;

use super::Later;
use crate::config::{Loaded, Problem, config_schema, redact, redact_text, with_defaults};
use crate::gateway::socket::Caller;
use crate::gateway::state::State;
use crate::instance::Brand;
use crate::protocol::error::ErrorShape;
use crate::protocol::method::Ignored;
use crate::protocol::methods::config::{ConfigGet, ConfigSchema, ConfigSnapshot, Issue, SchemaAnswer};

impl Later for ConfigGet {
    async fn handle(state: Arc<State>, _: Caller, _: Ignored) -> Result<ConfigSnapshot, ErrorShape> {
        let (source, brand) = (state.source.clone(), state.instance.brand);
        let looked = state.tasks.blocking(move || shown(source.load(), brand)).await;
        looked.ok_or_else(|| ErrorShape::unavailable("the gateway is stopping"))
    }
}

fn shown(mut loaded: Loaded, brand: Brand) -> ConfigSnapshot {
    let mut config = with_defaults(&loaded.resolved);
    redact(&mut loaded.parsed, brand);
    redact(&mut loaded.resolved, brand);
    redact(&mut config, brand);
    ConfigSnapshot {
        path: loaded.path.display().to_string(),
        exists: loaded.exists,
        // Text in which nobody can tell what is a secret is not shown.
        raw: loaded.raw.as_deref().and_then(|text| redact_text(text, brand)),
        valid: loaded.config.is_ok(),
        issues: loaded.problems().iter().map(issue).collect(),
        parsed: loaded.parsed,
        resolved: loaded.resolved,
        config,
        hash: loaded.hash,
        warnings: Vec::new(),
        legacy_issues: Vec::new(),
    }
}

fn issue(problem: &Problem) -> Issue {
    Issue { path: problem.path.to_string(), message: problem.message.clone() }
}

impl Later for ConfigSchema {
    async fn handle(state: Arc<State>, _: Caller, _: Ignored) -> Result<SchemaAnswer, ErrorShape> {
        let schema = state.tasks.blocking(config_schema).await;
        Ok(SchemaAnswer {
            schema: schema.ok_or_else(|| ErrorShape::unavailable("the gateway is stopping"))?,
            ui_hints: Map::new(),
            version: state.version.to_owned(),
            generated_at: jiff::Timestamp::now().to_string(),
        })
    }
}
