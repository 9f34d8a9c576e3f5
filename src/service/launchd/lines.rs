//! Where in a property list a key stands, for people who have to find it there.
//!
//! Pure. Looks at the marks of the XML only; whether it is a property list at all is decided elsewhere.

/// The line, from 1, of a key of the outermost dictionary, or of one in a dictionary inside it: `["Umask"]`,
/// `["EnvironmentVariables", "PATH"]`.
pub fn line_of(text: &str, path: &[&str]) -> Option<usize> {
    // The key under which each open container is.
    let mut open: Vec<String> = Vec::new();
    let (mut last, mut at) = (String::new(), 0);
    while let Some(begin) = text[at..].find('<').map(|found| at + found) {
        let rest = &text[begin..];
        let (mark, end) = if rest.starts_with("<!--") {
            ("", rest.find("-->")? + 3)
        } else {
            let end = rest.find('>')? + 1;
            (&rest[1..end - 1], end)
        };
        at = begin + end;
        match mark.trim_end() {
            "dict" | "array" => open.push(std::mem::take(&mut last)),
            "/dict" | "/array" => drop(open.pop()),
            "key" => {
                let length = text[at..].find("</key>")?;
                last = unescaped(&text[at..at + length]);
                let under = open.iter().skip(1).map(String::as_str);
                if open.len() == path.len() && under.chain([last.as_str()]).eq(path.iter().copied()) {
                    return Some(1 + text[..begin].matches('\n').count());
                }
                at += length;
            }
            _ => {}
        }
    }
    None
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_where_they_stand_and_not_where_they_are_spoken_of() {
        let text = "<?xml version=\"1.0\"?>\n<plist version=\"1.0\">\n<!-- <key>Umask</key> -->\n<dict>\n\
            <key>A</key><dict>\n<key>Umask</key><integer>1</integer>\n<key>B &amp; C</key><dict/></dict>\n\
            <key>L</key><array><dict><key>Umask</key><true/></dict></array>\n<key>Umask</key>\n</dict></plist>\n";
        let table: [(&[&str], Option<usize>); 6] = [
            (&["Umask"], Some(9)),
            (&["A"], Some(5)),
            (&["A", "Umask"], Some(6)),
            (&["A", "B & C"], Some(7)),
            (&["B & C"], None),
            (&["Nowhere"], None),
        ];
        for (path, line) in table {
            assert_eq!(line_of(text, path), line, "{path:?}");
        }
    }

    #[test]
    fn what_is_cut_off_has_no_lines_and_does_no_harm() {
        for text in ["", "<", "<dict", "<dict><key>A", "</dict></dict>", "<!--", "<dict><key>"] {
            assert_eq!(line_of(text, &["A"]), None, "{text}");
        }
    }
}
