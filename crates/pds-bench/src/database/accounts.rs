//! Accounts of the runs: their repositories in PostgreSQL, and the records that are put.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, ensure};
use pds::Repo;
use pds::blob::MemoryBlobs;
use pds::data::{Blocks, Cid, Codec, Value};
use pds::store::Store;
use pds::syntax::{Did, RecordPath};
use pds_postgres::address::Address;
use pds_postgres::store::PostgresStore;

use crate::data::Data;
use crate::database::recorder::{Recorder, Rows};
use crate::database::server::{DATABASE, USER};
use crate::generate::{self, account_records};

/// Returns an account that no other part of the run uses.
pub(crate) fn new_did() -> Result<Did> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(format!("did:web:a{number}.bench.example.com").parse()?)
}

fn address(port: u16) -> Result<Address> {
    Ok(format!("postgres://{USER}@127.0.0.1:{port}/{DATABASE}").parse()?)
}

/// Makes an account without a repository.
pub(crate) fn create(port: u16, did: &Did) -> Result<Repo> {
    repo(Arc::new(PostgresStore::create(&address(port)?, did)?))
}

/// Makes an account with the generated repository of this many records.
pub(crate) fn create_filled(port: u16, did: &Did, records: usize, data: &Data) -> Result<Repo> {
    let repo = create(port, did)?;
    import(&repo, records, data)?;
    Ok(repo)
}

/// Opens the repository of an account with empty caches. Its connection is made, and the statements
/// of its reads are prepared.
pub(crate) fn open(port: u16, did: &Did) -> Result<Repo> {
    let store = PostgresStore::open(&address(port)?, did)?;
    store.view()?;
    store.get(&Cid::of(Codec::Cbor, b"missing"))?;
    repo(Arc::new(store))
}

fn repo(store: Arc<dyn Store>) -> Result<Repo> {
    Ok(Repo::with(store, Arc::new(MemoryBlobs::default())).signing_with(generate::key()?))
}

/// Imports the generated repository of this many records.
pub(crate) fn import(repo: &Repo, records: usize, data: &Data) -> Result<()> {
    let key = generate::key()?.public_key();
    let file = File::open(data.streamable(records))?;
    let imported = repo.transfer().import_file(file, Some(&key))?;
    let is_whole = imported.records == records as u64 && imported.findings.is_empty();
    ensure!(is_whole, "not all records were imported");
    Ok(())
}

/// A record and its new value.
pub(crate) type PutRecord = (RecordPath, Value);

/// Returns new versions of a few posts of the generated repository, again and again. The first
/// [`PATHS`] puts bring each path into the cache.
pub(crate) fn puts(records: usize, count: usize) -> Result<Vec<PutRecord>> {
    let is_post = |(key, _): &(String, Vec<u8>)| key.starts_with("app.bsky.feed.post/");
    let posts: Vec<String> =
        account_records().take(records).filter(is_post).map(|(key, _)| key).collect();
    let paths = posts.iter().step_by(posts.len() / PATHS).take(PATHS).cycle();
    let values = generate::new_records().filter(is_post).take(PATHS + count);
    paths
        .zip(values)
        .map(|(path, (_, bytes))| Ok((path.parse()?, Value::decode(&bytes)?)))
        .collect()
}

pub(crate) fn put(repo: &Repo, puts: &[PutRecord]) -> Result<()> {
    for (path, value) in puts {
        repo.put(path, value)?;
    }
    Ok(())
}

/// Returns the rows of the import of a repository, those of each put, and the last root.
pub(crate) fn rows(
    records: usize,
    puts: &[PutRecord],
    data: &Data,
) -> Result<(Rows, Vec<Rows>, Cid)> {
    let recorder = Arc::new(Recorder::default());
    let repo = repo(recorder.clone())?;
    import(&repo, records, data)?;
    let mut imported = recorder.take();
    ensure!(imported.len() == 1, "an import is one change");
    put(&repo, puts)?;
    Ok((imported.remove(0), recorder.take(), root(&repo)?))
}

/// Returns the root of the tree, which does not depend on the time of the last commit.
pub(crate) fn root(repo: &Repo) -> Result<Cid> {
    Ok(repo.snapshot()?.commit().data())
}

/// The number of records that are put again and again.
pub(crate) const PATHS: usize = 20;
