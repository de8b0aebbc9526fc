//! Tests of the key file.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use super::*;
use pds_core::crypto::curve::Curve;

struct Place {
    directory: tempfile::TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    Place { directory, path }
}

fn key() -> SigningKey {
    SigningKey::generate(Curve::P256).unwrap()
}

fn write_raw(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    set_owner_only(&File::open(path).unwrap()).unwrap();
}

fn names(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.directory.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_new_file_is_the_multikey_and_a_newline() {
    let (place, key) = (place(), key());
    write_new(&place.path, &key).unwrap();
    assert_eq!(fs::read_to_string(&place.path).unwrap(), format!("{}\n", *key.to_multikey()));
    assert_eq!(read(&place.path).unwrap().unwrap().to_multikey(), key.to_multikey());
    assert_eq!(names(&place), ["key"], "no temporary file stays");
}

#[test]
fn a_new_file_removes_those_of_killed_processes() {
    let (place, key) = (place(), key());
    let [left, own] = [".key.killed.tmp", ".key.own"].map(|name| place.directory.path().join(name));
    fs::write(&left, "a secret").unwrap();
    fs::write(&own, "stays").unwrap();
    let running = write_temporary(place.directory.path(), &key).unwrap();
    write_new(&place.path, &key).unwrap();
    assert!(!left.exists() && own.exists() && running.path().exists());
}

#[test]
fn no_file_is_none() {
    assert!(read(&place().path).unwrap().is_none());
}

#[test]
fn a_new_file_never_replaces_another() {
    let (place, first) = (place(), key());
    write_new(&place.path, &first).unwrap();
    let refused = write_new(&place.path, &key());
    assert!(matches!(refused, Err(KeyFileError::Exists { .. })));
    assert_eq!(read(&place.path).unwrap().unwrap().public_key(), first.public_key());
    assert_eq!(names(&place), ["key"]);
}

#[test]
#[cfg(unix)]
fn a_new_file_does_not_follow_a_dangling_link() {
    let place = place();
    std::os::unix::fs::symlink(place.directory.path().join("target"), &place.path).unwrap();
    let refused = write_new(&place.path, &key());
    assert!(matches!(refused, Err(KeyFileError::Exists { .. })));
    assert_eq!(names(&place), ["key"]);
}

#[test]
#[cfg(unix)]
fn files_are_for_their_owner_alone_from_the_start() {
    let place = place();
    write_new(&place.path, &key()).unwrap();
    assert_eq!(mode(&place.path), 0o600);
    replace(&place.path, &key()).unwrap();
    assert_eq!(mode(&place.path), 0o600);

    set_mode(&place.path, 0o644);
    replace(&place.path, &key()).unwrap();
    assert_eq!(mode(&place.path), 0o600, "the mode of the old file is not kept");

    fs::remove_file(&place.path).unwrap();
    replace(&place.path, &key()).unwrap();
    assert_eq!(mode(&place.path), 0o600);
}

#[test]
fn replace_leaves_the_new_key_and_no_other_file() {
    let (place, second) = (place(), key());
    write_new(&place.path, &key()).unwrap();
    replace(&place.path, &second).unwrap();
    assert_eq!(read(&place.path).unwrap().unwrap().public_key(), second.public_key());
    assert_eq!(names(&place), ["key"]);
}

#[test]
#[cfg(unix)]
fn files_open_to_others_are_refused() {
    let place = place();
    write_new(&place.path, &key()).unwrap();
    for bad in [0o640, 0o620, 0o604, 0o602, 0o644, 0o666, 0o777, 0o610] {
        set_mode(&place.path, bad);
        let error = read(&place.path).unwrap_err();
        assert!(matches!(error, KeyFileError::Exposed { mode, .. } if mode == bad));
        let message = error.to_string();
        assert!(message.contains("chmod 600") && message.contains("/key "), "{message}");
        assert!(message.contains(&format!("{bad:04o}")), "{message}");
    }
    for good in [0o600, 0o400, 0o700] {
        set_mode(&place.path, good);
        assert!(read(&place.path).unwrap().is_some());
    }
}

#[test]
fn files_up_to_4_kib_are_read() {
    let (place, key) = (place(), key());
    let mut content = key.to_multikey().as_bytes().to_vec();
    content.resize(MAX_FILE_SIZE_BYTES, b'\n');
    write_raw(&place.path, &content);
    assert!(read(&place.path).unwrap().is_some());

    content.push(b'\n');
    write_raw(&place.path, &content);
    assert!(matches!(read(&place.path), Err(KeyFileError::TooLong { .. })));
}

#[test]
fn errors_name_the_path_and_nothing_of_the_content() {
    let place = place();
    let hex = "a5".repeat(32);
    let mistyped = format!("{}!", *key().to_multikey());
    for content in ["", "\n", "zSECRET", &hex, &mistyped, "\u{0}"].map(str::as_bytes) {
        write_raw(&place.path, content);
        let error = read(&place.path).unwrap_err();
        assert!(matches!(error, KeyFileError::Invalid { .. }));
        let shown = format!("{error} {error:?} {}", error.source().unwrap());
        assert!(shown.contains("/key"), "{shown}");
        for secret in ["SECRET", "a5a5", &mistyped[..20]] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    write_raw(&place.path, b"\xff\xfe");
    assert!(matches!(read(&place.path), Err(KeyFileError::Invalid { .. })));
}

#[test]
fn a_directory_in_the_way_is_an_io_error() {
    let place = place();
    fs::create_dir(&place.path).unwrap();
    assert!(matches!(read(&place.path), Err(KeyFileError::Io { .. })));
    assert!(matches!(write_new(&place.path, &key()), Err(KeyFileError::Exists { .. })));
    assert!(matches!(replace(&place.path, &key()), Err(KeyFileError::Io { .. })));
    assert_eq!(names(&place), ["key"]);

    let nowhere = place.directory.path().join("no/such/key");
    assert!(matches!(write_new(&nowhere, &key()), Err(KeyFileError::Io { .. })));
    assert!(read(&nowhere).unwrap().is_none());
}

#[test]
#[cfg(unix)]
fn a_fifo_or_a_device_in_the_way_is_an_io_error_at_once() {
    let fifo = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg("-m600").arg(path).status();
        assert!(made.unwrap().success());
    };
    let device = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    for make in [&fifo as &dyn Fn(&Path), &device] {
        let place = place();
        make(&place.path);
        let (sender, receiver) = std::sync::mpsc::channel();
        let path = place.path.clone();
        std::thread::spawn(move || sender.send(read(&path).map(|_| ())));
        let answer = receiver.recv_timeout(std::time::Duration::from_secs(10));
        let error = answer.expect("an answer in time").unwrap_err();
        let source = error.source().unwrap().to_string();
        assert_eq!(source, "it is not a regular file");
        assert!(matches!(write_new(&place.path, &key()), Err(KeyFileError::Exists { .. })));
        replace(&place.path, &key()).unwrap();
        assert!(read(&place.path).unwrap().is_some());
    }
}

#[test]
fn a_bare_name_is_in_the_current_directory() {
    assert_eq!(directory_of(Path::new("key")), Path::new("."));
    assert_eq!(directory_of(Path::new("repo/key")), Path::new("repo"));
    assert_eq!(directory_of(Path::new("/key")), Path::new("/"));
}
