//! Starting, and refusing to: the signatures operators look up (runbooks, "Common failure signatures"), the exit codes
//! units act on, and what may be in the way.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Ran;
use crate::support::gateway::{Setup, TestGateway, free_port};
use crate::support::ws::{Ws, connect};

/// Asserts code and words of a refusal, and that nothing went to standard output.
fn assert_refused(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{word:?} is not in:\n{}", ran.stderr);
    }
    assert!(ran.stderr.contains("hint: "), "what to do next?\n{}", ran.stderr);
}

#[test]
fn a_configuration_that_must_be_changed_first_is_78_and_says_what() {
    let table: [(Value, &[&str], &[&str]); 8] = [
        (
            json!({ "gateway": { "bind": "lan", "auth": { "mode": "none" } } }),
            &[],
            &[
                "error: refusing to bind gateway to 0.0.0.0:4711 without auth (set gateway.auth.token/password, or set \
               IDLEHANDS_GATEWAY_TOKEN/IDLEHANDS_GATEWAY_PASSWORD)",
            ],
        ),
        (
            json!({}),
            &["--bind=lan", "--auth=none"],
            &["refusing to bind gateway to 0.0.0.0:4711 without auth"],
        ),
        (
            json!({ "gateway": { "bind": "custom", "customBindHost": "192.0.2.1", "auth": { "mode": "none" } } }),
            &[],
            &["refusing to bind gateway to 192.0.2.1:4711 without auth"],
        ),
        (
            json!({ "gateway": { "mode": "remote", "remote": { "url": "ws://127.0.0.1:1" } } }),
            &[],
            &[
                "error: Gateway start blocked: set gateway.mode=local (current: remote) or pass --allow-unconfigured.",
                "idlehands config set gateway.mode local",
            ],
        ),
        (
            json!({ "gateway": { "auth": { "mode": "password" } } }),
            &[],
            &["gateway auth mode is password, but no password was configured", "IDLEHANDS_GATEWAY_PASSWORD"],
        ),
        (
            json!({}),
            &["--auth=trusted-proxy"],
            &[
                "gateway auth mode is trusted-proxy, but no trustedProxy config was provided (set gateway.auth.trustedProxy)",
            ],
        ),
        (
            json!({ "gateway": { "prot": 1 } }),
            &[],
            &[
                "the configuration is invalid",
                "gateway.prot: Unrecognized key \"prot\"",
                "idlehands config validate",
            ],
        ),
        (
            json!({ "gateway": { "auth": { "mode": "trusted-proxy" } } }),
            &[],
            &["gateway.auth.trustedProxy", "gateway.trustedProxies"],
        ),
    ];
    for (settings, args, words) in table {
        let ran = Setup::with(settings).args(args.iter().copied()).refused(4711);
        assert_refused(&ran, 78, words);
    }
}

#[test]
fn a_port_that_is_somebody_elses_is_7_and_says_whose() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let began = Instant::now();
    let ran = Setup::with(json!({})).refused(port);
    assert!(began.elapsed() < Duration::from_secs(3), "nobody supervises it, so it does not wait");
    let held =
        format!("error: another gateway instance is already listening on ws://127.0.0.1:{port} (EADDRINUSE)");
    let busy = format!("Port {port} is already in use.");
    assert_refused(
        &ran,
        7,
        &[&held, &busy, &format!("- pid {}: ", std::process::id()), "--force", "--port PORT"],
    );

    let gateway = TestGateway::start();
    let ran = Setup::with(json!({})).refused(gateway.port);
    let owner = format!("- pid {}: {}", gateway.pid(), gateway.home().join("bin/idlehands").display());
    assert_refused(&ran, 7, &["another gateway instance is already listening on", "EADDRINUSE", &owner]);
    // The one that runs has not noticed.
    Ws::admin(&gateway).call("status", json!({}));
}

#[test]
fn a_port_of_which_only_the_other_loopback_is_taken_is_taken() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let port = listener.local_addr().unwrap().port();
    assert_refused(&Setup::with(json!({})).refused(port), 7, &["EADDRINUSE", &format!("([::1]:{port})")]);
}

#[test]
fn a_second_gateway_of_the_same_state_directory_is_7_and_names_the_first() {
    let setup = Setup::with(json!({}));
    let first = setup.spawn(Some(0));
    let line = first.line("listening on ws://");
    let url = line.split("listening on ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    first.line("[gateway] ready");
    let ran = setup.refused(0);
    let running = format!(
        "gateway already running (pid {}; another gateway instance is already listening on {url})",
        first.pid()
    );
    assert_refused(
        &ran,
        7,
        &[&running, "gateway.lock", &format!("Stop it: kill {}  (", first.pid()), "idlehands gateway status"],
    );
    first.signal(rustix::process::Signal::KILL);
    assert_eq!(first.ended().signal, Some(9));
    // Killed without a goodbye, it holds nothing any longer.
    setup.start();
}

#[test]
fn under_supervision_it_waits_for_its_predecessor_to_let_go() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let waiting = Setup::with(json!({})).env("INVOCATION_ID", "f00d");
    let process = waiting.spawn(Some(port));
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(process.all_output(), "\n", "it says nothing while it waits");
    drop(listener);
    process.line(&format!("listening on ws://127.0.0.1:{port}"));

    // The same for the state directory.
    let setup = Setup::with(json!({})).env("NOTIFY_SOCKET", "/nonexistent");
    let first = setup.spawn(Some(0));
    first.line("[gateway] ready");
    let second = setup.spawn(Some(0));
    first.signal(rustix::process::Signal::TERM);
    assert_eq!(first.ended().ran.code, 0);
    second.line("[gateway] ready");
}

#[test]
fn under_supervision_it_gives_up_after_five_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let began = Instant::now();
    let ran = Setup::with(json!({})).env("INVOCATION_ID", "f00d").refused(port);
    assert_refused(&ran, 7, &["EADDRINUSE"]);
    assert!((5..10).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[test]
fn a_state_directory_that_cannot_be_used_is_named() {
    let setup = Setup::with(json!({}));
    let config = setup.home().join(".idlehands/idlehands.json");
    let file = setup.home().join("file");
    std::fs::write(&file, "").unwrap();
    let setup = setup.env("IDLEHANDS_CONFIG_PATH", config).env("IDLEHANDS_STATE_DIR", file.join("state"));
    assert_refused(&setup.refused(0), 1, &["cannot use ", "file/state", "Check who owns the directory"]);

    // A log that cannot be written, and a directory where the lock should be.
    for blocked in ["logs", "gateway.lock/x"] {
        let setup = Setup::with(json!({}));
        let path = setup.home().join(".idlehands").join(blocked);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        assert_refused(&setup.refused(0), 1, &["cannot use ", blocked.split('/').next().unwrap()]);
    }
}

#[test]
fn a_read_only_home_is_told_to_an_ordinary_user() {
    if rustix::process::geteuid().is_root() {
        // To root no directory is read-only; the tests above stand in for this one.
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let setup = Setup::bare();
    std::fs::set_permissions(setup.home(), std::fs::Permissions::from_mode(0o500)).unwrap();
    let ran = setup.refused(0);
    std::fs::set_permissions(setup.home(), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_refused(&ran, 1, &["cannot write the configuration", "Permission denied"]);
}

#[test]
fn the_port_is_the_flags_else_the_environments_else_the_configurations() {
    let (flag, env, config) = (free_port(), free_port(), free_port());
    let setup = || Setup::with(json!({ "gateway": { "port": config } }));
    assert_eq!(setup().start_on(None).port, config);
    assert_eq!(setup().env("IDLEHANDS_GATEWAY_PORT", env.to_string()).start_on(None).port, env);
    assert_eq!(setup().env("IDLEHANDS_GATEWAY_PORT", env.to_string()).start_on(Some(flag)).port, flag);
    // Another brand's variable is none of ours, and a wrong one of ours is told.
    assert_eq!(setup().env("MAYROS_GATEWAY_PORT", env.to_string()).start_on(None).port, config);
    let ran = setup().env("IDLEHANDS_GATEWAY_PORT", "http").spawn(None).ended().ran;
    assert_eq!(ran.code, 78);
    assert!(ran.stderr.contains("IDLEHANDS_GATEWAY_PORT is not a port: \"http\""), "{}", ran.stderr);
}

#[test]
fn the_token_is_the_flags_else_the_configurations_else_the_environments() {
    let enters = |setup: Setup, token: &str| {
        let gateway = setup.start();
        let mut params = connect(3, &[]);
        params["auth"]["token"] = json!(token);
        Ws::open(gateway.port).connect(params)["ok"] == true
    };
    let variable = "IDLEHANDS_GATEWAY_TOKEN";
    let configured =
        || Setup::with(json!({ "gateway": { "auth": { "token": "tok-config" } } })).env(variable, "tok-env");
    assert!(enters(configured(), "tok-config"));
    assert!(!enters(configured(), "tok-env"));
    assert!(enters(configured().args(["--token=tok-flag"]), "tok-flag"));
    let unset = || Setup::with(json!({ "gateway": { "auth": { "token": null } } }));
    let bare = |setup: Setup| {
        setup.write_config("{ gateway: { mode: 'local' } }");
        setup
    };
    assert!(enters(bare(unset()).env(variable, " tok-env\n"), "tok-env"));
}

#[test]
fn a_missing_token_is_made_and_saved_unless_the_mode_is_this_runs_only() {
    let text = "// mine\n{\n  gateway: { mode: 'local' }, // here\n}\n";
    let setup = Setup::bare();
    setup.write_config(text);
    let gateway = setup.start();
    let saved = std::fs::read_to_string(gateway.state("idlehands.json")).unwrap();
    assert!(saved.starts_with("// mine\n") && saved.contains("// here"), "{saved}");
    let token = gateway.run(&["config", "get", "gateway.auth.token", "--show-secret"]).stdout;
    let mut params = connect(3, &[]);
    params["auth"]["token"] = json!(token.trim());
    assert_eq!(Ws::open(gateway.port).connect(params)["ok"], true);
    let ran = gateway.stop().ran;
    assert!(
        ran.stderr.contains("Generated a new token and saved it to config (gateway.auth.token)."),
        "{ran:?}"
    );
    assert!(!format!("{ran:?}").contains(token.trim()));

    let setup = Setup::bare();
    setup.write_config(text);
    let gateway = setup.args(["--auth=token"]).start();
    assert_eq!(std::fs::read_to_string(gateway.state("idlehands.json")).unwrap(), text);
    // It is nowhere but in the gateway.
    let ran = gateway.run(&["health"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("unauthorized: gateway token missing"), "{ran:?}");
    assert!(gateway.stop().ran.stderr.contains("Generated a runtime token for this startup"));
}

#[test]
fn it_listens_where_the_bind_mode_says() {
    let listening = |settings: Value, args: &[&str]| {
        let setup = Setup::with(settings).args(args.iter().copied());
        let process = setup.spawn(Some(0));
        process.line("[gateway] ready");
        process.line("listening on")
    };
    let custom = json!({ "gateway": { "bind": "custom", "customBindHost": "127.0.0.2" } });
    assert!(listening(custom.clone(), &[]).contains("listening on ws://127.0.0.2:"));
    let line = listening(custom, &["--bind=loopback"]);
    assert!(line.contains("ws://127.0.0.1:") && line.contains(", ws://[::1]:"), "{line}");
    assert!(listening(json!({ "gateway": { "bind": "lan" } }), &[]).contains("listening on ws://0.0.0.0:"));
    // An address that this machine has not.
    let ran =
        Setup::with(json!({ "gateway": { "bind": "custom", "customBindHost": "192.0.2.1" } })).refused(4711);
    assert_refused(&ran, 1, &["failed to bind gateway socket on ws://192.0.2.1:4711", "gateway.bind"]);
}

#[test]
fn a_wrong_command_line_is_2() {
    for args in [["--port=70000"], ["--port=http"], ["--bind=wan"], ["--auth=magic"], ["--nope"]] {
        let ran = Setup::with(json!({})).args(args).spawn(None).ended().ran;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}: {ran:?}");
    }
}
