//! Files that are read once from start to end. The results equal those of a file with an index.

use std::io::Cursor;

use pds::transfer::import::Imported;
use pds::{Error, Repo};

use super::super::repo::block_count;
use super::cars::whole_repositories;
use super::damaged::Random;
use super::forged::Clay;
use super::repo_cases::{Case, all, one};
use super::support::{empty_mirror, export, import, names_in, state};

/// Imports a file in both ways, and checks that the reports and the results are the same.
fn both_ways(name: &str, bytes: &[u8], case: Option<&Case>) -> bool {
    let key = case.and_then(Case::key);
    let (once, indexed) = (empty_mirror(), empty_mirror());
    let untouched = state(&once);
    let read_once = once.transfer().import_file(Cursor::new(bytes), key);
    match (read_once, import(&indexed, bytes, key)) {
        (Ok(a), Ok(b)) => {
            same(name, &a, &b);
            assert!(export(&once.snapshot().unwrap()) == export(&indexed.snapshot().unwrap()));
            let count = |repo: &Repo| block_count(repo);
            assert_eq!(count(&once), count(&indexed), "{name}");
            assert_eq!(once.did().unwrap(), indexed.did().unwrap(), "{name}");
            true
        }
        (Err(a), Err(b)) => {
            assert_eq!(a.to_string(), b.to_string(), "{name}");
            assert_eq!(state(&once), untouched, "{name}");
            false
        }
        (once, indexed) => panic!("{name}: {once:?}, {indexed:?}"),
    }
}

fn same(name: &str, a: &Imported, b: &Imported) {
    assert_eq!(a.commit, b.commit, "{name}");
    assert_eq!(a.before, b.before, "{name}");
    assert_eq!(a.new_blocks, b.new_blocks, "{name}");
    assert_eq!(a.records, b.records, "{name}");
    assert_eq!(a.findings, b.findings, "{name}");
}

#[test]
fn repositories_of_others_and_our_exports_of_them() {
    let Some(cases) = whole_repositories() else {
        return;
    };
    for (name, _, bytes) in &cases {
        assert!(both_ways(name, bytes, None));
        let repo = empty_mirror();
        import(&repo, bytes, None).unwrap();
        let file = export(&repo.snapshot().unwrap());
        assert!(both_ways(name, &file, None));

        // Another import into the same store adds nothing, in either way.
        let before = state(&repo);
        let again = repo.transfer().import_file(Cursor::new(&file), None).unwrap();
        assert_eq!(again.new_blocks, 0, "{name}");
        assert_eq!(state(&repo), before, "{name}");
    }
}

#[test]
fn small_cases_and_every_fault() {
    let Some(cases) = all() else { return };
    let (mut taken, mut refused) = (0, 0);
    for case in &cases {
        match both_ways(&case.name, &case.bytes, Some(case)) {
            true => taken += 1,
            false => refused += 1,
        }
    }
    assert!(taken >= 25 && refused >= 50, "{taken} {refused}");
}

#[test]
fn files_that_are_cut_or_changed() {
    let Some(whole) = one("ok-tall-empty-nodes.car") else {
        return;
    };
    for end in 0..whole.bytes.len() {
        assert!(!both_ways(&format!("cut at {end}"), &whole.bytes[..end], Some(&whole)));
    }
    // The complete repository is followed by a duplicate block and by half a block.
    let extra = [&whole.bytes[..], &whole.bytes[whole.bytes.len() - 60..]].concat();
    assert!(!both_ways("with a tail", &extra, Some(&whole)));

    let mut random = Random::new();
    for round in 0..300 {
        let mut bytes = whole.bytes.clone();
        let at = random.below(bytes.len());
        bytes[at] ^= u8::try_from(1 + random.below(255)).unwrap();
        assert!(!both_ways(&format!("round {round}, byte {at}"), &bytes, Some(&whole)));
    }
}

#[test]
fn trees_that_were_bent_before_they_were_signed() {
    let Some(whole) = one("ok-preorder.car") else {
        return;
    };
    let (clay, mut random) = (Clay::of(&whole), Random::new());
    let (mut taken, mut refused) = (0, 0);
    for round in 0..300 {
        let index = random.below(clay.blocks.len());
        let mut bytes = clay.blocks[index].bytes().to_vec();
        let at = random.below(bytes.len());
        bytes[at] ^= u8::try_from(1 + random.below(255)).unwrap();
        for bytes in clay.bent(index, bytes) {
            match both_ways(&format!("round {round}"), &bytes, Some(&whole)) {
                true => taken += 1,
                false => refused += 1,
            }
        }
    }
    assert!(taken >= 20 && refused >= 20, "{taken} {refused}");
}

#[test]
fn a_file_that_turns_out_bad_at_its_end_leaves_no_clone_behind() {
    let Some(whole) = one("ok-preorder.car") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("clone");
    for bytes in [&whole.bytes[..whole.bytes.len() - 1], &whole.bytes[..100]] {
        let error = pds::local::directory::clone_file(
            &target,
            Cursor::new(bytes),
            whole.key(),
            pds::Jobs::default(),
        )
        .err()
        .unwrap();
        assert!(error.is_corrupt(), "{error}");
        assert_eq!(names_in(dir.path()), [""; 0]);
    }
    let (repo, _) = pds::local::directory::clone_file(
        &target,
        Cursor::new(&whole.bytes),
        whole.key(),
        pds::Jobs::default(),
    )
    .unwrap();
    assert!(export(&repo.snapshot().unwrap()) == whole.bytes);

    // A file of another account is refused before any of its blocks is imported.
    let Some(other) = super::support::bytes("cars/repostream-empty.car") else { return };
    let before = state(&repo);
    let refused = repo.transfer().import_file(Cursor::new(other), None);
    assert!(matches!(refused, Err(Error::WrongDid { .. })), "{refused:?}");
    assert_eq!(state(&repo), before);
}
