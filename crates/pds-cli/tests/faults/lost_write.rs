//! Writes of bytes whose stored copy is damaged: the copy is replaced, or the write fails.

use pds::data::Cid;

use super::{Failures, copy_within, duplicate, read_note, said, sql};
use crate::common::{Run, TestRepo, creation, creations};

/// Finds the CID of a block in a repository.
type Pick = fn(&TestRepo) -> String;

/// A write, the name of the damaged block, and the notes that must be readable after the write.
struct Case {
    what: &'static str,
    damaged: Pick,
    write: fn(&TestRepo) -> Run,
    notes: &'static [(&'static str, &'static str)],
}

const KEPT: [(&str, &str); 3] = [("a", "a"), ("b", "b"), ("c", "c")];

const RECORDS: [Case; 7] = [
    Case {
        what: "put to the same path",
        damaged: record,
        write: |repo| put(repo, "c", "c"),
        notes: &KEPT,
    },
    Case {
        what: "put to another path",
        damaged: record,
        write: |repo| put(repo, "d", "c"),
        notes: &[("c", "c"), ("d", "c")],
    },
    Case {
        what: "put of an earlier version",
        damaged: earlier_record,
        write: |repo| put(repo, "changed", "before"),
        notes: &[("a", "a"), ("changed", "before")],
    },
    Case {
        what: "apply to the same path",
        damaged: record,
        write: |repo| {
            let line = creation("c", "c").replace("create", "update");
            repo.pds(["apply"]).stdin(line)
        },
        notes: &KEPT,
    },
    Case {
        what: "apply to another path",
        damaged: record,
        write: |repo| repo.pds(["apply"]).stdin(creation("d", "c") + &creation("e", "e")),
        notes: &[("c", "c"), ("d", "c"), ("e", "e")],
    },
    Case {
        what: "apply in batches to another path",
        damaged: record,
        write: |repo| {
            let lines = creation("d", "c") + &creation("e", "e");
            repo.pds(["apply", "--batch", "1"]).stdin(lines)
        },
        notes: &[("c", "c"), ("d", "c"), ("e", "e")],
    },
    Case {
        what: "put to another branch",
        damaged: record,
        write: |repo| {
            repo.pds(["put", "com.example.note/c", "--ref", "branch"]).stdin("{\"text\":\"c\"}")
        },
        notes: &KEPT,
    },
];

/// Each of these writes makes the tree of `HEAD~1` again.
const NODES: [Case; 3] = [
    Case {
        what: "rm",
        damaged: earlier_root,
        write: |repo| repo.pds(["rm", "com.example.note/late"]),
        notes: &KEPT,
    },
    Case {
        what: "apply of a deletion",
        damaged: earlier_root,
        write: |repo| {
            let line =
                "{\"action\":\"delete\",\"collection\":\"com.example.note\",\"rkey\":\"late\"}\n";
            repo.pds(["apply"]).stdin(line)
        },
        notes: &KEPT,
    },
    Case {
        what: "revert",
        damaged: earlier_root,
        write: |repo| repo.pds(["revert", "HEAD"]),
        notes: &KEPT,
    },
];

/// Files and directories that have every block of the present state, or more.
const WHOLE: [Case; 6] = [
    Case {
        what: "import of a whole file",
        damaged: record,
        write: |repo| repo.pds(["import", &repo.home.path("good.car")]),
        notes: &KEPT,
    },
    Case {
        what: "import of a whole directory",
        damaged: record,
        write: |repo| repo.pds(["import", &repo.home.path("good")]),
        notes: &KEPT,
    },
    Case {
        what: "import of a newer file",
        damaged: record,
        write: |repo| repo.pds(["import", &repo.home.path("newer.car")]),
        notes: &[("a", "a"), ("c", "c"), ("more", "c")],
    },
    Case {
        what: "merge of a newer file",
        damaged: record,
        write: |repo| repo.pds(["merge", &repo.home.path("newer.car")]),
        notes: &[("a", "a"), ("c", "c"), ("more", "c")],
    },
    Case {
        what: "merge of a newer directory",
        damaged: record,
        write: |repo| repo.pds(["merge", &repo.home.path("newer")]),
        notes: &[("a", "a"), ("c", "c"), ("more", "c")],
    },
    Case {
        what: "merge of a whole directory",
        damaged: record,
        write: |repo| repo.pds(["merge", &repo.home.path("good")]),
        notes: &KEPT,
    },
];

fn put(repo: &TestRepo, name: &str, text: &str) -> Run {
    let json = format!("{{\"text\":\"{text}\"}}");
    repo.pds(["put", &format!("com.example.note/{name}")]).stdin(json)
}

fn record(repo: &TestRepo) -> String {
    repo.json(["get", "com.example.note/c"])["cid"].as_str().unwrap().to_owned()
}

fn earlier_record(repo: &TestRepo) -> String {
    let at = ["get", "com.example.note/changed", "--at", "HEAD~2"];
    repo.json(at)["cid"].as_str().unwrap().to_owned()
}

fn root_at(repo: &TestRepo, at: &str) -> String {
    repo.json(["info", "--at", at])["data"].as_str().unwrap().to_owned()
}

fn earlier_root(repo: &TestRepo) -> String {
    root_at(repo, "HEAD~1")
}

fn root(repo: &TestRepo) -> String {
    root_at(repo, "HEAD")
}

fn commit(repo: &TestRepo) -> String {
    repo.head().0
}

/// Notes in several commits, the last of them `late`. Where the block index is to have these
/// blocks, thousands of newer blocks of another ref follow.
fn prepared(indexed: bool) -> TestRepo {
    let repo = TestRepo::with_notes();
    for (name, text) in [("changed", "before"), ("changed", "after"), ("late", "late")] {
        repo.put(name, text);
    }
    repo.pds(["ref", "set", "branch", "HEAD"]).ok();
    if indexed {
        let lines = creations(0..BLOCKS_NOT_INDEXED);
        repo.pds(["apply", "--ref", "branch"]).stdin(lines).ok();
    }
    add_sources(&repo);
    repo
}

/// Changes the stored bytes of a block and leaves its CID.
fn damage(repo: &TestRepo, cid: &str, how: &str) {
    let cid: Cid = cid.parse().unwrap();
    let (sql, name) = (sql(&repo.home, "alice"), cid.as_bytes().as_slice());
    let bytes = "SELECT bytes FROM blocks WHERE cid = ?1";
    let mut bytes: Vec<u8> = sql.query_row(bytes, [name], |row| row.get(0)).unwrap();
    match how {
        "flipped" => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        _ => drop(bytes.pop()),
    }
    let set = "UPDATE blocks SET bytes = ?2 WHERE cid = ?1";
    assert_eq!(sql.execute(set, (name, bytes)).unwrap(), 1);
}

/// Runs a write over a damaged block. It may fail, and changes no ref then. If it succeeds, the
/// notes can be read and the repository verifies.
fn check(repo: &TestRepo, case: &Case, what: &str, failures: &mut Failures) {
    let refs = repo.pds(["ref", "ls"]).ok();
    let ended = (case.write)(repo).ended();
    let what = format!("{} over a damaged {what}", case.what);
    match ended.code() {
        3 => {
            let after = repo.pds(["ref", "ls"]).ok();
            failures.check(after == refs, || {
                format!("{what}: moved a ref and failed, {}: {refs:?} {after:?}", said(&ended))
            });
        }
        0 => {
            let unread = case.notes.iter().find_map(|(name, text)| {
                let read = read_note(repo, name);
                (read.as_deref() != Ok(*text)).then(|| format!("get {name} is {read:?}"))
            });
            let wrong = unread.or_else(|| {
                let verify = repo.pds(["verify"]).ended();
                (verify.code() != 0).then(|| format!("verify: {}", said(&verify)))
            });
            failures.check(wrong.is_none(), || format!("{what}: exit 0, then {}", wrong.unwrap()));
        }
        _ => failures.check(false, || format!("{what}: {}", said(&ended))),
    }
}

fn check_all(cases: &[Case], other: &[(&str, Pick)]) {
    let mut failures = Failures::default();
    for (indexed, place) in [(true, "in the index"), (false, "appended last")] {
        let prepared = prepared(indexed);
        for case in cases {
            let own = [("block", case.damaged)];
            for (kind, damaged) in own.iter().chain(other) {
                for how in ["flipped", "cut"] {
                    let repo = duplicate(&prepared);
                    damage(&repo, &damaged(&repo), how);
                    check(&repo, case, &format!("{kind} ({how}, {place})"), &mut failures);
                }
            }
        }
    }
    failures.assert_none();
}

/// Makes a whole file and a whole copy of the repository, and a file of a newer state.
fn add_sources(repo: &TestRepo) {
    repo.export("good.car");
    copy_within(&repo.home, "alice", "good");
    copy_within(&repo.home, "alice", "newer");
    let newer = |args: &[&str]| {
        let args = ["-R", "newer"].into_iter().chain(args.iter().copied());
        repo.home.pds(args).stdin("{\"text\":\"c\"}").ended().done();
    };
    newer(&["put", "com.example.note/more"]);
    newer(&["export", "--chain", "-o", &repo.home.path("newer.car")]);
}

/// More blocks than the part of the table has that is searched without the index.
const BLOCKS_NOT_INDEXED: usize = 8_500;

#[test]
fn a_record_that_is_written_over_a_damaged_copy_can_be_read() {
    check_all(&RECORDS, &[]);
}

#[test]
fn a_node_that_is_written_over_a_damaged_copy_can_be_read() {
    check_all(&NODES, &[]);
}

#[test]
fn a_file_that_is_imported_over_damaged_blocks_can_be_read() {
    check_all(&WHOLE, &[("root", root), ("commit", commit)]);
}

#[test]
fn a_commit_on_a_damaged_head_is_refused() {
    let repo = prepared(false);
    damage(&repo, &commit(&repo), "flipped");
    for (name, text) in [("c", "c"), ("d", "c"), ("new", "new")] {
        let refused = put(&repo, name, text).fails(3);
        assert!(refused.contains("damaged"), "{refused}");
    }
}
