//! The old secret after a rotation, and writers that were open before it.

use std::fs;
use std::path::{Path, PathBuf};

use pds::crypto::{Curve, SigningKey};
use pds::local::key_file;
use pds::local::layout::{KEY_FILE, NEXT_KEY_FILE, OLD_KEY_FILES};
use pds::local::rotation::{RotateOptions, rotate_key, rotate_key_with};
use pds::{Error, Expected, Repo};

use super::{did, files_with, note, path};

fn create() -> (tempfile::TempDir, PathBuf, Repo) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("alice");
    let repo = Repo::create(&dir, &did()).unwrap();
    (home, dir, repo)
}

fn secret(dir: &Path, name: &str) -> Option<String> {
    fs::read_to_string(dir.join(name)).ok()
}

fn key_files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names
        .map(|name| name.into_string().unwrap())
        .filter(|name| name.starts_with(KEY_FILE) || name.starts_with(".key"))
        .collect();
    names.sort();
    names
}

#[test]
fn every_old_secret_is_kept_in_a_file_of_its_own() {
    let (_home, dir, _) = create();
    let mut secrets = vec![secret(&dir, KEY_FILE)];
    for name in ["key.old", "key.old.1", "key.old.2"] {
        rotate_key(&dir, Curve::P256).unwrap();
        assert_eq!(secret(&dir, name), *secrets.last().unwrap(), "{name}");
        secrets.push(secret(&dir, KEY_FILE));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
    assert_eq!(key_files(&dir), ["key", "key.old", "key.old.1", "key.old.2"]);
    // A file with the name, whatever it has, is not overwritten.
    let (_home, dir, _) = create();
    fs::write(dir.join(OLD_KEY_FILES), "mine").unwrap();
    let old = secret(&dir, KEY_FILE);
    rotate_key(&dir, Curve::K256).unwrap();
    assert_eq!(secret(&dir, OLD_KEY_FILES).as_deref(), Some("mine"));
    assert_eq!(secret(&dir, "key.old.1"), old);
}

#[test]
fn a_discarded_secret_is_in_no_file() {
    let (_home, dir, repo) = create();
    let old = secret(&dir, KEY_FILE).unwrap();
    // A second name of the file shows that its bytes are overwritten.
    let link = dir.parent().unwrap().join("link");
    fs::hard_link(dir.join(KEY_FILE), &link).unwrap();
    let options = RotateOptions::new(Curve::P256).discard_old(true);
    let (rotated, _) = rotate_key_with(&dir, &options).unwrap();
    assert_eq!(key_files(&dir), ["key"]);
    assert!(files_with(&dir, old.trim()).is_empty());
    assert_eq!(fs::read(&link).unwrap(), vec![0; old.len()]);
    rotated.put(&path("com.example.note/a"), &note("a")).unwrap();
    assert!(repo.verify().history(&Expected::default(), &mut |_| {}).unwrap().is_ok());

    // The file of a link belongs to others as well.
    #[cfg(unix)]
    {
        let target = dir.parent().unwrap().join("target");
        fs::rename(dir.join(KEY_FILE), &target).unwrap();
        std::os::unix::fs::symlink(&target, dir.join(KEY_FILE)).unwrap();
        let old = fs::read(&target).unwrap();
        let left = rotate_key_with(&dir, &options).unwrap_err();
        let expected = target.canonicalize().unwrap();
        assert!(matches!(&left, Error::SecretLeft { path, .. } if *path == expected), "{left}");
        assert_eq!(fs::read(&target).unwrap(), old);
        assert_eq!(key_files(&dir), ["key"]);
        // All else is done.
        let repo = Repo::open(&dir).unwrap();
        repo.put(&path("com.example.note/b"), &note("b")).unwrap();
    }
}

#[test]
fn a_rotation_that_is_completed_later_keeps_the_old_secret_once() {
    for was_kept in [false, true] {
        let (_home, dir, repo) = create();
        let old = secret(&dir, KEY_FILE);
        let next = SigningKey::generate(Curve::P256).unwrap();
        key_file::write_new(dir.join(NEXT_KEY_FILE), &next).unwrap();
        repo.keys().rotate(&next).unwrap();
        if was_kept {
            fs::copy(dir.join(KEY_FILE), dir.join(OLD_KEY_FILES)).unwrap();
        }
        let repo = Repo::open(&dir).unwrap();
        assert_eq!(repo.public_key().unwrap(), Some(next.public_key()));
        assert_eq!(
            (secret(&dir, OLD_KEY_FILES), key_files(&dir)),
            (old, vec!["key".to_owned(), "key.old".to_owned()])
        );
    }
}

#[test]
fn a_writer_that_was_open_before_a_rotation_continues_with_the_new_key() {
    let (_home, dir, writer) = create();
    let branch = writer.on("branch".parse().unwrap());
    writer.put(&path("com.example.note/a"), &note("a")).unwrap();
    for n in 0..3 {
        let (rotated, _) = rotate_key(&dir, Curve::P256).unwrap();
        let written = writer.put(&path(&format!("com.example.note/n{n}")), &note("n")).unwrap();
        written.commit.verify(&rotated.public_key().unwrap().unwrap()).unwrap();
        writer.keys().check_signer().unwrap();
    }
    branch.init(&did()).unwrap();
    let report = writer.verify().history(&Expected::default(), &mut |_| {}).unwrap();
    assert!(report.is_ok());

    // A rotation that was interrupted is completed by the writer.
    let next = SigningKey::generate(Curve::K256).unwrap();
    key_file::write_new(dir.join(NEXT_KEY_FILE), &next).unwrap();
    Repo::open(&dir).unwrap();
    fs::rename(
        dir.join(next.public_key().did_key().replace("did:key:", "key.unused-")),
        dir.join(NEXT_KEY_FILE),
    )
    .unwrap();
    let mirror = pds::local::open::open_without_key(&dir).unwrap();
    let old = key_file::read(dir.join(KEY_FILE)).unwrap().unwrap();
    mirror.signing_with(old).keys().rotate(&next).unwrap();
    let written = writer.put(&path("com.example.note/last"), &note("x")).unwrap();
    written.commit.verify(&next.public_key()).unwrap();
    assert!(!dir.join(NEXT_KEY_FILE).exists());

    // Without the new key, the writer signs nothing.
    let gone = SigningKey::generate(Curve::K256).unwrap();
    writer.keys().rotate(&gone).unwrap();
    let refused = writer.put(&path("com.example.note/never"), &note("x")).unwrap_err();
    assert!(matches!(refused, Error::WrongKey { .. }), "{refused}");
}

#[test]
fn a_writer_that_waits_for_a_rotation_is_busy() {
    let (_home, dir, writer) = create();
    let next = SigningKey::generate(Curve::K256).unwrap();
    // Another process has stored the commit, and holds the lock.
    key_file::write_new(dir.join(NEXT_KEY_FILE), &next).unwrap();
    let lock = fs::File::open(&dir).unwrap();
    lock.lock().unwrap();
    writer.keys().rotate(&next).unwrap();
    let busy = writer.put(&path("com.example.note/a"), &note("a")).unwrap_err();
    assert!(busy.is_busy(), "{busy}");
    lock.unlock().unwrap();
    writer.put(&path("com.example.note/a"), &note("a")).unwrap();
}
