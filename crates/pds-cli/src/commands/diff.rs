//! `pds diff`

use std::ffi::OsString;

use anyhow::Result;
use pds::{Error, Repo, Revision};

use super::changed::{print_patches, print_rows, print_stat};
use crate::arguments::history_args::{ChangeArgs, PathFilter, Selection, range_or_states};
use crate::arguments::record::TargetArg;
use crate::arguments::state_arg::{Settled, StateArg, StateRange};
use crate::failures::exit::{Exit, Stated};
use crate::process::output::Output;
use crate::records::changes::{Outcome, Pair};
use crate::repository::open::{Place, Source};
use crate::screens::diff::print_by_collection;
use crate::screens::no_records::say_if_absent;

/// Show which records differ between two states
///
/// Without a state, compare HEAD with the commit before it; with one, compare it with HEAD. Paths limit the answer to
/// records or collections. An argument that could be a state and a path is a state; after --, all arguments are
/// paths. Exit code 0 if the states have the same records, 1 if they differ, 6 if they differ and a record cannot be
/// read.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds diff\n  pds diff HEAD~1 HEAD\n  pds diff HEAD~2..HEAD com.example.note -p\n  \
    pds diff HEAD~2 --stat\n  pds diff HEAD backup.car"
)]
pub(crate) struct Args {
    /// States (A, A B or A..B), then the paths of records or collections
    #[arg(value_name = "STATE|PATH")]
    what: Vec<OsString>,

    #[command(flatten)]
    form: ChangeArgs,

    /// Paths of records or collections
    #[arg(last = true, value_name = "PATH")]
    paths: Vec<OsString>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        let (before, after, filter) = self.states(place)?;
        let after_state = after.as_ref();
        if before.is_standard_input() && after_state.is_some_and(StateArg::is_standard_input) {
            return Stated::only_one_standard_input().fail();
        }
        let (before_at, before) = (&before, place.snapshot(Some(&before))?);
        let after = place.snapshot(after_state)?;
        for snapshot in [&before, &after] {
            filter.check_account(&place.account(snapshot.commit().known_did()))?;
        }
        for TargetArg { collection, rkey, .. } in filter.targets() {
            say_if_absent(collection, rkey.as_ref(), &[&before, &after], out)?;
        }
        let cids = (before.commit().cid(), after.commit().cid());
        let pair = Pair::Opened { before: Some(Box::new(before)), after: Box::new(after) };
        let outcome = if self.form.stat {
            let commits = match out.terminal().is_some() {
                true => commits_between(place, before_at, after_state, cids.0)?,
                false => None,
            };
            print_stat(&pair, &filter, commits, out)?
        } else {
            print_changes(&pair, &filter, self.form, out)?
        };
        Ok(exit_of(outcome))
    }

    /// Returns the two states and the paths. Without a second state, it is HEAD.
    fn states(&self, place: &Place) -> Result<(StateArg, Option<StateArg>, PathFilter)> {
        let (range, Selection { states, paths }) =
            range_or_states(&self.what, &self.paths, 2, place)?;
        let mut states = states.into_iter();
        let (before, after) = match range {
            Some(StateRange { from, to }) => (Some(from), Some(to)),
            None => (states.next(), states.next()),
        };
        match before {
            Some(before) => Ok((before, after, paths)),
            None => Ok((parent_of_head(place)?, None, paths)),
        }
    }
}

/// Prints changed records in any form but the one with counts.
pub(super) fn print_changes(
    pair: &Pair<'_>,
    filter: &PathFilter,
    form: ChangeArgs,
    out: &mut Output,
) -> Result<Outcome> {
    if form.patch {
        print_patches(pair, filter, out)
    } else if form.name_only || out.terminal().is_none() {
        print_rows(pair, filter, form, out)
    } else {
        print_by_collection(pair, filter, out)
    }
}

fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome { is_unread: true, .. } => Exit::Partly,
        Outcome { differs: false, .. } => Exit::Done,
        // A key that is no path is a difference, too.
        Outcome { differs: true, .. } => Exit::No,
    }
}

/// Returns the parent of HEAD.
fn parent_of_head(place: &Place) -> Result<StateArg> {
    let parent = "HEAD~1".parse::<Revision>().map_err(Error::from)?;
    match place.snapshot(Some(&StateArg::Revision(parent.clone()))) {
        Err(error) if matches!(error.downcast_ref(), Some(Error::Revision(_))) => {
            Stated::no("not-found", format!("{error:#}"))
                .hint("name two states: pds diff A B; pds show HEAD shows the first commit")
                .fail()
        }
        _ => Ok(StateArg::Revision(parent)),
    }
}

/// Counts the commits between two states of one repository. Returns `None` if the first is not before the other.
fn commits_between(
    place: &Place,
    before: &StateArg,
    after: Option<&StateArg>,
    first: pds::data::Cid,
) -> Result<Option<u64>> {
    let is_revision = |state: &StateArg| matches!(place.state(state), Settled::Revision(_));
    if !is_revision(before) || !after.is_none_or(is_revision) {
        return Ok(None);
    }
    let (Source::Repo(repo), at) = place.source_at(after)? else { return Ok(None) };
    count_back(&repo, at, first)
}

fn count_back(repo: &Repo, from: Option<&Revision>, to: pds::data::Cid) -> Result<Option<u64>> {
    for (steps, commit) in (0_u64..MAX_COUNTED).zip(repo.history().commits(from)?) {
        if commit?.cid == to {
            return Ok(Some(steps));
        }
    }
    Ok(None)
}

/// The most commits that are counted.
const MAX_COUNTED: u64 = 100_000;
