//! The store in memory, which is the readable specification of all stores.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::change::{Applied, BlockStream, Change, Seen};
use crate::error::StoreError;
use crate::event::Event;
use crate::fact::{Fact, FactEdit, FactKind};
use crate::log::{LogEntry, LogQuery, check_message};
use crate::ref_name::RefName;
use crate::refs::{RefEdit, Refs};
use crate::relink::Relink;
use crate::store::{CheckDepth, Compacted, Maintain, Replaced, Store, View, Visitor, now_micros};
use crate::sweep::{Fate, Sweep, SweptBlocks};
use crate::version::Version;
use pds_core::data::block::{Block, Blocks, MemoryBlocks, ReadError};
use pds_core::data::cid::Cid;

/// A store in memory: a few maps behind a lock. A view is a copy of the maps that shares their
/// content.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    /// Held by a writer from its check of the version to the end of its change. Readers need only
    /// the state.
    writing: Mutex<()>,
}

/// The content of a store. Each part is shared with the views that were opened since it last
/// changed.
#[derive(Clone, Debug, Default)]
struct State {
    version: Version,
    blocks: Arc<MemoryBlocks>,
    refs: Arc<BTreeMap<RefName, Cid>>,
    log: Arc<Vec<LogEntry>>,
    facts: Arc<BTreeMap<(FactKind, String), Fact>>,
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        // No caller's code runs between the first and the last step of a change, so a panic cannot
        // leave it incomplete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn edit_fact(&mut self, edit: &FactEdit) {
        let facts = Arc::make_mut(&mut self.facts);
        match edit {
            FactEdit::Set(fact) => {
                facts.insert((fact.kind(), fact.subject()), fact.clone());
            }
            FactEdit::Remove(fact) => {
                facts.remove(&(fact.kind(), fact.subject()));
            }
            FactEdit::Clear(kind) => facts.retain(|(found, _), _| found != kind),
        }
    }

    /// Checks the edits of refs, and returns the commit that each ref points to before its edit.
    fn check_edits(
        &self,
        edits: &[RefEdit],
        arriving: &[Block],
    ) -> Result<Vec<Option<Cid>>, StoreError> {
        let named: HashSet<Cid> = arriving.iter().map(Block::cid).collect();
        let mut moved: BTreeMap<&RefName, Option<Cid>> = BTreeMap::new();
        let mut before = Vec::with_capacity(edits.len());
        for RefEdit { name, target, expect } in edits {
            let present = || self.refs.get(name).copied();
            let found = moved.get(name).copied().unwrap_or_else(present);
            if !expect.holds(found) {
                return Err(StoreError::Moved { name: name.clone(), expected: *expect, found });
            }
            if let Some(target) = *target
                && !named.contains(&target)
                && !self.blocks.contains(&target)
            {
                return Err(StoreError::TargetMissing { name: name.clone(), target });
            }
            moved.insert(name, *target);
            before.push(found);
        }
        Ok(before)
    }

    fn apply(&mut self, seen: Seen, arrived: Arrived) -> Result<Applied, StoreError> {
        seen.check(self.version)?;
        let Arrived { arriving, refs, facts, event, message, rows } = arrived;
        let before = self.check_edits(&refs, &arriving)?;
        if rows.is_some() && !self.log.is_empty() {
            return Err(StoreError::HasHistory);
        }

        // No step fails from here on.
        let (mut new_blocks, change_before, is_copy) = (0, self.version.change, rows.is_some());
        if !arriving.is_empty() {
            let blocks = Arc::make_mut(&mut self.blocks);
            for block in arriving {
                new_blocks += u64::from(blocks.insert(block));
            }
        }
        if let Some(rows) = rows {
            let newest = rows.iter().map(|row| row.seq).max();
            self.version.change = newest.max(Some(self.version.change)).unwrap_or_default();
            self.log = Arc::new(rows);
        }
        for (edit, before) in refs.into_iter().zip(before) {
            let logged = || self.log.iter().rev().find(|row| row.name == edit.name);
            let last = if is_copy { logged().and_then(|row| row.after) } else { before };
            if is_copy && last.is_some() && last == edit.target {
                self.point(edit.name, edit.target);
                continue;
            }
            let before = last;
            self.version.change += 1;
            let (seq, at_micros) = (self.version.change, now_micros());
            let (event, message) = (event.clone(), message.clone());
            let RefEdit { name, target: after, .. } = edit;
            self.move_ref(LogEntry { seq, name, before, after, at_micros, event, message });
        }
        facts.iter().for_each(|edit| self.edit_fact(edit));
        self.version.change += u64::from(self.version.change == change_before);
        Ok(Applied { new_blocks, version: self.version })
    }

    fn move_ref(&mut self, entry: LogEntry) {
        self.point(entry.name.clone(), entry.after);
        Arc::make_mut(&mut self.log).push(entry);
    }

    fn point(&mut self, name: RefName, target: Option<Cid>) {
        let refs = Arc::make_mut(&mut self.refs);
        match target {
            Some(target) => refs.insert(name, target),
            None => refs.remove(&name),
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

impl Blocks for State {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.blocks.get(cid)
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        self.blocks.get_many(cids)
    }
}

impl View for State {
    fn version(&self) -> Version {
        self.version
    }

    fn refs(&self) -> Result<Refs, StoreError> {
        Ok(self.refs.iter().map(|(name, cid)| (name.clone(), *cid)).collect())
    }

    fn log(
        &self,
        query: &LogQuery,
        each: &mut dyn FnMut(LogEntry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let rows = self.log.iter().filter(|row| query.matches(row)).cloned();
        let _ = match query.newest_first {
            true => rows.rev().try_for_each(each),
            false => { rows }.try_for_each(each),
        };
        Ok(())
    }

    fn facts(
        &self,
        kind: FactKind,
        each: &mut dyn FnMut(Fact) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let facts = self.facts.values().filter(|fact| fact.kind() == kind).cloned();
        let _ = { facts }.try_for_each(each);
        Ok(())
    }
}

impl Store for MemoryStore {
    fn view(&self) -> Result<Box<dyn View + '_>, StoreError> {
        Ok(Box::new(self.state().clone()))
    }

    fn apply(&self, change: Change<'_>) -> Result<Applied, StoreError> {
        change.check()?;
        let seen = change.seen();
        seen.check(self.state().version)?;
        // The streams may read this store, so they are consumed before the lock is taken.
        let arrived = Arrived::of(change)?;
        let _writing = self.writing();
        self.state().apply(seen, arrived)
    }

    fn collect(&self, mut sweep: Sweep<'_>) -> Result<SweptBlocks, StoreError> {
        sweep.check()?;
        let arrived = match sweep.change.take().filter(|_| !sweep.dry_run) {
            Some(change) => Some((change.seen(), Arrived::of(change)?)),
            None => None,
        };
        let _writing = self.writing();
        // The sweep changes a copy, which then replaces the state.
        let mut state = self.state().clone();
        sweep.meet(state.version)?;
        let Sweep { seen, live, absent, log, facts, dry_run, .. } = sweep;
        if state.blocks.iter().any(|block| absent(&block.cid())) {
            return Err(StoreError::Changed);
        }
        if let Some((seen, arrived)) = arrived {
            state.apply(seen, arrived)?;
        }
        let mut swept = SweptBlocks::default();
        for block in state.blocks.iter() {
            let len = block.bytes().len() as u64;
            if live(&block.cid()) {
                swept.kept_bytes += len;
            } else {
                swept.blocks += 1;
                swept.bytes += len;
            }
        }
        let log = log.map(|fate| relinked(&state.log, seen, fate));
        swept.rows = log.as_ref().map_or(0, |log| (state.log.len() - log.len()) as u64);
        if !dry_run {
            Arc::make_mut(&mut state.blocks).retain(|block| live(&block.cid()));
            if let Some(log) = log {
                state.log = Arc::new(log);
            }
            facts.iter().for_each(|edit| state.edit_fact(edit));
            state.version.change += 1;
            state.version.sweep = state.version.change;
        }
        swept.version = state.version;
        *self.state() = state;
        Ok(swept)
    }

    fn maintain(&self) -> Option<&dyn Maintain> {
        Some(self)
    }
}

/// A change whose streams were read.
struct Arrived {
    arriving: Vec<Block>,
    refs: Vec<RefEdit>,
    facts: Vec<FactEdit>,
    event: Event,
    message: String,
    /// The history, if the change has one.
    rows: Option<Vec<LogEntry>>,
}

impl Arrived {
    fn of(change: Change<'_>) -> Result<Self, StoreError> {
        let Change { blocks, refs, facts, event, message, history, .. } = change;
        let arriving = blocks.collect::<Result<_, _>>().map_err(StoreError::Blocks)?;
        let checked = |row: Result<LogEntry, _>| {
            let row = row.map_err(StoreError::Blocks)?;
            check_message(&row.message).map(|()| row)
        };
        let rows = history.map(|rows| rows.map(checked).collect::<Result<_, _>>()).transpose()?;
        Ok(Self { arriving, refs, facts, event, message, rows })
    }
}

fn relinked(
    log: &[LogEntry],
    marked: Version,
    fate: &mut dyn FnMut(&LogEntry) -> Fate,
) -> Vec<LogEntry> {
    let mut relink = Relink::new(marked);
    log.iter().filter_map(|row| relink.next(row.clone(), fate)).collect()
}

impl Maintain for MemoryStore {
    fn check(&self, _: CheckDepth) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    fn scan_raw(&self, visit: &mut Visitor<'_>) -> Result<(), StoreError> {
        // The visitor may read this store, so the lock is not held while it runs.
        let blocks = self.state().blocks.clone();
        let _ = blocks.iter().try_for_each(|block| visit(block.cid().as_bytes(), block.bytes()));
        Ok(())
    }

    fn replace(
        &self,
        blocks: &mut BlockStream<'_>,
        _damaged: &[Vec<u8>],
    ) -> Result<Replaced, StoreError> {
        // No block in memory is damaged: each was hashed when it was created.
        let arriving: Vec<Block> = blocks.collect::<Result<_, _>>().map_err(StoreError::Blocks)?;
        let _writing = self.writing();
        let (mut state, mut added) = (self.state(), 0);
        let blocks = Arc::make_mut(&mut state.blocks);
        for block in arriving {
            added += u64::from(blocks.insert(block));
        }
        Ok(Replaced { added, dropped: 0 })
    }

    fn compact(&self) -> Result<Compacted, StoreError> {
        Ok(Compacted::Clean)
    }

    fn block_count(&self) -> Result<u64, StoreError> {
        Ok(self.state().blocks.len() as u64)
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
