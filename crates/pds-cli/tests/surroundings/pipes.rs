//! Pipes that close before the end of the output.

use pds::data::Cid;
use rusqlite::Connection;

use crate::common::{TestRepo, creations, note};

/// Runs the binary into a reader that goes away after its first line; returns exit code and
/// standard error.
fn into_head(repo: &TestRepo, args: &str) -> (String, String) {
    let line = format!("{{ pds {args}; echo $? > code; }} 2> said | head -c 1 > first");
    assert_eq!(repo.home.sh(&line).ended().code(), 0);
    let text = |name| String::from_utf8(repo.home.read(name)).unwrap();
    assert_eq!(repo.home.read("first").len(), 1, "{args}");
    (text("code").trim().to_owned(), text("said"))
}

#[test]
fn a_pipe_that_closes_ends_everything_quietly() {
    // Much more than fits into a pipe.
    let repo = TestRepo::with_many_notes(3000);
    repo.home.write("blob", note("x").bytes().repeat(20_000));
    let blob = repo.pds(["blob", "put", "-"]).stdin(repo.home.read("blob")).ok();
    let blob = blob.split('"').find(|word| word.starts_with("baf")).unwrap().to_owned();
    repo.export("backup.car");
    for args in [
        "-R alice ls --all",
        "-R alice ls --all --json",
        "-R alice mst",
        "-R alice export",
        "-R backup.car ls com.example.note -l",
        &format!("-R alice blob get {blob}"),
        "completions bash",
    ] {
        assert_eq!(into_head(&repo, args), ("0".to_owned(), String::new()), "{args}");
    }
}

#[test]
fn the_exit_code_is_what_it_is_when_everything_is_read() {
    let repo = TestRepo::with_many_notes(3000);
    repo.export("backup.car");
    let bytes = repo.home.read("backup.car");
    repo.home.write("cut.car", &bytes[..bytes.len() - 1000]);
    // A listing that is read to its end misses nothing in this file.
    let (mut harmed, end) = (bytes.clone(), bytes.len() - 1);
    harmed[end] ^= 1;
    repo.home.write("harmed.car", harmed);
    let whole = repo.home.pds(["-R", "harmed.car", "ls", "--all"]).ended();
    assert_eq!((whole.code(), whole.text().lines().count()), (0, 3000), "{}", whole.stderr);
    let updates = creations(0..3000).replace("create", "update").replace("note ", "other ");
    repo.pds(["apply"]).stdin(updates).ok();
    for (args, code) in [
        ("-R alice diff HEAD~1 HEAD", "1"),
        ("-R alice diff HEAD~1 HEAD --json", "1"),
        ("-R alice verify --did did:web:bob.example.com", "1"),
        ("-R alice verify --did did:web:bob.example.com --json", "1"),
        ("recover cut.car", "6"),
        ("recover cut.car --json", "6"),
        ("recover cut.car -o -", "6"),
        ("-R cut.car ls --all", "6"),
        ("-R harmed.car ls --all", "6"),
        ("-R cut.car mst", "6"),
    ] {
        let (ended, said) = into_head(&repo, args);
        assert_eq!(ended, code, "{args}: {said}");
        assert!(!said.contains("error"), "{args}: {said}");
    }
    let (code, said) = into_head(&repo, "-R alice revert HEAD~1");
    assert!(code == "1" && said.contains("3000 records"), "{code} {said}");
    // The file is written even if the report is not read.
    let (code, _) = into_head(&repo, "recover cut.car found -o rest.car");
    let found = repo.home.sh("find found -name '*.json' | wc -l").ok();
    assert!(code == "6" && found.trim().parse::<u32>().unwrap() > 2900, "{code} {found}");
    assert!(repo.home.list(".").contains(&"rest.car".to_owned()));
    // The report is printed even if the bytes of the file are not read.
    let (_, said) = into_head(&repo, "recover cut.car -o -");
    assert!(said.contains("partly recovered: "), "{said}");
}

#[test]
fn a_listing_ends_when_its_reader_ends() {
    let repo = TestRepo::with_many_notes(3000);
    // The last node of the tree is lost: a listing that reads on says so.
    let node = repo.json_lines(["mst"]).iter().rev().find_map(|line| {
        let node = line.get("node")?.as_str()?;
        Some(node.parse::<Cid>().unwrap())
    });
    let sql = Connection::open(repo.home.path("alice/pds.db")).unwrap();
    let name = node.unwrap().as_bytes().to_vec();
    assert_eq!(sql.execute("DELETE FROM blocks WHERE cid = ?1", [name]).unwrap(), 1);
    drop(sql);
    for args in ["ls --all", "ls --all --json", "ls com.example.note -l", "mst"] {
        let args = format!("-R alice {args}");
        let whole = repo.home.sh(&format!("pds {args} > whole")).ended();
        assert!(whole.code() == 6 && whole.stderr.contains("missing"), "{}", whole.stderr);
        assert_eq!(into_head(&repo, &args), ("0".to_owned(), String::new()), "{args}");
    }
}

#[test]
fn standard_output_that_is_closed_from_the_start_is_no_panic() {
    let repo = TestRepo::with_notes();
    for args in ["-R alice ls", "-R alice export", "--help", "-R alice get com.example.note/a"] {
        let ended = repo.home.sh(&format!("exec pds {args} >&-")).ended();
        assert!(matches!(ended.code(), 0 | 1), "{args}: {}", ended.stderr);
        let ended = repo.home.sh(&format!("exec pds {args} 2>&- < /dev/null")).ended();
        assert_eq!(ended.code(), 0, "{args}");
    }
    let ended = repo.home.sh("exec pds -R alice get com.example.note/x 2>&-").ended();
    assert_eq!(ended.code(), 1);
}

#[test]
fn apply_stops_when_nobody_reads_its_acknowledgements_and_says_so_by_its_code() {
    let repo = TestRepo::new();
    repo.home.write("lines", creations(0..20_000));
    let (code, said) = into_head(&repo, "-R alice apply lines --batch 50");
    assert_eq!((&*code, &*said), ("6", ""));
    let count = repo.pds(["ls", "--all"]).ok().lines().count();
    assert!((50..20_000).contains(&count) && count.is_multiple_of(50), "{count}");
    repo.assert_whole();
    // A single commit is made in full or not at all; here it is made.
    repo.home.write("more", creations(50_000..53_000));
    assert_eq!(into_head(&repo, "-R alice apply more"), ("0".to_owned(), String::new()));
    assert_eq!(repo.pds(["ls", "--all"]).ok().lines().count(), count + 3000);
    // An error in the rest of the input does not hide the committed writes.
    let mut lines = creations(60_000..61_000).into_bytes();
    lines.push(0xff);
    repo.home.write("cut", lines);
    let (code, said) = into_head(&repo, "-R alice apply cut --batch 1000");
    assert!(code == "6" && said.contains("1000 writes were committed, then: "), "{code} {said}");
}
