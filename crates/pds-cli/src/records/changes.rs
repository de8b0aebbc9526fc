//! The changes between two states, one at a time, from a repository or from files.

use anyhow::Result;
use pds::data::{Block, Blocks, Cid, ReadError, Value};
use pds::history::comparison::Comparison;
use pds::syntax::Nsid;
use pds::{Error, RecordChange, Snapshot};

use crate::arguments::history_args::PathFilter;
use crate::failures::partial::Gaps;
use crate::process::progress::Progress;
use crate::process::text::say;

/// Two states to compare. `None` before is a state without records.
pub(crate) enum Pair<'r> {
    /// Two commits of one repository.
    Stored(Comparison<'r>),
    /// Two states of any sources.
    Opened { before: Option<Box<Snapshot>>, after: Box<Snapshot> },
}

impl Pair<'_> {
    /// Iterates over the changes of some records, in key order.
    pub(crate) fn changes<'a>(
        &'a self,
        filter: &'a PathFilter,
    ) -> impl Iterator<Item = Result<RecordChange, Error>> + 'a {
        let all: Box<dyn Iterator<Item = Result<RecordChange, Error>> + 'a> = match self {
            Self::Stored(comparison) => Box::new(comparison.changes()),
            Self::Opened { before: Some(before), after } => Box::new(before.diff(after)),
            Self::Opened { before: None, after } => Box::new(after.records().map(|record| {
                let record = record?;
                Ok(RecordChange { path: record.path, before: None, after: Some(record.cid) })
            })),
        };
        let mut progress = Progress::things("changes", None);
        all.inspect(move |_| progress.add(1))
            .filter(|change| change.as_ref().map_or(true, |change| filter.fits(&change.path)))
    }

    /// Reads the old record of a change. Returns `None` if it does not exist.
    pub(crate) fn before(&self, change: &RecordChange) -> Result<Option<Block>> {
        let Some(cid) = change.before else { return Ok(None) };
        match self {
            Self::Stored(comparison) => read(comparison.blocks(), &cid, change),
            Self::Opened { before: Some(before), .. } => read(before.blocks(), &cid, change),
            Self::Opened { before: None, .. } => Ok(None),
        }
    }

    /// Reads the new record of a change. Returns `None` if it does not exist.
    pub(crate) fn after(&self, change: &RecordChange) -> Result<Option<Block>> {
        let Some(cid) = change.after else { return Ok(None) };
        match self {
            Self::Stored(comparison) => read(comparison.blocks(), &cid, change),
            Self::Opened { after, .. } => read(after.blocks(), &cid, change),
        }
    }
}

/// Reads a record; a damaged one counts as missing.
fn read(blocks: &dyn Blocks, cid: &Cid, change: &RecordChange) -> Result<Option<Block>> {
    let missing = || Error::RecordMissing { path: change.path.to_string(), cid: *cid };
    match blocks.get(cid) {
        Err(ReadError::Damaged { .. }) => Err(missing().into()),
        block => Ok(Some(block.map_err(Error::from)?.ok_or_else(missing)?)),
    }
}

/// Changes that are read in order, with the parts that cannot be read.
pub(crate) struct ChangeReader<'a> {
    changes: Box<dyn Iterator<Item = Result<RecordChange, Error>> + 'a>,
    /// Whether the changes are the records of one state, which continue after a missing part.
    is_listing: bool,
    /// Whether another reader of the same changes names the parts that cannot be read.
    is_quiet: bool,
    gaps: Gaps,
    differs: bool,
}

impl<'a> ChangeReader<'a> {
    pub(crate) fn new(pair: &'a Pair<'_>, filter: &'a PathFilter) -> Self {
        let is_listing = matches!(pair, Pair::Opened { before: None, .. });
        let changes = Box::new(pair.changes(filter));
        Self { changes, is_listing, is_quiet: false, gaps: Gaps::default(), differs: false }
    }

    /// Makes a reader that ends at the first part that cannot be read, and reports nothing.
    pub(crate) fn quiet(pair: &'a Pair<'_>, filter: &'a PathFilter) -> Self {
        Self { is_quiet: true, ..Self::new(pair, filter) }
    }

    /// Returns the next change. Parts that cannot be read are named on standard error.
    pub(crate) fn next(&mut self) -> Result<Option<RecordChange>> {
        loop {
            match self.changes.next() {
                None => return Ok(None),
                Some(Ok(change)) => {
                    self.differs = true;
                    return Ok(Some(change));
                }
                Some(Err(Error::Path { .. })) if self.is_quiet => {}
                Some(Err(_)) if self.is_quiet => return Ok(None),
                // The states differ at a key that is not a record path, so no path can be printed.
                Some(Err(error @ Error::Path { .. })) => {
                    self.differs = true;
                    self.gaps.pass_over(error)?;
                }
                Some(Err(error)) if self.is_listing => self.gaps.pass_over(error)?,
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Returns what was read so far.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome { differs: self.differs, is_partial: !self.gaps.is_empty(), is_unread: false }
    }
}

/// The result of showing changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Whether there was a change.
    pub(crate) differs: bool,
    /// Whether a part could not be read or shown.
    pub(crate) is_partial: bool,
    /// Whether this part is the contents of a record.
    pub(crate) is_unread: bool,
}

impl Outcome {
    /// Adds whether the contents of a record could not be read or shown.
    pub(crate) fn and(self, is_unread: bool) -> Self {
        let is_unread = self.is_unread || is_unread;
        Self { is_partial: self.is_partial || is_unread, is_unread, ..self }
    }
}

/// The changes of one collection after the other: their counts, read ahead of the changes themselves.
pub(crate) struct Groups<'a> {
    reader: ChangeReader<'a>,
    next: Option<RecordChange>,
}

impl<'a> Groups<'a> {
    pub(crate) fn new(pair: &'a Pair<'_>, filter: &'a PathFilter) -> Self {
        Self { reader: ChangeReader::quiet(pair, filter), next: None }
    }

    /// Returns the next collection with the counts of its changes.
    pub(crate) fn next(&mut self) -> Result<Option<(Nsid, ChangeCounts)>> {
        let first = match self.next.take() {
            None => self.reader.next()?,
            first => first,
        };
        let Some(first) = first else { return Ok(None) };
        let mut counts = ChangeCounts::default();
        counts.add(&first);
        while let Some(change) = self.reader.next()? {
            if change.path.collection != first.path.collection {
                self.next = Some(change);
                break;
            }
            counts.add(&change);
        }
        Ok(Some((first.path.collection, counts)))
    }
}

/// The contents of a changed record. Versions that cannot be read are named on standard error.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
    /// Whether a version exists that cannot be read.
    pub(crate) is_partial: bool,
}

impl Contents {
    /// Reads both versions of a record that has changed.
    pub(crate) fn of(pair: &Pair<'_>, change: &RecordChange) -> Result<Self> {
        Self::decoded(change, [pair.before(change), pair.after(change)])
    }

    /// Reads both versions of a record from one source.
    pub(crate) fn stored(blocks: &dyn Blocks, change: &RecordChange) -> Result<Self> {
        let version = |cid: Option<Cid>| cid.map_or(Ok(None), |cid| read(blocks, &cid, change));
        Self::decoded(change, [version(change.before), version(change.after)])
    }

    fn decoded(change: &RecordChange, blocks: [Result<Option<Block>>; 2]) -> Result<Self> {
        let mut contents = Self::default();
        let mut values = [&mut contents.before, &mut contents.after];
        for (block, value) in blocks.into_iter().zip(&mut values) {
            let reason = match block {
                Ok(None) => continue,
                Ok(Some(block)) => match Value::decode(block.bytes()) {
                    Ok(decoded) => {
                        **value = Some(decoded);
                        continue;
                    }
                    Err(error) => {
                        format!(
                            "block {} of {} cannot be decoded: {error}",
                            block.cid(),
                            change.path
                        )
                    }
                },
                Err(error) => match error.downcast_ref() {
                    Some(Error::RecordMissing { .. }) => error.to_string(),
                    _ => return Err(error),
                },
            };
            say(&reason);
            contents.is_partial = true;
        }
        Ok(contents)
    }
}

/// The numbers of records that were created, updated and deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangeCounts {
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) deleted: u64,
}

impl ChangeCounts {
    pub(crate) fn add(&mut self, change: &RecordChange) {
        match (change.before, change.after) {
            (None, _) => self.created += 1,
            (Some(_), Some(_)) => self.updated += 1,
            (Some(_), None) => self.deleted += 1,
        }
    }

    pub(crate) fn add_all(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.deleted += other.deleted;
    }

    pub(crate) fn total(self) -> u64 {
        self.created + self.updated + self.deleted
    }

    pub(crate) fn each(self) -> [u64; 3] {
        [self.created, self.updated, self.deleted]
    }
}

/// The counts of a comparison, in total and by collection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counts: ChangeCounts,
    /// The changes of the first collections. Only a summary needs them, so their number is limited.
    pub(crate) collections: Vec<(Nsid, u64)>,
}

impl Tally {
    /// ChangeCounts the changes of a comparison. Returns `None` if a part cannot be read, after naming it.
    ///
    /// Of the changes, only counts are held in memory.
    pub(crate) fn of(pair: &Pair<'_>, filter: &PathFilter) -> Result<Option<Self>> {
        let (mut tally, mut gaps) = (Self::default(), Gaps::default());
        for change in pair.changes(filter) {
            let Some(change) = gaps.pass(change)? else { continue };
            tally.counts.add(&change);
            let has_room = tally.collections.len() < MAX_COLLECTIONS;
            match tally.collections.last_mut() {
                Some((last, count)) if *last == change.path.collection => *count += 1,
                _ if has_room => {
                    tally.collections.push((change.path.collection, 1));
                }
                _ => {}
            }
        }
        Ok(gaps.is_empty().then_some(tally))
    }
}

/// The most collections that a summary of a commit is made of.
const MAX_COLLECTIONS: usize = 100;
