//! What the writer of unit files makes of any text is what a real manager gives to the process, byte for byte.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use idlehands::service::systemd::quoting;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::{Deserialize, Serialize};

use crate::support::service::{machine, quoting_command};

/// One service: what it is called with.
#[derive(Debug, Serialize, Deserialize)]
struct Case {
    program: String,
    args: Vec<String>,
    variables: Vec<String>,
    directory: String,
    description: String,
}

/// Writes down what the process was given. It is itself an argument that needs escaping.
const SCRIPT: &str = "cat /proc/$$/cmdline >\"$DUMP/argv\"; pwd >\"$DUMP/directory\"; \
    cat /proc/$$/environ >\"$DUMP/environ\"";

impl Case {
    /// All arguments: the program is a shell, so that the name it was called by can be seen.
    fn args(&self) -> Vec<String> {
        ["-c", SCRIPT, "name"].map(str::to_owned).into_iter().chain(self.args.iter().cloned()).collect()
    }
}

/// Text that a unit file can carry, rich in what is special somewhere.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[ -~]{1,8}",
        3 => "[%$\\\\\"' ;#@+!:|{}*~=-]{1,4}",
        1 => "\\PC{1,4}",
        1 => prop::sample::select(vec!["%h", "$HOME", "${HOME}", "$$", "\\s", "\\x41", ";", "%%", "  ", "\\\\"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..4)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a unit file cannot carry it", |text| quoting::check("it", text).is_ok())
}

fn name() -> impl Strategy<Value = String> {
    text()
        .prop_map(|text| format!("x{}", text.replace('/', "_")))
        .prop_filter("too long", |name| name.len() < 200)
}

fn case() -> impl Strategy<Value = Case> {
    let lists = (prop::collection::vec(text(), 0..6), prop::collection::vec(text(), 0..4));
    let description = text().prop_filter("not free text", |text| quoting::scalar("it", text).is_ok());
    let program =
        name().prop_filter("not a program's name", |name| quoting::exec(&format!("/{name}"), &[]).is_ok());
    (program, lists, name(), description).prop_map(|(program, (args, variables), directory, description)| {
        Case { program, args, variables, directory, description }
    })
}

/// What no generator should be trusted to hit.
fn fixed(directory: &str) -> Case {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Case {
        program: "run me; $HOME ${HOME} 100% @x".to_owned(),
        args: words(&[
            "", ";", "a;b", "$HOME", "$$", "${X}", "%h", "100%", "\\", "\\s", "'", "\"", "#x", "-", "é 😀",
            " a ",
        ]),
        variables: words(&["", "a b", "$HOME", "%h", "\\n", "\"q\"", "'", "=", "é", " x "]),
        directory: directory.to_owned(),
        description: "50% of $HOME, \"quoted\" \\ and more".to_owned(),
    }
}

#[test]
fn arguments_environment_and_directory_reach_the_process_byte_for_byte() {
    let seed: [u8; 32] = new_seed();
    eprintln!("seed: {seed:?}");
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let mut cases: Vec<Case> = ["at home\\", "at home "].map(fixed).into();
    cases.extend((0..40).map(|_| case().new_tree(&mut runner).unwrap().current()));

    let machine = machine();
    let json = serde_json::to_string(&cases).unwrap();
    machine.user(&format!("base64 -d >cases.json <<'END'\n{}\nEND", STANDARD.encode(json))).ok();
    machine.user(&quoting_command()).ok();
    let units = (0..cases.len()).map(|number| format!("q{number}.service")).collect::<Vec<_>>().join(" ");
    let started = machine.user(&format!("systemctl --user daemon-reload; systemctl --user start {units}"));
    let failed = "systemctl --user show 'q*.service' -p Id,LoadState,Result | grep -B1 -A1 bad-; \
        journalctl --user -o cat -n 50; grep . .config/systemd/user/q*";
    assert_eq!(started.code, 0, "{started}\n{}", machine.user(failed));
    let described = "systemctl --user show $q.service -p Description --value >$q/dump/description";
    machine.user(&format!("for q in q*; do {described}; done")).ok();
    let ran = machine.user(&quoting_command());
    assert!(ran.stdout.contains("ALL AS WRITTEN"), "{ran}");
}

/// 32 bytes that are new every time.
fn new_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).unwrap();
    seed
}

/// Inside the machine: writes the units, or, when they have run, compares.
pub fn inside(home: &Path) {
    let cases: Vec<Case> =
        serde_json::from_str(&fs::read_to_string(home.join("cases.json")).unwrap()).unwrap();
    let ran = home.join("q0/dump/argv").exists();
    let mut wrong = 0;
    for (number, case) in cases.iter().enumerate() {
        let at = home.join(format!("q{number}"));
        if ran {
            let differences = compare(&at, case);
            wrong += usize::from(!differences.is_empty());
            println!("{differences}");
        } else {
            write(&at, home, number, case);
        }
    }
    if ran && wrong == 0 {
        println!("ALL AS WRITTEN");
    }
}

fn write(at: &Path, home: &Path, number: usize, case: &Case) {
    let (program, directory) = (at.join(&case.program), at.join("in").join(&case.directory));
    fs::create_dir_all(at.join("dump")).unwrap();
    fs::create_dir_all(&directory).unwrap();
    fs::copy("/bin/sh", &program).unwrap();
    let units = home.join(".config/systemd/user");
    fs::create_dir_all(&units).unwrap();
    let mut unit = String::from("[Unit]\n");
    unit += &format!(
        "Description={}\n[Service]\nType=oneshot\n",
        quoting::scalar("it", &case.description).unwrap()
    );
    unit += &format!("ExecStart={}\n", quoting::exec(program.to_str().unwrap(), &case.args()).unwrap());
    unit +=
        &format!("WorkingDirectory={}\n", quoting::scalar_path("it", directory.to_str().unwrap()).unwrap());
    unit +=
        &format!("Environment={}\n", quoting::assignment("DUMP", at.join("dump").to_str().unwrap()).unwrap());
    for (number, value) in case.variables.iter().enumerate() {
        unit += &format!("Environment={}\n", quoting::assignment(&format!("V{number}"), value).unwrap());
    }
    fs::write(units.join(format!("q{number}.service")), unit).unwrap();
}

fn compare(at: &Path, case: &Case) -> String {
    let dump = |name: &str| fs::read_to_string(at.join("dump").join(name)).unwrap_or_default();
    let mut argv = vec![at.join(&case.program).to_str().unwrap().to_owned()];
    argv.extend(case.args());
    let expected: String = argv.iter().map(|word| format!("{word}\0")).collect();
    let mut differences = String::new();
    if dump("argv") != expected {
        differences += &format!("argv: {:?}, not {expected:?}\n", dump("argv"));
    }
    let directory = at.join("in").join(&case.directory);
    if dump("directory") != format!("{}\n", directory.display()) {
        differences += &format!("directory: {:?}, not {directory:?}\n", dump("directory"));
    }
    if dump("description") != format!("{}\n", case.description) && !case.description.is_empty() {
        differences += &format!("description: {:?}, not {:?}\n", dump("description"), case.description);
    }
    let environ = dump("environ");
    for (number, value) in case.variables.iter().enumerate() {
        let wanted = format!("V{number}={value}");
        if !environ.split('\0').any(|variable| variable == wanted) {
            differences += &format!("environment: no {wanted:?} in {environ:?}\n");
        }
    }
    differences
}
