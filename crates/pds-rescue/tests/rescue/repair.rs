//! The damage matrix: for each kind of block and of damage, the findings, the readable records, the repaired records,
//! and the exact losses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
use std::sync::{Arc, Mutex};

use pds::car::{CarFile, CarReader, CarWriter};
use pds::data::{Blocks, Cid};
use pds::mst::{Step, walk};
use pds::verify::car::verify_car;
use pds::{Code, Expected, Finding, Progress, Severity, StepKind};
use pds::{Repo, Write};
use pds_rescue::{Quarantine, Recovered, Sources, recover};

use super::account::{
    Account, HARMS, Harm, KINDS, Kind, RECORDS, assert_clean, covers, each, elsewhere, findings,
    is_named, put, rebuild, records, text,
};
use super::{path, refs, version};

#[test]
fn each_harm_in_a_store_is_named_and_hides_no_record_elsewhere() {
    each(|kind, harm, account| {
        let (what, (cid, lost)) = (format!("{kind:?} {harm:?}"), account.pick(kind));
        let repo = account.open();
        let found = findings(&repo);
        let is_damaged = !matches!(harm, Harm::Missing | Harm::WrongKey);
        let code = match kind {
            Kind::Commit => Code::CommitMissing,
            Kind::Root | Kind::Inner | Kind::Leaf => Code::NodeMissing,
            Kind::Record => Code::RecordMissing,
        };
        let codes: Vec<Code> = found.iter().map(Finding::code).collect();
        let expected = if is_damaged { vec![Code::BlockDamaged, code] } else { vec![code] };
        assert_eq!(codes, expected, "{what}: {found:?}");
        assert!(found.iter().all(|finding| finding.cid == Some(cid)), "{what}: {found:?}");
        if kind == Kind::Record {
            assert_eq!(found.last().unwrap().path.as_ref(), lost.first(), "{what}");
        }
        let survey = pds_rescue::Rescue::of(&repo).survey(&[]).unwrap();
        assert_eq!(survey.damaged().len(), usize::from(harm != Harm::Missing), "{what}");
        if harm == Harm::WrongKey {
            assert!(survey.lost.is_empty() && survey.found().contains_key(&cid), "{what}");
        } else {
            let [lost] = survey.lost.as_slice() else { panic!("{what}: {:?}", survey.lost) };
            assert_eq!(
                (lost.cid, lost.ref_name.as_ref()),
                (cid, Some(repo.history().ref_name())),
                "{what}"
            );
        }
        if matches!(kind, Kind::Commit | Kind::Root) {
            return;
        }
        let hidden: BTreeSet<String> = account.reached_through(cid).union(&lost).cloned().collect();
        let snapshot = repo.snapshot().unwrap();
        let listed = snapshot.records().filter_map(Result::ok).map(|entry| entry.path.to_string());
        let listed: BTreeSet<String> = listed.collect();
        for record in account.records.keys().filter(|record| !hidden.contains(*record)) {
            assert!(repo.find(&path(record)).unwrap().is_some(), "{what} {record}");
            assert!(listed.contains(record), "{what} {record}");
        }
    });
}

#[test]
fn a_good_copy_makes_each_harmed_store_whole_again() {
    each(|kind, harm, account| {
        let what = format!("{kind:?} {harm:?}");
        let repo = account.open();
        let copy = CarFile::open(Cursor::new(&account.car)).unwrap();
        let survey = pds_rescue::Rescue::of(&repo).survey(&[&copy]).unwrap();
        assert!(survey.lost.is_empty(), "{what}: {:?}", survey.lost);
        let quarantine = Quarantine::of(&account.dir);
        let mut keep = |block: &_, bytes: &[u8]| quarantine.keep(block, bytes);
        pds_rescue::Rescue::of(&repo).mend(&survey, &[&copy], &mut keep).unwrap();
        assert_clean(&repo, &what);
        assert!(pds_rescue::Rescue::of(&repo).survey(&[]).unwrap().is_clean(), "{what}");
        assert_eq!(repo.head().unwrap(), Some(account.head), "{what}: no ref moves");
        assert_eq!(records(&repo), account.records, "{what}");
        let name = match harm {
            Harm::Missing => return assert!(!quarantine.path().exists(), "{what}"),
            Harm::WrongKey => elsewhere(),
            _ => account.pick(kind).0,
        };
        let kept = fs::read(quarantine.path().join(name.to_string())).unwrap();
        assert!(!name.names(&kept), "{what}: what was damaged is kept as it was");
    });
}

#[test]
fn rebuilding_loses_exactly_what_was_harmed() {
    each(|kind, harm, account| {
        let (what, (_, expected)) = (format!("{kind:?} {harm:?}"), account.pick(kind));
        let before = account.open();
        let rev = before.history().log(1).unwrap()[0].at_micros;
        let (repo, rebuilt) = rebuild(account);
        assert_clean(&repo, &what);
        let left = records(&repo);
        assert!(left.iter().all(|(path, cid)| account.records[path] == *cid), "{what}");
        let lost: BTreeSet<String> =
            account.records.keys().filter(|path| !left.contains_key(*path)).cloned().collect();
        if harm == Harm::WrongKey {
            assert!(!rebuilt.is_new && lost.is_empty(), "{what}: its bytes were here");
            return;
        }
        assert_eq!(lost, expected, "{what}");
        assert!(lost.iter().all(|path| is_named(&rebuilt.lost, path)), "{what}: {rebuilt:?}");
        assert!(left.keys().all(|path| !is_named(&rebuilt.lost, path)), "{what}: {rebuilt:?}");
        assert_eq!((rebuilt.before, rebuilt.records), (account.head, left.len() as u64), "{what}");
        assert!(rebuilt.commit.rev().unwrap().micros() >= rev, "{what}");
        let first = repo.history().log(usize::MAX).unwrap().last().unwrap().after;
        let prev = if kind == Kind::Commit { first } else { Some(account.head) };
        assert_eq!((rebuilt.is_new, rebuilt.commit.prev()), (true, prev), "{what}");
        if matches!(kind, Kind::Leaf | Kind::Inner | Kind::Root) {
            let nameless: BTreeSet<Cid> = rebuilt.without_path.iter().copied().collect();
            let expected = expected.iter().map(|path| account.records[path]).collect();
            assert_eq!(nameless, expected, "{what}: the records are here, their paths are not");
        }
    });
}

#[test]
fn each_harm_in_a_car_file_is_named_with_its_offset() {
    let account = Account::new();
    for (kind, harm) in KINDS.into_iter().flat_map(|kind| HARMS.map(|harm| (kind, harm))) {
        let (what, (cid, lost)) = (format!("{kind:?} {harm:?}"), account.pick(kind));
        let (file, at) = account.harmed_car(cid, harm);
        let mut found = Vec::new();
        let mut add = |finding: Finding| {
            if finding.severity() == Severity::Error {
                found.push((finding.code(), finding.cid, finding.offset, finding.path));
            }
        };
        verify_car(Cursor::new(&file), &Expected::default(), &mut add).unwrap();
        let code = match kind {
            Kind::Commit => Code::CommitMissing,
            Kind::Root | Kind::Inner | Kind::Leaf => Code::NodeMissing,
            Kind::Record => Code::RecordMissing,
        };
        let mut expected = Vec::new();
        if harm != Harm::Missing {
            let claimed = if harm == Harm::WrongKey { elsewhere() } else { cid };
            expected.push((Code::BlockDamaged, Some(claimed), Some(at), None));
        }
        let path = lost.first().cloned().filter(|_| kind == Kind::Record);
        expected.push((code, Some(cid), None, path));
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn recovering_a_car_file_loses_exactly_what_was_harmed_and_nothing_with_a_good_copy() {
    let account = Account::new();
    let whole: Arc<dyn Blocks> = Arc::new(CarFile::open(Cursor::new(account.car.clone())).unwrap());
    for (kind, harm) in KINDS.into_iter().flat_map(|kind| HARMS.map(|harm| (kind, harm))) {
        let (what, (cid, expected)) = (format!("{kind:?} {harm:?}"), account.pick(kind));
        let (file, _) = account.harmed_car(cid, harm);
        let car = Arc::new(CarFile::salvage(Cursor::new(file), &mut |_| ()).unwrap());
        let (mut left, mut lost, mut nameless) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        let recovery = recover(&car, car.as_ref(), &mut |recovered| {
            match recovered {
                Recovered::Record { key, block } => {
                    left.insert(text(key.as_bytes()), block.cid());
                }
                Recovered::Lost { part, cid, .. } => lost.push((part, cid)),
                Recovered::WithoutPath { block } => drop(nameless.insert(block.cid())),
                other => panic!("{what}: {other:?}"),
            }
            Ok(())
        });
        let recovery = recovery.unwrap();
        assert_eq!((recovery.records, recovery.lost), (left.len() as u64, lost.len() as u64));
        assert!(left.iter().all(|(path, cid)| account.records[path] == *cid), "{what}");
        let gone: BTreeSet<String> =
            account.records.keys().filter(|path| !left.contains_key(*path)).cloned().collect();
        assert_eq!(gone, expected, "{what}");
        assert!(lost.iter().all(|(_, lost)| *lost == Some(cid)), "{what}: {lost:?}");
        assert!(gone.iter().all(|path| lost.iter().any(|(part, _)| covers(part, path))), "{what}");
        assert!(!left.keys().any(|path| lost.iter().any(|(part, _)| covers(part, path))), "{what}");
        if !matches!(kind, Kind::Record | Kind::Commit) {
            let expected = expected.iter().map(|path| account.records[path]).collect();
            assert_eq!(nameless, expected, "{what}");
        }
        let sources = Sources(vec![car.clone(), whole.clone()]);
        let recovery = recover(&car, &sources, &mut |_| Ok(())).unwrap();
        assert_eq!((recovery.records, recovery.lost), (RECORDS as u64, 0), "{what}");
        assert_eq!(recovery.commit.unwrap().cid(), account.head, "{what}");
    }
}

#[test]
fn of_two_states_without_commits_every_record_is_there_and_has_no_place() {
    let account = Account::new();
    let repo = account.open();
    let deleted: Vec<Write> =
        account.records.keys().step_by(9).map(|p| Write::delete(path(p))).collect();
    repo.write(&deleted).unwrap();
    repo.write(&[put(1, "changed")]).unwrap();
    let mut file = CarWriter::new(Vec::new(), &[elsewhere()]).unwrap();
    for car in [account.car.clone(), export(&repo)] {
        // The first block is the commit. All other blocks are copied.
        for block in CarReader::new(&car[..]).unwrap().skip(1) {
            file.block(block.unwrap().borrowed()).unwrap();
        }
    }
    let file = file.finish().unwrap();
    let car = CarFile::salvage(Cursor::new(file), &mut |error| panic!("{error}")).unwrap();
    let mut unplaced = BTreeSet::new();
    let recovery = recover(&car, &car, &mut |recovered| {
        if let Recovered::Unplaced { key, block } = recovered {
            unplaced.insert((text(key.as_bytes()), block.cid()));
        }
        Ok(())
    });
    let recovery = recovery.unwrap();
    assert_eq!((recovery.records, recovery.commit), (0, None));
    let both: BTreeSet<(String, Cid)> = account.records.into_iter().chain(records(&repo)).collect();
    assert_eq!(unplaced, both);
}

#[test]
fn a_deleted_or_replaced_record_does_not_come_back() {
    let account = Account::new();
    let repo = account.open();
    // Past states may share every node of the present state except the lost one.
    let deleted: Vec<String> = account.records.keys().step_by(7).cloned().collect();
    repo.write(&deleted.iter().map(|p| Write::delete(path(p))).collect::<Vec<_>>()).unwrap();
    repo.write(&[put(1, "changed")]).unwrap();
    let present = records(&repo);
    let root = repo.snapshot().unwrap().commit().data();
    for cid in [root, account.nodes[0].cid] {
        let name = cid.as_bytes().as_slice();
        account.sql().execute("DELETE FROM blocks WHERE cid = ?1", [name]).unwrap();
        let (repo, rebuilt) = rebuild(&account);
        assert_clean(&repo, "rebuilt");
        for (path, cid) in records(&repo) {
            assert_eq!(present.get(&path), Some(&cid), "{path} was not there, or was another");
        }
        let left = records(&repo);
        let lost = present.keys().filter(|path| !left.contains_key(*path));
        assert!(rebuilt.lost.is_empty() || lost.clone().all(|p| is_named(&rebuilt.lost, p)));
    }
}

#[test]
fn several_damaged_sources_together_make_a_whole() {
    let account = Account::new();
    let (repo, whole) = (account.open(), CarFile::open(Cursor::new(&account.car)).unwrap());
    account.sql().execute("UPDATE blocks SET bytes = x'a0'", []).unwrap();
    let blocks = account.nodes.iter().map(|n| n.cid).chain(account.records.values().copied());
    let mut sources = [pds::data::MemoryBlocks::default(), pds::data::MemoryBlocks::default()];
    for (number, cid) in blocks.chain([account.head]).enumerate() {
        sources[number % 2].insert(whole.get(&cid).unwrap().unwrap());
    }
    let [a, b] = &sources;
    let one = pds_rescue::Rescue::of(&repo).survey(&[a]).unwrap();
    assert!(!one.lost.is_empty());
    let both: [&dyn Blocks; 2] = [a, b];
    let survey = pds_rescue::Rescue::of(&repo).survey(&both).unwrap();
    // The first commit, which is empty, is in neither source.
    assert_eq!(survey.lost.iter().filter(|lost| lost.ref_name.is_some()).count(), 0);
    pds_rescue::Rescue::of(&repo).mend(&survey, &both, &mut |_, _| Ok(())).unwrap();
    assert_clean(&repo, "mended");
    assert_eq!(records(&repo), account.records);
}

#[test]
fn nothing_changes_when_the_quarantine_cannot_be_written_or_there_is_no_key() {
    let account = Account::new();
    let (cid, _) = account.pick(Kind::Record);
    account.harm(cid, Harm::FlippedBit);
    let repo = account.open();
    let before = (refs(&repo), version(&repo));
    let mirror = pds::local::open::open_without_key(&account.dir).unwrap();
    let refused = pds_rescue::Rescue::of(&mirror).rebuild(&mut |_, _| Ok(())).unwrap_err();
    assert!(matches!(refused, pds::Error::NoSigner));
    let key = pds::crypto::SigningKey::generate(pds::crypto::Curve::K256).unwrap();
    let refused =
        pds_rescue::Rescue::of(&mirror.signing_with(key)).rebuild(&mut |_, _| Ok(())).unwrap_err();
    assert!(matches!(refused, pds::Error::WrongKey { .. }), "{refused}");
    let failing = pds_rescue::Rescue::of(&repo).rebuild(&mut |_, _| Err(pds::Error::NoSigner));
    assert!(failing.is_err());
    assert_eq!((refs(&repo), version(&repo)), before);
    assert_eq!(
        pds_rescue::Rescue::of(&repo).survey(&[]).unwrap().damaged().len(),
        1,
        "it is where it was"
    );
}

/// After random losses in present and past states, every kept record was there before, and every lost record is
/// reported.
#[test]
fn random_losses_bring_nothing_back_and_leave_nothing_unsaid() {
    let mut state = 7_u64;
    let mut random = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..40 {
        let account = Account::new();
        let repo = account.open();
        for _ in 0..random(6) {
            let mut picked = BTreeSet::new();
            let writes: Vec<Write> = (0..=random(12))
                .filter_map(|_| {
                    let n = random(RECORDS);
                    let there = repo.find(&path(&format!("com.example.note/n{n:04}"))).unwrap();
                    let write = match there {
                        Some(record) if random(2) == 0 => Write::delete(record.path),
                        _ => put(n, &format!("{}", random(1_000_000))),
                    };
                    picked.insert(n).then_some(write)
                })
                .collect();
            repo.write(&writes).unwrap();
        }
        let present = records(&repo);
        let snapshot = repo.snapshot().unwrap();
        let names: Vec<Cid> = walk(snapshot.blocks(), snapshot.commit().data())
            .filter_map(|step| match step.unwrap() {
                Step::Node { block, .. } => Some(block.cid()),
                Step::Entry { value, .. } => (random(10) == 0).then_some(value),
            })
            .collect();
        let gone: BTreeSet<Cid> = (0..=random(4)).map(|_| names[random(names.len())]).collect();
        for cid in &gone {
            let name = cid.as_bytes().as_slice();
            account.sql().execute("DELETE FROM blocks WHERE cid = ?1", [name]).unwrap();
        }
        // The new handle has an empty cache.
        let afresh = account.open().snapshot().unwrap();
        let reached: BTreeSet<String> = afresh
            .records()
            .filter_map(Result::ok)
            .filter(|entry| !gone.contains(&entry.cid))
            .map(|entry| entry.path.to_string())
            .collect();
        let (repo, rebuilt) = rebuild(&account);
        assert_clean(&repo, "rebuilt");
        let left = records(&repo);
        for (path, cid) in &left {
            assert_eq!(present.get(path), Some(cid), "{round}: {path} came back");
            assert!(!is_named(&rebuilt.lost, path), "{round}: {path} is not lost");
        }
        assert!(reached.iter().all(|path| left.contains_key(path)), "{round}");
        for path in present.keys().filter(|path| !left.contains_key(*path)) {
            assert!(is_named(&rebuilt.lost, path), "{round}: {path} {:?}", rebuilt.lost);
        }
    }
}

fn export(repo: &Repo) -> Vec<u8> {
    let mut car = Vec::new();
    repo.transfer().export(&"HEAD".parse().unwrap(), &mut car).unwrap();
    car
}

#[test]
fn a_survey_counts_every_block_and_then_the_records_of_the_states() {
    let account = Account::new();
    let repo = account.open();
    let steps = Mutex::new(Vec::new());
    let count = |step, more: u64| {
        let mut steps = steps.lock().unwrap();
        match steps.last_mut() {
            Some((last, count)) if *last == step => *count += more,
            _ => steps.push((step, more)),
        }
    };
    let rescue = pds_rescue::Rescue::of(&repo).with_progress(Progress::new(&count));
    let survey = rescue.survey(&[]).unwrap();
    let steps = steps.into_inner().unwrap();
    let [(StepKind::Blocks, blocks), (StepKind::Records, records)] = steps[..] else {
        panic!("{steps:?}")
    };
    assert_eq!(blocks, survey.blocks);
    assert!(records >= RECORDS as u64, "{records}");
}
