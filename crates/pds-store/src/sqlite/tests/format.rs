//! Tests of files of other formats, and of files that are not stores.

use super::*;
use crate::error::StoreError;
use crate::sqlite::schema::FORMAT;
use crate::sqlite::store::SqliteStore;

/// Creates a store, and sets a number in the header of its file.
fn with_number(dir: &Path, pragma: &str, number: i32) -> PathBuf {
    let path = dir.join(format!("{pragma}{number}.db"));
    apply(&SqliteStore::create(&path).unwrap(), 0..3);
    Connection::open(&path).unwrap().pragma_update(None, pragma, number).unwrap();
    path
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let format = |number: i32| with_number(dir.path(), "user_version", number);
    assert_eq!(FORMAT, 1);
    let path = format(1);
    SqliteStore::open(&path).unwrap();
    assert_eq!(SqliteStore::check_file(&path).unwrap(), Vec::<String>::new());
    for number in [2, 3, 57, 99] {
        let path = format(number);
        match SqliteStore::open(&path).map(drop).unwrap_err() {
            StoreError::NewerFormat { found, supported } => {
                assert_eq!((found, supported), (number.cast_unsigned(), FORMAT));
            }
            other => panic!("{other:?}"),
        }
        // This release cannot determine whether the file is damaged.
        let checked = SqliteStore::check_file(&path);
        assert!(matches!(checked, Err(StoreError::NewerFormat { .. })), "{checked:?}");
        let to = dir.path().join("salvaged.db");
        let salvaged = SqliteStore::salvage(&path, &to);
        assert!(matches!(salvaged, Err(StoreError::NewerFormat { .. })), "{salvaged:?}");
        assert!(!to.exists());
    }
}

#[test]
fn a_format_number_that_no_release_writes_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    for number in [0, -1, 0x7f00_0001, 100, i32::MIN] {
        let path = with_number(dir.path(), "user_version", number);
        match SqliteStore::open(&path).map(drop).unwrap_err() {
            StoreError::Damaged(error) => {
                assert_eq!(error.to_string(), format!("the format number is {number}"));
            }
            other => panic!("{number}: {other:?}"),
        }
        assert_eq!(SqliteStore::check_file(&path).unwrap().len(), 1, "{number}");
        // The content is saved nevertheless.
        let to = dir.path().join(format!("to{number}.db"));
        assert_eq!(SqliteStore::salvage(&path, &to).unwrap().sound, 3, "{number}");
        let salvaged = SqliteStore::open(&to).unwrap();
        assert_eq!(head(&salvaged), Some(block(0).cid()), "{number}");
    }
}

#[test]
fn the_mark_of_a_file_tells_an_unreleased_format_from_other_files() {
    let dir = tempfile::tempdir().unwrap();
    let unreleased = i32::from_be_bytes(*b"pds1");
    let path = with_number(dir.path(), "application_id", unreleased);
    let error = SqliteStore::open(&path).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::UnreleasedFormat), "{error:?}");
    let checked = SqliteStore::check_file(&path);
    assert!(matches!(checked, Err(StoreError::UnreleasedFormat)), "{checked:?}");
    let salvaged = SqliteStore::salvage(&path, dir.path().join("to.db"));
    assert!(matches!(salvaged, Err(StoreError::UnreleasedFormat)), "{salvaged:?}");
    for other in [0, 1, -1, i32::from_be_bytes(*b"pds2"), unreleased.swap_bytes()] {
        let path = with_number(dir.path(), "application_id", other);
        let error = SqliteStore::open(&path).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore(_)), "{other}: {error:?}");
        assert_eq!(SqliteStore::check_file(&path).unwrap().len(), 1, "{other}");
    }
}

#[test]
fn other_files_are_not_stores() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pds.db");
    let not_a_store = |path: &Path| {
        let error = SqliteStore::open(path).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore(_)), "{error:?}");
    };
    not_a_store(&path);
    std::fs::write(&path, b"").unwrap();
    not_a_store(&path);
    std::fs::write(&path, vec![b'x'; 4096]).unwrap();
    not_a_store(&path);
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    not_a_store(&path);
    assert!(SqliteStore::create(&path).is_err(), "the file exists");
}
