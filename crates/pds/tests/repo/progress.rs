//! The counts that long work reports.

use std::io::Cursor;
use std::sync::Mutex;

use pds::blob::MemoryBlobs;
use pds::car::CarFile;
use pds::merge::commit::MergeOptions;
use pds::transfer::export::{ExportOptions, export_with};
use pds::{Progress, Repo, SpooledBatch, StepKind, Write, WriteOptions};

use super::merges::{branch, name, put};
use super::{in_memory, note, path};

/// The steps in their order, each with its count.
#[derive(Default)]
struct Counted(Mutex<Vec<(StepKind, u64)>>);

impl Counted {
    fn add(&self, step: StepKind, more: u64) {
        let mut steps = self.0.lock().unwrap();
        match steps.last_mut() {
            Some((last, count)) if *last == step => *count += more,
            _ => steps.push((step, more)),
        }
    }

    /// Returns the counts of some work.
    fn of(work: impl FnOnce(Progress<'_>)) -> Vec<(StepKind, u64)> {
        let counted = Self::default();
        work(Progress::new(&|step, more| counted.add(step, more)));
        counted.0.into_inner().unwrap()
    }
}

fn apply(repo: &Repo, writes: &[Write]) -> Vec<(StepKind, u64)> {
    Counted::of(|progress| {
        let mut batch = SpooledBatch::on(repo).unwrap().with_progress(progress);
        writes.iter().for_each(|write| batch.push(write).unwrap());
        batch.commit(&WriteOptions::default()).unwrap();
    })
}

#[test]
fn a_batch_counts_its_writes_and_then_its_blocks() {
    let repo = in_memory();
    let target = |n: u32| path(&format!("com.example.note/{n:03}"));
    let puts: Vec<Write> = (0..300).map(|n| Write::put(target(n), note(&n.to_string()))).collect();
    let steps = apply(&repo, &puts);
    let [(StepKind::Records, 300), (StepKind::Blocks, blocks)] = steps[..] else {
        panic!("{steps:?}")
    };
    assert!(blocks > 2 * 300, "each record is checked and stored, and nodes are stored: {blocks}");
    let again = apply(&repo, &puts);
    assert_eq!(again.last(), Some(&(StepKind::Records, 300)), "each record is read: {again:?}");
    let deletions: Vec<Write> = (0..200).map(|n| Write::delete(target(n))).collect();
    assert_eq!(apply(&repo, &deletions)[0], (StepKind::Records, 200));
}

#[test]
fn a_merge_and_a_revert_count_the_records_that_they_compare() {
    let repo = in_memory();
    put(&repo, "a", "at the start");
    let draft = branch(&repo, "draft");
    let last = put(&repo, "b", "here");
    for n in 0..5 {
        put(&draft, &format!("c{n}"), "on the branch");
    }
    let steps = Counted::of(|progress| {
        let merge = repo.merge().with_progress(progress);
        merge.revision(&name("draft").into(), &MergeOptions::default()).unwrap();
    });
    assert_eq!(steps[0], (StepKind::Records, 6));
    assert!(matches!(steps[1..], [(StepKind::Blocks, 2..)]), "{steps:?}");
    let steps = Counted::of(|progress| {
        repo.merge().with_progress(progress).revert(last).unwrap();
    });
    assert_eq!(steps[0], (StepKind::Records, 1));
}

#[test]
fn a_file_counts_as_records_and_then_as_blocks() {
    let repo = in_memory();
    for n in 0..5 {
        put(&repo, &format!("c{n}"), "in the file");
    }
    let mut file = Vec::new();
    let (snapshot, options) = (repo.snapshot().unwrap(), ExportOptions::default().chain(true));
    export_with(&snapshot, &options, &mut file, &mut |_| {}).unwrap();
    let car = CarFile::open(Cursor::new(file)).unwrap();
    repo.history().set_head(first(&repo), pds::store::Expect::Any, "back").unwrap();
    put(&repo, "d", "meanwhile");
    let steps = Counted::of(|progress| {
        repo.merge().with_progress(progress).car(&car, &MergeOptions::default()).unwrap();
    });
    assert!(matches!(steps[..], [(StepKind::Records, 10..), (StepKind::Blocks, 5..)]), "{steps:?}");
}

/// Returns the first commit, which has no records.
fn first(repo: &Repo) -> pds::data::Cid {
    repo.history().commits(None).unwrap().last().unwrap().unwrap().cid
}

#[test]
fn the_history_of_a_record_counts_the_commits_that_it_passes() {
    let repo = in_memory();
    put(&repo, "a", "the only version");
    for n in 0..7 {
        put(&repo, "other", &n.to_string());
    }
    let steps = Counted::of(|progress| {
        let versions = repo.history().record_history(&path("com.example.note/a")).unwrap();
        assert_eq!(versions.with_progress(progress).count(), 1);
    });
    // The first commit has no records, and the last one is where the walk begins.
    assert_eq!(steps, [(StepKind::Commits, 8)]);
}

#[test]
fn the_search_for_missing_blobs_counts_every_record() {
    let repo = in_memory();
    for n in 0..4 {
        put(&repo, &n.to_string(), "without a blob");
    }
    let steps = Counted::of(|progress| {
        let snapshot = repo.snapshot().unwrap();
        let blobs = MemoryBlobs::default();
        snapshot.missing_blobs_reporting(&blobs, progress, &mut Err).unwrap();
    });
    assert_eq!(steps, [(StepKind::Records, 4)]);
}
