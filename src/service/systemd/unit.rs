//! A service as a systemd unit file: written, recognised, and read.
//!
//! Pure. What each directive may hold is [`super::quoting`]'s business, what lines mean [`super::syntax`]'s.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::journal;
use super::quoting::{self, Unwritable};
use super::sandbox::directives;
use super::syntax::File;
use super::timespan;
use super::version::Version;
use super::words::{start_target, systemctl};
use crate::instance::{Brand, Scope};
use crate::service::definition::Marked;
use crate::service::hardening::Hardening;
use crate::service::spec::{Account, Credential, ServiceSpec, SystemPart};

/// Why a service cannot be written as a unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A text that a unit file cannot carry.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// A name that systemd does not take for a credential.
    #[error("{0:?} is not a name for a credential: use letters, digits, \".\", \"_\" or \"-\"")]
    CredentialName(String),
    /// The manager is too old for something the service needs.
    #[error(
        "this systemd has no {directive} (needs version {needs}, has {has}); read the secret from a file instead"
    )]
    TooOld {
        /// The directive.
        directive: &'static str,
        /// The first release that has it.
        needs: u32,
        /// The running release.
        has: u32,
    },
}

/// Writes the unit file of a service for a manager of the given version.
pub fn render(spec: &ServiceSpec, unit: &str, version: Version) -> Result<String, RenderError> {
    let (text, checksum_at) = unsigned(spec, unit, version)?;
    Ok(signed(text, checksum_at, spec.mark.brand))
}

/// The name of a profile that stands for the instance of a template unit, in the spec for [`render_for_package`].
pub const TEMPLATE_PROFILE: &str = "instance-of-the-template";

/// A home directory that stands for that of any user, in the spec for [`render_for_package`].
pub const ANY_HOME: &str = "/home-of-any-user";

/// Writes the unit that a package ships, for any user or as a template (systemd.unit(5), "Specifiers"). Instances of a
/// template are profiles, whose names hold nothing that systemd would escape.
pub fn render_for_package(spec: &ServiceSpec, unit: &str, version: Version) -> Result<String, RenderError> {
    let (text, checksum_at) = unsigned(spec, unit, version)?;
    let general = |text: &str| text.replace(TEMPLATE_PROFILE, "%i").replace(ANY_HOME, "%h");
    let (head, rest) = text.split_at(checksum_at);
    let head = general(head);
    Ok(signed(head.clone() + &general(rest), head.len(), spec.mark.brand))
}

/// Puts the mark in that tells whether a text was changed.
pub(super) fn signed(mut text: String, at: usize, brand: Brand) -> String {
    let checksum = format!("{}={}\n", brand.extension_key(CHECKSUM), checksum(&text));
    text.insert_str(at, &checksum);
    text
}

/// The text, and where its checksum belongs.
fn unsigned(spec: &ServiceSpec, unit: &str, version: Version) -> Result<(String, usize), RenderError> {
    let scope = if spec.system.is_some() { Scope::System } else { Scope::User };
    let brand = &spec.mark.brand;
    let mut text = Text::default();
    text.line(&format!("# {}", spec.mark.origin()));
    text.line(&format!("# Changes belong in a drop-in: {} edit {unit}", systemctl(scope)));
    text.section("Unit");
    text.set("Description", &quoting::scalar("the description", &spec.description)?);
    if scope == Scope::System {
        // A user manager has no such target (lifecycle notes C4).
        text.set("Wants", "network-online.target");
        text.set("After", "network-online.target");
    }
    text.set("StartLimitIntervalSec", &timespan::write(spec.restart.interval));
    text.set("StartLimitBurst", &spec.restart.burst.to_string());
    text.set(&brand.extension_key(PROFILE), &quoting::scalar("the profile", &spec.mark.profile)?);
    text.set(&brand.extension_key(HARDENING), spec.hardening.word());
    text.set(&brand.extension_key(GENERATOR), &quoting::scalar("the release", &spec.mark.generator)?);
    let checksum_at = text.0.len();

    text.section("Service");
    process(&mut text, spec, version)?;
    // Lines of a process that ended before anybody looked at it are found by this alone.
    let identifier = quoting::scalar("the unit's name", journal::identifier(unit))?;
    let instance = if identifier.ends_with('@') { "%i" } else { "" };
    text.set("SyslogIdentifier", &format!("{identifier}{instance}"));
    supervision(&mut text, spec, version);
    if let Some(system) = &spec.system {
        account(&mut text, system)?;
    }
    for (key, value) in directives(scope, spec.hardening) {
        text.set(key, value);
    }

    text.section("Install");
    text.set("WantedBy", start_target(scope));
    Ok((text.0, checksum_at))
}

/// Whom it runs as, and the directories that the manager makes for that account.
fn account(text: &mut Text, system: &SystemPart) -> Result<(), RenderError> {
    match &system.account {
        Account::Dynamic => text.set("DynamicUser", "yes"),
        Account::Named(name) => text.set("User", &quoting::scalar("the account", name)?),
    }
    let directory = quoting::scalar("the name of the directories", &system.directory)?;
    for kind in ["State", "Logs", "Runtime"] {
        text.set(&format!("{kind}Directory"), &directory);
        text.set(&format!("{kind}DirectoryMode"), "0700");
    }
    // Root's, and for the service to read: what is secret is handed over as a credential.
    text.set("ConfigurationDirectory", &directory);
    text.set("ConfigurationDirectoryMode", "0755");
    Ok(())
}

/// What runs, and with what.
fn process(text: &mut Text, spec: &ServiceSpec, version: Version) -> Result<(), RenderError> {
    if version.has_notify_reload() {
        // SIGHUP, and the manager waits for RELOADING and READY.
        text.set("Type", "notify-reload");
    } else {
        text.set("Type", "notify");
    }
    text.set("NotifyAccess", "main");
    text.set("ExecStart", &quoting::exec(&spec.program, &spec.args)?);
    if !version.has_notify_reload() {
        // The shell's own `kill`: the program of that name is not on every machine. Comes back before the reload is
        // done; the unit says "reloading" until the service says READY.
        text.set("ExecReload", "/bin/sh -c \"kill -HUP ${MAINPID}\"");
    }
    text.set("WorkingDirectory", &quoting::scalar_path("the working directory", &spec.working_directory)?);
    text.line("# An empty variable counts as unset, whatever the manager's own environment has.");
    for (name, value) in &spec.environment {
        text.set("Environment", &quoting::assignment(name, value)?);
    }
    for credential in &spec.credentials {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if credential.name.is_empty() || !credential.name.chars().all(allowed) {
            return Err(RenderError::CredentialName(credential.name.clone()));
        }
        if !version.has_credentials() {
            return Err(RenderError::TooOld { directive: "LoadCredential=", needs: 247, has: version.0 });
        }
        let path = quoting::scalar_path("the credential's path", &credential.path)?;
        text.set("LoadCredential", &format!("{}:{path}", credential.name));
    }
    text.set("UMask", &format!("{:04o}", spec.umask));
    Ok(())
}

/// What the manager does when the process ends, hangs or is to stop.
fn supervision(text: &mut Text, spec: &ServiceSpec, version: Version) {
    let codes = |codes: &[u8]| codes.iter().map(u8::to_string).collect::<Vec<_>>().join(" ");
    text.set("Restart", "on-failure");
    if version.has_restart_steps() {
        text.set("RestartSec", &timespan::write(spec.restart.delay));
        text.set("RestartSteps", &spec.restart.delay_steps.to_string());
        text.set("RestartMaxDelaySec", &timespan::write(spec.restart.max_delay));
    } else {
        text.set("RestartSec", &timespan::write(spec.restart.fixed_delay));
    }
    text.set("RestartForceExitStatus", &codes(&spec.restart.again));
    text.set("SuccessExitStatus", &codes(&spec.restart.again));
    text.set("RestartPreventExitStatus", &codes(&spec.restart.never));
    text.set("TimeoutStartSec", &timespan::write(spec.start_timeout));
    text.set("TimeoutStopSec", &timespan::write(spec.stop_timeout));
    text.set("TimeoutAbortSec", &timespan::write(spec.abort_timeout));
    text.set("WatchdogSec", &timespan::write(spec.watchdog));
    // Connections wait in the sockets that are kept here while one process takes the place of another.
    text.set("FileDescriptorStoreMax", &spec.kept_files.to_string());
    // The main process gets SIGTERM and drains; what it started is killed only when time is up.
    text.set("KillMode", "mixed");
    // A tool that was killed for lack of memory must not take the gateway with it.
    text.set("OOMPolicy", "continue");
}

const PROFILE: &str = "Profile";
pub(super) const GENERATOR: &str = "Generator";
pub(super) const HARDENING: &str = "Hardening";
const CHECKSUM: &str = "Checksum";

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn section(&mut self, name: &str) {
        self.line(&format!("\n[{name}]"));
    }

    fn set(&mut self, key: &str, value: &str) {
        self.line(&format!("{key}={value}"));
    }
}

/// Tells whether a unit file was written by us, and whether it was changed since, from the file alone.
pub fn marked(text: &str, brand: Brand) -> Marked {
    let key = format!("{}=", brand.extension_key(CHECKSUM));
    let (marks, rest): (Vec<&str>, Vec<&str>) =
        text.split_inclusive('\n').partition(|line| line.starts_with(&key));
    match marks.as_slice() {
        [] => Marked::No,
        [mark] if mark[key.len()..].trim_end() == checksum(&rest.concat()) => Marked::Intact,
        _ => Marked::Broken,
    }
}

/// SHA-256 in hexadecimal, of everything but the line that carries it.
fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        // Writing into a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether two unit files mean the same: comments, blank lines and our mark do not count.
pub fn same_meaning(a: &str, b: &str, brand: Brand) -> bool {
    let own = brand.extension_key("");
    let meaning = |text: &str| {
        let file = File::parse(text);
        let settings = file.settings().filter(|setting| !setting.key.starts_with(&own));
        let settings = settings.map(|s| format!("{}\n{}\n{}", s.section, s.key, s.value));
        (settings.collect::<Vec<_>>(), file.has_junk())
    };
    meaning(a) == meaning(b)
}

/// Reads `ID:PATH`.
fn credential(line: &str) -> Option<Credential> {
    let (name, path) = line.split_once(':')?;
    Some(Credential { name: name.to_owned(), path: quoting::without_specifiers(path) })
}

/// What an installed unit file says, in words that people and programs can use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Program and arguments, as the process gets them; empty when the line cannot be read.
    pub command: Vec<String>,
    /// Where it runs.
    pub working_directory: Option<String>,
    /// Its variables; the last assignment of each.
    pub environment: Vec<(String, String)>,
    /// The release that wrote it.
    pub generator: Option<String>,
    /// How tightly it was shut in; none where the mark does not say.
    pub hardening: Option<Hardening>,
    /// The account that it runs as, if it is one that the administrator made.
    pub account: Option<String>,
    /// The secrets that are handed to it.
    pub credentials: Vec<Credential>,
}

impl Installed {
    /// Reads a unit file of ours.
    pub fn read(text: &str, brand: Brand) -> Self {
        let file = File::parse(text);
        let mut environment: Vec<(String, String)> = Vec::new();
        for line in file.values("Service", "Environment") {
            for word in quoting::split(line).unwrap_or_default() {
                if let Some((name, value)) = quoting::without_specifiers(&word).split_once('=') {
                    environment.retain(|(known, _)| known != name);
                    environment.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        let command = file.value("Service", "ExecStart");
        let directory = file.value("Service", "WorkingDirectory").map(quoting::without_specifiers);
        Self {
            command: command.and_then(|line| quoting::command_words(line).ok()).unwrap_or_default(),
            working_directory: directory,
            environment,
            generator: file.value("Unit", &brand.extension_key(GENERATOR)).map(str::to_owned),
            hardening: file.value("Unit", &brand.extension_key(HARDENING)).and_then(|word| word.parse().ok()),
            account: file.value("Service", "User").map(quoting::without_specifiers),
            credentials: file
                .values("Service", "LoadCredential")
                .into_iter()
                .filter_map(credential)
                .collect(),
        }
    }

    /// The port on the command line, if there is one.
    pub fn port(&self) -> Option<u16> {
        let at = self.command.iter().position(|word| word == "--port")?;
        self.command.get(at + 1)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::instance::{BaseDirs, Env, Instance, Profile};
    use crate::service::spec::Choices;

    fn spec() -> ServiceSpec {
        let dirs = BaseDirs::under("/home/ada");
        let profile = Profile::parse("rescue").unwrap();
        let instance = Instance::new(Brand::Fased, profile, &Env::default(), &dirs);
        let program = Path::new("/opt/my apps/fased");
        let choices = Choices { port: Some(19201), ..Choices::new(program, &dirs, Duration::from_secs(30)) };
        ServiceSpec::for_gateway(&instance, &choices).unwrap()
    }

    fn unit(version: u32) -> File {
        File::parse(&render(&spec(), "fased-gateway-rescue.service", Version(version)).unwrap())
    }

    #[test]
    fn a_unit_reads_back_as_what_was_wanted() {
        let spec = spec();
        let text = render(&spec, "fased-gateway-rescue.service", Version(252)).unwrap();
        let installed = Installed::read(&text, Brand::Fased);
        assert_eq!(installed.command[0], spec.program);
        assert_eq!(installed.command[1..], spec.args);
        assert_eq!(installed.environment, spec.environment);
        assert_eq!(installed.working_directory.as_deref(), Some("/home/ada"));
        assert_eq!(installed.generator.as_deref(), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(installed.port(), Some(19201));
        assert!(!File::parse(&text).has_junk());
    }

    #[test]
    fn the_managers_version_decides_about_reload_and_delays() {
        let table = [
            (252, "notify", true, "5", None),
            (253, "notify-reload", false, "5", None),
            (254, "notify-reload", false, "2", Some("60")),
        ];
        for (version, kind, exec_reload, delay, max_delay) in table {
            let unit = unit(version);
            assert_eq!(unit.value("Service", "Type"), Some(kind), "{version}");
            assert_eq!(unit.value("Service", "ExecReload").is_some(), exec_reload, "{version}");
            assert_eq!(unit.value("Service", "RestartSec"), Some(delay), "{version}");
            assert_eq!(unit.value("Service", "RestartMaxDelaySec"), max_delay, "{version}");
        }
    }

    /// Lifecycle notes A3 rows 44 to 47 and 60, E7.
    #[test]
    fn exit_codes_limits_and_targets_are_those_of_the_contract() {
        let unit = unit(252);
        let table = [
            ("Unit", "StartLimitIntervalSec", "300"),
            ("Unit", "StartLimitBurst", "10"),
            ("Service", "Restart", "on-failure"),
            ("Service", "RestartForceExitStatus", "75"),
            ("Service", "SuccessExitStatus", "75"),
            ("Service", "RestartPreventExitStatus", "78 7"),
            ("Service", "TimeoutStopSec", "45"),
            ("Service", "KillMode", "mixed"),
            ("Service", "UMask", "0077"),
            ("Install", "WantedBy", "default.target"),
        ];
        for (section, key, value) in table {
            assert_eq!(unit.value(section, key), Some(value), "{key}");
        }
        // A user manager has no network target (lifecycle notes C4).
        assert!(unit.settings().all(|setting| !setting.value.contains("network")));
    }

    #[test]
    fn the_mark_tells_an_edited_file_from_ours_and_from_a_foreign_one() {
        let text = render(&spec(), "fased-gateway-rescue.service", Version(252)).unwrap();
        assert_eq!(marked(&text, Brand::Fased), Marked::Intact);
        assert_eq!(marked(&text, Brand::Mayros), Marked::No);
        assert_eq!(marked("[Service]\nExecStart=/bin/true\n", Brand::Fased), Marked::No);
        for edited in
            [text.replace("OOMPolicy=continue", "OOMPolicy=stop"), format!("{text}\n"), text.repeat(2)]
        {
            assert_eq!(marked(&edited, Brand::Fased), Marked::Broken);
        }
    }

    #[test]
    fn comments_and_the_mark_do_not_change_the_meaning() {
        let text = render(&spec(), "fased-gateway-rescue.service", Version(252)).unwrap();
        let same = format!("# mine\n{}", text.replace("[Install]", "\n; and mine\n[Install]"));
        assert!(same_meaning(&text, &same, Brand::Fased));
        let marks = text.replace("X-Fased-Generator=", "X-Fased-Generator=0.0.0-");
        assert!(same_meaning(&text, &marks, Brand::Fased));
        assert!(!same_meaning(&text, &text.replace("mixed", "process"), Brand::Fased));
        assert!(!same_meaning(&text, &format!("{text}junk\n"), Brand::Fased));
    }

    #[test]
    fn credentials_need_a_name_and_a_manager_that_knows_them() {
        let with = |name: &str| {
            let path = "/home/ada/50%/token".to_owned();
            ServiceSpec { credentials: vec![Credential { name: name.to_owned(), path }], ..spec() }
        };
        let text = render(&with("token"), "u.service", Version(252)).unwrap();
        let value = File::parse(&text).value("Service", "LoadCredential").map(str::to_owned);
        assert_eq!(value.as_deref(), Some("token:/home/ada/50%%/token"));
        let error = render(&with("a:b"), "u.service", Version(252)).unwrap_err();
        assert_eq!(error, RenderError::CredentialName("a:b".to_owned()));
        let error = render(&with("token"), "u.service", Version(245)).unwrap_err();
        assert!(matches!(error, RenderError::TooOld { needs: 247, has: 245, .. }));
    }

    #[test]
    fn nothing_with_a_line_end_gets_into_a_unit() {
        let injected = ServiceSpec { description: "x\nExecStart=/bin/evil".to_owned(), ..spec() };
        assert!(render(&injected, "u.service", Version(252)).is_err());
        let injected = ServiceSpec { args: vec!["a\n[Service]".to_owned()], ..spec() };
        assert!(render(&injected, "u.service", Version(252)).is_err());
    }
}
