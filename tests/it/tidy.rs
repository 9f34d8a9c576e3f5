//! The architecture, as a test: floors, file sizes, names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate, from the ground up. A module may name modules of lower floors only.
const FLOORS: &[&[&str]] = &[
    &["exit", "secret"],
    &["instance"],
    &["protocol"],
    &["host"],
    &["bus", "client", "config", "service"],
    &["auth"],
    &["gateway"],
    &["doctor"],
    &["cli"],
];

/// Modules that are words only: no runtime, no files, no environment, no processes.
const PURE: &[&str] = &[
    "src/doctor/checks",
    "src/doctor/finding.rs",
    "src/exit.rs",
    "src/secret.rs",
    "src/instance",
    "src/protocol",
    "src/service/definition.rs",
    "src/service/facts.rs",
    "src/service/hardening.rs",
    "src/service/inspection.rs",
    "src/service/launchd/contract.rs",
    "src/service/launchd/drift.rs",
    "src/service/launchd/effective.rs",
    "src/service/launchd/job.rs",
    "src/service/launchd/lines.rs",
    "src/service/launchd/meaning.rs",
    "src/service/launchd/print.rs",
    "src/service/launchd/property_list.rs",
    "src/service/observed.rs",
    "src/service/plan",
    "src/service/reach.rs",
    "src/service/redact.rs",
    "src/service/spec.rs",
    "src/service/systemd/addition.rs",
    "src/service/systemd/contract.rs",
    "src/service/systemd/directives.rs",
    "src/service/systemd/drift.rs",
    "src/service/systemd/effective.rs",
    "src/service/systemd/exits.rs",
    "src/service/systemd/journal.rs",
    "src/service/systemd/layers.rs",
    "src/service/systemd/properties.rs",
    "src/service/systemd/quoting.rs",
    "src/service/systemd/sandbox.rs",
    "src/service/systemd/specifier.rs",
    "src/service/systemd/syntax.rs",
    "src/service/systemd/timespan.rs",
    "src/service/systemd/unit.rs",
    "src/service/systemd/version.rs",
    "src/service/systemd/words.rs",
    "src/service/variable.rs",
];

/// Names that free functions in several files may share, because their file says the rest.
const ORDINARY: &[&str] = &[
    "run", "new", "main", "render", "parse", "check", "handle", "read", "find", "command", "load",
    "describe", "show",
];

fn sources(dir: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut dirs) = (Vec::new(), vec![root.join(dir)]);
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                dirs.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry).unwrap();
                files.push((entry.strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    files.sort();
    files
}

/// The code of a file without comments, and without the tests inside it.
fn code(text: &str) -> String {
    let body = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    body.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn module_of(path: &Path) -> String {
    let name = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    name.trim_end_matches(".rs").to_owned()
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// Every `crate::name` in the code, also inside `crate::{a, b}`.
fn named_modules(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = group.split('}').next().unwrap_or_default();
                names.extend(group.split(',').map(|item| word(item.trim())));
            }
            None => names.push(word(rest)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn imports_go_to_lower_floors_only() {
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let floor = floor_of(&module).unwrap_or_else(|| panic!("{module} has no floor"));
        for name in named_modules(&code(&text)) {
            let target =
                floor_of(&name).unwrap_or_else(|| panic!("{}: crate::{name} has no floor", path.display()));
            if name != module && target >= floor {
                wrong
                    .push(format!("{} (floor {floor}) names crate::{name} (floor {target})", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_floor_exists_and_the_map_names_it() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for module in FLOORS.iter().flat_map(|floor| floor.iter()) {
        assert!(map.contains(&format!("pub mod {module};")), "src/lib.rs has no module {module}");
        assert!(map.contains(&format!("[`{module}`]")), "the table in src/lib.rs does not describe {module}");
    }
    assert!(!code(&map).contains("pub use"), "no re-exports at the crate root: they hide who imports what");
}

#[test]
fn files_stay_small() {
    let limit = |path: &Path| match path.file_name().unwrap().to_str().unwrap() {
        "mod.rs" | "state.rs" => 200,
        _ => 500,
    };
    let mut large = Vec::new();
    for (path, text) in sources("src") {
        let lines = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().count();
        if lines > limit(&path) || text.lines().count() > 800 {
            large.push(format!("{}: {lines} lines", path.display()));
        }
    }
    for (path, text) in sources("tests").into_iter().chain(sources("benches")) {
        if text.lines().count() > 800 {
            large.push(format!("{}: {} lines", path.display(), text.lines().count()));
        }
    }
    assert!(large.is_empty(), "split these, each into files that say what they are:\n{}", large.join("\n"));
}

#[test]
fn no_file_is_called_after_nothing() {
    for (path, _) in ["src", "tests", "benches"].into_iter().flat_map(sources) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let empty = ["util", "helper", "common", "misc", "shared", "stuff"];
        assert!(!empty.iter().any(|word| name.starts_with(word)), "{}: name what is in it", path.display());
    }
}

#[test]
fn every_module_opens_with_what_it_is() {
    for (path, text) in ["src", "tests", "benches"].into_iter().flat_map(sources) {
        assert!(text.starts_with("//! "), "{} does not say what it is", path.display());
    }
}

/// The free functions of a file: name, number of parameters and what comes back.
fn free_functions(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        let head = ["pub ", "pub(crate) ", "pub(super) ", "async ", "const "]
            .iter()
            .fold(line, |line, word| line.strip_prefix(word).unwrap_or(line));
        if head.starts_with("fn ") {
            let rest = &code[at + line.len() - head.len() + 3..];
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let signature = rest.split(['{', ';']).next().unwrap_or_default();
            let back = signature.rsplit_once("->").map_or("()", |(_, back)| back.trim());
            let takes = signature.matches(": ").count();
            if !ORDINARY.contains(&name.as_str()) {
                found.push(format!("{name}/{takes} -> {back}"));
            }
        }
        at += line.len();
    }
    found
}

#[test]
fn no_free_function_is_written_twice() {
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in sources("src") {
        for function in free_functions(&code(&text)) {
            homes.entry(function).or_default().push(path.display().to_string());
        }
    }
    homes.retain(|_, files| {
        files.dedup();
        files.len() > 1
    });
    assert!(homes.is_empty(), "one name and shape twice is how one thing gets written twice: {homes:#?}");
}

#[test]
fn brand_names_are_spelled_in_one_place() {
    for (path, text) in sources("src") {
        if path == Path::new("src/instance/brand.rs") {
            continue;
        }
        let code = code(&text).replace("idlehands::cli::main", "");
        for slug in ["idlehands", "smart-agent-neo", "smartagentneo", "fased", "clawdis", "mayros"] {
            assert!(!code.contains(&format!("\"{slug}")), "{} spells the brand {slug:?}", path.display());
        }
    }
}

#[test]
fn words_know_nothing_of_the_machine() {
    let forbidden = ["tokio::", "zbus::", "std::fs", "std::env", "std::process::Command", "std::net::Tcp"];
    for (path, text) in sources("src") {
        if PURE.iter().any(|pure| path.starts_with(pure)) {
            let code = code(&text);
            for name in forbidden {
                assert!(!code.contains(name), "{} names {name}", path.display());
            }
        }
    }
    for pure in PURE {
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(pure).exists(),
            "{pure} is gone: drop it from the list"
        );
    }
}

#[test]
fn no_test_file_is_forgotten() {
    for dir in ["tests/it", "tests/launchd", "tests/systemd"] {
        let main = format!("{dir}/main.rs");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let listed = fs::read_to_string(root.join(&main)).unwrap();
        for entry in fs::read_dir(root.join(dir)).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_stem().unwrap().to_str().unwrap();
            let rust = entry.is_dir() || entry.extension().is_some_and(|extension| extension == "rs");
            if rust && name != "main" {
                assert!(listed.contains(&format!("mod {name};")), "{main} does not list {}", entry.display());
            }
        }
    }
}

#[test]
fn the_checks_find_what_they_look_for() {
    let planted = "use crate::cli::Ui;\nuse crate::{host::fs, exit};\n// crate::gone\n";
    assert_eq!(named_modules(&code(planted)), ["cli", "host", "exit"]);
    assert!(floor_of("cli") > floor_of("host") && floor_of("nowhere").is_none());
}
