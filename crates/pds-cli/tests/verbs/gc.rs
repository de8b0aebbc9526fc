//! `gc` and `info --reclaimable`.

use pds::data::{Block, Codec};

use crate::common::{Car, Home, TestRepo, creations};

#[test]
fn gc_without_a_limit_keeps_every_state() {
    let repo = TestRepo::with_notes();
    repo.pds(["reset", "HEAD~2"]).ok();
    let log = repo.pds(["log"]).ok();
    let said = repo.pds(["gc"]).ok();
    assert!(
        said.starts_with("states   0\nblocks   0\nblobs    0\nbytes    0\nbefore   "),
        "{said}"
    );
    assert_eq!(repo.pds(["log"]).ok(), log);
    assert_eq!(repo.pds(["get", "com.example.note/c", "--at", "@{1}"]).ok().lines().count(), 4);
}

#[test]
fn gc_keeps_as_many_states_as_it_is_told() {
    let repo = TestRepo::with_notes();
    let before = repo.json(["info"]);
    let weighed = repo.json(["gc", "--keep", "2", "--dry-run"]);
    assert_eq!(repo.json(["info"])["blocks"], before["blocks"], "nothing went yet");
    assert_eq!((&weighed["dryRun"], &weighed["after"]), (&true.into(), &serde_json::Value::Null));
    let swept = repo.json(["gc", "--keep", "2"]);
    for field in ["states", "blocks", "blobs", "bytes"] {
        assert_eq!(weighed[field], swept[field], "{field}");
    }
    assert_eq!((swept["states"].as_u64(), swept["dryRun"].as_bool()), (Some(2), Some(false)));
    let after = repo.json(["info"]);
    let count = |info: &serde_json::Value| info["blocks"].as_u64().unwrap();
    assert_eq!(count(&after), count(&before) - swept["blocks"].as_u64().unwrap());
    assert_eq!(repo.json_lines(["log"]).len(), 2);
    assert_eq!(repo.pds(["ls", "--all"]).ok().lines().count(), 3);
    let said = repo.pds(["get", "com.example.note/a", "--at", "HEAD~2"]).fails(1);
    assert!(said.contains("HEAD~1 has no parent; states up to rev "), "{said}");
    assert!(said.contains(" were deleted\n"), "{said}");
    repo.assert_whole();
}

#[test]
fn the_file_shrinks_when_much_goes() {
    let repo = TestRepo::with_many_notes(3_000);
    let gone: String = (0..2_990)
        .map(|n| {
            format!("{{\"action\":\"delete\",\"collection\":\"com.example.note\",\"rkey\":\"n{n:06}\"}}\n")
        })
        .collect();
    repo.pds(["apply"]).stdin(gone).ok();
    let swept = repo.json(["gc", "--keep", "1"]);
    let [before, after] = ["before", "after"].map(|field| swept[field].as_u64().unwrap());
    assert!(after < before / 4, "{before} bytes became {after}");
    assert_eq!(repo.json(["info"])["bytes"].as_u64(), Some(after));
    repo.assert_whole();
    repo.pds(["apply"]).stdin(creations(0..5)).ok();
    repo.assert_whole();
}

#[test]
fn a_blob_that_nothing_refers_to_goes_when_it_is_old() {
    let repo = TestRepo::new();
    repo.pds(["blob", "put", "-"]).stdin("hello").ok();
    let info = |args: &[&str]| repo.json(["info"].into_iter().chain(args.iter().copied()));
    assert_eq!(info(&[])["reclaimable"], serde_json::Value::Null);
    assert_eq!(info(&["--reclaimable"])["reclaimable"]["blobs"], 0, "it is young");
    assert_eq!(repo.json(["gc"])["blobs"], 0);
    let swept = repo.json(["gc", "--grace", "0"]);
    assert_eq!((swept["blobs"].as_u64(), swept["bytes"].as_u64()), (Some(1), Some(5)));
    assert_eq!(repo.pds(["blob", "ls"]).ok(), "");
    assert!(
        repo.pds(["info", "--reclaimable"]).ok().contains("\ngarbage  0 bytes (0 blocks, 0 blobs)")
    );
}

#[test]
fn a_record_that_cannot_be_decoded_keeps_every_blob_and_is_named() {
    // An import keeps such records byte for byte.
    let record = Block::new(Codec::Cbor, *b"\xff");
    let cid = record.cid();
    let car = Car::of([(b"com.example.note/a".to_vec(), record)]);
    let home = Home::new();
    home.write("odd.car", car.file());
    home.pds(["clone", "odd.car", "mirror"]).ended().done();
    home.pds(["-R", "mirror", "blob", "put", "-"]).stdin("hello").ok();
    for dry_run in [&["--dry-run"][..], &[]] {
        let args = ["-R", "mirror", "gc", "--grace", "0"].iter().chain(dry_run);
        let ended = home.pds(args.map(|arg| (*arg).to_owned())).ended();
        assert_eq!(ended.code(), 6);
        assert_eq!(
            ended.stderr,
            format!(
                "record {cid} cannot be decoded, so its blobs are unknown; no blob was deleted\n"
            )
        );
        assert!(ended.text().contains("\nblobs    0\n"), "{}", ended.text());
    }
    assert_eq!(home.pds(["-R", "mirror", "blob", "ls"]).ok().lines().count(), 1);
}

#[test]
fn gc_is_not_for_files_and_not_for_nothing() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    repo.home.pds(["-R", &file, "gc"]).fails(1);
    repo.home.pds(["-R", &file, "info", "--reclaimable"]).fails(2);
    let said = repo.pds(["gc", "--keep", "0"]).fails(2);
    let first = "error: invalid value '0' for '--keep <N>': it must be 1 or more\n";
    assert!(said.starts_with(first), "{said}");
    repo.pds(["gc", "--grace", "soon"]).fails(2);
    Home::new().pds(["gc"]).fails(3);
}
