//! The conformance suite.

use crate::conformance::suite;
use crate::sqlite::store::SqliteStore;

#[test]
fn the_store_in_a_file_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    suite::check(&|| {
        count.set(count.get() + 1);
        let path = dir.path().join(format!("{}.db", count.get()));
        Box::new(SqliteStore::create(&path).unwrap())
    });
}
