//! Slices that rely on states which are let go of at the same moment.

use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::car::CarFile;
use pds::data::{Block, Blocks, Cid, ReadError};
use pds::repo::verify::{Expected, verify};
use pds::repo::{Keep, Repo, Snapshot, export_car, export_since};
use pds::store::{
    Applied, BlockStream, LogEntry, MemoryStore, Mended, RefEdit, RefName, Refs, Store, StoreError,
    Sweep, SweptBlocks, Visitor,
};

use super::{in_memory, note, path};

/// A store in which somebody else is faster: before blocks come in, all but the present state goes.
#[derive(Clone)]
struct SweptBefore(Arc<MemoryStore>);

impl Blocks for SweptBefore {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.0.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Block>>, ReadError> {
        self.0.get_many(cids)
    }
}

impl Store for SweptBefore {
    fn refs(&self) -> Result<Refs, StoreError> {
        self.0.refs()
    }

    fn apply(
        &self,
        blocks: &mut BlockStream<'_>,
        edits: &[RefEdit],
        note: &str,
    ) -> Result<Applied, StoreError> {
        // What is on its way has been read before the others come.
        let blocks: Vec<_> = blocks.collect();
        let other = Repo::with(self.0.clone(), Arc::new(MemoryBlobs::default()));
        let keep = Keep { states: std::num::NonZeroUsize::new(1), ..Keep::default() };
        other.gc(&keep, &mut |_| {}).unwrap();
        self.0.apply(&mut blocks.into_iter(), edits, note)
    }

    fn log(&self, name: &RefName, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.0.log(name, limit)
    }

    fn moves(&self) -> Result<Vec<LogEntry>, StoreError> {
        self.0.moves()
    }

    fn sweep(&self, sweep: &Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        self.0.sweep(sweep)
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.0.compact()
    }

    fn block_count(&self) -> Result<u64, StoreError> {
        self.0.block_count()
    }

    fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.0.meta(key)
    }

    fn set_meta(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.0.set_meta(key, value)
    }

    fn scan(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        self.0.scan(visit)
    }

    fn mend(
        &self,
        blocks: &mut BlockStream<'_>,
        damaged: &[Vec<u8>],
    ) -> Result<Mended, StoreError> {
        self.0.mend(blocks, damaged)
    }
}

fn car(
    write: impl FnOnce(&mut Vec<u8>) -> pds::repo::Result<()>,
) -> CarFile<std::io::Cursor<Vec<u8>>> {
    let mut file = Vec::new();
    write(&mut file).unwrap();
    CarFile::open(std::io::Cursor::new(file)).unwrap()
}

fn whole(at: &Snapshot) -> CarFile<std::io::Cursor<Vec<u8>>> {
    car(|out| export_car(at, out, &mut |_| {}).map(drop))
}

#[test]
fn a_slice_brings_what_only_a_state_has_that_is_let_go_of_meanwhile() {
    let repo = in_memory();
    for n in 0..30 {
        repo.put(&path(&format!("com.example.note/{n}")), &note(&n.to_string())).unwrap();
    }
    // The record is `old` in the first and in the third state, and `new` in the second.
    let place = path("com.example.note/7");
    let states = ["old", "new", "old"].map(|text| {
        repo.put(&place, &note(text)).unwrap();
        repo.snapshot().unwrap()
    });
    // Between the first and the third nothing has changed but the commit.
    let slice = car(|out| export_since(&states[2], &states[0], out, &mut |_| {}).map(drop));
    let old = states[0].find_cid(&place).unwrap().unwrap();
    assert!(slice.get(&old).unwrap().is_none(), "the slice relies on it");

    let store = SweptBefore(Arc::new(MemoryStore::default()));
    let mirror = Repo::with(Arc::new(store), Arc::new(MemoryBlobs::default()));
    mirror.import(&whole(&states[0]), None).unwrap();
    mirror.import(&whole(&states[1]), None).unwrap();
    // The first state went when the second came; take it in once more, beside.
    let beside = mirror.on("beside".parse().unwrap());
    beside.import(&whole(&states[0]), None).unwrap();
    beside.remove_ref(&"beside".parse().unwrap()).unwrap();
    assert!(mirror.store().get(&old).unwrap().is_some());
    mirror.import(&slice, None).unwrap();

    let head = mirror.head().unwrap().unwrap();
    assert_eq!(head, states[2].commit().cid());
    let mut panic = |finding| panic!("{finding}");
    let blocks = mirror.blocks();
    let report = verify(blocks.as_ref(), head, &Expected::default(), &mut panic).unwrap();
    assert!(report.is_complete());
}
