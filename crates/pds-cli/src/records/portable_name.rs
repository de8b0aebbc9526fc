//! File names that every file system accepts, and the names that they stand for.
//!
//! Capital letters and the characters that Windows forbids are `%` and two digits in hexadecimal. So names that differ
//! only in case stay different, and so do names that a system reserves. A long name goes on in a directory whose name
//! ends with `%`.

use std::path::{Path, PathBuf};

/// Returns the path of a name below a directory, with an ending such as `.json`.
pub(crate) fn portable(dir: &Path, name: &str, ending: &str) -> PathBuf {
    let escaped = escaped(name);
    let mut path = dir.to_owned();
    let mut rest = escaped.as_str();
    while rest.len() > MAX_PART_BYTES {
        let (part, after) = rest.split_at(cut(rest));
        path.push(format!("{part}{CONTINUED}"));
        rest = after;
    }
    path.push(format!("{rest}{ending}"));
    path
}

/// Returns the length of the first part of a long name. An escape stays whole, no part begins or ends with a dot, and
/// the rest does not begin with a reserved name.
fn cut(escaped: &str) -> usize {
    let is_good = |at: &usize| {
        let (part, rest) = escaped.split_at(*at);
        let last_two = part.get(part.len().saturating_sub(2)..).unwrap_or_default();
        let is_in_escape = last_two.contains(CONTINUED);
        !is_in_escape && !part.ends_with('.') && !rest.starts_with('.') && !is_reserved(rest)
    };
    (1..=MAX_PART_BYTES).rev().find(is_good).unwrap_or(MAX_PART_BYTES)
}

fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let is_reserved = is_reserved(name);
    let last = name.len().saturating_sub(1);
    for (at, byte) in name.bytes().enumerate() {
        let is_edge = at == 0 || at == last;
        match byte {
            // Other characters are in no name of a repository.
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' if !(at == 0 && is_reserved) => {
                text.push(char::from(byte));
            }
            b'.' if !is_edge => text.push('.'),
            byte => text.push_str(&format!("{CONTINUED}{byte:02x}")),
        }
    }
    text
}

/// Tells whether the name of a file begins with a name that Windows reserves, with or without an ending.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    let is_port = numbered
        .is_some_and(|rest| rest.len() == 1 && rest.starts_with(|c: char| c.is_ascii_digit()));
    is_port || RESERVED.contains(&stem.as_str())
}

/// Returns the name that a file name stands for, or `None` if `portable` writes no such name. A name without a `%`
/// stands for itself.
pub(crate) fn unescaped(file_name: &str) -> Option<String> {
    if !file_name.contains(CONTINUED) {
        return Some(file_name.to_owned());
    }
    let mut bytes = Vec::with_capacity(file_name.len());
    let mut rest = file_name.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    escaped(&name).eq_ignore_ascii_case(file_name).then_some(name)
}

/// The character of escapes, and the end of the name of a directory in which a name goes on. No collection and no
/// record key has it.
pub(crate) const CONTINUED: char = '%';

/// The longest part of a name, in bytes. File systems allow 255, and some encryption of file names leaves 143.
const MAX_PART_BYTES: usize = 120;

/// The names of devices on Windows.
const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    fn shown(name: &str) -> String {
        portable(Path::new(""), name, ".json").to_str().unwrap().to_owned()
    }

    /// The name that a path of `portable` stands for, as a reader joins it.
    fn back(path: &Path) -> Option<String> {
        let mut joined = String::new();
        for part in path.components() {
            joined.push_str(part.as_os_str().to_str()?.trim_end_matches(CONTINUED));
        }
        unescaped(joined.strip_suffix(".json")?)
    }

    #[test]
    fn common_names_stay_and_special_ones_are_escaped() {
        for (name, expected) in [
            ("3jzfcijpj2z2a", "3jzfcijpj2z2a.json"),
            ("app.bsky.feed.post", "app.bsky.feed.post.json"),
            ("a_b-c~d.e", "a_b-c~d.e.json"),
            ("com.example.fooBar", "com.example.foo%42ar.json"),
            ("did:web:localhost%3A80", "did%3aweb%3alocalhost%253%4180.json"),
            ("con", "%63on.json"),
            ("CON.x", "%43%4f%4e.x.json"),
            ("com1.txt", "%63om1.txt.json"),
            ("com.txt", "com.txt.json"),
            ("com12", "com12.json"),
            ("...", "%2e.%2e.json"),
            (".a.", "%2ea%2e.json"),
        ] {
            assert_eq!(shown(name), expected, "{name}");
        }
        for no_name in ["%", "%4", "%zz", "a%63", "%41%", "A%42", "%E4", "+%41"] {
            assert_eq!(unescaped(no_name), None, "{no_name}");
        }
    }

    #[test]
    fn long_names_go_on_in_directories() {
        for long in
            ["x".repeat(512), "A".repeat(512), format!("{}con", "x".repeat(120)), ".".repeat(512)]
        {
            let path = portable(Path::new(""), &long, ".json");
            assert!(path.components().count() > 1);
            assert_eq!(back(&path), Some(long));
        }
    }

    /// Checks the rules of all common file systems.
    fn check_part(part: Component<'_>) {
        let part = part.as_os_str().to_str().unwrap();
        assert!(
            part.len() <= 200 && !part.ends_with(['.', ' ']) && !part.starts_with('.'),
            "{part}"
        );
        assert!(!part.contains(['<', '>', ':', '"', '/', '\\', '|', '?', '*']), "{part}");
        let stem = part.split('.').next().unwrap();
        assert!(!RESERVED.contains(&stem), "{part}");
        assert!(!is_reserved(part), "{part}");
    }

    proptest! {
        #[test]
        fn names_come_back_from_file_systems_that_ignore_case(
            names in prop::collection::hash_set(
                prop_oneof![
                    "[A-Za-z0-9.:~_-]{1,6}",
                    "(con|CON|Aux|nul|com1|LPT9|prn)(\\.[a-z]{0,3})?",
                    "[Aa.:]{100,512}",
                    "did:[a-z]{3,5}:[A-Za-z0-9.:%_-]{1,60}",
                ],
                1..40,
            )
        ) {
            let mut files: HashMap<String, String> = HashMap::new();
            for name in &names {
                let path = portable(Path::new(""), name, ".json");
                path.components().for_each(check_part);
                let found = back(&path);
                prop_assert_eq!(found.as_ref(), Some(name));
                let folded = path.to_str().unwrap().to_lowercase();
                prop_assert_eq!(files.insert(folded, name.clone()), None);
            }
        }
    }
}
