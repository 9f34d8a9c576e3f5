//! What launchd has in force otherwise than it is on disk, as far as `launchctl print` tells (lifecycle notes D3).
//!
//! Pure. What is not shown proves nothing: Apple calls the text no interface.

use std::path::Path;

use plist::Dictionary;

use super::job::{self, Installed};
use super::print::Printed;
use super::property_list;
use crate::instance::Brand;

/// Why what is loaded is another definition than this one, a reason each.
pub fn out_of_force(printed: &Printed, definition: &Dictionary, brand: Brand) -> Vec<String> {
    let wanted = Installed::read(definition, brand);
    let mut why = Vec::new();
    let mut differs = |key: &str| why.push(format!("{key} is in force otherwise than on disk"));
    if !printed.arguments.is_empty() && printed.arguments != wanted.command {
        differs("ProgramArguments");
    }
    let paths = [
        ("WorkingDirectory", &printed.working_directory),
        ("StandardOutPath", &printed.stdout_path),
        ("StandardErrorPath", &printed.stderr_path),
    ];
    for (key, shown) in paths {
        let written = property_list::text(definition, key);
        if let (Some(shown), Some(written)) = (shown, written)
            && Path::new(shown) != Path::new(written)
        {
            differs(key);
        }
    }
    let numbers = [("ThrottleInterval", printed.minimum_runtime), ("ExitTimeOut", printed.exit_timeout)];
    for (key, shown) in numbers {
        let written = property_list::number(definition, key);
        if let (Some(shown), Some(written)) = (shown, written)
            && shown != written
        {
            differs(key);
        }
    }
    let signed = job::signature(&wanted.environment, brand);
    let shown = |name: &str| printed.environment.iter().find(|(own, _)| own == name).map(|(_, value)| value);
    for (name, value) in wanted.environment.iter().filter(|(name, _)| !job::is_mark(name, brand)) {
        // A variable without a value may not be shown.
        let same = match shown(name) {
            Some(shown) => shown == value,
            None => value.is_empty() || printed.environment.is_empty(),
        };
        if !same {
            differs(&format!("EnvironmentVariables:{name}"));
        }
    }
    // The mark tells of those keys that are not shown.
    if why.is_empty() && signed != job::signature(&printed.environment, brand) {
        why.push("launchd has loaded another definition than the one on disk".to_owned());
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(xml: &str) -> Dictionary {
        let text = format!("<plist version=\"1.0\"><dict>{xml}</dict></plist>");
        property_list::read(text.as_bytes()).unwrap()
    }

    const XML: &str = "<key>ProgramArguments</key><array><string>/bin/a</string></array>\
        <key>ExitTimeOut</key><integer>45</integer><key>WorkingDirectory</key><string>/home/</string>\
        <key>EnvironmentVariables</key><dict><key>A</key><string>1</string><key>FASED_DEFINITION</key><string>x</string>\
        <key>EMPTY</key><string></string></dict>";

    fn printed() -> Printed {
        let pairs = [("A", "1"), ("FASED_DEFINITION", "x"), ("XPC_SERVICE_NAME", "l")];
        Printed {
            arguments: vec!["/bin/a".to_owned()],
            working_directory: Some("/home".to_owned()),
            exit_timeout: Some(45),
            minimum_runtime: Some(10),
            environment: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..Printed::default()
        }
    }

    #[test]
    fn what_is_shown_otherwise_is_told_by_its_key_and_what_is_not_shown_is_not() {
        type Change = fn(&mut Printed);
        let table: [(Change, &str); 7] = [
            (|_| {}, ""),
            (
                |printed| {
                    *printed = Printed { environment: printed.environment.clone(), ..Printed::default() }
                },
                "",
            ),
            (|printed| printed.arguments.push("x".to_owned()), "ProgramArguments is in force"),
            (|printed| printed.exit_timeout = Some(5), "ExitTimeOut is in force"),
            (|printed| printed.environment[0].1 = "2".to_owned(), "EnvironmentVariables:A is in force"),
            (|printed| drop(printed.environment.remove(0)), "EnvironmentVariables:A is in force"),
            (|printed| printed.environment[1].1 = "y".to_owned(), "launchd has loaded another definition"),
        ];
        for (change, expected) in table {
            let mut printed = printed();
            change(&mut printed);
            let why = out_of_force(&printed, &definition(XML), Brand::Fased).join("; ");
            assert!(why.starts_with(expected) && why.is_empty() == expected.is_empty(), "{expected}: {why}");
        }
    }
}
