//! A kill at any file system call leaves the old state or the new one.
//!
//! After each kill the repository verifies with its history, account, key file and commit agree, the
//! next write works, and the same command completes when it runs again.

use super::state::{State, assert_same};
use super::strace::{Left, Scenario, is_available};
use crate::common::{DID, Home, TestRepo, creations};
use crate::damage::damage;

const MARKER: &str = "what-is-to-be-forgotten";
const SECRET: &str = "com.example.note/secret";

/// A repository with several states, two refs, an old record, and a record with a blob to forget.
fn prepared() -> TestRepo {
    let home = Home::in_memory();
    home.pds(["init", "alice", "--did", DID]).ok();
    let repo = TestRepo { home };
    repo.pds(["apply"]).stdin(creations(0..40)).ok();
    repo.put("a", "first");
    let blob = repo.pds(["blob", "put", "-"]).stdin(MARKER).ok();
    for version in ["one", "two"] {
        let record = format!("{{\"text\":\"{MARKER} {version}\",\"file\":{blob}}}");
        repo.pds(["put", SECRET]).stdin(record).ok();
        repo.put("a", version);
        repo.pds(["ref", "set", &format!("draft-{version}"), "HEAD"]).ok();
    }
    repo.put("b", "last");
    repo
}

/// Kills the command at its calls. Each state must be the one before it or the one after it.
fn kill(scenario: &Scenario<'_>, again: impl Fn(&TestRepo)) {
    let old = State::of(&TestRepo { home: scenario.home.copied() });
    let new = State::of(&scenario.completed()).masked(&old);
    scenario.kill(|repo| {
        let found = State::of(repo);
        assert_usable(repo, &found);
        again(repo);
        repo.pds(["verify", "--history", "--blobs"]).ok();
        if found == old {
            return Left::Old;
        }
        assert_same(&found.masked(&old), &new);
        Left::New
    });
}

/// Checks that the repository is whole, that its parts agree, and that a write works and adds to it.
fn assert_usable(repo: &TestRepo, found: &State) {
    assert_eq!(found.did, DID);
    repo.pds(["verify", "--history", "--blobs"]).ok();
    repo.pds(["verify", "--key", &found.key, "--did", DID]).ok();
    let cid = repo.put("zz-afterwards", "x");
    let mut records = found.records.clone();
    records.push(format!("com.example.note/zz-afterwards\t{cid}"));
    let after = State::of(repo);
    assert_eq!((&after.records, &after.key), (&records, &found.key));
    assert_eq!(&after.log[1..], found.log);
    // The key file has signed this commit.
    repo.pds(["verify", "--key", &found.key, "--did", DID]).ok();
    repo.pds(["verify", "--history"]).ok();
}

/// Runs the command again, which must succeed.
fn once_more<'a>(args: &'a [&'a str], stdin: &'a str) -> impl Fn(&TestRepo) + 'a {
    move |repo| drop(repo.home.pds(args.iter().copied()).stdin(stdin).ended().done())
}

#[test]
fn a_put_that_is_killed_at_any_call() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    let (args, stdin) = (["-R", "alice", "put", "com.example.note/new"], "{\"text\":\"new\"}");
    let scenario = Scenario { name: "put", home: &repo.home, args: &args, stdin, kills: 40 };
    kill(&scenario, once_more(&args, stdin));
}

#[test]
fn an_import_that_is_killed_at_any_call() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    let phone = TestRepo { home: repo.home.copied() };
    phone.pds(["apply"]).stdin(creations(40..80)).ok();
    phone.pds(["put", "com.example.note/a"]).stdin("{\"text\":\"phone\"}").ok();
    phone.pds(["export", "--chain", "-o", "newer.car"]).ended().done();
    repo.home.write("newer.car", phone.home.read("newer.car"));
    let args = ["-R", "alice", "import", "newer.car"];
    let scenario = Scenario { name: "import", home: &repo.home, args: &args, stdin: "", kills: 40 };
    // The write after the kill is newer than the file, and the file lacks its record.
    let again = [&args[..], &["--allow-older", "--force"]].concat();
    kill(&scenario, once_more(&again, ""));
}

#[test]
fn a_clone_of_a_directory_that_is_killed_at_any_call() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    let answers = |home: &Home, dir: &str| {
        let verbs: [&[&str]; 4] = [
            &["log", "--json"],
            &["ref", "ls"],
            &["blob", "ls"],
            &["verify", "--history", "--blobs"],
        ];
        verbs.map(|verb| home.pds(["-R", dir].iter().chain(verb).copied()).ok())
    };
    let expected = answers(&repo.home, "alice");
    for exists in [false, true] {
        if exists {
            std::fs::create_dir(repo.home.path("copy")).unwrap();
        }
        let args = ["clone", "alice", "copy", "--with-key"];
        let scenario =
            Scenario { name: "clone DIR", home: &repo.home, args: &args, stdin: "", kills: 40 };
        scenario.kill(|repo| {
            let home = &repo.home;
            assert_eq!(answers(home, "alice"), expected, "the original stays as it was");
            let is_whole = home.dir().join("copy/pds.db").exists();
            if !is_whole {
                assert_eq!(home.dir().join("copy").exists(), exists);
                // The remains do not block the next run.
                home.pds(args).ended().done();
            }
            assert_eq!(answers(home, "copy"), expected);
            home.pds(["-R", "copy", "put", "com.example.note/z"]).stdin("{}").ended().done();
            if is_whole { Left::New } else { Left::Old }
        });
    }
}

#[test]
fn a_collection_that_is_killed_at_any_call() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    let args = ["-R", "alice", "gc", "--keep", "2"];
    let scenario =
        Scenario { name: "gc --keep", home: &repo.home, args: &args, stdin: "", kills: 40 };
    kill(&scenario, |repo| {
        once_more(&args, "")(repo);
        assert_eq!(repo.json_lines(["reflog"]).len(), 2);
    });
}

#[test]
fn a_forgetting_that_is_killed_at_any_call() {
    if !is_available() {
        return;
    }
    let repo = prepared();
    let args = ["-R", "alice", "forget", "--yes", SECRET];
    let scenario = Scenario { name: "forget", home: &repo.home, args: &args, stdin: "", kills: 40 };
    kill(&scenario, |repo| {
        let ended = repo.home.pds(args).ended();
        let is_done = ended.stderr.starts_with("error: no stored state has");
        assert!(ended.code() == 0 || (ended.code() == 1 && is_done), "{}", ended.stderr);
        assert_eq!(repo.pds(["blob", "ls"]).ok(), "");
        assert_no_file_has(repo, MARKER);
    });
}

/// Checks the bytes of every file of the repository.
fn assert_no_file_has(repo: &TestRepo, marker: &str) {
    let mut waiting = vec![repo.home.dir().join("alice")];
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let has_it = bytes.windows(marker.len()).any(|window| window == marker.as_bytes());
            assert!(!has_it, "{} still has the record", path.display());
        }
    }
}

#[test]
fn a_rotation_that_is_killed_at_any_call() {
    if !is_available() {
        return;
    }
    for (name, option) in [("key rotate", None), ("key rotate (discard)", Some("--discard-old"))] {
        let repo = prepared();
        let secret = repo.home.read("alice/key");
        let args: Vec<&str> = ["-R", "alice", "key", "rotate"].into_iter().chain(option).collect();
        let scenario = Scenario { name, home: &repo.home, args: &args, stdin: "", kills: 40 };
        kill(&scenario, |repo| {
            let names = repo.home.list("alice");
            assert!(!names.contains(&"key.next".to_owned()), "a key is left over");
            // The old secret is in one file, unless it was discarded.
            let keys =
                names.iter().filter(|name| matches!(&***name, "key" | "key.old" | "key.old.1"));
            let with_secret =
                keys.filter(|name| repo.home.read(&format!("alice/{name}")) == secret);
            let count = with_secret.count();
            assert!(
                count == 1 || count == 0 && option.is_some(),
                "{count} files have the old secret"
            );
            once_more(&args, "")(repo);
        });
    }
}

#[test]
fn a_repair_that_is_killed_at_any_call() {
    if !is_available() {
        return;
    }
    for (name, is_record) in [("repair (record)", true), ("repair (root of the tree)", false)] {
        let repo = prepared();
        repo.export("good.car");
        let state = State::of(&repo);
        let block = match is_record {
            true => repo.json(["get", "com.example.note/b"])["cid"].clone(),
            false => repo.json(["info"])["data"].clone(),
        };
        damage(&repo, block.as_str().unwrap());
        let args = ["-R", "alice", "repair", "--from", "good.car"];
        let scenario = Scenario { name, home: &repo.home, args: &args, stdin: "", kills: 40 };
        let damaged = repo.pds(["verify"]).ended();
        assert_eq!(damaged.code(), 1, "{}", damaged.text());
        scenario.kill(|repo| {
            let verified = repo.pds(["verify"]).ended();
            let left = match verified.code() {
                0 => Left::New,
                _ => Left::Old,
            };
            if left == Left::Old {
                assert_eq!((verified.code(), verified.text()), (1, damaged.text()));
                if is_record {
                    // A write next to a damaged record works.
                    assert_eq!(State::of(repo), state);
                    repo.put("n000000", "x");
                    repo.pds(["reset", &state.head]).ok();
                }
                once_more(&args, "")(repo);
                repo.pds(["reset", &state.head]).ok();
            }
            // A repair moves no ref and changes no record.
            let found = State::of(repo);
            assert_eq!((&found.records, &found.head), (&state.records, &state.head));
            assert_eq!(found.refs, state.refs);
            assert_usable(repo, &found);
            once_more(&args, "")(repo);
            repo.pds(["verify", "--history", "--blobs"]).ok();
            left
        });
    }
}

#[test]
fn an_initialisation_that_is_killed_at_any_call() {
    if !is_available() {
        return;
    }
    for exists in [false, true] {
        let home = Home::in_memory();
        if exists {
            std::fs::create_dir(home.path("alice")).unwrap();
        }
        let name = if exists { "init (empty directory)" } else { "init (new directory)" };
        let args = ["init", "alice", "--did", DID];
        let scenario = Scenario { name, home: &home, args: &args, stdin: "", kills: 40 };
        scenario.kill(|repo| {
            let info = repo.pds(["info", "--json"]).ended();
            let left = match info.code() {
                0 => Left::New,
                _ => Left::Old,
            };
            if left == Left::Old {
                assert_eq!(info.code(), 3, "{}", info.stderr);
                assert!(info.stderr.contains("\"not-a-repository\""), "{}", info.stderr);
                repo.home.pds(args).ended().done();
            }
            let found = State::of(repo);
            assert_eq!((found.records.len(), found.log.len()), (0, 1));
            assert_usable(repo, &found);
            left
        });
    }
}
