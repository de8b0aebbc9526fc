//! jacquard-repo: asynchronous, with a lazy immutable tree; its readers leave hashes to the caller.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use cid::Cid;
use jacquard_repo::mst::util::compute_cid;
use jacquard_repo::{BlockStore, MemoryBlockStore, Mst, car, commit::Commit};

use crate::data::Data;
use crate::generate::Numbers;
use crate::loaded::Loaded;
use crate::meter::{Meter, Outcome, Seen};
use crate::work::{Changed, GETS, Work, new_keys};

pub(super) async fn case(work: Work, records: usize, data: &Data) -> Result<Option<Outcome>> {
    let streamable = data.streamable(records);
    let outcome = match work {
        Work::ReadStreamable => read(&streamable).await?,
        Work::ReadAnyOrder => read(&data.any_order(records)).await?,
        Work::BuildSorted => build(&streamable, false).await?,
        Work::BuildRandom => build(&streamable, true).await?,
        Work::Insert => insert(&streamable).await?,
        Work::Get => get(&streamable).await?,
        Work::Diff => diff(&streamable, &data.other(records)).await?,
        _ => return Ok(None),
    };
    Ok(Some(outcome))
}

async fn read(path: &Path) -> Result<Outcome> {
    let meter = Meter::start()?;
    let file = fs::read(path)?;
    let parsed = car::parse_car_bytes(&file).await?;
    drop(file);
    for (cid, bytes) in &parsed.blocks {
        ensure!(compute_cid(bytes)? == *cid, "a damaged block");
    }
    let store = Arc::new(MemoryBlockStore::new_from_blocks(parsed.blocks));
    let commit = store.get(&parsed.root).await?.context("no commit")?;
    let commit = Commit::<String>::from_cbor(&commit)?;
    let mut seen = Seen::default();
    for (key, cid) in Mst::load(store.clone(), *commit.data(), None).leaves().await? {
        let record = store.get(&cid).await?.context("a record is missing")?;
        seen.record(key.as_bytes(), record.len());
    }
    Ok(meter.stop(seen.records)?.checked(seen))
}

async fn build(path: &Path, shuffled: bool) -> Result<Outcome> {
    let mut pairs = Loaded::read(path)?.records;
    if shuffled {
        Numbers::seeded(1).shuffle(&mut pairs);
    }
    let meter = Meter::start()?;
    let mut tree = Mst::new(Arc::new(MemoryBlockStore::new()));
    for (key, value) in &pairs {
        tree = tree.add(key, cid(value)?).await?;
    }
    let root = tree.root().await?;
    Ok(meter.stop(pairs.len())?.checked(ours(&root)?))
}

async fn insert(path: &Path) -> Result<Outcome> {
    let loaded = Loaded::read(path)?;
    let mut tree = Mst::load(memory(&[&loaded])?, cid(&loaded.commit.data())?, None);
    let new = new_keys();
    let meter = Meter::start()?;
    let mut root = None;
    for (key, value) in &new {
        tree = tree.add(key, cid(value)?).await?;
        root = Some(tree.persist().await?);
    }
    let outcome = meter.stop(new.len())?;
    Ok(outcome.checked(ours(&root.context("no key")?)?))
}

async fn get(path: &Path) -> Result<Outcome> {
    let loaded = Loaded::read(path)?;
    let store = memory(&[&loaded])?;
    let tree = Mst::load(store.clone(), cid(&loaded.commit.data())?, None);
    let keys: Vec<&str> = loaded.sample(GETS).map(|(key, _)| key).collect();
    let meter = Meter::start()?;
    let mut bytes = 0;
    for key in &keys {
        let cid = tree.get(key).await?.context("a record is missing")?;
        bytes += store.get(&cid).await?.context("a record is missing")?.len();
    }
    Ok(meter.stop(keys.len())?.checked(bytes))
}

async fn diff(before: &Path, after: &Path) -> Result<Outcome> {
    let (before, after) = (Loaded::read(before)?, Loaded::read(after)?);
    let store = memory(&[&before, &after])?;
    let a = Mst::load(store.clone(), cid(&before.commit.data())?, None);
    let b = Mst::load(store, cid(&after.commit.data())?, None);
    let meter = Meter::start()?;
    let diff = a.diff(&b).await?;
    let (added, changed, removed) = (diff.creates.len(), diff.updates.len(), diff.deletes.len());
    Ok(meter.stop(1)?.checked(Changed { added, changed, removed }))
}

fn cid(cid: &pds::data::Cid) -> Result<Cid> {
    Ok(Cid::try_from(cid.as_bytes().as_slice())?)
}

fn ours(cid: &Cid) -> Result<pds::data::Cid> {
    Ok(pds::data::Cid::from_bytes(&cid.to_bytes())?)
}

fn memory(all: &[&Loaded]) -> Result<Arc<MemoryBlockStore>> {
    let mut blocks = BTreeMap::new();
    for block in all.iter().flat_map(|loaded| &loaded.blocks) {
        blocks.insert(cid(&block.cid())?, Bytes::copy_from_slice(block.bytes()));
    }
    Ok(Arc::new(MemoryBlockStore::new_from_blocks(blocks)))
}
