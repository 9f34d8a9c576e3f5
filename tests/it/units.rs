//! The unit files in `units/`: what an install writes for a user, as documentation and as a promise.
//!
//! They are made by the renderer. After a change that is meant, `UPDATE_EXPECT=1 cargo test --test it units` writes
//! them anew.

use std::path::Path;
use std::time::Duration;

use idlehands::instance::{BaseDirs, Brand, Env, Instance, Profile};
use idlehands::service::spec::{Choices, ServiceSpec};
use idlehands::service::systemd::unit::render;
use idlehands::service::systemd::version::Version;

#[test]
fn the_units_in_the_tree_are_those_an_install_writes() {
    let dirs = BaseDirs::under("/home/ada");
    let program = Path::new("/usr/local/bin/idlehands");
    let mut outdated = Vec::new();
    for (profile, version) in [("default", 252), ("rescue", 252), ("default", 257)] {
        let profile = Profile::parse(profile).unwrap();
        let instance = Instance::new(Brand::Idlehands, profile, &Env::default(), &dirs);
        let choices = Choices { program, dirs: &dirs, port: None, drain: Duration::from_secs(30) };
        let spec = ServiceSpec::for_gateway(&instance, &choices).unwrap();
        let text = render(&spec, &instance.unit_name(), Version(version)).unwrap();
        let file = format!("units/user/systemd-{version}/{}", instance.unit_name());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
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
