//! The number of round trips of a repository: what a network costs.

use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::Value;
use pds::retain::gc::Keep;
use pds::syntax::{Nsid, RecordPath};
use pds::{Expected, Repo, Write};
use pds_core::data::block::Blocks;
use pds_postgres::address::Address;
use pds_postgres::store::PostgresStore;
use pds_store::store::Store;

use crate::proxy::Proxy;
use crate::server::shared;
use crate::support::{cid, named_did};

const RECORDS: u32 = 30_000;

fn path(n: u32) -> RecordPath {
    format!("com.example.note/r{n:05}").parse().unwrap()
}

fn note(n: u32) -> Value {
    let kind = Value::from("com.example.note");
    Value::from([("$type", kind), ("text", Value::from(format!("note {n}")))])
}

/// Opens the repository with empty caches.
fn open(address: &Address, key: &SigningKey) -> Repo {
    let store = PostgresStore::open(address, &named_did("trips")).unwrap();
    // The statements are prepared, as on a server that has run for a while.
    store.view().unwrap();
    store.get(&cid(0)).unwrap();
    let repo = Repo::with(Arc::new(store), Arc::new(MemoryBlobs::default()));
    repo.signing_with(key.clone())
}

/// Reads a record, and returns the number of round trips and of nodes on its path.
fn get(proxy: &Proxy, repo: &Repo, n: u32) -> (u64, u64) {
    let (trips, found) = proxy.trips(|| repo.find(&path(n)).unwrap());
    assert_eq!(found.unwrap().value().unwrap(), note(n));
    let proof = repo.snapshot().unwrap().prove(&path(n)).unwrap();
    // The other blocks of a proof are the commit and the record.
    (trips, proof.blocks().count() as u64 - 2)
}

#[test]
fn a_repository_needs_few_round_trips() {
    let Some(server) = shared() else { return };
    let proxy = Proxy::start(server.port);
    let database = server.database().to_string();
    let address = server.address(database.rsplit('/').next().unwrap(), proxy.port);
    let key = SigningKey::generate(Curve::K256).unwrap();
    PostgresStore::create(&address, &named_did("trips")).unwrap();
    let repo = open(&address, &key);
    repo.init(&named_did("trips")).unwrap();
    for first in (0..RECORDS).step_by(5_000) {
        let writes: Vec<Write> =
            (first..first + 5_000).map(|n| Write::put(path(n), note(n))).collect();
        repo.write(&writes).unwrap();
    }

    let repo = open(&address, &key);
    // The first round reads the nodes on the way to each record, the second finds them in the cache.
    for round in 1..3 {
        for n in 0..20 {
            let (trips, _) = proxy.trips(|| repo.put(&path(n * 1_000), &note(n + round)).unwrap());
            println!("put {n} in round {round}: {trips} trips");
            assert!(round == 1 || trips <= 2, "put {n}: {trips} trips");
        }
    }
    for n in 0..20 {
        repo.put(&path(n * 1_000), &note(n * 1_000)).unwrap();
    }

    let repo = open(&address, &key);
    for n in 0..10 {
        let (trips, depth) = get(&proxy, &repo, n * 2_999);
        println!("get {n}: {trips} trips, {depth} nodes");
        // The view, the nodes that are not in the cache, and the record. The first read also opens
        // the commit, and its root is not in the cache.
        let most = depth + if n == 0 { 3 } else { 1 };
        assert!(trips <= most, "get {n}: {trips} trips, {depth} nodes");
    }
    per_record(&proxy, &address, &key);
}

/// Checks the long reads, each with empty caches.
fn per_record(proxy: &Proxy, address: &Address, key: &SigningKey) {
    type Work = fn(&Repo);
    let works: [(&str, f64, Work); 5] = [
        // A few more trips for each of the 70 commits.
        ("history", 0.05, |repo| {
            let report = repo.verify().history(&Expected::default(), &mut |_| {}).unwrap();
            assert!(report.is_ok());
        }),
        ("gc", 0.02, |repo| {
            repo.retain().plan_gc(&Keep::default(), &mut |_| {}).unwrap();
        }),
        ("verify", 0.02, |repo| {
            let report = repo.verify().present(&Expected::default(), &mut |_| {}).unwrap();
            assert!(report.is_ok());
        }),
        ("list", 0.02, |repo| {
            let collection: Nsid = "com.example.note".parse().unwrap();
            assert_eq!(repo.list(&collection).unwrap().len(), RECORDS as usize);
        }),
        ("export", 0.02, |repo| {
            let head = repo.head().unwrap().unwrap();
            let mut file = Vec::new();
            repo.transfer().export(&head.into(), &mut file).unwrap();
        }),
    ];
    for (name, most, work) in works {
        let repo = open(address, key);
        let (trips, ()) = proxy.trips(|| work(&repo));
        let each = trips as f64 / f64::from(RECORDS);
        println!("{name} of {RECORDS} records: {trips} trips, {each:.4} for each");
        assert!(each <= most, "{name}: {trips} trips");
    }
}
