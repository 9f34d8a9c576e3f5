//! Gateways of other products: found wherever they are, told with their port and the place of their token, and taken
//! over from where that is asked for.

use serde_json::Value;

use crate::support::Machine;
use crate::support::program::set_up;
use crate::support::service::UNIT;

const TOKEN: &str = "foreign-token-5f3a9b7c1d";

/// A gateway of OpenClaw's: a service that says nothing about its port, and keeps its token in a file of variables.
const OPENCLAW: &str = "mkdir -p .openclaw .config/systemd/user; \
    printf '[Service]\\nExecStart=/bin/sleep 1d\\nEnvironmentFile=-%%h/.openclaw/gateway.systemd.env\\n[Install]\\nWantedBy=default.target\\n' \
    >.config/systemd/user/openclaw-gateway.service; \
    echo \"OPENCLAW_GATEWAY_TOKEN='foreign-token-5f3a9b7c1d'\" >.openclaw/gateway.systemd.env; chmod 600 .openclaw/*.env; \
    echo '{ gateway: { port: 18790 } }' >.openclaw/openclaw.json; \
    systemctl --user daemon-reload; systemctl --user enable --now openclaw-gateway.service";

fn others(answer: &Value) -> Vec<&Value> {
    let findings = answer["findings"].as_array().unwrap().iter();
    findings.filter(|finding| finding["id"] == "siblings.other").collect()
}

fn state(machine: &Machine, unit: &str) -> String {
    machine
        .user(&format!("systemctl --user is-active {unit}; systemctl --user is-enabled {unit}"))
        .stdout
        .replace('\n', " ")
}

#[test]
fn another_products_gateway_on_our_port_is_told_refused_and_taken_over_from() {
    let machine = set_up();
    let machine = &machine;
    machine.user(OPENCLAW).ok();
    machine.user("idlehands gateway install").ok();
    let doctor = |flags: &str| machine.json(&format!("idlehands doctor --json {flags}"));

    // Side by side: nobody's mistake.
    let told = doctor("");
    let finding = others(&told)[0];
    assert_eq!(
        (&finding["severity"], &finding["repair"]["class"]),
        (&"info".into(), &"manual".into()),
        "{told:#}"
    );
    let words = finding["summary"].as_str().unwrap();
    assert!(words.contains("running: openclaw-gateway.service, port 18790"), "{words}");
    assert!(
        words.contains("OPENCLAW_GATEWAY_TOKEN in /home/tester/.openclaw/gateway.systemd.env"),
        "{words}"
    );
    doctor("--fix --yes --force");
    assert_eq!(state(machine, "openclaw-gateway.service"), "active enabled ");

    // On one port: an install is refused, and a repair only does what was asked for.
    machine.user("sed -i s/18790/18789/ .openclaw/openclaw.json").ok();
    let refused = machine.user("idlehands --profile work gateway install --port 18789");
    assert_eq!(refused.code, 7, "{refused}");
    let hints: Vec<&str> = refused.stderr.lines().filter_map(|line| line.strip_prefix("hint: ")).collect();
    assert!(
        hints[0].contains(UNIT) || hints[0].contains("disable --now openclaw-gateway.service"),
        "{refused}"
    );
    assert!(hints[1].contains("gateway install --port"), "{refused}");
    machine.user("test ! -e .idlehands-work/idlehands.json").ok();
    let told = doctor("");
    let finding = others(&told)[0];
    assert_eq!(
        (&finding["severity"], &finding["repair"]["class"]),
        (&"warning".into(), &"force".into()),
        "{told:#}"
    );
    doctor("--fix --yes");
    assert_eq!(state(machine, "openclaw-gateway.service"), "active enabled ");
    let ours = machine.user("cat .idlehands/idlehands.json").ok().to_owned();
    let done = machine.user("idlehands doctor --fix --yes --force");
    assert_eq!(done.code, 0, "{done}");
    assert!(done.stderr.contains("stop and disable openclaw-gateway.service"), "{done}");
    assert!(!format!("{done}").contains(TOKEN), "a token is shown");
    assert_eq!(state(machine, "openclaw-gateway.service"), "inactive disabled ");
    assert_ne!(machine.user("cat .idlehands/idlehands.json").ok(), ours);
    let health = machine.user(&format!("idlehands gateway call health --json --token {TOKEN}"));
    assert_eq!(health.code, 0, "{health}");
    assert_eq!(machine.user("stat -c %a .idlehands/idlehands.json").ok(), "600");
    assert_eq!(machine.status()["rpc"]["ok"], true);
    assert_eq!(doctor("--fix --yes --force")["repair"]["done"], false);
}

#[test]
fn roots_and_those_without_a_file_are_named_and_left_alone_and_an_own_sister_is_moved_from() {
    let machine = set_up();
    let machine = &machine;
    // The machine's own, which only root may change.
    machine.root("cd /etc/systemd/system; printf '[Service]\\nExecStart=/bin/sleep 1d\\n[Install]\\nWantedBy=multi-user.target\\n' >moltbot-gateway.service; systemctl daemon-reload; systemctl enable --now moltbot-gateway.service").ok();
    // One by a name of earlier days, whose file is gone; and one that is no gateway.
    machine
        .user(
            "mkdir -p .local/share/systemd/user; cd .local/share/systemd/user; \
             printf '[Service]\\nExecStart=/bin/sh -c \"sleep 1d\" gateway --port 19700\\n' >clawdbot-gateway.service; \
             printf '[Service]\\nExecStart=/bin/sh -c \"sleep 1d\" node\\n' >openclaw-node.service; \
             printf '[Service]\\nExecStart=/bin/sh -c \"sleep 1d\" gateway --port 19701\\n' >openclaw-old.service; \
             systemctl --user daemon-reload; systemctl --user start clawdbot-gateway.service openclaw-node.service; \
             rm clawdbot-gateway.service; systemctl --user daemon-reload",
        )
        .ok();
    machine.root("ln -s idlehands /usr/local/bin/mayros").ok();
    machine.user("mayros setup; mayros config set gateway.port 19500; mayros gateway install; rm .idlehands/idlehands.json").ok();

    let told = machine.json("idlehands doctor --json");
    let summaries: Vec<&str> =
        others(&told).iter().map(|finding| finding["summary"].as_str().unwrap()).collect();
    for (unit, port) in [
        ("running: moltbot-gateway.service", "port 18789"),
        ("running: clawdbot-gateway.service", "port 19700"),
        ("installed: openclaw-old.service", "port 19701"),
        ("running: mayros-gateway.service", "port 19500"),
    ] {
        assert!(
            summaries.iter().any(|said| said.contains(unit) && said.contains(port)),
            "{unit}: {summaries:#?}"
        );
    }
    assert!(!summaries.iter().any(|said| said.contains("openclaw-node")), "{summaries:#?}");
    let roots = others(&told)
        .into_iter()
        .find(|finding| finding["at"]["file"].as_str().unwrap().contains("moltbot"))
        .unwrap();
    assert_eq!(roots["repair"]["class"], "manual", "{roots:#}");
    assert!(
        roots["hints"].to_string().contains("sudo systemctl disable --now moltbot-gateway.service"),
        "{roots:#}"
    );
    let refused = machine.user("idlehands gateway install");
    assert_eq!(refused.code, 7, "{refused}");
    assert!(refused.stderr.contains("sudo systemctl disable --now moltbot-gateway.service"), "{refused}");

    machine.user("systemctl --user stop clawdbot-gateway.service").ok();
    let token =
        machine.user("grep -o 'token: \"[^\"]*' .mayros/mayros.json | cut -d'\"' -f2").ok().to_owned();
    machine.user("idlehands doctor --fix --yes --force --json").stdout.clear();
    assert_eq!(state(machine, "mayros-gateway.service"), "inactive disabled ");
    assert_eq!(machine.root("systemctl is-active moltbot-gateway.service").ok(), "active");
    machine.user("idlehands gateway install").ok();
    let status = machine.status();
    assert_eq!(
        (&status["gateway"]["port"], &status["rpc"]["ok"]),
        (&19500.into(), &true.into()),
        "{status:#}"
    );
    assert_eq!(machine.user(&format!("idlehands gateway call health --json --token {token}")).code, 0);
}
