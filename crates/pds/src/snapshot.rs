//! A repository at one commit, and the records in it.

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::model::write::RecordChange;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, Blocks};
use pds_core::data::cid::Cid;
use pds_core::data::error::DataError;
use pds_core::data::value::Value;
use pds_core::mst::cache::NodeCache;
use pds_core::mst::diff::{Change, diff_across};
use pds_core::mst::error::MstError;
use pds_core::mst::key::Key;
use pds_core::mst::range::{Entry, Range, range};
use pds_core::mst::tree::Tree;
use pds_core::syntax::nsid::Nsid;
use pds_core::syntax::record_key::RecordKey;
use pds_core::syntax::record_path::RecordPath;
use serde::de::DeserializeOwned;

/// A repository at one commit, read from any source of blocks: a store, or a CAR file.
///
/// ```no_run
/// use std::sync::Arc;
/// use pds::car::CarFile;
/// use pds::Snapshot;
///
/// let file = CarFile::open(std::fs::File::open("backup.car")?)?;
/// let commit = file.roots()[0];
/// let snapshot = Snapshot::open(Arc::new(file), commit)?;
/// for entry in snapshot.records() {
///     println!("{}", entry?.path);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Snapshot {
    blocks: Arc<dyn Blocks>,
    commit: Commit,
    cache: Option<Arc<NodeCache>>,
}

/// A record with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The path of the record.
    pub path: RecordPath,
    /// The bytes and the CID of the record.
    pub block: Block,
}

/// The path and CID of a record, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordEntry {
    /// The path of the record.
    pub path: RecordPath,
    /// The CID of the record.
    pub cid: Cid,
}

/// The options of a listing: its start and its direction.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::ListOptions;
///
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// for rkey in ["a", "b", "c"] {
///     repo.put(&format!("com.example.note/{rkey}").parse()?, &note)?;
/// }
/// let options = ListOptions::default().after("c".parse::<pds::syntax::RecordKey>()?).reverse(true);
/// let snapshot = repo.snapshot()?;
/// let first = snapshot.list(&"com.example.note".parse()?, &options).next().expect("there is one")?;
/// assert_eq!(first.path.rkey.as_str(), "b");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ListOptions {
    /// List only the records after this key, in the direction of the listing.
    pub after: Option<RecordKey>,
    /// List from the last record to the first.
    pub reverse: bool,
}

impl ListOptions {
    /// Sets the key that the listing starts after.
    #[must_use]
    pub fn after(mut self, after: impl Into<Option<RecordKey>>) -> Self {
        self.after = after.into();
        self
    }

    /// Sets the direction of the listing.
    #[must_use]
    pub fn reverse(mut self, reverse: bool) -> Self {
        self.reverse = reverse;
        self
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("commit", &self.commit.cid()).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Opens the repository at a commit.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCommit`] if the commit is missing, [`Error::Commit`] if the block is not a commit.
    pub fn open(blocks: Arc<dyn Blocks>, commit: Cid) -> Result<Self> {
        let commit = read_commit(blocks.as_ref(), commit)?;
        Ok(Self::at(blocks, commit))
    }

    /// Opens the repository at a commit that may have malformed fields; see [`Commit::decode_with_faults`].
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), if the block is not a commit or names no tree.
    pub fn open_with_faults(blocks: Arc<dyn Blocks>, commit: Cid) -> Result<Self> {
        let block = blocks.get(&commit)?.ok_or(Error::UnknownCommit(commit))?;
        let commit = Commit::decode_with_faults(&block)?;
        Ok(Self::at(blocks, commit))
    }

    /// Makes a snapshot of a decoded commit.
    pub(crate) fn at(blocks: Arc<dyn Blocks>, commit: Commit) -> Self {
        Self { blocks, commit, cache: None }
    }

    /// Returns the same snapshot with a cache of tree nodes. It adds the nodes that it reads to the cache.
    ///
    /// The snapshots of a [`Repo`](super::Repo) have the cache of the repository.
    #[must_use]
    pub fn cached(self, cache: Arc<NodeCache>) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Returns the commit.
    #[must_use]
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Returns the source of the blocks.
    #[must_use]
    pub fn blocks(&self) -> &dyn Blocks {
        self.blocks.as_ref()
    }

    /// Returns the tree. It can be walked, and changed in memory.
    #[must_use]
    pub fn tree(&self) -> Tree<'_> {
        Tree::open(self.blocks(), self.commit.data()).cached(self.cache.as_deref())
    }

    fn range(&self, keys: impl RangeBounds<Key>) -> Range<'_> {
        range(self.blocks(), self.commit.data(), keys).cached(self.cache.as_deref())
    }

    /// Reads a record. Returns `None` if the record does not exist.
    ///
    /// # Errors
    ///
    /// [`Error::Mst`] if the tree cannot be read, [`Error::RecordMissing`] if the block of the record is missing.
    pub fn find(&self, path: &RecordPath) -> Result<Option<Record>> {
        let Some(cid) = self.find_cid(path)? else {
            return Ok(None);
        };
        let missing = || Error::RecordMissing { path: path.to_string(), cid };
        let block = self.blocks.get(&cid)?.ok_or_else(missing)?;
        Ok(Some(Record { path: path.clone(), block }))
    }

    /// Returns the CID of a record, without reading the record.
    ///
    /// # Errors
    ///
    /// [`Error::Mst`] if the tree cannot be read.
    pub fn find_cid(&self, path: &RecordPath) -> Result<Option<Cid>> {
        Ok(self.tree().get(&path.to_key())?)
    }

    /// Iterates over the records of a collection, in key order.
    pub fn list(
        &self,
        collection: &Nsid,
        options: &ListOptions,
    ) -> impl Iterator<Item = Result<RecordEntry>> + use<'_> {
        let range = self.range(bounds(collection, options));
        entries(if options.reverse { range.reversed() } else { range })
    }

    /// Iterates over all records, in key order. Each unreadable part of the tree is one error; the iteration
    /// continues with the records after it.
    pub fn records(&self) -> impl Iterator<Item = Result<RecordEntry>> + use<'_> {
        entries(self.range(..))
    }

    /// Iterates over all records, from the last one to the first; see [`records`](Self::records).
    pub fn records_from_last(&self) -> impl Iterator<Item = Result<RecordEntry>> + use<'_> {
        entries(self.range(..).reversed())
    }

    /// Counts the records of each collection, in the order of their names.
    ///
    /// # Errors
    ///
    /// As [`records`](Self::records).
    pub fn collections(&self) -> Result<Vec<(Nsid, u64)>> {
        let mut counts: Vec<(Nsid, u64)> = Vec::new();
        for entry in self.records() {
            let collection = entry?.path.collection;
            match counts.last_mut() {
                Some((last, count)) if *last == collection => *count += 1,
                _ => counts.push((collection, 1)),
            }
        }
        // Records sort by the whole path, in which `a.b-c` comes before `a.b`.
        counts.sort_unstable();
        Ok(counts)
    }

    /// Iterates over the changes from this snapshot to a later one, in key order.
    ///
    /// The snapshots may have different sources of blocks. Subtrees that both share are not read.
    pub fn diff<'a>(
        &'a self,
        after: &'a Self,
    ) -> impl Iterator<Item = Result<RecordChange>> + use<'a> {
        let before = (self.blocks(), Some(self.commit.data()));
        let diff = diff_across(before, (after.blocks(), Some(after.commit.data())));
        record_changes(diff.cached_across(self.cache.as_deref(), after.cache.as_deref()))
    }
}

/// Reads a commit.
pub(crate) fn read_commit(blocks: &dyn Blocks, cid: Cid) -> Result<Commit> {
    let block = blocks.get(&cid)?.ok_or(Error::UnknownCommit(cid))?;
    Ok(Commit::decode(&block)?)
}

/// Converts the differences of two trees to changes of records.
pub(crate) fn record_changes(
    diff: impl Iterator<Item = Result<Change, MstError>>,
) -> impl Iterator<Item = Result<RecordChange>> {
    diff.map(|change| {
        let change = change?;
        let path = record_path(change.key.as_bytes())?;
        Ok(RecordChange { path, before: change.before, after: change.after })
    })
}

/// Returns the bounds of the keys that a listing covers.
pub(crate) fn bounds(collection: &Nsid, options: &ListOptions) -> (Bound<Key>, Bound<Key>) {
    // A slash follows the collection, and `0` is the character after the slash.
    let key = |text: String| Key::new(text.into_bytes()).ok();
    let first = key(format!("{collection}/"));
    let end = key(format!("{collection}0"));
    let after = options.after.as_ref().and_then(|rkey| key(format!("{collection}/{rkey}")));
    let excluded = |key: Option<Key>| key.map_or(Bound::Unbounded, Bound::Excluded);
    match (after, options.reverse) {
        (None, _) => (excluded(first), excluded(end)),
        (after, false) => (excluded(after), excluded(end)),
        (after, true) => (excluded(first), excluded(after)),
    }
}

/// Converts the entries of a range to records.
pub(crate) fn entries(range: Range<'_>) -> impl Iterator<Item = Result<RecordEntry>> + use<'_> {
    range.map(|entry| record_entry(&entry?))
}

fn record_entry(entry: &Entry) -> Result<RecordEntry> {
    Ok(RecordEntry { path: record_path(entry.key.as_bytes())?, cid: entry.value })
}

pub(crate) fn record_path(key: &[u8]) -> Result<RecordPath> {
    RecordPath::from_bytes(key).map_err(|_| Error::Path { key: key.escape_ascii().to_string() })
}

impl Record {
    /// Returns the CID of the record.
    #[must_use]
    pub fn cid(&self) -> Cid {
        self.block.cid()
    }

    /// Decodes the record.
    ///
    /// # Errors
    ///
    /// [`DataError`] if the record does not follow the data model. [`Record::block`] still has its bytes.
    pub fn value(&self) -> Result<Value, DataError> {
        Value::decode(self.block.bytes())
    }

    /// Decodes the record to a type that serde can deserialize, as [`Value::deserialize_to`] does.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// use pds::Value;
    ///
    /// #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    /// struct Note {
    ///     text: String,
    /// }
    ///
    /// let (path, note) = ("com.example.note/first".parse()?, Note { text: "hi".to_owned() });
    /// repo.put(&path, &Value::from_serialize(&note)?)?;
    /// let record = repo.find(&path)?.expect("it was just put");
    /// assert_eq!(record.deserialize::<Note>()?, note);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`value`](Self::value), and [`DataError::Type`] if the record does not fit the type.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        self.value()?.deserialize_to()
    }
}
