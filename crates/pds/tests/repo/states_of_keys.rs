//! States of earlier keys that arrive with the present one: each signer is found, and no state is lost.

use std::io::Cursor;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::car::{CarFile, CarWriter};
use pds::commit::UnsignedCommit;
use pds::crypto::{Curve, PublicKey, SigningKey};
use pds::data::{Blocks, Cid};
use pds::store::{Fact, FactKind, MemoryStore};
use pds::syntax::Tid;
use pds::transfer::earlier::Reason;
use pds::transfer::import::Imported;
use pds::{Code, Expected, Repo, SignatureState};

use super::{did, facts, moves, note, path, rotate};

/// A repository that has written two records with each of its keys.
fn rotated(keys: &[SigningKey]) -> Repo {
    let mut repo = empty().signing_with(keys[0].clone());
    repo.init(&did()).unwrap();
    for (n, key) in keys.iter().enumerate() {
        if n > 0 {
            repo = rotate(&repo, key.clone()).unwrap().0;
        }
        for name in ["a", "b"] {
            repo.put(&path(&format!("com.example.note/{n}{name}")), &note("x")).unwrap();
        }
    }
    repo
}

fn keys(count: usize) -> Vec<SigningKey> {
    let curves = [Curve::K256, Curve::P256].into_iter().cycle();
    curves.take(count).map(|curve| SigningKey::generate(curve).unwrap()).collect()
}

fn empty() -> Repo {
    Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
}

fn history_of(repo: &Repo) -> Vec<u8> {
    let mut file = Vec::new();
    repo.transfer().export_history(&"HEAD".parse().unwrap(), &mut file, &mut |_| {}).unwrap();
    file
}

fn import(repo: &Repo, file: &[u8], key: &PublicKey) -> Imported {
    repo.transfer().import_file(Cursor::new(file), Some(key)).unwrap()
}

fn commits(repo: &Repo) -> Vec<Cid> {
    moves(repo).iter().map(|row| row.after.unwrap()).collect()
}

/// No state has an error, and the present one has a valid signature.
fn assert_sound(repo: &Repo) {
    let mut found = Vec::new();
    let report =
        repo.verify().history(&Expected::default(), &mut |finding| found.push(finding)).unwrap();
    assert!(report.is_ok(), "{found:?}");
    assert_eq!(report.signature, SignatureState::Valid);
}

#[test]
fn a_file_keeps_the_states_of_keys_that_are_unknown() {
    let keys = keys(3);
    let original = rotated(&keys);
    let copy = empty();
    let imported = import(&copy, &history_of(&original), &keys[2].public_key());
    assert_eq!((imported.left_out, imported.earlier), (Vec::new(), 8));
    assert_eq!(commits(&copy), commits(&original));
    assert_sound(&copy);
    assert_eq!(facts(&copy, FactKind::UnknownBefore).len(), 1);
    assert_eq!(copy.public_key().unwrap(), Some(keys[2].public_key()));
    // The states of the named key are checked, and those before them are not.
    let wrong = keys[0].public_key();
    let mut found = Vec::new();
    let expected = Expected::default().key(&wrong);
    copy.verify().history(&expected, &mut |finding| found.push(finding)).unwrap();
    found.retain(|finding| finding.code() == Code::SignatureInvalid);
    assert_eq!(found.len(), 3, "the rotation and two records");
}

#[test]
fn a_mirror_that_knows_one_key_takes_the_states_of_both() {
    let keys = keys(2);
    let original = rotated(&keys[..1]);
    let [first, second] = [0, 1].map(|n| keys[n].public_key());
    let mirrors = [empty(), empty()];
    for mirror in &mirrors {
        import(mirror, &history_of(&original), &first);
    }
    let ahead = rotate(&original, keys[1].clone()).unwrap().0;
    for name in ["c", "d"] {
        ahead.put(&path(&format!("com.example.note/{name}")), &note("y")).unwrap();
    }
    let [one, other] = &mirrors;
    let imported = one.transfer().import_from(ahead.transfer(), Some(&second)).unwrap().imported;
    assert_eq!((imported.left_out, imported.earlier), (Vec::new(), 2));
    let imported = import(other, &history_of(&ahead), &second);
    assert_eq!((imported.left_out, imported.earlier), (Vec::new(), 2));
    let rotation = ahead.history().resolve(&"HEAD~2".parse().unwrap()).unwrap();
    let until = ahead.checkout(&rotation.into()).unwrap().commit().rev().unwrap();
    for mirror in mirrors {
        assert_eq!(commits(&mirror), commits(&ahead));
        assert_sound(&mirror);
        // The new key begins with the rotation, and not with the newest state.
        let ended = facts(&mirror, FactKind::EndedKey);
        assert!(
            matches!(&ended[..], [Fact::EndedKey { until: at, key }] if *at == until && key.is(&first)),
            "{ended:?}"
        );
        assert_eq!(mirror.public_key().unwrap().as_ref(), Some(&second));
        assert!(facts(&mirror, FactKind::NamedKey).is_empty());
    }
}

#[test]
fn a_repository_tells_its_keys_to_a_mirror() {
    let keys = keys(4);
    let first = rotated(&keys[..1]);
    let mirror = empty();
    import(&mirror, &history_of(&first), &keys[0].public_key());
    let mut ahead = first;
    for key in &keys[1..] {
        ahead = rotate(&ahead, key.clone()).unwrap().0;
        ahead.put(&path("com.example.note/more"), &note(&key.public_key().did_key())).unwrap();
    }
    let newest = keys[3].public_key();
    let imported = mirror.transfer().import_from(ahead.transfer(), Some(&newest)).unwrap().imported;
    assert_eq!((imported.left_out, imported.earlier), (Vec::new(), 5));
    assert_sound(&mirror);
    assert_eq!(facts(&mirror, FactKind::EndedKey), facts(&ahead, FactKind::EndedKey));
    assert!(facts(&mirror, FactKind::UnknownBefore).is_empty());
}

#[test]
fn a_stranger_among_states_of_known_keys_is_left_out() {
    let keys = keys(3);
    let original = rotated(&keys[..2]);
    let newest = keys[1].public_key();
    let commits = commits(&original);
    for (rev_of, is_kept) in [(0, true), (3, false), (4, false)] {
        let commit = original.checkout(&commits[rev_of].into()).unwrap().commit().clone();
        let later = Tid::next(0, 0, commit.rev()).unwrap();
        let (did, data) = (commit.did().clone(), commit.data());
        let forged = UnsignedCommit { did, data, rev: later, prev: None }.sign(&keys[2]).unwrap();
        let mut file = Vec::new();
        let mut car = CarWriter::new(&mut file, &[original.head().unwrap().unwrap()]).unwrap();
        let history = CarFile::open(Cursor::new(history_of(&original))).unwrap();
        for number in 0..history.len() {
            let cid = history.cid(number).unwrap().unwrap();
            car.block(history.get(&cid).unwrap().unwrap().borrowed()).unwrap();
        }
        car.block(forged.block().borrowed()).unwrap();
        car.finish().unwrap();
        let copy = empty();
        let imported = import(&copy, &file, &newest);
        let left_out = imported.left_out.iter().map(|left| (left.commit, left.reason.clone()));
        match &left_out.collect::<Vec<_>>()[..] {
            [] => assert!(is_kept),
            [(commit, Reason::Invalid(finding))] => {
                assert_eq!((is_kept, *commit), (false, forged.cid()));
                assert_eq!(finding.code(), Code::SignatureInvalid);
            }
            others => panic!("{others:?}"),
        }
        assert_sound(&copy);
    }
}
