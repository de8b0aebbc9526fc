//! The repository as the first argument of a verb that reads: `pds ls backup.car`.
//!
//! The argument is moved to `--repo` before the command line is parsed, so that no verb has to know about it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Arg, Command};
use pds::local::open::{is_repository, open_without_key};
use pds::store::RefName;

use crate::arguments::bsky_url::is_url;
use crate::arguments::collection::CollectionArg;
use crate::arguments::record::TargetArg;
use crate::arguments::record_at;
use crate::arguments::state_arg::{StateRange, has_car_ending, is_path};
use crate::repository::open::Place;

/// Moves the first argument of a reading verb to `--repo`, if it names a CAR file or a repository.
///
/// # Errors
///
/// A usage error if `--repo` is given, too.
pub(crate) fn moved(
    mut args: Vec<OsString>,
    whole: &Command,
) -> Result<Vec<OsString>, clap::Error> {
    let Some(found) = find(&args, whole) else { return Ok(args) };
    if let Some(named) = found.repo {
        let place = args.get(found.at).map(|place| place.display().to_string()).unwrap_or_default();
        let message = format!(
            "the repository is named twice, by --repo {} and by {place}; leave one of them out",
            named.display()
        );
        return Err(whole.clone().error(ErrorKind::ArgumentConflict, message));
    }
    let place = args.remove(found.at);
    args.splice(1..1, [OsString::from("--repo"), place]);
    Ok(args)
}

/// The place of an argument that names a repository, and the value of `--repo`.
struct FirstWord {
    at: usize,
    repo: Option<OsString>,
}

fn find(args: &[OsString], whole: &Command) -> Option<FirstWord> {
    let mut words = Words { args, at: 1, repo: None };
    let mut command = whole;
    let mut verb = Vec::new();
    let mut first = None;
    while let Some((at, word)) = words.next(command, whole) {
        if let Some(inner) = word.to_str().and_then(|word| command.find_subcommand(word)) {
            verb.push(inner.get_name().to_owned());
            command = inner;
            continue;
        }
        first = Some((at, word));
        break;
    }
    let (at, place) = first?;
    let verb: Vec<&str> = verb.iter().map(String::as_str).collect();
    if !READING.contains(&verb.as_slice()) {
        return None;
    }
    let mut count = 1;
    while words.next(command, whole).is_some() {
        count += 1;
    }
    // The verb needs the argument itself: the directory of `pds unpack DIR`, the state of `pds show REV`.
    let is_own = |arg: &&Arg| arg.is_required_set() || !arg.get_default_values().is_empty();
    let required = command.get_positionals().filter(is_own).count();
    let named = words.repo.as_deref();
    (count > required && names_repository(place, named))
        .then_some(FirstWord { at, repo: words.repo })
}

/// The arguments that are no options, in order.
struct Words<'a> {
    args: &'a [OsString],
    at: usize,
    /// The value of `--repo`, if it was passed by.
    repo: Option<OsString>,
}

impl<'a> Words<'a> {
    /// Returns the next word with its place. After `--`, all words are paths of records.
    fn next(&mut self, command: &Command, whole: &Command) -> Option<(usize, &'a OsStr)> {
        loop {
            let at = self.at;
            let word = self.args.get(at)?.as_os_str();
            self.at += 1;
            let text = word.to_str().unwrap_or_default();
            if text == "--" {
                self.at = self.args.len();
                return None;
            }
            if text.len() < 2 || !text.starts_with('-') {
                return Some((at, word));
            }
            let Some(option) = find_option(text, &[command, whole]) else { continue };
            let value = match value_in(text, option) {
                Some(value) => Some(OsString::from(value)),
                None if option.get_action().takes_values() => {
                    self.at += 1;
                    self.args.get(at + 1).cloned()
                }
                None => None,
            };
            if option.get_id() == "repo" {
                self.repo = value;
            }
        }
    }
}

/// Finds the option that a word begins: `--at`, `--at=REV`, `-n`, or `-n5`.
fn find_option<'c>(word: &str, commands: &[&'c Command]) -> Option<&'c Arg> {
    let mut options = commands.iter().flat_map(|command| command.get_arguments());
    match word.strip_prefix("--") {
        Some(long) => {
            let long = long.split('=').next().unwrap_or_default();
            options.find(|option| option.get_long() == Some(long))
        }
        // The last letter of several may take a value.
        None => {
            let mut found = None;
            for letter in word.chars().skip(1) {
                let of_letter = |option: &&Arg| option.get_short() == Some(letter);
                let all = commands.iter().flat_map(|command| command.get_arguments());
                found = all.into_iter().find(of_letter);
                if found.is_none_or(|option| option.get_action().takes_values()) {
                    break;
                }
            }
            found
        }
    }
}

/// Returns the value that is in the same word as its option.
fn value_in<'w>(word: &'w str, option: &Arg) -> Option<&'w str> {
    if let Some(long) = word.strip_prefix("--") {
        return long.split_once('=').map(|(_, value)| value);
    }
    let letter = option.get_short().filter(|_| option.get_action().takes_values())?;
    let (_, value) = word.split_once(letter)?;
    Some(value.strip_prefix('=').unwrap_or(value)).filter(|value| !value.is_empty())
}

/// Tells whether a word names a repository or a CAR file, and is no record, no collection and no ref.
fn names_repository(word: &OsStr, named: Option<&OsStr>) -> bool {
    let text = word.to_str().unwrap_or_default();
    if word.is_empty() {
        return false;
    }
    // A collection may have a slash at its end, as a directory has.
    if text.parse::<CollectionArg>().is_ok() && !has_car_ending(word) && !Path::new(word).is_dir() {
        return false;
    }
    if is_path(word) {
        return StateRange::parse(word).is_none() && record_at::split(text).is_none();
    }
    let is_record = is_url(text) || text.parse::<TargetArg>().is_ok();
    let is_pair = StateRange::parse(word).is_some() || record_at::split(text).is_some();
    // `my.backup.car` is a valid name of a collection, too.
    if is_pair || (is_record && !(has_car_ending(word) && Path::new(word).is_file())) {
        return false;
    }
    let is_place = has_car_ending(word)
        || text.contains('/')
        || Path::new(word).is_file()
        || is_repository(word).unwrap_or(false);
    is_place && !is_ref(text, named)
}

/// Tells whether the repository that is meant otherwise has a ref of this name.
fn is_ref(text: &str, named: Option<&OsStr>) -> bool {
    let Ok(name) = text.parse::<RefName>() else { return false };
    let named = named.map(OsStr::to_owned).or_else(|| std::env::var_os("PDS_REPO"));
    let named = named.filter(|named| !named.is_empty()).map(Into::into);
    let repo = Place { named }.directory().map(open_without_key);
    matches!(repo, Ok(Ok(repo)) if matches!(repo.get_ref(&name), Ok(Some(_))))
}

/// The verbs that read, and accept the repository as their first argument.
pub(crate) const READING: [&[&str]; 18] = [
    &["ls"],
    &["get"],
    &["info"],
    &["log"],
    &["reflog"],
    &["show"],
    &["export"],
    &["unpack"],
    &["mst"],
    &["stats"],
    &["prove"],
    &["blob", "ls"],
    &["blob", "get"],
    &["blob", "missing"],
    &["blob", "check"],
    &["blob", "export"],
    &["ref", "ls"],
    &["key", "show"],
];
