//! What was chosen at an install over the unit of a package: a drop-in of ours with the settings that differ, and
//! nothing else. The package's unit stays as it is, and its next release takes effect.
//!
//! Pure. What a choice can change is the table below; whatever else a package's unit has otherwise is the package's
//! business here, and the doctor's.

use super::directives::{self, Kind};
use super::drift::corrective_lines;
use super::layers::{Held, Layer, Merged, merge};
use super::sandbox;
use super::specifier::Specifiers;
use super::syntax::File;
use super::unit;
use crate::instance::Scope;
use crate::service::hardening::Hardening;
use crate::service::inspection::Name;
use crate::service::spec::ServiceSpec;

/// The drop-in's name. It comes before those of operators, which have the last word.
pub const FILE: &str = "10-install.conf";

/// Directives that follow from what an operator can choose.
const CHOSEN: [&str; 5] = ["ExecStart", "LoadCredential", "User", "DynamicUser", "TimeoutStopSec"];

/// What a dynamic user brings along, whatever the unit says (systemd.exec(5), "DynamicUser=").
const IMPLIED: [&str; 5] =
    ["NoNewPrivileges", "RestrictSUIDSGID", "PrivateTmp", "RemoveIPC", "ProtectSystem"];

/// Whether what an operator chooses can change this.
pub fn is_chosen(scope: Scope, name: &Name) -> bool {
    match &name.variable {
        Some(variable) => variable.ends_with("_STATE_DIR") || variable.ends_with("_CONFIG_PATH"),
        None => {
            CHOSEN.contains(&name.key.as_str())
                || sandbox::directives(scope, Hardening::Strict).any(|(key, _)| key == name.key)
        }
    }
}

/// The names that the unit of a package has otherwise than they were chosen.
pub fn names(scope: Scope, wanted: &Layer, package: &Layer, specifiers: &Specifiers) -> Vec<Name> {
    let (wanted, package) = (merge([wanted], specifiers), merge([package], specifiers));
    let mut names: Vec<&Name> = wanted.values.keys().chain(package.values.keys()).collect();
    names.sort();
    names.dedup();
    let dynamic = has_dynamic_user(&wanted);
    let meaning = |held: Option<&Held>| held.map(|held| held.meaning.clone());
    let differs = |name: &Name| match (name.key.as_str(), wanted.values.get(name), package.values.get(name)) {
        // A package hands over what may be there; that there is less is no choice.
        ("LoadCredential", Some(wanted), Some(package)) => {
            !wanted.meaning.iter().all(|credential| package.meaning.contains(credential))
        }
        ("LoadCredential", None, _) => false,
        (key, None, Some(_)) if dynamic && IMPLIED.contains(&key) => false,
        (_, wanted, package) => meaning(wanted) != meaning(package),
    };
    // Set to nothing is not the same as not set: it is none of all capabilities.
    let none = |name: &&Name| name.key == "CapabilityBoundingSet" && !wanted.emptied.contains_key(*name);
    let emptied = package.emptied.keys().filter(none);
    names.into_iter().filter(|name| is_chosen(scope, name) && differs(name)).chain(emptied).cloned().collect()
}

fn has_dynamic_user(merged: &Merged) -> bool {
    merged.get("Service", "DynamicUser").is_some_and(|held| held.words() == "yes")
}

/// The drop-in that gives these names the values of `wanted`.
pub fn render(
    spec: &ServiceSpec,
    unit: &str,
    wanted: &Layer,
    names: &[Name],
    specifiers: &Specifiers,
) -> String {
    let command = spec.mark.command.clone().unwrap_or_else(|| spec.mark.brand.slug().to_owned());
    let mut text = format!(
        "# Written by `{command} gateway install`: what was chosen over {unit} of the package.\n\
         # Settings of your own belong in another drop-in: {command} gateway edit\n\n[Unit]\n{}={}\n",
        spec.mark.brand.extension_key(unit::GENERATOR),
        spec.mark.generator
    );
    let hardening = wanted.file.value("Unit", &spec.mark.brand.extension_key(unit::HARDENING));
    if let Some(hardening) = hardening {
        text.push_str(&format!("{}={hardening}\n", spec.mark.brand.extension_key(unit::HARDENING)));
    }
    let checksum_at = text.len();
    let dynamic = has_dynamic_user(&merge([wanted], specifiers));
    let taken_back: Vec<(&str, &str)> = names
        .iter()
        .filter(|name| name.variable.is_none() && wanted.file.value(&name.section, &name.key).is_none())
        .map(|name| (name.key.as_str(), default_of(&name.key, dynamic)))
        .collect();
    let mut file = File::parse("");
    corrective_lines(&mut file, wanted, names, specifiers);
    for (key, default) in taken_back {
        file.replace("Service", |setting| setting.key == key, &[format!("{key}={default}")]);
    }
    text.push_str(&format!("\n{}", file.to_string().trim_start()));
    unit::signed(text, checksum_at, spec.mark.brand)
}

/// What undoes a directive that the package's unit has and the chosen one has not. Most are taken back by an empty value;
/// flags and words are not (systemd.exec(5)).
fn default_of(key: &str, dynamic: bool) -> &'static str {
    match key {
        "ProtectHome" if dynamic => "read-only",
        "ProtectSystem" | "ProtectHome" => "no",
        "ProtectProc" => "default",
        "KeyringMode" => "private",
        // Everything but nothing.
        "CapabilityBoundingSet" => "~",
        "RestrictNamespaces" => "no",
        _ if directives::kind("Service", key) == Kind::Flag => "no",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::instance::{BaseDirs, Brand, Env, Instance, Profile};
    use crate::service::definition::Marked;
    use crate::service::spec::Choices;
    use crate::service::systemd::version::Version;

    fn layer(text: &str) -> Layer {
        Layer { path: "/u".into(), file: File::parse(text) }
    }

    /// What is chosen over the unit that a package ships for systemd 252, on a newer one.
    fn added(hardening: Hardening, port: Option<u16>) -> (String, String) {
        let dirs = BaseDirs::under("/home/ada");
        let instance = Instance::new(Brand::Fased, Profile::Default, &Env::default(), &dirs);
        let usual = Choices::new(Path::new("/usr/bin/fased"), &dirs, Duration::from_secs(30));
        let package = ServiceSpec::for_gateway(&instance, &usual).unwrap();
        let package = unit::render(&package, "fased-gateway.service", Version(252)).unwrap();
        let spec = ServiceSpec::for_gateway(&instance, &Choices { hardening, port, ..usual }).unwrap();
        let wanted = layer(&unit::render(&spec, "fased-gateway.service", Version(257)).unwrap());
        let specifiers = Specifiers::default();
        let names = names(Scope::User, &wanted, &layer(&package), &specifiers);
        let text = render(&spec, "fased-gateway.service", &wanted, &names, &specifiers);
        let names = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        (names, text)
    }

    #[test]
    fn only_what_was_chosen_is_in_it_and_it_has_our_mark() {
        assert_eq!(added(Hardening::Default, None).0, "");
        let (names, text) = added(Hardening::Default, Some(18800));
        assert_eq!(names, "ExecStart");
        assert_eq!(unit::marked(&text, Brand::Fased), Marked::Intact);
        let file = File::parse(&text);
        let lines: Vec<&str> =
            file.settings().map(|setting| setting.key).filter(|key| !key.starts_with("X-")).collect();
        assert_eq!(lines, ["ExecStart", "ExecStart"], "{text}");
        assert_eq!(file.value("Service", "ExecStart"), Some("/usr/bin/fased gateway run --port 18800"));
        assert_eq!(unit::Installed::read(&text, Brand::Fased).hardening, Some(Hardening::Default));
    }

    #[test]
    fn what_shuts_in_is_taken_back_by_what_takes_it_back() {
        let (names, text) = added(Hardening::Off, None);
        assert!(names.contains("NoNewPrivileges") && names.contains("SystemCallFilter"), "{names}");
        let lines: Vec<&str> = text.lines().collect();
        for line in
            ["NoNewPrivileges=no", "SystemCallFilter=", "RestrictNamespaces=no", "RestrictAddressFamilies="]
        {
            assert!(lines.contains(&line), "{line}: {text}");
        }
        let (names, text) = added(Hardening::Strict, None);
        assert_eq!(names, "MemoryDenyWriteExecute SystemCallFilter");
        assert!(text.contains("SystemCallFilter=\nSystemCallFilter=~@clock"), "{text}");
    }
}
