//! An install through the library that kills itself at the beginning of a step.

use std::path::PathBuf;
use std::time::Duration;

use idlehands::host;
use idlehands::instance::{Brand, Env, Instance, Profile};
use idlehands::service::apply::{Outcome, apply};
use idlehands::service::claim::claim;
use idlehands::service::manager::{Circumstances, Manager, NoProbe, Patience, Progress};
use idlehands::service::native::Native;
use idlehands::service::plan::{Install, Intent, plan};
use idlehands::service::platform::Platform;
use idlehands::service::spec::{Choices, ServiceSpec};
use rustix::process::Signal;

/// Installs with a port, and dies at the beginning of the step `SUITE_DIE_AT`.
pub fn install(env: &Env) -> i32 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(act(env))
}

async fn act(env: &Env) -> i32 {
    let number = |name: &str| env.text(name).unwrap().parse::<u16>().unwrap();
    let (die_at, port) = (usize::from(number("SUITE_DIE_AT")), number("SUITE_PORT"));
    let dirs = host::dirs::find(env).unwrap();
    let instance = Instance::new(Brand::Idlehands, Profile::Default, env, &dirs);
    let lock = claim(&instance, Duration::from_secs(20)).await.unwrap();
    let manager = Native::connect(Platform::Launchd, None, &instance, env, &dirs).await;
    let before = manager.observe().await;
    let program: PathBuf = env.os("SUITE_PROGRAM").unwrap().into();
    let choices = Choices { port: Some(port), ..Choices::new(&program, &dirs, Duration::from_secs(1)) };
    let spec = ServiceSpec::for_gateway(&instance, &choices).unwrap();
    let desired = manager.desire(&spec, &before).unwrap();
    let plan = plan(Intent::Install(Install::default()), Some(&desired), &before).unwrap();
    let mut report = |progress: Progress<'_>| {
        if let Progress::Step { number, .. } = progress
            && number == die_at
        {
            crate::fake::signal(std::process::id(), Signal::KILL);
        }
    };
    let mut circumstances = Circumstances::new(&NoProbe, &mut report, Patience::default());
    circumstances.claim = Some(&lock);
    match apply(&manager, &plan, &before, &mut circumstances).await {
        Outcome::Done { .. } => 0,
        other => panic!("{other:?}"),
    }
}
