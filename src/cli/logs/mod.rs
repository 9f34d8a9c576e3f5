//! `logs`: what the gateway said, whether it runs or not.
//!
//! A supervised gateway's journal also has what the service manager and a crash said, so it is shown where there is a
//! unit and the journal can be read; else the gateway's own file.

mod file;
mod journal;
mod line;

use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use serde::Serialize;

use super::context::Context;
use super::error::CliError;
use super::ui::Ui;
use crate::exit::ExitCode;
use line::Line;

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Go on as new lines come
    #[arg(long, short)]
    follow: bool,
    /// Lines to begin with
    #[arg(long, value_name = "LINES", default_value_t = 200, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    limit: u64,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Where to look
    #[arg(long, value_enum, default_value_t = Source::Auto)]
    source: Source,
    /// How often to look for new lines of the file, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    interval: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Source {
    /// The journal of the service if there is one, else the gateway's own file
    Auto,
    /// The journal of the service
    Journal,
    /// The gateway's own file
    File,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let mut printer = Printer { json: args.json, ui };
    context.block_on(async {
        let source = if context.host.is_some() { Source::Journal } else { args.source };
        let file_only = || {
            let command = context.instance.command();
            format!("The gateway keeps a file of its own: {command} logs --source file")
        };
        if source == Source::Journal && context.host.is_none() && !context.platform.keeps_a_journal() {
            let message = format!("{} keeps no journal", context.platform.name());
            return Err(CliError::new(ExitCode::Failed, message).hint(file_only()));
        }
        if source != Source::File && (source == Source::Journal || context.instance.paths.unit.exists()) {
            match journal::show(&args, context, &mut printer).await {
                Ok(()) => return Ok(ExitCode::Ok),
                Err(error) if source == Source::Journal => {
                    return Err(CliError::new(ExitCode::Failed, "cannot read the journal")
                        .cause(error.to_string())
                        .hint(format!(
                            "The gateway keeps a file of its own, too: {} logs --source file",
                            context.instance.command()
                        )));
                }
                Err(why) => printer
                    .notice(&format!("the journal shows nothing ({why}); showing the gateway's own file")),
            }
        }
        file::show(&args, context, &mut printer).await
    })
}

impl Args {
    fn interval(&self) -> Duration {
        Duration::from_millis(self.interval)
    }
}

/// Prints lines as text or as JSON.
struct Printer<'a> {
    json: bool,
    ui: &'a mut Ui,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Item<'a> {
    Meta { schema: u32, source: &'a str },
    Log(&'a Line),
    Notice { message: &'a str },
}

impl Printer<'_> {
    /// Says where the lines come from.
    fn begin(&mut self, source: &str) {
        if self.json {
            self.item(&Item::Meta { schema: 1, source });
        } else {
            self.ui.note(&format!("Log: {source}"));
        }
    }

    fn line(&mut self, line: &Line) {
        if self.json { self.item(&Item::Log(line)) } else { self.ui.out(&line.text()) }
    }

    fn notice(&mut self, message: &str) {
        if self.json { self.item(&Item::Notice { message }) } else { self.ui.note(message) }
    }

    /// Whether nobody reads on.
    fn is_closed(&self) -> bool {
        self.ui.is_closed()
    }

    fn item(&mut self, item: &Item<'_>) {
        match serde_json::to_string(item) {
            Ok(text) => self.ui.text(&text),
            Err(error) => self.ui.warning(&format!("cannot print a line as JSON: {error}")),
        }
    }
}
