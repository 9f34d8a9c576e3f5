//! What a line of `doctor_mutations.txt` does to an installed job: small verbs, apart by semicolons.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use idlehands::instance::Brand;
use idlehands::service::launchd::{job, property_list};
use plist::{Dictionary, Value};
use rustix::process::Signal;

use crate::support::{LABEL, Mac, uid};

/// Does all of it.
#[track_caller]
pub fn mutate(mac: &Mac, actions: &str) {
    let home = mac.path().display().to_string();
    let actions =
        actions.replace("HOME/", &format!("{home}/")).replace("PROGRAM", env!("CARGO_BIN_EXE_idlehands"));
    let actions = actions.replace(">PORT<", &format!(">{}<", mac.port));
    for action in actions.split("; ") {
        act(mac, action.trim());
    }
    mac.give();
}

/// Whether something is so after a repair.
#[track_caller]
pub fn holds(mac: &Mac, condition: &str) -> bool {
    let values = values(mac);
    match condition.split_once(' ') {
        Some(("has", key)) => values.contains_key(key),
        Some(("lacks", key)) => !values.contains_key(key),
        Some(("variable", name)) => variables(&values).contains_key(name),
        Some(("file", path)) => place(mac, path).symlink_metadata().is_ok(),
        // Loaded as it is on disk.
        Some(("in-force", key)) => {
            let loaded = mac.state(|state| state.jobs[LABEL].text.clone());
            let loaded = property_list::read(loaded.as_bytes()).unwrap();
            loaded.get(key) == values.get(key)
        }
        _ => panic!("no such condition: {condition}"),
    }
}

fn act(mac: &Mac, action: &str) {
    let (verb, rest) = action.split_once(' ').unwrap_or((action, ""));
    let two = || rest.split_once(' ').unwrap_or((rest, ""));
    match verb {
        // The values.
        "set" => change(mac, |values| drop(values.insert(two().0.to_owned(), value(two().1)))),
        "drop" => change(mac, |values| drop(values.remove(rest))),
        "variable" => change(mac, |values| {
            variables_of(values).insert(two().0.to_owned(), two().1.into());
        }),
        "no-variable" => change(mac, |values| drop(variables_of(values).remove(rest))),
        "argument" => change(mac, |values| {
            let Some(Value::Array(words)) = values.get_mut("ProgramArguments") else {
                panic!("no arguments")
            };
            words.push(rest.into());
        }),
        // As if this program had written it so.
        "sign" => change(mac, |values| {
            let mut signed = values.clone();
            job::resign(&mut signed, Brand::Idlehands);
            *values = signed;
        }),
        // How it is written.
        "replace" => {
            let (from, to) = rest.split_once(" -> ").unwrap();
            let text = std::fs::read_to_string(mac.plist()).unwrap();
            assert!(text.contains(from), "{from} is not in {text}");
            mac.put(&mac.plist(), text.replace(from, to).as_bytes());
        }
        "indent" => {
            let text = std::fs::read_to_string(mac.plist()).unwrap();
            mac.put(&mac.plist(), text.replace('\t', "  ").as_bytes());
        }
        "old-words" => mac.state(|state| state.knobs.old_words = true),
        "binary" => {
            let mut bytes = Vec::new();
            Value::Dictionary(values(mac)).to_writer_binary(&mut bytes).unwrap();
            mac.put(&mac.plist(), &bytes);
        }
        "reorder" => {
            let values = values(mac);
            let mut keys: Vec<String> = values.keys().cloned().collect();
            keys.reverse();
            let values: Dictionary =
                keys.into_iter().map(|key| (key.clone(), values[&key].clone())).collect();
            write(mac, &values);
        }
        "cut" => {
            let bytes = std::fs::read(mac.plist()).unwrap();
            mac.put(&mac.plist(), &bytes[..rest.parse().unwrap()]);
        }
        "write" => mac.put(&mac.plist(), &unescaped(rest)),
        "put" => mac.put(&place(mac, two().0), &unescaped(two().1)),
        "remove" => std::fs::remove_file(place(mac, rest)).unwrap(),
        "mode" => {
            let mode = u32::from_str_radix(two().1, 8).unwrap();
            std::fs::set_permissions(place(mac, two().0), PermissionsExt::from_mode(mode)).unwrap();
        }
        "link" => {
            let kept = mac.path().join("kept.plist");
            std::fs::rename(mac.plist(), &kept).unwrap();
            std::os::unix::fs::symlink(if rest.is_empty() { kept } else { rest.into() }, mac.plist())
                .unwrap();
        }
        "directory" => {
            std::fs::remove_file(mac.plist()).unwrap();
            std::fs::create_dir(mac.plist()).unwrap();
        }
        "copy" => drop(std::fs::copy(place(mac, two().0), place(mac, two().1)).unwrap()),
        "config" => mac.config(rest),
        _ => with_launchd(mac, verb, rest),
    }
}

/// What is done to launchd and what it has.
fn with_launchd(mac: &Mac, verb: &str, rest: &str) {
    match verb {
        "launchctl" => {
            let ran = mac.launchctl(&rest.replace("DOMAIN", &format!("gui/{}", uid())));
            assert_eq!(ran.code, 0, "{verb}: {ran:?}");
        }
        "unload" => mac.unload(LABEL),
        "load" => {
            mac.unload(LABEL);
            let path = if rest.is_empty() { mac.plist() } else { place(mac, rest) };
            mac.give();
            let ran = mac.launchctl(&format!("bootstrap gui/{} {}", uid(), path.display()));
            assert_eq!(ran.code, 0, "{verb}: {ran:?}");
        }
        "runs" => mac.wait("an answer", || mac.answers().then_some(())),
        "ended" => drop(mac.wait("an end", || {
            mac.state(|state| state.jobs[LABEL].last_exit.clone().filter(|_| state.jobs[LABEL].pid.is_none()))
        })),
        "kill" => {
            let pid = mac.pid(LABEL);
            // One that ran for long enough is started again at once.
            mac.state(|state| state.jobs.get_mut(LABEL).unwrap().started = crate::fake::now());
            crate::fake::signal(pid, Signal::KILL);
            mac.wait("a pause", || {
                mac.state(|state| {
                    let job = state.jobs.get_mut(LABEL)?;
                    // Long enough for whatever is looked at.
                    job.start_at = Some(job.start_at? + 3_600_000);
                    Some(())
                })
            });
        }
        other => panic!("there is no {other}"),
    }
}

/// Below the home directory; `-` for the definition, `@` for what belongs to the whole machine.
fn place(mac: &Mac, path: &str) -> PathBuf {
    match path.strip_prefix('@') {
        _ if path == "-" => mac.plist(),
        Some(path) => mac.path().join("machine").join(path),
        None => mac.path().join(Path::new(path)),
    }
}

fn values(mac: &Mac) -> Dictionary {
    property_list::read(&std::fs::read(mac.plist()).unwrap()).unwrap_or_default()
}

fn variables(values: &Dictionary) -> Dictionary {
    values.get("EnvironmentVariables").and_then(Value::as_dictionary).cloned().unwrap_or_default()
}

fn variables_of(values: &mut Dictionary) -> &mut Dictionary {
    match values.get_mut("EnvironmentVariables") {
        Some(Value::Dictionary(variables)) => variables,
        _ => panic!("no variables"),
    }
}

fn change(mac: &Mac, change: impl FnOnce(&mut Dictionary)) {
    let mut values = values(mac);
    change(&mut values);
    write(mac, &values);
}

/// Keys in their order, as an editor would leave them.
fn write(mac: &Mac, values: &Dictionary) {
    let mut bytes = Vec::new();
    Value::Dictionary(values.clone()).to_writer_xml(&mut bytes).unwrap();
    mac.put(&mac.plist(), &bytes);
}

/// A value as XML.
fn value(xml: &str) -> Value {
    let text = format!("<plist version=\"1.0\"><dict><key>x</key>{xml}</dict></plist>");
    property_list::read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {xml}")).remove("x").unwrap()
}

/// `\n` and `\xff`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        rest = match after.strip_prefix('x') {
            Some(hex) => {
                bytes.push(u8::from_str_radix(&hex[..2], 16).unwrap());
                &hex[2..]
            }
            None => {
                bytes.push(b'\n');
                after.strip_prefix('n').unwrap()
            }
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
