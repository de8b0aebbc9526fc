//! A whole repository in the database, the accounts of a database, and databases that are no store.

use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::Value;
use pds::retain::forget::Forget;
use pds::{Expected, Repo};
use pds_core::syntax::did::Did;
use pds_postgres::address::Address;
use pds_postgres::store::PostgresStore;
use pds_store::error::StoreError;
use pds_store::store::{CheckDepth, Maintain, Store};
use pds_store::sweep::Sweep;

use crate::server::shared;
use crate::support::{content, named_did, new_did, step, wide_step};

#[test]
fn forgetting_names_the_places_that_a_client_cannot_clean() {
    let Some(server) = shared() else { return };
    let (address, did) = (server.database(), new_did());
    let store = Arc::new(PostgresStore::create(&address, &did).unwrap());
    let repo = Repo::with(store.clone(), Arc::new(MemoryBlobs::default()));
    let repo = repo.signing_with(SigningKey::generate(Curve::K256).unwrap());
    repo.init(&did).unwrap();
    let secret = "com.example.note/secret".parse().unwrap();
    for text in ["a marked secret", "another marked secret"] {
        repo.put(&secret, &Value::from([("text", Value::from(text))])).unwrap();
    }
    let forgotten = repo.retain().forget(&Forget::Records(vec![secret]), &mut |_| {}).unwrap();
    let places = forgotten.swept.remains_elsewhere.unwrap();
    assert!(places.contains("backups") && places.contains("operator"), "{places}");
    assert!(forgotten.swept.remains.is_none() && !repo.retain().is_erasing().unwrap());
    let sql = "SELECT count(*) FROM pds.block WHERE position('marked secret' IN encode(bytes, \
        'escape')) > 0";
    let left: i64 = server.client(&address).query_one(sql, &[]).unwrap().get(0);
    assert_eq!(left, 0, "no row has the record");
    let report = repo.verify().history(&Expected::default(), &mut |_| {}).unwrap();
    assert!(report.is_ok());
    assert_eq!(store.check(CheckDepth::Whole).unwrap(), [""; 0]);
}

#[test]
fn accounts_of_one_database_share_nothing() {
    let Some(server) = shared() else { return };
    let address = server.database();
    let dids = ["alice", "bob", "carol"].map(named_did);
    let stores = dids.each_ref().map(|did| PostgresStore::create(&address, did).unwrap());
    for n in 1..4 {
        stores[1].apply(wide_step(n)).unwrap();
    }
    stores[0].apply(step(1)).unwrap();
    let [alice, bob, carol] = stores.each_ref().map(content);
    assert_eq!((alice.blocks, bob.blocks, carol.blocks), (2, 6, 0));
    assert_eq!((alice.log.len(), bob.log.len(), carol.log.len()), (1, 6, 0));
    let seen = bob.version;
    stores[1].collect(Sweep::new(seen, &|_| false)).unwrap();
    assert_eq!(content(&stores[0]), alice, "a sweep of one account spares the others");
    assert_eq!(PostgresStore::accounts(&address).unwrap(), dids);
    let error = PostgresStore::create(&address, &dids[0]).unwrap_err();
    assert!(matches!(&error, StoreError::Backend(why) if why.to_string().contains("already")));
}

#[test]
fn a_database_that_is_no_store_is_named() {
    let Some(server) = shared() else { return };
    let (address, did) = (server.database(), named_did("absent"));
    let refused = |address: &Address, did: &Did| match PostgresStore::open(address, did) {
        Err(StoreError::NotAStore(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(refused(&address, &did).contains("no tables of a store"));
    PostgresStore::create(&address, &named_did("present")).unwrap();
    let why = refused(&address, &did);
    assert!(why.contains("does not have this account") && why.contains(did.as_str()), "{why}");
    assert!(refused(&server.address("absent", server.port), &did).contains("does not exist"));
    server.client(&address).batch_execute("UPDATE pds.format SET number = 2").unwrap();
    for newer in [PostgresStore::open(&address, &did), PostgresStore::create(&address, &did)] {
        let newer = newer.unwrap_err();
        assert!(matches!(newer, StoreError::NewerFormat { found: 2, supported: 1 }), "{newer:?}");
    }
}

/// Rows that no release writes are reported as damage, and are no reason to panic.
#[test]
fn rows_that_were_changed_by_hand_are_damage() {
    let Some(server) = shared() else { return };
    let address = server.database();
    for (statement, problem) in [
        ("UPDATE pds.log SET message = E'two\\nlines' WHERE seq = 1", "log row 1"),
        ("UPDATE pds.log SET event = 'party' WHERE seq = 2", "the event is unknown"),
        ("UPDATE pds.log SET seq = -seq", "log row -"),
        ("DELETE FROM pds.log WHERE seq = 1", "rows of ref HEAD before it are missing"),
        ("DELETE FROM pds.log WHERE seq = 4", "its last log row is missing"),
        ("UPDATE pds.ref SET cid = 'x'", "the commit of a ref"),
        ("UPDATE pds.ref SET name = 'not a name'", "not a valid ref name"),
        ("UPDATE pds.fact SET subject = 'x'", "fact loss x"),
        ("UPDATE pds.fact SET kind = 'party'", "the kind is unknown"),
    ] {
        let mut client = server.client(&address);
        let _ = client.batch_execute(
            "DELETE FROM pds.account; DELETE FROM pds.block; \
            DELETE FROM pds.log; DELETE FROM pds.ref; DELETE FROM pds.fact",
        );
        let store = PostgresStore::create(&address, &new_did()).unwrap();
        for n in [wide_step(1), wide_step(2), step(3)] {
            store.apply(n).unwrap();
        }
        client
            .batch_execute(
                "DELETE FROM pds.fact WHERE subject <> (SELECT min(subject) FROM \
            pds.fact)",
            )
            .unwrap();
        assert_eq!(store.check(CheckDepth::Whole).unwrap(), [""; 0]);
        client.batch_execute(statement).unwrap();
        let found = store.check(CheckDepth::Whole).unwrap();
        assert!(found.iter().any(|found| found.contains(problem)), "{statement}: {found:?}");
    }
}

#[test]
fn a_change_never_replaces_a_log_row() {
    let Some(server) = shared() else { return };
    let (address, did) = (server.database(), new_did());
    let store = PostgresStore::create(&address, &did).unwrap();
    store.apply(step(1)).unwrap();
    let sql = "INSERT INTO pds.log (account, seq, name, after, at_micros, event, message) \
        SELECT id, change + 1, 'other', head, 1, 'write', 'kept' FROM pds.account";
    server.client(&address).batch_execute(sql).unwrap();
    let before = content(&store);
    let error = store.apply(step(2)).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
    assert_eq!(content(&store), before);
}

#[test]
fn an_account_is_reached_through_a_socket() {
    let Some(server) = shared() else { return };
    let (address, did) = (server.database(), new_did());
    PostgresStore::create(&address, &did).unwrap().apply(step(1)).unwrap();
    let text = address.to_string();
    let socket = server.socket(text.rsplit('/').next().unwrap());
    assert_eq!(content(&PostgresStore::open(&socket, &did).unwrap()).blocks, 2);
}

#[test]
fn processes_may_make_the_tables_at_once() {
    let Some(server) = shared() else { return };
    let address = server.database();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let store = PostgresStore::create(&address, &new_did()).unwrap();
                store.apply(step(1)).unwrap();
            });
        }
    });
    assert_eq!(PostgresStore::accounts(&address).unwrap().len(), 6);
}
