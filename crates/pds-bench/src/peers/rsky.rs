//! rsky-repo: asynchronous, a port of the TypeScript package; its readers leave hashes to the caller.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use cid::Cid;
use futures::StreamExt;
use rsky_repo::block_map::BlockMap;
use rsky_repo::car;
use rsky_repo::data_diff::DataDiff;
use rsky_repo::mst::{MST, NodeEntry};
use rsky_repo::repo::Repo;
use rsky_repo::storage::memory_blockstore::MemoryBlockstore;
use rsky_repo::storage::types::RepoStorage;
use tokio::sync::RwLock;

use crate::data::Data;
use crate::generate::Numbers;
use crate::loaded::Loaded;
use crate::meter::{Meter, Outcome, Seen};
use crate::work::{Changed, GETS, Work, new_keys};

type Store = Arc<RwLock<dyn RepoStorage>>;

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
    let parsed = car::read_stream_car_with_root(&file[..]).await?;
    drop(file);
    for (cid, bytes) in &parsed.blocks.map {
        let hash = pds::data::Cid::of(pds::data::Codec::Cbor, &bytes.0);
        ensure!(hash.to_string() == *cid, "a damaged block");
    }
    let store = store(parsed.blocks).await?;
    let repo = Repo::load(store.clone(), Some(parsed.root)).await?;
    let mut seen = Seen::default();
    let mut walk = Box::pin(repo.data.walk());
    let store = store.read().await;
    while let Some(entry) = walk.next().await {
        if let NodeEntry::Leaf(leaf) = entry {
            let record = store.get_bytes(&leaf.value).await?.context("a record is missing")?;
            seen.record(leaf.key.as_bytes(), record.len());
        }
    }
    Ok(meter.stop(seen.records)?.checked(seen))
}

async fn build(path: &Path, shuffled: bool) -> Result<Outcome> {
    let mut pairs = Loaded::read(path)?.records;
    if shuffled {
        Numbers::seeded(1).shuffle(&mut pairs);
    }
    let meter = Meter::start()?;
    let store: Store = Arc::new(RwLock::new(MemoryBlockstore::default()));
    let mut tree = MST::create(store, None, None).await?;
    for (key, value) in &pairs {
        tree = tree.add(key, cid(value)?, None).await?;
    }
    let root = tree.get_pointer().await?;
    Ok(meter.stop(pairs.len())?.checked(ours(&root)?))
}

async fn insert(path: &Path) -> Result<Outcome> {
    let loaded = Loaded::read(path)?;
    let mut tree = MST::load(memory(&[&loaded]).await?, cid(&loaded.commit.data())?, None)?;
    let new = new_keys();
    let meter = Meter::start()?;
    for (key, value) in &new {
        tree = tree.add(key, cid(value)?, None).await?;
        std::hint::black_box(tree.save_mst().await?);
    }
    let root = tree.get_pointer().await?;
    Ok(meter.stop(new.len())?.checked(ours(&root)?))
}

async fn get(path: &Path) -> Result<Outcome> {
    let loaded = Loaded::read(path)?;
    let store = memory(&[&loaded]).await?;
    let mut tree = MST::load(store.clone(), cid(&loaded.commit.data())?, None)?;
    let keys: Vec<String> = loaded.sample(GETS).map(|(key, _)| key.to_owned()).collect();
    let meter = Meter::start()?;
    let mut bytes = 0;
    for key in &keys {
        let cid = tree.get(key).await?.context("a record is missing")?;
        let record = store.read().await.get_bytes(&cid).await?;
        bytes += record.context("a record is missing")?.len();
    }
    Ok(meter.stop(keys.len())?.checked(bytes))
}

async fn diff(before: &Path, after: &Path) -> Result<Outcome> {
    let (before, after) = (Loaded::read(before)?, Loaded::read(after)?);
    let store = memory(&[&before, &after]).await?;
    let mut a = MST::load(store.clone(), cid(&before.commit.data())?, None)?;
    let mut b = MST::load(store, cid(&after.commit.data())?, None)?;
    let meter = Meter::start()?;
    let diff = DataDiff::of(&mut b, Some(&mut a)).await?;
    let added = diff.add_list().len();
    let (changed, removed) = (diff.update_list().len(), diff.delete_list().len());
    Ok(meter.stop(1)?.checked(Changed { added, changed, removed }))
}

fn cid(cid: &pds::data::Cid) -> Result<Cid> {
    Ok(Cid::try_from(cid.as_bytes().as_slice())?)
}

fn ours(cid: &Cid) -> Result<pds::data::Cid> {
    Ok(pds::data::Cid::from_bytes(&cid.to_bytes())?)
}

async fn memory(all: &[&Loaded]) -> Result<Store> {
    let mut blocks = BlockMap::new();
    for block in all.iter().flat_map(|loaded| &loaded.blocks) {
        blocks.set(cid(&block.cid())?, block.bytes().to_vec());
    }
    store(blocks).await
}

async fn store(blocks: BlockMap) -> Result<Store> {
    Ok(Arc::new(RwLock::new(MemoryBlockstore::new(Some(blocks)).await?)))
}
