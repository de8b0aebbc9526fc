//! `blob put`, `get`, `ls`, `missing` and `check`.

use crate::common::{Home, TestRepo, masked};

const HELLO: &str = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";

/// A repository with the blob `hello`, and a record that refers to it.
fn with_a_blob() -> TestRepo {
    let repo = TestRepo::new();
    let blob = repo.pds(["blob", "put", "-", "--mime", "text/plain"]).stdin("hello").ok();
    let record = format!("{{\"attached\":{blob}}}");
    repo.pds(["put", "com.example.note/a"]).stdin(record).ok();
    repo
}

fn path_of(repo: &TestRepo, cid: &str) -> String {
    repo.home.path(&format!("alice/blobs/{}/{cid}", &cid[..2]))
}

#[test]
fn blob_put_stores_a_file_and_prints_its_reference() {
    let repo = TestRepo::new();
    let file = repo.home.write("hello.txt", "hello");
    let said = repo.pds(["blob", "put", &file, "--mime", "text/plain"]).ok();
    let expected = format!(
        "{{\"ref\":{{\"$link\":\"{HELLO}\"}},\"size\":5,\"$type\":\"blob\",\
         \"mimeType\":\"text/plain\"}}\n"
    );
    assert_eq!(said, expected);
    assert_eq!(repo.pds(["blob", "put", &file, "--mime", "text/plain", "--json"]).ok(), expected);
    let png = *b"\x89PNG\r\n\x1a\n rest";
    let said = repo.pds(["blob", "put", "-"]).stdin(png).ok();
    assert!(said.contains("\"mimeType\":\"image/png\""), "{said}");
}

#[test]
fn blob_put_of_a_file_that_is_not_there_is_bad_input() {
    let repo = TestRepo::new();
    assert_eq!(repo.pds(["blob", "put", "gone.jpg"]).fails(3), "error: no file gone.jpg\n");
    let said = repo.pds(["blob", "put", "gone.jpg", "--json"]).fails(3);
    assert_eq!(said, "{\"error\":\"bad-input\",\"message\":\"no file gone.jpg\"}\n");
    repo.pds(["blob", "put", ".", "--json"]).fails(3);
    repo.pds(["blob", "put", "-", "--mime", ""]).stdin("x").fails(2);
}

#[test]
fn blob_get_writes_the_bytes() {
    let repo = with_a_blob();
    assert_eq!(repo.pds(["blob", "get", HELLO]).ok(), "hello");
    let other = HELLO.replace("yeq", "yea");
    let said = repo.pds(["blob", "get", &other]).fails(1);
    assert_eq!(said, format!("error: blob {other} is not stored\n"));
    let said = repo.pds(["blob", "get", &other, "--json"]).fails(1);
    assert_eq!(
        said,
        format!("{{\"error\":\"not-found\",\"message\":\"blob {other} is not stored\"}}\n")
    );
}

#[test]
fn blob_get_of_a_damaged_blob_ends_in_an_error() {
    let repo = with_a_blob();
    std::fs::write(path_of(&repo, HELLO), "jello").unwrap();
    let ended = repo.pds(["blob", "get", HELLO]).ended();
    assert_eq!((ended.code(), &*ended.text()), (3, ""), "and nothing of it is written");
    assert!(ended.stderr.contains(HELLO), "{}", ended.stderr);
}

#[test]
fn blob_ls_lists_what_is_here() {
    let repo = with_a_blob();
    assert_eq!(repo.pds(["blob", "ls"]).ok(), format!("{HELLO}\t5\n"));
    let said = repo.pds(["blob", "ls", "--json"]).ok();
    assert_eq!(said, format!("{{\"cid\":\"{HELLO}\",\"size\":5}}\n"));
    Home::new().pds(["blob", "ls"]).fails(3);
}

#[test]
fn blob_missing_lists_what_records_refer_to_and_is_not_here() {
    let repo = with_a_blob();
    assert_eq!(repo.pds(["blob", "missing"]).ok(), "");
    std::fs::remove_file(path_of(&repo, HELLO)).unwrap();
    let ended = repo.pds(["blob", "missing"]).ended();
    assert_eq!((ended.code(), &*ended.stderr), (1, ""));
    let uri = "at://did:web:alice.example.com/com.example.note/a";
    assert_eq!(ended.text(), format!("{HELLO}\t{uri}\n"));
    let ended = repo.pds(["blob", "missing", "--json"]).ended();
    assert_eq!(ended.text(), format!("{{\"cid\":\"{HELLO}\",\"uri\":\"{uri}\"}}\n"));
    let ended = repo.pds(["verify", "--blobs"]).ended();
    assert_eq!(ended.code(), 1);
    assert_eq!(
        ended.text().lines().next().unwrap(),
        format!("error blob-missing com.example.note/a {HELLO}: the blob is not stored")
    );
}

#[test]
fn blob_check_hashes_everything_that_is_here() {
    let repo = with_a_blob();
    assert_eq!(repo.pds(["blob", "check"]).ok(), "1 intact, 0 damaged\n");
    std::fs::write(path_of(&repo, HELLO), "jello").unwrap();
    let ended = repo.pds(["blob", "check"]).ended();
    assert_eq!(ended.code(), 1);
    assert_eq!(ended.text(), format!("{HELLO} is damaged\n0 intact, 1 damaged\n"));
    let ended = repo.pds(["blob", "check", "--json"]).ended();
    assert_eq!(ended.code(), 1);
    let expected =
        format!("{{\"damaged\":[\"{HELLO}\"],\"ok\":false,\"unreadable\":[],\"whole\":0}}\n");
    assert_eq!(ended.text(), expected);
    // A record that cannot be read does not hide the others.
    repo.home.write("other", "other");
    let other = repo.pds(["blob", "put", "other"]).ok();
    let other = other.split('"').find(|word| word.starts_with("baf")).unwrap().to_owned();
    std::fs::remove_file(path_of(&repo, &other)).unwrap();
    std::fs::create_dir(path_of(&repo, &other)).unwrap();
    let ended = repo.pds(["blob", "check"]).ended();
    assert_eq!(ended.code(), 1);
    let said = ended.text();
    assert!(said.contains(&format!("{HELLO} is damaged\n")), "{said}");
    assert!(said.contains(&format!("{other} cannot be read: ")), "{said}");
    assert!(said.ends_with("0 intact, 1 damaged, 1 unreadable\n"), "{said}");
}

#[test]
fn a_record_is_not_written_before_its_blobs_unless_that_is_allowed() {
    let repo = TestRepo::new();
    let record = format!(
        "{{\"attached\":{{\"$type\":\"blob\",\"ref\":{{\"$link\":\"{HELLO}\"}},\
         \"mimeType\":\"text/plain\",\"size\":5}}}}"
    );
    let put = ["put", "com.example.note/a"];
    let said = repo.pds(put).stdin(record.clone()).fails(1);
    assert_eq!(
        said,
        format!(
            "error: record com.example.note/a refers to blob {HELLO}, which is not stored\n\
             hint: store it with pds blob put FILE, or use --allow-missing-blobs\n"
        )
    );
    let allowed = put.into_iter().chain(["--allow-missing-blobs"]);
    let said = repo.pds(allowed).stdin(record).ok();
    assert_eq!(masked(&said), "at://did:web:alice.example.com/com.example.note/a\t<cid 1>\n");
}

#[test]
fn a_car_file_has_no_blobs_and_all_of_its_references_are_missing() {
    let repo = with_a_blob();
    let file = repo.export("backup.car");
    let blob = |verb: &[&str]| {
        let args = ["-R", &file, "blob"].into_iter().chain(verb.iter().copied());
        repo.home.pds(args.map(str::to_owned)).ended()
    };
    assert_eq!(blob(&["ls"]).done(), "");
    assert_eq!(blob(&["check"]).done(), "0 intact, 0 damaged\n");
    let missing = blob(&["missing"]);
    assert_eq!(missing.code(), 1);
    assert!(missing.text().starts_with(HELLO), "{missing:?}");
    let get = blob(&["get", HELLO]);
    assert_eq!((get.code(), get.stderr), (1, format!("error: blob {HELLO} is not stored\n")));
    let put = blob(&["put", "backup.car"]);
    assert_eq!(put.code(), 1);
    assert!(put.stderr.contains("is a CAR file and is read-only"), "{put:?}");
}

#[test]
fn a_record_with_the_wrong_size_of_a_blob_is_refused() {
    let repo = with_a_blob();
    let head = repo.head();
    let blob = format!(
        "{{\"$type\":\"blob\",\"ref\":{{\"$link\":\"{HELLO}\"}},\"mimeType\":\"text/plain\",\"size\":9}}"
    );
    let record = format!("{{\"attached\":{blob}}}");
    assert_eq!(
        repo.pds(["put", "com.example.note/b"]).stdin(record.as_str()).fails(1),
        format!(
            "error: record com.example.note/b: blob {HELLO} has 5 bytes, and the record says 9\n\
             hint: pds blob put FILE prints the reference with the right size\n"
        )
    );
    let line = format!(
        "{{\"action\":\"put\",\"collection\":\"com.example.note\",\"rkey\":\"b\",\"value\":{record}}}\n"
    );
    let said = repo.pds(["apply", "--json"]).stdin(line).fails(1);
    assert!(said.starts_with("{\"error\":\"blob-size\","), "{said}");
    assert_eq!(repo.head(), head);
    repo.assert_whole();
}

#[test]
fn a_record_of_a_backup_without_blobs_can_be_edited_copied_and_moved() {
    let repo = with_a_blob();
    repo.export("backup.car");
    repo.home.pds(["clone", "backup.car", "mine"]).ended().done();
    repo.home.pds(["-R", "mine", "key", "import", "alice/key"]).ended().done();
    let mine = |args: &[&str]| repo.home.pds(["-R", "mine"].iter().chain(args).copied());
    let record = mine(&["get", "com.example.note/a"]).ok();
    mine(&["put", "com.example.note/a"]).stdin(record.replace("{", "{\"edited\":1,")).fails(3);
    let edited = record.replacen('{', "{\"edited\": true,", 1);
    mine(&["put", "com.example.note/a"]).stdin(edited.as_str()).ok();
    mine(&["put", "com.example.note/b"]).stdin(edited.as_str()).ok();
    mine(&["rm", "com.example.note/a"]).ok();
    mine(&["put", "com.example.note/b"]).stdin(record.as_str()).ok();
    // A blob that no record refers to is required.
    mine(&["rm", "com.example.note/b"]).ok();
    let said = mine(&["put", "com.example.note/b"]).stdin(record.as_str()).fails(1);
    assert!(said.contains(HELLO), "{said}");
}

#[test]
fn blob_put_stores_nothing_if_a_file_is_not_there() {
    let repo = TestRepo::new();
    let file = repo.home.write("good.txt", "good");
    let said = repo.pds(["blob", "put", &file, "gone.jpg"]).fails(3);
    assert_eq!(said, "error: no file gone.jpg\nhint: nothing was stored\n");
    assert_eq!(repo.pds(["blob", "ls"]).ok(), "");
}

#[test]
fn blob_put_reads_the_exported_blobs_of_any_account() {
    let repo = TestRepo::new();
    repo.pds(["blob", "put", "-"]).stdin("one").ok();
    repo.pds(["blob", "export", &repo.home.path("out")]).ok();
    repo.home.pds(["init", "bob", "--did", "did:web:bob.example.com"]).ok();
    repo.home.pds(["-R", "bob", "blob", "put", "out"]).ok();
    assert_eq!(repo.home.pds(["-R", "bob", "blob", "ls"]).ok(), repo.pds(["blob", "ls"]).ok());
}

#[cfg(unix)]
#[test]
fn blob_put_of_a_directory_follows_no_link() {
    let repo = TestRepo::new();
    let home = &repo.home;
    home.write("secret", "not to be published");
    std::fs::create_dir_all(home.dir().join("files/more")).unwrap();
    home.write("files/a", "a");
    home.write("files/.hidden", "left out");
    std::os::unix::fs::symlink(home.dir().join("secret"), home.dir().join("files/b")).unwrap();
    let ended = repo.pds(["blob", "put", &home.path("files")]).ended();
    assert_eq!(ended.code(), 6, "{}", ended.stderr);
    assert!(ended.stderr.contains("files/b is left out: it is a link\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains("files/more is left out: it is a directory\n"));
    assert_eq!(repo.pds(["blob", "ls"]).ok().lines().count(), 1);
}

#[test]
fn a_media_type_has_a_type_and_a_subtype() {
    let repo = TestRepo::new();
    for mime in ["", "text", "text/", "/plain", "text/\u{1b}[31m", "te\tt/plain"] {
        let said = repo.pds(["blob", "put", "-", "--mime", mime]).stdin("x").fails(2);
        assert!(said.contains("--mime is no media type"), "{said}");
    }
    repo.pds(["blob", "put", "-", "--mime", "text/plain; charset=utf-8"]).stdin("x").ok();
}
