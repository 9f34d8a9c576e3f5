//! Where a configuration comes from, and everything that reading it gives.
//!
//! Text → tree → with includes → with variables → typed and checked. Each stage adds what it finds to one list.

use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::check::add_contradictions;
use super::decode::decode_all;
use super::include::{TextFile, expand_includes};
use super::include_file::{FilesBelow, MAX_BYTES, plain_words};
use super::node::{Kind, Node, Place};
use super::path::KeyPath;
use super::problem::{Problem, as_problems, line_and_column, lossy_path, tilde_path};
use super::section::Config;
use super::substitute::substitute;
use super::syntax::read_json5;
use crate::host;
use crate::instance::{Brand, Env, Instance};

/// Where a configuration comes from: kept, and asked again on every reload with the same environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Whose configuration it is.
    pub brand: Brand,
    /// The environment that `${NAME}` is taken from.
    pub env: Env,
    /// Where the secrets of a system service are, which has none in its configuration: that is for it to read, and so
    /// for everybody.
    pub credentials: Option<PathBuf>,
}

/// A configuration as it was read: the checked value or every problem, and the raw stages for those who show them.
#[derive(Clone)]
pub struct Loaded {
    /// The file.
    pub path: PathBuf,
    /// Whether the file is there. Without a file the configuration is the default one.
    pub exists: bool,
    /// The text of the file; absent when there is none or it cannot be read.
    pub raw: Option<String>,
    /// SHA-256 of the text in hexadecimal, of the empty text when there is none.
    pub hash: String,
    /// The value of the file alone, references and includes not replaced. An object without a file; null when the
    /// text is malformed.
    pub parsed: Value,
    /// The value with includes and variables in place, as far as that was possible.
    pub resolved: Value,
    /// Every file that was read, the configuration itself first.
    pub files: Vec<PathBuf>,
    /// The checked configuration, or everything that is wrong with it.
    pub config: Result<Config, Vec<Problem>>,
    origin: Origins,
}

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The file, which may be an included one.
    #[serde(serialize_with = "lossy_path")]
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

/// The tree and the texts its places refer to.
#[derive(Clone)]
struct Origins {
    root: Node,
    files: Vec<TextFile>,
}

/// Without the environment, which holds secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("path", &self.path).field("brand", &self.brand).finish_non_exhaustive()
    }
}

/// Without texts and values, which hold secrets.
impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, hash) = (&self.path, &self.hash);
        f.debug_struct("Loaded")
            .field("path", path)
            .field("hash", hash)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// The configuration of an instance.
    pub fn new(instance: &Instance, env: &Env) -> Self {
        let paths = &instance.paths;
        let (path, credentials) = (paths.config.clone(), paths.credentials.clone());
        Self { path, brand: instance.brand, env: env.clone(), credentials }
    }

    /// Another file under the same brand and environment.
    pub fn at(&self, path: PathBuf) -> Self {
        Self { path, ..self.clone() }
    }

    /// Reads the configuration. Blocks for as long as the file system takes; call it off the runtime.
    pub fn load(&self) -> Loaded {
        match self.read() {
            Ok(text) => self.interpret(text),
            Err(error) => {
                let message = format!("cannot read the configuration: {}", plain_words(&error));
                let problem = Problem::with_file(&self.path, message, &self.env);
                Loaded { exists: true, config: Err(vec![problem]), ..self.interpret(None) }
            }
        }
    }

    /// The file's path as people read it.
    pub fn shown(&self) -> String {
        tilde_path(&self.path, &self.env)
    }

    pub(super) fn read(&self) -> io::Result<Option<String>> {
        host::fs::read_text(&self.path, MAX_BYTES)
    }

    /// What the configuration would be if this were the file's text. Included files are read.
    pub fn interpret(&self, raw: Option<String>) -> Loaded {
        let mut findings = Vec::new();
        let mut files = vec![TextFile { path: self.path.clone(), text: raw.clone().unwrap_or_default() }];
        let root = match &raw {
            Some(text) => {
                read_json5(text, 0, &KeyPath::ROOT, &mut findings).map_err(|finding| findings.push(finding))
            }
            None => Ok(empty_object()),
        };
        let parsed = root.as_ref().map_or(Value::Null, Node::to_value);
        let mut root = expand_includes(
            root.unwrap_or_else(|()| Node { faulty: true, ..empty_object() }),
            &mut files,
            &FilesBelow::directory_of(&self.path),
            &mut findings,
        );
        substitute(&mut root, &self.env, &mut findings);
        let config = decode_all::<Config>(&mut root, &mut findings);
        if let Some(config) = &config {
            add_contradictions(config, &root, self.brand, &mut findings);
        }
        let config = match config {
            Some(config) if findings.is_empty() => Ok(config),
            _ => Err(as_problems(findings, &files, &self.env)),
        };
        Loaded {
            path: self.path.clone(),
            exists: raw.is_some(),
            hash: text_hash(raw.as_deref().unwrap_or_default()),
            raw,
            parsed,
            resolved: root.to_value(),
            files: files.iter().map(|file| file.path.clone()).collect(),
            config,
            origin: Origins { root, files },
        }
    }
}

impl Loaded {
    /// Everything that is wrong; nothing when the configuration is valid.
    pub fn problems(&self) -> &[Problem] {
        self.config.as_ref().err().map(Vec::as_slice).unwrap_or_default()
    }

    /// The value at a path as it was configured, includes and variables in place.
    pub fn value(&self, path: &KeyPath) -> Option<Value> {
        self.origin.root.at(path).map(Node::to_value)
    }

    /// Where the value at a path was set.
    pub fn origin(&self, path: &KeyPath) -> Option<Origin> {
        self.origin.root.at(path).map(|node| self.locate(node.place))
    }

    /// Where the value at a path, or a part of it, was set if that is not the configuration file itself.
    pub fn included_origin(&self, path: &KeyPath) -> Option<Origin> {
        self.origin.root.at(path)?.included().map(|place| self.locate(place))
    }

    fn locate(&self, place: Place) -> Origin {
        let file = self.origin.files.get(place.file);
        let (line, column) = file.map(|file| line_and_column(&file.text, place.start)).unwrap_or((1, 1));
        Origin { file: file.map(|file| file.path.clone()).unwrap_or_default(), line, column }
    }
}

fn empty_object() -> Node {
    Node::new(Place { file: 0, start: 0, end: 0 }, Kind::Object(Vec::new()))
}

/// SHA-256 in hexadecimal.
fn text_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Home {
        dir: tempfile::TempDir,
        source: Source,
    }

    impl Home {
        fn new(files: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (name, text) in files {
                host::fs::write_atomic(&dir.path().join(name), text.as_bytes(), 0o600).unwrap();
            }
            let env = [("HOME", dir.path().display().to_string()), ("TOKEN", "from-env".to_owned())];
            let path = dir.path().join("x.json");
            let source =
                Source { path, brand: Brand::Idlehands, env: env.into_iter().collect(), credentials: None };
            Self { dir, source }
        }

        fn problems(&self) -> Vec<String> {
            self.source.load().problems().iter().map(Problem::to_string).collect()
        }
    }

    #[test]
    fn without_a_file_everything_has_its_default() {
        let loaded = Home::new(&[]).source.load();
        assert!(!loaded.exists && loaded.raw.is_none());
        assert_eq!(loaded.hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!((loaded.parsed, loaded.resolved), (json!({}), json!({})));
        assert_eq!(loaded.config, Ok(Config::default()));
    }

    #[test]
    fn a_configuration_is_read_with_its_includes_and_variables() {
        let home = Home::new(&[
            ("x.json", "{ $include: 'base.json',\n  gateway: { auth: { token: '${TOKEN}' } } }"),
            ("base.json", "{ gateway: {\n  port: 19001, auth: { mode: 'token' } } }"),
        ]);
        let loaded = home.source.load();
        assert_eq!(
            loaded.parsed,
            json!({"$include": "base.json", "gateway": {"auth": {"token": "${TOKEN}"}}})
        );
        assert_eq!(
            loaded.resolved,
            json!({"gateway": {"port": 19001, "auth": {"mode": "token", "token": "from-env"}}})
        );
        let config = loaded.config.as_ref().unwrap();
        assert_eq!(config.gateway.auth.token.as_ref().unwrap().expose(), "from-env");
        assert_eq!(
            loaded.files,
            [home.source.path.clone(), home.dir.path().canonicalize().unwrap().join("base.json")]
        );
    }

    #[test]
    fn a_value_knows_where_it_was_set() {
        let home = Home::new(&[
            ("x.json", "{ $include: 'base.json',\n  gateway: { bind: 'lan' } }"),
            ("base.json", "{ gateway: {\n  port: 19001 } }"),
        ]);
        let loaded = home.source.load();
        let origin =
            |path: &'static str| loaded.origin(&KeyPath::from(path)).map(|at| (at.file, at.line, at.column));
        let base = home.dir.path().canonicalize().unwrap().join("base.json");
        assert_eq!(origin("gateway.port"), Some((base.clone(), 2, 9)));
        assert_eq!(origin("gateway.bind"), Some((home.source.path.clone(), 2, 20)));
        assert_eq!(origin("gateway.mode"), None);
        let included = |path: &'static str| loaded.included_origin(&KeyPath::from(path)).map(|at| at.file);
        assert_eq!(included("gateway.port"), Some(base.clone()));
        assert_eq!(included("gateway"), Some(base));
        assert_eq!(included("gateway.bind"), None);
    }

    #[test]
    fn every_problem_of_every_file_is_found_in_one_load() {
        let home = Home::new(&[
            (
                "x.json",
                "{\n  gateway: {\n    prot: 1,\n    bind: 'custom',\n    auth: { token: '${GONE}' },\n    remote: { $include: 'remote.json' },\n  },\n  agents: { $include: 'gone.json' },\n}",
            ),
            ("remote.json", "{ url: 'http://x' }"),
        ]);
        let remote = home.dir.path().canonicalize().unwrap().join("remote.json");
        assert_eq!(
            home.problems(),
            [
                "~/x.json:3:5: gateway.prot: Unrecognized key \"prot\" (did you mean \"port\"?)".to_owned(),
                "~/x.json:4:11: gateway.customBindHost: gateway.bind=custom requires gateway.customBindHost".to_owned(),
                "~/x.json:5:20: gateway.auth.token: Missing env var \"GONE\" referenced at config path: gateway.auth.token \
                 (set GONE in the environment, or write $${GONE} for the text itself)".to_owned(),
                "~/x.json:8:23: agents: cannot include \"gone.json\": no such file".to_owned(),
                format!("{}:1:8: gateway.remote.url: expected a URL that begins with \"ws://\" or \"wss://\"", tilde_path(&remote, &home.source.env)),
            ]
        );
    }

    #[test]
    fn a_configuration_in_a_log_shows_no_secret() {
        let home =
            Home::new(&[("x.json", "{ gateway: { auth: { token: 'tok-hidden', password: '${TOKEN}' } } }")]);
        let loaded = home.source.load();
        let shown = format!("{:?} {:?} {:?}", home.source, loaded, loaded.config);
        assert!(!shown.contains("tok-hidden") && !shown.contains("from-env"), "{shown}");
    }

    #[test]
    fn a_text_that_is_malformed_or_cannot_be_read_is_one_problem() {
        let home = Home::new(&[("x.json", "{\n  gateway: ,\n}")]);
        assert_eq!(home.problems(), ["~/x.json:2:12: <root>: JSON5 parse failed: unexpected comma"]);
        assert_eq!(home.source.load().parsed, Value::Null);

        let home = Home::new(&[]);
        std::fs::create_dir(&home.source.path).unwrap();
        assert_eq!(home.problems(), ["~/x.json: <root>: cannot read the configuration: it is a directory"]);
        assert!(home.source.load().exists);
    }
}
