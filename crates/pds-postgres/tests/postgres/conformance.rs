//! The suites that every store must pass.

use pds_core::data::cid::Cid;
use pds_postgres::address::Address;
use pds_postgres::store::PostgresStore;
use pds_store::conformance::damage::check_damage;
use pds_store::conformance::durable::check_durable;
use pds_store::conformance::large::check_large;
use pds_store::conformance::shared::check_shared;
use pds_store::conformance::suite::check;
use pds_store::store::Store;

use crate::server::shared;
use crate::support::{named_did, new_did};

/// Opens the store of an account, and creates it on the first call.
fn open(address: &Address, name: &str) -> Box<dyn Store> {
    let did = named_did(name);
    let opened = PostgresStore::open(address, &did);
    Box::new(opened.or_else(|_| PostgresStore::create(address, &did)).unwrap())
}

#[test]
fn the_store_conforms() {
    let Some(server) = shared() else { return };
    let address = server.database();
    check(&|| Box::new(PostgresStore::create(&address, &new_did()).unwrap()));
}

#[test]
fn the_store_is_durable() {
    let Some(server) = shared() else { return };
    let address = server.database();
    check_durable(&|name| open(&address, name));
}

#[test]
fn handles_share_the_store() {
    let Some(server) = shared() else { return };
    let address = server.database();
    check_shared(&|name| open(&address, name));
}

#[test]
fn the_store_heals() {
    let Some(server) = shared() else { return };
    let address = server.database();
    for bytes in ["'\\x00'::bytea", "''::bytea", "bytes || '\\x00'::bytea"] {
        let store = PostgresStore::create(&address, &new_did()).unwrap();
        // Accounts share no blocks, so the blocks of one account are damaged.
        let sql = format!(
            "UPDATE pds.block SET bytes = {bytes} WHERE cid = $1 AND account = \
             (SELECT id FROM pds.account WHERE did = $2)"
        );
        let did = store.address().did().unwrap().as_str().to_owned();
        check_damage(&store, &|cid: &Cid| {
            let mut client = server.client(&address);
            let name = cid.as_bytes().as_slice();
            assert_eq!(client.execute(&sql, &[&name, &did]).unwrap(), 1);
        });
    }
}

#[test]
fn the_store_takes_long_streams() {
    let Some(server) = shared() else { return };
    let address = server.database();
    check_large(&PostgresStore::create(&address, &new_did()).unwrap(), 64 << 20);
}
