//! Clocks that are wrong: what is refused, what is accepted on request, and the way back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use pds::clock::{ClockVerdict, NewestTime};
use pds::crypto::{Curve, SigningKey};
use pds::merge::commit::MergeOptions;
use pds::retain::forget::Forget;
use pds::store::{Event, Expect, Fact, FactKind, MemoryStore, RefName};
use pds::{Error, Expected, Repo, SignatureState, Write};

use super::{facts, in_memory, moves, note, path, refs};

const DAY: u64 = 24 * 60 * 60 * 1_000_000;

/// Returns the time some hours from now.
fn in_hours(hours: i64) -> u64 {
    now().checked_add_signed(hours * 60 * 60 * 1_000_000).unwrap()
}

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// Returns a repository with a note, the same with a clock that can be set, and the clock.
fn repo() -> (Repo, Repo, Arc<AtomicU64>) {
    let repo = in_memory();
    repo.put(&path("com.example.note/a"), &note("a")).unwrap();
    let clock = Arc::new(AtomicU64::new(now()));
    let read = clock.clone();
    let clocked = repo.clone().with_clock(move || read.load(Ordering::Relaxed));
    (repo, clocked, clock)
}

type Verb = fn(&Repo) -> pds::Result<()>;

/// The verbs that sign. Each of them changes something.
fn verbs() -> [(&'static str, Verb); 7] {
    [
        ("put", |repo| repo.put(&path("com.example.note/b"), &note("b")).map(drop)),
        ("delete", |repo| repo.delete(&path("com.example.note/a")).map(drop)),
        ("add", |repo| {
            repo.write(&[Write::add("com.example.note".parse().unwrap(), note("c"))]).map(drop)
        }),
        ("revert", |repo| repo.merge().revert(repo.head()?.unwrap()).map(drop)),
        ("rotate", |repo| {
            let next = SigningKey::generate(Curve::P256).unwrap();
            repo.keys().rotate(&next).map(drop)
        }),
        ("forget", |repo| {
            let what = Forget::Records(vec![path("com.example.note/a")]);
            repo.retain().forget(&what, &mut |_| {}).map(drop)
        }),
        ("merge", |repo| {
            let draft: RefName = "draft".parse().unwrap();
            let branch: pds::Revision = draft.clone().into();
            if repo.get_ref(&draft)?.is_none() {
                let right = repo.clone().with_clock(now);
                let head = repo.head()?.unwrap();
                right.history().set_ref(&draft, head, Expect::Absent, "")?;
                right.on(draft).put(&path("com.example.note/d"), &note("d"))?;
                right.put(&path("com.example.note/e"), &note("e"))?;
            }
            repo.merge().revision(&branch, &MergeOptions::default()).map(drop)
        }),
    ]
}

#[test]
fn every_verb_that_signs_refuses_a_clock_far_behind_or_far_ahead() {
    for (name, verb) in verbs() {
        for (shift, verdict) in [
            (-10 * 365, ClockVerdict::Behind),
            (-2, ClockVerdict::Behind),
            (401, ClockVerdict::Ahead),
            (3_650, ClockVerdict::Ahead),
        ] {
            let (_, repo, clock) = repo();
            clock.store(in_hours(24 * shift), Ordering::Relaxed);
            assert_eq!(repo.clock().unwrap().verdict(), verdict, "{name} {shift}");
            match verb(&repo) {
                Err(Error::Clock(reading)) => assert_eq!(reading.verdict(), verdict, "{name}"),
                other => panic!("{name} {shift}: {other:?}"),
            }
            let before = refs(&repo);
            assert!(verb(&repo).is_err() && refs(&repo) == before, "{name} {shift}");
            verb(&repo.clone().accepting_clock()).unwrap_or_else(|e| panic!("{name} {shift}: {e}"));
            assert_ne!(refs(&repo), before, "{name} {shift}");
        }
        for shift in [-12, 0, 399 * 24] {
            let (_, repo, clock) = repo();
            clock.store(in_hours(shift), Ordering::Relaxed);
            let verdict = if shift < 0 { ClockVerdict::Late } else { ClockVerdict::Plausible };
            assert_eq!(repo.clock().unwrap().verdict(), verdict, "{name} {shift}");
            verb(&repo).unwrap_or_else(|error| panic!("{name} {shift}: {error}"));
        }
    }
}

#[test]
fn a_write_that_changes_nothing_and_a_first_commit_need_no_clock() {
    let (_, repo, clock) = repo();
    clock.store(0, Ordering::Relaxed);
    repo.put(&path("com.example.note/a"), &note("a")).unwrap();
    assert!(repo.put(&path("com.example.note/a"), &note("b")).is_err());
    let other =
        Repo::with(Arc::new(MemoryStore::default()), Arc::new(pds::blob::MemoryBlobs::default()))
            .signing_with(SigningKey::generate(Curve::K256).unwrap())
            .with_clock(|| 1_000);
    other.init(&super::did()).unwrap();
    assert!(other.clock().unwrap().is_before_release());
}

#[test]
fn a_mirror_with_counters_as_revs_is_as_new_as_its_import() {
    let (repo, ..) = repo();
    let mut file = Vec::new();
    // An account that counts its commits, with a clock that shows the start of 1970.
    let counting =
        Repo::with(Arc::new(MemoryStore::default()), Arc::new(pds::blob::MemoryBlobs::default()));
    let key = SigningKey::generate(Curve::K256).unwrap();
    let counting = counting.signing_with(key.clone()).with_clock(|| 7).accepting_clock();
    counting.init(&super::did()).unwrap();
    counting.put(&path("com.example.note/a"), &note("a")).unwrap();
    counting.transfer().export(&"HEAD".parse().unwrap(), &mut file).unwrap();
    let mirror =
        Repo::with(Arc::new(MemoryStore::default()), Arc::new(pds::blob::MemoryBlobs::default()));
    mirror.transfer().import_file(std::io::Cursor::new(file), Some(&key.public_key())).unwrap();
    let reading = mirror.clock().unwrap();
    assert!(matches!(reading.newest, Some(NewestTime::Logged(at)) if now() - at < DAY));
    let mirror = mirror.signing_with(key);
    mirror.put(&path("com.example.note/b"), &note("b")).unwrap();
    assert!(repo.clock().unwrap().verdict() == ClockVerdict::Plausible);
}

/// A repository whose last commits were signed with a clock ten years ahead. The key was changed between them.
fn ahead() -> (Repo, Vec<pds::Cid>) {
    let (repo, clocked, clock) = repo();
    clock.store(now() + 3_650 * DAY, Ordering::Relaxed);
    let wrong = clocked.accepting_clock();
    wrong.put(&path("com.example.note/b"), &note("b")).unwrap();
    let next = SigningKey::generate(Curve::P256).unwrap();
    let (wrong, _) = super::rotate(&wrong, next.clone()).unwrap();
    wrong.put(&path("com.example.note/c"), &note("c")).unwrap();
    let draft: RefName = "draft".parse().unwrap();
    let head = wrong.head().unwrap().unwrap();
    wrong.history().set_ref(&draft, head, Expect::Absent, "").unwrap();
    let states = moves(&repo).iter().filter_map(|row| row.after).collect();
    // A new handle, as in another process: the clock of `repo` is right, and its caches are empty.
    let store = repo.store().clone();
    (Repo::with(store, repo.blobs().clone()).signing_with(next), states)
}

#[test]
fn states_with_revs_in_the_future_are_signed_again_with_a_rev_of_today() {
    let (repo, states) = ahead();
    let before = repo.snapshot().unwrap();
    let report = repo.verify().present(&Expected::default(), &mut |_| {}).unwrap();
    assert_eq!((report.is_ok(), report.signature), (false, SignatureState::Valid));
    let refused = repo.put(&path("com.example.note/d"), &note("d")).unwrap_err();
    assert!(
        matches!(refused, Error::Clock(_)) && refused.to_string().contains("3649 days before rev"),
        "{refused}"
    );
    let names: Vec<String> =
        repo.keys().future_refs().unwrap().iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["HEAD", "draft"]);

    let redated = repo.keys().redate().unwrap();
    assert_eq!(redated.len(), 2);
    assert_eq!(redated[0].commit.cid(), redated[1].commit.cid(), "the refs had one commit");
    let head = repo.snapshot().unwrap();
    let commit = head.commit();
    assert_eq!((commit.data(), commit.prev()), (before.commit().data(), None));
    assert!(commit.rev().unwrap().micros().abs_diff(now()) < DAY);
    assert_eq!(moves(&repo).last().unwrap().event, Event::Repair);

    // Every earlier state is stored, and verifies with the key of its time.
    for state in states {
        repo.checkout(&state.into()).unwrap();
    }
    let mut found = Vec::new();
    let report =
        repo.verify().history(&Expected::default(), &mut |finding| found.push(finding)).unwrap();
    assert!(report.is_ok(), "{found:?}");
    assert!(found.iter().any(|finding| finding.code() == pds::Code::RevInFuture));
    assert_eq!(report.signature, SignatureState::Valid);

    // Writes and key changes go on at the time of today.
    let written = repo.put(&path("com.example.note/d"), &note("d")).unwrap();
    assert!(written.commit.rev().unwrap().micros() < now() + DAY);
    let (repo, commit) = super::rotate(&repo, SigningKey::generate(Curve::K256).unwrap()).unwrap();
    assert!(commit.rev().unwrap().micros() < now() + DAY);
    assert!(repo.verify().history(&Expected::default(), &mut |_| {}).unwrap().is_ok());
    let ended = facts(&repo, FactKind::EndedKey);
    assert!(
        ended.iter().all(
            |fact| matches!(fact, Fact::EndedKey { until, .. } if until.micros() < now() + DAY)
        ),
        "{ended:?}"
    );
    assert!(repo.keys().redate().unwrap().is_empty());
}

#[test]
fn a_state_of_an_unknown_key_stays_unchecked_if_a_later_one_is_signed_again() {
    let (repo, clocked, clock) = repo();
    let early = repo.head().unwrap().unwrap();
    let store = Arc::new(MemoryStore::default());
    let mirror = Repo::with(store.clone(), repo.blobs().clone()).accepting_clock();
    let export = || {
        let mut file = Vec::new();
        repo.transfer().export(&pds::Revision::head(), &mut file).unwrap();
        std::io::Cursor::new(file)
    };
    mirror.transfer().import_file(export(), None).unwrap();
    clock.store(now() + 3_650 * DAY, Ordering::Relaxed);
    clocked.accepting_clock().put(&path("com.example.note/b"), &note("b")).unwrap();
    mirror.transfer().import_file(export(), None).unwrap();

    let key = SigningKey::generate(Curve::P256).unwrap();
    mirror.keys().remember(&key.public_key()).unwrap();
    mirror.signing_with(key).keys().redate().unwrap();
    let reader = Repo::with(store, repo.blobs().clone());
    let mut invalid = Vec::new();
    let found = &mut |finding: pds::Finding| {
        if finding.code() == pds::Code::SignatureInvalid {
            invalid.push(finding.cid);
        }
    };
    reader.verify().history(&Expected::default(), found).unwrap();
    assert!(!invalid.contains(&Some(early)), "{invalid:?}");
}

#[test]
fn a_clock_before_the_release_redates_nothing() {
    let (repo, _) = ahead();
    let head = repo.head().unwrap();
    let late = repo.clone().with_clock(|| 1_000_000_000_000_000);
    assert!(matches!(late.keys().redate(), Err(Error::Clock(_))));
    assert_eq!(repo.head().unwrap(), head);
    let mirror = Repo::with(repo.store().clone(), repo.blobs().clone());
    assert!(matches!(mirror.keys().redate(), Err(Error::NoSigner)));
}

#[test]
fn a_rev_in_the_future_is_imported_on_request() {
    let (repo, _) = ahead();
    let mut file = Vec::new();
    repo.transfer().export(&"HEAD".parse().unwrap(), &mut file).unwrap();
    let mirror = || {
        Repo::with(Arc::new(MemoryStore::default()), Arc::new(pds::blob::MemoryBlobs::default()))
    };
    let key = repo.public_key().unwrap();
    let import =
        |repo: &Repo| repo.transfer().import_file(std::io::Cursor::new(file.clone()), key.as_ref());
    match import(&mirror()) {
        Err(Error::Refused(finding)) => {
            let message = &finding.message;
            assert!(
                message.contains("is from 20")
                    && message.contains("clock of this machine shows 20"),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
    let accepting = mirror().accepting_clock();
    let imported = import(&accepting).unwrap();
    assert_eq!(imported.findings.len(), 1);
    assert_eq!(accepting.head().unwrap(), repo.head().unwrap());
}

#[test]
fn a_rev_is_compared_with_the_time_that_is_given() {
    let repo = in_memory();
    repo.put(&path("com.example.note/a"), &note("a")).unwrap();
    for (now_micros, errors) in [(None, 0), (Some(now()), 0), (Some(now() - DAY), 1)] {
        let expected = Expected::default().now_micros(now_micros);
        let report = repo.verify().present(&expected, &mut |_| {}).unwrap();
        assert_eq!(report.errors, errors, "{now_micros:?}");
    }
}
