//! `unpack`, and `apply` of its directories.

use std::fs;

use super::{data, varied};
use crate::common::{DID, Home, TestRepo, creation, note};

/// A repository in another home, into which a directory is applied.
fn applied(dir: &str) -> (Home, crate::common::Ended) {
    let home = Home::new();
    home.pds(["init", "copy", "--did", DID]).ok();
    let ended = home.pds(["-R", "copy", "apply", dir]).ended();
    (home, ended)
}

/// A repository whose names are special on some file system.
fn special() -> TestRepo {
    let repo = varied();
    let long = "x:".repeat(100);
    let names = ["con", "NUL.x", "a.", ".a", "...", "CON", "a~B", "com1", "B", "b", &long];
    let lines: String = names.iter().map(|name| creation(name, name)).collect();
    repo.pds(["apply"]).stdin(lines).ok();
    repo
}

#[test]
fn directories_come_back_with_the_same_root() {
    let repo = special();
    for flag in [&[][..], &["--portable"]] {
        let out = repo.home.path(&format!("out{}", flag.len()));
        let args = ["unpack", &out].into_iter().chain(flag.iter().copied());
        assert_eq!(repo.pds(args).ok(), "17\n");
        let account = fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
        for dir in [out.as_str(), account.to_str().unwrap()] {
            let (home, ended) = applied(dir);
            assert_eq!((ended.code(), &*ended.stderr), (0, ""));
            assert_eq!(ended.text().lines().count(), 17);
            assert_eq!(data(&home, "copy"), data(&repo.home, "alice"), "{dir}");
        }
    }
    let account = "out1/did%3aweb%3aalice.example.com";
    let collections = ["com.example-b.note", "com.example.note", "com.example.note%54wo"];
    assert_eq!(repo.home.list(account)[1..], collections);
    let notes = repo.home.list(&format!("{account}/com.example.note"));
    for name in ["%2ea.json", "%43%4f%4e.json", "%63on.json", "%42.json", "b.json", "a.json"] {
        assert!(notes.iter().any(|found| found == name), "{name}: {notes:?}");
    }
    let folded: std::collections::BTreeSet<String> =
        notes.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(folded.len(), notes.len());
}

#[test]
fn a_portable_name_may_be_longer_than_a_file_name() {
    let repo = TestRepo::new();
    let long = "A".repeat(512);
    repo.put(&long, "long");
    repo.pds(["unpack", &repo.home.path("out"), "--portable"]).ok();
    let (home, ended) = applied(&repo.home.path("out"));
    assert_eq!((ended.code(), &*ended.stderr), (0, ""));
    assert_eq!(data(&home, "copy"), data(&repo.home, "alice"));
}

#[test]
fn a_long_name_without_an_escape_comes_back() {
    let repo = TestRepo::new();
    let path = format!("com.example.note/{}", "a".repeat(300));
    repo.pds(["put", &path]).stdin("{}").ok();
    repo.home.pds(["unpack", "alice", "out", "--portable"]).ok();
    repo.home.pds(["init", "other", "--did", DID]).ok();
    repo.home.pds(["-R", "other", "apply", "out"]).ok();
    assert_eq!(data(&repo.home, "other"), data(&repo.home, "alice"));
}

#[test]
fn the_directory_of_an_empty_repository_has_no_writes() {
    let repo = TestRepo::new();
    repo.pds(["unpack", &repo.home.path("out")]).ok();
    for dir in ["out".to_owned(), format!("out/{DID}")] {
        let (_, ended) = applied(&repo.home.path(&dir));
        assert_eq!((ended.done(), &*ended.stderr), (String::new(), ""));
    }
}

#[test]
fn records_in_cbor_are_read_too() {
    let home = Home::new();
    let dir = home.path(&format!("in/{DID}/com.example.note"));
    fs::create_dir_all(&dir).unwrap();
    fs::write(format!("{dir}/a.cbor"), note("a").bytes()).unwrap();
    fs::write(format!("{dir}/b.json"), "\u{feff}{\n  \"text\": \"b\"\n}\n").unwrap();
    fs::write(home.path(&format!("in/{DID}/_commit.json")), "{\"any\":1}").unwrap();
    let (copy, ended) = applied(&home.path("in"));
    assert_eq!((ended.code(), &*ended.stderr), (0, ""));
    let repo = TestRepo::new();
    repo.put("a", "a");
    repo.put("b", "b");
    assert_eq!(data(&copy, "copy"), data(&repo.home, "alice"));
}

#[test]
fn foreign_files_are_named_and_not_read() {
    let repo = TestRepo::with_notes();
    repo.pds(["unpack", &repo.home.path("out")]).ok();
    let notes = format!("out/{DID}/com.example.note");
    for file in ["out/.DS_Store", &format!("out/{DID}/readme.txt"), &format!("{notes}/d.txt")] {
        repo.home.write(file, "x");
    }
    repo.home.write(&format!("{notes}/%41x%.json"), "{}");
    for dir in [format!("{notes}/below"), format!("out/{DID}/_unplaced"), "out/did:web:b.c".into()]
    {
        fs::create_dir(repo.home.path(&dir)).unwrap();
    }
    let (home, ended) = applied(&repo.home.path("out"));
    // In the directory of a collection, something was left out.
    assert_eq!(ended.code(), 6, "{}", ended.stderr);
    let said: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(said.len(), 7, "{said:#?}");
    assert!(said.iter().all(|line| line.contains(" is not read: it is ")), "{said:#?}");
    assert_eq!(data(&home, "copy"), data(&repo.home, "alice"));
}

#[test]
fn directories_that_are_not_clear_are_refused() {
    let repo = TestRepo::with_notes();
    repo.pds(["unpack", &repo.home.path("out")]).ok();
    let account = format!("out/{DID}");
    let notes = format!("{account}/com.example.note");
    let path = |name: &str| repo.home.path(name);
    let refused = |dir: &str, code: i32, said: &str| {
        let (_, ended) = applied(&path(dir));
        assert_eq!((ended.code(), &*ended.text()), (code, ""), "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    };
    repo.home.write(&format!("{notes}/a.cbor"), note("a").bytes());
    refused("out", 3, "com.example.note has a twice");
    fs::remove_file(path(&format!("{notes}/a.cbor"))).unwrap();
    repo.home.write(&format!("{notes}/%44.json"), "{}");
    repo.home.write(&format!("{notes}/D.json"), "{}");
    refused("out", 3, "com.example.note has D twice");
    fs::remove_file(path(&format!("{notes}/D.json"))).unwrap();
    fs::remove_file(path(&format!("{notes}/%44.json"))).unwrap();
    repo.home.write(&format!("{notes}/d.json"), "{\"text\":1.5}");
    refused("out", 3, "d.json: cannot read the record: not data-model JSON");
    repo.home.write(&format!("{notes}/d.json"), "{\"uri\":\"at://x/y/z\",\"value\":{}}");
    refused("out", 3, "d.json: the input is the answer");
    repo.home.write(&format!("{notes}/d.json"), vec![b'1'; 19_000_000]);
    refused("out", 3, "d.json: the input is longer than");
    fs::rename(path(&format!("{notes}/d.json")), path(&format!("{notes}/d.cbor"))).unwrap();
    refused("out", 3, "1000001 bytes, the limit is 1000000");
    fs::remove_file(path(&format!("{notes}/d.cbor"))).unwrap();
    fs::create_dir(path("out/did%3aweb%3aalice.example.com")).unwrap();
    refused("out", 3, "two directories for did:web:alice.example.com");
    fs::remove_dir(path("out/did%3aweb%3aalice.example.com")).unwrap();
    fs::create_dir(path("out/com.example.note")).unwrap();
    refused("out", 3, "has accounts next to collections");
    fs::rename(path("out/com.example.note"), path("empty")).unwrap();
    refused("empty", 3, "empty has no records");
    refused("alice", 3, "alice has no records");
    fs::rename(path(&account), path("out/did:web:bob.example.com")).unwrap();
    refused("out", 1, "has records of did:web:bob.example.com, not of did:web:alice.example.com");
    refused("out/did:web:bob.example.com", 1, "hint: to copy the records of another account");
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_refused_and_never_followed() {
    use std::os::unix::fs::symlink;
    let repo = TestRepo::with_notes();
    repo.pds(["unpack", &repo.home.path("out")]).ok();
    let outside = repo.home.write("secret.json", "{\"text\":\"secret\"}");
    let notes = repo.home.path(&format!("out/{DID}/com.example.note"));
    let places =
        [format!("{notes}/link.json"), repo.home.path(&format!("out/{DID}/com.example.link"))];
    for link in places {
        let target = if link.ends_with("json") { outside.as_str() } else { notes.as_str() };
        symlink(target, &link).unwrap();
        let (_, ended) = applied(&repo.home.path("out"));
        assert_eq!(ended.code(), 3, "{}", ended.stderr);
        assert!(ended.stderr.contains(&format!("{link} is a link")), "{}", ended.stderr);
        fs::remove_file(&link).unwrap();
    }
    let pipe = format!("{notes}/pipe.json");
    assert!(repo.home.command("mkfifo").arg(&pipe).status().unwrap().success());
    let (_, ended) = applied(&repo.home.path("out"));
    assert!(ended.code() == 3 && ended.stderr.contains("is not a file"), "{}", ended.stderr);
}
