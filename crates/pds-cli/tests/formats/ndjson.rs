//! `export --format ndjson`, and `apply` of its lines.

use pds::data::{Block, Codec, Value};

use super::{data, odd_car, varied};
use crate::common::{Car, DID, Home, TestRepo, creations, note};

#[test]
fn the_lines_are_those_of_get_in_key_order() {
    let repo = varied();
    let exported = repo.pds(["export", "--format", "ndjson"]).ok();
    assert_eq!(repo.pds(["export", "--format", "jsonl"]).ok(), exported);
    let paths = repo.pds(["ls", "--all"]).ok();
    let got: Vec<String> = paths
        .lines()
        .map(|line| repo.pds(["get", line.split('\t').next().unwrap(), "--json"]).ok())
        .collect();
    assert_eq!(exported, got.concat());
    let one = repo.pds(["export", "--format", "ndjson", "-c", "com.example.noteTwo"]).ok();
    assert_eq!(one.lines().count(), 1);
    let args = ["export", "--format", "ndjson", "-c", "com.example.noteTwo", "-c"];
    let two = repo.pds(args.into_iter().chain(["com.example-b.note", "-c", "com.example-b.note"]));
    assert_eq!(two.ok(), format!("{}{one}", got[0]));
}

#[test]
fn a_file_is_counted_and_never_overwritten_unasked() {
    let repo = varied();
    let args = ["export", "--format", "ndjson", "-o", &repo.home.path("all.ndjson")];
    let ended = repo.pds(args).ended();
    assert_eq!((ended.done(), &*ended.stderr), (String::new(), "6 records\n"));
    let lines = repo.pds(["export", "--format", "ndjson"]).ok();
    assert_eq!(repo.home.read("all.ndjson"), lines.as_bytes());
    assert!(repo.pds(args).fails(1).contains("use --force"));
    let (commit, rev) = repo.head();
    let said = repo.pds(args.into_iter().chain(["--force", "--json"])).ok();
    let commit = format!("{{\"cid\":\"{commit}\",\"rev\":\"{rev}\"}}");
    assert_eq!(said, format!("{{\"commit\":{commit},\"records\":6,\"rejected\":0}}\n"));
    assert_eq!(repo.home.list("."), ["alice", "all.ndjson"]);
}

#[test]
fn apply_reads_the_lines_back_to_the_same_root() {
    let repo = varied();
    repo.pds(["apply"]).stdin(creations(0..500)).ok();
    repo.pds(["export", "--format", "ndjson", "-o", &repo.home.path("all.ndjson")]).ended().done();
    for batch in [&[][..], &["--batch", "100"]] {
        let home = Home::new();
        home.pds(["init", "copy", "--did", DID]).ok();
        let file = repo.home.path("all.ndjson");
        let args = ["-R", "copy", "apply", &file].into_iter().chain(batch.iter().copied());
        assert_eq!(home.pds(args).ok().lines().count(), 506);
        assert_eq!(data(&home, "copy"), data(&repo.home, "alice"));
        let log = home.pds(["-R", "copy", "log"]).ok();
        home.pds(["-R", "copy", "apply", &file]).ok();
        assert_eq!(home.pds(["-R", "copy", "log"]).ok(), log);
    }
}

#[test]
fn records_without_json_are_in_a_file_next_to_it() {
    let home = Home::new();
    odd_car(&home);
    let args = ["-R", "odd.car", "export", "--format", "ndjson"];
    let ended = home.pds(args).ended();
    assert_eq!((ended.code(), ended.text().lines().count()), (6, 2));
    let said: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].starts_with("com.example.note/b has a map with the key $link"), "{said:?}");
    assert!(said[1].starts_with("com.example.note/c cannot be decoded: byte 3: "), "{said:?}");
    assert_eq!(said[2], "com.example.note/d is missing: not written");
    let ended = home.pds(args.into_iter().chain(["-o", "out.ndjson"])).ended();
    assert_eq!(ended.code(), 6);
    assert_eq!(
        ended.stderr,
        "3 records cannot be written in this format: see out.ndjson.rejected\n2 records\n"
    );
    let rejected = String::from_utf8(home.read("out.ndjson.rejected")).unwrap();
    let rejected: Vec<serde_json::Value> =
        rejected.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rejected[1]["path"], "com.example.note/c");
    assert_eq!(rejected[1]["uri"], format!("at://{DID}/com.example.note/c"));
    assert_eq!(rejected[1]["bytes"]["$bytes"], "oWF4+TwA");
    assert!(rejected[2]["bytes"].is_null() && rejected[2]["reason"] == "is missing");
    assert_eq!(home.list("."), ["odd.car", "out.ndjson", "out.ndjson.rejected"]);
    std::fs::remove_file(home.path("out.ndjson")).unwrap();
    let said = home.pds(args.into_iter().chain(["-o", "out.ndjson"])).fails(1);
    assert!(said.starts_with("error: out.ndjson.rejected exists"), "{said}");
    // A complete export removes the rejected records of the one that it replaces.
    let repo = TestRepo::with_notes();
    let file = home.path("out.ndjson");
    repo.pds(["export", "--format", "ndjson", "-o", &file, "--force"]).ended().done();
    assert_eq!(home.list("."), ["odd.car", "out.ndjson"]);
}

#[test]
fn a_line_is_checked_before_it_is_written() {
    let repo = TestRepo::with_notes();
    let line = repo.pds(["get", "com.example.note/a", "--json"]).ok();
    let before = repo.head();
    let changed = line.replace("\"text\":\"a\"", "\"text\":\"x\"");
    for (line, code, said) in [
        (changed.clone(), 3, "line 2: the value of com.example.note/a has the CID bafyrei"),
        (line.replace("alice", "bob"), 1, "line 2: this is the repository of did:web:alice"),
        (line.replace(DID, "alice.example.com"), 3, "line 2: handles cannot be resolved offline"),
        (line.replace("/a\"", "\""), 3, "line 2: the uri names no record"),
        (line.replace("\"value\"", "\"record\""), 3, "line 2: unknown field \"record\""),
        ("{\"uri\":null,\"value\":{}}".to_owned(), 3, "line 2: uri is missing"),
        ("{\"uri\":1,\"value\":{}}".to_owned(), 3, "line 2: uri must be a string"),
        (format!("{{\"uri\":\"at://{DID}/com.example.note/a\"}}"), 3, "line 2: value is missing"),
    ] {
        let found = repo.pds(["apply"]).stdin(format!("{line}\n{line}")).ended();
        assert_ne!(found.code(), 0, "{line}");
        let found = repo.pds(["apply"]).stdin(format!("\n{line}")).fails(code);
        assert!(found.contains(said), "{line}: {found}");
    }
    let said = repo.pds(["apply"]).stdin(changed.clone()).fails(3);
    assert!(
        said.ends_with("hint: if the change is intended, remove cid from the line\n"),
        "{said}"
    );
    let said = repo.pds(["apply"]).stdin(line.replace("alice", "bob")).fails(1);
    assert!(said.contains("hint: to copy the records of another account"), "{said}");
    assert_eq!(repo.head(), before);
    let mut value: serde_json::Value = serde_json::from_str(&changed).unwrap();
    value.as_object_mut().unwrap().remove("cid");
    repo.pds(["apply"]).stdin(value.to_string()).ok();
    assert!(repo.pds(["get", "com.example.note/a"]).ok().contains("\"x\""));
}

#[test]
fn options_that_make_no_sense_together_are_refused() {
    let repo = TestRepo::with_notes();
    for (args, said) in [
        (&["-c", "com.example.note"][..], "-c needs --format ndjson or csv"),
        (&["--format", "ndjson", "--since", "HEAD"], "need --format car"),
        (&["--format", "csv", "-o", "x", "--chain"], "need --format car"),
        (&["--format", "ndjson", "--history"], "need --format car"),
        (&["--format", "ndjson", "--guard"], "--guard needs --format csv"),
        (&["--guard"], "--guard needs --format csv"),
        (&["--format", "csv"], "use -o DIR, or -c for one collection"),
        (&["--format", "csv", "-c", "a.b.c", "-c", "a.b.d"], "use -o DIR"),
        (&["--format", "parquet"], "invalid value 'parquet'"),
    ] {
        let found = repo.pds(["export"].into_iter().chain(args.iter().copied())).fails(2);
        assert!(found.contains(said), "{args:?}: {found}");
    }
}

#[test]
fn a_commit_without_an_account_gives_lines_with_paths() {
    let home = Home::new();
    let mut car = Car::of([(b"com.example.note/a".to_vec(), note("a"))]);
    let Value::Map(mut fields) = Value::decode(car.commit.block().bytes()).unwrap() else {
        panic!("a commit is a map")
    };
    fields.insert("did", "../alice");
    car.blocks[0] = Block::new(Codec::Cbor, Value::Map(fields).encode());
    let root = car.blocks[0].cid();
    home.write("bad.car", car.file_with_roots(&[root]));
    let ended = home.pds(["-R", "bad.car", "export", "--format", "ndjson"]).ended();
    let line = ended.text();
    assert_eq!(
        (ended.code(), line.contains("\"path\":\"com.example.note/a\",\"uri\":null")),
        (6, true)
    );
    home.pds(["init", "any", "--did", DID]).ok();
    home.pds(["-R", "any", "apply"]).stdin(line).ok();
    assert_eq!(data(&home, "any"), car.commit.data().to_string());
}
