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

/// The character of escapes, and the end of the name of a directory in which a name goes on. No collection and no
/// record key has it.
pub(crate) const CONTINUED: char = '%';

/// The longest part of a name, in bytes. File systems allow 255, and some encryption of file names leaves 143.
const MAX_PART_BYTES: usize = 120;

/// The names of devices on Windows.
const RESERVED: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
