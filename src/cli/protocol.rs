//! `protocol schema`: JSON Schema of every frame, method and event, from the table the gateway serves by.

use clap::{Args as ClapArgs, Subcommand};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::context::Context;
use super::error::CliError;
use super::ui::Ui;
use crate::exit::ExitCode;
use crate::gateway::METHODS;
use crate::protocol::connect::{ConnectParams, PROTOCOL_MAX, PROTOCOL_MIN};
use crate::protocol::event::{Audience, EVENTS};
use crate::protocol::frame::{EventFrame, Request, Response};
use crate::protocol::hello;
use crate::protocol::snapshot::HelloOk;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the JSON Schema of every frame, method and event
    Schema {
        /// It is always JSON; the flag is there for scripts that pass it everywhere
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(args: Args, _: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let Command::Schema { json: _ } = args.command;
    ui.answer(1, &whole_protocol());
    Ok(ExitCode::Ok)
}

fn whole_protocol() -> Value {
    let mut generator = SchemaGenerator::default();
    let frames = json!({
        "request": of::<Request>(&mut generator),
        "response": of::<Response>(&mut generator),
        "event": of::<EventFrame>(&mut generator),
        "connect": of::<ConnectParams>(&mut generator),
        "hello-ok": of::<HelloOk<'_>>(&mut generator),
        "hello": of::<hello::Hello>(&mut generator),
    });
    let mut methods = Map::new();
    for row in METHODS {
        let shapes = json!({
            "scope": row.access.scope(),
            "advertised": row.advertised,
            "params": (row.params)(&mut generator),
            "result": (row.output)(&mut generator),
        });
        methods.insert(row.name.to_owned(), shapes);
    }
    let mut events = Map::new();
    for row in EVENTS {
        let audience = match row.audience {
            Audience::Everyone => "everyone",
            Audience::Pairing => "operator.pairing",
            Audience::Direct => "one connection",
        };
        let shapes = json!({
            "audience": audience,
            "dropIfSlow": row.drop_if_slow,
            "stateVersion": row.versioned,
            "payload": (row.payload)(&mut generator),
        });
        events.insert(row.name.to_owned(), shapes);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "protocols": { "min": PROTOCOL_MIN, "max": PROTOCOL_MAX, "oldest": hello::PROTOCOL },
        "frames": frames,
        "methods": methods,
        "events": events,
        "$defs": generator.take_definitions(true),
    })
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
