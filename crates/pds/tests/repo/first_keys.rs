//! The first key that a mirror learns: commits that it did not sign stay unchecked.

use std::io::Cursor;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::store::{Expect, Fact, FactKind, MemoryStore, RefName};
use pds::{Expected, Repo, SignatureState};

use super::{did, facts, note, path};

/// An account that has signed one state with each of its keys, and the exports of the states.
struct Account {
    keys: Vec<SigningKey>,
    exports: Vec<Vec<u8>>,
}

impl Account {
    fn new() -> Self {
        let keys: Vec<SigningKey> = [Curve::K256, Curve::P256, Curve::K256]
            .map(|c| SigningKey::generate(c).unwrap())
            .into();
        let mut repo = empty().signing_with(keys[0].clone());
        repo.init(&did()).unwrap();
        let mut exports = Vec::new();
        for (n, key) in keys.iter().enumerate() {
            if n > 0 {
                repo = super::rotate(&repo, key.clone()).unwrap().0;
            }
            repo.put(&path(&format!("com.example.note/n{n}")), &note("x")).unwrap();
            let mut file = Vec::new();
            repo.transfer().export(&"HEAD".parse().unwrap(), &mut file).unwrap();
            exports.push(file);
        }
        Self { keys, exports }
    }

    /// A mirror without a known key, that has imported some states.
    fn mirror(&self, states: &[usize]) -> Repo {
        let mirror = empty();
        for state in states {
            import(&mirror, &self.exports[*state], None);
        }
        mirror
    }
}

fn empty() -> Repo {
    Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
}

fn import(repo: &Repo, file: &[u8], key: Option<&SigningKey>) {
    let key = key.map(SigningKey::public_key);
    repo.transfer().import_file(Cursor::new(file), key.as_ref()).unwrap();
}

/// The signature of the present state; the history has no error.
fn signature(repo: &Repo) -> SignatureState {
    let expected = Expected::default();
    let report = repo.verify().history(&expected, &mut |_| {}).unwrap();
    assert!(report.is_ok());
    let present = repo.verify().present(&expected, &mut |_| {}).unwrap();
    assert_eq!(present.signature, report.signature);
    present.signature
}

#[test]
fn every_key_that_a_mirror_learns_leaves_other_commits_unchecked() {
    let account = Account::new();
    for states in [&[0][..], &[0, 1], &[0, 1, 2], &[1, 2], &[0, 2]] {
        for (n, key) in account.keys.iter().enumerate() {
            let mirror = account.mirror(states);
            assert_eq!(signature(&mirror), SignatureState::Unchecked);
            mirror.keys().remember(&key.public_key()).unwrap();
            let is_of_head = states.last() == Some(&n);
            let expected =
                if is_of_head { SignatureState::Valid } else { SignatureState::Unchecked };
            assert_eq!(signature(&mirror), expected, "{states:?} {n}");
            let has_others = states.iter().any(|state| *state != n);
            assert_eq!(facts(&mirror, FactKind::UnknownBefore).len(), usize::from(has_others));

            // The key signs what follows.
            let mirror = mirror.signing_with(key.clone());
            mirror.put(&path("com.example.note/own"), &note("x")).unwrap();
            assert_eq!(signature(&mirror), SignatureState::Valid, "{states:?} {n}");
            let (mirror, _) =
                super::rotate(&mirror, SigningKey::generate(Curve::P256).unwrap()).unwrap();
            assert_eq!(signature(&mirror), SignatureState::Valid, "{states:?} {n}");
        }
    }
}

#[test]
fn a_key_that_is_given_with_a_file_leaves_older_states_unchecked() {
    let account = Account::new();
    let mirror = account.mirror(&[0]);
    import(&mirror, &account.exports[1], Some(&account.keys[1]));
    assert_eq!(signature(&mirror), SignatureState::Valid);
    import(&mirror, &account.exports[2], Some(&account.keys[2]));
    assert_eq!(signature(&mirror), SignatureState::Valid);
    // An old state that is given its key later is checked with it.
    let old: RefName = "old".parse().unwrap();
    import(&mirror.on(old.clone()), &account.exports[0], Some(&account.keys[0]));
    assert_eq!(signature(&mirror), SignatureState::Valid);
    let named = facts(&mirror, FactKind::NamedKey);
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!(mirror.public_key().unwrap(), Some(account.keys[2].public_key()));
}

#[test]
fn a_present_state_that_is_older_than_another_ref_is_checked() {
    let account = Account::new();
    let mirror = account.mirror(&[0]);
    let other = account.mirror(&[1]);
    let newer: RefName = "newer".parse().unwrap();
    import(&mirror.on(newer.clone()), &account.exports[1], None);
    mirror.keys().remember(&account.keys[0].public_key()).unwrap();
    assert_eq!(signature(&mirror), SignatureState::Valid);
    assert_eq!(signature(&mirror.on(newer)), SignatureState::Unchecked);
    assert!(matches!(facts(&mirror, FactKind::NamedKey)[..], [Fact::NamedKey { .. }]));
    // A key for a repository without commits is the key of all.
    let none = empty();
    none.keys().remember(&account.keys[0].public_key()).unwrap();
    assert!(facts(&none, FactKind::UnknownBefore).is_empty());
    let head = other.head().unwrap().unwrap();
    other.history().set_ref(&"same".parse().unwrap(), head, Expect::Absent, "").unwrap();
    other.keys().remember(&account.keys[1].public_key()).unwrap();
    assert_eq!(signature(&other), SignatureState::Valid);
}
