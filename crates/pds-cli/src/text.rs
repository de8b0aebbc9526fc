//! Text for people: control characters escaped, counts, revs and times.

use std::borrow::Cow;
use std::io::{self, Write};

use pds::syntax::Tid;

use crate::secrets::hide_secrets;

/// Escapes control characters, which may come from hostile input and control the terminal.
///
/// JSON allows some of them in strings. The escape is a JSON escape, so the meaning stays the same.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    // Without an early exit, the loop compares many bytes at a time.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        return Cow::Borrowed(text);
    }
    let drives = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(drives) {
        return Cow::Borrowed(text);
    }
    let mut tame = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if drives(c) => tame.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => tame.push(c),
        }
    }
    Cow::Owned(tame)
}

/// Prints a message on standard error.
pub(crate) fn say(message: &str) {
    // If standard error fails, no way is left to report it.
    let _ = writeln!(io::stderr().lock(), "{}", printable(&hide_secrets(message)));
}

/// Returns a rev as text; early commits have none.
pub(crate) fn rev_text(rev: Option<Tid>) -> String {
    rev.map_or_else(|| "-".to_owned(), |rev| rev.to_string())
}

/// Returns a count with its noun.
pub(crate) fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// Returns a time in UTC, to the second.
pub(crate) fn time_text(micros: u64) -> String {
    let seconds = i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

/// Returns the time of a rev, or `None` if the rev is a counter: some servers count their commits from zero.
pub(crate) fn rev_time_text(rev: Tid) -> Option<String> {
    (rev.micros() >= FIRST_REV_MICROS).then(|| time_text(rev.micros()))
}

/// The start of 2022 in microseconds. The network has no older commits.
const FIRST_REV_MICROS: u64 = 1_640_995_200_000_000;
