//! Property lists (plist(5)): read from any of their forms, written as XML that is the same for the same values, and
//! compared by what they mean.
//!
//! Pure. Knows nothing of jobs.

use plist::{Dictionary, Value};

/// Reads a property list whose root is a dictionary, from XML or binary.
pub fn read(bytes: &[u8]) -> Result<Dictionary, String> {
    match Value::from_reader(std::io::Cursor::new(bytes)) {
        Ok(Value::Dictionary(dictionary)) => Ok(dictionary),
        Ok(_) => Err("it is not a dictionary".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Writes XML, keys sorted on every level.
pub fn to_xml(dictionary: &Dictionary) -> String {
    let mut bytes = Vec::new();
    // Writing into memory cannot fail, and a dictionary has no value that XML cannot carry.
    let written = Value::Dictionary(sorted(dictionary)).to_writer_xml(&mut bytes);
    debug_assert!(written.is_ok());
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    text.push('\n');
    text
}

fn sorted(dictionary: &Dictionary) -> Dictionary {
    let mut sorted: Dictionary =
        dictionary.iter().map(|(key, value)| (key.clone(), sorted_value(value))).collect();
    sorted.sort_keys();
    sorted
}

fn sorted_value(value: &Value) -> Value {
    match value {
        Value::Dictionary(inner) => Value::Dictionary(sorted(inner)),
        Value::Array(items) => Value::Array(items.iter().map(sorted_value).collect()),
        other => other.clone(),
    }
}

/// A property list as lines of `Key.Inner=value`, sorted; a list of texts is one line. For people, and for whoever
/// has to find a secret by its name.
pub fn flat(dictionary: &Dictionary) -> String {
    let mut lines = Vec::new();
    flatten("", dictionary, &mut lines);
    lines.concat()
}

fn flatten(prefix: &str, dictionary: &Dictionary, lines: &mut Vec<String>) {
    for (key, value) in sorted(dictionary) {
        match value {
            Value::Dictionary(inner) => flatten(&format!("{prefix}{key}."), &inner, lines),
            value => lines.push(format!("{prefix}{key}={}\n", plain(&value))),
        }
    }
}

/// A value in a line.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        Value::Data(bytes) => format!("({} bytes)", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// The texts of a list.
pub fn texts(dictionary: &Dictionary, key: &str) -> Vec<String> {
    let items = dictionary.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_string).map(str::to_owned).collect()
}

/// A text.
pub fn text<'a>(dictionary: &'a Dictionary, key: &str) -> Option<&'a str> {
    dictionary.get(key).and_then(Value::as_string)
}

/// The environment that a job is given.
pub fn variables(dictionary: &Dictionary) -> Vec<(String, String)> {
    let variables = dictionary.get("EnvironmentVariables").and_then(Value::as_dictionary);
    let texts = variables.into_iter().flatten();
    texts.filter_map(|(name, value)| Some((name.clone(), value.as_string()?.to_owned()))).collect()
}

/// A number that is not negative, written as an integer or as a real.
pub fn number(dictionary: &Dictionary, key: &str) -> Option<u64> {
    match dictionary.get(key)? {
        Value::Integer(number) => number.as_unsigned(),
        Value::Real(number) if *number >= 0.0 && number.fract() == 0.0 => Some(*number as u64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict>\
        <key>Z</key><dict><key>b</key><true/><key>a</key><integer>1</integer></dict>\
        <key>A</key><array><string>x &amp; y</string><string>--token</string></array></dict></plist>";

    #[test]
    fn the_same_values_are_written_the_same_way_from_every_form() {
        let first = read(XML.as_bytes()).unwrap();
        let mut binary = Vec::new();
        Value::Dictionary(first.clone()).to_writer_binary(&mut binary).unwrap();
        let text = to_xml(&first);
        assert_eq!(to_xml(&read(&binary).unwrap()), text);
        assert_eq!(to_xml(&read(text.as_bytes()).unwrap()), text);
        assert!(text.find("<key>A</key>") < text.find("<key>Z</key>"));
    }

    #[test]
    fn it_is_shown_as_a_line_for_each_value() {
        assert_eq!(flat(&read(XML.as_bytes()).unwrap()), "A=x & y --token\nZ.a=1\nZ.b=true\n");
    }

    #[test]
    fn what_is_no_property_list_is_an_error_and_no_panic() {
        for bytes in [
            &b""[..],
            b"\xff\xfe\x00",
            b"bplist00",
            b"bplist00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"<plist><dict><key>A</key></dict></plist>",
            b"<plist><dict><key>A</key><string>x",
            b"<plist><array/></plist>",
            b"[Service]\nExecStart=/bin/true\n",
        ] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }
}
