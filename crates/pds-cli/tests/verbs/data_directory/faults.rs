//! Data directories with damaged rows, lost blobs and other keys.

use std::fs;

use super::Server;
use crate::common::DID;

/// Damages the database, and expects that the clone fails and leaves nothing.
fn refused(sql: &str, code: i32, words: &str) {
    let server = Server::new();
    server.store().execute_batch(sql).unwrap();
    let before = server.home.list(".");
    let said = server.clone().fails(code);
    assert!(said.contains(words), "{sql}: {said}");
    assert_eq!(server.home.list("."), before, "{sql}");
}

/// Expects a clone that lacks something, and returns the list.
fn partly(server: &Server) -> String {
    let ended = server.clone().ended();
    assert_eq!(ended.code(), 6, "{}", ended.stderr);
    ended.stderr
}

#[test]
fn a_state_that_is_not_whole_is_refused() {
    let root = "cid = (SELECT cid FROM repo_root)";
    refused(&format!("DELETE FROM repo_block WHERE {root}"), 1, "commit");
    refused(&format!("UPDATE repo_block SET content = content || x'00' WHERE {root}"), 1, "commit");
    refused(&format!("DELETE FROM repo_block WHERE NOT {root}"), 1, "node-missing");
    refused("DELETE FROM repo_root", 3, "repo_root has not exactly one row");
    refused("INSERT INTO repo_root VALUES ('did:x:y', 'z', 'z', 'z')", 3, "not exactly one row");
    refused("UPDATE repo_root SET cid = 'bafy'", 3, "repo_root names no commit");
    refused("UPDATE repo_root SET did = 'alice'", 3, "repo_root names no DID");
    refused("UPDATE repo_root SET did = 'did:web:bob.example.com'", 1, "belongs to did:web:bob");
}

#[test]
fn damaged_rows_that_the_state_does_not_need_are_listed() {
    let server = Server::new();
    let cid = "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    server
        .store()
        .execute_batch(&format!(
            "INSERT INTO repo_block VALUES ('{cid}', 'r', 1, x'00'), ('no cid', 'r', 1, x'00'), ('', 'r', 1, 'text')"
        ))
        .unwrap();
    let said = partly(&server);
    assert!(said.contains(&format!("not copied: the row of {cid}")), "{said}");
    assert_eq!(said.matches("a row of repo_block has no valid CID").count(), 2, "{said}");
    server.home.pds(["-R", "copy", "verify", "--blobs"]).ok();
}

#[test]
fn blobs_that_are_not_in_their_place_are_listed() {
    for (reason, spoil) in [
        (
            "not-found",
            &(|server: &Server, cid: &str| fs::remove_file(server.blob(cid)).unwrap())
                as &dyn Fn(&Server, &str),
        ),
        ("wrong-hash", &|server, cid| fs::write(server.blob(cid), "other blob").unwrap()),
        ("temporary", &|server, cid| {
            fs::remove_file(server.blob(cid)).unwrap();
            let sql = format!("INSERT INTO blob VALUES ('{cid}', 'text/plain', 10, 'key')");
            server.store().execute_batch(&sql).unwrap();
        }),
        ("quarantined", &|server, cid| {
            let place = server.home.dir().join("pds/blocks/quarantine").join(DID);
            fs::create_dir_all(&place).unwrap();
            fs::rename(server.blob(cid), place.join(cid)).unwrap();
        }),
    ] {
        let server = Server::new();
        let cid = &server.blobs[0];
        spoil(&server, cid);
        let said = partly(&server);
        let line = format!("blob {cid} of com.example.note/a was not fetched: {reason}");
        assert!(said.contains(&line), "{reason}: {said}");
        server.home.pds(["-R", "copy", "verify"]).ok();
        let missing = server.home.pds(["-R", "copy", "blob", "missing"]).ended().text();
        assert!(missing.starts_with(cid) && missing.lines().count() == 1, "{missing}");
    }
}

#[test]
fn without_blobs_none_is_missing() {
    let server = Server::new();
    fs::remove_dir_all(server.home.path("pds/blocks")).unwrap();
    let arguments = ["clone", "./pds", "copy", "--handle", "alice.test", "--offline", "--no-blobs"];
    server.home.pds(arguments).ok();
}

#[test]
fn the_key_in_the_directory_must_have_signed() {
    for (key, code, words) in [
        (vec![7; 32], 1, "signature-invalid"),
        (vec![7; 31], 3, "not 32 bytes"),
        (vec![7; 33], 3, "not 32 bytes"),
        (vec![0; 32], 3, "out of range"),
    ] {
        let server = Server::new();
        fs::write(server.actor("key"), key).unwrap();
        let said = server.clone().fails(code);
        assert!(said.contains(words), "{said}");
        assert!(!server.home.dir().join("copy").exists());
    }
    let server = Server::new();
    fs::remove_file(server.actor("key")).unwrap();
    let said = server.clone().fails(3);
    assert!(said.contains("its account has no key there"), "{said}");
}
