//! Merges of two lines of commits, and reverts of commits.

use std::io::Cursor;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::car::CarFile;
use pds::crypto::{Curve, SigningKey};
use pds::data::Cid;
use pds::merge::commit::{MergeBase, MergeKind, MergeOptions};
use pds::store::{Event, Expect, MemoryStore, RefName};
use pds::transfer::export::{ExportOptions, export_with};
use pds::{Error, Repo, Resolution, Side, Versions};

use super::{block_count, did, in_memory, note, path};

pub(super) fn name(text: &str) -> RefName {
    text.parse().unwrap()
}

/// Makes a branch at HEAD.
pub(super) fn branch(repo: &Repo, text: &str) -> Repo {
    repo.history()
        .set_ref(&name(text), repo.head().unwrap().unwrap(), Expect::Any, "branch")
        .unwrap();
    repo.on(name(text))
}

pub(super) fn put(repo: &Repo, rkey: &str, text: &str) -> Cid {
    repo.put(&path(&format!("com.example.note/{rkey}")), &note(text)).unwrap().commit.cid()
}

pub(super) fn delete(repo: &Repo, rkey: &str) -> Cid {
    repo.delete(&path(&format!("com.example.note/{rkey}"))).unwrap().commit.cid()
}

/// Returns every record as `rkey=text`.
pub(super) fn content(repo: &Repo) -> Vec<String> {
    let snapshot = repo.snapshot().unwrap();
    let text = |entry: pds::RecordEntry| {
        let value = snapshot.find(&entry.path).unwrap().unwrap().value().unwrap();
        format!("{}={}", entry.path.rkey, value.get("text").unwrap().as_text().unwrap())
    };
    snapshot.records().map(|entry| text(entry.unwrap())).collect()
}

pub(super) fn merge(repo: &Repo, from: &str) -> Result<pds::merge::commit::Merged, Error> {
    repo.merge().revision(&from.parse().unwrap(), &MergeOptions::default())
}

fn rest(side: Side) -> MergeOptions {
    let resolution = Resolution::default().rest(Some(side));
    MergeOptions::default().resolution(resolution)
}

pub(super) fn conflicts(error: Error) -> Vec<Versions> {
    match error {
        Error::Conflicts(conflicts) => conflicts.changes.conflicts,
        other => panic!("{other:?}"),
    }
}

pub(super) fn car(repo: &Repo, chain: bool) -> CarFile<Cursor<Vec<u8>>> {
    let mut file = Vec::new();
    let options = ExportOptions::default().chain(chain);
    export_with(&repo.snapshot().unwrap(), &options, &mut file, &mut |_| {}).unwrap();
    CarFile::open(Cursor::new(file)).unwrap()
}

/// Returns another device of the same account, with the export of this repository and its key.
pub(super) fn device(of: &Repo, key: &SigningKey) -> Repo {
    let repo = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(key.clone());
    repo.transfer().import(&car(of, false), None).unwrap();
    repo
}

#[test]
fn two_branches_become_one_by_a_signed_commit() {
    let repo = in_memory();
    put(&repo, "a", "1");
    put(&repo, "b", "1");
    put(&repo, "c", "1");
    let side = branch(&repo, "side");
    put(&side, "a", "side");
    delete(&side, "b");
    put(&side, "same", "x");
    let theirs = put(&side, "new", "side");
    put(&repo, "c", "here");
    put(&repo, "same", "x");
    let ours = put(&repo, "mine", "here");

    let merged = merge(&repo, "side").unwrap();
    assert_eq!(merged.how, MergeKind::Commit);
    assert_eq!(content(&repo), ["a=side", "c=here", "mine=here", "new=side", "same=x"]);
    assert_eq!(merged.changes.len(), 3, "{:?}", merged.changes);
    assert_eq!(
        (merged.commit.prev(), repo.head().unwrap()),
        (Some(ours), Some(merged.commit.cid()))
    );
    merged.commit.verify(&repo.public_key().unwrap().unwrap()).unwrap();
    let revs = [ours, theirs].map(|cid| repo.checkout(&cid.into()).unwrap().commit().rev());
    assert!(revs.iter().all(|rev| *rev < merged.commit.rev()));
    let event = Event::Merge { other: theirs, key: None };
    assert_eq!(repo.history().log(1).unwrap()[0].event, event);
    assert_eq!(content(&side), ["a=side", "c=1", "new=side", "same=x"], "the branch stays");
    repo.verify().present(&Default::default(), &mut |finding| panic!("{finding}")).unwrap();
}

#[test]
fn a_descendant_is_a_fast_forward_and_an_ancestor_is_nothing() {
    let repo = in_memory();
    put(&repo, "a", "1");
    let side = branch(&repo, "side");
    assert_eq!(merge(&repo, "side").unwrap().how, MergeKind::Nothing);
    // The result does not depend on the named base.
    for base in [
        MergeBase::Empty,
        MergeBase::Commit(repo.history().resolve(&"HEAD~1".parse().unwrap()).unwrap()),
    ] {
        let options = MergeOptions::default().base(Some(base));
        assert_eq!(
            repo.merge().revision(&"side".parse().unwrap(), &options).unwrap().how,
            MergeKind::Nothing
        );
    }
    let ahead = put(&side, "b", "1");
    let moves = repo.history().log(99).unwrap().len();
    let merged = merge(&repo, "side").unwrap();
    assert_eq!(
        (merged.how, merged.commit.cid(), merged.new_blocks),
        (MergeKind::FastForward, ahead, 0)
    );
    assert_eq!(merged.changes.len(), 1);
    assert_eq!(
        (repo.head().unwrap(), repo.history().log(99).unwrap().len()),
        (Some(ahead), moves + 1)
    );
    put(&repo, "c", "1");
    assert_eq!(merge(&repo, "side").unwrap().how, MergeKind::Nothing);
    assert_eq!(repo.history().log(99).unwrap().len(), moves + 2);
}

#[test]
fn a_conflict_is_listed_and_nothing_is_written() {
    let repo = in_memory();
    for rkey in ["both", "deleted-here", "deleted-there", "fine"] {
        put(&repo, rkey, "base");
    }
    let base = repo.snapshot().unwrap();
    let side = branch(&repo, "side");
    put(&side, "both", "theirs");
    put(&side, "deleted-here", "theirs");
    delete(&side, "deleted-there");
    put(&side, "fine", "theirs");
    put(&side, "added", "theirs");
    put(&repo, "both", "ours");
    delete(&repo, "deleted-here");
    put(&repo, "deleted-there", "ours");
    put(&repo, "added", "ours");
    let (head, moves) = (repo.head().unwrap(), repo.history().log(99).unwrap());
    let blocks = block_count(&repo);

    let found = conflicts(merge(&repo, "side").unwrap_err());
    let (ours, theirs) = (repo.snapshot().unwrap(), side.snapshot().unwrap());
    let rkeys: Vec<&str> = found.iter().map(|record| record.path.rkey.as_str()).collect();
    assert_eq!(rkeys, ["added", "both", "deleted-here", "deleted-there"]);
    for Versions { path, base: b, ours: o, theirs: t } in &found {
        let stands = [&base, &ours, &theirs].map(|state| state.find_cid(path).unwrap());
        assert_eq!([*b, *o, *t], stands, "{path}");
    }
    assert_eq!((repo.head().unwrap(), repo.history().log(99).unwrap()), (head, moves));
    assert_eq!(block_count(&repo), blocks);

    let by_side = |side| {
        let trial = branch(&repo, "trial");
        trial.merge().revision(&"side".parse().unwrap(), &rest(side)).unwrap();
        content(&trial)
    };
    let ours = ["added=ours", "both=ours", "deleted-there=ours", "fine=theirs"];
    assert_eq!(by_side(Side::Ours), ours);
    let theirs = ["added=theirs", "both=theirs", "deleted-here=theirs", "fine=theirs"];
    assert_eq!(by_side(Side::Theirs), theirs);

    let both = path("com.example.note/both");
    let resolution =
        Resolution::default().paths([(both, Side::Theirs)].into()).rest(Some(Side::Ours));
    let options = MergeOptions::default().resolution(resolution);
    repo.merge().revision(&"side".parse().unwrap(), &options).unwrap();
    assert_eq!(content(&repo), ["added=ours", "both=theirs", "deleted-there=ours", "fine=theirs"]);
    // A decision stays in force, even if it changed nothing.
    assert_eq!(merge(&repo, "side").unwrap().how, MergeKind::Nothing);
    put(&side, "later", "theirs");
    assert_eq!(merge(&repo, "side").unwrap().changes.len(), 1);
}

#[test]
fn a_second_merge_starts_from_the_first_in_both_directions() {
    let repo = in_memory();
    put(&repo, "a", "1");
    let side = branch(&repo, "side");
    put(&side, "a", "2");
    put(&repo, "b", "1");
    merge(&repo, "side").unwrap();
    // Both sides have a=2 now, and one of them changes it again.
    put(&repo, "a", "3");
    put(&side, "c", "1");
    merge(&repo, "side").unwrap();
    assert_eq!(content(&repo), ["a=3", "b=1", "c=1"]);
    put(&side, "d", "1");
    let merged = merge(&side, "HEAD").unwrap();
    assert_eq!(
        (merged.how, content(&side)),
        (
            MergeKind::Commit,
            vec!["a=3".to_owned(), "b=1".to_owned(), "c=1".to_owned(), "d=1".to_owned()]
        )
    );
    assert_eq!(merge(&repo, "side").unwrap().how, MergeKind::FastForward);
}

#[test]
fn lines_that_have_nothing_in_common_are_merged_only_from_nothing() {
    let (key, repo) = (SigningKey::generate(Curve::P256).unwrap(), in_memory());
    put(&repo, "a", "1");
    let other = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(key);
    other.init(&did()).unwrap();
    put(&other, "b", "1");
    let car = car(&other, true);
    let key = other.public_key().unwrap();
    let options = MergeOptions::default().key(key);
    let refused = repo.merge().car(&car, &options).unwrap_err();
    assert!(matches!(refused, Error::Unrelated { .. }), "{refused}");
    let options = options.base(Some(MergeBase::Empty));
    assert_eq!(repo.merge().car(&car, &options).unwrap().how, MergeKind::Commit);
    assert_eq!(content(&repo), ["a=1", "b=1"]);
}

#[test]
fn two_devices_that_were_apart_come_together_by_files() {
    let key = SigningKey::generate(Curve::K256).unwrap();
    let laptop = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(key.clone());
    laptop.init(&did()).unwrap();
    put(&laptop, "a", "1");
    let phone = device(&laptop, &key);
    for n in 0..3 {
        put(&laptop, "a", &format!("laptop {n}"));
        put(&phone, "b", &format!("phone {n}"));
    }
    // Without the commits between them, their common ancestor is unknown.
    let blocks = block_count(&laptop);
    let refused = laptop.merge().car(&car(&phone, false), &MergeOptions::default()).unwrap_err();
    assert!(matches!(refused, Error::Unrelated { .. }), "{refused}");
    assert_eq!(block_count(&laptop), blocks);

    let merged = laptop.merge().car(&car(&phone, true), &MergeOptions::default()).unwrap();
    assert_eq!(merged.how, MergeKind::Commit);
    assert_eq!(block_count(&laptop), blocks + merged.new_blocks);
    // The commits in between are not kept, because their trees were not imported.
    for back in ["HEAD~1", "HEAD~2"] {
        let between = phone.history().resolve(&back.parse().unwrap()).unwrap();
        assert!(laptop.store().get(&between).unwrap().is_none(), "{back}");
    }
    let refs = laptop.history().refs().unwrap();
    let kept = refs.iter().find(|(name, _)| name.as_str() == "merged").unwrap();
    assert_eq!(kept.1, phone.head().unwrap().unwrap());

    let back = phone.merge().car(&car(&laptop, true), &MergeOptions::default()).unwrap();
    // The laptop has all commits of the phone, so both move to the same commit.
    assert_eq!((back.how, phone.head().unwrap()), (MergeKind::FastForward, laptop.head().unwrap()));
    assert_eq!(content(&phone), ["a=laptop 2", "b=phone 2"]);
    assert_eq!(content(&laptop), content(&phone));
    // A second merge starts from the commit at which they met.
    put(&phone, "a", "phone again");
    let merged = laptop.merge().car(&car(&phone, true), &MergeOptions::default()).unwrap();
    assert_eq!(merged.how, MergeKind::FastForward);
    assert_eq!(content(&laptop), ["a=phone again", "b=phone 2"]);
    for repo in [&laptop, &phone] {
        repo.verify().present(&Default::default(), &mut |finding| panic!("{finding}")).unwrap();
    }
}

#[test]
fn the_file_of_another_account_or_key_is_refused() {
    let repo = in_memory();
    let of = |did: &str| {
        let other = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
            .signing_with(SigningKey::generate(Curve::K256).unwrap());
        other.init(&did.parse().unwrap()).unwrap();
        other
    };
    let other = of("did:web:bob.example.com");
    let key = other.public_key().unwrap();
    let options = MergeOptions::default().key(key).base(Some(MergeBase::Empty));
    for options in [MergeOptions::default(), options] {
        let refused = repo.merge().car(&car(&other, true), &options).unwrap_err();
        assert!(matches!(refused, Error::WrongDid { .. }), "{refused}");
    }
    let forged = car(&of(did().as_str()), true);
    let refused = repo.merge().car(&forged, &MergeOptions::default()).unwrap_err();
    assert!(matches!(refused, Error::Refused(_)), "{refused}");
    assert_eq!(block_count(&repo), 2);
}

#[test]
fn an_imported_commit_is_an_ancestor_by_the_log() {
    // The commits of a server name no parent. A mirror that makes commits finds the ancestors in the log.
    let server = in_memory();
    put(&server, "a", "1");
    let mirror = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()))
        .signing_with(SigningKey::generate(Curve::K256).unwrap());
    let foreign = |repo: &Repo, key: &SigningKey| {
        let mut commit = repo.draft(&[]).unwrap().commit().clone();
        commit.prev = None;
        let commit = commit.sign(key).unwrap();
        let mut file = Vec::new();
        let mut car = pds::car::CarWriter::new(&mut file, &[commit.cid()]).unwrap();
        car.block(commit.block().borrowed()).unwrap();
        for block in pds::mst::nodes(repo.store().as_ref(), commit.data()) {
            car.block(block.unwrap().borrowed()).unwrap();
        }
        for entry in repo.snapshot().unwrap().records() {
            let record = repo.find(&entry.unwrap().path).unwrap().unwrap();
            car.block(record.block.borrowed()).unwrap();
        }
        car.finish().unwrap();
        CarFile::open(Cursor::new(file)).unwrap()
    };
    let key = SigningKey::generate(Curve::P256).unwrap();
    mirror.transfer().import(&foreign(&server, &key), None).unwrap();
    let side = branch(&mirror, "side");
    put(&side, "b", "mine");
    put(&server, "c", "server");
    mirror.transfer().import(&foreign(&server, &key), None).unwrap();
    assert_eq!(mirror.snapshot().unwrap().commit().prev(), None);
    let merged = merge(&side, "HEAD").unwrap();
    assert_eq!(merged.how, MergeKind::Commit);
    assert_eq!(content(&side), ["a=1", "b=mine", "c=server"]);

    // An import over a local commit does not contain that commit, although it came later.
    put(&mirror, "d", "mine");
    put(&server, "e", "server");
    mirror.transfer().allow_loss(true).import(&foreign(&server, &key), None).unwrap();
    assert_eq!(content(&mirror), ["a=1", "c=server", "e=server"]);
    let merged = merge(&mirror, "@{1}").unwrap();
    assert_eq!((merged.how, merged.changes.len()), (MergeKind::Commit, 1));
    assert_eq!(content(&mirror), ["a=1", "c=server", "d=mine", "e=server"]);
}
