//! A service as a job of launchd (launchd.plist(5)): written, recognised, and read.
//!
//! Pure. The `launchd` crate builds the job; it cannot read one that has a key it does not know, so everything else is
//! done on the values of the property list.

use std::fmt::Write;
use std::path::Path;

use launchd::keep_alive::{KeepAliveOptions, KeepAliveType};
use launchd::process_type::ProcessType;
use launchd::{Launchd as Job, LoadSessionType, ResourceLimits};
use plist::{Dictionary, Value};
use sha2::{Digest, Sha256};

use super::{meaning, property_list};
use crate::instance::Brand;
use crate::service::definition::Marked;
use crate::service::manager::RENAME;
use crate::service::spec::{Mark, ServiceSpec};

/// Why a service cannot be written as a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A text with a character that a property list cannot carry, or that could pass for something else in one.
    #[error("{what} has a control character ({character:?}), which a property list cannot carry")]
    Control {
        /// What it is.
        what: &'static str,
        /// The character.
        character: char,
    },
    /// A credential: launchd hands out none.
    #[error(
        "launchd hands no credentials to a service ({name}); read the secret from a private file instead"
    )]
    Credential {
        /// Its name.
        name: String,
    },
    /// Nobody to run as: launchd makes no accounts, and root is not one for a gateway.
    #[error("launchd makes no account for a service of the machine; name one that exists")]
    NoAccount,
    /// The `launchd` crate would not take a value.
    #[error("the job cannot be written: {0}")]
    Job(String),
}

impl RenderError {
    /// What helps.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoAccount => "Make an account for it, and name that: gateway install --run-as ACCOUNT",
            Self::Credential { .. } | Self::Control { .. } | Self::Job(_) => RENAME,
        }
    }
}

/// Where and as whom a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its label.
    pub label: String,
    /// The file for what the process says before its own log is open, and when it dies.
    pub crash_file: String,
    /// Whether it belongs into a session without a screen (`user/UID`) and not into the graphical one.
    pub background: bool,
    /// The account it runs under, for a job of the whole machine.
    pub user: Option<String>,
    /// The directory of secrets that this account may read, for a job of the whole machine.
    pub secrets: Option<String>,
}

/// Seconds between two starts of a job that ends at once (lifecycle notes A3 row 68).
const THROTTLE: u32 = 10;
/// Open files: the usual soft limit is 256.
const FILES: u64 = 16_384;

/// Writes the definition of a job.
pub fn render(spec: &ServiceSpec, setting: &Setting) -> Result<String, RenderError> {
    let job = job(spec, setting)?;
    let Ok(Value::Dictionary(mut values)) = plist::to_value(&job) else {
        return Err(RenderError::Job("it is no dictionary".to_owned()));
    };
    sign(&mut values, &spec.mark);
    Ok(property_list::to_xml(&values))
}

fn job(spec: &ServiceSpec, setting: &Setting) -> Result<Job, RenderError> {
    let path = |error: launchd::Error| RenderError::Job(error.to_string());
    let there = |path: &str| Path::new(path).parent() == setting.secrets.as_deref().map(Path::new);
    if let Some(credential) = spec.credentials.iter().find(|credential| !there(&credential.path)) {
        return Err(RenderError::Credential { name: credential.name.clone() });
    }
    let seconds = |time: std::time::Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    let mut words = vec![clean("the program's path", &spec.program)?];
    for word in spec.args.iter().chain(&spec.restart.stay_down) {
        words.push(clean("an argument", word)?);
    }
    let mut environment = std::collections::HashMap::new();
    // launchd makes no directory that ends with the boot, and nothing else would.
    for (name, value) in spec.environment.iter().filter(|(name, _)| name != "XDG_RUNTIME_DIR") {
        let value = clean("a variable", value)?;
        let value = if name == "PATH" { format!("{value}:{HOMEBREW}") } else { value };
        environment.insert(clean("a variable's name", name)?, value);
    }
    if let Some(dir) = &setting.secrets {
        // The name that systemd has for it (systemd.exec(5)); what is in it is in no variable.
        environment.insert("CREDENTIALS_DIRECTORY".to_owned(), clean("the directory of secrets", dir)?);
    }
    let mut job = Job::default()
        .with_label(clean("the label", &setting.label)?)
        .with_program_arguments(words)
        .with_environment_variables(environment)
        .with_working_directory(clean("the working directory", &spec.working_directory)?)
        .map_err(path)?
        .with_run_at_load(true)
        .with_keep_alive(KeepAliveType::from(KeepAliveOptions::new().with_successful_exit(false)))
        .with_throttle_interval(THROTTLE)
        .with_exit_timeout(seconds(spec.stop_timeout))
        .with_umask(u16::try_from(spec.umask & 0o777).unwrap_or(0o077))
        .with_process_type(ProcessType::Background)
        .with_soft_resource_limits(ResourceLimits::new().with_number_of_files(FILES))
        .with_standard_in_path("/dev/null")
        .map_err(path)?
        .with_standard_out_path(clean("the crash file", &setting.crash_file)?)
        .map_err(path)?
        .with_standard_error_path(&setting.crash_file)
        .map_err(path)?;
    if setting.background {
        job = job.with_limit_load_to_session_type(LoadSessionType::from(BACKGROUND));
    }
    if let Some(user) = &setting.user {
        job = job.with_user_name(clean("the user", user)?);
    }
    Ok(job)
}

/// The session type of jobs that need no screen: they are loaded into `user/UID`.
pub const BACKGROUND: &str = "Background";

/// Where Homebrew puts programs on this kind of machine; after what the system has.
const HOMEBREW: &str = "/opt/homebrew/bin:/opt/homebrew/sbin";

fn clean(what: &'static str, text: &str) -> Result<String, RenderError> {
    match text.chars().find(|c| c.is_control()) {
        Some(character) => Err(RenderError::Control { what, character }),
        None => Ok(text.to_owned()),
    }
}

/// The key with what people are told, and our mark.
pub const COMMENT: &str = "Comment";
const PROFILE: &str = "Profile";
const GENERATOR: &str = "Generator";
const CHECKSUM: &str = "Checksum";
const REPLACES: &str = "Replaces";

/// Puts the mark into the comment, and the checksum also where launchd shows it of a job that it has loaded: so that
/// everybody can tell which definition that is.
fn sign(values: &mut Dictionary, mark: &Mark) {
    let key = |name| mark.brand.extension_key(name);
    let said =
        format!("{} {}={} {}={}", mark.origin(), key(PROFILE), mark.profile, key(GENERATOR), mark.generator,);
    values.insert(COMMENT.to_owned(), said.clone().into());
    resign(values, mark.brand);
}

/// Signs a definition of ours again after one of its values was changed.
pub fn resign(values: &mut Dictionary, brand: Brand) {
    let checksum = checksum(values, brand);
    let said = unsigned_comment(values, brand);
    let said = format!("{said} {}={checksum}", brand.extension_key(CHECKSUM));
    values.insert(COMMENT.to_owned(), said.into());
    if let Some(Value::Dictionary(environment)) = values.get_mut("EnvironmentVariables") {
        environment.insert(brand.var(DEFINITION), checksum.into());
    }
}

/// Puts the checksum where launchd shows it, and leaves the mark as it is: what somebody else wrote or changed is not
/// ours for that.
pub fn sign_for_loading(values: &mut Dictionary, brand: Brand) {
    let checksum = checksum(values, brand);
    let name = meaning::VARIABLES.to_owned();
    if values.get(&name).is_none_or(|variables| variables.as_dictionary().is_none()) {
        values.insert(name.clone(), Dictionary::new().into());
    }
    if let Some(Value::Dictionary(variables)) = values.get_mut(&name) {
        variables.insert(brand.var(DEFINITION), checksum.into());
    }
}

/// Makes a definition of ours another one that means the same, in place of one that was changed and still has its
/// checksum: launchd may have loaded that.
pub fn sign_apart(values: &mut Dictionary, changed: &Dictionary, brand: Brand) {
    let key = brand.extension_key(REPLACES);
    let said = property_list::text(values, COMMENT).unwrap_or_default();
    let said = format!("{said} {key}={:.8}", checksum(changed, brand));
    values.insert(COMMENT.to_owned(), said.into());
    resign(values, brand);
}

/// Whether what launchd shows of a definition tells it from every other one: it was not changed since it was signed.
pub fn is_told_apart(values: &Dictionary, brand: Brand) -> bool {
    let variables = Installed::read(values, brand).environment;
    signature(&variables, brand).is_some_and(|signed| signed == checksum(values, brand))
}

/// Whether launchd would show two definitions by the same sign.
pub fn have_one_signature(a: &Dictionary, b: &Dictionary, brand: Brand) -> bool {
    let signed = |values| signature(&Installed::read(values, brand).environment, brand).map(str::to_owned);
    signed(a).is_some() && signed(a) == signed(b)
}

/// Whether a variable is but our mark.
pub fn is_mark(name: &str, brand: Brand) -> bool {
    name == brand.var(DEFINITION)
}

/// The variable with the checksum, without the brand's prefix.
const DEFINITION: &str = "DEFINITION";

fn unsigned_comment(values: &Dictionary, brand: Brand) -> String {
    let said = property_list::text(values, COMMENT).unwrap_or_default();
    let key = format!("{}=", brand.extension_key(CHECKSUM));
    said.split(' ').filter(|word| !word.starts_with(&key)).collect::<Vec<_>>().join(" ")
}

/// SHA-256 in hexadecimal, of everything but the checksum itself.
fn checksum(values: &Dictionary, brand: Brand) -> String {
    let mut bare = values.clone();
    bare.insert(COMMENT.to_owned(), unsigned_comment(values, brand).into());
    if let Some(Value::Dictionary(environment)) = bare.get_mut("EnvironmentVariables") {
        environment.remove(&brand.var(DEFINITION));
    }
    Sha256::digest(property_list::to_xml(&bare).as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        // Writing into a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Tells whether a definition was written by us, and whether it was changed since, from it alone. How it is written
/// does not count: only values do.
pub fn mark_of(values: &Dictionary, brand: Brand) -> Marked {
    match word(values, brand, CHECKSUM) {
        None => Marked::No,
        Some(signed) if signed == checksum(values, brand) => Marked::Intact,
        Some(_) => Marked::Broken,
    }
}

/// What launchd shows of a definition of ours that it has loaded, given the variables it shows.
pub fn signature(environment: &[(String, String)], brand: Brand) -> Option<&str> {
    let name = brand.var(DEFINITION);
    environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
}

fn word(values: &Dictionary, brand: Brand, name: &str) -> Option<String> {
    let key = format!("{}=", brand.extension_key(name));
    let said = property_list::text(values, COMMENT)?;
    said.split(' ').find_map(|word| word.strip_prefix(&key)).map(str::to_owned)
}

/// What an installed definition says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// The label.
    pub label: Option<String>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Where it runs.
    pub working_directory: Option<String>,
    /// Its variables, sorted by name.
    pub environment: Vec<(String, String)>,
    /// Where its output goes.
    pub output: Option<String>,
    /// Seconds it may take to stop.
    pub exit_timeout: Option<u64>,
    /// The account it runs under, for a job of the machine.
    pub user: Option<String>,
    /// The release that wrote it.
    pub generator: Option<String>,
}

impl Installed {
    /// Reads a definition.
    pub fn read(values: &Dictionary, brand: Brand) -> Self {
        let text = |key| property_list::text(values, key).map(str::to_owned);
        let words = property_list::texts(values, "ProgramArguments");
        let variables = values.get("EnvironmentVariables").and_then(Value::as_dictionary);
        let variables = variables.into_iter().flatten();
        let mut environment: Vec<(String, String)> = variables
            .filter_map(|(name, value)| Some((name.clone(), value.as_string()?.to_owned())))
            .collect();
        environment.sort();
        Self {
            label: text("Label"),
            command: if words.is_empty() { text("Program").into_iter().collect() } else { words },
            working_directory: text("WorkingDirectory"),
            environment,
            output: text("StandardErrorPath"),
            exit_timeout: property_list::number(values, "ExitTimeOut"),
            user: text("UserName"),
            generator: word(values, brand, GENERATOR),
        }
    }

    /// The port that the operator named.
    pub fn port(&self) -> Option<u16> {
        self.command.iter().skip_while(|word| *word != "--port").nth(1)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::instance::{BaseDirs, Env, Instance, Profile};
    use crate::service::spec::{Choices, Credential};

    fn spec() -> ServiceSpec {
        let dirs = BaseDirs::under("/Users/ada");
        let instance = Instance::new(Brand::Fased, Profile::parse("rescue").unwrap(), &Env::default(), &dirs);
        let program = Path::new("/opt/my <apps> & more/fased");
        let choices = Choices { port: Some(19201), ..Choices::new(program, &dirs, Duration::from_secs(30)) };
        ServiceSpec::for_gateway(&instance, &choices).unwrap()
    }

    fn setting() -> Setting {
        Setting {
            label: "ai.fased.rescue".to_owned(),
            crash_file: "/Users/ada/.fased-rescue/logs/gateway.crash.txt".to_owned(),
            background: false,
            user: None,
            secrets: None,
        }
    }

    fn values(text: &str) -> Dictionary {
        property_list::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_mark_tells_an_edited_job_from_ours_and_from_a_foreign_one() {
        let text = render(&spec(), &setting()).unwrap();
        assert_eq!(mark_of(&values(&text), Brand::Fased), Marked::Intact);
        assert_eq!(mark_of(&values(&text), Brand::Mayros), Marked::No);
        // Blanks and order are not values.
        let same = text.replace('\t', "    ");
        assert_eq!(mark_of(&values(&same), Brand::Fased), Marked::Intact);
        for (from, to) in [("<integer>45</integer>", "<integer>5</integer>"), ("--stay-down", "--verbose")] {
            assert_eq!(mark_of(&values(&text.replace(from, to)), Brand::Fased), Marked::Broken, "{from}");
        }
        let mut foreign = values(&text);
        foreign.remove(COMMENT);
        assert_eq!(mark_of(&foreign, Brand::Fased), Marked::No);
    }

    #[test]
    fn a_job_that_was_changed_for_a_purpose_is_ours_again_when_it_is_signed_again() {
        let mut values = values(&render(&spec(), &setting()).unwrap());
        let before = Installed::read(&values, Brand::Fased).environment;
        values.insert("LimitLoadToSessionType".to_owned(), BACKGROUND.into());
        assert_eq!(mark_of(&values, Brand::Fased), Marked::Broken);
        resign(&mut values, Brand::Fased);
        assert_eq!(mark_of(&values, Brand::Fased), Marked::Intact);
        let after = Installed::read(&values, Brand::Fased).environment;
        assert_ne!(signature(&before, Brand::Fased), signature(&after, Brand::Fased));
        assert!(signature(&after, Brand::Fased).is_some_and(|signature| signature.len() == 64));
        let alone = Setting { background: true, ..setting() };
        assert_eq!(property_list::to_xml(&values), render(&spec(), &alone).unwrap());
    }

    #[test]
    fn marks_and_spellings_do_not_change_the_meaning() {
        let text = render(&spec(), &setting()).unwrap();
        let same = |other: &str| meaning::same_job(&values(&text), &values(other), Brand::Fased);
        assert!(same(&text.replace("X-Fased-Generator=", "X-Fased-Generator=0.0.0-")));
        assert!(same(&text.replace("<integer>63</integer>", "<string>077</string>")));
        assert!(!same(&text.replace("<integer>63</integer>", "<integer>18</integer>")));
        let mut apart = values(&text);
        sign_apart(&mut apart, &values(&text), Brand::Fased);
        assert!(same(&property_list::to_xml(&apart)) && mark_of(&apart, Brand::Fased) == Marked::Intact);
        let shown = |values| {
            signature(&Installed::read(values, Brand::Fased).environment, Brand::Fased).map(str::to_owned)
        };
        assert_ne!(shown(&apart), shown(&values(&text)));
    }

    #[test]
    fn a_changed_definition_is_not_told_apart_until_it_is_signed_for_loading() {
        let mut changed = values(&render(&spec(), &setting()).unwrap());
        assert!(is_told_apart(&changed, Brand::Fased));
        changed.insert("Nice".to_owned(), 5.into());
        assert!(!is_told_apart(&changed, Brand::Fased));
        sign_for_loading(&mut changed, Brand::Fased);
        assert!(is_told_apart(&changed, Brand::Fased) && mark_of(&changed, Brand::Fased) == Marked::Broken);
    }

    #[test]
    fn any_text_is_carried_and_what_cannot_be_is_refused() {
        let text = render(&spec(), &setting()).unwrap();
        assert_eq!(Installed::read(&values(&text), Brand::Fased).command[0], spec().program);
        for character in ['\n', '\r', '\0', '\u{1b}'] {
            let program = format!("/bin/a{character}b");
            let error = render(&ServiceSpec { program, ..spec() }, &setting()).unwrap_err();
            assert_eq!(error, RenderError::Control { what: "the program's path", character });
        }
        let credential = Credential { name: "token".to_owned(), path: "/a".to_owned() };
        let error = render(&ServiceSpec { credentials: vec![credential], ..spec() }, &setting()).unwrap_err();
        assert_eq!(error, RenderError::Credential { name: "token".to_owned() });
    }
}
