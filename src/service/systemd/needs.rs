//! The files that a unit names, and which of them cannot be used.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::layers::{Held, Merged};
use super::quoting;
use crate::service::inspection::{Name, Need, NeedKind};

/// Files that are named and cannot be used. A `-` before a path forgives that it is missing. Whoever is not the manager's
/// user (`as_manager`) knows nothing about files that are closed to others.
pub(super) fn needs(merged: &Merged, as_manager: bool) -> Vec<Need> {
    let mut found = Vec::new();
    for (name, held) in merged.values.iter().filter(|(name, _)| name.section == "Service") {
        for value in &held.meaning {
            let path = match name.key.as_str() {
                "EnvironmentFile" => value.as_str(),
                "LoadCredential" => value.split_once(':').map_or("", |(_, path)| path),
                "WorkingDirectory" => value.as_str(),
                "ExecStart" => match quoting::split(value).unwrap_or_default().first() {
                    Some(program) => {
                        let program = program.trim_start_matches(['@', ':', '+', '!', '-']).to_owned();
                        found.extend(unusable_program(name, held, Path::new(&program)));
                        continue;
                    }
                    None => continue,
                },
                _ => continue,
            };
            let path = Path::new(path);
            let pattern = path.to_string_lossy().contains(['*', '?', '[', '%']);
            if path.is_absolute() && !pattern {
                found.extend(unusable_file(name, held, path, as_manager));
            }
        }
    }
    found
}

fn need(name: &Name, held: &Held, path: &Path, problem: String) -> Need {
    let kind = match name.key.as_str() {
        "ExecStart" => NeedKind::Program,
        "WorkingDirectory" => NeedKind::WorkingDirectory,
        "LoadCredential" => NeedKind::Credential,
        _ => NeedKind::Variables,
    };
    Need { kind, name: name.clone(), spot: held.spots.last().cloned(), path: path.to_owned(), problem }
}

fn unusable_file(name: &Name, held: &Held, path: &Path, as_manager: bool) -> Option<Need> {
    let directory = name.key == "WorkingDirectory";
    let closed = |error: &io::Error| !as_manager && error.kind() == io::ErrorKind::PermissionDenied;
    match path.metadata() {
        Err(error) if closed(&error) => None,
        Err(error) => Some(need(name, held, path, error.to_string())),
        Ok(meta) if directory && !meta.is_dir() => {
            Some(need(name, held, path, "it is not a directory".to_owned()))
        }
        Ok(meta) if !directory && !meta.is_file() => {
            Some(need(name, held, path, "it is not a file".to_owned()))
        }
        Ok(_) if !directory => {
            let failed = std::fs::File::open(path).err().filter(|error| !closed(error));
            failed.map(|error| need(name, held, path, error.to_string()))
        }
        Ok(_) => None,
    }
}

/// A program that the manager cannot run (lifecycle notes B11).
fn unusable_program(name: &Name, held: &Held, path: &Path) -> Option<Need> {
    if !path.is_absolute() {
        return None;
    }
    let problem = match path.metadata() {
        Err(error) => Some(error.to_string()),
        Ok(meta) if !meta.is_file() => Some("it is not a file".to_owned()),
        Ok(meta) if meta.permissions().mode() & 0o111 == 0 => Some("it is not executable".to_owned()),
        Ok(_) => None,
    };
    problem.map(|problem| need(name, held, path, problem))
}
