//! Every exit code of the contract, shown once with its reason.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pds::data::{Block, Codec};
use pds::store::{BoxError, Change, Event, Expect, RefEdit, RefName, SqliteStore, Store};

use crate::common::{Car, DID, Home, TestRepo, creations, masked, note};

#[test]
fn code_0_says_yes_or_done() {
    let repo = TestRepo::with_notes();
    for args in [&["verify"][..], &["diff", "HEAD", "HEAD"], &["blob", "missing"], &["ls"]] {
        repo.pds(args.iter().copied()).ok();
    }
    repo.home.pds(["--help"]).ok();
    repo.home.pds(["--version"]).ok();
}

#[test]
fn code_1_says_that_the_answer_is_no() {
    let repo = TestRepo::with_notes();
    let other = note("other").cid().to_string();
    // Not found, differs, verification failed, swap lost.
    repo.pds(["get", "com.example.note/x"]).fails(1);
    assert_eq!(repo.pds(["diff", "HEAD", "HEAD~1"]).ended().code(), 1);
    assert_eq!(repo.pds(["verify", "--did", "did:web:bob.example.com"]).ended().code(), 1);
    repo.pds(["put", "com.example.note/a", "--swap", &other]).stdin("{}").fails(1);
}

#[test]
fn code_2_says_that_the_command_line_cannot_be_understood() {
    let home = Home::new();
    for args in [
        &[][..],
        &["burn"],
        &["get"],
        &["get", "not a path"],
        &["init", "alice"],
        &["init", "alice", "--did", "no-did"],
        &["ls", "a.b.c", "--all"],
        &["ls", "--after", "a"],
        &["ls", "--limit", "many"],
        &["put", "a.b.c/d", "--create", "--swap", "x"],
        &["get", "a.b.c/d", "--cbor", "--json"],
        &["apply", "--batch", "0"],
        &["tid", "x"],
        &["put", "a.b.c", "--swap", CID],
        &["-R", "", "ls"],
    ] {
        let said = home.pds(args.iter().copied()).fails(2);
        assert!(!said.is_empty(), "{args:?}");
    }
}

/// The CID of a block that is not stored.
const CID: &str = "bafyreihffx5a2e7k5uwrmmgofbvzujc5cmw5h4espouwuxt3liqoflx3ee";

#[test]
fn code_3_says_that_the_input_is_bad() {
    let home = Home::new();
    home.write("text.car", "not a CAR");
    for args in
        [&["info"][..], &["-R", "text.car", "info"], &["clone", "text.car"], &["cid", "gone"]]
    {
        home.pds(args.iter().copied()).fails(3);
    }
    assert_eq!(home.pds(["verify", "text.car"]).ended().code(), 3);
}

#[test]
fn code_5_says_that_another_process_holds_the_repository() {
    let repo = TestRepo::with_notes();
    let file = repo.export("backup.car");
    let writes: [&[&str]; 8] = [
        &["put", "com.example.note/a"],
        &["rm", "com.example.note/a"],
        &["reset", "HEAD~1"],
        &["revert", "HEAD"],
        &["key", "rotate"],
        &["ref", "set", "x", "HEAD"],
        &["import", &file, "--ref", "y"],
        &["put", "com.example.note/a", "--json"],
    ];
    let before = repo.head();
    let said: Vec<String> = holding(&repo, || {
        // Readers do not wait.
        let started = Instant::now();
        repo.pds(["ls", "--all"]).ok();
        repo.pds(["verify"]).ok();
        assert!(started.elapsed() < Duration::from_secs(4));
        thread::scope(|scope| {
            let running: Vec<_> = writes
                .iter()
                .map(|args| scope.spawn(|| repo.pds(args.iter().copied()).stdin("{}").fails(5)))
                .collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        })
    });
    let (json, text) = said.split_last().unwrap();
    for said in text {
        assert_eq!(
            said,
            "error: the store is in use by another process\n\
             hint: another process is using the repository; try again\n"
        );
    }
    assert_eq!(
        json,
        "{\"error\":\"busy\",\"message\":\"the store is in use by another process\"}\n"
    );
    assert_eq!(repo.head(), before);
    repo.put("d", "afterwards");
}

/// Holds the write lock during an action.
fn holding<T>(repo: &TestRepo, meanwhile: impl FnOnce() -> T) -> T {
    let store = SqliteStore::open(repo.home.path("alice/pds.db")).unwrap();
    let (held, is_held) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let blocks = std::iter::from_fn(|| -> Option<Result<Block, BoxError>> {
                held.send(()).unwrap();
                Some(Err(released.recv().unwrap_err().into()))
            });
            let (name, target, expect) = (RefName::head(), None, Expect::Present);
            let edit = RefEdit { name, target, expect };
            store.apply(Change::new(Event::Remove).blocks(blocks).edit(edit)).unwrap_err();
        });
        is_held.recv().unwrap();
        let done = meanwhile();
        drop(release);
        done
    })
}

#[test]
fn code_6_says_how_much_of_a_batch_was_done() {
    let repo = TestRepo::new();
    let input = creations(0..4) + "nonsense\n" + &creations(5..9);
    let ended = repo.pds(["apply", "--batch", "2"]).stdin(input.clone()).ended();
    assert_eq!(ended.code(), 6);
    assert_eq!(ended.text().lines().count(), 4);
    assert_eq!(
        ended.stderr,
        "error: 4 writes were committed, then: line 5, column 2: expected ident\n\
         hint: the printed writes are committed, the writes after them are not\n"
    );
    assert_eq!(repo.pds(["ls"]).ok(), "com.example.note\t4\n");
    let ended =
        repo.pds(["apply", "--batch", "1", "--json"]).stdin(creations(4..5) + &input).ended();
    assert_eq!(ended.code(), 6);
    assert_eq!(
        ended.stderr,
        "{\"error\":\"partly-done\",\"message\":\"1 write was committed, then: record \
         com.example.note/n000000 already exists\"}\n"
    );
}

#[test]
fn code_6_says_which_records_could_not_be_unpacked() {
    let home = Home::new();
    let odd = Block::new(Codec::Cbor, *b"\xf7");
    let gone = note("gone");
    let mut car = Car::of([
        (b"com.example.note/a".to_vec(), odd),
        (b"com.example.note/b".to_vec(), note("good")),
        (b"com.example.note/c".to_vec(), gone.clone()),
    ]);
    car.blocks.retain(|block| *block != gone);
    home.write("odd.car", car.file());
    let ended = home.pds(["-R", "odd.car", "unpack", "out", "--json"]).ended();
    assert_eq!((ended.code(), &*ended.text()), (6, "{\"records\":1}\n"));
    assert_eq!(
        ended.stderr,
        "com.example.note/a cannot be decoded: its bytes are in a .cbor file\n\
         com.example.note/c is missing\n"
    );
    let dir = format!("out/{DID}/com.example.note");
    assert_eq!(home.list(&dir), ["a.cbor", "b.json"]);
    assert_eq!(home.read(&format!("{dir}/a.cbor")), b"\xf7");
}

#[test]
fn an_answer_that_cannot_be_written_is_no_success() {
    let repo = TestRepo::with_notes();
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    for line in [
        "pds -R alice ls > /dev/full",
        "pds -R alice info --json > /dev/full",
        "pds -R alice get com.example.note/a --cbor > /dev/full",
        "pds -R alice get com.example.note/a > /dev/full",
        "pds man > /dev/full",
    ] {
        let said = repo.home.sh(line).fails(1);
        let expected = "cannot write to standard output: No space left on device";
        assert!(said.contains(expected), "{line}: {said}");
    }
    let said = repo.home.sh("pds -R alice export --json > /dev/full").fails(1);
    assert!(said.starts_with("{\"error\":\"no-space\","), "{said}");
    let said = repo.home.sh("echo '{}' | pds -R alice put com.example.note/d > /dev/full").fails(6);
    assert!(
        said.starts_with("error: the command succeeded, but its answer cannot be written: "),
        "{said}"
    );
    let line = "printf '%s\\n' '{\"action\":\"delete\",\"collection\":\"com.example.note\",\
                \"rkey\":\"d\"}' | pds -R alice apply > /dev/full";
    let said = repo.home.sh(line).fails(6);
    assert!(said.starts_with("error: 1 write was committed, then: cannot write to"), "{said}");
    assert_eq!(masked(&repo.pds(["ls"]).ok()), "com.example.note\t3\n");
}

#[test]
fn a_command_that_changed_nothing_does_not_say_that_it_has() {
    let repo = TestRepo::with_notes();
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    repo.export("a.car");
    for line in [
        "pds -R alice gc > /dev/full",
        "pds -R alice import a.car > /dev/full",
        "pds -R alice merge a.car --json > /dev/full",
        "pds -R alice get com.example.note/a | pds -R alice put com.example.note/a > /dev/full",
    ] {
        let said = repo.home.sh(line).fails(1);
        assert!(said.contains("No space left on device"), "{line}: {said}");
        assert!(
            !said.contains("succeeded") && !said.contains("changes were made"),
            "{line}: {said}"
        );
    }
    let said = repo.home.sh("pds -R alice gc --keep 1 --yes > /dev/full").fails(6);
    assert!(said.starts_with("error: the command succeeded, but its answer"), "{said}");
}
