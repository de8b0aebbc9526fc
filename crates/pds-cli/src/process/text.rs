//! Text for people: counts, revs and times.

use std::io::{self, Write};
use std::path::Path;

use pds::syntax::{Did, Tid};

use crate::input::secrets::hide_secrets;
use crate::process::progress::suspended;
use crate::terminal::messages::message_text;

/// Returns the name of a file in messages.
pub(crate) fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Prints a message on standard error.
pub(crate) fn say(message: &str) {
    // If standard error fails, no way is left to report it.
    let print = || writeln!(io::stderr().lock(), "{}", message_text(&hide_secrets(message)));
    let _ = suspended(print);
}

/// Returns an account as text; a commit with a malformed field names none.
pub(crate) fn did_text(did: Option<&Did>) -> String {
    did.map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// Returns a rev as text; early commits have none.
pub(crate) fn rev_text(rev: Option<Tid>) -> String {
    rev.map_or_else(|| "-".to_owned(), |rev| rev.to_string())
}

/// Returns a count with its noun, as in answers to programs: no commas between thousands.
pub(crate) fn counted_plain(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// Returns a time in UTC, to the second.
pub(crate) fn time_text(micros: u64) -> String {
    let seconds = i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

/// Returns the time of a rev, or `None` if the rev is a counter: some servers count their commits from zero.
pub(crate) fn rev_time_text(rev: Tid) -> Option<String> {
    rev.rev_micros().map(time_text)
}
