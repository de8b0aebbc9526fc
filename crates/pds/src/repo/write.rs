//! The way of a write: writes to a draft, a draft with its signature to a commit.

use std::collections::HashSet;

use super::{Error, Repo, Result};
use crate::commit::{Commit, UnsignedCommit};
use crate::crypto::{Signature, Signer};
use crate::data::limits::MAX_WRITTEN_RECORD_BYTES;
use crate::data::{Block, Blocks, Cid, Codec, DataError, Sitting, Value, check_record};
use crate::mst::Key;
use crate::store::{Applied, Expect, RefEdit, StoreError};
use crate::syntax::{Nsid, RecordPath};

/// One record to be written or deleted.
///
/// ```
/// use pds::data::Value;
/// use pds::repo::Write;
///
/// let note = Value::from([("text", Value::from("hello"))]);
/// let writes = [
///     Write::create("com.example.note/a".parse()?, note.clone()),
///     Write::add("com.example.note".parse()?, note),
///     Write::delete("com.example.note/old".parse()?),
/// ];
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Write {
    target: Target,
    body: Option<Body>,
    expect: Expect,
}

#[derive(Clone, Debug)]
enum Target {
    Path(RecordPath),
    /// The record key is a fresh TID.
    Collection(Nsid),
}

#[derive(Clone, Debug)]
enum Body {
    Value(Value),
    Bytes(Vec<u8>),
}

impl Write {
    /// Writes a record, whether it exists or not.
    #[must_use]
    pub fn put(path: RecordPath, value: Value) -> Self {
        Self { target: Target::Path(path), body: Some(Body::Value(value)), expect: Expect::Any }
    }

    /// Writes a record that is DAG-CBOR already.
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

    /// Writes a new record of a collection; its key is a fresh TID.
    #[must_use]
    pub fn add(collection: Nsid, value: Value) -> Self {
        let target = Target::Collection(collection);
        Self { target, body: Some(Body::Value(value)), expect: Expect::Absent }
    }

    /// Writes a new record of a collection that is DAG-CBOR already; its key is a fresh TID.
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

    /// Says what the record must be for the write to happen.
    #[must_use]
    pub fn expecting(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }
}

/// What else is said about a commit.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::data::Value;
/// use pds::repo::{Write, WriteOptions};
///
/// let note = Value::from([("text", Value::from("hi"))]);
/// let options = WriteOptions { swap_commit: repo.head()?, ..WriteOptions::default() };
/// let writes = [Write::put("com.example.note/a".parse()?, note)];
/// repo.write_with(&writes, &options)?;
/// assert!(repo.write_with(&writes, &options).is_err(), "the head has moved");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// The commit that must still be the head; without it a lost race is run again.
    pub swap_commit: Option<Cid>,
    /// Take records whose blobs are not here.
    pub allow_missing_blobs: bool,
    /// What the log says about the commit.
    pub note: String,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { swap_commit: None, allow_missing_blobs: false, note: "write".to_owned() }
    }
}

/// What became of one record.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// let written = repo.put(&"com.example.note/a".parse()?, &note)?;
/// let change = &written.changes[0];
/// assert_eq!((change.before, change.after.is_some()), (None, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// Which record.
    pub path: RecordPath,
    /// Its CID before; `None` when it was created.
    pub before: Option<Cid>,
    /// Its CID after; `None` when it was deleted.
    pub after: Option<Cid>,
}

/// A commit that is still to be signed, with the blocks it brings; nothing is stored yet.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::repo::Write;
///
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// let draft = repo.draft(&[Write::put("com.example.note/a".parse()?, note)])?;
/// assert_eq!((draft.changes().len(), draft.is_unchanged()), (1, false));
/// assert_eq!(draft.commit().prev, repo.head()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Draft {
    base: Option<Cid>,
    commit: UnsignedCommit,
    blocks: Vec<Block>,
    changes: Vec<RecordChange>,
    base_data: Option<Cid>,
    note: String,
}

impl Draft {
    /// Returns the commit that is to be signed.
    #[must_use]
    pub fn commit(&self) -> &UnsignedCommit {
        &self.commit
    }

    /// Returns what changes, in the order of the writes.
    #[must_use]
    pub fn changes(&self) -> &[RecordChange] {
        &self.changes
    }

    /// Returns the records and tree nodes that the commit brings.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Tells whether the repository would be as it was: there is nothing to sign then.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.base_data == Some(self.commit.data)
    }
}

/// What a write has done.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// let written = repo.put(&"com.example.note/a".parse()?, &note)?;
/// assert_eq!(repo.head()?, Some(written.commit.cid()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Written {
    /// The commit that holds now; the one before where nothing changed.
    pub commit: Commit,
    /// What became of each record, in the order of the writes.
    pub changes: Vec<RecordChange>,
}

impl Repo {
    /// Makes all writes in one signed commit, or none.
    ///
    /// # Errors
    ///
    /// [`Error::NoCommit`] before the first commit, [`Error::RefLost`] where the ref is lost; [`Error::NoSigner`], or
    /// [`Error::WrongKey`] when the signer is not the one that commits here are signed with; [`Error::Conflict`] when a record is not what its write expects;
    /// [`Error::Record`], [`Error::WrittenTwice`] and [`Error::BlobMissing`] when a write is not one
    /// that can be made.
    pub fn write(&self, writes: &[Write]) -> Result<Written> {
        self.write_with(writes, &WriteOptions::default())
    }

    /// As [`write`](Self::write), with more to say.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); [`Error::Store`] when the head is no longer `swap_commit`.
    pub fn write_with(&self, writes: &[Write], options: &WriteOptions) -> Result<Written> {
        let attempt = || {
            let sitting = Sitting::begin(self.store.as_ref());
            let draft = self.draft_with(writes, options)?;
            let signer = self.known_signer()?;
            // A signer may be far away.
            drop(sitting);
            self.sign_and_store(draft, signer)
        };
        match options.swap_commit {
            Some(_) => attempt(),
            None => self.until_first(attempt),
        }
    }

    /// Signs and stores a draft; one that changes nothing is dropped.
    pub(super) fn write_once(&self, draft: Draft) -> Result<Written> {
        self.sign_and_store(draft, self.known_signer()?)
    }

    fn sign_and_store(&self, draft: Draft, signer: &dyn Signer) -> Result<Written> {
        if let (true, Some(base)) = (draft.is_unchanged(), draft.base) {
            return Ok(Written { commit: self.commit_at(base)?, changes: draft.changes });
        }
        let commit = draft.commit.clone().sign(signer)?;
        let changes = draft.changes.clone();
        self.store_draft(draft, &commit)?;
        Ok(Written { commit, changes })
    }

    /// Tries until nobody else was faster: what was drafted is void then, and is drafted again.
    pub(super) fn until_first<T>(&self, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        let mut stood = None;
        for _ in 0..MAX_TRIES {
            match attempt() {
                Err(Error::Store(StoreError::Moved { .. })) => {}
                // The state that was being read has left, if somebody moved on and somebody collected. Where
                // the ref stood is asked now for the next time: mostly there is none.
                Err(error) if error.is_corrupt() || error.is_not_found() => {
                    let stands = Some(self.head()?);
                    if std::mem::replace(&mut stood, stands) == stood {
                        return Err(error);
                    }
                }
                ended => return ended,
            }
        }
        attempt()
    }

    /// Works out the commit that some writes make; stores nothing.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn draft(&self, writes: &[Write]) -> Result<Draft> {
        self.draft_with(writes, &WriteOptions::default())
    }

    /// As [`draft`](Self::draft), with more to say.
    ///
    /// # Errors
    ///
    /// As [`write_with`](Self::write_with).
    pub fn draft_with(&self, writes: &[Write], options: &WriteOptions) -> Result<Draft> {
        let base = self.present()?;
        if let Some(expected) = options.swap_commit
            && expected != base
        {
            let (name, expected) = (self.name.clone(), Expect::Exactly(expected));
            return Err(StoreError::Moved { name, expected, found: Some(base) }.into());
        }
        let head = self.commit_at(base)?;
        let mut tree = self.tree_of(&head);
        let mut blocks = Vec::with_capacity(writes.len() * 2);
        let mut changes = Vec::with_capacity(writes.len());
        let mut paths = HashSet::with_capacity(writes.len());
        for write in writes {
            let path = match &write.target {
                Target::Path(path) => path.clone(),
                Target::Collection(collection) => {
                    RecordPath::new(collection.clone(), self.tid_after(Some(&head))?.into())
                }
            };
            if !paths.insert(path.clone()) {
                return Err(Error::WrittenTwice(path));
            }
            let record = write.body.as_ref().map(|body| self.record(&path, body, options));
            let record = record.transpose()?;
            let after = record.as_ref().map(Block::cid);
            let key = Key::new(path.to_key())?;
            let before = match after {
                Some(after) => tree.insert(key, after)?,
                None => tree.remove(key.as_bytes())?,
            };
            // The tree is this draft's own: where an expectation fails, it goes with the draft.
            if !write.expect.holds(before) {
                return Err(Error::Conflict { path, expected: write.expect, found: before });
            }
            blocks.extend(record);
            changes.push(RecordChange { path, before, after });
        }
        let written = tree.write()?;
        blocks.extend(written.nodes);
        let rev = self.tid_after(Some(&head))?;
        let did = head.did().clone();
        let commit = UnsignedCommit { did, data: written.root, rev, prev: Some(base) };
        let (base_data, note) = (Some(head.data()), options.note.clone());
        Ok(Draft { base: Some(base), commit, blocks, changes, base_data, note })
    }

    /// Works out the commit that gives some records other CIDs; their blocks are here, or come
    /// with it. Its rev is later than those of both commits.
    pub(super) fn draft_edits(
        &self,
        head: &Commit,
        later_than: &Commit,
        edits: Vec<RecordChange>,
        records: &dyn Blocks,
        note: String,
    ) -> Result<Draft> {
        let mut tree = self.tree_of(head);
        let mut blocks = Vec::with_capacity(edits.len() * 2);
        for RecordChange { path, after, .. } in &edits {
            // They may be here because of a state that is about to be let go: a commit brings what the one
            // before it does not have.
            if let Some(cid) = *after {
                let missing = || Error::RecordMissing { path: path.to_string(), cid };
                blocks.push(records.get(&cid)?.ok_or_else(missing)?);
            }
            let key = Key::new(path.to_key())?;
            match after {
                Some(after) => tree.insert(key, *after)?,
                None => tree.remove(key.as_bytes())?,
            };
        }
        let written = tree.write()?;
        let rev = self.tid_after(std::cmp::max_by_key(Some(head), Some(later_than), |commit| {
            commit.and_then(Commit::rev)
        }))?;
        let (did, prev) = (head.did().clone(), Some(head.cid()));
        let commit = UnsignedCommit { did, data: written.root, rev, prev };
        let base_data = Some(head.data());
        blocks.extend(written.nodes);
        Ok(Draft { base: prev, commit, blocks, changes: edits, base_data, note })
    }

    /// Stores a draft with a signature that was made elsewhere. One that changes nothing is dropped, as
    /// [`write`](Self::write) does: what is returned is the present commit.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] when the signature is not by the key of this repository, where that is
    /// known; [`Error::Store`] when the head has moved since the draft was made.
    pub fn commit(&self, draft: Draft, signature: Signature) -> Result<Commit> {
        let commit = draft.commit.clone().with_signature(signature);
        if let Some(key) = self.public_key()? {
            commit.verify(&key)?;
        }
        if let (true, Some(base)) = (draft.is_unchanged(), draft.base) {
            return self.commit_at(base);
        }
        self.store_draft(draft, &commit)?;
        Ok(commit)
    }

    pub(super) fn store_draft(&self, draft: Draft, commit: &Commit) -> Result<Applied> {
        let expect = draft.base.map_or(Expect::Absent, Expect::Exactly);
        let applied = self.move_to(commit, draft.blocks, expect, &draft.note)?;
        self.remembered.keep_commit(commit);
        Ok(applied)
    }

    /// Stores a commit with the blocks it brings and moves the ref to it, in one step.
    pub(super) fn move_to(
        &self,
        commit: &Commit,
        blocks: impl IntoIterator<Item = Block>,
        expect: Expect,
        note: &str,
    ) -> Result<Applied> {
        let mut blocks = blocks.into_iter().chain([commit.block().clone()]).map(Ok);
        let edit = RefEdit { name: self.name.clone(), target: Some(commit.cid()), expect };
        Ok(self.store.apply(&mut blocks, &[edit], note)?)
    }

    /// Makes the block of a record that is to be written, and checks that it may be.
    fn record(&self, path: &RecordPath, body: &Body, options: &WriteOptions) -> Result<Block> {
        let refused = |source| Error::Record { path: path.clone(), source };
        let rule = |reason| refused(DataError::Model { place: "/".to_owned(), reason });
        if !path.collection.is_normalized() {
            return Err(rule("the authority of the collection is not in lower case"));
        }
        let bytes = match body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Value(value) => {
                value.check().map_err(refused)?;
                match value {
                    Value::Map(map) if map.get("$type").is_none() => {
                        let mut map = map.clone();
                        map.insert("$type", path.collection.as_str());
                        Value::Map(map).encode()
                    }
                    value => value.encode(),
                }
            }
        };
        if bytes.len() > MAX_WRITTEN_RECORD_BYTES {
            let limit = MAX_WRITTEN_RECORD_BYTES;
            return Err(refused(DataError::TooLarge { bytes: bytes.len(), limit }));
        }
        let facts = check_record(&bytes).map_err(refused)?;
        match facts.record_type {
            Some(kind) if kind == path.collection.as_str() => {}
            Some(_) => return Err(rule("the $type is not the collection")),
            None => return Err(rule("the $type is missing")),
        }
        if !options.allow_missing_blobs {
            // Decoded once more: references of the legacy shape are found by their shape only.
            for blob in Value::decode(&bytes).map_err(refused)?.blobs() {
                // Young again, it is not collected before the record is here.
                if self.blobs.renew(&blob.cid)?.is_none() {
                    return Err(Error::BlobMissing { path: path.clone(), cid: blob.cid });
                }
            }
        }
        Ok(Block::new(Codec::Cbor, bytes))
    }
}

/// How often a lost race is run again. Each time somebody wins, so this is never reached by
/// bad luck alone.
const MAX_TRIES: u32 = 1_000;
