//! Stores of every format whose file is damaged: what is saved of them.

use std::fs;
use std::path::Path;

use pds::repo::repair::salvage_database;
use pds::repo::verify::Expected;
use pds::repo::{Repo, STORE_FILE};
use pds::store::SqliteStore;

use super::formats::{copy, testdata};
use super::note;

const PAGE_BYTES: usize = 8_192;

/// A store of a format as it is, or after it was written with this release; and its records.
fn store(home: &Path, format: &str, is_written: bool) -> (std::path::PathBuf, usize) {
    let dir = home.join(format!("{format}-{is_written}"));
    copy(&testdata().join("formats").join(format), &dir);
    let repo = Repo::open(&dir).unwrap();
    if is_written {
        let key = pds::crypto::SigningKey::generate(pds::crypto::Curve::K256).unwrap();
        let repo = repo.clone().signing_with(key.clone());
        repo.remember_key(&pds::crypto::Signer::public_key(&key)).unwrap();
        for n in 0..5 {
            repo.put(&format!("com.example.note/new{n}").parse().unwrap(), &note("new")).unwrap();
        }
    }
    let records = repo.snapshot().unwrap().records().count();
    (dir, records)
}

#[test]
fn a_first_page_that_is_gone_costs_nothing_in_any_format() {
    let home = tempfile::tempdir().unwrap();
    for (format, is_written) in [("v1", false), ("v1", true), ("v2", false), ("v2", true)] {
        let what = format!("{format} {is_written}");
        let (dir, records) = store(home.path(), format, is_written);
        let before = Repo::open(&dir).unwrap();
        let (head, refs) = (before.head().unwrap(), before.refs().unwrap());
        let log = before.log(usize::MAX).unwrap();
        drop(before);
        let path = dir.join(STORE_FILE);
        let whole = fs::read(&path).unwrap();
        for harm in ["zeroed", "overwritten", "cut short"] {
            let mut file = whole.clone();
            match harm {
                "zeroed" => file[..PAGE_BYTES].fill(0),
                "overwritten" => file[..PAGE_BYTES].fill(b'x'),
                _ => file[..100].fill(0xff),
            }
            fs::write(&path, file).unwrap();
            assert!(!SqliteStore::check_file(&path).unwrap().is_empty(), "{what} {harm}");
            salvage_database(&dir).unwrap();
            let repo = Repo::open(&dir).unwrap();
            assert_eq!(
                (repo.head().unwrap(), repo.refs().unwrap()),
                (head, refs.clone()),
                "{what}"
            );
            assert_eq!(repo.log(usize::MAX).unwrap(), log, "{what} {harm}");
            let report = repo.verify(&Expected::default(), &mut |f| panic!("{what}: {f}")).unwrap();
            assert_eq!(report.records, records as u64, "{what} {harm}");
            assert!(repo.survey(&[]).unwrap().is_clean(), "{what} {harm}");
        }
    }
}

#[test]
fn any_page_that_is_gone_leaves_the_rest_in_any_format() {
    let home = tempfile::tempdir().unwrap();
    for (format, is_written) in [("v1", false), ("v1", true), ("v2", true)] {
        let (dir, _) = store(home.path(), format, is_written);
        let path = dir.join(STORE_FILE);
        let whole = fs::read(&path).unwrap();
        let all = SqliteStore::salvage(&path, &home.path().join("all.db")).unwrap();
        fs::remove_file(home.path().join("all.db")).unwrap();
        for page in 0..whole.len() / PAGE_BYTES {
            let what = format!("{format} {is_written} {page}");
            let mut file = whole.clone();
            file[page * PAGE_BYTES..][..PAGE_BYTES].fill(0);
            fs::write(&path, file).unwrap();
            let to = home.path().join(format!("{what}.db"));
            // All blocks may stand on one page: then that is all.
            let saved = match SqliteStore::salvage(&path, &to) {
                Err(error) => {
                    assert!(error.to_string().contains("no block in it can be read"), "{what}");
                    continue;
                }
                saved => saved.unwrap(),
            };
            assert!(saved.sound <= all.sound && saved.moves <= all.moves, "{what}");
            assert_eq!(SqliteStore::check_file(&to).unwrap(), Vec::<String>::new(), "{what}");
        }
    }
}
