//! Files of other kinds than a verb expects: compressed ones are read, others are named.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::{Home, TestRepo};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Arguments of every verb that reads a CAR file; `FILE` is the file, and the repository is at `alice`.
const READERS: [&[&str]; 18] = [
    &["verify", "FILE"],
    &["recover", "FILE"],
    &["-R", "FILE", "ls"],
    &["-R", "FILE", "get", "com.example.note/a"],
    &["-R", "FILE", "info"],
    &["-R", "FILE", "log"],
    &["-R", "FILE", "mst"],
    &["-R", "FILE", "export"],
    &["-R", "FILE", "unpack", "out"],
    &["-R", "FILE", "prove", "com.example.note/a", "-o", "proof.car"],
    &["-R", "alice", "ls", "--at", "FILE"],
    &["-R", "alice", "diff", "HEAD", "FILE"],
    &["-R", "alice", "show", "FILE"],
    &["-R", "alice", "import", "FILE"],
    &["-R", "alice", "merge", "FILE"],
    &["-R", "alice", "repair", "--from", "FILE"],
    &["clone", "FILE", "copy"],
    &["-R", "alice", "export", "--since", "FILE"],
];

fn with_file(args: &[&str], file: &str) -> Vec<String> {
    args.iter().map(|arg| arg.replace("FILE", file)).collect()
}

fn clear(home: &Home) {
    for made in ["out", "copy", "proof.car"] {
        let path = home.path(made);
        let _ = std::fs::remove_dir_all(&path);
        let _ = std::fs::remove_file(&path);
    }
}

#[test]
fn every_reader_of_a_car_file_reads_it_compressed_from_a_file_and_from_a_pipe() {
    let repo = TestRepo::with_notes();
    repo.export("plain.car");
    let plain = repo.home.read("plain.car");
    let (first, second) = plain.split_at(plain.len() / 2);
    repo.home.write("whole.car.gz", gzip(&plain));
    // Compressed files can be joined.
    repo.home.write("members.car.gz", [gzip(first), gzip(second)].concat());
    for args in READERS {
        let expected = repo.home.pds(with_file(args, "./plain.car")).ended();
        clear(&repo.home);
        for file in ["whole.car.gz", "members.car.gz", "-"] {
            let run = repo.home.pds(with_file(args, file)).stdin(repo.home.read("whole.car.gz"));
            let ended = run.ended();
            clear(&repo.home);
            let answer = (ended.code(), ended.stdout.len());
            assert_eq!(
                answer,
                (expected.code(), expected.stdout.len()),
                "{args:?} {}",
                ended.stderr
            );
        }
    }
    repo.pds(["prove", "com.example.note/a", "-o", "proof.car"]).ended().done();
    repo.home.write("proof.car.gz", gzip(&repo.home.read("proof.car")));
    let key = repo.json(["info"])["signingKey"].as_str().unwrap().to_owned();
    for file in ["proof.car.gz", "-"] {
        let args = ["verify-proof", file, "com.example.note/a", "--key", &key];
        let said = repo.home.pds(args).stdin(repo.home.read("proof.car.gz")).ended().done();
        assert!(said.starts_with("present "), "{said}");
    }
}

#[test]
fn a_clone_of_a_compressed_file_has_its_name_without_the_endings() {
    let repo = TestRepo::with_notes();
    repo.export("plain.car");
    repo.home.write("backup.car.gz", gzip(&repo.home.read("plain.car")));
    repo.home.pds(["clone", "backup.car.gz"]).ended().done();
    assert!(repo.home.list(".").contains(&"backup".to_owned()));
}

#[test]
fn a_damaged_compressed_file_is_refused_and_searched() {
    let repo = TestRepo::with_notes();
    repo.export("plain.car");
    let compressed = gzip(&repo.home.read("plain.car"));
    for cut in [1, 5, 12, 40, compressed.len() / 2, compressed.len() - 9, compressed.len() - 1] {
        repo.home.write("cut.car.gz", &compressed[..cut]);
        assert_eq!(repo.home.pds(["verify", "cut.car.gz"]).ended().code(), 3, "{cut}");
        let recovered = repo.home.pds(["recover", "cut.car.gz"]).ended().code();
        // Only the end of the gzip data can be missed.
        let expected = if cut + 9 >= compressed.len() { &[0, 6][..] } else { &[3, 6] };
        assert!(expected.contains(&recovered), "{cut}: {recovered}");
    }
    let mut flipped = compressed.clone();
    let last = flipped.len() - 5;
    flipped[last] ^= 1;
    for (damaged, whole) in [(&compressed[..compressed.len() - 30], false), (&flipped, true)] {
        repo.home.write("damaged.car.gz", damaged);
        for args in [
            &["verify", "damaged.car.gz"][..],
            &["clone", "damaged.car.gz", "copy"],
            &["-R", "damaged.car.gz", "ls"],
        ] {
            let said = repo.home.pds(args.iter().map(|arg| (*arg).to_owned())).fails(3);
            let expected = "error: damaged.car.gz: the gzip data is damaged or cut: ";
            assert!(said.starts_with(expected), "{said}");
            assert!(said.contains("hint: pds recover FILE"), "{said}");
        }
        let ended = repo.home.pds(["recover", "damaged.car.gz"]).ended();
        assert!(ended.stderr.contains("gzip data is damaged"), "{}", ended.stderr);
        assert_eq!(ended.text().starts_with("fully recovered") || ended.code() == 0, whole);
        assert!(ended.text().contains("com.example.note/a"), "{}", ended.text());
    }
}

#[test]
fn a_bomb_ends_before_it_fills_the_disk() {
    let repo = TestRepo::with_notes();
    repo.export("plain.car");
    // A sound header, and then zeros: 300 MB in 300 KB.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&repo.home.read("plain.car")).unwrap();
    for _ in 0..300 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    repo.home.write("bomb.car.gz", encoder.finish().unwrap());
    for args in [["verify", "bomb.car.gz"], ["clone", "bomb.car.gz"]] {
        let ended = repo.home.pds(args).ended();
        assert_eq!(ended.code(), 3);
        assert!(ended.stderr.contains("grows more than 100 times"), "{}", ended.stderr);
        assert!(ended.peak_kib < 64 << 10, "{} KiB", ended.peak_kib);
    }
    repo.home.write("twice.car.gz", gzip(&gzip(&repo.home.read("plain.car"))));
    let said = repo.home.pds(["verify", "twice.car.gz"]).fails(3);
    assert!(said.starts_with("error: twice.car.gz is compressed twice"), "{said}");
}

#[test]
fn every_reader_names_the_kind_of_a_foreign_file() {
    let repo = TestRepo::with_notes();
    let store = repo.home.read("alice/pds.db");
    let mut other = store.clone();
    other[68..72].fill(0);
    for (bytes, words) in [
        (&b""[..], "is empty"),
        (b"<!DOCTYPE html><title>502</title>", "is an HTML or XML page"),
        (
            b"{\"error\":\"RepoNotFound\",\"message\":\"Could not find repo\"}",
            "is the JSON error of a server (RepoNotFound: Could not find repo)",
        ),
        (b"\xef\xbb\xbf{\"text\": \"hello\"}", "is a JSON file"),
        (b"\x0a\xa1\x67version\x02and more", "is a CAR file of version 2"),
        (&store, "is the database of a repository"),
        (&other, "is the SQLite database of another program"),
        (b"PK\x03\x04and more", "is a file of type application/zip"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "is an HTTP response"),
        (b"just words\n", "is a text file"),
    ] {
        repo.home.write("odd.car", bytes);
        repo.home.write("odd.car.gz", gzip(bytes));
        for args in READERS {
            for (file, name) in
                [("odd.car", "odd.car"), ("odd.car.gz", "odd.car.gz"), ("-", "standard input")]
            {
                // The verbs share the code that looks into other forms of the file.
                if file != "odd.car"
                    && !["verify", "clone", "ls"].iter().any(|verb| args.contains(verb))
                {
                    continue;
                }
                let ended = repo.home.pds(with_file(args, file)).stdin(bytes).ended();
                clear(&repo.home);
                let is_search = args.contains(&"recover") || args.contains(&"repair");
                if is_search && !ended.stderr.contains(words) {
                    // These verbs search for blocks in all files that may have some.
                    let is_database = bytes.starts_with(b"SQLite");
                    let is_expected = matches!(ended.code(), 3) || is_database;
                    assert!(is_expected, "{args:?} {file}: {} {}", ended.code(), ended.stderr);
                    continue;
                }
                if args.contains(&"verify") {
                    let expected = format!("error car-header: {name} {words}");
                    assert!(ended.text().starts_with(&expected), "{expected}: {}", ended.text());
                    assert_eq!(ended.code(), 3);
                    continue;
                }
                let expected = format!("error: {name} {words}");
                assert!(
                    ended.stderr.starts_with(&expected),
                    "{args:?} {expected}: {}",
                    ended.stderr
                );
                assert_eq!((ended.code(), ended.text()), (3, String::new()), "{args:?}");
            }
        }
    }
    let args = ["verify-proof", "odd.car", "com.example.note/a", "--key", KEY];
    assert!(repo.home.pds(args).fails(3).contains("is a text file"));
    let said = repo.home.pds(["clone", "odd.car", "--json"]).fails(3);
    let expected =
        "{\"error\":\"foreign-file\",\"message\":\"odd.car is a text file, not a CAR file\"}\n";
    assert_eq!(said, expected);
    let ended = repo.home.pds(["verify", "odd.car", "--json"]).ended();
    let report: serde_json::Value = serde_json::from_str(&ended.text()).unwrap();
    assert_eq!((&report["ok"], ended.code()), (&false.into(), 3));
    assert_eq!(report["findings"][0]["message"], "odd.car is a text file, not a CAR file");
}

const KEY: &str = "did:key:zQ3shcCEKr5iYD91bugha5muy6n1qhUAkmhXV481oTSbTTUyo";

#[test]
fn a_directory_of_the_reference_server_is_named() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("pds/actors/ab/did:plc:x")).unwrap();
    home.write("pds/account.sqlite", "");
    home.write("pds/actors/ab/did:plc:x/store.sqlite", "");
    let inner = "pds/actors/ab/did:plc:x";
    for args in [["-R", "pds", "ls"], ["-R", inner, "ls"], ["clone", inner, "copy"]] {
        let said = home.pds(args).fails(3);
        assert!(said.contains("directory of the reference server"), "{said}");
        assert!(said.contains("pds clone DIR --did DID"), "{said}");
    }
    let said = home.pds(["clone", "pds", "copy"]).fails(2);
    assert!(said.contains("pds is the data directory of a PDS"), "{said}");
}

#[test]
fn json_may_begin_with_a_byte_order_mark_and_other_kinds_are_named() {
    let repo = TestRepo::new();
    let marked = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    repo.pds(["put", "com.example.note/a"]).stdin(marked("{\"text\":\"a\"}")).ok();
    let line = "{\"action\":\"delete\",\"collection\":\"com.example.note\",\"rkey\":\"a\"}\n";
    repo.pds(["apply"]).stdin(marked(line)).ok();
    for (bytes, words) in [
        (&b"<html>"[..], "is an HTML or XML page, not JSON"),
        (b"\x1f\x8b\x08\0", "is compressed with gzip, not JSON"),
        (b"\xff\xfe{\0}\0", "is text in UTF-16, not JSON"),
        (b"PK\x03\x04", "is a file of type application/zip, not JSON"),
    ] {
        for args in [["put", "com.example.note/b"], ["apply", "-"]] {
            let said = repo.pds(args).stdin(bytes).fails(3);
            assert!(said.contains(words), "{said}");
        }
        repo.home.write("odd.json", bytes);
        for flag in ["--plc-log", "--did-doc"] {
            let said = repo.pds(["verify", flag, "odd.json"]).fails(3);
            assert!(said.contains(words), "{said}");
        }
        // A verb that writes says the kind, too.
        let said = repo.home.pds(["-R", "odd.json", "rm", "com.example.note/a"]).ended();
        let (kind, _) = words.split_once(", not").unwrap();
        assert_ne!(said.code(), 0);
        assert!(bytes.starts_with(b"\x1f") || said.stderr.contains(kind), "{}", said.stderr);
    }
    repo.home.write("odd.json", "{\"error\":\"NotFound\"}");
    let said = repo.pds(["verify", "--did-doc", "odd.json"]).fails(3);
    let expected = "is the JSON error of a server (NotFound), not a DID document or an audit log";
    assert!(said.contains(expected), "{said}");
}

/// Runs the binary with endless input, and returns its exit code and its errors.
fn with_endless_input(home: &Home, args: &[&str], start: &[u8]) -> (Option<i32>, String) {
    home.write("start", start);
    let line = format!("cat start /dev/zero | exec pds {}", args.join(" "));
    let ended = home.sh(&line).ended_within(Duration::from_secs(20)).expect("the command ends");
    (ended.exit(), ended.stderr)
}

#[test]
fn endless_input_that_is_no_car_file_is_not_copied() {
    let home = Home::new();
    for (start, verify, recover) in [
        (&b""[..], "", "standard input does not begin like a CAR file"),
        (
            b"\0\0\0\x18ftypmp42",
            "standard input is a file of type video/mp4, not a CAR file",
            "standard input does not begin like a CAR file",
        ),
    ] {
        let (code, said) = with_endless_input(&home, &["verify", "-"], start);
        assert_eq!(code, Some(3), "{said}");
        let (code, said) = with_endless_input(&home, &["clone", "-"], start);
        assert!(code == Some(3) && said.contains(verify), "{said}");
        let (code, said) = with_endless_input(&home, &["recover", "-"], start);
        assert!(code == Some(3) && said.contains(recover), "{said}");
    }
    let ended = home.sh("exec pds verify /dev/zero").ended();
    assert_eq!(ended.code(), 3);
}
