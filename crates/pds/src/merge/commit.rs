//! Bringing two lines of commits together.

use crate::base::Base;
use crate::error::{Error, Result};
use crate::history::ancestry::common_ancestor;
use crate::history::ancestry::merged_ref;
use crate::history::handle::History;
use crate::keys::handle::Keys;
use crate::merge::handle::Merge;
use crate::merge::plan::plan;
use crate::merge::plan::{Plan, join};
use crate::model::conflict::Resolution;
use crate::model::finding::Finding;
use crate::model::report::Expected;
use crate::model::revision::Revision;
use crate::model::write::RecordChange;
use crate::reading::Moment;
use crate::snapshot::record_changes;
use crate::transfer::import::has_all;
use crate::transfer::incoming::{Findings, Incoming, unboxed};
use crate::verify::indexed::verify;
use crate::verify::marked::Marked;
use pds_core::car::error::CarError;
use pds_core::car::indexed_file::CarFile;
use pds_core::car::read_at::ReadAt;
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::mst::diff::diff_across;
use pds_store::change::{Applied, Change};
use pds_store::error::{BoxError, StoreError};
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit};
use pds_store::refs::{Expect, RefEdit};
use pds_store::store::Version;

/// How two lines of commits are brought together.
///
/// ```
/// use pds::repo::{MergeOptions, Resolution, Side};
///
/// let rest = Some(Side::Ours);
/// let resolution = Resolution { rest, ..Resolution::default() };
/// let options = MergeOptions { resolution, ..MergeOptions::default() };
/// assert!(options.base.is_none(), "the common ancestor is looked for");
/// ```
#[derive(Clone, Debug, Default)]
pub struct MergeOptions {
    /// The state that both sides started from; it is looked for if it is not given.
    pub base: Option<MergeBase>,
    /// What holds where both sides have changed a record.
    pub resolution: Resolution,
    /// The key that must have signed what comes from a file; the one that is known here if not given.
    /// It counts as the key of that one commit from then on.
    pub key: Option<PublicKey>,
}

/// The state that two sides of a merge started from.
///
/// ```
/// use pds::repo::{MergeBase, MergeOptions};
///
/// let options = MergeOptions { base: Some(MergeBase::Empty), ..MergeOptions::default() };
/// assert_eq!(options.base, Some(MergeBase::Empty));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeBase {
    /// A commit in the store.
    Commit(Cid),
    /// A repository without records: both sides have made all of theirs.
    Empty,
}

/// What a merge has done.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::repo::{How, MergeOptions};
///
/// let merged = repo.merge(&"HEAD".parse()?, &MergeOptions::default())?;
/// assert_eq!((merged.how, merged.changes.len()), (How::Nothing, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Merged {
    /// The commit that the ref names now.
    pub commit: Commit,
    /// How it got there.
    pub how: How,
    /// What that has changed in the records, in key order.
    pub changes: Vec<RecordChange>,
    /// How many blocks were not here before.
    pub new_blocks: u64,
    /// What verifying a file reported that is no reason to refuse it.
    pub findings: Vec<Finding>,
}

/// How a ref came to have what another line of commits has.
///
/// ```
/// use pds::repo::How;
///
/// assert_ne!(How::FastForward, How::Commit);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It had it all.
    Nothing,
    /// By moving to the other commit, which follows on this one, or has all of it.
    FastForward,
    /// By a new signed commit.
    Commit,
}

/// The other side of a merge.
struct Other<'a> {
    commit: Commit,
    /// The blocks that are stored.
    stored: &'a dyn Blocks,
    /// Its blocks and those that are stored.
    blocks: &'a dyn Blocks,
    /// The version of the store that it was compared with.
    version: Version,
    /// Gives the blocks that are to be stored with it; nothing where it is in the store.
    arrive: &'a dyn Fn() -> Arriving<'a>,
    is_here: bool,
    /// The key it is signed with, where that was not known here and had to be said.
    key: Option<&'a PublicKey>,
}

/// What a merge comes to.
struct Step {
    how: How,
    commit: Commit,
    changes: Vec<RecordChange>,
    /// The blocks that it makes.
    new: Vec<Block>,
}

type Arriving<'a> = Box<dyn Iterator<Item = Result<Block, BoxError>> + 'a>;

impl Merge<'_> {
    /// Brings the commits of another ref into the current one: record by record against the state
    /// that both started from.
    ///
    /// Where the current ref has nothing of its own it moves to the other commit. Otherwise one commit
    /// is signed; its `prev` is the present one, and the log says what was merged. Only subtrees that
    /// differ are read.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let note = |text: &str| pds::data::Value::from([("text", pds::data::Value::from(text))]);
    /// use pds::repo::{How, MergeOptions};
    /// use pds::store::{Expect, RefName};
    ///
    /// let draft: RefName = "draft".parse()?;
    /// repo.set_ref(&draft, repo.head()?.expect("init"), Expect::Absent, "branch")?;
    /// repo.on(draft.clone()).put(&"com.example.note/a".parse()?, &note("on the branch"))?;
    /// repo.put(&"com.example.note/b".parse()?, &note("here"))?;
    ///
    /// let merged = repo.merge(&draft.into(), &MergeOptions::default())?;
    /// assert_eq!((merged.how, repo.snapshot()?.records().count()), (How::Commit, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Conflicts`] when both sides have changed a record and it is not said which one holds;
    /// [`Error::Unrelated`] when no common ancestor is known; [`Error::NoSigner`]. Nothing has changed
    /// then.
    pub fn revision(&self, theirs: &Revision, options: &MergeOptions) -> Result<Merged> {
        self.parts.until_first(|| {
            let view = self.parts.store.view()?;
            let commit = History::new(self.parts).resolve_in(view.as_ref(), theirs)?;
            let commit = self.parts.commit_in(view.as_ref(), commit)?;
            let Moment { version, blocks, .. } = self.parts.moment_of(view.as_ref())?;
            drop(view);
            let arrive = || -> Arriving<'_> { Box::new(std::iter::empty()) };
            let other = Other {
                commit,
                stored: blocks.as_ref(),
                blocks: blocks.as_ref(),
                version,
                arrive: &arrive,
                is_here: true,
                key: None,
            };
            self.merge_once(&other, options)
        })
    }

    /// As [`merge`](Self::merge), of the repository in a CAR file of the same account.
    ///
    /// The file is verified as [`import`](Self::import) does. What it has is stored in one step with
    /// the new commit, and the ref `merged` keeps it. Commits that the file has before its own
    /// ([`ExportOptions::chain`](super::ExportOptions::chain)) are used to find the common ancestor.
    ///
    /// # Errors
    ///
    /// As [`merge`](Self::merge) and [`import`](Self::import); [`Error::KeepsMerged`] where the current ref
    /// is `merged`.
    pub fn car<F: ReadAt>(&self, car: &CarFile<F>, options: &MergeOptions) -> Result<Merged> {
        let kept_by = merged_ref();
        if self.parts.name == kept_by {
            return Err(Error::KeepsMerged(kept_by));
        }
        let no_root = || CarError::Header { reason: "the file has no root".to_owned() };
        let root = car.roots().first().copied().ok_or_else(no_root)?;
        self.parts.until_first(|| self.merge_car_once(car, root, options))
    }

    fn merge_car_once<F: ReadAt>(
        &self,
        car: &CarFile<F>,
        root: Cid,
        options: &MergeOptions,
    ) -> Result<Merged> {
        let Moment { version, blocks: stored, .. } = self.parts.moment()?;
        let file = Marked::new(car);
        let both = Overlay { over: &file, under: stored.as_ref() };
        let mut findings = Findings::default();
        let keys = Keys::new(self.parts).key_history()?;
        // A commit that cannot be read is refused below.
        let commit = both.get(&root)?.and_then(|block| Commit::decode(&block).ok());
        if let (Some(commit), Some(expected)) = (&commit, self.parts.known_did()?)
            && *commit.did() != expected
        {
            return Err(Error::WrongDid { expected, found: commit.did().clone() });
        }
        let known = commit.and_then(|commit| keys.of(&commit));
        let key = options.key.as_ref().or(known);
        let named = options.key.as_ref().filter(|named| known != Some(named));
        let expected = Expected { key, ..Expected::default() };
        let report = verify(&both, root, &expected, &mut |finding| findings.add(finding))?;
        let commit = match (report.commit, findings.fatal) {
            (Some(commit), None) => commit,
            (_, Some(finding)) => return Err(Error::Refused(Box::new(finding))),
            (None, None) => return Err(Error::UnknownCommit(root)),
        };
        let arrive = || -> Arriving<'_> {
            let base = self.parts.snapshot().ok().map(|ours| ours.commit().data());
            Box::new(Incoming::new(&file, &both, &commit, base, &expected))
        };
        let other = Other {
            commit: commit.clone(),
            stored: stored.as_ref(),
            blocks: &both,
            version,
            arrive: &arrive,
            is_here: false,
            key: named,
        };
        let merged = self.merge_once(&other, options)?;
        if matches!(merged.how, How::Nothing) {
            Keys::new(self.parts).name_key(&other.commit, named)?;
            // The ref has it all, but some of the blocks may be damaged.
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
        let new_blocks = match how {
            How::Nothing => 0,
            _ => self.store_merge(&base, &commit, new, other)?.new_blocks,
        };
        Ok(Merged { commit, how, changes, new_blocks, findings: Vec::new() })
    }

    /// Works out what is to be done; stores nothing.
    fn step(&self, base: &Base, other: &Other<'_>, options: &MergeOptions) -> Result<Step> {
        let (ours, theirs) = (&base.commit, &other.commit);
        let signing = base;
        if theirs.did() != ours.did() {
            let (expected, found) = (ours.did().clone(), theirs.did().clone());
            return Err(Error::WrongDid { expected, found });
        }
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
            diff_across((store, data), (blocks, Some(to.data())))
        };
        let move_to_theirs = |changes| {
            let (how, commit, new) = (How::FastForward, theirs.clone(), Vec::new());
            Ok(Step { how, commit, changes, new })
        };
        if has(theirs) || theirs.cid() == ours.cid() {
            let (how, commit) = (How::Nothing, ours.clone());
            return Ok(Step { how, commit, changes: Vec::new(), new: Vec::new() });
        }
        // Revs only grow: a base that was said may be later than what it is said to lead to.
        if has(ours) && theirs.rev() > ours.rev() {
            let changes = record_changes(since_base(other.blocks, theirs));
            return move_to_theirs(changes.collect::<Result<_>>()?);
        }
        let records = join(since_base(store, ours), since_base(other.blocks, theirs));
        let Plan { edits, conflicts } = plan(&options.resolution, records)?;
        if !conflicts.is_empty() {
            return Err(Error::Conflicts(conflicts));
        }
        let signer = self.parts.signer_of(signing)?;
        let draft =
            self.parts.draft_edits(signing, theirs.rev(), edits, other.blocks, other.event())?;
        let changes = draft.changes().to_vec();
        // Elsewhere the two were brought together already: with the same commit on both sides the
        // next merge starts from there.
        let has_all = draft.commit().data == theirs.data() && theirs.rev() > ours.rev();
        if has_all && !other.is_here {
            return move_to_theirs(changes);
        }
        let commit = draft.commit().clone().sign(signer)?;
        let mut new = draft.blocks().to_vec();
        new.push(commit.block().clone());
        Ok(Step { how: How::Commit, commit, changes, new })
    }

    /// Stores what arrives and what is new, and moves the ref, in one step.
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
        // A commit that came from a file has no other name, and is the base of the next merge.
        if !other.is_here && commit.cid() != theirs {
            edits.push(RefEdit { name: kept_by, target: Some(theirs), expect: Expect::Any });
        }
        let blocks = (other.arrive)().chain(new.into_iter().map(Ok));
        let mut change = Change::new(other.event()).blocks(blocks).edits(edits);
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

impl Other<'_> {
    fn event(&self) -> Event {
        Event::Merge { other: self.commit.cid(), key: self.key.map(Into::into) }
    }
}
