//! What the keys of a job mean, however they are written (launchd.plist(5)).
//!
//! Pure. Two values that are spelled differently and mean the same have one meaning here; a value that launchd cannot
//! use has none.

use std::collections::BTreeMap;

use plist::{Dictionary, Value};

use super::{job, property_list};
use crate::instance::Brand;
use crate::service::inspection::Name;

/// The key with the variables, each of which is a setting of its own.
pub const VARIABLES: &str = "EnvironmentVariables";

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Flag,
    /// A number that is not negative.
    Number,
    /// Permissions: a number, or a text in octal.
    Mode,
    /// A text.
    Text,
    /// The path of a file.
    Path,
    /// Texts in their order.
    Words,
    /// A text, or several in any order.
    Choices,
    /// Yes, no, or conditions.
    KeepAlive,
    /// Numbers by name.
    Limits,
    /// Texts by name, which are settings of their own: as a whole it means nothing.
    Variables,
    /// Nothing that is known here: compared as it is.
    Other,
}

/// What a key takes.
pub fn kind_of(key: &str) -> Kind {
    match key {
        "RunAtLoad"
        | "Disabled"
        | "AbandonProcessGroup"
        | "LaunchOnlyOnce"
        | "WaitForDebugger"
        | "OnDemand"
        | "StartOnMount"
        | "EnablePressuredExit"
        | "EnableTransactions"
        | "SessionCreate"
        | "LowPriorityIO"
        | "InitGroups" => Kind::Flag,
        "ThrottleInterval" | "ExitTimeOut" | "StartInterval" | "TimeOut" => Kind::Number,
        "Umask" => Kind::Mode,
        "Label" | "ProcessType" | "UserName" | "GroupName" => Kind::Text,
        "Program" | "WorkingDirectory" | "RootDirectory" | "StandardInPath" | "StandardOutPath"
        | "StandardErrorPath" => Kind::Path,
        "ProgramArguments" => Kind::Words,
        "LimitLoadToSessionType" => Kind::Choices,
        "KeepAlive" => Kind::KeepAlive,
        "SoftResourceLimits" | "HardResourceLimits" => Kind::Limits,
        VARIABLES => Kind::Variables,
        _ => Kind::Other,
    }
}

/// One setting of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its meaning; none where launchd cannot use the value.
    pub meaning: Option<String>,
    /// As it is written, in a line. It may hold a secret.
    pub written: String,
}

/// Everything that a job sets, without our mark.
pub fn settings(values: &Dictionary, brand: Brand) -> BTreeMap<Name, Setting> {
    let name = |key: &str, variable| Name { section: String::new(), key: key.to_owned(), variable };
    let mut all = BTreeMap::new();
    for (key, value) in values.iter().filter(|(key, _)| *key != job::COMMENT) {
        let variables = if key == VARIABLES { value.as_dictionary() } else { None };
        match variables {
            None => drop(all.insert(name(key, None), setting(key, value))),
            Some(variables) => {
                for (variable, value) in variables.iter().filter(|(own, _)| !job::is_mark(own, brand)) {
                    let meaning = value.as_string().map(str::to_owned);
                    let written = format!("{variable}={}", property_list::plain(value));
                    all.insert(name(key, Some(variable.clone())), Setting { meaning, written });
                }
            }
        }
    }
    all
}

/// Whether two definitions mean the same: our mark does not count.
pub fn same_job(a: &Dictionary, b: &Dictionary, brand: Brand) -> bool {
    let meanings = |values| -> BTreeMap<Name, Option<String>> {
        settings(values, brand).into_iter().map(|(name, setting)| (name, setting.meaning)).collect()
    };
    let (a, b) = (meanings(a), meanings(b));
    a == b && a.values().all(Option::is_some)
}

fn setting(key: &str, value: &Value) -> Setting {
    let written = match value {
        Value::Dictionary(inner) => property_list::flat(inner).trim_end().replace('\n', " "),
        other => property_list::plain(other),
    };
    Setting { meaning: meaning_of(key, value), written }
}

fn meaning_of(key: &str, value: &Value) -> Option<String> {
    let words = |value: &Value| -> Option<Vec<String>> {
        value.as_array()?.iter().map(|item| item.as_string().map(str::to_owned)).collect()
    };
    Some(match kind_of(key) {
        Kind::Flag => truth(value)?.to_string(),
        Kind::Number => unsigned(value)?.to_string(),
        Kind::Mode => {
            let mode = match value {
                Value::String(octal) => u64::from_str_radix(octal, 8).ok()?,
                other => unsigned(other)?,
            };
            format!("{:04o}", mode & 0o7777)
        }
        Kind::Text => value.as_string().filter(|text| !text.is_empty())?.to_owned(),
        Kind::Path => plain_path(value.as_string().filter(|text| !text.is_empty())?),
        // Words apart from each other, whatever is in them.
        Kind::Words => words(value).filter(|words| !words.is_empty())?.join("\u{0}"),
        Kind::Choices => {
            let mut choices = match value {
                Value::String(one) => vec![one.clone()],
                other => words(other)?,
            };
            choices.sort();
            choices.dedup();
            choices.join(" ")
        }
        Kind::KeepAlive => match value {
            Value::Dictionary(conditions) => {
                let mut conditions: Vec<String> = conditions
                    .iter()
                    .map(|(name, value)| match truth(value) {
                        Some(flag) => format!("{name}={flag}"),
                        None => format!("{name}={}", canonical(value)),
                    })
                    .collect();
                conditions.sort();
                conditions.join(" ")
            }
            other => truth(other)?.to_string(),
        },
        Kind::Limits => {
            let limits = value.as_dictionary()?.iter();
            let limits = limits.map(|(name, value)| Some(format!("{name}={}", unsigned(value)?)));
            let mut limits: Vec<String> = limits.collect::<Option<_>>()?;
            limits.sort();
            limits.join(" ")
        }
        Kind::Variables => return None,
        Kind::Other => canonical(value),
    })
}

/// A truth value, also as the numbers that stand for it.
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(flag) => Some(*flag),
        Value::Integer(number) => match number.as_unsigned() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        _ => None,
    }
}

fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(number) => number.as_unsigned(),
        // A real is cut off: what is left of 1e300 is no number of seconds.
        Value::Real(number) if *number >= 0.0 && number.fract() == 0.0 && *number < 1e15 => {
            Some(*number as u64)
        }
        _ => None,
    }
}

/// The same place without needless slashes and dots.
fn plain_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

fn canonical(value: &Value) -> String {
    let wrapped: Dictionary = [("value".to_owned(), value.clone())].into_iter().collect();
    property_list::to_xml(&wrapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(xml: &str) -> Option<String> {
        let text = format!("<plist version=\"1.0\"><dict>{xml}</dict></plist>");
        let values = property_list::read(text.as_bytes()).unwrap();
        settings(&values, Brand::Fased).into_values().next().and_then(|setting| setting.meaning)
    }

    #[test]
    fn what_is_written_differently_may_mean_the_same() {
        let same = [
            ["<key>RunAtLoad</key><true/>", "<key>RunAtLoad</key><integer>1</integer>"],
            ["<key>ExitTimeOut</key><integer>45</integer>", "<key>ExitTimeOut</key><real>45</real>"],
            ["<key>Umask</key><integer>63</integer>", "<key>Umask</key><string>077</string>"],
            [
                "<key>WorkingDirectory</key><string>/a/b</string>",
                "<key>WorkingDirectory</key><string>/a//b/</string>",
            ],
            [
                "<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>",
                "<key>KeepAlive</key><dict><key>SuccessfulExit</key><integer>0</integer></dict>",
            ],
            [
                "<key>LimitLoadToSessionType</key><string>Background</string>",
                "<key>LimitLoadToSessionType</key><array><string>Background</string></array>",
            ],
            [
                "<key>SoftResourceLimits</key><dict><key>A</key><integer>1</integer><key>B</key><integer>2</integer></dict>",
                "<key>SoftResourceLimits</key><dict><key>B</key><integer>2</integer><key>A</key><integer>1</integer></dict>",
            ],
        ];
        for [a, b] in same {
            assert!(meaning(a).is_some() && meaning(a) == meaning(b), "{a} {b}");
        }
    }

    #[test]
    fn what_launchd_cannot_use_has_no_meaning() {
        for xml in [
            "<key>RunAtLoad</key><string>true</string>",
            "<key>ExitTimeOut</key><string>45</string>",
            "<key>ExitTimeOut</key><integer>-1</integer>",
            "<key>Umask</key><string>999</string>",
            "<key>ProgramArguments</key><string>/bin/a run</string>",
            "<key>ProgramArguments</key><array><integer>1</integer></array>",
            "<key>KeepAlive</key><string>yes</string>",
            "<key>Label</key><string></string>",
            "<key>SoftResourceLimits</key><dict><key>A</key><true/></dict>",
            "<key>EnvironmentVariables</key><array/>",
            "<key>EnvironmentVariables</key><dict><key>A</key><integer>1</integer></dict>",
        ] {
            assert_eq!(meaning(xml), None, "{xml}");
        }
    }
}
