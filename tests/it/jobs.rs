//! The property lists in `launchd/`: what an install writes on macOS, as documentation and as a promise.
//!
//! They are made by the renderer. After a change that is meant, `UPDATE_EXPECT=1 cargo test --test it jobs` writes them
//! anew.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use idlehands::instance::{BaseDirs, Brand, Env, Instance, Profile};
use idlehands::service::launchd::job::{Installed, Setting, render};
use idlehands::service::launchd::property_list;
use idlehands::service::spec::{Account, Choices, ServiceSpec};

/// The file, the profile, whether it is for a session without a screen, and for whom it is if it is a LaunchDaemon.
const GOLDEN: [(&str, &str, bool, Option<&str>); 4] = [
    ("launchd/agent/ai.idlehands.gateway.plist", "default", false, None),
    ("launchd/agent/ai.idlehands.rescue.plist", "rescue", false, None),
    ("launchd/agent-background/ai.idlehands.gateway.plist", "default", true, None),
    ("launchd/daemon/ai.idlehands.gateway.plist", "default", false, Some("_idlehands")),
];

fn rendered(profile: &str, background: bool, user: Option<&str>) -> (ServiceSpec, String) {
    let dirs = BaseDirs::under("/Users/ada");
    let (brand, profile) = (Brand::Idlehands, Profile::parse(profile).unwrap());
    let instance = match user {
        None => Instance::new(brand, profile, &Env::default(), &dirs),
        Some(_) => Instance::of_system(brand, profile, &dirs),
    };
    let program = Path::new("/opt/homebrew/bin/idlehands");
    let account = user.map(|user| Account::named(user).unwrap()).unwrap_or_default();
    let choices = Choices { account, ..Choices::new(program, &dirs, Duration::from_secs(30)) };
    let spec = ServiceSpec::for_gateway(&instance, &choices).unwrap();
    let setting = Setting {
        label: instance.launchd_label(),
        crash_file: instance.paths.crash_text.display().to_string(),
        background,
        user: user.map(str::to_owned),
        secrets: instance.paths.credentials.as_ref().map(|dir| dir.display().to_string()),
    };
    let text = render(&spec, &setting).unwrap();
    (spec, text)
}

#[test]
fn the_jobs_in_the_tree_are_those_an_install_writes() {
    let mut outdated = Vec::new();
    for (file, profile, background, user) in GOLDEN {
        let (_, text) = rendered(profile, background, user);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&text) {
            outdated.push(file);
        }
    }
    assert!(outdated.is_empty(), "run with UPDATE_EXPECT=1 and look at what changes: {outdated:?}");
}

#[test]
fn a_job_reads_back_as_what_was_wanted() {
    let (spec, text) = rendered("rescue", false, None);
    let installed = Installed::read(&property_list::read(text.as_bytes()).unwrap(), Brand::Idlehands);
    assert_eq!(installed.label.as_deref(), Some("ai.idlehands.rescue"));
    assert_eq!(
        installed.command,
        ["/opt/homebrew/bin/idlehands", "--profile", "rescue", "gateway", "run", "--stay-down",]
    );
    assert_eq!(installed.exit_timeout, Some(45));
    assert_eq!(installed.working_directory.as_deref(), Some("/Users/ada"));
    for (name, value) in &spec.environment {
        let found = installed.environment.iter().find(|(known, _)| known == name);
        assert!(found.is_some_and(|(_, found)| found.starts_with(value.as_str())), "{name}");
    }
}

/// Another parser than the one that wrote them must find the same: Python's plistlib, which is strict.
#[test]
fn the_jobs_are_property_lists_for_an_independent_parser_too() {
    let script = "import plistlib, json, sys\n\
                  print(json.dumps([plistlib.load(open(path, 'rb')) for path in sys.argv[1:]]))";
    let files = GOLDEN.map(|(file, ..)| Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
    let Ok(output) = Command::new("python3").arg("-c").arg(script).args(&files).output() else {
        return eprintln!("SKIPPED: there is no python3 to read them with");
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    for (job, (file, profile, background, user)) in read.iter().zip(GOLDEN) {
        // Lifecycle notes A3 rows 67 to 76.
        assert_eq!(job["KeepAlive"], serde_json::json!({ "SuccessfulExit": false }), "{file}");
        assert_eq!(job["RunAtLoad"], true);
        assert_eq!(job["ThrottleInterval"], 10);
        assert_eq!(job["ExitTimeOut"], 45);
        assert_eq!(job["Umask"], 0o077);
        assert_eq!(job["ProcessType"], "Background");
        assert_eq!(job["StandardInPath"], "/dev/null");
        assert_eq!(job["StandardOutPath"], job["StandardErrorPath"]);
        assert_eq!(job["SoftResourceLimits"]["NumberOfFiles"], 16384);
        let session = if background { "Background".into() } else { serde_json::Value::Null };
        assert_eq!(job.get("LimitLoadToSessionType").cloned().unwrap_or_default(), session, "{file}");
        assert_eq!(job.get("UserName").and_then(|user| user.as_str()), user, "{file}");
        let comment = job["Comment"].as_str().unwrap();
        assert!(comment.contains(&format!("X-Idlehands-Profile={profile} ")), "{comment}");
        let keys: Vec<_> = job.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(keys.is_sorted(), "{keys:?}");
    }
}
