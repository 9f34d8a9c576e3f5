//! The one look at the process environment, and at the credentials that count as a part of it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::instance::Env;

/// Takes the snapshot that everything else is given.
#[expect(clippy::disallowed_methods, reason = "this is the snapshot the lint points to")]
pub fn snapshot() -> Env {
    let env: Env = std::env::vars_os().collect();
    match env.os("CREDENTIALS_DIRECTORY").map(PathBuf::from) {
        Some(dir) => env.with(credentials(&dir)),
        None => env,
    }
}

/// A secret is a line or a key; what is larger is none.
const LIMIT: u64 = 64 * 1024;

/// The files of a directory of credentials (systemd.exec(5), `LoadCredential=`) whose names are those of variables: each
/// counts as that variable, without the line end that editors leave. Nothing else that looks for a secret has to know
/// of credentials then, and no secret gets into the environment of a process. What cannot be read is not there.
pub fn credentials(dir: &Path) -> Vec<(String, OsString)> {
    let files = super::stat::names(dir);
    let variable = |path: &PathBuf| {
        let name = path.file_name()?.to_str().filter(|name| is_variable(name))?.to_owned();
        let mut value = super::fs::read_bytes(path, LIMIT).ok()??;
        if value.last() == Some(&b'\n') {
            value.pop();
        }
        Some((name, OsString::from_vec(value)))
    };
    files.iter().filter_map(variable).collect()
}

/// `FASED_GATEWAY_TOKEN`: capitals, digits and underscores.
pub fn is_variable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_uppercase())
        && chars.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_count_as_variables_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &[u8]| {
            super::super::fs::write_atomic(&dir.path().join(name), text, 0o600).unwrap()
        };
        put("FASED_GATEWAY_TOKEN", b"hunter2\n");
        put("KEY_2", b"two\nlines\n\n");
        put("lower", b"x");
        put("A-B", b"x");
        put("LARGE", &vec![b'x'; 64 * 1024 + 1]);
        std::fs::create_dir(dir.path().join("DIR")).unwrap();
        let env = [("FASED_GATEWAY_TOKEN", "old"), ("LARGE", "small")].into_iter().collect::<Env>();
        let env = env.with(credentials(dir.path()));
        assert_eq!(env.text("FASED_GATEWAY_TOKEN"), Some("hunter2"));
        assert_eq!(env.os("KEY_2").unwrap(), "two\nlines\n");
        assert_eq!((env.os("lower"), env.os("A-B"), env.os("DIR")), (None, None, None));
        assert_eq!(env.text("LARGE"), Some("small"));
        assert_eq!(credentials(&dir.path().join("none")), []);
    }
}
