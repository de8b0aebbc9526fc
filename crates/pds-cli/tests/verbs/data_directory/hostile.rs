//! Data directories of attackers: databases whose schema runs code, values without end, links and pipes.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;

use super::{Server, files};
use crate::common::DID;

const SCHEMAS: [(&str, &str); 6] = [
    (
        "ALTER TABLE repo_block RENAME TO kept; CREATE VIEW repo_block AS SELECT * FROM kept",
        "its view \"repo_block\" is no ordinary table",
    ),
    ("CREATE VIEW other AS SELECT 1", "its view \"other\" is no ordinary table"),
    ("CREATE VIRTUAL TABLE other USING fts5(text)", "is no ordinary table"),
    (
        "ALTER TABLE repo_block ADD COLUMN more AS (zeroblob(1000000000))",
        "its table \"repo_block\" has a generated column",
    ),
    ("DROP TABLE repo_root", "it has no table repo_root with a column did"),
    ("ALTER TABLE repo_block RENAME COLUMN content TO bytes", "with a column content"),
];

#[test]
fn schemas_that_run_code_are_refused() {
    for (sql, words) in SCHEMAS {
        let server = Server::new();
        server.store().execute_batch(sql).unwrap();
        let before = files(server.home.dir());
        let said = server.clone().fails(3);
        assert!(said.contains(words), "{sql}: {said}");
        assert!(said.contains("store.sqlite cannot be used"), "{said}");
        assert_eq!(files(server.home.dir()), before, "{sql}");
    }
}

#[test]
fn a_cell_that_is_larger_than_a_block_is_refused() {
    let server = Server::new();
    let sql = "INSERT INTO repo_block VALUES ('large', 'r', 6000000, zeroblob(6000000))";
    server.store().execute_batch(sql).unwrap();
    server.clone().fails(3);
    assert!(!server.home.dir().join("copy").exists());
}

#[test]
fn handles_come_from_an_ordinary_table_only() {
    let server = Server::new();
    let accounts = Connection::open(server.home.path("pds/account.sqlite")).unwrap();
    let sql =
        "DROP TABLE actor; CREATE VIEW actor AS SELECT did, passwordScrypt AS handle FROM account";
    accounts.execute_batch(sql).unwrap();
    let arguments = ["clone", "./pds", "copy", "--handle", "alice.test", "--offline"];
    let said = server.home.pds(arguments).fails(3);
    assert!(said.contains("its view \"actor\" is no ordinary table"), "{said}");
    // The DID needs no handle.
    server.clone().ok();
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_refused() {
    let server = Server::new();
    let blob = server.blobs[0].clone();
    let places: [(&str, PathBuf); 7] = [
        ("database", server.actor("store.sqlite")),
        ("WAL", server.actor("store.sqlite-wal")),
        ("key", server.actor("key")),
        ("blob", server.blob(&blob)),
        ("account", server.actor("")),
        ("group", server.actor("").parent().unwrap().to_owned()),
        ("blobs", server.home.dir().join("pds/blocks")),
    ];
    for (name, place) in &places {
        let place = PathBuf::from(place.to_str().unwrap().trim_end_matches('/'));
        let kept = server.home.dir().join("kept");
        let was_there = fs::rename(&place, &kept).is_ok();
        for kind in ["link", "pipe"] {
            match kind {
                "link" => std::os::unix::fs::symlink(&kept, &place).unwrap(),
                _ => assert!(server.home.command("mkfifo").arg(&place).status().unwrap().success()),
            }
            let before = files(server.home.dir());
            let ended = server.clone().ended_within(std::time::Duration::from_secs(60));
            let ended = ended.expect("it waits");
            let said = &ended.stderr;
            assert_eq!(ended.code(), 3, "{name} as {kind}: {said}");
            assert!(said.contains("cannot be used"), "{name} as {kind}: {said}");
            assert_eq!(files(server.home.dir()), before, "{name} as {kind}");
            fs::remove_file(&place).unwrap();
        }
        if was_there {
            fs::rename(&kept, &place).unwrap();
        }
    }
    server.clone().ok();
    assert!(server.home.list("copy").contains(&"pds.db".to_owned()), "{DID}");
}
