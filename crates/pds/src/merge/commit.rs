//! The merge of two lines of commits, from a ref or from a CAR file.

use crate::commit_base::Base;
use crate::error::{Error, Result};
use crate::history::ancestry::{common_ancestor, merged_ref};
use crate::history::handle::History;
use crate::history::origin::event_of_move;
use crate::keys::handle::Keys;
use crate::merge::handle::Merge;
use crate::merge::other::{BoxedBlocks, Other};
use crate::merge::plan::{join, plan, stopped};
use crate::model::conflict::Resolution;
use crate::model::finding::Finding;
use crate::model::progress::{Progress, StepKind};
use crate::model::report::Expected;
use crate::model::revision::Revision;
use crate::model::write::RecordChange;
use crate::reading::Moment;
use crate::snapshot::record_changes;
use crate::transfer::admission::has_all;
use crate::transfer::bring_blobs::{CopiedBlobs, bring_blobs, wanted_blobs};
use crate::transfer::incoming::{Incoming, root_commit, unboxed};
use crate::transfer::succession::check_same_rev;
use crate::verify::tracked_file::TrackedFile;
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::ReadAt;
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::Block;
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::mst::base_tree::BaseTree;
use pds_core::mst::diff::diff_across;
use pds_store::blob::store::BlobStore;
use pds_store::change::{Applied, Change};
use pds_store::error::StoreError;
use pds_store::fact::{Fact, FactEdit};
use pds_store::refs::{Expect, RefEdit};

/// The options of a merge.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MergeOptions {
    /// The common base of both sides. With `None`, it is the common ancestor.
    pub base: Option<MergeBase>,
    /// The chosen sides of records that both sides changed.
    pub resolution: Resolution,
    /// The key that must have signed a merged CAR file. With `None`, it is the known key. The key is recorded for
    /// that one commit.
    pub key: Option<PublicKey>,
}

impl MergeOptions {
    /// Sets the common base of both sides.
    #[must_use]
    pub fn base(mut self, base: impl Into<Option<MergeBase>>) -> Self {
        self.base = base.into();
        self
    }

    /// Sets the chosen sides of records that both sides changed.
    #[must_use]
    pub fn resolution(mut self, resolution: Resolution) -> Self {
        self.resolution = resolution;
        self
    }

    /// Sets the key that must have signed a merged CAR file.
    #[must_use]
    pub fn key(mut self, key: impl Into<Option<PublicKey>>) -> Self {
        self.key = key.into();
        self
    }
}

/// The common base of the two sides of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeBase {
    /// A stored commit.
    Commit(Cid),
    /// A repository without records: each side created all of its records.
    Empty,
}

/// The result of a merge.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Merged {
    /// The commit that the ref points to after the merge.
    pub commit: Commit,
    /// The kind of the merge.
    pub how: MergeKind,
    /// The changes of records on our side, in key order.
    pub changes: Vec<RecordChange>,
    /// The number of newly stored blocks.
    pub new_blocks: u64,
    /// The blobs that were copied.
    pub blobs: CopiedBlobs,
    /// The findings of a merged CAR file that are no reason to refuse it.
    pub findings: Vec<Finding>,
}

/// The kind of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeKind {
    /// The ref already has all commits of the other side.
    Nothing,
    /// The ref moves to the other commit, which is a descendant or has the merged records.
    FastForward,
    /// A new signed commit merges both sides.
    Commit,
}

/// The outcome of a merge, before it is stored.
struct Step {
    how: MergeKind,
    commit: Commit,
    changes: Vec<RecordChange>,
    /// The new blocks of the merge.
    new: Vec<Block>,
}

impl Merge<'_> {
    /// Merges a commit into the current ref, record by record, against the common base of both.
    ///
    /// If the current ref has no commits of its own, it moves to the other commit. Otherwise a new commit is
    /// signed. Its `prev` is the present commit, and the log records the merged one. Only subtrees that differ
    /// are read.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let note = |text: &str| pds::data::Value::from([("text", pds::data::Value::from(text))]);
    /// use pds::merge::commit::{MergeKind, MergeOptions};
    /// use pds::store::{Expect, RefName};
    ///
    /// let draft: RefName = "draft".parse()?;
    /// repo.history().set_ref(&draft, repo.head()?.expect("init"), Expect::Absent, "branch")?;
    /// repo.on(draft.clone()).put(&"com.example.note/a".parse()?, &note("on the branch"))?;
    /// repo.put(&"com.example.note/b".parse()?, &note("here"))?;
    ///
    /// let merged = repo.merge().revision(&draft.into(), &MergeOptions::default())?;
    /// assert_eq!((merged.how, repo.snapshot()?.records().count()), (MergeKind::Commit, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Conflicts`] if both sides changed a record and the options choose no side; [`Error::Unrelated`]
    /// if no common ancestor is stored; [`Error::SameRev`] if the commits differ and have the same rev;
    /// [`Error::NoSigner`]. After an error, nothing has changed.
    pub fn revision(&self, theirs: &Revision, options: &MergeOptions) -> Result<Merged> {
        self.parts.until_first(|| {
            let view = self.parts.store.view()?;
            let commit = History::new(self.parts).resolve_in(view.as_ref(), theirs)?;
            let commit = self.parts.commit_in(view.as_ref(), commit)?;
            let Moment { version, blocks, .. } = self.parts.moment_of(view.as_ref())?;
            drop(view);
            let arrive = || -> BoxedBlocks<'_> { Box::new(std::iter::empty()) };
            let other = Other {
                commit,
                stored: blocks.as_ref(),
                blocks: blocks.as_ref(),
                version,
                arrive: &arrive,
                is_here: true,
                blobs: None,
                key: None,
            };
            self.merge_once(&other, options)
        })
    }

    /// Merges the repository in a CAR file of the same account, as [`revision`](Self::revision) does.
    ///
    /// The file is verified as in [`import`](crate::transfer::handle::Transfer::import). Its blocks and the new
    /// commit are stored in one change, and the ref `merged` points to the commit of the file. Earlier commits
    /// in the file ([`ExportOptions::chain`](crate::transfer::export::ExportOptions::chain)) help to find the
    /// common ancestor.
    ///
    /// # Errors
    ///
    /// As [`revision`](Self::revision) and [`import`](crate::transfer::handle::Transfer::import);
    /// [`Error::KeepsMerged`] if the current ref is `merged`.
    pub fn car<F: ReadAt>(&self, car: &CarFile<F>, options: &MergeOptions) -> Result<Merged> {
        self.car_with_blobs(car, None, options)
    }

    /// Merges the repository in a CAR file as [`car`](Self::car) does, and copies the blobs that its records refer to
    /// from another blob store. They are copied before the records, and only if there is no conflict.
    ///
    /// # Errors
    ///
    /// As [`car`](Self::car); [`Error::Blob`] if a blob cannot be stored. After an error, some blobs may be stored.
    pub fn car_with_blobs<F: ReadAt>(
        &self,
        car: &CarFile<F>,
        blobs: Option<&dyn BlobStore>,
        options: &MergeOptions,
    ) -> Result<Merged> {
        let kept_by = merged_ref();
        if self.parts.name == kept_by {
            return Err(Error::KeepsMerged(kept_by));
        }
        let no_root = || CarError::Header { reason: "the file has no root".to_owned() };
        let root = car.roots().first().copied().ok_or_else(no_root)?;
        self.parts.until_first(|| self.merge_car_once(car, root, blobs, options))
    }

    fn merge_car_once<F: ReadAt>(
        &self,
        car: &CarFile<F>,
        root: Cid,
        blobs: Option<&dyn BlobStore>,
        options: &MergeOptions,
    ) -> Result<Merged> {
        let Moment { version, refs, blocks: stored } = self.parts.moment()?;
        let file = TrackedFile::new(car);
        let both = Overlay { over: &file, under: stored.as_ref() };
        let commit = root_commit(&both, root)?;
        if let Some(expected) = self.parts.known_did()?
            && *commit.did() != expected
        {
            return Err(Error::WrongDid { expected, found: commit.did().clone() });
        }
        let keys = Keys::new(self.parts).key_history()?;
        let known = keys.of(&commit);
        let key = options.key.as_ref().or(known);
        let named = options.key.as_ref().filter(|named| known != Some(named));
        let (accept_clock, progress) = (self.parts.accepts_clock, self.progress);
        let expected = Expected { key, accept_clock, progress, ..Expected::default() };
        let ours = refs.get(&self.parts.name);
        let ours = ours.and_then(|ours| self.parts.commit_in(stored.as_ref(), ours).ok());
        let is_walked = |cid: &Cid| file.has(cid);
        // The blocks are checked again while they are stored, and count as blocks then.
        let again = Expected { progress: Progress::default(), ..expected };
        let incoming = |expected| {
            let base = ours.as_ref();
            let base = base.map(|ours| BaseTree::new(stored.as_ref(), ours.data(), &is_walked));
            Incoming::new(&both, &commit, base, expected).ending_with(|| file.read_rest())
        };
        let mut checked = incoming(&expected);
        checked.check_all()?;
        let Incoming { mut check, findings, .. } = checked;
        let noted = check.blobs.take().unwrap_or_default();
        let wanted = wanted_blobs(noted.cids, noted.has_more, blobs)?;
        let arrive = || -> BoxedBlocks<'_> { Box::new(incoming(&again)) };
        let other = Other {
            commit: commit.clone(),
            stored: stored.as_ref(),
            blocks: &both,
            version,
            arrive: &arrive,
            is_here: false,
            blobs: blobs.map(|from| (from, &wanted)),
            key: named,
        };
        let merged = self.merge_once(&other, options)?;
        if matches!(merged.how, MergeKind::Nothing) {
            Keys::new(self.parts).name_key(&other.commit, named)?;
            // The ref has all commits, but some of their blocks may be damaged.
            if !has_all(self.parts.store.as_ref(), (other.arrive)())? {
                let cannot = || Error::Store(StoreError::ReadOnly);
                let maintain = self.parts.store.maintain().ok_or_else(cannot)?;
                maintain.replace(&mut (other.arrive)(), &[])?;
            }
        }
        Ok(Merged { findings: findings.kept, ..merged })
    }

    fn merge_once(&self, other: &Other<'_>, options: &MergeOptions) -> Result<Merged> {
        let base = self.parts.base()?;
        if base.version.change != other.version.change {
            return Err(StoreError::Changed.into());
        }
        let Step { how, commit, changes, new } = self.step(&base, other, options)?;
        let blobs = match other.blobs {
            Some((from, wanted)) => {
                bring_blobs(self.parts.blobs.as_ref(), from, wanted, self.progress)?
            }
            None => CopiedBlobs::default(),
        };
        let new_blocks = match how {
            MergeKind::Nothing => 0,
            _ => self.store_merge(&base, &commit, new, other)?.new_blocks,
        };
        Ok(Merged { commit, how, changes, new_blocks, blobs, findings: Vec::new() })
    }

    /// Computes the outcome of a merge, and stores nothing.
    fn step(&self, base: &Base, other: &Other<'_>, options: &MergeOptions) -> Result<Step> {
        let (ours, theirs, signing) = (&base.commit, &other.commit, base);
        if theirs.did() != ours.did() {
            let (expected, found) = (ours.did().clone(), theirs.did().clone());
            return Err(Error::WrongDid { expected, found });
        }
        check_same_rev(ours, theirs)?;
        let base = match options.base {
            Some(MergeBase::Empty) => None,
            Some(MergeBase::Commit(base)) => Some(self.parts.commit_in(other.stored, base)?),
            None => {
                let found = common_ancestor(self.parts.store.as_ref(), other.blocks, ours, theirs)?;
                let (ours, theirs) = (ours.cid(), theirs.cid());
                Some(found.ok_or(Error::Unrelated { ours, theirs })?)
            }
        };
        let has = |commit: &Commit| base.as_ref().is_some_and(|base| base.cid() == commit.cid());
        let store = other.stored;
        let since_base = |blocks, to: &Commit| {
            let data = base.as_ref().map(Commit::data);
            let changes = diff_across((store, data), (blocks, Some(to.data())));
            changes.inspect(|_| self.progress.one(StepKind::Records))
        };
        let move_to_theirs = |changes| {
            let (how, commit, new) = (MergeKind::FastForward, theirs.clone(), Vec::new());
            Ok(Step { how, commit, changes, new })
        };
        if has(theirs) || theirs.cid() == ours.cid() {
            let (how, commit) = (MergeKind::Nothing, ours.clone());
            return Ok(Step { how, commit, changes: Vec::new(), new: Vec::new() });
        }
        // A base that the user named may be later than the other commit. Revs must only grow.
        if has(ours) && theirs.rev() > ours.rev() {
            let changes = record_changes(since_base(other.blocks, theirs));
            return move_to_theirs(changes.collect::<Result<_>>()?);
        }
        let records = join(since_base(store, ours), since_base(other.blocks, theirs));
        let changes = plan(&options.resolution, records)?;
        if !changes.conflicts.is_empty() {
            return Err(stopped(base, ours, theirs, changes));
        }
        let edits = changes.adopted;
        let signer = self.parts.signer_of(signing)?;
        let (after, event) = (theirs.rev(), other.event());
        let draft =
            self.parts.draft_edits(signing, after, edits, other.blocks, event, self.progress)?;
        let changes = draft.changes().to_vec();
        // The other side has the same merged records. With the same commit on both sides, it is the base of
        // the next merge.
        let has_all = draft.commit().data == theirs.data() && theirs.rev() > ours.rev();
        if has_all && !other.is_here {
            return move_to_theirs(changes);
        }
        let commit = draft.commit().clone().sign(signer.as_ref())?;
        let mut new = draft.blocks().to_vec();
        new.push(commit.block().clone());
        Ok(Step { how: MergeKind::Commit, commit, changes, new })
    }

    /// Stores the blocks of the other side and the new blocks, and moves the ref, in one change.
    fn store_merge(
        &self,
        base: &Base,
        commit: &Commit,
        new: Vec<Block>,
        other: &Other<'_>,
    ) -> Result<Applied> {
        let (theirs, kept_by) = (other.commit.cid(), merged_ref());
        let expect = Expect::Exactly(base.commit.cid());
        let mut edits =
            vec![RefEdit { name: self.parts.name.clone(), target: Some(commit.cid()), expect }];
        // No other ref points to the commit of a file, and it is the base of the next merge.
        if !other.is_here && commit.cid() != theirs {
            edits.push(RefEdit { name: kept_by, target: Some(theirs), expect: Expect::Any });
        }
        let blocks = (other.arrive)().chain(new.into_iter().map(Ok));
        let blocks = blocks.inspect(|_| self.progress.one(StepKind::Blocks));
        let event = event_of_move(self.parts, commit.cid(), other.event())?;
        let mut change = Change::new(event).blocks(blocks).edits(edits);
        if let Some(key) = other.key {
            let fact = Fact::NamedKey { commit: theirs, key: key.into() };
            change = change.fact(FactEdit::Set(fact));
        }
        let applied = self.parts.store.apply(change.unless_changed_since(other.version));
        let applied = applied.map_err(|error| unboxed(error.into()))?;
        self.parts.caches.forget_base();
        Ok(applied)
    }
}
