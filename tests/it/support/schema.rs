//! What `protocol schema` prints, as a judge of frames: the gateway must send what its own description says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::TestHome;

/// The printed document.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let ran = TestHome::new().run(["protocol", "schema"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
        serde_json::from_str(&ran.stdout).expect("the schema is JSON")
    })
}

/// Judges a value by the schema at a JSON pointer of the document, such as `/methods/health/result`.
pub fn assert_valid(pointer: &str, value: &Value) {
    let validator = judge(pointer);
    let issues: Vec<String> =
        validator.iter_errors(value).map(|issue| format!("{}: {issue}", issue.instance_path())).collect();
    assert!(issues.is_empty(), "{pointer} does not describe {value}:\n{}", issues.join("\n"));
}

/// Judges an event frame: the frame itself, and its payload by its name.
pub fn assert_event(frame: &Value) {
    assert_valid("/frames/event", frame);
    let name = frame["event"].as_str().expect("an event has a name");
    assert_valid(&format!("/events/{name}/payload"), &frame["payload"]);
}

/// The judge for a pointer; each is made once.
fn judge(pointer: &str) -> Arc<Validator> {
    static JUDGES: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let mut judges = JUDGES.lock().unwrap();
    let made = judges.entry(pointer.to_owned()).or_insert_with(|| {
        assert!(document().pointer(pointer).is_some(), "the schema has no {pointer}");
        let mut schema = document().clone();
        schema["$ref"] = json!(format!("#{pointer}"));
        Arc::new(jsonschema::validator_for(&schema).expect("the document is a JSON Schema"))
    });
    Arc::clone(made)
}
