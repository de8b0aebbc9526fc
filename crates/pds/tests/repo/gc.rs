//! Garbage collection: which blocks are deleted, which are kept, and which processes may run meanwhile.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pds::Expected;
use pds::blob::MemoryBlobs;
use pds::crypto::{Curve, SigningKey};
use pds::data::{BlobRef, Block, Cid, Codec, Value};
use pds::retain::forget::Forget;
use pds::retain::gc::{Keep, Swept};
use pds::store::{Change, Event, Expect, Fact, FactEdit, MemoryStore, RefName, Store};
use pds::{Error, Repo, Write, WriteOptions};

use super::{SetOnDrop, block_count, did, in_memory, lose, moves, note, path, set_facts, version};

/// Keeps some states, and blobs of any age only if a record refers to them.
pub(super) fn keep(states: usize) -> Keep {
    Keep::default().states(NonZeroUsize::new(states)).blob_age(Duration::ZERO)
}

pub(super) fn gc(repo: &Repo, keep: &Keep) -> Swept {
    let swept = repo.retain().gc(keep, &mut |_| {}).unwrap();
    assert!(swept.remains.is_none());
    swept
}

/// Checks that every state in the log can be read completely.
fn assert_whole(repo: &Repo) {
    for entry in moves(repo) {
        for commit in [entry.before, entry.after].into_iter().flatten() {
            let expected = Expected::default();
            let report = pds::verify::indexed::verify(
                repo.store().clone().as_ref(),
                commit,
                &expected,
                &mut |finding| panic!("{commit}: {finding}"),
            );
            assert!(report.unwrap().is_complete());
        }
    }
}

pub(super) fn with_states(count: usize) -> (Repo, Vec<Cid>) {
    let repo = in_memory();
    let mut commits = vec![repo.head().unwrap().unwrap()];
    for n in 1..count {
        let path = path(&format!("com.example.note/{}", n % 5));
        commits.push(repo.put(&path, &note(&n.to_string())).unwrap().commit.cid());
    }
    (repo, commits)
}

/// A record that refers to a blob.
pub(super) fn with_blob(blob: &BlobRef) -> Value {
    Value::from([("file", blob.to_value())])
}

#[test]
fn states_in_the_log_stay() {
    let (repo, commits) = with_states(30);
    repo.history().set_head(commits[3], Expect::Any, "reset").unwrap();
    let side: RefName = "side".parse().unwrap();
    repo.history().set_ref(&side, commits[20], Expect::Absent, "branch").unwrap();
    repo.history().remove_ref(&side).unwrap();
    let before = (block_count(&repo), moves(&repo));
    let swept = gc(&repo, &Keep::default());
    assert_eq!((swept.blocks, swept.states, swept.moves), (0, 0, 0));
    assert_eq!((block_count(&repo), moves(&repo)), before);
    assert_eq!(repo.history().forgotten().unwrap(), None);
}

#[test]
fn of_each_ref_as_many_states_stay_as_are_asked_for() {
    let (repo, commits) = with_states(30);
    let [kept, gone] = ["kept", "gone"].map(|name| name.parse::<RefName>().unwrap());
    repo.history().set_ref(&kept, commits[7], Expect::Absent, "branch").unwrap();
    repo.history().set_ref(&gone, commits[9], Expect::Absent, "branch").unwrap();
    repo.history().remove_ref(&gone).unwrap();
    let newest_gone = repo.checkout(&commits[26].into()).unwrap().commit().rev();
    let weighed = repo.retain().plan_gc(&keep(3), &mut |_| {}).unwrap().swept;
    let blocks = block_count(&repo);
    let swept = gc(&repo, &keep(3));
    assert_eq!((weighed.blocks, weighed.block_bytes), (swept.blocks, swept.block_bytes));
    assert_eq!((weighed.states, weighed.moves), (swept.states, swept.moves));
    // The kept states are HEAD at 27, 28 and 29, the target of the other ref, and that of the removed ref.
    assert_eq!(swept.states, 25);
    assert_eq!(block_count(&repo), blocks - swept.blocks);
    let log = repo.history().log(99).unwrap();
    let states: Vec<_> = log.iter().map(|entry| (entry.before, entry.after)).collect();
    assert_eq!(
        states,
        [
            (Some(commits[28]), Some(commits[29])),
            (Some(commits[27]), Some(commits[28])),
            (None, Some(commits[27])),
        ]
    );
    assert_eq!(repo.history().resolve(&"@{2}".parse().unwrap()).unwrap(), commits[27]);
    assert_eq!(repo.history().resolve(&"HEAD~2".parse().unwrap()).unwrap(), commits[27]);
    assert_eq!(repo.on(kept).history().log(9).unwrap().len(), 1);
    assert_whole(&repo);
    // The error says that the state was deleted.
    assert_eq!(repo.history().forgotten().unwrap(), newest_gone);
    for text in ["@{3}", "HEAD~3", &commits[5].to_string(), "2222222222222"] {
        let error = repo.history().resolve(&text.parse().unwrap()).unwrap_err();
        assert!(error.is_not_found(), "{error}");
        let told = format!("states up to rev {} were deleted", newest_gone.unwrap());
        assert!(error.to_string().contains(&told), "{error}");
    }
    let error = repo.history().resolve(&"nowhere".parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "unknown revision \"nowhere\": no ref named nowhere");
    // Writing still works.
    repo.put(&path("com.example.note/new"), &note("x")).unwrap();
    assert_eq!(gc(&repo, &keep(1)).states, 4);
    assert_eq!(repo.history().log(99).unwrap().len(), 1);
    assert_whole(&repo);
}

#[test]
fn a_log_has_rows_as_long_as_refs_have_and_a_sweep_is_a_change() {
    let (repo, commits) = with_states(3);
    let side: RefName = "side".parse().unwrap();
    repo.history().set_ref(&side, commits[1], Expect::Absent, "branch").unwrap();
    repo.history().remove_ref(&side).unwrap();
    let states = |repo: &Repo| {
        moves(repo).iter().map(|entry| (entry.before, entry.after)).collect::<Vec<_>>()
    };
    let before = version(&repo);
    gc(&repo, &keep(1));
    assert_eq!(states(&repo), [(None, Some(commits[2]))]);
    assert!(version(&repo).change > before.change);
    let again = gc(&repo, &keep(1));
    assert_eq!((again.blocks, again.moves), (0, 0));
    repo.history().remove_ref(&RefName::head()).unwrap();
    let before = version(&repo);
    assert!(gc(&repo, &keep(1)).blocks > 0);
    assert_eq!((states(&repo), block_count(&repo)), (vec![], 0));
    assert!(version(&repo).change > before.change);
}

#[test]
fn blocks_that_nothing_names_go() {
    let (repo, commits) = with_states(4);
    let stray = Block::new(Codec::Cbor, note("stray").encode());
    let edit = pds::store::RefEdit {
        name: RefName::head(),
        target: Some(commits[3]),
        expect: Expect::Any,
    };
    let change = Change::new(Event::Set).blocks([Ok(stray.clone())]).edit(edit);
    repo.store().apply(change).unwrap();
    let swept = gc(&repo, &Keep::default());
    assert_eq!((swept.blocks, swept.bytes()), (1, stray.bytes().len() as u64));
    assert_whole(&repo);
}

#[test]
fn states_that_share_nodes_are_looked_at_once() {
    let (repo, commits) = with_states(200);
    let mut looked = 0;
    let swept = repo.retain().gc(&Keep::default(), &mut |blocks| looked += blocks).unwrap();
    assert_eq!(swept.blocks, 0);
    let records: HashSet<Cid> = commits
        .iter()
        .flat_map(|commit| {
            let at = repo.checkout(&(*commit).into()).unwrap();
            at.records().map(|entry| entry.unwrap().cid).collect::<Vec<_>>()
        })
        .collect();
    let nodes = block_count(&repo) - (commits.len() + records.len()) as u64;
    assert_eq!(looked, nodes, "each node once, however many states have it");
}

#[test]
fn a_tree_that_cannot_be_read_keeps_everything() {
    let (repo, commits) = with_states(10);
    let data = repo.checkout(&commits[4].into()).unwrap().commit().data();
    lose(&repo, data);
    let blocks = block_count(&repo);
    let error = repo.retain().gc(&Keep::default(), &mut |_| {}).unwrap_err();
    assert!(error.is_corrupt(), "{error}");
    let Error::StateLost { commit, source } = error else { panic!("{error}") };
    assert!(commit == commits[4] && matches!(*source, Error::Mst(_)), "{source}");
    assert_eq!(block_count(&repo), blocks);
    // Once the damaged state is deleted, there is no damage.
    assert!(gc(&repo, &keep(5)).blocks > 0);
    assert_whole(&repo);
}

#[test]
fn blocks_that_a_concurrent_repair_restores_stay_complete() {
    let mut restored = 0;
    for (is_tree, moment) in (0..50).flat_map(|moment| [(false, moment), (true, moment)]) {
        let (repo, commits) = with_states(10);
        let data = repo.checkout(&commits[4].into()).unwrap().commit().data();
        let lost = if is_tree { data } else { commits[4] };
        let block = repo.store().get(&lost).unwrap().unwrap();
        lose(&repo, lost);
        // A repair records such a loss if it cannot rebuild the node from its neighbours.
        set_facts(&repo, [FactEdit::Set(Fact::Loss(lost))]);
        let mut calls = 0;
        let swept = repo.retain().gc(&Keep::default(), &mut |_| {
            if calls == moment {
                let maintain = repo.store().maintain().unwrap();
                maintain.replace(&mut [Ok(block.clone())].into_iter(), &[]).unwrap();
            }
            calls += 1;
        });
        swept.unwrap();
        if calls > moment {
            restored += 1;
            assert_whole(&repo);
        }
    }
    assert!(restored > 20, "{restored}");
}

#[test]
fn a_head_that_never_was_or_was_removed_is_not_lost() {
    let (source, commits) = with_states(3);
    let mut car = Vec::new();
    source.transfer().export(&"HEAD".parse().unwrap(), &mut car).unwrap();
    let file = || std::io::Cursor::new(&car);
    let repo = Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
    let side = repo.on("side".parse().unwrap());
    side.transfer().import_file(file(), None).unwrap();
    let is_not_there = || {
        gc(&repo, &keep(1));
        let said = repo.verify().present(&Expected::default(), &mut |finding| panic!("{finding}"));
        assert!(matches!(said, Err(Error::NoCommit(_))), "{said:?}");
        assert!(pds_rescue::Rescue::of(&repo).survey(&[]).unwrap().is_clean());
    };
    is_not_there();
    let commit = repo.transfer().import_file(file(), None).unwrap().commit;
    assert_eq!((commit.cid(), repo.head().unwrap()), (commits[2], Some(commits[2])));
    repo.history().remove_ref(&RefName::head()).unwrap();
    is_not_there();
    assert_eq!(repo.history().log(9).unwrap(), [], "nor does the log tell of it any more");
    is_not_there();
    repo.transfer().import_file(file(), None).unwrap();
    repo.history().remove_ref(&RefName::head()).unwrap();
    repo.history().remove_ref(side.history().ref_name()).unwrap();
    is_not_there();
    assert_eq!(block_count(&repo), 0);
}

#[test]
fn a_hostile_tree_does_not_hide_what_lives() {
    // A record is also a node of the same tree. It must be entered even after it was marked as a record.
    let store = MemoryStore::default();
    let record = Block::new(Codec::Cbor, note("below").encode());
    let mut blocks = vec![record.clone()];
    let mut below = pds::mst::Builder::default();
    below.push(b"com.example.note/zz", record.cid(), |node| blocks.push(node)).unwrap();
    let node = below.finish(|node| blocks.push(node));
    let mut tree = pds::mst::Builder::default();
    tree.push(b"com.example.note/a", node, |node| blocks.push(node)).unwrap();
    let first = tree.finish(|node| blocks.push(node));
    let key = SigningKey::generate(Curve::K256).unwrap();
    let mut target = None;
    for data in [node, first] {
        let rev = "3jzfcijpj2z2a".parse().unwrap();
        let commit =
            pds::commit::UnsignedCommit { did: did(), data, rev, prev: None }.sign(&key).unwrap();
        blocks.push(commit.block().clone());
        let edit = pds::store::RefEdit {
            name: RefName::head(),
            target: Some(commit.cid()),
            expect: Expect::Any,
        };
        let event = Event::Import { key: None, replaces: None, begins: false };
        let change = Change::new(event).blocks(blocks.drain(..).map(Ok)).edit(edit);
        store.apply(change).unwrap();
        target = Some(commit.cid());
    }
    let repo = Repo::with(Arc::new(store), Arc::new(MemoryBlobs::default()));
    assert_eq!(gc(&repo, &Keep::default()).blocks, 0);
    assert_eq!(repo.head().unwrap(), target);
    assert!(repo.store().get(&record.cid()).unwrap().is_some());
}

/// Does something again as long as the store is busy, as on a machine that does much else.
fn patiently<T>(mut work: impl FnMut() -> pds::Result<T>) -> pds::Result<T> {
    loop {
        match work() {
            Err(error) if error.is_busy() => {}
            done => return done,
        }
    }
}

#[test]
fn nothing_that_can_be_reached_is_lost_while_others_write() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("alice");
    Repo::create(&dir, &did()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let end = SetOnDrop(&done);
        let mut writers = Vec::new();
        for writer in 0..3 {
            let dir = &dir;
            writers.push(scope.spawn(move || {
                let repo = Repo::open(dir).unwrap();
                for n in 0..40 {
                    // The same few contents repeat, so that dead blocks are stored again.
                    let place = path(&format!("com.example.note/{writer}-{}", n % 4));
                    let text = format!("{}", n % 3);
                    let blob =
                        patiently(|| repo.put_blob("text/plain", &mut text.as_bytes())).unwrap();
                    let value = Value::from([("n", Value::Int(n % 6)), ("file", with_blob(&blob))]);
                    patiently(|| repo.put(&place, &value)).unwrap();
                    if n % 7 == 6 {
                        patiently(|| repo.delete(&place)).unwrap();
                    }
                    if n % 11 == 10 {
                        match patiently(|| repo.history().resolve(&"@{1}".parse().unwrap())) {
                            Ok(to) => {
                                let reset = || repo.history().set_head(to, Expect::Any, "reset");
                                let moved = patiently(reset);
                                // The commit may have been deleted since the lookup.
                                let is_gone = |error: &Error| {
                                    matches!(error, Error::UnknownCommit(_)) || error.is_swept()
                                };
                                assert!(moved.as_ref().err().is_none_or(is_gone), "{moved:?}");
                            }
                            Err(error) => assert!(error.is_not_found(), "{error}"),
                        }
                    }
                }
            }));
        }
        let collector = scope.spawn(|| {
            let repo = Repo::open(&dir).unwrap();
            let mut swept = 0;
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) || rounds < 3 {
                rounds += 1;
                // For this test, a minute is old enough: no writer takes that long.
                let keep = Keep::default()
                    .states(NonZeroUsize::new(rounds % 3))
                    .blob_age(Duration::from_secs(60));
                swept += patiently(|| repo.retain().gc(&keep, &mut |_| {})).unwrap().blocks;
            }
            swept
        });
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        drop(end);
        assert!(collector.join().unwrap() > 0, "something was collected");
    });
    let repo = Repo::open(&dir).unwrap();
    assert_whole(&repo);
    assert!(repo.verify().missing_blobs().unwrap().missing.is_empty());
    let writes = [Write::put(path("com.example.note/last"), note("x"))];
    repo.write(pds::Batch::new(&writes).with(WriteOptions::default())).unwrap();
    gc(&repo, &keep(1));
    assert_whole(&repo);
    assert!(repo.verify().missing_blobs().unwrap().missing.is_empty());
}

#[test]
fn a_plan_changes_nothing_until_it_is_applied() {
    let repo = in_memory();
    for text in ["one", "two", "three"] {
        repo.put(&path("com.example.note/a"), &note(text)).unwrap();
    }
    let before = block_count(&repo);
    let plan = repo.retain().plan_gc(&keep(1), &mut |_| {}).unwrap();
    let planned = (plan.swept.blocks, plan.swept.block_bytes, plan.swept.states);
    assert!(planned.0 > 0);
    assert_eq!(block_count(&repo), before);
    let swept = plan.apply(&mut |_| {}).unwrap();
    assert_eq!((swept.blocks, swept.block_bytes, swept.states), planned);
    assert_eq!(block_count(&repo), before - swept.blocks);

    let purge = Forget::Records(vec![path("com.example.note/a")]);
    let plan = repo.retain().plan_forget(&purge, &mut |_| {}).unwrap();
    assert_eq!(plan.forgotten.written.len(), 1);
    assert!(repo.find(&path("com.example.note/a")).unwrap().is_some());
    let forgotten = plan.apply(&mut |_| {}).unwrap();
    assert_eq!(forgotten.swept.states, 1);
    assert!(repo.find(&path("com.example.note/a")).unwrap().is_none());
}
