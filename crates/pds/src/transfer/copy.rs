//! The copy of a whole repository: refs, log, history, facts and blobs.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::facts;
use crate::history::log_pages::LogPages;
use crate::keys::handle::Keys;
use crate::model::report::Expected;
use crate::parts::Parts;
use crate::reading::{Moment, Reading};
use crate::run_ahead::ahead;
use crate::transfer::admission::check_account;
use crate::transfer::bring_blobs::{CopiedBlobs, copy_all_blobs};
use crate::transfer::handle::Transfer;
use crate::transfer::import::Imported;
use crate::transfer::incoming::{Incoming, unboxed};
use crate::transfer::state_blocks::{AllBlocks, StateBlocks, states_of};
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::Block;
use pds_core::data::cid::Cid;
use pds_store::change::Change;
use pds_store::error::{BoxError, StoreError};
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::log::LogEntry;
use pds_store::refs::{Expect, RefEdit, Refs};
use pds_store::store::View;
use pds_store::version::Version;

/// The result of a copy.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// # repo.put(&"com.example.note/a".parse()?, &note)?;
/// use std::sync::Arc;
/// use pds::blob::MemoryBlobs;
/// use pds::store::MemoryStore;
///
/// let copy = pds::Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
/// let copied = copy.transfer().copy_of(repo.transfer(), None)?;
/// assert_eq!((copied.states, copied.lost.len()), (2, 0), "the first commit, and the one with the record");
/// assert_eq!(copy.history().log(9)?, repo.history().log(9)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Copied {
    /// The present state, and the number of all blocks.
    pub present: Imported,
    /// The number of different commits that refs and the log name.
    pub states: u64,
    /// Blocks of past states that the other repository lacks or has damaged, except its known losses. They are known
    /// losses of the copy.
    pub lost: Vec<Cid>,
    /// The blobs.
    pub blobs: CopiedBlobs,
}

impl Transfer<'_> {
    /// Copies another repository into this one, which must be empty: all refs, the log, the states that both name,
    /// the account, the known keys, the known losses, and all blobs.
    ///
    /// The present state is checked as in [`import`](Self::import). If no key is given, its signature must be that
    /// of the known key of the other repository. All other blocks are hashed, and the form of commits and nodes is
    /// checked. Blobs are hashed; damaged ones are not copied. The cost is proportional to the size of the other
    /// repository, and memory use grows with its number of blocks.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::WrongDid`] as in [`import`](Self::import); [`Error::StateLost`] if a ref points
    /// to a damaged state; [`Error::Store`] if this repository is not empty. After an error, no record is stored,
    /// and some blobs may be.
    pub fn copy_of(&self, other: Transfer<'_>, key: Option<&PublicKey>) -> Result<Copied> {
        let copied = self.parts.until_unchanged(|| self.copy_once(other.parts, key))?;
        self.name_key(&copied.present.commit, key)?;
        Ok(copied)
    }

    fn copy_once(&self, other: &Parts, key: Option<&PublicKey>) -> Result<Copied> {
        let Original { moment, head, kept, losses, left_out } = Original::of(other)?;
        let is_left_out = |cid: &Cid| left_out.contains(cid);
        let blobs = copy_all_blobs(
            self.parts.blobs.as_ref(),
            other.blobs.as_ref(),
            &is_left_out,
            self.progress,
        )?;
        let known = Keys::new(other).of(&head)?;
        let key = key.or(known.as_ref());
        let expected = Expected::default().key(key).accept_clock(self.parts.accepts_clock);
        let states = states_of(other, &moment, Some(head.cid()))?;
        let count = states.len() as u64 + 1;
        let reading: &Reading = moment.blocks.as_ref();
        let mut blocks = AllBlocks {
            head: Incoming::new(reading, &head, None, &expected).collecting(),
            others: StateBlocks::new(reading, head.did(), states, head.cid()),
            progress: self.progress,
        };
        let new_blocks = self.store_copy(other, &moment, kept, &mut blocks)?;
        let AllBlocks { head: Incoming { mut check, findings, .. }, others, .. } = blocks;
        let mut lost = others.lost;
        lost.retain(|cid| !losses.contains(cid));
        if !lost.is_empty() {
            let facts = lost.iter().map(|cid| FactEdit::Set(Fact::Loss(*cid)));
            self.parts.store.apply(Change::new(Event::Repair).facts(facts))?;
        }
        let present = Imported::new(head.clone(), None, new_blocks, &mut check, findings);
        Ok(Copied { present, states: count, lost, blobs })
    }

    /// Stores all blocks, the log, the refs and the facts in one change. Returns the number of blocks.
    fn store_copy(
        &self,
        other: &Parts,
        moment: &Moment,
        facts: Vec<FactEdit>,
        blocks: &mut AllBlocks<'_>,
    ) -> Result<u64> {
        let size = |block: &Result<Block, BoxError>| block.as_ref().map_or(0, |b| b.bytes().len());
        let admitted = ahead(self.jobs, blocks, size, |blocks| {
            let change = Change::new(Event::Import { key: None, replaces: None, begins: true })
                .blocks(blocks)
                .history(Rows::of(other, moment.version))
                .edits(edits(&moment.refs))
                .facts(facts);
            self.parts.store.apply(change).map_err(Error::from)
        });
        Ok(admitted.map_err(unboxed)?.new_blocks)
    }

    /// Records the key that a user has named for the present commit.
    fn name_key(&self, commit: &Commit, key: Option<&PublicKey>) -> Result<()> {
        let keys = Keys::new(self.parts);
        match key {
            Some(key) if keys.known()?.is_none() => keys.remember(key),
            key => keys.name_key(commit, key),
        }
    }
}

/// A repository at the start of a copy.
struct Original {
    moment: Moment,
    head: Commit,
    /// The facts that the copy keeps.
    kept: Vec<FactEdit>,
    /// The known losses.
    losses: HashSet<Cid>,
    /// The blobs that are still to be deleted.
    left_out: HashSet<Cid>,
}

impl Original {
    fn of(parts: &Parts) -> Result<Self> {
        let view = parts.store.view()?;
        let head = parts.head_in(view.as_ref())?;
        check_account(view.as_ref(), &head, None)?;
        let (moment, kept) = (parts.moment_of(view.as_ref())?, kept_facts(view.as_ref())?);
        let losses = facts::losses(view.as_ref())?;
        let left_out = facts::erasures(view.as_ref())?;
        Ok(Self { moment, head, kept, losses, left_out })
    }
}

/// Returns the facts that are true of a copy, too. Deletions that are not complete concern the files of the original.
fn kept_facts(view: &dyn View) -> Result<Vec<FactEdit>> {
    let mut kept = Vec::new();
    let kinds = FactKind::ALL.into_iter();
    for kind in kinds.filter(|kind| !matches!(kind, FactKind::Erasure | FactKind::Erasing)) {
        view.facts(kind, &mut |fact| {
            kept.push(FactEdit::Set(fact));
            ControlFlow::Continue(())
        })?;
    }
    Ok(kept)
}

fn edits(refs: &Refs) -> impl Iterator<Item = RefEdit> + '_ {
    refs.iter().map(|(name, cid)| RefEdit {
        name: name.clone(),
        target: Some(*cid),
        expect: Expect::Absent,
    })
}

/// The rows of the log of the original. If states were deleted meanwhile, the last row is an error.
struct Rows<'p> {
    parts: &'p Parts,
    version: Version,
    pages: Option<LogPages<'p>>,
}

impl<'p> Rows<'p> {
    fn of(parts: &'p Parts, version: Version) -> Self {
        Self { parts, version, pages: Some(LogPages::new(parts.store.as_ref(), version)) }
    }

    fn read(&mut self) -> Result<Option<LogEntry>, StoreError> {
        let Some(pages) = &mut self.pages else { return Ok(None) };
        if let Some(row) = pages.next() {
            return row.map(Some);
        }
        self.pages = None;
        let version = self.parts.store.view()?.version();
        if version.sweep == self.version.sweep { Ok(None) } else { Err(StoreError::Changed) }
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<LogEntry, BoxError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map_err(|error| Error::from(error).into()).transpose()
    }
}
