//! The import of one commit from blocks in any place.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pds::blob::MemoryBlobs;
use pds::commit::{Commit, UnsignedCommit};
use pds::crypto::{Curve, SigningKey};
use pds::data::{Block, Blocks, Cid, MemoryBlocks, Overlay, ReadError};
use pds::identity::KeyHistory;
use pds::store::MemoryStore;
use pds::syntax::{Did, Tid};
use pds::{Code, Error, Expected, Repo, Write};

use super::slice_checks::assert_complete;
use super::watched::{Watch, Watched};
use super::{actions, did, in_memory, note, path, version};

/// Blocks that count how many of them are asked for, and that lack one.
struct Counted {
    blocks: Arc<dyn Blocks>,
    asked: AtomicU64,
    lost: Option<Cid>,
}

impl Counted {
    fn of(repo: &Repo) -> Self {
        Self { blocks: repo.store().clone(), asked: AtomicU64::new(0), lost: None }
    }

    fn without(self, lost: Cid) -> Self {
        Self { lost: Some(lost), ..self }
    }
}

impl Blocks for Counted {
    fn get(&self, cid: &Cid) -> Result<Option<Block>, ReadError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.lost == Some(*cid) { Ok(None) } else { self.blocks.get(cid) }
    }

    fn get_many(&self, cids: &[Cid]) -> Vec<Result<Option<Block>, ReadError>> {
        cids.iter().map(|cid| self.get(cid)).collect()
    }
}

/// Counts the blocks that are read.
#[derive(Default)]
struct Reads(AtomicU64);

impl Watch for Reads {
    fn blocks(&self, cids: &[Cid]) {
        self.0.fetch_add(cids.len() as u64, Ordering::Relaxed);
    }
}

fn mirror() -> Repo {
    Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
}

/// Returns a repository with records.
fn account(records: usize) -> Repo {
    let repo = in_memory();
    let one =
        |n: usize| Write::put(path(&format!("com.example.note/{n:06}")), note(&n.to_string()));
    repo.write(&(0..records).map(one).collect::<Vec<_>>()).unwrap();
    repo
}

fn head(repo: &Repo) -> Commit {
    repo.snapshot().unwrap().commit().clone()
}

fn file(repo: &Repo) -> Vec<u8> {
    let mut bytes = Vec::new();
    repo.transfer().export(&"HEAD".parse().unwrap(), &mut bytes).unwrap();
    bytes
}

fn admit(
    mirror: &Repo,
    from: &Repo,
    expected: &Expected<'_>,
) -> pds::Result<pds::transfer::import::Imported> {
    mirror.transfer().admit(from.store().as_ref(), from.head().unwrap().unwrap(), expected)
}

/// Signs the tree of a state again, with another rev, account or key.
fn signed(at: &Commit, rev: u64, did: Did, key: &SigningKey) -> Commit {
    let rev = Tid::new(at.rev().unwrap().micros() + rev, 1).unwrap();
    UnsignedCommit { did, data: at.data(), rev, prev: None }.sign(key).unwrap()
}

#[test]
fn the_state_is_that_of_an_import_and_the_reads_are_those_of_the_changes() {
    let reads = |records: usize| {
        let repo = account(records);
        let store = Arc::new(Watched::<Reads>::default());
        let mirror = Repo::with(store.clone(), Arc::new(MemoryBlobs::default()));
        let first = admit(&mirror, &repo, &Expected::default()).unwrap();
        assert_eq!(first.records, records as u64);
        repo.put(&path("com.example.note/000007"), &note("changed")).unwrap();
        repo.delete(&path("com.example.note/000008")).unwrap();
        repo.put(&path("com.example.other/a"), &note("new")).unwrap();
        store.watch.0.store(0, Ordering::Relaxed);
        let from = Counted::of(&repo);
        let expected = Expected::default();
        let next = mirror.transfer().admit(&from, head(&repo).cid(), &expected).unwrap();
        let read = [from.asked.into_inner(), store.watch.0.load(Ordering::Relaxed)];
        assert_eq!((next.records, next.before.unwrap().cid()), (2, first.commit.cid()));
        assert!(file(&mirror) == file(&repo));
        assert_complete(&mirror);
        read
    };
    for (small, large) in reads(200).into_iter().zip(reads(5_000)) {
        assert!(large <= small + 30 && large < 60, "{small} {large}");
    }
}

#[test]
fn a_present_state_is_not_read_again_and_its_key_is_recorded() {
    let (repo, mirror) = (account(500), mirror());
    admit(&mirror, &repo, &Expected::default()).unwrap();
    let (key, from, before) = (repo.public_key().unwrap(), Counted::of(&repo), version(&mirror));
    let expected = Expected::default().key(key.as_ref());
    let again = mirror.transfer().admit(&from, head(&repo).cid(), &expected).unwrap();
    assert_eq!((again.new_blocks, again.records, from.asked.into_inner()), (0, 0, 1));
    assert_eq!(mirror.keys().of(&head(&repo)).unwrap(), key);
    assert_eq!(version(&mirror).sweep, before.sweep);
}

#[test]
fn what_an_import_refuses_is_refused() {
    let (repo, mirror) = (account(50), mirror());
    let key = repo.public_key().unwrap();
    let expected = Expected::default().key(key.as_ref());
    admit(&mirror, &repo, &expected).unwrap();
    let (present, seen) = (head(&repo), version(&mirror));
    repo.put(&path("com.example.note/000007"), &note("changed")).unwrap();
    let (at, other) = (repo.snapshot().unwrap(), SigningKey::generate(Curve::K256).unwrap());

    let record = at.find_cid(&path("com.example.note/000007")).unwrap().unwrap();
    let from = Counted::of(&repo).without(record);
    match mirror.transfer().admit(&from, at.commit().cid(), &expected).unwrap_err() {
        Error::Refused(finding) => {
            assert_eq!((finding.code(), finding.cid), (Code::RecordMissing, Some(record)));
        }
        error => panic!("{error}"),
    }
    let from = Counted::of(&repo).without(at.commit().data());
    let partial = expected.partial(true);
    match mirror.transfer().admit(&from, at.commit().cid(), &partial).unwrap_err() {
        Error::Refused(finding) => assert_eq!(finding.code(), Code::NodeMissing),
        error => panic!("{error}"),
    }
    let try_one = |commit: Commit, expected: &Expected<'_>| {
        let over: MemoryBlocks = [commit.block().clone()].into_iter().collect();
        let both = Overlay { over: &over, under: repo.store().as_ref() };
        mirror.transfer().admit(&both, commit.cid(), expected).unwrap_err()
    };
    let forged = try_one(signed(at.commit(), 1, did(), &other), &expected);
    assert!(matches!(&forged, Error::Refused(f) if f.code() == Code::SignatureInvalid), "{forged}");
    // A wrong signature is the reason, although the commit is older as well.
    let keys = KeyHistory::from(key.clone().unwrap());
    let older = UnsignedCommit {
        did: did(),
        data: at.commit().data(),
        rev: Tid::new(1, 1).unwrap(),
        prev: None,
    };
    let older = older.sign(&other).unwrap();
    for expected in [expected, Expected::default().keys(&keys)] {
        let forged = try_one(older.clone(), &expected);
        assert!(matches!(forged, Error::Refused(_)), "{forged}");
    }
    let older = try_one(older, &Expected::default());
    assert!(matches!(older, Error::Older { .. }), "{older}");
    let same_rev = try_one(signed(&present, 0, did(), &other), &Expected::default());
    assert!(matches!(same_rev, Error::Older { .. } | Error::SameRev { .. }), "{same_rev}");
    let elsewhere: Did = "did:web:bob.example.com".parse().unwrap();
    let foreign = try_one(signed(at.commit(), 1, elsewhere.clone(), &other), &Expected::default());
    assert!(matches!(foreign, Error::WrongDid { .. }), "{foreign}");
    let unexpected = Expected::default().did(&elsewhere);
    let foreign = try_one(at.commit().clone(), &unexpected);
    assert!(matches!(foreign, Error::WrongDid { .. }), "{foreign}");
    let future = expected.now_micros(at.commit().rev().unwrap().micros() - 3_600_000_000);
    let future = try_one(at.commit().clone(), &future);
    assert!(matches!(&future, Error::Refused(f) if f.code() == Code::RevInFuture), "{future}");
    assert_eq!(version(&mirror), seen, "nothing has changed");
    admit(&mirror, &repo, &expected).unwrap();
}

#[test]
fn the_key_that_was_valid_at_the_time_is_recorded() {
    let (repo, mirror) = (account(5), mirror());
    let key = repo.public_key().unwrap().unwrap();
    let keys = KeyHistory::from(key.clone());
    admit(&mirror, &repo, &Expected::default().keys(&keys)).unwrap();
    assert_eq!(mirror.public_key().unwrap(), Some(key));
    let other = KeyHistory::from(SigningKey::generate(Curve::K256).unwrap().public_key());
    repo.put(&path("com.example.note/a"), &note("a")).unwrap();
    let refused = admit(&mirror, &repo, &Expected::default().keys(&other)).unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
    assert_eq!(actions(&mirror).len(), 1);
}
