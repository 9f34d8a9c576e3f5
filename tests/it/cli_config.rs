//! `config …` as operators use it: the real binary, real files, real signals.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Ran, TestHome};

const COMMENTED: &str =
    "// mine\n{\n  gateway: {\n    port: 19001, // the port\n    auth: { token: 'tok-hidden' },\n  },\n}\n";

/// A home whose default configuration has this text.
fn home_with(text: &str) -> TestHome {
    let home = TestHome::new();
    fs::create_dir(home.path().join(".idlehands")).unwrap();
    fs::write(config(&home), text).unwrap();
    home
}

fn config(home: &TestHome) -> PathBuf {
    home.path().join(".idlehands/idlehands.json")
}

fn text(home: &TestHome) -> String {
    fs::read_to_string(config(home)).unwrap()
}

fn answer(ran: &Ran) -> Value {
    let value: Value = serde_json::from_str(&ran.stdout).expect("the answer is JSON");
    assert_eq!(value["schema"], 1, "{ran:?}");
    value
}

#[test]
fn path_names_the_file_also_before_there_is_one() {
    let home = TestHome::new();
    let ran = home.run(["config", "path"]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, config(&home).to_str().unwrap()));
    assert!(ran.stderr.contains("no such file yet"), "{}", ran.stderr);
    let ran = home.run(["--profile", "rescue", "config", "path", "--json"]);
    let path = home.path().join(".idlehands-rescue/idlehands.json");
    assert_eq!(answer(&ran), json!({"schema": 1, "path": path, "exists": false}));
    let mut chosen = home.command(["config", "path"]);
    chosen.env("IDLEHANDS_CONFIG_PATH", "~/other.json");
    assert_eq!(Ran::of(chosen).stdout.trim(), home.path().join("other.json").to_str().unwrap());
}

#[test]
fn validate_prints_every_problem_with_its_place_and_exits_78() {
    let home = home_with(
        "{\n  gateway: {\n    prot: 1,\n    port: 'x',\n    auth: { token: 7107734 },\n    bind: '${NO_BIND}',\n  },\n}\n",
    );
    let ran = home.run(["config", "validate"]);
    assert_eq!(ran.code, 78);
    assert_eq!(
        ran.stdout,
        "~/.idlehands/idlehands.json:3:5: gateway.prot: Unrecognized key \"prot\" (did you mean \"port\"?)\n\
         ~/.idlehands/idlehands.json:4:11: gateway.port: expected a whole number, found a string\n\
         ~/.idlehands/idlehands.json:5:20: gateway.auth.token: expected a string, found a number\n\
         ~/.idlehands/idlehands.json:6:11: gateway.bind: Missing env var \"NO_BIND\" referenced at config path: gateway.bind \
         (set NO_BIND in the environment, or write $${NO_BIND} for the text itself)\n"
    );
    assert_eq!(ran.stderr, "4 problems.\n");

    let ran = home.run(["config", "validate", "--json"]);
    assert_eq!(ran.code, 78);
    let answer = answer(&ran);
    assert_eq!((&answer["valid"], answer["problems"].as_array().unwrap().len()), (&json!(false), 4));
    assert_eq!(
        answer["problems"][0],
        json!({"file": config(&home), "path": "gateway.prot", "line": 3, "column": 5,
            "message": "Unrecognized key \"prot\"", "hint": "did you mean \"port\"?"})
    );
}

#[test]
fn validate_is_content_with_a_valid_file_and_with_none() {
    let ran = home_with(COMMENTED).run(["config", "validate"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert_eq!(ran.stderr, "~/.idlehands/idlehands.json is valid.\n");
    let ran = TestHome::new().run(["config", "validate", "--json"]);
    assert_eq!(ran.code, 0);
    assert_eq!((&answer(&ran)["valid"], &answer(&ran)["exists"]), (&json!(true), &json!(false)));
}

#[test]
fn get_prints_what_is_configured_else_the_default_and_says_where_it_was_set() {
    let home = home_with(COMMENTED);
    for (args, code, stdout) in [
        (vec!["gateway.port"], 0, "19001\n"),
        (vec!["gateway.bind"], 1, ""),
        (vec!["gateway.reload.mode"], 0, "hybrid\n"),
        (vec!["gateway.auth.token"], 0, "__IDLEHANDS_REDACTED__\n"),
        (vec!["gateway.auth.token", "--show-secret"], 0, "tok-hidden\n"),
        (vec!["gateway.auth", "--show-secret"], 2, ""),
        (vec!["gateway.prot"], 2, ""),
        (vec!["--show-secret"], 2, ""),
    ] {
        let ran = home.run([&["config", "get"], args.as_slice()].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (code, stdout), "{args:?}: {}", ran.stderr);
    }
    let near = home.run(["config", "get", "gateway.prot"]).stderr;
    assert!(near.contains("there is no setting gateway.prot (did you mean \"port\"?)"), "{near}");

    let whole: Value = serde_json::from_str(&home.run(["config", "get"]).stdout).unwrap();
    assert_eq!(whole, json!({"gateway": {"port": 19001, "auth": {"token": "__IDLEHANDS_REDACTED__"}}}));
    let ran = home.run(["config", "get", "--defaults", "--json"]);
    assert_eq!(answer(&ran)["value"]["gateway"]["drainTimeoutMs"], 30000);
    let ran = home.run(["config", "get", "gateway.port", "--json"]);
    assert_eq!(
        answer(&ran),
        json!({"schema": 1, "path": "gateway.port", "file": config(&home), "exists": true, "valid": true, "value": 19001,
            "origin": {"file": config(&home), "line": 4, "column": 11}})
    );
}

#[test]
fn get_works_for_a_configuration_with_problems_but_not_for_a_malformed_one() {
    let ran = home_with("{ gateway: { port: 5, odd: 1 } }").run(["config", "get", "gateway.port"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "5\n"));
    assert!(ran.stderr.contains("not valid; run: idlehands config validate"), "{}", ran.stderr);
    let ran = home_with("{ gateway: ").run(["config", "get", "gateway.port"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (78, ""));
    assert_eq!(
        ran.stderr,
        "error: Config invalid\nFile: ~/.idlehands/idlehands.json\nProblem:\n  - ~/.idlehands/idlehands.json:1:12: <root>: \
         JSON5 parse failed: expected value after colon in object property\nhint: Run: idlehands config validate\n"
    );
}

#[test]
fn set_and_unset_change_one_setting_and_keep_the_rest_of_the_file() {
    let home = home_with(COMMENTED);
    for (args, expected) in [
        (vec!["set", "gateway.port", "19002"], COMMENTED.replace("19001", "19002")),
        (vec!["set", "gateway.port", "19002"], COMMENTED.replace("19001", "19002")),
        (vec!["set", "gateway.port", "0x4a39"], COMMENTED.to_owned()),
        (vec!["set", "gateway.bind", "lan"], COMMENTED.replace("},\n  },", "},\n    bind: 'lan',\n  },")),
        (vec!["unset", "gateway.bind"], COMMENTED.to_owned()),
        (vec!["unset", "gateway.bind"], COMMENTED.to_owned()),
        (vec!["set", "gateway.auth.token", "123"], COMMENTED.replace("tok-hidden", "123")),
        (vec!["set", "gateway.auth.token", "--string", "'x'"], COMMENTED.replace("'tok-hidden'", "\"'x'\"")),
    ] {
        let ran = home.run([&["config"], args.as_slice()].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{args:?}: {}", ran.stderr);
        assert_eq!(text(&home), expected, "{args:?}");
    }
    let mode = fs::metadata(config(&home)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn set_says_what_it_did() {
    const WARNING: &str = "warning: the secret was on the command line, where others can see it; --stdin reads it from standard input\n";
    let home = home_with(COMMENTED);
    for (args, said) in [
        (
            ["agents.list", "[{ id: 'a' }]"],
            "Set agents.list = [{\"id\":\"a\"}] in ~/.idlehands/idlehands.json.\n",
        ),
        (["agents.list[1].id", "b"], "Set agents.list[1].id = \"b\" in ~/.idlehands/idlehands.json.\n"),
        (
            ["gateway.port", "19001"],
            "Nothing to do: gateway.port = 19001 already in ~/.idlehands/idlehands.json.\n",
        ),
        (
            ["gateway.auth", "{ token: 'x' }"],
            "Set gateway.auth = {\"token\":\"__IDLEHANDS_REDACTED__\"} in ~/.idlehands/idlehands.json.\n",
        ),
        (
            ["gateway.auth.token", "${HOME}"],
            "Set gateway.auth.token (a secret) in ~/.idlehands/idlehands.json.\n",
        ),
    ] {
        let ran = home.run(["config", "set", args[0], args[1]]);
        let warned = if said.contains("REDACTED") { format!("{said}{WARNING}") } else { said.to_owned() };
        assert_eq!((ran.code, ran.stderr), (0, warned));
    }
    let ran = home.run(["config", "set", "gateway.auth.token", "in-the-open"]);
    assert!(ran.stderr.ends_with(WARNING), "{}", ran.stderr);
}

#[test]
fn set_makes_the_file_when_there_is_none() {
    let home = TestHome::new();
    let ran = home.run(["config", "set", "gateway.mode", "local"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (0, "Set gateway.mode = \"local\" in ~/.idlehands/idlehands.json.\n")
    );
    assert_eq!(text(&home), "{\n  gateway: {\n    mode: \"local\"\n  }\n}\n");
}

#[test]
fn a_change_that_would_be_invalid_is_refused_with_every_reason() {
    let home = home_with(COMMENTED);
    let table: [(&[&str], i32, &str); 7] = [
        (&["set", "gateway.port", "99999"], 78, "\n  - gateway.port: expected a number from 1 to 65535"),
        (&["set", "gateway.bind", "custom"], 78, "gateway.bind=custom requires gateway.customBindHost"),
        (&["set", "gateway", "{ prot: 1, bnd: 2 }"], 78, "Unrecognized key \"bnd\" (did you mean \"bind\"?)"),
        (&["set", "gateway.prot", "1"], 2, "there is no setting gateway.prot (did you mean \"port\"?)"),
        (&["set", "gateway.port", "--json", "{"], 2, "the value is not JSON5"),
        (&["set", "agents.list", "[{ id: main }]"], 2, "the value is not JSON5"),
        (&["set", "gateway.port"], 2, "required arguments were not provided"),
    ];
    for (args, code, message) in table {
        let ran = home.run([&["config"], args].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{args:?}");
        assert!(ran.stderr.contains(message), "{args:?}: {}", ran.stderr);
        assert_eq!(text(&home), COMMENTED, "{args:?}");
    }
}

#[test]
fn a_setting_in_an_included_file_is_pointed_out_and_not_touched() {
    let home = home_with("{ gateway: { $include: 'gateway.json5', bind: 'lan' } }");
    fs::write(home.path().join(".idlehands/gateway.json5"), "{\n  port: 5 }").unwrap();
    for args in [["set", "gateway.port", "6"].as_slice(), &["unset", "gateway.port"], &["unset", "gateway"]] {
        let ran = home.run([&["config"], args].concat());
        assert_eq!(ran.code, 1, "{args:?}");
        let place = "lives in ~/.idlehands/gateway.json5:2, which ~/.idlehands/idlehands.json includes; nothing was written";
        assert!(ran.stderr.contains(place), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(home.run(["config", "set", "gateway.mode", "local"]).code, 0);
    assert_eq!(home.run(["config", "get", "gateway.port"]).stdout, "5\n");
    assert!(text(&home).contains("$include: 'gateway.json5'"), "{}", text(&home));
}

#[test]
fn references_to_variables_stay_references() {
    let home = home_with("{ gateway: { auth: { token: '${MY_TOKEN}' } } }");
    let mut set = home.command(["config", "set", "gateway.port", "5"]);
    set.env("MY_TOKEN", "tok-from-env");
    assert_eq!(Ran::of(set).code, 0);
    assert!(text(&home).contains("'${MY_TOKEN}'"), "{}", text(&home));
}

#[test]
fn a_secret_is_in_no_output_and_can_be_given_on_standard_input() {
    let home = home_with(COMMENTED);
    let mut set = home.command(["config", "set", "gateway.auth.password", "--stdin"]);
    let mut child = set.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"tok-hidden-2\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "Set gateway.auth.password (a secret) in ~/.idlehands/idlehands.json.\n"
    );
    assert!(text(&home).contains("password: 'tok-hidden-2'"), "{}", text(&home));
    let commands: [&[&str]; 9] = [
        &["get"],
        &["get", "--json", "--defaults"],
        &["get", "gateway"],
        &["get", "gateway.auth"],
        &["get", "gateway.auth.token", "--json"],
        &["validate"],
        &["validate", "--json"],
        &["set", "gateway.auth", "{ token: 'tok-hidden-3' }"],
        &["set", "gateway.auth.mode", "tok-hidden"],
    ];
    for args in commands {
        let ran = home.run([&["config"], args].concat());
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("tok-hidden"), "{args:?}: {ran:?}");
    }
}

#[test]
fn schema_prints_the_same_json_schema_every_time() {
    let home = TestHome::new();
    let ran = home.run(["config", "schema"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let schema: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(home.run(["config", "schema", "--json"]).stdout, ran.stdout);
}

#[test]
fn changes_made_at_the_same_time_are_all_kept() {
    let home = TestHome::new();
    let children: Vec<_> = (0..12)
        .map(|n| {
            home.command(["config", "set", &format!("models.providers.p{n}"), "{}"])
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let ran = home.run(["config", "get", "models.providers"]);
    let providers: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(providers.as_object().unwrap().len(), 12);
}

/// The moment of death moves through the whole life of the process, from its first instruction to after its last.
#[test]
fn killed_at_any_point_it_leaves_the_old_file_or_the_new_one() {
    let padding = format!("  // {}\n", "x".repeat(100)).repeat(2_000);
    let home = home_with(&format!("{{\n{padding}  gateway: {{ port: 1000 }},\n}}\n"));
    let with_port = |port: u32| format!("{{\n{padding}  gateway: {{ port: {port} }},\n}}\n");
    let change = |port: u32| home.command(["config", "set", "gateway.port", &port.to_string()]);

    let began = Instant::now();
    assert_eq!(Ran::of(change(1000 + 1)).code, 0);
    let whole_life = began.elapsed().max(Duration::from_millis(2));

    let (mut old, mut kept, mut changed, mut delay) = (1001, 0, 0, Duration::ZERO);
    for new in 1002..1402 {
        let mut child = change(new).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(delay);
        child.kill().unwrap();
        child.wait().unwrap();
        // A little later each time, and from the beginning again once it came too late.
        delay += whole_life / 60;
        let now = text(&home);
        if now == with_port(new) {
            (old, changed, delay) = (new, changed + 1, if changed % 2 == 1 { Duration::ZERO } else { delay });
        } else {
            assert!(now == with_port(old), "{new}: neither the old file nor the new one");
            kept += 1;
        }
        for backup in ["bak", "bak.1", "bak.2", "bak.3", "bak.4"] {
            let Ok(backup) = fs::read_to_string(config(&home).with_extension(format!("json.{backup}")))
            else {
                continue;
            };
            assert!((1000..=new).any(|port| backup == with_port(port)), "{new}: a backup is not whole");
        }
        if kept >= 120 && changed >= 4 {
            break;
        }
    }
    assert!(kept >= 120 && changed >= 4, "{kept} kept, {changed} changed: not killed at every point");

    // The next writer finds no lock that a dead one holds, and clears away what it left.
    assert_eq!(Ran::of(change(9999)).code, 0);
    assert_eq!(text(&home), with_port(9999));
    let litter: Vec<_> = fs::read_dir(home.path().join(".idlehands"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".tmp"))
        .collect();
    assert_eq!(litter, [""; 0]);
}

/// Opening a pipe waits for somebody to write into it.
#[test]
fn a_configuration_that_is_a_pipe_is_refused_and_not_waited_for() {
    let home = home_with("");
    fs::remove_file(config(&home)).unwrap();
    assert!(Command::new("mkfifo").arg(config(&home)).status().unwrap().success());
    for args in
        [&["config", "validate"][..], &["config", "set", "gateway.port", "1"], &["setup"], &["gateway"]]
    {
        let ran = home.run(args);
        assert_eq!(ran.code, 78, "{args:?}: {ran:?}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            said.contains("cannot read the configuration: it is not a regular file"),
            "{args:?}: {ran:?}"
        );
    }
}

#[test]
fn what_cannot_be_changed_says_which_file_and_what_next() {
    let home = home_with("[]");
    let ran = home.run(["config", "set", "gateway.port", "1"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let said = "error: cannot change ~/.idlehands/idlehands.json: the configuration is not an object\nhint: Run: idlehands config validate\n";
    assert_eq!(ran.stderr, said);
    let mut nowhere = home.command(["config", "set", "gateway.port", "1"]);
    nowhere.env("IDLEHANDS_STATE_DIR", "/proc/none").env_remove("IDLEHANDS_CONFIG_PATH");
    let ran = Ran::of(nowhere);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("\nhint: check that the directory can be written to"), "{ran:?}");
}
