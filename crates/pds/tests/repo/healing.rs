//! The repair of damaged blocks by later writes, and reads next to a sweep.

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pds::car::CarFile;
use pds::data::Cid;
use pds::local::layout::STORE_FILE;
use pds::mst::{Step, walk};
use pds::retain::forget::Forget;
use pds::retain::gc::Keep;
use pds::store::SqliteStore;
use pds::verify::car::verify_car;
use pds::{Error, Repo, Result, Write};
use pds::{Expected, Finding, Severity};

use super::seam::{assert_whole, export, put};

use super::{SetOnDrop, did, in_memory, note, path};

/// The block of a store that is damaged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Harm {
    Record,
    Root,
    Leaf,
    Commit,
}

const HARMS: [Harm; 4] = [Harm::Record, Harm::Root, Harm::Leaf, Harm::Commit];

/// A repository in a directory with enough records for several nodes.
fn on_disk(dir: &Path) -> Repo {
    let repo = Repo::create(dir, &did()).unwrap();
    let writes: Vec<Write> = (0..60)
        .map(|n| Write::put(path(&format!("com.example.note/n{n}")), note(&n.to_string())))
        .collect();
    repo.write(&writes).unwrap();
    repo
}

/// Damages a block on the path to a record by SQL, as a failing disk does, and returns its CID.
fn damage(dir: &Path, repo: &Repo, at: &str, harm: Harm) -> Cid {
    let snapshot = repo.snapshot().unwrap();
    let commit = snapshot.commit();
    let cid = match harm {
        Harm::Record => snapshot.find_cid(&path(at)).unwrap().unwrap(),
        Harm::Root => commit.data(),
        Harm::Commit => commit.cid(),
        Harm::Leaf => {
            let holds = |step: Step| match step {
                Step::Node { block, node } => {
                    let has = node.entries().any(|entry| entry.key == at.as_bytes());
                    has.then(|| block.cid())
                }
                Step::Entry { .. } => None,
            };
            let mut steps = walk(snapshot.blocks(), commit.data());
            steps.find_map(|step| holds(step.unwrap())).unwrap()
        }
    };
    let sql = rusqlite::Connection::open(dir.join(STORE_FILE)).unwrap();
    let name = cid.as_bytes().as_slice();
    let done =
        sql.execute("UPDATE blocks SET bytes = zeroblob(length(bytes)) WHERE cid = ?1", [name]);
    assert_eq!(done.unwrap(), 1);
    cid
}

#[test]
fn a_put_of_the_same_record_repairs_it_or_changes_nothing() {
    // The damaged store is used by a handle with the nodes in its cache, and by one that was opened later.
    for (is_known, harm) in HARMS.into_iter().flat_map(|harm| [(false, harm), (true, harm)]) {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("alice");
        let repo = on_disk(&dir);
        let at = "com.example.note/n7";
        let head = repo.head().unwrap();
        assert!(repo.find(&path(at)).unwrap().is_some());
        let what = format!("{harm:?} {is_known}");
        let cid = damage(&dir, &repo, at, harm);
        let repo = if is_known { repo } else { Repo::open(&dir).unwrap() };
        match repo.put(&path(at), &note("7")) {
            Ok(written) => {
                assert_eq!(Some(written.commit.cid()), head, "{what}: nothing has changed");
                assert!(repo.store().get(&cid).unwrap().is_some(), "{what}");
                // A handle with an empty cache can read the result.
                let afresh = Repo::open(&dir).unwrap();
                let found = afresh.find(&path(at)).unwrap().unwrap();
                assert_eq!(found.value().unwrap().get("text"), note("7").get("text"), "{what}");
                afresh
                    .verify()
                    .present(&Expected::default(), &mut |f| panic!("{what}: {f}"))
                    .unwrap();
            }
            Err(error) => {
                assert!(error.is_corrupt(), "{what}: {error:?}");
                // The write would repair a damaged record, and the cache a damaged commit.
                assert!(harm != Harm::Record && (harm != Harm::Commit || !is_known), "{what}");
                assert!(repo.store().get(&cid).is_err(), "{what}");
            }
        }
        assert_eq!(repo.history().log(9).unwrap().len(), 2, "{what}");
        // A write of another record repairs nothing, and does not report this record as unchanged.
        if harm == Harm::Record {
            let again = damage(&dir, &repo, at, harm);
            repo.put(&path("com.example.note/n8"), &note("8")).unwrap();
            assert!(repo.store().get(&again).is_err(), "{what}");
            repo.put(&path("com.example.note/other"), &note("7")).unwrap();
            assert!(
                repo.store().get(&again).unwrap().is_some(),
                "{what}: the same block came again"
            );
        }
    }
}

#[test]
fn the_import_of_a_good_file_heals_a_damaged_store() {
    for (is_indexed, harm) in HARMS.into_iter().flat_map(|harm| [(false, harm), (true, harm)]) {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("alice");
        let repo = on_disk(&dir);
        let file = export(&repo);
        let key = repo.public_key().unwrap();
        let (head, what) = (repo.head().unwrap(), format!("{harm:?} {is_indexed}"));
        let cid = damage(&dir, &repo, "com.example.note/n7", harm);
        let repo = Repo::open(&dir).unwrap();
        assert!(repo.store().get(&cid).is_err(), "{what}");
        let file = Cursor::new(file);
        let imported = match is_indexed {
            true => repo.transfer().import(&CarFile::open(file).unwrap(), key.as_ref()),
            false => repo.transfer().import_file(file, key.as_ref()),
        };
        let imported = imported.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(imported.new_blocks, 1, "{what}");
        assert_eq!(repo.head().unwrap(), head, "{what}");
        assert!(repo.store().get(&cid).unwrap().is_some(), "{what}");
        for repo in [&repo, &Repo::open(&dir).unwrap()] {
            repo.verify().present(&Expected::default(), &mut |f| panic!("{what}: {f}")).unwrap();
            assert_whole(repo);
        }
        let check = SqliteStore::check_file(dir.join(STORE_FILE)).unwrap();
        assert_eq!(check, Vec::<String>::new(), "{what}");
    }
}

/// Returns whether a reader next to a sweep got a result. The only permitted error is that the state was swept.
fn is_fine<T>(what: &str, read: Result<T>) -> bool {
    match read {
        Ok(_) => true,
        Err(error) => {
            let is_gone = error.is_not_found() && matches!(error, Error::Revision { .. });
            assert!(!error.is_corrupt(), "{what}: {error:?}");
            assert!(error.is_busy() || is_gone, "{what}: {error:?}");
            false
        }
    }
}

#[test]
fn readers_next_to_gc_and_forget_never_see_damage() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("alice");
    let in_files = on_disk(&dir);
    // The readers use the handle that sweeps, or separate handles, as other processes do.
    for (repo, is_own) in [(in_memory(), false), (in_files.clone(), false), (in_files, true)] {
        let is_over = AtomicBool::new(false);
        let collection: pds::syntax::Nsid = "com.example.note".parse().unwrap();
        type Read<'a> = (&'a str, Box<dyn Fn(&Repo) -> bool + Send + Sync + 'a>);
        let reads: [Read<'_>; 7] = [
            ("find", Box::new(|repo| is_fine("find", repo.find(&path("com.example.note/n1"))))),
            ("list", Box::new(|repo| is_fine("list", repo.list(&collection)))),
            (
                "record history",
                Box::new(|repo| {
                    let versions = repo.history().record_history(&path("com.example.note/n1"));
                    is_fine("record history", versions.and_then(|v| v.collect::<Result<Vec<_>>>()))
                }),
            ),
            (
                "verify",
                Box::new(|repo| {
                    let mut found = |finding: Finding| panic!("verify: {finding}");
                    is_fine("verify", repo.verify().present(&Expected::default(), &mut found))
                }),
            ),
            (
                "verify history",
                Box::new(|repo| {
                    let mut found = |finding: Finding| {
                        assert_eq!(finding.severity(), Severity::Note, "verify history: {finding}");
                    };
                    is_fine("history", repo.verify().history(&Expected::default(), &mut found))
                }),
            ),
            (
                "export",
                Box::new(|repo| {
                    let mut file = Vec::new();
                    let exported = repo.transfer().export(&Default::default(), &mut file);
                    if exported.is_ok() {
                        let mut found = |finding: Finding| panic!("export: {finding}");
                        verify_car(Cursor::new(&file), &Expected::default(), &mut found).unwrap();
                    }
                    is_fine("export", exported)
                }),
            ),
            (
                "snapshot of the past",
                Box::new(|repo| {
                    let past = repo.checkout(&"HEAD~2".parse().unwrap());
                    is_fine("past", past.and_then(|at| at.records().collect::<Result<Vec<_>>>()))
                }),
            ),
        ];
        let answered: Vec<AtomicUsize> = reads.iter().map(|_| AtomicUsize::new(0)).collect();
        let (mut rounds, started) = (0, Instant::now());
        std::thread::scope(|scope| {
            // The readers end even if the writer panics.
            let _end = SetOnDrop(&is_over);
            for ((_, read), answered) in reads.iter().zip(&answered) {
                let repo = if is_own { Repo::open(&dir).unwrap() } else { repo.clone() };
                let is_over = &is_over;
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        let is_answer = read(&repo);
                        answered.fetch_add(usize::from(is_answer), Ordering::Relaxed);
                    }
                });
            }
            // There is only one writer, so none of its steps fails.
            while started.elapsed() < Duration::from_millis(1_200) || rounds < 6 {
                for n in 0..4 {
                    put(&repo, &format!("n{n}"), &format!("{rounds}"));
                }
                if rounds % 3 == 2 {
                    let secret = Forget::Records(vec![path("com.example.note/n2")]);
                    repo.retain().forget(&secret, &mut |_| {}).unwrap();
                } else {
                    let keep = Keep::default().states(NonZeroUsize::new(1));
                    repo.retain().gc(&keep, &mut |_| {}).unwrap();
                }
                rounds += 1;
            }
        });
        for ((what, _), answered) in reads.iter().zip(answered) {
            let answered = answered.into_inner();
            eprintln!("{what}: {answered} answers next to {rounds} sweeps");
            assert!(answered > 0 || *what == "snapshot of the past", "{what}: never an answer");
        }
        repo.verify().present(&Expected::default(), &mut |finding| panic!("{finding}")).unwrap();
        assert_whole(&repo);
    }
}
