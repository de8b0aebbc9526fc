//! The arguments whose values come from a repository.

use std::any::TypeId;
use std::ffi::OsStr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Arg, Command};
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use pds::store::RefName;
use pds::syntax::Nsid;

use super::command_line::{names_repository, place};
use super::find::{ValueOf, find};
use crate::arguments::collection::CollectionArg;
use crate::arguments::first_argument::READING;
use crate::arguments::record::{RecordArg, TargetArg};
use crate::arguments::record_pattern::RecordsArg;
use crate::arguments::short_cid::CidArg;
use crate::arguments::state_arg::StateArg;
use crate::help::topics::TOPICS;

/// Adds what completes the arguments of a command and of those below it.
pub(super) fn with_values(program: Command) -> Command {
    let mut words: Vec<String> = TOPICS.iter().map(|topic| topic.name.to_owned()).collect();
    words.extend(program.get_subcommands().map(|verb| verb.get_name().to_owned()));
    with_repository(program).mut_subcommand("help", |help| {
        help.mut_args(move |arg| match arg.get_id() == "words" {
            true => arg.add(ArgValueCompleter::new(among(words.clone()))),
            false => arg,
        })
    })
}

fn among(words: Vec<String>) -> impl Fn(&OsStr) -> Vec<CompletionCandidate> {
    move |current| {
        let start = current.to_string_lossy();
        let fitting = words.iter().filter(|word| word.starts_with(&*start));
        fitting.map(CompletionCandidate::new).collect()
    }
}

fn with_repository(command: Command) -> Command {
    // The repository may be the first argument of such a verb.
    let is_reading = READING.contains(&&[command.get_name()][..]);
    let is_removing = command.get_name() == "rm";
    command
        .mut_args(move |arg| match kinds(&arg) {
            kinds if kinds.is_empty() => arg,
            kinds => {
                let may_be_place = is_reading && arg.is_positional();
                // HEAD cannot be deleted.
                let is_removed = is_removing && arg.is_positional();
                let complete = move |current: &OsStr| {
                    let has_files =
                        kinds.contains(&ValueOf::State) || may_be_place && !names_repository();
                    let mut found = values(&kinds, has_files, current);
                    found.retain(|value| !(is_removed && value.get_value() == "HEAD"));
                    found
                };
                arg.add(ArgValueCompleter::new(complete))
            }
        })
        .mut_subcommands(with_repository)
}

/// Returns what an argument names: its type says that, or the name of its value.
fn kinds(arg: &Arg) -> Vec<ValueOf> {
    let has_type = |id| arg.get_value_parser().type_id() == id;
    if arg.get_id() == "repo" || !arg.get_action().takes_values() {
        return Vec::new();
    }
    let records =
        [TypeId::of::<RecordArg>(), TypeId::of::<RecordsArg>(), TypeId::of::<TargetArg>()];
    if records.into_iter().any(has_type) {
        return vec![ValueOf::Record];
    }
    if has_type(TypeId::of::<StateArg>()) {
        return vec![ValueOf::State];
    }
    if has_type(TypeId::of::<RefName>()) {
        return vec![ValueOf::Ref];
    }
    if has_type(TypeId::of::<Nsid>()) || has_type(TypeId::of::<CollectionArg>()) {
        return vec![ValueOf::Collection];
    }
    if has_type(TypeId::of::<CidArg>()) {
        return vec![ValueOf::Blob];
    }
    let names = arg.get_value_names().unwrap_or_default();
    let mut kinds = Vec::new();
    for name in names.iter().flat_map(|name| name.split('|')) {
        let kind = match name {
            "REV" | "STATE" | "A..B" | "A" | "B" => ValueOf::State,
            "REF" => ValueOf::Ref,
            "PATH" => ValueOf::Record,
            "COLLECTION" => ValueOf::Collection,
            _ => continue,
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// Finds the values of an argument, in a bounded time.
fn values(kinds: &[ValueOf], has_files: bool, current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(text) = current.to_str().map(str::to_owned) else { return Vec::new() };
    let mut found = Vec::new();
    let (send, values) = mpsc::channel();
    let (kinds_there, text_there) = (kinds.to_vec(), text.clone());
    // The thread ends with the process. It only reads.
    let thread = thread::Builder::new().spawn(move || {
        let place = place();
        for kind in kinds_there {
            let values = find(kind, &place, &text_there).unwrap_or_default();
            if send.send(values).is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + PATIENCE;
    while thread.is_ok()
        && let Ok(values) = values.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        for value in values {
            let about = value.about.map(Into::into);
            found.push(CompletionCandidate::new(value.text).help(about));
        }
    }
    if has_files && !text.contains(['@', ':', '{']) {
        found.extend(files(&text, current));
    }
    found
}

/// Finds CAR files, and directories if the text looks like a path.
fn files(text: &str, current: &OsStr) -> Vec<CompletionCandidate> {
    let is_path = text.contains('/') || text.starts_with('.');
    let is_car = |name: &str| name.ends_with(".car") || name.ends_with(".car.gz");
    let mut found = PathCompleter::any().complete(current);
    found.retain(|file| {
        let name = file.get_value().to_string_lossy();
        is_car(&name) || is_path && name.ends_with('/')
    });
    found
}

/// How long a completion may search.
const PATIENCE: Duration = Duration::from_millis(1500);
