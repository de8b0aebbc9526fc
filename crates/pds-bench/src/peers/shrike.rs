//! shrike: synchronous, with a low-level reader over borrowed blocks and a repository on top.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use shrike::car::SliceReader;
use shrike::cbor::Cid;
use shrike::mst::{BlockStore, DetachedTree, MemBlockStore, Tree, diff as tree_diff};
use shrike::repo::{Commit, Repo};
use shrike::syntax::{Nsid, RecordKey};

use crate::data::Data;
use crate::generate::Numbers;
use crate::loaded::Loaded;
use crate::meter::{Meter, Outcome, Seen};
use crate::work::{Changed, GETS, Work, new_keys};

pub(super) fn case(work: Work, records: usize, data: &Data) -> Result<Option<Outcome>> {
    let streamable = data.streamable(records);
    let outcome = match work {
        Work::ReadStreamable => read(&streamable, false)?,
        Work::ReadAnyOrder => read(&data.any_order(records), false)?,
        Work::ReadBytesAnyOrder => read(&data.any_order(records), true)?,
        Work::VerifyStreamable => verify(&streamable, records)?,
        Work::VerifyAnyOrder => verify(&data.any_order(records), records)?,
        Work::BuildSorted => build(&streamable, false)?,
        Work::BuildRandom => build(&streamable, true)?,
        Work::Insert => insert(&streamable)?,
        Work::Get => get(&streamable)?,
        Work::Diff => diff(&streamable, &data.other(records))?,
        Work::Export => export(&streamable, records, data)?,
        _ => return Ok(None),
    };
    Ok(Some(outcome))
}

/// The low-level reader; the hash of each block is the caller's to check.
fn read(path: &Path, looked_at: bool) -> Result<Outcome> {
    let meter = Meter::start()?;
    let file = fs::read(path)?;
    let car = SliceReader::new(&file)?;
    let root = *car.roots().first().context("no root")?;
    let mut blocks: HashMap<Cid, &[u8]> = HashMap::new();
    for block in car {
        let block = block?;
        ensure!(Cid::compute(block.cid.codec(), block.data) == block.cid, "a damaged block");
        blocks.insert(block.cid, block.data);
    }
    let commit = Commit::from_cbor(blocks.get(&root).context("no commit")?)?;
    let (mut seen, mut missing) = (Seen::default(), 0);
    DetachedTree::load(commit.data).walk(&blocks, |key, cid| {
        match blocks.get(&cid) {
            Some(bytes) => {
                if looked_at {
                    seen.look_at(bytes);
                }
                seen.record(key.as_bytes(), bytes.len());
            }
            None => missing += 1,
        }
        Ok(())
    })?;
    ensure!(missing == 0, "{missing} records are missing");
    Ok(meter.stop(seen.records)?.checked(seen))
}

/// The verified load into a repository: hashes and completeness, without signature and records.
fn verify(path: &Path, records: usize) -> Result<Outcome> {
    let meter = Meter::start()?;
    let file = fs::read(path)?;
    let repo = Repo::load_car(&file)?;
    drop(file);
    std::hint::black_box(&repo);
    meter.stop(records)
}

fn build(path: &Path, shuffled: bool) -> Result<Outcome> {
    let mut pairs = Loaded::read(path)?.records;
    if shuffled {
        Numbers::seeded(1).shuffle(&mut pairs);
    }
    let pairs: Vec<(String, Cid)> =
        pairs.into_iter().map(|(key, value)| Ok((key, cid(&value)?))).collect::<Result<_>>()?;
    let meter = Meter::start()?;
    let mut tree = Tree::new(Box::new(MemBlockStore::new()));
    for (key, value) in &pairs {
        tree.insert(key.clone(), *value)?;
    }
    let root = tree.root_cid()?;
    Ok(meter.stop(pairs.len())?.checked(ours(&root)?))
}

fn insert(path: &Path) -> Result<Outcome> {
    let loaded = Loaded::read(path)?;
    let mut root = cid(&loaded.commit.data())?;
    let mut tree = Tree::load(memory(&loaded)?, root);
    let new = new_keys();
    let meter = Meter::start()?;
    for (key, value) in &new {
        tree.insert(key.clone(), cid(value)?)?;
        root = tree.root_cid()?;
    }
    Ok(meter.stop(new.len())?.checked(ours(&root)?))
}

fn get(path: &Path) -> Result<Outcome> {
    let loaded = Loaded::read(path)?;
    let mut repo = Repo::load_car(&fs::read(path)?)?;
    let mut paths = Vec::with_capacity(GETS);
    for (key, _) in loaded.sample(GETS) {
        let (collection, rkey) = key.split_once('/').context("no path")?;
        paths.push((Nsid::try_from(collection)?, RecordKey::try_from(rkey)?));
    }
    let meter = Meter::start()?;
    let mut bytes = 0;
    for (collection, rkey) in &paths {
        bytes += repo.get(collection, rkey)?.context("a record is missing")?.1.len();
    }
    Ok(meter.stop(paths.len())?.checked(bytes))
}

fn diff(before: &Path, after: &Path) -> Result<Outcome> {
    let (before, after) = (Loaded::read(before)?, Loaded::read(after)?);
    let mut a = Tree::load(memory(&before)?, cid(&before.commit.data())?);
    let mut b = Tree::load(memory(&after)?, cid(&after.commit.data())?);
    let meter = Meter::start()?;
    let diff = tree_diff(&mut a, &mut b)?;
    let (added, changed, removed) = (diff.added.len(), diff.updated.len(), diff.removed.len());
    Ok(meter.stop(1)?.checked(Changed { added, changed, removed }))
}

/// From memory: it has no store on disk.
fn export(path: &Path, records: usize, data: &Data) -> Result<Outcome> {
    let repo = Repo::load_car(&fs::read(path)?)?;
    let dir = data.scratch()?;
    let meter = Meter::start()?;
    let file = repo.export_car()?;
    fs::write(dir.path().join("out.car"), &file)?;
    Ok(meter.stop(records)?.checked(file.len()))
}

fn cid(cid: &pds::data::Cid) -> Result<Cid> {
    Ok(Cid::from_bytes(cid.as_bytes())?)
}

fn ours(cid: &Cid) -> Result<pds::data::Cid> {
    Ok(pds::data::Cid::from_bytes(&cid.to_bytes())?)
}

fn memory(loaded: &Loaded) -> Result<Box<MemBlockStore>> {
    let store = MemBlockStore::new();
    for block in &loaded.blocks {
        store.put_block(cid(&block.cid())?, block.bytes().to_vec())?;
    }
    Ok(Box::new(store))
}
