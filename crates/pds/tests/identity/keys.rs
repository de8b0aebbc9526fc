//! Signatures, verified at the times that their commits claim.

use pds::crypto::Signer;
use pds::identity::{KeyError, KeyHistory, PlcLog};
use pds::syntax::Tid;

use super::keys;
use super::plc::{Directory, HOUR, START, tombstone, update};

const MINUTE: u64 = HOUR / 60;

fn rev(micros: u64) -> Option<Tid> {
    Some(Tid::new(micros, 0).unwrap())
}

#[test]
fn a_signature_is_good_in_the_time_of_its_key_and_five_minutes_around_it() {
    let [rotation, old, new, stranger] = keys();
    let mut log = Directory::default();
    let first = log.take(update(&[&rotation], &old, None), &rotation, START);
    let next = update(&[&rotation], &new, Some(first));
    let second = log.take(next, &rotation, START + HOUR);
    log.take(tombstone(second), &rotation, START + 2 * HOUR);
    let history = PlcLog::parse(&log.json()).unwrap().key_history();

    let end = START + 2 * HOUR;
    for (key, from, until) in [(&old, START, START + HOUR), (&new, START + HOUR, end)] {
        let signature = key.sign(b"commit").unwrap();
        for (micros, is_good) in [
            // A rev from before the account says nothing about keys.
            (from - 5 * MINUTE - 1, from == START),
            (from - 5 * MINUTE, true),
            (from, true),
            (until - 1, true),
            (until + 5 * MINUTE - 1, true),
            (until + 5 * MINUTE, false),
            (START + 10_000 * HOUR, false),
        ] {
            match history.verify(rev(micros), b"commit", &signature) {
                Ok(period) => {
                    assert!(is_good, "{micros}");
                    assert_eq!((&period.key, period.from_micros), (&Some(key.public_key()), from));
                }
                Err(KeyError::AnotherTime { key: found, .. }) => {
                    assert!(!is_good, "{micros}");
                    assert_eq!(*found, key.public_key());
                }
                Err(error) => panic!("{micros}: {error}"),
            }
        }
        let other = history.verify(rev(from), b"other", &signature).unwrap_err();
        assert!(matches!(other, KeyError::Invalid { .. }), "{other}");
        let timeless = history.verify(None, b"commit", &signature).unwrap_err();
        assert!(matches!(timeless, KeyError::AnotherTime { .. }), "{timeless}");
    }
    let forged = stranger.sign(b"commit").unwrap();
    for (micros, has_key) in [(START - HOUR, true), (START + HOUR, true), (end + HOUR, false)] {
        match history.verify(rev(micros), b"commit", &forged).unwrap_err() {
            KeyError::NoKey { .. } => assert!(!has_key),
            KeyError::Invalid { .. } => assert!(has_key),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_rev_that_counts_commits_says_nothing_about_keys() {
    let [rotation, old, new, stranger] = keys();
    let mut log = Directory::default();
    let first = log.take(update(&[&rotation], &old, None), &rotation, START);
    let second = log.take(update(&[&rotation], &new, Some(first)), &rotation, START + HOUR);
    log.take(tombstone(second), &rotation, START + 2 * HOUR);
    let history = PlcLog::parse(&log.json()).unwrap().key_history();
    let counter: Tid = "222222vgj7e22".parse().unwrap();
    assert_eq!([counter, rev(START).unwrap()].map(|r| history.time_of(r)), [None, Some(START)]);
    for key in [&old, &new] {
        let signature = key.sign(b"commit").unwrap();
        for rev in [counter, rev(0).unwrap(), rev(START - 5 * MINUTE - 1).unwrap()] {
            let period = history.verify(Some(rev), b"commit", &signature).unwrap();
            assert_eq!(period.key, Some(key.public_key()));
            // Both keys have ended, so the rev does not show that the commit is from their time.
            assert!(history.may_be_later(Some(rev), period));
        }
    }
    let signature = old.sign(b"commit").unwrap();
    let period = history.verify(rev(START), b"commit", &signature).unwrap();
    assert!(!history.may_be_later(rev(START), period));
    let forged = stranger.sign(b"commit").unwrap();
    let refused = history.verify(Some(counter), b"commit", &forged).unwrap_err();
    assert_eq!(refused.to_string(), format!("not signed with {}", new.public_key()));
    // A single key is valid at all times, but a counter is no time.
    let alone = KeyHistory::from(old.public_key());
    let period = alone.verify(Some(counter), b"commit", &signature).unwrap();
    assert_eq!((alone.time_of(counter), alone.may_be_later(Some(counter), period)), (None, false));
    assert_eq!(alone.time_of(rev(START).unwrap()), Some(START));
}

#[test]
fn a_log_that_ends_before_the_commit_is_named_as_the_reason() {
    let [rotation, old, new] = keys();
    let mut log = Directory::default();
    log.take(update(&[&rotation], &old, None), &rotation, START);
    let history = PlcLog::parse(&log.json()).unwrap().key_history();
    let signature = new.sign(b"commit").unwrap();
    let refused =
        |micros| history.verify(rev(micros), b"commit", &signature).unwrap_err().to_string();
    let old = old.public_key();
    assert_eq!(refused(START), format!("not signed with {old}"));
    assert_eq!(
        refused(START + HOUR),
        format!(
            "not signed with {old}; the log ends 2024-01-01T00:00:00Z, before the commit (2024-01-01T01:00:00Z), \
             so a newer log may have the key"
        )
    );
    // A document and a single key have no time.
    let alone = KeyHistory::from(old.clone());
    let refused = alone.verify(rev(START + HOUR), b"commit", &signature).unwrap_err();
    assert_eq!(refused.to_string(), format!("not signed with {old}"));
}

#[test]
fn a_key_alone_is_good_for_all_times() {
    let [key, _] = keys();
    let history = KeyHistory::from(key.public_key());
    assert_eq!(history.did(), None);
    let signature = key.sign(b"commit").unwrap();
    for rev in [None, rev(0), rev(START), Some(Tid::from_u64(u64::MAX))] {
        history.verify(rev, b"commit", &signature).unwrap();
    }
}
