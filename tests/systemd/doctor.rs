//! The doctor against a real manager: what is done to an installed service is data, one line a case.

use serde_json::Value;

use crate::support::Machine;
use crate::support::program::set_up;

const MUTATIONS: &str = include_str!("doctor_mutations.txt");

/// One line of the list.
struct Case {
    line: usize,
    severity: &'static str,
    repair: &'static str,
    id: &'static str,
    key: &'static str,
    file: &'static str,
    shell: &'static str,
    keeps: &'static str,
}

fn cases() -> Vec<Case> {
    let lines = MUTATIONS.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|(number, line)| {
            let mut columns = line.splitn(7, " | ").map(str::trim);
            let mut next = || columns.next().unwrap_or_default();
            Case {
                line: number + 1,
                severity: next(),
                repair: next(),
                id: next(),
                key: next(),
                file: next(),
                shell: next(),
                keeps: next(),
            }
        })
        .collect()
}

#[test]
fn the_list_is_long_and_well_formed() {
    let cases = cases();
    let mut lines: Vec<&str> = cases.iter().map(|case| case.shell).collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), cases.len(), "two cases are the same");
    assert!(cases.len() >= 60);
    for case in &cases {
        assert!(["none", "info", "warning", "error"].contains(&case.severity), "line {}", case.line);
        assert!(["none", "fix", "force", "manual"].contains(&case.repair), "line {}", case.line);
        assert_eq!(case.severity == "none", case.repair == "none", "line {}", case.line);
        assert!(!case.shell.is_empty(), "line {}", case.line);
    }
}

/// Words for the shell lines, and the way back.
const PREPARE: &str = r#"
cat >~/words <<'END'
N=idlehands-gateway.service; C=~/.config/systemd/user; U=$C/$N; D=$U.d; R=$XDG_RUNTIME_DIR; S="systemctl --user"
set() { awk -v key="$1" -v value="$2" 'index($0, key "=") == 1 { print key "=" value; next } { print }' $U >$U.new; mv $U.new $U; }
put() { mkdir -p $D; printf "$2" >$D/$1; }
root() { :; }
sign() { c=$(grep -v ^X-Idlehands-Checksum= $U | sha256sum | cut -d' ' -f1); set X-Idlehands-Checksum $c; }
END
cat >~/restore <<'END'
. ~/words
chmod -R u+rwX,o-w $C 2>/dev/null
rm -rf $C $C.control $R/systemd/user $R/systemd/user.control $R/systemd/transient ~/linked.service
cp -a ~/pristine/user $C
rm -rf ~/.idlehands/service; cp -a ~/pristine/service ~/.idlehands/service
cp -a ~/pristine/idlehands.json ~/.idlehands/; chmod 700 ~/.idlehands
$S thaw $N
$S unset-environment IDLEHANDS_GATEWAY_PORT IDLEHANDS_GATEWAY_TOKEN IDLEHANDS_PROFILE LD_PRELOAD EDITOR
$S daemon-reload
$S reset-failed
[ "$($S is-active $N)" = active ] || $S start $N
END
. ~/words
sed -i 's/gateway: {/gateway: {\n    reload: { mode: "off" },/' ~/.idlehands/idlehands.json
idlehands gateway install
mkdir ~/pristine; cp -a $C ~/pristine/user; cp -a ~/.idlehands/service ~/pristine/service; cp -a ~/.idlehands/idlehands.json ~/pristine/
. ~/restore
"#;

/// Undoes a case, and looks whether it is undone.
const UNDO: &str = ". ~/restore >/dev/null 2>&1; echo \"ANSWER $(idlehands doctor --json | tr '\\n' ' ')\"";

/// Looks, repairs twice as the case allows, and looks again; each answer on a line of its own.
fn script(case: &Case) -> String {
    let step = |args: &str| {
        format!("echo \"ANSWER $(idlehands doctor --json {args} 2>~/err | tr '\\n' ' ')\"; cat ~/err >&2; ")
    };
    let sum = "echo \"SUM $(find $C $R/systemd/user ~/.idlehands/service/record.json ~/.idlehands/idlehands.json -type f 2>/dev/null | sort | xargs -r cat 2>/dev/null | sha256sum)\"; ";
    format!(
        ". ~/words; {}\n{look}{sum}{fix}{sum}{force}{look}{force}if {}; then echo KEPT; fi",
        case.shell,
        if case.keeps.is_empty() { "true" } else { case.keeps },
        look = step(""),
        fix = step("--fix --yes"),
        force = step("--fix --yes --force"),
    )
}

fn findings(answer: &Value) -> &[Value] {
    answer["findings"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The finding that a case is about.
fn expected<'a>(case: &Case, answer: &'a Value) -> Option<&'a Value> {
    let says = |value: &Value, wanted: &str| wanted == "-" || value.as_str() == Some(wanted);
    findings(answer).iter().find(|finding| {
        let file = finding["at"]["file"].as_str().unwrap_or_default();
        finding["id"] == case.id
            && finding["severity"] == case.severity
            && says(&finding["key"], case.key)
            && (case.file == "-" || file.ends_with(case.file))
    })
}

/// What is wrong with what the doctor said and did.
fn judge(case: &Case, output: &str) -> Result<(), String> {
    let answers: Vec<Value> = output
        .lines()
        .filter_map(|line| line.strip_prefix("ANSWER "))
        .map(|text| serde_json::from_str(text).map_err(|error| format!("{error}: {text}")))
        .collect::<Result<_, _>>()?;
    let sums: Vec<&str> = output.lines().filter_map(|line| line.strip_prefix("SUM ")).collect();
    let [first, fixed, forced, after, again, clean] = answers.as_slice() else {
        return Err(format!("{} answers", answers.len()));
    };
    let demand = |holds: bool, what: &str, answer: &Value| match holds {
        true => Ok(()),
        false => Err(format!("{what}: {answer:#}")),
    };
    let counting = |answer: &Value| findings(answer).iter().any(|finding| finding["severity"] != "info");
    demand(clean["ok"] == true && findings(clean).is_empty(), "the case is not undone", clean)?;
    let text = first.to_string();
    demand(!text.contains("hunter2"), "a secret is shown", first)?;
    if case.severity == "none" {
        demand(findings(first).is_empty(), "harmless, and reported", first)?;
        return demand(
            fixed["repair"]["done"] == false && sums[0] == sums[1],
            "harmless, and repaired",
            fixed,
        );
    }
    demand(expected(case, first).is_some(), "not found", first)?;
    demand(
        (first["ok"] == true) == (case.severity == "info" && !counting(first)),
        "the verdict is wrong",
        first,
    )?;
    let repaired = |answer: &Value| expected(case, answer).is_none() && !counting(answer);
    match case.repair {
        "fix" => demand(repaired(fixed), "not repaired by --fix", fixed)?,
        "force" => {
            demand(expected(case, fixed).is_some(), "--fix took it away", fixed)?;
            demand(repaired(forced), "not repaired by --force", forced)?;
        }
        _ => {
            demand(expected(case, fixed).is_some(), "--fix took away what is the operator's", fixed)?;
            demand(expected(case, after).is_some(), "--force took away what is the operator's", after)?;
        }
    }
    demand(case.repair == "manual" || repaired(after), "found again", after)?;
    demand(again["repair"]["done"] == false, "a second repair has something to do", again)?;
    demand(output.lines().any(|line| line == "KEPT"), "what the operator added is gone", after)
}

/// Runs the parts of a line that need the administrator.
fn as_root(machine: &Machine, case: &Case) {
    for part in case.shell.split("; ").filter_map(|part| part.strip_prefix("root ")) {
        machine.root(part.trim_matches('"')).ok();
    }
}

#[test]
fn every_mutation_is_found_repaired_and_converges_and_what_is_harmless_is_not_told() {
    let machine = set_up();
    let prepared = machine.user(PREPARE);
    assert!(machine.status()["rpc"]["ok"] == true, "{prepared}");
    let mut wrong = Vec::new();
    for case in &cases() {
        as_root(&machine, case);
        let ran = machine.user(&script(case));
        machine.root("rm -rf /etc/systemd/user/service.d /usr/local/lib/systemd/user").ok();
        let undone = machine.user(UNDO);
        if let Err(why) = judge(case, &format!("{}{}", ran.stdout, undone.stdout)) {
            wrong.push(format!("line {}: {}\n{why}\n{}", case.line, case.shell, ran.stderr));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases().len(), wrong.join("\n\n"));
}
