//! Whole copies: the state, the blobs, the key, and the accounts that are named.

use std::fs;

use super::{SECRET, Server, files};
use crate::common::DID;
use crate::screens::Screen;
#[cfg(unix)]
use crate::surroundings::with_mounts;

#[test]
fn a_copy_has_the_state_and_the_blobs_and_changes_nothing() {
    let server = Server::new();
    let before = files(&server.home.dir().join("pds"));
    let answer = server.clone().ok();
    assert!(answer.contains("records  2\n") && answer.contains("blobs    2\n"), "{answer}");
    assert!(!answer.contains("host"), "{answer}");
    assert_eq!(files(&server.home.dir().join("pds")), before);
    server.home.pds(["-R", "copy", "verify", "--blobs"]).ok();
    let head = server.head("alice").replace("HEAD\t", "");
    assert_eq!(server.head("copy"), format!("HEAD\t{head}origin\t{head}"));
    assert_eq!(server.home.list("copy"), ["blobs", "pds.db"]);
    assert!(server.home.pds(["-R", "copy", "log"]).ok().contains("clone data directory"));
    let said = server.home.pds(["-R", "copy", "pull"]).fails(1);
    assert!(said.contains("follows no host"), "{said}");
}

#[test]
fn json_of_a_copy_has_no_host() {
    let server = Server::new();
    let answer = server.home.pds(["clone", "./pds", "--did", DID, "--offline", "--json"]).ok();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["host"], serde_json::Value::Null);
    assert_eq!(answer["blobs"], serde_json::json!({ "fetched": 2, "missing": 0 }));
    assert!(server.home.dir().join(DID).join("pds.db").exists());
}

#[test]
fn the_key_is_copied_if_asked_for_and_never_printed() {
    let server = Server::new();
    let arguments = ["clone", "./pds", "copy", "--handle", "alice.test", "--offline", "--with-key"];
    let ended = server.home.pds(arguments).ended();
    assert_eq!(ended.code(), 0);
    let said = ended.text() + &ended.stderr;
    let secret = String::from_utf8(server.home.read("copy/key")).unwrap();
    assert!(!said.contains(SECRET) && !said.contains(secret.trim()), "{said}");
    assert_eq!(server.home.read("copy/key"), server.home.read("alice/key"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(server.home.path("copy/key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    server.home.pds(["-R", "copy", "put", "com.example.note/c"]).stdin("{}").ok();
}

#[test]
fn accounts_are_named_by_did_handle_or_all() {
    let server = Server::new();
    let said = server.home.pds(["clone", "./pds"]).fails(2);
    assert!(said.contains("./pds is the data directory of a PDS with 1 account"), "{said}");
    let said = server.home.pds(["clone", "./pds", "--handle", "bob.test", "--offline"]).fails(1);
    assert!(said.contains("no account in account.sqlite has the handle bob.test"), "{said}");
    let other = "did:web:bob.example.com";
    let said = server.home.pds(["clone", "./pds", "--did", other, "--offline"]).fails(3);
    assert!(said.contains("it has no account did:web:bob.example.com"), "{said}");
    server.home.pds(["clone", "./pds", "--handle", "ALICE.test", "--offline"]).ok();
    assert!(server.home.dir().join("alice.test/pds.db").exists());
    for flag in
        [&["--key", "z"][..], &["--from", "https://a.example"], &["--store", "postgres://x"]]
    {
        let all = [&["clone", "./pds", "--did", DID, "--offline"], flag].concat();
        server.home.pds(all).fails(2);
    }
    for flag in [&["--handle", "alice.test"][..], &["--offline"], &["--all", "x"]] {
        let said = server.home.pds([&["clone", "./alice"], flag].concat()).fails(2);
        assert!(said.contains("for the data directory of a PDS"), "{said}");
    }
}

#[test]
fn all_accounts_are_cloned_and_a_second_run_continues() {
    let server = Server::new();
    // An account whose database is lost, and entries that are no accounts.
    fs::create_dir_all(server.home.path("pds/actors/c1/did:web:bob.example.com")).unwrap();
    fs::create_dir_all(server.home.path("pds/actors/reserved_keys/did:web:x.example.com")).unwrap();
    fs::write(server.home.path("pds/actors/f9/notes"), "").unwrap();
    let all = ["clone", "./pds", "--all", "all", "--offline"];
    let ended = server.home.pds(all).ended();
    assert_eq!(ended.code(), 6);
    assert!(ended.text().starts_with("all/alice.test\t"), "{}", ended.text());
    assert_eq!(server.home.list("all"), ["alice.test"]);
    let ended = server.home.pds([&all[..], &["--json"]].concat()).ended();
    let lines: Vec<serde_json::Value> =
        ended.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actions: Vec<_> = lines.iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!((ended.code(), actions), (6, vec!["failed", "present"]));
    assert_eq!(lines[0]["error"], "bad-source");
}

#[test]
fn directories_that_are_in_use_stay_as_they_are() {
    let server = Server::new();
    fs::create_dir(server.home.path("copy")).unwrap();
    server.clone().ok();
    let before = files(&server.home.dir().join("copy"));
    server.clone().fails(1);
    assert_eq!(files(&server.home.dir().join("copy")), before);
    let said = server
        .home
        .pds(["clone", "./pds", "copy", "--did", DID, "--offline", "--with-key"])
        .fails(1);
    assert!(said.contains("copy"), "{said}");
}

#[test]
fn what_a_writer_has_acknowledged_is_read_from_the_wal() {
    let server = Server::new();
    let writer = server.store();
    writer.execute_batch(KEEP_WAL).unwrap();
    server.home.pds(["-R", "alice", "put", "com.example.note/c"]).stdin("{}").ok();
    server.fill();
    // A transaction that is not complete is not read.
    writer.execute_batch("BEGIN; DELETE FROM repo_block").unwrap();
    server.clone().ok();
    assert_eq!(server.head("copy").lines().next(), server.head("alice").lines().next());
}

#[test]
fn a_terminal_shows_a_line_for_each_account_and_a_table_at_the_end() {
    let server = Server::new();
    fs::create_dir_all(server.home.path("pds/actors/c1/did:web:bob.example.com")).unwrap();
    let line = "pds clone ./pds --all all --offline 2> errors";
    let Some(shown) = Screen::plain(60).of(&server.home, line) else { return };
    let expected = "✓ all/alice.test  2 records · 2 blobs\n\
        1  cloned, with 2 records and 2 blobs\n\
        1  failed\n";
    assert_eq!(shown, expected);
    let shown = Screen::plain(60).of(&server.home, line).unwrap();
    assert_eq!(shown, "  all/alice.test  already there\n1  already there\n1  failed\n");
    let errors = String::from_utf8(server.home.read("errors")).unwrap();
    assert!(errors.starts_with("warning: did:web:bob.example.com: "), "{errors}");
    let Some(shown) = Screen::plain(60)
        .of(&server.home, "pds clone ./pds one --did did:web:alice.example.com --offline")
    else {
        return;
    };
    assert!(
        shown.starts_with("✓ cloned did:web:alice.example.com into one\n")
            && !shown.contains("request"),
        "{shown}"
    );
}

#[cfg(unix)]
#[test]
fn a_wal_on_read_only_media_is_read() {
    let server = Server::new();
    let writer = server.store();
    writer.execute_batch(KEEP_WAL).unwrap();
    server.home.pds(["-R", "alice", "put", "com.example.note/c"]).stdin("{}").ok();
    server.fill();
    server.home.sh("cp -a pds media; rm media/actors/f9/*/store.sqlite-shm").ok();
    let line = "mount --bind media media && mount -o remount,bind,ro media && \
        pds clone ./media copy --did did:web:alice.example.com --offline";
    let before = files(&server.home.dir().join("media"));
    assert!(before.keys().any(|path| path.ends_with("store.sqlite-wal")));
    let Some(run) = with_mounts(&server.home, line) else { return };
    run.ok();
    assert_eq!(files(&server.home.dir().join("media")), before);
    assert_eq!(server.head("copy").lines().next(), server.head("alice").lines().next());
}

/// A connection that has read the file keeps others from removing its WAL.
const KEEP_WAL: &str =
    "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; SELECT * FROM repo_root";
