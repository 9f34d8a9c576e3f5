//! `dashboard`: the link that signs a browser in.

use std::time::Duration;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::context::Context;
use super::error::CliError;
use super::target::{self, Target};
use super::ui::Ui;
use crate::config::section::Mode;
use crate::exit::ExitCode;
use crate::host::{fs, process};
use crate::secret::Secret;

/// How long the desktop has to open a browser.
const OPEN_DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Print the link only; open no browser
    #[arg(long)]
    no_open: bool,
    /// Answer in JSON (opens no browser)
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer {
    url: String,
}

pub(super) fn run(args: Args, context: &Context, ui: &mut Ui) -> Result<ExitCode, CliError> {
    let config = context.config_or_default(ui);
    let target = target::Args::default().resolve(context, &config)?;
    let url = link(&target);
    if args.json {
        ui.answer(1, &Answer { url });
        return Ok(ExitCode::Ok);
    }
    ui.out(&format!("Dashboard URL: {url}"));
    if config.gateway.mode != Some(Mode::Remote) && target::holder(context).is_none() {
        ui.note(&format!("The gateway is not running. Start it: {}", target::start_command(context)));
    }
    if args.no_open {
        ui.note("Browser launch disabled (--no-open). Use the URL above.");
    } else if has_desktop(context) {
        match context.block_on(open(&url, context)) {
            Ok(()) => ui.note("Opened in your browser."),
            Err(error) => ui.warning(&format!("{error}; use the URL above")),
        }
    } else {
        let (port, there) = (target.address.port(), target.address.authority());
        ui.note(&format!("No desktop here. From your own machine: ssh -N -L {port}:{there} user@host"));
        if there != format!("127.0.0.1:{port}") {
            ui.note(&format!("Then open the same link with 127.0.0.1:{port} in it."));
        }
    }
    Ok(ExitCode::Ok)
}

/// The token is in the fragment, which a browser sends to no server.
fn link(target: &Target) -> String {
    let base = target.address.page();
    match target.token() {
        Some(token) => format!("{base}#token={}", escaped(token)),
        None => base,
    }
}

/// Percent-encoding of everything but the unreserved characters (RFC 3986 §2.3).
fn escaped(secret: &Secret) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    secret.expose().bytes().map(byte).collect()
}

fn has_desktop(context: &Context) -> bool {
    let env = &context.env;
    let remote = env.os("SSH_CONNECTION").is_some();
    !remote
        && (cfg!(target_os = "macos") || env.os("DISPLAY").is_some() || env.os("WAYLAND_DISPLAY").is_some())
}

/// Opens a private page that leads to the link: on the command line of a browser everybody could read the token.
async fn open(url: &str, context: &Context) -> Result<(), CliError> {
    let failed = |what: &str| CliError::new(ExitCode::Failed, what.to_owned());
    let lock = &context.instance.paths.adhoc_lock;
    let page = lock.with_file_name("dashboard.html");
    let dir = lock.parent().ok_or_else(|| failed("there is no place for a page"))?;
    let html = format!(
        "<!doctype html><meta charset=\"utf-8\"><title>…</title><script>location.replace(\"{url}\")</script>\n"
    );
    let written = fs::private_dir(dir).and_then(|()| fs::write_atomic(&page, html.as_bytes(), fs::PRIVATE));
    written.map_err(|error| failed("cannot write the page that leads to the dashboard").cause(error))?;
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = process::command(opener);
    command.arg(&page);
    let opened = process::run(command, OPEN_DEADLINE).await;
    let opened = opened.map_err(|error| failed("cannot open a browser").cause(error))?;
    if opened.status.success() { Ok(()) } else { Err(failed(&format!("{opener} could not open a browser"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_escaped_for_a_url() {
        assert_eq!(escaped(&Secret::new("aZ0-_.~").unwrap()), "aZ0-_.~");
        assert_eq!(escaped(&Secret::new("a b&#\"ü").unwrap()), "a%20b%26%23%22%C3%BC");
    }
}
