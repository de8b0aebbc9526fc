//! Mirrors of a host: imports that move two refs, and clones that are finished after an interruption.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Mutex;

use pds::car::ReadAt;
use pds::local::copy::clone_repository;
use pds::local::copy_options::CopyOptions;
use pds::local::directory::{create_filled, finish_clone};
use pds::local::leftovers::clear_leftovers;
use pds::store::RefName;
use pds::{Error, Repo};

use super::{did, moves, note, path, refs};

fn origin() -> [RefName; 1] {
    ["origin".parse().unwrap()]
}

fn export(repo: &Repo) -> Cursor<Vec<u8>> {
    let mut file = Vec::new();
    repo.transfer().export(&"HEAD".parse().unwrap(), &mut file).unwrap();
    Cursor::new(file)
}

fn host(dir: &Path) -> Repo {
    let repo = Repo::create(dir, &did()).unwrap();
    repo.put(&path("com.example.note/a"), &note("a")).unwrap();
    repo
}

#[test]
fn refs_follow_an_import_in_the_same_change() {
    let home = tempfile::tempdir().unwrap();
    let host = host(&home.path().join("host"));
    let dir = home.path().join("mirror");
    fs::create_dir_all(dir.join("fetch")).unwrap();
    let key = host.public_key().unwrap();
    let (mirror, _) = finish_clone(&dir, |repo, _| {
        repo.transfer().followed_by(&origin()).import_file(export(&host), key.as_ref())
    })
    .unwrap();
    for round in 0..3 {
        let before = mirror.store().view().unwrap().version();
        host.put(&path("com.example.note/b"), &note(&round.to_string())).unwrap();
        let file = export(&host);
        mirror.transfer().followed_by(&origin()).import_file(file, key.as_ref()).unwrap();
        let after = mirror.store().view().unwrap().version();
        assert_eq!(after.change, before.change + 2, "one row of the log for each ref");
        let head = host.head().unwrap().unwrap();
        let names = refs(&mirror);
        assert_eq!(names.iter().count(), 2);
        assert!(names.iter().all(|(_, cid)| *cid == head), "{names:?}");
    }
    // Both refs have a row for each import.
    assert_eq!(moves(&mirror).len(), 8);
    // A ref that was not named stays.
    host.put(&path("com.example.note/c"), &note("c")).unwrap();
    let at_origin = mirror.on(origin()[0].clone());
    at_origin.transfer().import_file(export(&host), key.as_ref()).unwrap();
    assert_ne!(mirror.head().unwrap(), at_origin.head().unwrap());
    assert_eq!(at_origin.head().unwrap(), host.head().unwrap());
    // A ref that points elsewhere stays, too.
    let before = mirror.head().unwrap();
    host.put(&path("com.example.note/d"), &note("d")).unwrap();
    let head = [RefName::head()];
    at_origin.transfer().followed_by(&head).import_file(export(&host), key.as_ref()).unwrap();
    assert_eq!(mirror.head().unwrap(), before);
    assert_eq!(at_origin.head().unwrap(), host.head().unwrap());
}

/// A file whose first reading moves a ref, as another writer may do during an import.
struct Interrupted<'a> {
    file: Cursor<Vec<u8>>,
    interrupt: Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
}

impl ReadAt for Interrupted<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        if let Some(interrupt) = self.interrupt.lock().unwrap().take() {
            interrupt();
        }
        ReadAt::read_at(&self.file, buffer, offset)
    }

    fn len(&self) -> std::io::Result<u64> {
        ReadAt::len(&self.file)
    }
}

#[test]
fn a_ref_that_another_writer_moves_does_not_follow() {
    let home = tempfile::tempdir().unwrap();
    let host = host(&home.path().join("host"));
    let key = host.public_key().unwrap();
    let (mirror, _) = finish_clone(home.path().join("mirror"), |repo, _| {
        repo.transfer().followed_by(&origin()).import_file(export(&host), key.as_ref())
    })
    .unwrap();
    host.put(&path("com.example.note/b"), &note("b")).unwrap();
    let at_origin = mirror.on(origin()[0].clone());
    let file = Interrupted {
        file: export(&host),
        interrupt: Mutex::new(Some(Box::new(|| {
            mirror.history().remove_ref(&RefName::head()).unwrap();
        }))),
    };
    let head = [RefName::head()];
    at_origin.transfer().followed_by(&head).import_file(file, key.as_ref()).unwrap();
    assert_eq!(mirror.head().unwrap(), None);
    assert_eq!(at_origin.head().unwrap(), host.head().unwrap());
}

#[test]
fn a_clone_is_finished_next_to_its_files_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let host = host(&home.path().join("host"));
    let dir = home.path().join("mirror");
    fs::create_dir_all(dir.join("fetch")).unwrap();
    fs::write(dir.join("upstream.json"), "{}").unwrap();
    fs::write(dir.join("fetch/0.car"), "kept").unwrap();
    let fill = |repo: &Repo, staging: &Path| {
        fs::create_dir(staging.join("identity")).unwrap();
        fs::write(staging.join("identity/did.json"), "{}").unwrap();
        repo.transfer().import_file(export(&host), None)
    };
    // A failed import leaves the files of the clone.
    let failed = finish_clone(&dir, |repo, _| {
        repo.transfer().import_file(Cursor::new(b"no file".to_vec()), None)
    });
    assert!(matches!(failed, Err(Error::Car(_))), "{failed:?}");
    let names = |dir: &Path| -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries
            .map(|name| name.into_string().unwrap())
            .filter(|name| !name.contains("pds.db-"))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&dir), ["fetch", "upstream.json"]);
    assert!(matches!(Repo::open(&dir), Err(Error::NotARepository(_))));
    fs::write(dir.join("other"), "").unwrap();
    assert!(matches!(finish_clone(&dir, fill), Err(Error::DirectoryInUse(_))));
    fs::remove_file(dir.join("other")).unwrap();
    let (mirror, _) = finish_clone(&dir, fill).unwrap();
    assert_eq!(mirror.head().unwrap(), host.head().unwrap());
    drop(mirror);
    assert_eq!(names(&dir), ["fetch", "identity", "pds.db", "upstream.json"]);
    assert_eq!(fs::read(dir.join("fetch/0.car")).unwrap(), b"kept");
    // Fetched files may have records that are forgotten later.
    clear_leftovers(&dir).unwrap();
    assert!(!dir.join("fetch").exists());
    // Files of the user stay.
    fs::create_dir(dir.join("fetch")).unwrap();
    for name in ["0.car", "1.car.part", "state.json", "thesis.txt", "x.car"] {
        fs::write(dir.join("fetch").join(name), "").unwrap();
    }
    clear_leftovers(&dir).unwrap();
    assert_eq!(names(&dir.join("fetch")), ["thesis.txt", "x.car"]);
    fs::remove_dir_all(dir.join("fetch")).unwrap();
    // A fetch at work keeps its files.
    fs::create_dir(dir.join("fetch")).unwrap();
    let lock = fs::File::open(dir.join("fetch")).unwrap();
    lock.lock().unwrap();
    clear_leftovers(&dir).unwrap();
    assert!(dir.join("fetch").exists());
}

#[test]
fn a_copy_of_a_mirror_is_a_mirror() {
    let home = tempfile::tempdir().unwrap();
    let [dir, copy, other] = ["mirror", "copy", "other"].map(|name| home.path().join(name));
    host(&dir);
    let copied = ["upstream.json", "missing-blobs.json", "identity/did.json"];
    let private = ["fetch/0.car", "private/preferences.json", "move/a.com/key", "push/plan.ndjson"];
    for name in copied.into_iter().chain(private) {
        fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
        fs::write(dir.join(name), name).unwrap();
    }
    clone_repository(&copy, &dir, &CopyOptions::default()).unwrap();
    for name in copied {
        assert_eq!(fs::read_to_string(copy.join(name)).unwrap(), name);
    }
    for name in private {
        let first = name.split('/').next().unwrap();
        assert!(!copy.join(first).exists(), "{first}");
    }
    // A link may lead anywhere, and a real file is small.
    fs::remove_file(dir.join("missing-blobs.json")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(dir.join("upstream.json"), dir.join("missing-blobs.json")).unwrap();
    fs::File::create(dir.join("upstream.json")).unwrap().set_len((1 << 20) + 1).unwrap();
    let failed = clone_repository(&other, &dir, &CopyOptions::default());
    assert!(matches!(failed, Err(Error::Io { .. })) && !other.exists());
    fs::write(dir.join("upstream.json"), "short").unwrap();
    clone_repository(&other, &dir, &CopyOptions::default()).unwrap();
    assert!(!other.join("missing-blobs.json").exists());
}

#[test]
fn a_repository_that_is_filled_appears_whole_or_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let host = host(&home.path().join("host"));
    let dir = home.path().join("above/mirror");
    let failed = create_filled(&dir, |repo, staging| {
        fs::write(staging.join("upstream.json"), "{}").unwrap();
        repo.transfer().import_file(export(&host), None)?;
        Err::<(), _>(Error::NoSigner)
    });
    assert!(matches!(failed, Err(Error::NoSigner)));
    assert!(!dir.exists());
    for is_there in [false, true] {
        if is_there {
            // An interrupted run has left a file of a mirror without a store.
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("upstream.json"), "old").unwrap();
        }
        let (mirror, _) = create_filled(&dir, |repo, staging| {
            fs::write(staging.join("upstream.json"), "{}").unwrap();
            repo.transfer().import_file(export(&host), None)
        })
        .unwrap();
        assert_eq!(mirror.head().unwrap(), host.head().unwrap());
        assert_eq!(fs::read_to_string(dir.join("upstream.json")).unwrap(), "{}");
        let again = create_filled(&dir, |_, _| Ok::<_, Error>(()));
        assert!(matches!(again, Err(Error::DirectoryInUse(_))));
        fs::remove_dir_all(&dir).unwrap();
    }
}
