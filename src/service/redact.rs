//! Definitions as they may be shown: what an operator wrote into one by hand may hold a secret.

use similar::TextDiff;

/// Parts of names whose values are not shown.
const SECRET: [&str; 7] = ["TOKEN", "PASS", "SECRET", "KEY", "AUTH", "CREDENTIAL", "COOKIE"];
/// Directives that sound like it and hold none.
const HARMLESS: [&str; 3] = ["LoadCredential", "LoadCredentialEncrypted", "PassEnvironment"];

/// The line up to the first value whose name sounds like a secret: `NAME=…`, `--name …`. What follows on the same
/// line goes too, for a value may be quoted and hold blanks.
pub fn redact_line(line: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut start = 0;
    while let Some(begin) = line[start..].find(is_name).map(|at| start + at) {
        let end = line[begin..].find(|c| !is_name(c)).map_or(line.len(), |at| begin + at);
        let (name, rest) = (&line[begin..end], &line[end..]);
        let valued = rest.starts_with('=') || (name.starts_with("--") && rest.starts_with([' ', '\t']));
        if valued && sounds_secret(name) && rest.len() > 1 {
            return format!("{}{}…", &line[..end], &rest[..1]);
        }
        start = end;
    }
    line.to_owned()
}

fn sounds_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    !HARMLESS.contains(&name) && SECRET.iter().any(|part| upper.contains(part))
}

/// What changes from one definition to another, as a unified diff. `None` when nothing does.
pub fn diff(path: &str, old: &str, new: &str) -> Option<String> {
    if old == new {
        return None;
    }
    let header = (format!("{path} (installed)"), format!("{path} (wanted)"));
    let diff = TextDiff::from_lines(old, new);
    let text = diff.unified_diff().context_radius(2).header(&header.0, &header.1).to_string();
    Some(text.lines().map(redact_line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_may_be_secret_are_not_shown() {
        let table = [
            ("ExecStart=/bin/a --port 1", "ExecStart=/bin/a --port 1"),
            ("ExecStart=/bin/a --token hunter2 --port 1", "ExecStart=/bin/a --token …"),
            ("ExecStart=/bin/a --auth-token=hunter2", "ExecStart=/bin/a --auth-token=…"),
            ("Environment=\"API_KEY=a b\" \"X=1\"", "Environment=\"API_KEY=…"),
            ("Environment=FASED_GATEWAY_PASSWORD=x", "Environment=FASED_GATEWAY_PASSWORD=…"),
            ("Environment=EMPTY_TOKEN=", "Environment=EMPTY_TOKEN="),
            ("SetCredential=id:hunter2", "SetCredential=…"),
            ("LoadCredential=token:/home/ada/token", "LoadCredential=token:/home/ada/token"),
            ("Type=notify", "Type=notify"),
            ("", ""),
        ];
        for (written, shown) in table {
            assert_eq!(redact_line(written), shown);
        }
    }

    #[test]
    fn a_diff_shows_what_changes_and_no_secret() {
        let old = "[Service]\nEnvironment=A_TOKEN=hunter2\nType=simple\n";
        let shown = diff("u.service", old, "[Service]\nType=notify\n").unwrap();
        let expected = "--- u.service (installed)\n+++ u.service (wanted)\n@@ -1,3 +1,2 @@\n [Service]\n\
                        -Environment=A_TOKEN=…\n-Type=simple\n+Type=notify";
        assert_eq!(shown, expected);
        assert_eq!(diff("u.service", old, old), None);
    }
}
