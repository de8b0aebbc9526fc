//! Imports of commits that another key signed, which the caller names.

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::Cid;
use pds::merge::commit::{MergeKind, MergeOptions};
use pds::retain::forget::Forget;
use pds::retain::gc::Keep;
use pds::store::{Event, Expect, Fact, FactKind, MemoryStore};
use pds::{Code, SignatureState};
use pds::{Error, Repo};

use super::merges::{car, content, device, name, put};
use super::{actions, did, facts};

#[test]
fn a_file_from_before_a_rotation_is_by_the_key_of_then() {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let laptop = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(key.clone());
    laptop.init(&did()).unwrap();
    let phone = device(&laptop, &key);
    put(&phone, "early", "phone");
    let early = car(&phone, true);
    let (laptop, _) = super::rotate(&laptop, SigningKey::generate(Curve::P256).unwrap()).unwrap();
    put(&laptop, "a", "laptop");
    assert_eq!(
        laptop.merge().car(&early, &MergeOptions::default()).unwrap().how,
        MergeKind::Commit
    );
    laptop.verify().history(&Default::default(), &mut |finding| panic!("{finding}")).unwrap();
    // A later commit by the old key is refused, unless the caller names the key.
    put(&phone, "late", "phone");
    let refused = laptop.merge().car(&car(&phone, true), &MergeOptions::default()).unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
    assert_eq!(content(&laptop), ["a=laptop", "early=phone"]);
}

fn by(key: &SigningKey) -> MergeOptions {
    MergeOptions::default().key(Some(key.public_key()))
}

/// Checks every commit. The only finding may be the start of the history.
fn assert_whole(repo: &Repo) -> u64 {
    let report = repo.verify().history(&Default::default(), &mut |finding| {
        assert_eq!(finding.code(), Code::HistoryBegins, "{finding}");
    });
    let report = report.unwrap();
    assert_eq!((report.is_ok(), report.signature), (true, SignatureState::Valid));
    report.commits
}

#[test]
fn a_key_that_was_named_for_a_merge_is_the_key_of_that_commit_from_then_on() {
    let [old, new, strange] = [(); 3].map(|()| SigningKey::generate(Curve::K256).unwrap());
    let laptop = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(old.clone());
    laptop.init(&did()).unwrap();
    put(&laptop, "a", "1");
    let phone = device(&laptop, &old);
    let (laptop, _) = super::rotate(&laptop, new.clone()).unwrap();
    put(&laptop, "b", "laptop");
    put(&phone, "c", "phone");

    let from_laptop = car(&laptop, true);
    for wrong in [MergeOptions::default(), by(&strange), by(&old)] {
        let head = phone.head().unwrap();
        let refused = phone.merge().car(&from_laptop, &wrong).unwrap_err();
        assert!(matches!(refused, Error::Refused(_)), "{refused}");
        assert_eq!((phone.head().unwrap(), phone.history().refs().unwrap().len()), (head, 1));
    }
    let theirs = laptop.head().unwrap().unwrap();
    assert_eq!(phone.merge().car(&from_laptop, &by(&new)).unwrap().how, MergeKind::Commit);
    let named = Event::Merge { other: theirs, key: Some((&new.public_key()).into()) };
    assert_eq!(phone.history().log(1).unwrap()[0].event, named);
    assert_whole(&phone);
    // The commit is stored, so its key need not be named again.
    let again = phone.merge().car(&from_laptop, &MergeOptions::default()).unwrap();
    assert_eq!(again.how, MergeKind::Nothing);

    let from_phone = car(&phone, true);
    let refused = laptop.merge().car(&from_phone, &MergeOptions::default()).unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
    // The laptop has no commits of its own since then, and moves to the commit of the phone.
    assert_eq!(laptop.merge().car(&from_phone, &by(&old)).unwrap().how, MergeKind::FastForward);
    assert_eq!(content(&laptop), ["a=1", "b=laptop", "c=phone"]);
    let signature = |repo: &Repo| {
        repo.verify()
            .present(&Default::default(), &mut |finding| panic!("{finding}"))
            .unwrap()
            .signature
    };
    assert_eq!(signature(&laptop), SignatureState::Valid);
    assert_whole(&laptop);
    put(&laptop, "d", "laptop");
    put(&phone, "e", "phone");
    let refused = laptop.merge().car(&car(&phone, true), &MergeOptions::default()).unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "the key is that of one commit: {refused}");
    laptop.merge().car(&car(&phone, true), &by(&old)).unwrap();

    // The rows of the imports are deleted. The commits stay, because other rows or refs name them.
    for repo in [&laptop, &phone] {
        let states: Vec<Cid> =
            repo.history().log(99).unwrap().iter().filter_map(|row| row.after).collect();
        for (n, state) in states.iter().enumerate() {
            repo.history()
                .set_ref(&name(&format!("state-{n}")), *state, Expect::Any, "keep")
                .unwrap();
        }
        let before = assert_whole(repo);
        repo.retain().forget(&Forget::BeforeTime(u64::MAX), &mut |_| {}).unwrap();
        assert_eq!(assert_whole(repo), before);
        for n in 0..states.len() {
            repo.history().remove_ref(&name(&format!("state-{n}"))).unwrap();
        }
        let keep = Keep::default().states(NonZeroUsize::new(1));
        repo.retain().gc(&keep, &mut |_| {}).unwrap();
        assert_whole(repo);
        // No fact about a deleted commit is kept.
        for fact in facts(repo, FactKind::NamedKey) {
            let Fact::NamedKey { commit, .. } = &fact else { panic!("{fact:?}") };
            assert!(repo.store().get(commit).unwrap().is_some(), "{fact:?}");
        }
    }
}

fn file(repo: &Repo) -> Cursor<Vec<u8>> {
    let mut file = Vec::new();
    repo.transfer().export(&Default::default(), &mut file).unwrap();
    Cursor::new(file)
}

fn key() -> SigningKey {
    SigningKey::generate(Curve::K256).unwrap()
}

/// Returns a repository with a key, and a mirror of it.
fn followed() -> (Repo, Repo) {
    let own = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(key());
    own.init(&did()).unwrap();
    put(&own, "a", "1");
    let mirror = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
    mirror.transfer().import_file(file(&own), None).unwrap();
    mirror.keys().remember(&own.public_key().unwrap().unwrap()).unwrap();
    (own, mirror)
}

#[test]
fn a_mirror_follows_an_account_to_its_next_key_and_keeps_the_old_one_for_what_it_signed() {
    let (own, mirror) = followed();
    let old = own.public_key().unwrap();
    let early = file(&own);
    let (own, _) = super::rotate(&own, key()).unwrap();
    put(&own, "b", "2");
    let new = own.public_key().unwrap();
    mirror.transfer().import_file(file(&own), new.as_ref()).unwrap();
    assert_eq!(mirror.public_key().unwrap(), new);
    assert_eq!(assert_whole(&mirror), 2);
    // Later commits are signed by the new key, and earlier ones by the old key.
    put(&own, "c", "3");
    let refused = mirror.transfer().import_file(file(&own), old.as_ref()).unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
    mirror.transfer().import_file(file(&own), new.as_ref()).unwrap();
    assert_eq!(assert_whole(&mirror), 3);
    mirror.transfer().allow_older(true).import_file(early, old.as_ref()).unwrap();
    assert_eq!(mirror.public_key().unwrap(), new, "an older commit says nothing about the present");
    assert_eq!(assert_whole(&mirror), 3);
    let [old, new] = [old, new].map(|key| key.unwrap().did_key());
    let expected = ["import", "import", &format!("import {old} {new}"), "clone"];
    assert_eq!(actions(&mirror), expected);
    for states in [3, 2, 1] {
        let keep = Keep::default().states(NonZeroUsize::new(states));
        mirror.retain().gc(&keep, &mut |_| {}).unwrap();
        assert_whole(&mirror);
    }
    let head: Cid = mirror.head().unwrap().unwrap();
    let of_head = mirror.keys().of(mirror.snapshot().unwrap().commit()).unwrap().unwrap();
    assert_eq!(of_head.did_key(), old, "{head}");
}

#[test]
fn an_import_under_another_key_does_not_change_the_own_key() {
    let (own, _) = followed();
    let (of_own, server) = (own.public_key().unwrap(), key());
    let theirs = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(server.clone());
    theirs.init(&did()).unwrap();
    put(&theirs, "b", "2");
    own.on(name("server"))
        .transfer()
        .import_file(file(&theirs), Some(&server.public_key()))
        .unwrap();
    assert_eq!(own.public_key().unwrap(), of_own);
    let row = &own.on(name("server")).history().log(1).unwrap()[0];
    let key = Some((&server.public_key()).into());
    assert_eq!(row.event, Event::Import { key, replaces: None, begins: false });
    assert_eq!(assert_whole(&own), 3);
    own.history()
        .set_head(own.history().resolve(&name("server").into()).unwrap(), Expect::Any, "reset")
        .unwrap();
    assert_whole(&own);
    own.retain().forget(&Forget::BeforeTime(u64::MAX), &mut |_| {}).unwrap();
    put(&own, "c", "3");
    assert_whole(&own);
}

#[test]
fn another_key_to_come_leaves_what_is_here_to_the_one_that_was_known() {
    let (own, mirror) = followed();
    let next = key();
    mirror.keys().remember(&next.public_key()).unwrap();
    assert_eq!(assert_whole(&mirror), 1);
    let mirror = mirror.signing_with(next);
    put(&mirror, "b", "2");
    assert_eq!(assert_whole(&mirror), 2);
    let of_past = mirror.checkout(&"HEAD~1".parse().unwrap()).unwrap();
    assert_eq!(mirror.keys().of(of_past.commit()).unwrap(), own.public_key().unwrap());
}
