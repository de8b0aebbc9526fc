//! The tree in memory.

use std::fs::File;
use std::sync::Arc;

use anyhow::{Context, Result};
use pds::Repo;
use pds::blob::MemoryBlobs;
use pds::data::{Block, Cid, MemoryBlocks};
use pds::mst::{Builder, Key, Tree, diff as tree_diff};
use pds::store::MemoryStore;

use crate::data::Data;
use crate::generate::Numbers;
use crate::loaded::Loaded;
use crate::meter::{Meter, Outcome};
use crate::work::{self, Changed, GETS};

pub(crate) fn build_sorted(records: usize, data: &Data) -> Result<Outcome> {
    let pairs = Loaded::read(&data.streamable(records))?.records;
    let meter = Meter::start()?;
    let root = build(&pairs)?;
    Ok(meter.stop(pairs.len())?.checked(root))
}

/// Sorts them first: that is how this library takes pairs in any order.
pub(crate) fn build_random(records: usize, data: &Data) -> Result<Outcome> {
    let mut pairs = Loaded::read(&data.streamable(records))?.records;
    Numbers::seeded(1).shuffle(&mut pairs);
    let meter = Meter::start()?;
    pairs.sort_unstable();
    let root = build(&pairs)?;
    Ok(meter.stop(pairs.len())?.checked(root))
}

/// One key after the other, with the new root and its blocks after each.
pub(crate) fn insert(records: usize, data: &Data) -> Result<Outcome> {
    let loaded = Loaded::read(&data.streamable(records))?;
    let blocks = loaded.memory();
    let new = work::new_keys();
    let mut made: Vec<Block> = Vec::new();
    let meter = Meter::start()?;
    let mut tree = Tree::open(&blocks, loaded.commit.data());
    let mut root = loaded.commit.data();
    for (key, cid) in &new {
        tree.insert(Key::new(key.as_bytes())?, *cid)?;
        let written = tree.write()?;
        root = written.root;
        made.extend(written.nodes);
    }
    Ok(meter.stop(new.len())?.checked(root))
}

/// From a repository whose store is in memory, and whose cache is empty.
pub(crate) fn get(records: usize, data: &Data) -> Result<Outcome> {
    let paths = Loaded::read(&data.streamable(records))?.sample_paths(GETS)?;
    let (store, blobs) = (Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
    let repo = Repo::with(store, blobs);
    repo.transfer().import_file(File::open(data.streamable(records))?, None)?;
    let meter = Meter::start()?;
    let snapshot = repo.snapshot()?;
    let mut bytes = 0;
    for path in &paths {
        bytes += snapshot.find(path)?.context("a record is missing")?.block.bytes().len();
    }
    Ok(meter.stop(paths.len())?.checked(bytes))
}

pub(crate) fn diff(records: usize, data: &Data) -> Result<Outcome> {
    let before = Loaded::read(&data.streamable(records))?;
    let after = Loaded::read(&data.other(records))?;
    let both: MemoryBlocks = before.blocks.iter().chain(&after.blocks).cloned().collect();
    let meter = Meter::start()?;
    let mut changed = Changed::default();
    for change in tree_diff(&both, Some(before.commit.data()), Some(after.commit.data())) {
        let change = change?;
        changed.count(change.before.is_some(), change.after.is_some());
    }
    Ok(meter.stop(1)?.checked(changed))
}

fn build(sorted: &[(String, Cid)]) -> Result<Cid> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut builder = Builder::default();
    for (key, cid) in sorted {
        builder.push(key.as_bytes(), *cid, |node| blocks.push(node))?;
    }
    Ok(builder.finish(|node| blocks.push(node)))
}
