//! `pds ls`

use std::collections::BTreeMap;

use anyhow::Result;
use pds::data::ReadError;
use pds::syntax::{Nsid, RecordKey};
use pds::{ListOptions, RecordEntry, Snapshot};

use crate::answers::ls::{CollectionRow, RecordRow};
use crate::arguments::collection::CollectionArg;
use crate::arguments::state_arg::StateArg;
use crate::failures::exit::{Exit, Stated};
use crate::failures::partial::Gaps;
use crate::input::stream::is_a_file;
use crate::process::output::Output;
use crate::process::progress::Progress;
use crate::repository::open::Place;
use crate::screens::ls::{RecordList, print_collections};
use crate::screens::no_records::say_if_absent;

/// List collections, the records of one collection, or all records
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pds ls\n  pds ls app.bsky.feed.post --reverse -n 20\n  pds -R backup.car ls --all"
)]
pub(crate) struct Args {
    /// List the records of this collection; an at-uri names one, too
    collection: Option<CollectionArg>,

    /// State to read (see pds help revisions)
    #[arg(long, value_name = "REV")]
    at: Option<StateArg>,

    /// List every record
    #[arg(long, conflicts_with = "collection")]
    all: bool,

    /// Show the size of each record in bytes
    #[arg(short, long)]
    long: bool,

    /// List in reverse order
    #[arg(long)]
    reverse: bool,

    /// List at most N items
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,

    /// List only the records after this key, in the order of the listing
    #[arg(long, value_name = "RKEY", allow_hyphen_values = true)]
    after: Option<RecordKey>,
}

impl Args {
    pub(crate) fn run(self, place: &Place, out: &mut Output) -> Result<Exit> {
        if self.collection.is_none() && self.after.is_some() {
            return Stated::usage("--after needs a collection").fail();
        }
        if self.collection.is_none() && self.long && !self.all {
            return Stated::usage("-l needs a collection or --all").fail();
        }
        let snapshot = place.snapshot(self.at.as_ref())?;
        let account = place.account(snapshot.commit().known_did());
        let collection =
            self.collection.as_ref().map(|one| one.collection_in(&account)).transpose()?;
        let mut gaps = Gaps::default();
        let is_partial = self.list(collection, &snapshot, &mut gaps, out)? || !gaps.is_empty();
        if is_partial && is_a_file(&place.path_at(self.at.as_ref())?.0) {
            out.hint(PROOF)?;
        }
        Ok(gaps.exit_of(out))
    }

    /// Prints the listing, and returns whether a listed record is missing.
    fn list(
        &self,
        collection: Option<&Nsid>,
        snapshot: &Snapshot,
        gaps: &mut Gaps,
        out: &mut Output,
    ) -> Result<bool> {
        if let Some(collection) = collection {
            let options = ListOptions::default().after(self.after.clone()).reverse(self.reverse);
            let is_partial =
                self.print_all(snapshot.list(collection, &options), snapshot, gaps, out)?;
            say_if_absent(collection, None, &[snapshot], out)?;
            return Ok(is_partial);
        }
        match (self.all, self.reverse) {
            (true, true) => self.print_all(snapshot.records_from_last(), snapshot, gaps, out),
            (true, false) => self.print_all(snapshot.records(), snapshot, gaps, out),
            (false, _) => self.print_counts(count(snapshot, gaps)?, out).map(|()| false),
        }
    }

    fn print_counts(&self, mut counts: Vec<(Nsid, u64)>, out: &mut Output) -> Result<()> {
        if self.reverse {
            counts.reverse();
        }
        counts.truncate(self.limit.unwrap_or(usize::MAX));
        if out.terminal().is_some() {
            return print_collections(&counts, out);
        }
        let row =
            |(name, count): (Nsid, u64)| CollectionRow { collection: name.to_string(), count };
        out.answers(counts.into_iter().map(row))
    }

    fn print_all(
        &self,
        mut entries: impl Iterator<Item = pds::Result<RecordEntry>>,
        snapshot: &Snapshot,
        gaps: &mut Gaps,
        out: &mut Output,
    ) -> Result<bool> {
        let mut left = self.limit.unwrap_or(usize::MAX);
        let terminal = out.terminal().cloned();
        let mut list = terminal.map(|terminal| RecordList::new(&terminal, self.long, self.all));
        let mut progress = Progress::things("records", None);
        while left > 0
            && !out.is_closed()
            && let Some(entry) = entries.next()
        {
            progress.add(1);
            if let Some(entry) = gaps.pass(entry)? {
                match &mut list {
                    Some(list) => list.add(&entry, snapshot, out)?,
                    None => self.print(&entry, snapshot, out)?,
                }
                left -= 1;
            }
        }
        drop(progress);
        let Some(mut list) = list else { return Ok(false) };
        list.finish(out)?;
        Ok(list.has_gaps())
    }

    fn print(&self, entry: &RecordEntry, snapshot: &Snapshot, out: &mut Output) -> Result<()> {
        let RecordEntry { path, cid } = entry;
        // A record that is missing or damaged is listed without a size.
        let size = match self.long.then(|| snapshot.blocks().get(cid)) {
            None | Some(Err(ReadError::Damaged { .. })) => None,
            Some(block) => block?.map(|block| block.bytes().len()),
        };
        out.answer(&RecordRow {
            did: snapshot.commit().known_did(),
            path,
            cid: *cid,
            has_collection: self.all,
            size: self.long.then_some(size),
        })
    }
}

const PROOF: &str =
    "the file is only a part of a repository; pds verify-proof FILE PATH checks a proof";

/// Counts the records of each collection.
fn count(snapshot: &Snapshot, gaps: &mut Gaps) -> Result<Vec<(Nsid, u64)>> {
    let mut counts: BTreeMap<Nsid, u64> = BTreeMap::new();
    let mut progress = Progress::things("records", None);
    for entry in snapshot.records() {
        progress.add(1);
        if let Some(entry) = gaps.pass(entry)? {
            *counts.entry(entry.path.collection).or_default() += 1;
        }
    }
    Ok(counts.into_iter().collect())
}
