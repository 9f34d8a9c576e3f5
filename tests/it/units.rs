//! The unit files in `units/`: what an install writes for a user, as documentation and as a promise.
//!
//! They are made by the renderer. After a change that is meant, `UPDATE_EXPECT=1 cargo test --test it units` writes
//! them anew.

use std::path::{Path, PathBuf};
use std::time::Duration;

use idlehands::instance::{BaseDirs, Brand, Env, Instance, Profile};
use idlehands::service::definition::Marked;
use idlehands::service::spec::{Choices, Credential, ServiceSpec};
use idlehands::service::systemd::unit::{ANY_HOME, TEMPLATE_PROFILE, marked, render, render_for_package};
use idlehands::service::systemd::version::Version;

#[test]
fn the_units_in_the_tree_are_those_an_install_writes() {
    let dirs = BaseDirs::under("/home/ada");
    let program = Path::new("/usr/local/bin/idlehands");
    let mut outdated = Vec::new();
    for (profile, version) in [("default", 252), ("rescue", 252), ("default", 257)] {
        let profile = Profile::parse(profile).unwrap();
        let instance = Instance::new(Brand::Idlehands, profile, &Env::default(), &dirs);
        let choices = Choices::new(program, &dirs, Duration::from_secs(30));
        let spec = ServiceSpec::for_gateway(&instance, &choices).unwrap();
        let text = render(&spec, &instance.unit_name(), Version(version)).unwrap();
        outdated.extend(compare(&format!("units/user/systemd-{version}/{}", instance.unit_name()), &text));
    }
    assert!(outdated.is_empty(), "run with UPDATE_EXPECT=1 and look at what changes: {outdated:?}");
}

/// The machine's: its token is there, as after a first install.
#[test]
fn the_system_units_in_the_tree_are_those_an_install_writes() {
    let dirs = BaseDirs::under("/root");
    let program = Path::new("/usr/local/bin/idlehands");
    let mut outdated = Vec::new();
    for (profile, version) in [("default", 252), ("rescue", 252), ("default", 257)] {
        let profile = Profile::parse(profile).unwrap();
        let instance = Instance::of_system(Brand::Idlehands, profile, &dirs);
        let name = "IDLEHANDS_GATEWAY_TOKEN".to_owned();
        let path = instance.paths.credentials.as_ref().unwrap().join(&name).display().to_string();
        let credentials = vec![Credential { name, path }];
        let choices = Choices { credentials, ..Choices::new(program, &dirs, Duration::from_secs(30)) };
        let spec = ServiceSpec::for_gateway(&instance, &choices).unwrap();
        let text = render(&spec, &instance.unit_name(), Version(version)).unwrap();
        outdated.extend(compare(&format!("units/system/systemd-{version}/{}", instance.unit_name()), &text));
    }
    assert!(outdated.is_empty(), "run with UPDATE_EXPECT=1 and look at what changes: {outdated:?}");
}

/// What `packaging/` ships: for every user, for the machine, and a template whose instances are profiles. Written for
/// the oldest systemd that packages are made for, and right on every later one.
#[test]
fn the_units_of_packages_are_what_an_install_writes_without_a_home_and_a_profile() {
    let dirs = BaseDirs::under(ANY_HOME);
    let program = Path::new("/usr/bin/idlehands");
    let user = |profile| Instance::new(Brand::Idlehands, profile, &Env::default(), &dirs);
    let system = |profile| Instance::of_system(Brand::Idlehands, profile, &dirs);
    let template = Profile::parse(TEMPLATE_PROFILE).unwrap();
    let table = [
        ("user/idlehands-gateway.service", user(Profile::Default)),
        ("system/idlehands-gateway.service", system(Profile::Default)),
        ("system/idlehands-gateway@.service", system(template)),
    ];
    let mut outdated = Vec::new();
    for (file, instance) in table {
        let token = |dir: &PathBuf| Credential {
            name: "IDLEHANDS_GATEWAY_TOKEN".to_owned(),
            path: dir.join("IDLEHANDS_GATEWAY_TOKEN").display().to_string(),
        };
        let credentials = instance.paths.credentials.iter().map(token).collect();
        let choices = Choices { credentials, ..Choices::new(program, &dirs, Duration::from_secs(30)) };
        let mut spec = ServiceSpec::for_gateway(&instance, &choices).unwrap();
        spec.mark.command = None;
        let unit = file.rsplit('/').next().unwrap();
        let text = render_for_package(&spec, unit, Version(252)).unwrap();
        assert_eq!(marked(&text, Brand::Idlehands), Marked::Intact);
        assert!(!text.contains(TEMPLATE_PROFILE) && !text.contains(ANY_HOME), "{text}");
        outdated.extend(compare(&format!("units/package/{file}"), &text));
    }
    assert!(outdated.is_empty(), "run with UPDATE_EXPECT=1 and look at what changes: {outdated:?}");
}

/// The file's name, if it is not as it should be.
fn compare(file: &str, text: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    (std::fs::read_to_string(&path).ok().as_deref() != Some(text)).then(|| file.to_owned())
}
