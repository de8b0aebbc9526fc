//! Refs, the log, and the names of states.

use pds::car::CarFile;
use pds::data::{Cid, Codec};
use pds::store::{Expect, RefName};
use pds::transfer::export::export_car;
use pds::{Error, Repo, Revision};

use super::{actions, in_memory, note, path};

fn rev(text: &str) -> Revision {
    text.parse().unwrap()
}

/// A repository with the commits c0 (empty) to c3 (records 1 to 3).
fn with_history() -> (Repo, Vec<Cid>) {
    let repo = in_memory();
    let mut commits = vec![repo.head().unwrap().unwrap()];
    for n in 1..=3 {
        let written = repo.put(&path(&format!("com.example.note/{n}")), &note("x")).unwrap();
        commits.push(written.commit.cid());
    }
    (repo, commits)
}

#[test]
fn states_are_named_in_every_way() {
    let (repo, commits) = with_history();
    let rev_of_1 = repo.checkout(&commits[1].into()).unwrap().commit().rev().unwrap();
    for (name, expected) in [
        ("HEAD", 3),
        ("HEAD~", 2),
        ("HEAD~3", 0),
        ("@{1}", 2),
        ("HEAD@{2}", 1),
        ("@{1}~2", 0),
        (&commits[2].to_string(), 2),
        (&rev_of_1.to_string(), 1),
        (&format!("{rev_of_1}~1"), 0),
    ] {
        assert_eq!(repo.history().resolve(&rev(name)).unwrap(), commits[expected], "{name}");
    }
    let absent = Cid::of(Codec::Cbor, b"x").to_string();
    for name in ["HEAD~4", "@{4}", "nowhere", "2222222222222", &absent] {
        let error = repo.history().resolve(&rev(name)).unwrap_err();
        assert!(matches!(error, Error::Revision { .. }) && error.is_not_found(), "{name}: {error}");
    }
    for name in ["", "HEAD~x", "@{1", "a b", "~1"] {
        assert!(name.parse::<Revision>().is_err(), "{name}");
    }
}

#[test]
fn a_reset_moves_the_head_and_can_be_undone() {
    let (repo, commits) = with_history();
    repo.history().set_head(commits[1], Expect::Exactly(commits[3]), "back").unwrap();
    assert_eq!(repo.snapshot().unwrap().records().count(), 1);
    let before = repo.history().resolve(&rev("@{1}")).unwrap();
    assert_eq!(before, commits[3]);
    repo.history().set_head(before, Expect::Any, "undo").unwrap();
    assert_eq!(repo.snapshot().unwrap().records().count(), 3);
    assert_eq!(actions(&repo)[..3], ["reset: undo", "reset: back", "write"]);
    assert!(matches!(
        repo.history().set_head(Cid::of(Codec::Cbor, b"x"), Expect::Any, "reset"),
        Err(Error::UnknownCommit(_))
    ));
    // A commit after a reset has a later rev than the commits before the reset.
    repo.history().set_head(commits[1], Expect::Any, "reset").unwrap();
    let written = repo.put(&path("com.example.note/9"), &note("x")).unwrap();
    let latest = repo.checkout(&commits[3].into()).unwrap().commit().rev();
    assert!(written.commit.rev() > latest);
}

#[test]
fn refs_are_separate_lines_of_commits() {
    let (repo, commits) = with_history();
    let side: RefName = "side".parse().unwrap();
    repo.history().set_ref(&side, commits[1], Expect::Absent, "branch").unwrap();
    let on_side = repo.on(side.clone());
    on_side.put(&path("com.example.note/side"), &note("y")).unwrap();
    assert_eq!(repo.head().unwrap(), Some(commits[3]));
    assert_eq!(on_side.snapshot().unwrap().records().count(), 2);
    assert_eq!(on_side.history().log(10).unwrap().len(), 2);
    let names: Vec<String> =
        repo.history().refs().unwrap().into_iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["HEAD", "side"]);
    repo.history().remove_ref(&side).unwrap();
    assert!(matches!(repo.history().remove_ref(&side), Err(Error::NoCommit(_))));
}

#[test]
fn a_diff_lists_what_was_created_updated_and_deleted_in_key_order() {
    let (repo, commits) = with_history();
    repo.put(&path("com.example.note/2"), &note("changed")).unwrap();
    repo.delete(&path("com.example.note/1")).unwrap();
    let changes = repo.history().diff(&commits[1].into(), &Revision::head()).unwrap();
    let shapes: Vec<_> = changes
        .iter()
        .map(|change| {
            (change.path.rkey.to_string(), change.before.is_some(), change.after.is_some())
        })
        .collect();
    assert_eq!(
        shapes,
        [
            ("1".to_owned(), true, false),
            ("2".to_owned(), false, true),
            ("3".to_owned(), false, true)
        ]
    );
    let back = repo.history().diff(&Revision::head(), &commits[1].into()).unwrap();
    assert_eq!(back.len(), 3);
    assert_eq!((back[0].before, back[0].after), (changes[0].after, changes[0].before));
    assert!(repo.history().diff(&Revision::head(), &Revision::head()).unwrap().is_empty());
}

#[test]
fn the_way_back_never_leads_in_a_circle() {
    let (repo, _) = with_history();
    let mut file = Vec::new();
    export_car(&repo.snapshot().unwrap(), &mut file, &mut |_| {}).unwrap();
    let mirror = Repo::with(
        std::sync::Arc::new(pds::store::MemoryStore::default()),
        std::sync::Arc::new(pds::blob::MemoryBlobs::default()),
    );
    let car = |file: &[u8]| CarFile::open(std::io::Cursor::new(file.to_vec())).unwrap();
    mirror.transfer().import(&car(&file), None).unwrap();
    let first = mirror.head().unwrap().unwrap();
    repo.put(&path("com.example.note/4"), &note("x")).unwrap();
    let mut file = Vec::new();
    export_car(&repo.snapshot().unwrap(), &mut file, &mut |_| {}).unwrap();
    mirror.transfer().import(&car(&file), None).unwrap();
    let second = mirror.head().unwrap().unwrap();
    assert_eq!(mirror.history().resolve(&rev("HEAD~1")).unwrap(), first);
    for to in [first, second, first, second] {
        mirror.history().set_head(to, Expect::Any, "reset").unwrap();
    }
    // Each move is followed once, so the walk ends even if the ref moved back and forth.
    let far = mirror.history().resolve(&rev("HEAD~4000000")).unwrap_err();
    assert!(far.is_not_found(), "{far}");
}

#[test]
fn a_move_to_where_a_ref_stands_is_none() {
    let (repo, commits) = with_history();
    let moves = repo.history().log(99).unwrap();
    repo.history().set_head(commits[3], Expect::Any, "reset").unwrap();
    assert_eq!(repo.history().log(99).unwrap(), moves);
    let wrong =
        repo.history().set_head(commits[3], Expect::Exactly(commits[1]), "reset").unwrap_err();
    assert!(wrong.is_conflict());
}
