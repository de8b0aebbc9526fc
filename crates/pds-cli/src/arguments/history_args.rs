//! The arguments that the verbs on history share: states, paths, times and limits.

use std::ffi::{OsStr, OsString};
use std::str::FromStr;

use anyhow::Result;
use pds::local::open::is_repository;
use pds::syntax::RecordPath;

use crate::arguments::record::{Account, RecordArg, TargetArg};
use crate::arguments::record_at::split;
use crate::arguments::state_arg::{StateArg, StateRange};
use crate::arguments::when::When;
use crate::failures::exit::Stated;
use crate::repository::open::Place;

/// The options of `log` and `reflog`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Show at most N entries
    #[arg(short, long = "max-count", value_name = "N")]
    pub(crate) number: Option<usize>,

    /// Show only what happened from this time on: 2026-11-27, 2026-11-27T20:00, yesterday, "2 days ago"
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<TimeArg>,

    /// Show only what happened until this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<TimeArg>,

    /// Show a short line for each entry
    #[arg(long)]
    pub(crate) oneline: bool,

    /// Show the contents that changed
    #[arg(short = 'p', long = "patch")]
    pub(crate) patch: bool,
}

impl ListArgs {
    /// Returns whether a time is before those that are shown.
    pub(crate) fn is_too_old(&self, micros: Option<u64>) -> bool {
        self.since.is_some_and(|since| micros.is_none_or(|micros| micros < since.0.first_micros()))
    }

    /// Returns whether a time is after those that are shown.
    pub(crate) fn is_too_new(&self, micros: Option<u64>) -> bool {
        self.until.is_some_and(|until| micros.is_none_or(|micros| micros > until.0.last_micros()))
    }
}

/// A time, as in git: a date, a date with a time, or a distance from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeArg(When);

impl FromStr for TimeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write a time as 2026-11-27, 2026-11-27T20:00, yesterday or \"2 days ago\"";
        When::read(text).map(Self).ok_or_else(|| form.to_owned())
    }
}

/// How the changed records are shown.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ChangeArgs {
    /// Show the contents that changed
    #[arg(short = 'p', long = "patch", conflicts_with_all = ["stat", "name_only"])]
    pub(crate) patch: bool,

    /// Show the counts and sizes of each collection
    #[arg(long, conflicts_with = "name_only")]
    pub(crate) stat: bool,

    /// Show only the paths of the changed records
    #[arg(long)]
    pub(crate) name_only: bool,
}

/// The records that a history or a difference is limited to. Without any, it has all records.
#[derive(Clone, Debug, Default)]
pub(crate) struct PathFilter(Vec<TargetArg>);

impl PathFilter {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the records and collections.
    pub(crate) fn targets(&self) -> &[TargetArg] {
        &self.0
    }

    /// Returns the only record, if the filter names one record and nothing else.
    pub(crate) fn record(&self) -> Option<RecordArg> {
        match self.0.as_slice() {
            [target] => target.record(),
            _ => None,
        }
    }

    /// Returns whether a record fits one of the paths.
    pub(crate) fn fits(&self, path: &RecordPath) -> bool {
        let fits = |target: &TargetArg| {
            target.collection == path.collection
                && target.rkey.as_ref().is_none_or(|rkey| *rkey == path.rkey)
        };
        self.0.is_empty() || self.0.iter().any(fits)
    }

    /// Checks that no path names another account.
    pub(crate) fn check_account(&self, account: &Account<'_>) -> Result<()> {
        self.0.iter().try_for_each(|target| target.check_account(account.clone()))
    }

    /// Returns the first path as text, for messages.
    pub(crate) fn name(&self) -> String {
        self.0.first().map_or_else(String::new, |target| target.collection.to_string())
    }
}

/// The states and the paths among the arguments.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub(crate) states: Vec<StateArg>,
    pub(crate) paths: PathFilter,
}

impl Selection {
    /// Sorts arguments into states and the paths after them. An argument that could be both is a state if the
    /// repository has it. All of `paths`, the arguments after `--`, are paths.
    pub(crate) fn of(
        arguments: &[OsString],
        paths: &[OsString],
        most_states: usize,
        place: &Place,
    ) -> Result<Self> {
        let mut sorted = Self::default();
        for given in arguments {
            let target = given.to_str().map(str::parse::<TargetArg>);
            let state = StateArg::parse(given.clone());
            let may_be_state = sorted.states.len() < most_states && sorted.paths.is_empty();
            match (state, target) {
                (Ok(state), Some(Ok(target))) if may_be_state => match place.has_state(&state) {
                    true => sorted.states.push(state),
                    false => sorted.paths.0.push(target),
                },
                (_, Some(Ok(target))) => sorted.paths.0.push(target),
                (Ok(state), _) if may_be_state => sorted.states.push(state),
                (Err(reason), _) if may_be_state => {
                    return not_a_state(given, &reason, most_states).fail();
                }
                _ => return not_a_path(given),
            }
        }
        for given in paths {
            match given.to_str().map(str::parse) {
                Some(Ok(target)) => sorted.paths.0.push(target),
                _ => return not_a_path(given),
            }
        }
        Ok(sorted)
    }
}

/// Sorts arguments that may begin with a range, `A..B`. Otherwise, there may be some states.
pub(crate) fn range_or_states(
    arguments: &[OsString],
    paths: &[OsString],
    most_states: usize,
    place: &Place,
) -> Result<(Option<StateRange>, Selection)> {
    let first = arguments.first();
    if first.is_some_and(|first| first == ".." && !is_repository(first).unwrap_or(true)) {
        let message = ".. has no state beside it; write a range as A..B";
        return Stated::usage(message).hint("pds diff HEAD~1..HEAD").fail();
    }
    let Some(range) = first.and_then(|first| StateRange::parse(first)) else {
        return Ok((None, Selection::of(arguments, paths, most_states, place)?));
    };
    let rest = arguments.get(1..).unwrap_or_default();
    let selection = Selection::of(rest, paths, 0, place)?;
    Ok((Some(range.map_err(Stated::usage)?), selection))
}

/// Returns the error for an argument that is neither a state nor a path.
fn not_a_state(given: &OsStr, reason: &str, most_states: usize) -> Stated {
    let name = given.display();
    if given.to_str().is_some_and(|text| split(text).is_some()) {
        let hint = if most_states > 1 { "pds diff A B PATH" } else { "pds log REV PATH" };
        let message = format!("{name} names a record of a state; write the path after the states");
        return Stated::usage(message).hint(hint);
    }
    if most_states > 1 && StateRange::parse(given).is_some() {
        return Stated::usage(format!(
            "{name} is a range; it is the first argument, without a state beside it"
        ));
    }
    let not_a_range = || Stated::usage(format!("{name} is neither a state nor a path: {reason}"));
    no_range(given).unwrap_or_else(not_a_range)
}

/// Returns the error for a range where only one state is accepted. Returns `None` if the argument is no range.
pub(crate) fn no_range(given: &OsStr) -> Option<Stated> {
    let _ = StateRange::parse(given)?;
    let message = format!("{} is a range, which only pds diff and pds log read", given.display());
    Some(Stated::usage(message).hint("pds diff A..B, pds log A..B"))
}

fn not_a_path<T>(given: &OsString) -> Result<T> {
    let message = format!(
        "{} is no path; name a collection, or a record as collection/rkey",
        given.display()
    );
    Stated::usage(message).fail()
}
