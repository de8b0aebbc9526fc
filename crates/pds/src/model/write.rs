//! Writes, their options, drafts of commits, and the results of writes.

use pds_core::commit::{Commit, UnsignedCommit};
use pds_core::data::block::Block;
use pds_core::data::cid::Cid;
use pds_core::data::value::Value;
use pds_core::syntax::nsid::Nsid;
use pds_core::syntax::record_path::RecordPath;
use pds_store::event::Event;
use pds_store::refs::Expect;
use pds_store::version::Version;

/// The write or deletion of one record.
#[derive(Clone, Debug)]
pub struct Write {
    pub(crate) target: Target,
    pub(crate) body: Option<Body>,
    pub(crate) expect: Expect,
}

#[derive(Clone, Debug)]
pub(crate) enum Target {
    Path(RecordPath),
    /// The record key is a new TID.
    Collection(Nsid),
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Value(Value),
    Bytes(Vec<u8>),
}

impl Write {
    /// Writes a record, and replaces an existing one.
    #[must_use]
    pub fn put(path: RecordPath, value: Value) -> Self {
        Self { target: Target::Path(path), body: Some(Body::Value(value)), expect: Expect::Any }
    }

    /// Writes a record from its DAG-CBOR.
    #[must_use]
    pub fn put_bytes(path: RecordPath, bytes: impl Into<Vec<u8>>) -> Self {
        let body = Some(Body::Bytes(bytes.into()));
        Self { target: Target::Path(path), body, expect: Expect::Any }
    }

    /// Writes a record that must not exist.
    #[must_use]
    pub fn create(path: RecordPath, value: Value) -> Self {
        Self::put(path, value).expecting(Expect::Absent)
    }

    /// Writes a record that must exist.
    #[must_use]
    pub fn update(path: RecordPath, value: Value) -> Self {
        Self::put(path, value).expecting(Expect::Present)
    }

    /// Writes a new record of a collection. Its key is a new TID.
    #[must_use]
    pub fn add(collection: Nsid, value: Value) -> Self {
        let target = Target::Collection(collection);
        Self { target, body: Some(Body::Value(value)), expect: Expect::Absent }
    }

    /// Writes a new record of a collection from its DAG-CBOR. Its key is a new TID.
    #[must_use]
    pub fn add_bytes(collection: Nsid, bytes: impl Into<Vec<u8>>) -> Self {
        let target = Target::Collection(collection);
        Self { target, body: Some(Body::Bytes(bytes.into())), expect: Expect::Absent }
    }

    /// Deletes a record that must exist.
    #[must_use]
    pub fn delete(path: RecordPath) -> Self {
        Self { target: Target::Path(path), body: None, expect: Expect::Present }
    }

    /// Sets the state that the record must have before the write.
    #[must_use]
    pub fn expecting(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }
}

/// The options of a write.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WriteOptions {
    /// The commit that must be the head. With `None`, the write is repeated on top of a new head.
    pub swap_commit: Option<Cid>,
    /// Accept new references to blobs that are not stored. A stored blob must have the size that the record gives.
    pub allow_missing_blobs: bool,
    /// The message of the log entry: free text on one line, which no code interprets.
    pub message: String,
}

impl WriteOptions {
    /// Requires this commit to be the head.
    #[must_use]
    pub fn swap_commit(mut self, commit: impl Into<Option<Cid>>) -> Self {
        self.swap_commit = commit.into();
        self
    }

    /// Accepts or refuses new references to blobs that are not stored.
    #[must_use]
    pub fn allow_missing_blobs(mut self, allow: bool) -> Self {
        self.allow_missing_blobs = allow;
        self
    }

    /// Sets the message of the log entry.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}

/// The writes of one commit, with their options.
///
/// A slice of writes is a batch with default options.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::{Batch, Write, WriteOptions};
///
/// let note = pds::data::Value::from([("text", pds::data::Value::from("hello"))]);
/// let writes = [Write::put("com.example.note/a".parse()?, note)];
/// let options = WriteOptions::default().message("the first note");
/// repo.write(Batch::new(&writes).with(options))?;
/// assert_eq!(repo.history().log(1)?[0].message, "the first note");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batch<'w> {
    pub(crate) writes: &'w [Write],
    pub(crate) options: WriteOptions,
}

impl<'w> Batch<'w> {
    /// Makes a batch with default options.
    #[must_use]
    pub fn new(writes: &'w [Write]) -> Self {
        Self { writes, options: WriteOptions::default() }
    }

    /// Returns the same batch with other options.
    #[must_use]
    pub fn with(mut self, options: WriteOptions) -> Self {
        self.options = options;
        self
    }
}

impl<'w> From<&'w [Write]> for Batch<'w> {
    fn from(writes: &'w [Write]) -> Self {
        Self::new(writes)
    }
}

impl<'w, const N: usize> From<&'w [Write; N]> for Batch<'w> {
    fn from(writes: &'w [Write; N]) -> Self {
        Self::new(writes)
    }
}

impl<'w> From<&'w Vec<Write>> for Batch<'w> {
    fn from(writes: &'w Vec<Write>) -> Self {
        Self::new(writes)
    }
}

/// The change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// The record.
    pub path: RecordPath,
    /// Its CID before the change. `None` if it was created.
    pub before: Option<Cid>,
    /// Its CID after the change. `None` if it was deleted.
    pub after: Option<Cid>,
}

/// An unsigned commit with its new blocks. Nothing is stored yet.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::Write;
///
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// let draft = repo.draft(&[Write::put("com.example.note/a".parse()?, note)])?;
/// assert_eq!((draft.changes().len(), draft.is_unchanged()), (1, false));
/// assert_eq!(draft.commit().prev, repo.head()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Draft {
    pub(crate) base: Option<Cid>,
    pub(crate) commit: UnsignedCommit,
    pub(crate) blocks: Vec<Block>,
    pub(crate) changes: Vec<RecordChange>,
    pub(crate) base_data: Option<Cid>,
    pub(crate) event: Event,
    pub(crate) message: String,
    /// The version of the store that the draft is based on.
    pub(crate) seen: Version,
}

impl Draft {
    /// Returns the unsigned commit.
    #[must_use]
    pub fn commit(&self) -> &UnsignedCommit {
        &self.commit
    }

    /// Returns the changes, in the order of the first writes of the records.
    #[must_use]
    pub fn changes(&self) -> &[RecordChange] {
        &self.changes
    }

    /// Returns the records and tree nodes that are new with the commit.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Returns whether the draft changes no record. Such a draft needs no signature.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.base_data == Some(self.commit.data)
    }

    /// Returns the state that the ref must have when the commit is stored.
    pub(crate) fn expected(&self) -> Expect {
        self.base.map_or(Expect::Absent, Expect::Exactly)
    }
}

/// The result of a write.
#[derive(Clone, Debug)]
pub struct Written {
    /// The new commit, or the present one if nothing changed.
    pub commit: Commit,
    /// The changes of the records, in the order of their first writes.
    pub changes: Vec<RecordChange>,
}
