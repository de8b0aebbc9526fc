//! Tests of blobs in files: damage, files that are not blobs, and sweeps next to writers.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::conformance::support::SetOnDrop;

#[test]
fn a_damaged_file_fails_at_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = BlobDirectory::new(dir.path());
    let info = blobs.put(&mut &b"hello"[..]).unwrap();
    fs::write(blobs.path(&info.cid), b"jello").unwrap();
    let mut read = Vec::new();
    let mut opened = blobs.open(&info.cid).unwrap().unwrap();
    let error = opened.reader.read_to_end(&mut read).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn storing_a_damaged_blob_again_repairs_it() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = BlobDirectory::new(dir.path().join("blobs"));
    let info = blobs.put(&mut &b"hello"[..]).unwrap();
    for damage in [&b"jello"[..], b"", b"hello and more"] {
        fs::write(blobs.path(&info.cid), damage).unwrap();
        assert_eq!(blobs.put(&mut &b"hello"[..]).unwrap().cid, info.cid);
        assert_eq!(fs::read(blobs.path(&info.cid)).unwrap(), b"hello");
    }
}

#[test]
fn other_files_in_the_directory_are_not_blobs() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = BlobDirectory::new(dir.path());
    fs::write(dir.path().join(".incoming-x"), b"").unwrap();
    fs::create_dir(dir.path().join("ba")).unwrap();
    fs::write(dir.path().join("ba/README"), b"").unwrap();
    let record = Cid::of(Codec::Cbor, b"x").to_string();
    fs::write(dir.path().join("ba").join(record), b"").unwrap();
    blobs.list(&mut |info| panic!("{info:?}")).unwrap();
}

#[test]
#[cfg(unix)]
fn a_copy_links_to_the_file_and_a_damaged_file_is_not_copied() {
    use std::os::unix::fs::MetadataExt;

    let dir = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| BlobDirectory::new(dir.path().join(name)));
    let cid = from.put(&mut &b"hello"[..]).unwrap().cid;
    make_old(&from, &cid);
    let copied = to.copy(&cid, &from).unwrap().unwrap();
    assert_eq!((copied.cid, copied.size_bytes), (cid, 5));
    assert!(copied.stored_at_micros > CUT_OFF_MICROS, "a copy is young");
    let [one, two] = [&from, &to].map(|blobs| fs::metadata(blobs.path(&cid)).unwrap().ino());
    assert_eq!(one, two, "one file has both names");
    assert_eq!(to.copy(&cid, &from).unwrap().unwrap().cid, cid, "a second copy changes nothing");
    // The first file is replaced, and the copy keeps the bytes.
    from.sweep(BlobSweep::Listed(&[cid])).unwrap();
    assert_eq!(fs::read(to.path(&cid)).unwrap(), b"hello");

    let cid = from.put(&mut &b"other"[..]).unwrap().cid;
    fs::write(from.path(&cid), b"wrong").unwrap();
    let error = to.copy(&cid, &from).unwrap_err();
    let BlobError::Source(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let mut names = fs::read_dir(dir.path().join("to")).unwrap();
    assert!(names.all(|entry| entry.unwrap().file_name() == "ba"), "no remains");
    assert!(to.open(&cid).unwrap().is_none());
}

/// Makes a blob look as if it was stored in 1970, if it is stored.
fn make_old(blobs: &BlobDirectory, cid: &Cid) {
    match File::open(blobs.path(cid)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        file => file.unwrap().set_modified(UNIX_EPOCH).unwrap(),
    }
}

/// A time long after 1970, and before any blob that a test stores.
const CUT_OFF_MICROS: u64 = 1_000_000_000;

fn all_before(micros: u64) -> BlobSweep<'static> {
    BlobSweep::StoredBefore { micros, keep: &|_| false }
}

/// Runs one writer: its blob becomes old, the writer stores or renews it, and no sweep may delete
/// it afterwards. Returns how many times a sweep was faster.
fn write_next_to_sweeps(blobs: &BlobDirectory, bytes: &[u8], is_done: &AtomicBool) -> u64 {
    let cid = blobs.put(&mut &*bytes).unwrap().cid;
    let (mut swept, mut turn) = (0, 0_u64);
    while !is_done.load(Relaxed) {
        turn += 1;
        make_old(blobs, &cid);
        // Sweeps get a chance before the blob is young again, and at the same moment.
        if turn.is_multiple_of(3) {
            thread::sleep(Duration::from_micros(turn % 500));
        }
        let renewed = if turn.is_multiple_of(16) { None } else { blobs.renew(&cid).unwrap() };
        if renewed.is_none() {
            swept += 1;
            blobs.put(&mut &*bytes).unwrap();
        }
        for look in 0..20 {
            let is_here = blobs.open(&cid).unwrap().is_some();
            assert!(
                is_here,
                "turn {turn}, look {look}: a sweep deleted a blob that had become young"
            );
        }
    }
    assert!(blobs.open(&cid).unwrap().is_some());
    swept
}

fn write_and_sweep(blobs: &BlobDirectory, time: Duration, meanwhile: impl FnOnce(Instant)) {
    let (is_done, swept) = (&AtomicBool::new(false), &AtomicU64::new(0));
    thread::scope(|scope| {
        let end = SetOnDrop(is_done);
        let writers: Vec<_> = (0..3_u8)
            .map(|n| {
                let blobs = BlobDirectory::new(&blobs.root);
                scope.spawn(move || write_next_to_sweeps(&blobs, &[n; 100], is_done))
            })
            .collect();
        let sweepers: Vec<_> = (0..2)
            .map(|_| {
                let blobs = BlobDirectory::new(&blobs.root);
                scope.spawn(move || {
                    while !is_done.load(Relaxed) {
                        let gone = blobs.sweep(all_before(CUT_OFF_MICROS)).unwrap();
                        swept.fetch_add(gone.len() as u64, Relaxed);
                    }
                })
            })
            .collect();
        meanwhile(Instant::now() + time);
        drop(end);
        writers.into_iter().for_each(|writer| assert!(writer.join().unwrap() > 0));
        sweepers.into_iter().for_each(|sweeper| sweeper.join().unwrap());
    });
    assert!(swept.load(Relaxed) > 0, "the sweeps deleted nothing, so this test shows nothing");
}

#[test]
fn a_blob_that_became_young_outlives_the_sweeps_of_other_threads() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = BlobDirectory::new(dir.path().join("blobs"));
    write_and_sweep(&blobs, Duration::from_millis(1_500), |end| {
        thread::sleep(end.saturating_duration_since(Instant::now()));
    });
}

#[test]
fn a_blob_that_became_young_outlives_the_sweeps_of_processes_that_are_killed() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = BlobDirectory::new(dir.path().join("blobs"));
    let mut killed = 0;
    write_and_sweep(&blobs, Duration::from_millis(2_500), |end| {
        while Instant::now() < end {
            let mut child = sweeping_process(&blobs.root);
            thread::sleep(Duration::from_millis(30 + killed * 7 % 40));
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
        }
    });
    assert!(killed > 3);
}

/// The environment variable with the directory that a process of this test program sweeps until it
/// is killed.
const SWEPT_DIRECTORY: &str = "PDS_TEST_SWEPT_DIRECTORY";

fn sweeping_process(root: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "blob::directory::tests::a_process_that_sweeps_until_it_is_killed"])
        .env(SWEPT_DIRECTORY, root)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Does nothing unless another test starts it as a separate process.
#[test]
fn a_process_that_sweeps_until_it_is_killed() {
    let Some(root) = std::env::var_os(SWEPT_DIRECTORY) else { return };
    let blobs = BlobDirectory::new(root);
    let end = Instant::now() + Duration::from_secs(5);
    while Instant::now() < end {
        blobs.sweep(all_before(CUT_OFF_MICROS)).unwrap();
    }
}

/// Runs a call in a separate thread and fails if it hangs.
#[cfg(unix)]
fn in_time<T: Send + 'static>(what: &str, call: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || sender.send(call()));
    receiver.recv_timeout(Duration::from_secs(10)).unwrap_or_else(|error| panic!("{what}: {error}"))
}

#[cfg(unix)]
type Make = fn(&Path);

/// Returns the kinds of files that are not regular, each with a function that creates one.
#[cfg(unix)]
fn no_regular_files() -> [(&'static str, Make); 3] {
    let fifo = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let directory = |path: &Path| fs::create_dir(path).unwrap();
    // A link, because only root can create a device.
    let device = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    [("a FIFO", fifo), ("a directory", directory), ("a device", device)]
}

#[test]
#[cfg(unix)]
fn a_file_that_is_not_regular_is_an_error_at_once() {
    for (what, make) in no_regular_files() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = BlobDirectory::new(dir.path().join("blobs"));
        let cid = blobs.put(&mut &b"hello"[..]).unwrap().cid;
        fs::remove_file(blobs.path(&cid)).unwrap();
        make(&blobs.path(&cid));
        let opened = in_time(what, {
            let blobs = blobs.clone();
            move || blobs.open(&cid).map(|_| ())
        });
        let message = format!("{:?}", opened.unwrap_err());
        assert!(message.contains("not a regular file"), "open of {what}: {message}");
        let renewed = in_time(what, {
            let blobs = blobs.clone();
            move || blobs.renew(&cid)
        });
        let message = format!("{:?}", renewed.unwrap_err());
        assert!(message.contains("not a regular file"), "renew of {what}: {message}");
        // The blob replaces the file if it can be replaced.
        let stored = in_time(what, {
            let blobs = blobs.clone();
            move || blobs.put(&mut &b"hello"[..])
        });
        match what {
            "a directory" => assert!(stored.is_err(), "put over a directory: {stored:?}"),
            _ => assert_eq!(fs::read(blobs.path(&stored.unwrap().cid)).unwrap(), b"hello"),
        }
    }
}

#[test]
fn without_locks_blobs_are_stored_and_renewed_but_not_swept_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = BlobDirectory::new(dir.path().join("blobs"));
    files::HAS_NO_LOCKS.set(true);
    let stored = blobs.put(&mut &b"hello"[..]).unwrap();
    assert!(blobs.renew(&stored.cid).unwrap().is_some());
    let message = format!("{:?}", blobs.sweep(all_before(u64::MAX)).unwrap_err());
    assert!(message.contains("cannot be locked"), "{message}");
    assert!(blobs.open(&stored.cid).unwrap().is_some());
    let keep_all = BlobSweep::StoredBefore { micros: u64::MAX, keep: &|_| true };
    assert_eq!(blobs.sweep(keep_all).unwrap(), [], "nothing to delete needs no lock");
    assert_eq!(blobs.sweep(BlobSweep::Listed(&[stored.cid])).unwrap().len(), 1);
    assert!(blobs.open(&stored.cid).unwrap().is_none());
}

#[test]
fn a_sweep_skips_an_upload_that_is_still_running() {
    struct Swept<'a>(&'a BlobDirectory);
    impl Read for Swept<'_> {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.sweep(all_before(u64::MAX)).map(|_| 0).map_err(io::Error::other)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let blobs = BlobDirectory::new(dir.path());
    let remains = dir.path().join(".incoming-killed");
    fs::write(&remains, "half a blob").unwrap();
    let stored = blobs.put(&mut (&b"hello"[..]).chain(Swept(&blobs))).unwrap();
    assert_eq!(fs::read(blobs.path(&stored.cid)).unwrap(), b"hello");
    assert!(!remains.exists(), "the remains of an upload that is not running are deleted");
}

#[test]
fn a_directory_that_is_a_file_is_an_error_and_not_empty() {
    let dir = tempfile::tempdir().unwrap();
    let (file, cid) = (dir.path().join("ba"), Cid::of(Codec::Raw, b"x"));
    fs::write(&file, "no directory").unwrap();
    assert!(BlobDirectory::new(&file).list(&mut |_| ControlFlow::Continue(())).is_err());
    // The name of the file is that of the directory for this blob.
    assert!(BlobDirectory::new(dir.path()).sweep(BlobSweep::Listed(&[cid])).is_err());
}

#[test]
fn only_what_is_older_than_the_time_of_a_sweep_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = BlobDirectory::new(dir.path());
    let cid = blobs.put(&mut &b"hello"[..]).unwrap().cid;
    make_old(&blobs, &cid);
    let upload = dir.path().join(".incoming-x");
    File::create(&upload).unwrap().set_modified(UNIX_EPOCH).unwrap();
    assert!(blobs.sweep(all_before(0)).unwrap().is_empty() && upload.exists());
    assert_eq!(blobs.remove_leftovers().removed, [upload]);
    assert_eq!(blobs.sweep(all_before(1)).unwrap().len(), 1);
}

#[test]
fn an_interrupted_read_is_repeated_and_the_blob_is_readable_by_all() {
    struct Interrupted(bool);
    impl Read for Interrupted {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            let is_first = !std::mem::replace(&mut self.0, true);
            if is_first { Err(io::ErrorKind::Interrupted.into()) } else { Ok(0) }
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let blobs = BlobDirectory::new(dir.path());
    let stored = blobs.put(&mut Interrupted(false).chain(&b"hello"[..])).unwrap();
    let file = fs::metadata(blobs.path(&stored.cid)).unwrap();
    assert_eq!(file.len(), 5);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777, 0o644);
}
