//! Blocks and names, kept.
//!
//! Vocabulary: a *ref* is a name that points at a commit; an *edit* moves one ref, if it stands
//! where the writer thinks; the *log* has a row for every move; *meta* is a few texts about the
//! repository as a whole.
//!
//! A store knows bytes and names only: not what a commit is, not what a tree is. Blocks are added
//! and refs are moved by one method, [`Store::apply`], all or nothing, so that a ref never points
//! at something that is not there. Only [`Store::sweep`] deletes; [`Store::mend`] replaces what is
//! not what its name says.
//!
//! [`MemoryStore`] is the specification that can be read; every store passes the suite in
//! `conformance` (feature `testing`).

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod error;
mod memory;
mod ref_name;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::ops::ControlFlow;

pub use error::StoreError;
pub use memory::MemoryStore;
pub use ref_name::{RefName, RefNameError};
#[cfg(feature = "sqlite")]
pub use sqlite::{FORMAT, Salvaged, SalvagedRef, SqliteStore};

use crate::data::{Block, Blocks, Cid};

/// What a writer thinks about the present value of a ref or of a record.
///
/// ```
/// use pds::data::{Cid, Codec};
/// use pds::store::Expect;
///
/// let cid = Cid::of(Codec::Cbor, b"\xa0");
/// assert!(Expect::Exactly(cid).holds(Some(cid)) && !Expect::Absent.holds(Some(cid)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// Whatever it is.
    #[default]
    Any,
    /// It does not exist.
    Absent,
    /// It exists.
    Present,
    /// It exists and has this value.
    Exactly(Cid),
}

impl Expect {
    /// Tells whether the expectation holds.
    #[must_use]
    pub fn holds(&self, found: Option<Cid>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
            Self::Exactly(cid) => found == Some(*cid),
        }
    }
}

/// A ref to be moved, created, or removed.
///
/// ```
/// use pds::store::{Expect, MemoryStore, RefEdit, RefName, Store};
///
/// let gone = RefEdit { name: RefName::head(), target: None, expect: Expect::Present };
/// let nothing = &mut std::iter::empty();
/// assert!(MemoryStore::default().apply(nothing, &[gone], "note").is_err(), "there is no HEAD");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefEdit {
    /// Which one.
    pub name: RefName,
    /// Where to; `None` removes it. The block must be in the store when the edits are made.
    pub target: Option<Cid>,
    /// Where it must stand for this to happen.
    pub expect: Expect,
}

/// Every ref at one moment.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let refs = repo.store().refs()?;
/// assert_eq!(refs.get(repo.ref_name()), repo.head()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refs {
    /// A number that grows with every [`Store::apply`], and when the log is told anew.
    pub version: u64,
    /// The refs, by name.
    pub entries: Vec<(RefName, Cid)>,
}

impl Refs {
    /// Returns what a ref points at.
    #[must_use]
    pub fn get(&self, name: &RefName) -> Option<Cid> {
        self.entries.iter().find(|(found, _)| found == name).map(|(_, cid)| *cid)
    }

    /// Makes the edits that have led to a version, if nothing else has happened in between.
    #[cfg(feature = "sqlite")]
    fn follow(&mut self, edits: &[RefEdit], version: u64) {
        if self.version.saturating_add(edits.len() as u64) != version {
            return;
        }
        self.version = version;
        for edit in edits {
            let place = self.entries.binary_search_by(|(name, _)| name.cmp(&edit.name));
            match (place, edit.target) {
                (Ok(at), Some(target)) => self.entries[at].1 = target,
                (Ok(at), None) => drop(self.entries.remove(at)),
                (Err(at), Some(target)) => self.entries.insert(at, (edit.name.clone(), target)),
                (Err(_), None) => {}
            }
        }
    }
}

/// One move of one ref.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// let first = &repo.log(1)?[0];
/// assert_eq!((first.before, first.after, first.note.as_str()), (None, repo.head()?, "init"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The number of the move; later moves have greater ones.
    pub seq: u64,
    /// Which ref.
    pub name: RefName,
    /// Where it stood.
    pub before: Option<Cid>,
    /// Where it stands.
    pub after: Option<Cid>,
    /// When, in microseconds since 1970.
    pub at_micros: u64,
    /// What for, in a few words.
    pub note: String,
}

/// What an [`apply`](Store::apply) has done.
///
/// ```
/// use pds::data::{Block, Codec};
/// use pds::store::{Expect, MemoryStore, RefEdit, RefName, Store};
///
/// let block = Block::new(Codec::Cbor, *b"\xa0");
/// let (name, target) = (RefName::head(), Some(block.cid()));
/// let edit = RefEdit { name, target, expect: Expect::Any };
/// let store = MemoryStore::default();
/// let applied = store.apply(&mut [Ok(block)].into_iter(), &[edit], "note")?;
/// assert_eq!((applied.new_blocks, applied.version), (1, store.refs()?.version));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// How many of the blocks were not there before.
    pub new_blocks: u64,
    /// The version of the store now.
    pub version: u64,
}

/// What is to leave a store, and what is to be said about it.
///
/// ```
/// use pds::store::{MemoryStore, Store, StoreError, Sweep};
///
/// let everything = Sweep { as_of: 7, live: &|_| false, absent: &|_| false, log: None, meta: &[], dry_run: false };
/// assert!(matches!(MemoryStore::default().sweep(&everything), Err(StoreError::Changed)));
/// ```
#[derive(Clone, Copy)]
pub struct Sweep<'a> {
    /// The version of the store that was looked at.
    pub as_of: u64,
    /// Tells which blocks stay.
    pub live: &'a dyn Fn(&Cid) -> bool,
    /// Tells which blocks were not there when it was looked at what lives; no version tells of those that a
    /// [`mend`](Store::mend) has brought back.
    pub absent: &'a dyn Fn(&Cid) -> bool,
    /// What the log is to tell from now on, oldest first, if anything else than before. It is not
    /// empty: the last move in it gets the number of the new version.
    pub log: Option<&'a [LogEntry]>,
    /// Texts about the repository that are set or removed with it.
    pub meta: &'a [(&'a str, Option<&'a str>)],
    /// Tell what would leave, and change nothing.
    pub dry_run: bool,
}

/// What a [`sweep`](Store::sweep) has done.
///
/// ```
/// use pds::store::{MemoryStore, Store, Sweep};
///
/// let nothing = Sweep { as_of: 0, live: &|_| true, absent: &|_| false, log: None, meta: &[], dry_run: false };
/// let swept = MemoryStore::default().sweep(&nothing)?;
/// assert_eq!((swept.blocks, swept.bytes, swept.version), (0, 0, 0));
/// # Ok::<(), pds::store::StoreError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweptBlocks {
    /// How many blocks left.
    pub blocks: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// How many bytes the blocks have that stay.
    pub kept_bytes: u64,
    /// The version of the store now.
    pub version: u64,
}

/// Blocks on their way into a store; an error in it ends the whole undertaking.
pub type BlockStream<'a> = dyn Iterator<Item = Result<Block, BoxError>> + 'a;

/// An error of a layer that a store does not know.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A place where blocks and refs are kept.
///
/// Everything that [`apply`](Self::apply) has acknowledged survives a crash, as far as the back end
/// is one that survives anything.
///
/// ```
/// use pds::store::{MemoryStore, Store};
///
/// fn is_empty(store: &dyn Store) -> bool {
///     store.block_count().is_ok_and(|count| count == 0)
/// }
/// assert!(is_empty(&MemoryStore::default()));
/// ```
pub trait Store: Blocks {
    /// Tells whether the blocks stay in memory anyway, so that to hold on to one takes no more of it.
    fn in_memory(&self) -> bool {
        false
    }

    /// Reads all refs, with the version of the store.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn refs(&self) -> Result<Refs, StoreError>;

    /// Reads where one ref stands; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn get_ref(&self, name: &RefName) -> Result<Option<Cid>, StoreError> {
        Ok(self.refs()?.get(name))
    }

    /// Adds blocks and makes edits, all or nothing, and logs each edit with a note.
    ///
    /// There is at least one edit: blocks come in because a ref needs them. The stream may read from
    /// this store while it is consumed. Blocks that are there already are left as they are.
    ///
    /// # Errors
    ///
    /// [`StoreError::Moved`] when an expectation does not hold, [`StoreError::TargetMissing`] when a
    /// target would not be in the store, [`StoreError::Blocks`] when the stream fails. Nothing has
    /// changed then.
    fn apply(
        &self,
        blocks: &mut BlockStream<'_>,
        edits: &[RefEdit],
        note: &str,
    ) -> Result<Applied, StoreError>;

    /// Reads the latest moves of one ref, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn log(&self, name: &RefName, limit: usize) -> Result<Vec<LogEntry>, StoreError>;

    /// Reads every move of every ref, oldest first, also of refs that were removed.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn moves(&self) -> Result<Vec<LogEntry>, StoreError>;

    /// Deletes every block that does not live, and tells the log and the texts anew, all or
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Changed`] when the store has another version than the one that was looked at, or a block
    /// that was absent, [`StoreError::NoEdits`] when nothing would be left in the log. Nothing has changed then.
    fn sweep(&self, sweep: &Sweep<'_>) -> Result<SweptBlocks, StoreError>;

    /// Rewrites what is kept, so that nothing of what was swept is left where it was kept, and the
    /// room it took is given back.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`] when somebody who is still reading stands in the way: remains may be
    /// left until this is done again.
    fn compact(&self) -> Result<(), StoreError>;

    /// Counts the blocks.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn block_count(&self) -> Result<u64, StoreError>;

    /// Asks the back end about the form of what it keeps, and returns what it finds wrong; nothing when all
    /// is well. Blocks are not hashed.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it cannot be read at all.
    fn check(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Reads a text about the repository as a whole.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn meta(&self, key: &str) -> Result<Option<String>, StoreError>;

    /// Sets or removes a text about the repository as a whole.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn set_meta(&self, key: &str, value: Option<&str>) -> Result<(), StoreError>;

    /// Shows every block as it stands, its name and its bytes, whether or not they belong together.
    ///
    /// This is for looking at damage; everything else reads through [`Blocks`], which checks. The order
    /// means nothing. The visitor may read the store.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when the rest cannot be read; what could be has been shown then.
    fn scan(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError>;

    /// Drops what stands under some names without hashing to them, and adds blocks, in one step.
    ///
    /// A block that is as it should be stays, whatever is asked. No ref moves, so there is no row in
    /// the log: a state that was here is whole again, and none is new.
    ///
    /// # Errors
    ///
    /// [`StoreError::Blocks`] when the stream fails. Nothing has changed then.
    fn mend(&self, blocks: &mut BlockStream<'_>, damaged: &[Vec<u8>])
    -> Result<Mended, StoreError>;
}

/// Whoever looks at blocks as they stand: the name, the bytes, and whether to go on.
pub type Visitor<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// What a [`mend`](Store::mend) has done.
///
/// ```
/// use pds::data::{Block, Codec};
/// use pds::store::{MemoryStore, Store};
///
/// let block = Block::new(Codec::Cbor, *b"\xa0");
/// let name = block.cid().as_bytes().to_vec();
/// let mended = MemoryStore::default().mend(&mut [Ok(block)].into_iter(), &[name])?;
/// assert_eq!((mended.added, mended.dropped), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mended {
    /// How many of the blocks were not there before, or not as they should be.
    pub added: u64,
    /// How many damaged blocks are gone.
    pub dropped: u64,
}

/// The key of the text that says up to which row a log was read of which not all could be: where rows up to
/// that one say otherwise, `refs` is right of those it has, and with the word `refs` of those it has not.
pub(crate) const META_LOG_CUT: &str = "log-cut";

/// The time of a log row; a clock before 1970 counts as 1970.
fn now_micros() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
