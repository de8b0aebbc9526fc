//! atrium-repo: asynchronous, an indexed CAR file as its store. It has no diff, and its tree loses records
//! that are not added in ascending order, so it builds sorted trees only.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result};
use atrium_repo::Repository;
use atrium_repo::blockstore::{
    AsyncBlockStoreRead, AsyncBlockStoreWrite, CarStore, DAG_CBOR, MemoryBlockStore, SHA2_256,
};
use atrium_repo::mst::Tree;
use futures::StreamExt;
use ipld_core::cid::Cid;

use crate::data::Data;
use crate::loaded::Loaded;
use crate::meter::{Meter, Outcome, Seen};
use crate::work::{GETS, Work};

pub(super) async fn case(work: Work, records: usize, data: &Data) -> Result<Option<Outcome>> {
    let outcome = match work {
        Work::ReadStreamable => read(&data.streamable(records)).await?,
        Work::ReadAnyOrder => read(&data.any_order(records)).await?,
        Work::Get => get(&data.streamable(records)).await?,
        _ => return Ok(None),
    };
    Ok(Some(outcome))
}

async fn read(path: &Path) -> Result<Outcome> {
    let meter = Meter::start()?;
    let mut car = CarStore::open(Cursor::new(fs::read(path)?)).await?;
    let root = car.roots().next().context("no root")?;
    let tree = Repository::open(&mut car, root).await?.commit().data();
    // The walk borrows the store, so the keys are collected before the records are read.
    let mut entries = Vec::new();
    {
        let mut tree = Tree::open(&mut car, tree);
        let mut walk = std::pin::pin!(tree.entries());
        while let Some(entry) = walk.next().await {
            entries.push(entry?);
        }
    }
    let (mut seen, mut record) = (Seen::default(), Vec::new());
    for (key, cid) in entries {
        car.read_block_into(cid, &mut record).await?;
        seen.record(key.as_bytes(), record.len());
    }
    Ok(meter.stop(seen.records)?.checked(seen))
}

async fn get(path: &Path) -> Result<Outcome> {
    let loaded = Loaded::read(path)?;
    let mut store = MemoryBlockStore::new();
    for block in &loaded.blocks {
        store.write_block(DAG_CBOR, SHA2_256, block.bytes()).await?;
    }
    let root = Cid::try_from(loaded.commit.data().as_bytes().as_slice())?;
    let keys: Vec<&str> = loaded.sample(GETS).map(|(key, _)| key).collect();
    let meter = Meter::start()?;
    let (mut bytes, mut record) = (0, Vec::new());
    for key in &keys {
        let cid = Tree::open(&mut store, root).get(key).await?.context("a record is missing")?;
        store.read_block_into(cid, &mut record).await?;
        bytes += record.len();
    }
    Ok(meter.stop(keys.len())?.checked(bytes))
}
