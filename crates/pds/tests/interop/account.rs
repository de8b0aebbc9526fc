//! One account through time: five exports of another PDS, imported one after another.

use std::collections::HashSet;

use pds::commit::Commit;
use pds::data::{Block, Cid};
use pds::store::{Event, RefName};
use pds::transfer::export::export_since;
use pds::{Error, RecordChange, Repo, Revision, Snapshot};
use pds::{Expected, Stage};

use super::super::repo::block_count;
use super::support::{blocks, bytes, empty_mirror, export, import, records, state, verify};

/// Returns the exports, oldest first. Each has one record more than the export before.
const EXPORTS: [&str; 5] = [
    "cars/dnproto-msttest-01-new.car",
    "cars/dnproto-msttest-03-setprofile.car",
    "cars/dnproto-msttest-04-firstpost.car",
    "cars/dnproto-msttest-05-firstlike.car",
    "cars/dnproto-msttest-06-reply.car",
];

fn exports() -> Option<Vec<Vec<u8>>> {
    EXPORTS.iter().map(|path| bytes(path)).collect()
}

fn mirror_of(export: &[u8]) -> Repo {
    let repo = empty_mirror();
    import(&repo, export, None).unwrap();
    repo
}

/// Returns a repository that has imported every export, and its commits in the order of the imports.
fn grown() -> Option<(Repo, Vec<Commit>)> {
    let repo = empty_mirror();
    let mut commits = Vec::new();
    for export in exports()? {
        commits.push(import(&repo, &export, None).unwrap().commit);
    }
    Some((repo, commits))
}

fn cids(file: &[u8]) -> Vec<Cid> {
    blocks(file).iter().map(Block::cid).collect()
}

fn since(snapshot: &Snapshot, before: &Snapshot) -> Vec<u8> {
    let mut file = Vec::new();
    export_since(snapshot, before, &mut file, &mut |_| {}).unwrap();
    file
}

#[test]
fn each_import_adds_only_what_is_new() {
    let Some(exports) = exports() else { return };
    let repo = empty_mirror();
    let mut known: HashSet<Cid> = HashSet::new();
    let mut before: Option<Commit> = None;
    for (name, export) in EXPORTS.iter().zip(&exports) {
        let arriving: HashSet<Cid> = cids(export).into_iter().collect();
        let new = arriving.difference(&known).count() as u64;
        let imported = import(&repo, export, None).unwrap();
        assert_eq!(imported.new_blocks, new, "{name}");
        assert!(imported.findings.is_empty(), "{name}");
        assert_eq!(imported.before.map(|commit| commit.cid()), before.map(|commit| commit.cid()));
        known.extend(arriving);
        assert_eq!(block_count(&repo), known.len() as u64, "{name}");
        before = Some(imported.commit);
    }
}

#[test]
fn the_log_tells_where_head_has_been() {
    let Some((repo, commits)) = grown() else {
        return;
    };
    let log = repo.history().log(usize::MAX).unwrap();
    let moves: Vec<_> = log.iter().map(|row| (row.before, row.after)).collect();
    let mut expected: Vec<_> =
        commits.windows(2).map(|pair| (Some(pair[0].cid()), Some(pair[1].cid()))).collect();
    expected.insert(0, (None, Some(commits[0].cid())));
    expected.reverse();
    assert_eq!(moves, expected);
    // The first file began the repository, and the log lists the newest row first.
    let first = log.len() - 1;
    assert!(log.iter().enumerate().all(|(at, row)| {
        row.event == Event::Import { key: None, replaces: None, begins: at == first }
    }));
    assert_eq!(repo.history().log(2).unwrap(), log[..2]);

    // None of these commits names a parent, so stepping back follows the log.
    assert!(commits.iter().all(|commit| commit.prev().is_none()));
    let head = commits.len() - 1;
    for (back, commit) in commits.iter().rev().enumerate() {
        for text in [
            format!("HEAD~{back}"),
            format!("@{{{back}}}"),
            commit.rev().unwrap().to_string(),
            commit.cid().to_string(),
        ] {
            let revision: Revision = text.parse().unwrap();
            assert_eq!(repo.history().resolve(&revision).unwrap(), commit.cid(), "{text}");
            let state = repo.checkout(&revision).unwrap();
            assert_eq!(records(&state).len(), head - back, "{text}");
        }
    }
    for text in ["HEAD~5", "@{5}", "3jzfcijpj2z2a"] {
        let revision = text.parse().unwrap();
        let error = repo.history().resolve(&revision).unwrap_err();
        assert!(error.is_not_found(), "{text}: {error}");
    }
}

#[test]
fn the_difference_between_two_revs_is_the_records_in_between() {
    let Some((repo, commits)) = grown() else {
        return;
    };
    let at = |commit: &Commit| -> Revision { commit.rev().unwrap().to_string().parse().unwrap() };
    for (i, before) in commits.iter().enumerate() {
        for (j, after) in commits.iter().enumerate() {
            let older = records(&repo.checkout(&at(before)).unwrap());
            let newer = records(&repo.checkout(&at(after)).unwrap());
            let mut expected: Vec<RecordChange> = Vec::new();
            for (here, there, created) in [(&newer, &older, true), (&older, &newer, false)] {
                expected.extend(here.iter().filter(|entry| !there.contains(entry)).map(|entry| {
                    RecordChange {
                        path: entry.path.clone(),
                        before: (!created).then_some(entry.cid),
                        after: created.then_some(entry.cid),
                    }
                }));
            }
            expected.sort_by(|a, b| a.path.cmp(&b.path));
            assert_eq!(expected.len(), i.abs_diff(j));
            assert_eq!(repo.history().diff(&at(before), &at(after)).unwrap(), expected);
        }
    }
    let all = repo.history().changes(None, Some(commits[4].cid())).unwrap();
    assert_eq!(all.len(), 4);
}

#[test]
fn a_clone_goes_by_a_slice_from_where_it_stands_to_anywhere() {
    let (Some(exports), Some((repo, commits))) = (exports(), grown()) else {
        return;
    };
    for i in 0..commits.len() {
        // The revisions go forwards to later states, and backwards too.
        for j in (0..commits.len()).filter(|j| *j != i) {
            let clone = mirror_of(&exports[i]);
            let target = repo.checkout(&commits[j].cid().into()).unwrap();
            let slice = since(&target, &clone.snapshot().unwrap());

            let [there, wanted]: [HashSet<Cid>; 2] =
                [i, j].map(|at| HashSet::from_iter(cids(&exports[at])));
            let sent = cids(&slice);
            assert_eq!(sent[0], commits[j].cid(), "the commit comes first");
            let distinct: HashSet<Cid> = sent.iter().copied().collect();
            assert_eq!(distinct, &wanted - &there, "what is new, and no more");
            assert_eq!(distinct.len(), sent.len(), "and that once");

            let imported = import(&clone, &slice, None).unwrap();
            assert_eq!(imported.new_blocks, sent.len() as u64);
            assert_eq!(clone.head().unwrap(), Some(commits[j].cid()));
            assert!(export(&clone.snapshot().unwrap()) == export(&target));
            let report = clone.verify().present(&Expected::default(), &mut |_| {}).unwrap();
            assert!(report.is_ok() && report.is_complete());
        }
    }
}

#[test]
fn a_slice_is_refused_where_its_base_is_not() {
    let (Some(exports), Some((repo, _))) = (exports(), grown()) else {
        return;
    };
    // This slice was made for a reader that has the third state, so it does not contain the profile.
    let slice = since(&repo.snapshot().unwrap(), &mirror_of(&exports[2]).snapshot().unwrap());
    let (report, _) = verify(&slice, &Expected::default());
    assert!(!report.is_ok() && !report.is_complete());

    for clone in [empty_mirror(), mirror_of(&exports[0])] {
        let before = state(&clone);
        match import(&clone, &slice, None) {
            Err(Error::Refused(finding)) => assert_eq!(finding.stage(), Stage::Completeness),
            other => panic!("{other:?}"),
        }
        assert_eq!(state(&clone), before);
    }
}

#[test]
fn states_of_another_ref_share_the_blocks() {
    let Some(exports) = exports() else { return };
    let repo = mirror_of(&exports[4]);
    let head = repo.head().unwrap();
    let backup: RefName = "backup".parse().unwrap();
    let imported = import(&repo.on(backup.clone()), &exports[3], None).unwrap();
    let [there, arriving]: [HashSet<Cid>; 2] =
        [4, 3].map(|at: usize| HashSet::from_iter(cids(&exports[at])));
    assert_eq!(imported.new_blocks, (&arriving - &there).len() as u64);
    assert!(imported.new_blocks < arriving.len() as u64);
    assert!(imported.before.is_none(), "this ref did not exist");
    assert_eq!(repo.head().unwrap(), head, "the other one has not moved");
    assert_eq!(repo.history().diff(&backup.into(), &Revision::head()).unwrap().len(), 1);
}

#[test]
fn another_accounts_repository_is_refused_and_nothing_changes() {
    let (Some(other), Some((repo, _))) = (bytes("cars/repostream-tiny.car"), grown()) else {
        return;
    };
    let before = state(&repo);
    for handle in [repo.clone(), repo.on("other".parse().unwrap())] {
        match import(&handle, &other, None) {
            Err(Error::WrongDid { expected, found }) => {
                assert_eq!(expected.as_str(), "did:plc:tyme6enconikdp7rnxkywdcg");
                assert_eq!(found.as_str(), "did:plc:7hptvnhdyeu53xp6rz7e42iy");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(state(&repo), before);
}
