//! Bytes that change on disk: the damage is noticed and named, and hides as little as possible.

mod blobs;
mod cars;
mod databases;
mod facts;
mod history;
mod invalid_paths;
mod log;
mod partial;
mod recover;
mod refs;
mod repair;
mod rows;
mod tables;
mod unlogged;

use pds::data::Cid;
use serde_json::Value;

use crate::common::{Ended, Home, TestRepo, masked};

/// Changes one byte of a block where it lies in the store.
pub(crate) fn damage(repo: &TestRepo, cid: &str) {
    let block = repo.pds(["show", cid, "--cbor"]).ended().stdout;
    let mut store = repo.home.read("alice/pds.db");
    let places: Vec<usize> =
        (0..store.len()).filter(|at| store[*at..].starts_with(&block)).collect();
    assert!(!places.is_empty());
    for at in places {
        store[at + block.len() / 2] ^= 1;
    }
    repo.home.write("alice/pds.db", store);
}

/// Checks that a repair has mended everything, except for losses that it cannot list.
fn assert_mended(repair: &Ended, what: impl std::fmt::Display) {
    let text = repair.text();
    let code = if text.contains(" could not be read in full") { 6 } else { 0 };
    assert_eq!(repair.code(), code, "{what}: {text}{}", repair.stderr);
}

/// The CIDs of the commit, of the root of the tree and of the note `b`.
fn blocks(repo: &TestRepo) -> [String; 3] {
    let info = repo.json(["info"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let record = repo.json(["get", "com.example.note/b"]);
    [text(&info["commit"]), text(&info["data"]), text(&record["cid"])]
}

#[test]
fn a_damaged_record_is_named_and_hides_no_other() {
    let repo = TestRepo::with_notes();
    let [_, _, record] = blocks(&repo);
    damage(&repo, &record);
    let verify = repo.pds(["verify"]).ended();
    assert_eq!((verify.code(), &*verify.stderr), (1, ""));
    assert_eq!(
        masked(&verify.text()),
        "error block-damaged <cid 1>: the bytes hash to <cid 2>\n\
         error record-missing com.example.note/b <cid 1>: block <cid 1> is missing\n\
         FAILED: did:web:alice.example.com rev <tid 1>, 3 records, 2 nodes, 13 blocks, partial, \
         signature valid, 2 errors, 0 warnings\n"
    );
    repo.pds(["get", "com.example.note/a"]).ok();
    let get = repo.pds(["get", "com.example.note/b"]).fails(3);
    assert!(get.starts_with(&format!("error: block {record} is damaged: ")), "{get}");
    let list = repo.pds(["ls", "com.example.note", "-l"]).ok();
    assert!(list.contains(&format!("b\t{record}\t-\n")), "{list}");
    let unpack = repo.pds(["unpack", &repo.home.path("out")]).ended();
    assert_eq!((unpack.code(), &*unpack.text()), (6, "2\n"));
    assert_eq!(unpack.stderr, "com.example.note/b is damaged\n");
    repo.pds(["export"]).ended();
    assert_eq!(repo.pds(["export", "-o", &repo.home.path("out.car")]).ended().code(), 3);
    assert!(!repo.home.dir().join("out.car").exists());
    // A damaged block can be written again, and is sound then.
    repo.put("d", "d");
    repo.put("b", "another b");
    repo.assert_whole();
}

#[test]
fn a_damaged_node_or_commit_is_named() {
    for (number, findings) in [(1, "error block-damaged"), (0, "error block-damaged")] {
        let repo = TestRepo::with_notes();
        let cid = &blocks(&repo)[number];
        damage(&repo, cid);
        let verify = repo.pds(["verify"]).ended();
        assert_eq!(verify.code(), if number == 0 { 3 } else { 1 });
        let text = verify.text();
        assert!(text.starts_with(&format!("{findings} {cid}: ")), "{text}");
        for args in [
            &["ls"][..],
            &["info"],
            &["export", "-o", "out.car"],
            &["get", "com.example.note/a"],
            &["put", "com.example.note/a"],
            &["rm", "com.example.note/a"],
        ] {
            let said = repo.pds(args.iter().copied()).stdin("{}").fails(3);
            assert!(said.contains(cid) && said.contains("damaged"), "{args:?}: {said}");
        }
        // The log names an earlier state that is sound.
        let log = repo.pds(["log"]).ended();
        assert_eq!((log.code(), log.text().lines().count()), (6, 4));
        assert!(log.text().contains("\t+? ~? -?\twrite\tput\n"), "{}", log.text());
        assert!(log.stderr.contains(cid), "{}", log.stderr);
        repo.pds(["reset", "@{1}"]).ok();
        repo.assert_whole();
    }
}

#[test]
fn a_page_of_the_store_that_is_gone_is_a_finding_or_an_error() {
    let repo = TestRepo::with_many_notes(300);
    let whole = repo.home.read("alice/pds.db");
    for page in 0..whole.len() / PAGE_BYTES {
        let mut store = whole.clone();
        store[page * PAGE_BYTES..][..PAGE_BYTES].fill(0);
        repo.home.write("alice/pds.db", store);
        let verify = repo.pds(["verify"]).ended();
        let text = verify.text();
        match verify.code() {
            // A page that the present state does not need.
            0 => assert!(text.starts_with("ok: "), "{page}: {text}"),
            1 => {
                let is_named = ["block-damaged", "store-damaged"].iter();
                let is_named = is_named.clone().any(|code| text.contains(&format!("error {code}")));
                assert!(is_named, "{page}: {text}");
            }
            3 => assert!(!text.is_empty() || !verify.stderr.is_empty(), "{page}: {text}"),
            code => panic!("{page}: {code} {}", verify.stderr),
        }
        for args in [&["ls", "--all"][..], &["put", "com.example.note/x"]] {
            let ended = repo.pds(args.iter().copied()).stdin("{}").ended();
            assert!(matches!(ended.code(), 0 | 3), "{page} {args:?}: {}", ended.stderr);
        }
    }
}

#[test]
fn bytes_that_change_anywhere_are_no_panic_and_no_other_answer() {
    let repo = TestRepo::with_many_notes(40);
    let listed = repo.pds(["ls", "--all"]).ok();
    let file = repo.export("good.car");
    let (store, car) = (repo.home.read("alice/pds.db"), repo.home.read("good.car"));
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..60 {
        let mut damaged = if round % 2 == 0 { car.clone() } else { store.clone() };
        match random(4) {
            0 => damaged.truncate(random(damaged.len())),
            many => (0..many).for_each(|_| {
                let at = random(damaged.len());
                damaged[at] ^= 1 << random(8);
            }),
        }
        let source = if round % 2 == 0 { "bad.car" } else { "alice" };
        repo.home.write(if round % 2 == 0 { "bad.car" } else { "alice/pds.db" }, damaged);
        for args in [
            &["verify", "--json"][..],
            &["ls", "--all"],
            &["info"],
            &["log"],
            &["diff", &file, "HEAD"],
            &["blob", "missing"],
        ] {
            let args = ["-R", source].into_iter().chain(args.iter().copied());
            let ended = repo.home.pds(args.map(str::to_owned)).ended();
            let text = ended.text();
            assert!(matches!(ended.code(), 0 | 1 | 3 | 6), "{round}: {}", ended.stderr);
            // The list matches the original records.
            if ended.code() == 0 && text.starts_with("com.example") {
                assert_eq!(text, listed, "{round}");
            }
        }
    }
}

#[test]
fn a_file_that_lacks_its_commit_or_names_no_root_is_bad_input() {
    let home = Home::new();
    let car = crate::common::Car::of([]);
    let elsewhere: Cid = crate::common::note("elsewhere").cid();
    home.write("other.car", car.file_with_roots(&[elsewhere]));
    home.write("none.car", car.file_with_roots(&[]));
    for file in ["other.car", "none.car"] {
        for args in [&["clone", file, "copy"][..], &["-R", file, "info"], &["-R", file, "ls"]] {
            let said = home.pds(args.iter().map(|arg| (*arg).to_owned())).fails(3);
            assert!(said.contains(&elsewhere.to_string()) || said.contains("no root"), "{said}");
        }
        assert_eq!(home.pds(["verify", file]).ended().code(), 3);
    }
    assert_eq!(home.list("."), ["none.car", "other.car"]);
}

const PAGE_BYTES: usize = 8192;
