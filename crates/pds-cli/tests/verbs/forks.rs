//! Imports of states that are older than HEAD, fork from it, or have its rev.

use pds::commit::UnsignedCommit;
use pds::crypto::SigningKey;
use pds::data::{Block, Cid};
use serde_json::Value;

use crate::common::{Car, DID, Home, TestRepo, masked, note};

/// A home with a mirror of an account, and three backups of it from before, now and after.
fn backups() -> TestRepo {
    let repo = TestRepo::with_notes();
    repo.export("1.car");
    repo.put("d", "d");
    repo.export("2.car");
    repo.pds(["rm", "com.example.note/a"]).ok();
    repo.export("3.car");
    repo.home.pds(["clone", "2.car", "mirror"]).ok();
    repo
}

fn mirror<'a>(home: &Home, args: impl IntoIterator<Item = &'a str>) -> crate::common::Run {
    home.pds(["-R", "mirror"].into_iter().chain(args))
}

#[test]
fn an_older_state_is_refused_and_accepted_only_on_request() {
    let repo = backups();
    let before = mirror(&repo.home, ["log"]).ok();
    assert_eq!(
        masked(&mirror(&repo.home, ["import", "1.car"]).fails(1)),
        "error: commit <cid 1> has rev <tid 1>, and HEAD points to a later rev, <tid 2>\n\
         hint: nothing was changed; --allow-older imports it and moves the ref back\n"
    );
    assert_eq!(mirror(&repo.home, ["log"]).ok(), before);
    let said = mirror(&repo.home, ["import", "1.car", "--json"]).fails(1);
    assert!(said.starts_with("{\"error\":\"older\",\"message\":\"commit "), "{said}");

    let back = mirror(&repo.home, ["import", "1.car", "--allow-older"]).ended();
    back.done();
    assert_eq!(
        masked(&back.stderr),
        "warning: HEAD pointed to a later rev, <tid 1>; pds reset 'HEAD@{1}' restores it\n"
    );
    mirror(&repo.home, ["import", "2.car", "--ref", "other"]).ok();
    mirror(&repo.home, ["import", "1.car", "--ref", "other"]).fails(1);
    let back = mirror(&repo.home, ["import", "1.car", "--ref", "other", "--allow-older", "--json"])
        .ended();
    let answer: Value = serde_json::from_str(&back.done()).unwrap();
    let warning = answer["warnings"][0].as_str().unwrap();
    assert!(warning.ends_with("; pds ref set other 'other@{1}' restores it"), "{warning}");
    assert_eq!(back.stderr, format!("warning: {warning}\n"));
    // A user who names a state moves to it.
    mirror(&repo.home, ["reset", "3.car"]).ok();
    mirror(&repo.home, ["reset", "1.car"]).ok();
}

#[test]
fn backups_that_are_imported_in_any_order_end_at_the_newest() {
    let repo = backups();
    for order in
        [["1", "2", "3"], ["1", "3", "2"], ["2", "3", "1"], ["3", "1", "2"], ["3", "2", "1"]]
    {
        let dir = format!("to-{}", order.concat());
        repo.home.pds(["clone", &format!("{}.car", order[0]), &dir]).ok();
        for name in order {
            let ended = repo.home.pds(["-R", &dir, "import", &format!("{name}.car")]).ended();
            assert!(matches!(ended.code(), 0 | 1), "{}", ended.stderr);
        }
        let export = |dir: &str| repo.home.pds(["-R", dir, "export"]).ended().stdout;
        assert_eq!(export(&dir), repo.home.read("3.car"), "{dir}");
    }
}

/// Returns the key of a repository.
fn key(repo: &TestRepo) -> SigningKey {
    let text = String::from_utf8(repo.home.read("alice/key")).unwrap();
    SigningKey::from_multikey(text.trim()).unwrap()
}

/// A file with another state of the account, which has the rev of HEAD or a later one, and no `prev`.
fn rival(repo: &TestRepo, records: &[(&str, &str)], rev: &str) -> Vec<u8> {
    let records = records
        .iter()
        .map(|(name, text)| (format!("com.example.note/{name}").into_bytes(), note(text)));
    let car = Car::of(records);
    let (did, data) = (DID.parse().unwrap(), car.commit.data());
    let commit = UnsignedCommit { did, data, rev: rev.parse().unwrap(), prev: None };
    let commit = commit.sign(&key(repo)).unwrap();
    let blocks = [commit.block().clone()].into_iter().chain(car.blocks.into_iter().skip(1));
    Car { commit: commit.clone(), blocks: blocks.collect::<Vec<Block>>() }.file()
}

/// A rev directly after another one.
fn after(rev: &str) -> String {
    let rev: pds::syntax::Tid = rev.parse().unwrap();
    pds::syntax::Tid::next(0, 0, Some(rev)).unwrap().to_string()
}

#[test]
fn another_commit_with_the_rev_of_head_is_refused_kept_and_named() {
    let repo = TestRepo::with_notes();
    let (head, rev) = repo.head();
    let file = repo.home.write("rival.car", rival(&repo, &[("a", "other")], &rev));
    let said = masked(&repo.pds(["import", &file]).fails(1));
    assert!(
        said.starts_with(
            "error: commit <cid 1> has the same rev <tid 1> as the present commit <cid 2>"
        ),
        "{said}"
    );
    assert_eq!(repo.head(), (head, rev));
    let refs = repo.pds(["ref", "ls"]).ok();
    let fork = refs.lines().find(|line| line.starts_with("fork-")).unwrap();
    let (name, cid) = fork.split_once('\t').unwrap();
    assert!(cid.parse::<Cid>().is_ok() && cid.ends_with(&name[5..]), "{fork}");
    let ended = repo.pds(["verify", "--history"]).ended();
    let found = format!("error rev-not-ascending {cid}: ");
    assert!(ended.code() == 1 && ended.text().starts_with(&found), "{}", ended.text());
    // Again, and by a merge: nothing changes.
    let log = repo.pds(["log", "--ref", name]).ok();
    repo.pds(["import", &file]).fails(1);
    repo.pds(["merge", &file]).fails(1);
    repo.pds(["merge", name]).fails(1);
    assert_eq!(repo.pds(["log", "--ref", name]).ok(), log);
    assert_eq!(repo.pds(["ref", "ls"]).ok(), refs);

    // A forged one is not kept.
    let forged = TestRepo::with_notes();
    let (_, rev) = forged.head();
    let file = forged.home.write("rival.car", rival(&repo, &[("a", "other")], &rev));
    let said = forged.pds(["import", &file]).fails(1);
    assert!(said.contains("signature-invalid"), "{said}");
    assert_eq!(forged.pds(["ref", "ls"]).ok().lines().count(), 1);
}

#[test]
fn a_newer_state_without_local_records_needs_force() {
    let repo = TestRepo::with_notes();
    let rev = after(&repo.head().1);
    let file = repo.home.write("rival.car", rival(&repo, &[("a", "a")], &rev));
    let before = repo.pds(["log"]).ok();
    let said = masked(&repo.pds(["import", &file]).fails(1));
    assert_eq!(
        said,
        "error: commit <cid 1> lacks 2 local records: -2; HEAD is not its ancestor: \
         `pds merge` keeps both\nhint: nothing was changed; --force imports it without these records\n"
    );
    assert_eq!(repo.pds(["log"]).ok(), before);
    let forced = repo.pds(["import", &file, "--force"]).ended();
    forced.done();
    assert_eq!(
        forced.stderr,
        "warning: the new state lacks 2 local records: -2; pds reset 'HEAD@{1}' restores it\n"
    );
    repo.pds(["reset", "@{1}"]).ok();
    // A merge keeps both.
    repo.pds(["merge", &file, "--base", "empty"]).ok();
    assert_eq!(repo.pds(["ls", "--all"]).ok().lines().count(), 3);
}

/// A repository, and a copy with its key at `second`.
fn two_writers() -> TestRepo {
    let repo = TestRepo::with_notes();
    repo.home.pds(["clone", "alice", "second", "--with-key"]).ok();
    repo
}

/// Writes a record in the copy, and returns the answer to the import of its state, which the other one refuses.
fn refused_import_of_second(repo: &TestRepo) -> String {
    repo.home.pds(["-R", "second", "put", "com.example.note/z"]).stdin("{}").ok();
    repo.home.pds(["-R", "second", "export", "-o", "s.car", "--force"]).ended().done();
    let before = repo.pds(["ls", "com.example.note"]).ok();
    let said = masked(&repo.pds(["import", "s.car"]).fails(1));
    assert_eq!(repo.pds(["ls", "com.example.note"]).ok(), before);
    said
}

#[test]
fn a_local_state_is_known_without_the_row_that_signed_it() {
    let repo = two_writers();
    repo.put("mine", "mine");
    repo.put("oops", "oops");
    repo.pds(["reset", "HEAD@{1}"]).ok();
    repo.pds(["gc", "--keep", "1"]).ok();
    // The state that both began with is purged, so `prev` leads nowhere.
    let said = refused_import_of_second(&repo);
    assert!(
        said.contains(" lacks 1 local record: -1; it is not known to descend from HEAD\n"),
        "{said}"
    );
    assert!(said.contains("; a file of pds export --chain shows the descent, "), "{said}");
}

#[test]
fn the_import_of_an_own_file_does_not_make_a_local_state_foreign() {
    let repo = two_writers();
    repo.put("e", "e");
    repo.put("f", "f");
    repo.pds(["export", "--history", "-o", "own.car"]).ended().done();
    repo.pds(["gc", "--keep", "1"]).ok();
    for keep in [None, Some("3"), Some("1")] {
        repo.pds(["import", "own.car"]).ended().done();
        if let Some(keep) = keep {
            repo.pds(["gc", "--keep", keep]).ok();
        }
        let said = refused_import_of_second(&repo);
        assert!(said.contains(" lacks 2 local records: -2; "), "{said}");
    }
}

#[test]
fn an_own_backup_that_was_imported_stays_local() {
    let repo = two_writers();
    repo.put("e", "e");
    repo.export("own.car");
    repo.put("f", "f");
    repo.pds(["import", "own.car", "--allow-older"]).ended().done();
    repo.pds(["gc", "--keep", "1"]).ok();
    assert!(refused_import_of_second(&repo).contains(" lacks 1 local record: -1; "));
}

#[test]
fn a_branch_that_was_merged_and_removed_stays_local() {
    let repo = two_writers();
    repo.pds(["ref", "set", "draft", "HEAD"]).ok();
    repo.pds(["put", "com.example.note/d", "--ref", "draft"]).stdin("{}").ok();
    repo.pds(["merge", "draft"]).ok();
    repo.pds(["ref", "rm", "draft"]).ok();
    repo.pds(["gc", "--keep", "1"]).ok();
    assert!(refused_import_of_second(&repo).contains(" lacks 1 local record: -1; "));
}

#[test]
fn a_mirror_follows_its_original_and_a_second_writer_asks_for_the_chain() {
    let repo = two_writers();
    repo.home.pds(["clone", "alice", "mirror"]).ok();
    repo.put("x", "x");
    repo.pds(["rm", "com.example.note/a"]).ok();
    repo.put("y", "y");
    repo.export("day1.car");
    let followed = mirror(&repo.home, ["import", "day1.car"]).ended();
    followed.done();
    assert_eq!(followed.stderr, "");

    let second = |args: &[&str]| repo.home.pds(["-R", "second"].iter().chain(args).copied());
    assert_eq!(
        masked(&second(&["import", "day1.car"]).fails(1)),
        "error: commit <cid 1> lacks 1 local record: -1; it is not known to descend from HEAD\n\
         hint: nothing was changed; a file of pds export --chain shows the descent, pds merge keeps both, \
         and --force imports it without these records\n"
    );
    repo.pds(["export", "--chain", "-o", "chain.car"]).ended().done();
    second(&["import", "chain.car"]).ended().done();
}
