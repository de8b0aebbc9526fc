//! The store that can be read as a specification.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    Applied, BlockStream, LogEntry, Mended, RefEdit, RefName, Refs, Store, StoreError, Sweep,
    SweptBlocks, Visitor, now_micros,
};
use crate::data::{Block, Blocks, Cid, MemoryBlocks, ReadError};

/// A store in memory: a few maps behind a lock.
///
/// ```
/// use pds::data::{Block, Codec};
/// use pds::store::{Expect, MemoryStore, RefEdit, RefName, Store};
///
/// let store = MemoryStore::default();
/// let block = Block::new(Codec::Cbor, *b"\xa0");
/// let edit = RefEdit {
///     name: RefName::head(),
///     target: Some(block.cid()),
///     expect: Expect::Absent,
/// };
/// store.apply(&mut [Ok(block.clone())].into_iter(), &[edit], "first")?;
/// assert_eq!(store.refs()?.get(&RefName::head()), Some(block.cid()));
/// # Ok::<(), pds::store::StoreError>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    version: u64,
    blocks: MemoryBlocks,
    refs: BTreeMap<RefName, Cid>,
    log: Vec<LogEntry>,
    meta: BTreeMap<String, String>,
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is one that cannot panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set_meta(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.meta.insert(key.to_owned(), value.to_owned()),
            None => self.meta.remove(key),
        };
    }
}

impl Blocks for MemoryStore {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.state().blocks.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        self.state().blocks.get_many(cids)
    }
}

impl Store for MemoryStore {
    fn in_memory(&self) -> bool {
        true
    }

    fn refs(&self) -> Result<Refs, StoreError> {
        let state = self.state();
        let entries = state.refs.iter().map(|(name, cid)| (name.clone(), *cid)).collect();
        Ok(Refs { version: state.version, entries })
    }

    fn apply(
        &self,
        blocks: &mut BlockStream<'_>,
        edits: &[RefEdit],
        note: &str,
    ) -> Result<Applied, StoreError> {
        if edits.is_empty() {
            return Err(StoreError::NoEdits);
        }
        // The stream may read from this store, so it is consumed before the lock is taken.
        let arriving: Vec<Block> = blocks.collect::<Result<_, _>>().map_err(StoreError::Blocks)?;
        let named: HashSet<Cid> = arriving.iter().map(Block::cid).collect();
        let mut state = self.state();
        for edit in edits {
            let found = state.refs.get(&edit.name).copied();
            if !edit.expect.holds(found) {
                let (name, expected) = (edit.name.clone(), edit.expect);
                return Err(StoreError::Moved { name, expected, found });
            }
            if let Some(target) = edit.target
                && !named.contains(&target)
                && !state.blocks.contains(&target)
            {
                return Err(StoreError::TargetMissing { name: edit.name.clone(), target });
            }
        }
        let mut new_blocks = 0;
        for block in arriving {
            new_blocks += u64::from(state.blocks.insert(block));
        }
        for edit in edits {
            state.version += 1;
            let before = match edit.target {
                Some(target) => state.refs.insert(edit.name.clone(), target),
                None => state.refs.remove(&edit.name),
            };
            let entry = LogEntry {
                seq: state.version,
                name: edit.name.clone(),
                before,
                after: edit.target,
                at_micros: now_micros(),
                note: note.to_owned(),
            };
            state.log.push(entry);
        }
        Ok(Applied { new_blocks, version: state.version })
    }

    fn log(&self, name: &RefName, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        let state = self.state();
        let of_name = state.log.iter().rev().filter(|entry| entry.name == *name);
        Ok(of_name.take(limit).cloned().collect())
    }

    fn moves(&self) -> Result<Vec<LogEntry>, StoreError> {
        Ok(self.state().log.clone())
    }

    fn sweep(&self, sweep: &Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        let mut state = self.state();
        if state.version != sweep.as_of {
            return Err(StoreError::Changed);
        }
        let mut log = sweep.log.map(<[_]>::to_vec);
        if let Some(log) = &mut log {
            log.last_mut().ok_or(StoreError::NoEdits)?.seq = state.version + 1;
        }
        let (mut blocks, mut bytes, mut kept_bytes) = (0, 0, 0);
        for block in state.blocks.iter() {
            if (sweep.absent)(&block.cid()) {
                return Err(StoreError::Changed);
            }
            let len = block.bytes().len() as u64;
            if (sweep.live)(&block.cid()) {
                kept_bytes += len;
            } else {
                blocks += 1;
                bytes += len;
            }
        }
        if !sweep.dry_run {
            state.blocks.retain(|block| (sweep.live)(&block.cid()));
            if let Some(log) = log {
                state.version += 1;
                state.log = log;
            }
            for (key, value) in sweep.meta {
                state.set_meta(key, *value);
            }
        }
        Ok(SweptBlocks { blocks, bytes, kept_bytes, version: state.version })
    }

    fn compact(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn block_count(&self) -> Result<u64, StoreError> {
        Ok(self.state().blocks.len() as u64)
    }

    fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(self.state().meta.get(key).cloned())
    }

    fn set_meta(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.state().set_meta(key, value);
        Ok(())
    }

    fn scan(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        // The visitor may read this store, so the lock is not held meanwhile.
        let all: Vec<Block> = self.state().blocks.iter().cloned().collect();
        let _ = all.iter().try_for_each(|block| visit(block.cid().as_bytes(), block.bytes()));
        Ok(())
    }

    fn mend(
        &self,
        blocks: &mut BlockStream<'_>,
        _damaged: &[Vec<u8>],
    ) -> Result<Mended, StoreError> {
        // No block in memory is damaged: each was hashed when it was made.
        let arriving: Vec<Block> = blocks.collect::<Result<_, _>>().map_err(StoreError::Blocks)?;
        let (mut state, mut added) = (self.state(), 0);
        for block in arriving {
            added += u64::from(state.blocks.insert(block));
        }
        Ok(Mended { added, dropped: 0 })
    }
}
