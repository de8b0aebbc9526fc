//! The export to CAR files: canonical, in streamable order, with each record once.

use std::io::{BufWriter, Write};

use crate::error::{Error, Result};
use crate::history::handle::History;
use crate::model::revision::Revision;
use crate::snapshot::Snapshot;
use crate::transfer::handle::Transfer;
use crate::transfer::incoming::Passed;
use crate::transfer::written_blocks::WrittenBlocks;
use pds_core::car::write::CarWriter;
use pds_core::commit::Commit;
use pds_core::data::block::{Block, BlockRef, get_all};
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::mst::contents::{Content, contents};
use pds_core::mst::diff::diff;
use pds_core::mst::error::MstError;
use pds_core::mst::key::Key;

/// The counts of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The number of blocks.
    pub blocks: u64,
    /// The number of bytes, including header and framing.
    pub bytes: u64,
}

/// Writes a snapshot as a CAR file: the commit, then each node followed by its subtrees and records
/// from left to right.
///
/// Equal repositories give equal files. A record that two paths share is written once, at the first path. Memory does not
/// grow with the number of records: the entries of a large tree are read twice, to find the records that paths share.
/// (Specification "Repository", section "CAR File Serialization": streamable order.) The function writes large
/// pieces, so `out` needs no buffer. `progress` is called with the size of each block.
///
/// ```
/// use pds::car::CarFile;
/// use pds::Repo;
/// use pds::transfer::export::export_car;
///
/// let dir = tempfile::tempdir()?;
/// let repo = Repo::create(dir.path().join("alice"), &"did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse()?)?;
/// let mut file = Vec::new();
/// export_car(&repo.snapshot()?, &mut file, &mut |_| {})?;
/// let car = CarFile::open(std::io::Cursor::new(file))?;
/// assert_eq!(Some(car.roots()[0]), repo.head()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Mst`] or [`Error::RecordMissing`] if a block is missing, [`Error::Car`] if the file cannot be written.
pub fn export_car(
    snapshot: &Snapshot,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported> {
    export_with(snapshot, &ExportOptions::default(), out, progress)
}

/// Writes a slice: the commit of a snapshot, and the nodes and records that are new since an earlier snapshot.
///
/// A repository with the earlier snapshot can import the slice. It has every record that was written since, even
/// if the earlier snapshot has the same block at another path.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::transfer::export::export_since;
///
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// let before = repo.snapshot()?;
/// repo.put(&"com.example.note/a".parse()?, &note)?;
/// let slice = export_since(&repo.snapshot()?, &before, &mut Vec::new(), &mut |_| {})?;
/// assert_eq!(slice.blocks, 3, "the commit, a node, a record");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`export_car`].
pub fn export_since(
    snapshot: &Snapshot,
    since: &Snapshot,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported> {
    let options = ExportOptions { since: Some(since), ..ExportOptions::default() };
    export_with(snapshot, &options, out, progress)
}

/// The options of an export.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ExportOptions<'a> {
    /// Export only the nodes and records that are new since this state.
    pub since: Option<&'a Snapshot>,
    /// Append the earlier commits, as far as the chain of `prev` is stored, without their trees. Another
    /// repository needs them to find the common ancestor of a merge.
    pub chain: bool,
}

impl<'a> ExportOptions<'a> {
    /// Sets the state that the exported slice is based on.
    #[must_use]
    pub fn since(mut self, since: impl Into<Option<&'a Snapshot>>) -> Self {
        self.since = since.into();
        self
    }

    /// Appends the earlier commits or not.
    #[must_use]
    pub fn chain(mut self, chain: bool) -> Self {
        self.chain = chain;
        self
    }
}

/// Writes a snapshot or a slice as a CAR file, with options.
///
/// # Errors
///
/// As [`export_car`].
pub fn export_with(
    snapshot: &Snapshot,
    options: &ExportOptions<'_>,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported> {
    let mut car = Once::new(out, snapshot, progress)?;
    match options.since {
        None => car.whole(snapshot, None)?,
        Some(since) => car.slice(snapshot, since)?,
    }
    if options.chain {
        car.chain(snapshot)?;
    }
    car.finish()
}
impl Transfer<'_> {
    /// Writes the repository at a revision as a CAR file; see [`export_car`].
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] if the revision names no commit; otherwise as [`export_car`].
    pub fn export(&self, at: &Revision, out: &mut dyn Write) -> Result<Exported> {
        export_car(&History::new(self.parts).checkout(at)?, out, &mut |_| {})
    }

    /// Writes the changes of a revision since an earlier one as a slice; see [`export_since`].
    ///
    /// # Errors
    ///
    /// [`Error::Revision`] if a revision names no commit; otherwise as [`export_since`].
    pub fn export_since(
        &self,
        at: &Revision,
        since: &Revision,
        out: &mut dyn Write,
    ) -> Result<Exported> {
        export_since(
            &History::new(self.parts).checkout(at)?,
            &History::new(self.parts).checkout(since)?,
            out,
            &mut |_| {},
        )
    }
}

fn record(found: Option<Block>, key: &Key, cid: Cid) -> Result<Block> {
    found.ok_or_else(|| Error::RecordMissing { path: key.to_string(), cid })
}

/// A CAR file that begins with a commit, with the set of its written blocks.
pub(super) struct Once<'a> {
    /// The writer, with a buffer that collects large pieces.
    car: CarWriter<BufWriter<&'a mut dyn Write>>,
    /// The blocks that must not be written twice: records, and blocks that are written outside of a walk.
    written: WrittenBlocks,
    blocks: u64,
    progress: &'a mut dyn FnMut(u64),
}

impl<'a> Once<'a> {
    pub(super) fn new(
        out: &'a mut dyn Write,
        snapshot: &Snapshot,
        progress: &'a mut dyn FnMut(u64),
    ) -> Result<Self> {
        let commit = snapshot.commit().block();
        let out = BufWriter::with_capacity(PIECE_BYTES, out);
        let car = CarWriter::new(out, &[commit.cid()])?;
        let mut once = Self { car, written: WrittenBlocks::default(), blocks: 0, progress };
        once.write(commit.borrowed())?;
        Ok(once)
    }

    /// Writes the tree of a snapshot. Its nodes and records are added to `passed`, which then distinguishes records.
    pub(super) fn whole(
        &mut self,
        snapshot: &Snapshot,
        mut passed: Option<&mut Passed>,
    ) -> Result<()> {
        for content in contents(snapshot.blocks(), snapshot.commit().data()) {
            match content? {
                // A walk yields no node twice. A record with the bytes of a node is written in both places.
                Content::Node(block) => {
                    if let Some(passed) = &mut passed {
                        passed.nodes.insert(&block.cid());
                    }
                    self.append(block.borrowed())?;
                }
                Content::Record { key, value, found } => {
                    let is_first = match &mut passed {
                        Some(passed) => passed.records.insert(&value),
                        None => self.is_first(&value),
                    };
                    if is_first {
                        self.append(record(found?, &key, value)?.borrowed())?;
                    }
                    if self.written.is_full() {
                        self.written.keep_shared(snapshot)?;
                    }
                }
                Content::Again { .. } => {}
            }
        }
        Ok(())
    }

    fn slice(&mut self, snapshot: &Snapshot, since: &Snapshot) -> Result<()> {
        let both = Overlay { over: snapshot.blocks(), under: since.blocks() };
        let (before, after) = (since.commit().data(), snapshot.commit().data());
        let mut changes = diff(&both, Some(before), Some(after));
        let mut changed = Vec::new();
        for change in &mut changes {
            let change = change?;
            changed.extend(change.after.map(|cid| (change.key, cid)));
        }
        let nodes = changes.into_nodes()?.created;
        for (cid, found) in nodes.iter().zip(get_all(&both, &nodes)) {
            let node = found?.ok_or(MstError::Missing { cid: *cid })?;
            self.write(node.borrowed())?;
        }
        changed.retain(|(_, cid)| self.is_first(cid));
        let records: Vec<Cid> = changed.iter().map(|(_, cid)| *cid).collect();
        for ((key, cid), found) in changed.iter().zip(get_all(&both, &records)) {
            self.append(record(found?, key, *cid)?.borrowed())?;
        }
        Ok(())
    }

    fn chain(&mut self, snapshot: &Snapshot) -> Result<()> {
        let mut before = snapshot.commit().prev();
        while let Some(cid) = before
            && let Some(block) = snapshot.blocks().get(&cid)?
        {
            self.write(block.borrowed())?;
            before = Commit::decode(&block)?.prev();
        }
        Ok(())
    }

    /// Notes a block as written. Returns whether it was not written before.
    fn is_first(&mut self, cid: &Cid) -> bool {
        self.written.insert(cid)
    }

    fn write(&mut self, block: BlockRef<'_>) -> Result<()> {
        if self.is_first(&block.cid()) {
            self.append(block)?;
        }
        Ok(())
    }

    /// Writes a block that was not written before.
    pub(super) fn append(&mut self, block: BlockRef<'_>) -> Result<()> {
        self.car.block(block)?;
        self.blocks += 1;
        (self.progress)(block.bytes().len() as u64);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Exported> {
        let (blocks, bytes) = (self.blocks, self.car.bytes());
        self.car.finish()?;
        Ok(Exported { blocks, bytes })
    }
}

/// The size of a written piece.
const PIECE_BYTES: usize = 64 * 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::report::Expected;
    use crate::verify::car::verify_car;
    use pds_core::commit::UnsignedCommit;
    use pds_core::crypto::curve::Curve;
    use pds_core::crypto::signing_key::SigningKey;
    use pds_core::data::block::MemoryBlocks;
    use pds_core::data::cid::Codec;
    use pds_core::mst::build::Builder;
    use pds_core::mst::walk::nodes;

    /// Returns a snapshot of these records, with its blocks.
    fn snapshot(records: &[(String, Block)]) -> Snapshot {
        let mut blocks: MemoryBlocks = records.iter().map(|(_, block)| block.clone()).collect();
        let mut tree = Builder::default();
        for (key, block) in records {
            tree.push(key.as_bytes(), block.cid(), |node| {
                blocks.insert(node);
            })
            .unwrap();
        }
        let data = tree.finish(|node| {
            blocks.insert(node);
        });
        let unsigned = UnsignedCommit {
            did: "did:plc:ewvi7nxzyoun6zhxrhs64oiz".parse().unwrap(),
            data,
            rev: "3jzfcijpj2z2a".parse().unwrap(),
            prev: None,
        };
        let key = SigningKey::generate(Curve::K256).unwrap();
        let commit = unsigned.sign(&key).unwrap();
        blocks.insert(commit.block().clone());
        Snapshot::open(Arc::new(blocks), commit.cid()).unwrap()
    }

    /// Returns the number of blocks in the export of a snapshot, which must be complete.
    fn exported(snapshot: &Snapshot) -> u64 {
        let mut file = Vec::new();
        let exported = export_car(snapshot, &mut file, &mut |_| {}).unwrap();
        let file = std::io::Cursor::new(file);
        let report = verify_car(file, &Expected::default(), &mut |_| {}).unwrap();
        assert!(report.is_complete());
        exported.blocks
    }

    #[test]
    fn one_digest_under_two_codecs_is_exported_as_two_blocks() {
        // Raw bytes are not a record, but an import accepts them, so an export must write them.
        let [raw, cbor] = [Codec::Raw, Codec::Cbor].map(|codec| Block::new(codec, *b"\xa0"));
        let names = ["com.example.note/a", "com.example.note/b"].map(str::to_owned);
        let records: Vec<_> = names.into_iter().zip([raw, cbor]).collect();
        assert!(exported(&snapshot(&records)) >= 4, "a commit, a node, two records");
    }

    #[test]
    fn a_record_stands_once_and_once_more_where_it_is_a_node_too() {
        let record = Block::new(Codec::Cbor, *b"\xa0");
        let path = |n: usize| format!("com.example.note/{n:03}");
        let mut records: Vec<_> = (0..400).map(|n| (path(n), record.clone())).collect();
        let alike = snapshot(&records);
        let nodes: Vec<Block> =
            nodes(alike.blocks(), alike.commit().data()).collect::<Result<_, _>>().unwrap();
        assert_eq!(exported(&alike), nodes.len() as u64 + 2, "a commit, and the one record");
        // The node furthest on the right becomes a record far on its left, where it does not change itself.
        records[0].1 = nodes.last().unwrap().clone();
        records[1].1 = records[0].1.clone();
        assert_eq!(exported(&snapshot(&records)), nodes.len() as u64 + 3);
    }

    #[test]
    fn records_that_paths_share_are_written_once_whatever_is_held() {
        let path = |n: usize| format!("com.example.note/{n:03}");
        let value = |n: usize| Block::new(Codec::Cbor, format!("x{}", n % 7 * (n % 2) * n));
        let tree = snapshot(&(0..400).map(|n| (path(n), value(n))).collect::<Vec<_>>());
        let written = |limit| {
            let (mut file, mut count) = (Vec::new(), |_| {});
            let mut once = Once::new(&mut file, &tree, &mut count).unwrap();
            once.written.limit = limit;
            once.whole(&tree, None).unwrap();
            once.chain(&tree).unwrap();
            once.finish().unwrap();
            file
        };
        let whole = written(usize::MAX);
        for limit in [0, 1, 2, 30, 171] {
            assert_eq!(written(limit), whole, "{limit}");
        }
    }
}
