//! Advice for command lines that are not valid: verbs of other programs, and verbs and flags with nearly this name.

use std::ffi::OsString;
use std::path::Path;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::arguments::record::RecordArg;
use crate::arguments::state_arg::{StateArg, has_car_ending};
use crate::failures::habits::Habit;
use crate::help::topics::names;

/// What the user typed: the words and the flags of a command line.
pub(crate) struct Typed<'a> {
    /// The command that the words name, as far as they name one.
    pub(crate) command: &'a Command,
    words: Vec<String>,
    flags: Vec<String>,
    /// The command line asks for help: `pds help VERB`.
    is_help: bool,
}

impl<'a> Typed<'a> {
    /// Reads the arguments without the name of the program.
    pub(crate) fn read(args: impl Iterator<Item = OsString>, program: &'a Command) -> Self {
        let mut typed =
            Self { command: program, words: Vec::new(), flags: Vec::new(), is_help: false };
        let mut args =
            args.map(|arg| arg.to_string_lossy().into_owned()).take_while(|arg| arg != "--");
        let mut is_verb = true;
        while let Some(arg) = args.next() {
            if arg.len() > 1 && arg.starts_with('-') {
                if takes_next(&arg, typed.command) {
                    args.next();
                }
                typed.flags.push(arg);
                continue;
            }
            if typed.words.is_empty() && arg == "help" {
                // `pds help VERB` is about the verb.
                typed.is_help = true;
                continue;
            }
            match typed.command.find_subcommand(&arg).filter(|_| is_verb) {
                Some(command) => typed.command = command,
                None => is_verb = false,
            }
            typed.words.push(arg);
        }
        typed
    }
}

/// Tells whether the value of an option is the next argument.
fn takes_next(arg: &str, command: &Command) -> bool {
    command.get_arguments().filter(|option| option.get_action().takes_values()).any(|option| {
        let is_long = option.get_long().is_some_and(|long| arg.strip_prefix("--") == Some(long));
        is_long || option.get_short().is_some_and(|short| arg == format!("-{short}"))
    })
}

/// Writes `-5` as `-n5` in a command line that is not valid, as in git. Returns `None` if nothing changes.
pub(crate) fn with_counts(
    mut args: Vec<OsString>,
    error: &clap::Error,
    program: &Command,
) -> Option<Vec<OsString>> {
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let typed = Typed::read(args.iter().skip(1).cloned(), program);
    typed.command.get_arguments().find(|option| option.get_id() == "number")?;
    let count = |arg: &OsString| {
        let digits = arg.to_str()?.strip_prefix('-')?;
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| OsString::from(format!("-n{digits}")))
    };
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let (at, new) =
        args.iter().take(end).enumerate().find_map(|(at, arg)| Some((at, count(arg)?)))?;
    *args.get_mut(at)? = new;
    Some(args)
}

/// Returns the message and the hint for a verb or a flag of another program.
pub(crate) fn habit(error: &clap::Error, typed: &Typed<'_>) -> Option<(String, String)> {
    if !matches!(error.kind(), ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument) {
        return None;
    }
    let mut flags = typed.flags.clone();
    // Of several flags in one argument, clap names the one that it does not know.
    flags.extend(text_of(error, ContextKind::InvalidArg));
    let habit = Habit::find(&typed.words, &flags)?;
    Some((habit.message(), habit.hint(&typed.words)))
}

/// Returns the message of clap in one line: the usage and other advice follow its first paragraph.
pub(crate) fn message_of(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

/// Returns the next step: a name that differs in at most two letters, or else the form of the command. Returns `None`
/// for an error whose message is from this program: it has the remedy.
pub(crate) fn advice(error: &clap::Error, typed: &Typed<'_>) -> Option<String> {
    error.context().next()?;
    let command = typed.command;
    if let Some(near) = near_name(error, typed) {
        return Some(format!("did you mean {near}?"));
    }
    if let Some(hint) = meant(error, typed) {
        return Some(hint);
    }
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    if typed.is_help && command.get_name() == "pds" {
        let topics = names().join(", ");
        return Some(format!("the topics are {topics}; pds --help lists the commands"));
    }
    if error.kind() == ErrorKind::InvalidSubcommand {
        return Some(format!("{name} --help lists the commands"));
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").lines().next().unwrap_or_default();
    Some(format!("the form is {usage}; see {name} --help"))
}

/// Returns the command for a word that names a record, a state or a file where the verb accepts none.
fn meant(error: &clap::Error, typed: &Typed<'_>) -> Option<String> {
    let verb = typed.command.get_name();
    let kind = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::ValueValidation => ContextKind::InvalidValue,
        _ => return None,
    };
    let word = text_of(error, kind)?;
    // Another argument, such as the value of an option, has its own message.
    if !LISTING.contains(&verb) || typed.words.get(1) != Some(&word) {
        return None;
    }
    if word.parse::<RecordArg>().is_ok() {
        return Some(format!("pds get {word} prints the record"));
    }
    if has_car_ending(word.as_ref()) && Path::new(&word).is_file() {
        return Some(format!("a ref has this name; ./{word} names the file"));
    }
    let is_state = matches!(StateArg::parse(word.clone().into()), Ok(StateArg::Revision(_)));
    is_state.then(|| format!("pds {verb} --at {word} reads another state"))
}

/// The verbs that accept a state as an option only.
const LISTING: [&str; 3] = ["ls", "mst", "stats"];

/// Returns the verbs, flags or values that are nearest to an unknown one, if any is near.
fn near_name(error: &clap::Error, typed: &Typed<'_>) -> Option<String> {
    let command = typed.command;
    let (kind, mut known) = match error.kind() {
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, verbs_of(command)),
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, flags_of(command)),
        ErrorKind::InvalidValue => (ContextKind::InvalidValue, values_of(error)),
        // Other errors name arguments that exist.
        _ => return None,
    };
    if typed.is_help {
        known.extend(names().into_iter().map(str::to_owned));
    }
    let near = nearest(&text_of(error, kind)?, known);
    (!near.is_empty()).then(|| near.join(" or "))
}

fn text_of(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn verbs_of(command: &Command) -> Vec<String> {
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    verbs.flat_map(|verb| verb.get_name_and_visible_aliases()).map(str::to_owned).collect()
}

fn flags_of(command: &Command) -> Vec<String> {
    let flags = command.get_arguments().filter(|flag| !flag.is_hide_set());
    let longs = flags.filter_map(|flag| flag.get_long_and_visible_aliases()).flatten();
    longs.map(|long| format!("--{long}")).collect()
}

fn values_of(error: &clap::Error) -> Vec<String> {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => values.clone(),
        _ => Vec::new(),
    }
}

/// Returns the names that are nearest to an unknown one, if any is near.
fn nearest(unknown: &str, names: Vec<String>) -> Vec<String> {
    let bare = |name: &str| name.trim_start_matches('-').chars().count();
    // The distance is bounded by the length, too: all names of two letters are near each other.
    let most = MAX_DISTANCE.min(bare(unknown) / 2);
    if bare(unknown) > MAX_NAME_CHARS {
        return Vec::new();
    }
    let distance = |name: &String| strsim::damerau_levenshtein(unknown, name);
    let near: Vec<(usize, String)> = names
        .into_iter()
        .map(|name| (distance(&name), name))
        .filter(|(far, _)| (1..=most).contains(far))
        .collect();
    let least = near.iter().map(|(far, _)| *far).min();
    let mut near: Vec<String> =
        near.into_iter().filter(|(far, _)| Some(*far) == least).map(|(_, name)| name).collect();
    near.sort();
    near.dedup();
    near
}

/// In how many letters a name may differ from a typed one.
const MAX_DISTANCE: usize = 2;

/// Longer words are not compared with names.
const MAX_NAME_CHARS: usize = 40;
