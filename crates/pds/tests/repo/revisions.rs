//! Revisions: prefixes, their precedence and their ambiguity, compared with a list of all commits; and times.

use std::collections::HashMap;
use std::sync::Arc;

use pds::blob::MemoryBlobs;
use pds::car::{CarFile, CarWriter};
use pds::commit::Commit;
use pds::data::{Block, Cid, Codec, Value};
use pds::history::in_file::resolve_in_file;
use pds::mst::EMPTY_NODE;
use pds::store::{Change, Event, Expect, LogEntry, MemoryStore, RefEdit, RefName, Store};
use pds::syntax::Tid;
use pds::{Error, Repo, Revision};
use proptest::prelude::*;

/// A commit of the empty tree with a signature that is no signature.
pub(super) fn commit(rev: Tid, prev: Option<Cid>, seed: u64) -> Block {
    let mut signature = [7; 64];
    signature[..8].copy_from_slice(&seed.to_be_bytes());
    let value = Value::from([
        ("data", Value::from(Cid::of(Codec::Cbor, &EMPTY_NODE))),
        ("did", "did:web:alice.example.com".into()),
        ("prev", prev.map_or(Value::Null, Value::from)),
        ("rev", rev.to_string().into()),
        ("sig", Value::from(&signature[..])),
        ("version", 3.into()),
    ]);
    let block = Block::new(Codec::Cbor, value.encode());
    Commit::decode(&block).unwrap();
    block
}

pub(super) fn head() -> RefName {
    RefName::head()
}

pub(super) fn row(
    seq: u64,
    name: &RefName,
    before: Option<Cid>,
    after: Cid,
    at_micros: u64,
) -> LogEntry {
    let (name, event, message) = (name.clone(), Event::Set, String::new());
    LogEntry { seq, name, before, after: Some(after), at_micros, event, message }
}

/// A repository with these blocks and log. Each ref points to the commit of its last row.
pub(super) fn repo_of(blocks: &[Block], log: &[LogEntry]) -> Repo {
    let empty = Block::new(Codec::Cbor, EMPTY_NODE);
    let refs: HashMap<_, _> = log.iter().map(|row| (row.name.clone(), row.after)).collect();
    let blocks = blocks.iter().cloned().chain([empty]).map(Ok);
    let mut change = Change::new(Event::Set).blocks(blocks).history(log.iter().cloned().map(Ok));
    for (name, target) in refs {
        change = change.edit(RefEdit { name, target, expect: Expect::Any });
    }
    let store = MemoryStore::default();
    store.apply(change).unwrap();
    Repo::with(Arc::new(store), Arc::new(MemoryBlobs::default()))
}

/// A repository whose HEAD pointed to each of the commits in turn, at these times.
fn line(commits: &[(Block, u64)]) -> Repo {
    let (mut log, mut before) = (Vec::new(), None);
    for (n, (block, at)) in (1..).zip(commits) {
        log.push(row(n, &head(), before, block.cid(), *at));
        before = Some(block.cid());
    }
    repo_of(&commits.iter().map(|(block, _)| block.clone()).collect::<Vec<_>>(), &log)
}

fn tid(text: &str) -> Tid {
    text.parse().unwrap()
}

/// Resolves a text in which `T` and digits are a time in microseconds.
fn resolve(repo: &Repo, text: &str) -> pds::Result<Cid> {
    let time = |text: &str| text.strip_prefix('T')?.parse().ok();
    repo.history().resolve(&Revision::parse_with_times(text, &time)?)
}

fn reason(result: pds::Result<Cid>) -> String {
    match result.unwrap_err() {
        Error::Revision(error) => error.reason,
        other => panic!("{other}"),
    }
}

/// Two commits whose CIDs have the same six letters after the head.
pub(super) fn twins() -> [Block; 2] {
    let mut seen: HashMap<String, u64> = HashMap::new();
    for seed in 0.. {
        let made = commit(tid("3jzfcijpj2z2a"), None, seed);
        let letters = made.cid().to_string()[7..13].to_owned();
        if let Some(other) = seen.insert(letters, seed) {
            return [commit(tid("3jzfcijpj2z2a"), None, other), made];
        }
    }
    unreachable!("the loop has no end")
}

#[test]
fn parents_are_counted_in_every_spelling() {
    let commits: Vec<_> = (0..6)
        .scan(None, |prev, n| {
            let made = commit(Tid::new(1_700_000_000_000_000 + n, 1).unwrap(), *prev, n);
            *prev = Some(made.cid());
            Some((made, n))
        })
        .collect();
    let repo = line(&commits);
    for (text, expected) in [
        ("@", 5),
        ("@^", 4),
        ("HEAD^", 4),
        ("HEAD^^", 3),
        ("@~2", 3),
        ("@~1^~2", 1),
        ("HEAD^1", 4),
        ("@^^~", 2),
        ("@{1}^", 3),
        ("HEAD@{2}~1^", 1),
        ("HEAD~0", 5),
    ] {
        assert_eq!(resolve(&repo, text).unwrap(), commits[expected].0.cid(), "{text}");
    }
    let short = &commits[2].0.cid().to_string()[7..15];
    assert_eq!(resolve(&repo, &format!("{short}^")).unwrap(), commits[1].0.cid());
    assert_eq!(reason(resolve(&repo, "@^^^^^^")), "HEAD~5 has no parent");
    for (text, reason) in [
        ("", "the text is empty; write HEAD for the present state"),
        ("^", "no name before ^; write HEAD^"),
        ("HEAD^2", "a commit has one parent; write ^ or ~N"),
        ("HEAD^0", "a commit has one parent; write ^ or ~N"),
        ("HEAD~x", "x in the steps back; write ^ or ~N"),
        ("HEAD^{commit}", "{ in the steps back; write ^ or ~N"),
        ("HEAD~4294967295^", "the number of steps back is too large"),
        ("@{1", "a } is missing at the end"),
        ("@{}", "nothing between the braces; write @{1} for the state before the last move"),
        ("@{99999999999}", "the number of moves is too large"),
        ("-x@{1}", "-x before @ is not the name of a ref"),
        ("@1", "@ is followed by {N} or {TIME}; write @{1} for the state before the last move"),
        ("@{soon}", "soon is neither a number of moves nor a time; write @{2} or @{2026-11-27}"),
    ] {
        assert_eq!(text.parse::<Revision>().unwrap_err().reason, reason, "{text}");
    }
}

#[test]
fn a_ref_wins_over_a_rev_a_rev_over_a_cid_and_a_cid_over_a_time() {
    // A rev of the far future may begin with letters that begin a CID, too.
    let first = commit(tid("3jzfcijpj2z2a"), None, 1);
    let letters = first.cid().to_string()[7..13].to_owned();
    let of_rev = commit(tid(&format!("{letters}2222222")), None, 2);
    let plain = row(1, &head(), None, first.cid(), 1);
    let only_cid = repo_of(std::slice::from_ref(&first), std::slice::from_ref(&plain));
    let named = |text: &str| -> pds::Result<Cid> {
        let time = |_: &str| Some(5);
        only_cid.history().resolve(&Revision::parse_with_times(text, &time)?)
    };
    assert_eq!(named(&letters).unwrap(), first.cid());
    assert_eq!(named("2026-11-27").unwrap(), first.cid());
    let log = [plain.clone(), row(2, &head(), Some(first.cid()), of_rev.cid(), 2)];
    let both = repo_of(&[first.clone(), of_rev.clone()], &log);
    assert_eq!(resolve(&both, &letters).unwrap(), of_rev.cid());
    assert_eq!(resolve(&both, &format!("bafyrei{letters}")).unwrap(), first.cid());
    let name: RefName = letters.parse().unwrap();
    both.history().set_ref(&name, first.cid(), Expect::Absent, "").unwrap();
    assert_eq!(resolve(&both, &letters).unwrap(), first.cid());
}

#[test]
fn a_prefix_that_fits_two_commits_lists_both() {
    let [one, other] = twins();
    let letters = one.cid().to_string()[7..13].to_owned();
    let repo = line(&[(one.clone(), 1), (other.clone(), 2)]);
    for text in [letters.clone(), format!("bafyrei{letters}"), format!("{letters}~1")] {
        let error = resolve(&repo, &text).unwrap_err();
        assert!(error.is_not_found());
        let Error::Revision(error) = error else { panic!("{error}") };
        let listed: Vec<Cid> = error.candidates.iter().map(|one| one.commit).collect();
        assert!(listed.len() == 2 && listed.contains(&one.cid()) && listed.contains(&other.cid()));
        for cid in listed {
            assert!(error.reason.contains(&cid.to_string()[7..15]), "{}", error.reason);
        }
        assert!(error.reason.starts_with("2 commits begin with it: "), "{}", error.reason);
    }
    let both = line(&[(one.clone(), 1), (other, 2)]);
    let more = (13..58).map(|end| one.cid().to_string()[7..end].to_owned());
    let exact = more.map(|text| resolve(&both, &text)).find_map(Result::ok);
    assert_eq!(exact, Some(one.cid()));
    // A list ends before it fills the screen.
    let many: Vec<_> = (0..40)
        .map(|n| (commit(Tid::new(1_700_000_000_000_000 + n, 1).unwrap(), None, n), n))
        .collect();
    let rev = Tid::new(1_700_000_000_000_000, 1).unwrap().to_string();
    let said = reason(resolve(&line(&many), &rev[..6]));
    assert!(said.starts_with("8 commits or more begin with it: "), "{said}");
}

#[test]
fn short_texts_name_refs_only() {
    let made = commit(tid("3jzfcijpj2z2a"), None, 1);
    let repo = line(&[(made.clone(), 1)]);
    let cid = made.cid().to_string();
    for text in ["3jzfc", &cid[7..12], &cid[..12], "bafyrei", "e"] {
        assert_eq!(
            reason(resolve(&repo, text)),
            format!("no ref named {text}; a prefix of a rev or a CID has 6 letters or more")
        );
    }
    assert_eq!(reason(resolve(&repo, "nowhere")), "no ref named nowhere");
    let nothing = "no ref has this name, and no rev or CID of a commit begins with it";
    for text in ["aaaaaa", "3jzfcj", "bafyreiaaaaaa", "3jzfcijpj2z2b"] {
        assert_eq!(reason(resolve(&repo, text)), nothing, "{text}");
    }
    let name: RefName = "e".parse().unwrap();
    repo.history().set_ref(&name, made.cid(), Expect::Absent, "").unwrap();
    assert_eq!(resolve(&repo, "e").unwrap(), made.cid());
}

#[test]
fn a_time_names_the_state_that_the_ref_pointed_to() {
    let commits: Vec<_> = [10, 20, 20, 30]
        .into_iter()
        .zip(0..)
        .map(|(at, n)| (commit(Tid::new(1_700_000_000_000_000 + n, 1).unwrap(), None, n), at))
        .collect();
    let repo = line(&commits);
    for (at, expected) in [(10, 0), (19, 0), (20, 2), (29, 2), (30, 3), (u64::MAX, 3)] {
        for text in [format!("@{{T{at}}}"), format!("HEAD@{{T{at}}}"), format!("T{at}")] {
            assert_eq!(resolve(&repo, &text).unwrap(), commits[expected].0.cid(), "{text}");
        }
    }
    assert_eq!(resolve(&repo, "T30^").unwrap(), commits[2].0.cid());
    for text in ["@{T9}", "T9"] {
        let said = reason(resolve(&repo, text));
        assert_eq!(
            said,
            "HEAD has no state until then, and its log begins later, at 1970-01-01T00:00:00Z"
        );
    }
    for text in ["side@{T30}", "side@{1}"] {
        assert_eq!(reason(resolve(&repo, text)), "no ref named side");
    }
    let side: RefName = "side".parse().unwrap();
    repo.history().set_ref(&side, commits[1].0.cid(), Expect::Absent, "").unwrap();
    repo.history().remove_ref(&side).unwrap();
    let removed = format!("side@{{T{}}}", u64::MAX);
    assert_eq!(reason(resolve(&repo, &removed)), "the ref side had been removed at that time");
}

#[test]
fn a_time_before_the_log_names_a_commit_by_its_rev() {
    let first = commit(Tid::new(1_700_000_000_000_000, 1).unwrap(), None, 1);
    let second = commit(Tid::new(1_700_000_000_000_100, 1).unwrap(), Some(first.cid()), 2);
    // Two backups that were imported later, one after the other.
    let third = commit(Tid::new(1_700_000_000_000_500, 1).unwrap(), None, 3);
    let log = [
        row(1, &head(), None, second.cid(), 1_700_000_000_000_900),
        row(2, &head(), Some(second.cid()), third.cid(), 1_700_000_000_000_901),
    ];
    let repo = repo_of(&[first.clone(), second.clone(), third.clone()], &log);
    let states = [(899, &third), (500, &third), (499, &second), (100, &second), (99, &first)];
    for (at, expected) in states.into_iter().chain([(0, &first)]) {
        let text = format!("T{}", 1_700_000_000_000_000_u64 + at);
        assert_eq!(resolve(&repo, &text).unwrap(), expected.cid(), "{text}");
        assert!(reason(resolve(&repo, &format!("@{{{text}}}"))).contains("begins later"));
    }
    assert!(reason(resolve(&repo, "T1699999999999999")).contains("begins later"));
    let mut car = CarWriter::new(Vec::new(), &[second.cid()]).unwrap();
    for block in [&second, &first] {
        car.block(block.borrowed()).unwrap();
    }
    let file = CarFile::open(std::io::Cursor::new(car.finish().unwrap())).unwrap();
    let in_file = |text: &str| {
        let time = |text: &str| text.strip_prefix('T')?.parse().ok();
        resolve_in_file(&file, &Revision::parse_with_times(text, &time)?)
    };
    assert_eq!(in_file("T1700000000000099").unwrap(), first.cid());
    assert_eq!(in_file("T1700000000000100").unwrap(), second.cid());
    assert_eq!(in_file(&first.cid().to_string()[7..13]).unwrap(), first.cid());
    assert_eq!(in_file("@^").unwrap(), first.cid());
    let rev = Tid::new(1_700_000_000_000_000, 1).unwrap().to_string();
    assert!(reason(in_file(&rev[..8])).starts_with("2 commits begin with it: "));
    assert_eq!(in_file(&rev).unwrap(), first.cid());
    let said = reason(in_file("T5"));
    assert_eq!(said, "the file has no commit from that time or before");
    assert_eq!(reason(in_file("@{T5}")), "a CAR file has no log");
    assert_eq!(reason(in_file("nowhere")), "a CAR file has no refs");
    for text in ["3jzfc", "e", "bafyrei"] {
        assert_eq!(
            reason(in_file(text)),
            "a CAR file has no refs; a prefix of a rev or a CID has 6 letters or more"
        );
    }
    assert_eq!(
        reason(in_file("abcdefg")),
        "the file has no commit whose rev or CID begins with it"
    );
}

/// A commit of a random history: microseconds after the start, its `prev`, and the ref that pointed to it.
type Step = (u64, Option<prop::sample::Index>, Option<bool>);

fn step() -> impl Strategy<Value = Step> {
    // Most revs are close to one another, so that their prefixes are equal.
    let micros = prop_oneof![0..5_u64, 0..1_u64 << 37];
    (micros, any::<Option<prop::sample::Index>>(), any::<Option<bool>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn prefixes_find_the_commits_of_a_list(
        steps in prop::collection::vec(step(), 1..14),
        wanted in any::<prop::sample::Index>(),
        letters in 6..14_usize,
    ) {
        let names: [RefName; 2] = [head(), "side".parse().unwrap()];
        let (mut blocks, mut log, mut all): (Vec<Block>, Vec<LogEntry>, Vec<Commit>) = Default::default();
        let mut micros = 1_700_000_000_000_000;
        for (n, (passed, prev, on)) in (0..).zip(&steps) {
            micros += passed + 1;
            let rev = Tid::new(micros, 1).unwrap();
            let prev = prev.filter(|_| !blocks.is_empty()).map(|prev| prev.get(&blocks).cid());
            let made = commit(rev, prev, n);
            // The last commit is on a ref, so that the repository has one.
            let on = if n + 1 == steps.len() as u64 { Some(false) } else { *on };
            if let Some(on) = on {
                let name = &names[usize::from(on)];
                let before = log.iter().rev().find(|row| row.name == *name).and_then(|row| row.after);
                log.push(row(n + 1, name, before, made.cid(), micros));
            }
            blocks.push(made);
        }
        let repo = repo_of(&blocks, &log);
        // A commit has its name from the log, or from the `prev` of a later commit.
        let mut open: Vec<Cid> = log.iter().filter_map(|row| row.after).collect();
        while let Some(cid) = open.pop() {
            let block = blocks.iter().find(|block| block.cid() == cid).unwrap();
            let made = Commit::decode(block).unwrap();
            if all.iter().all(|other| other.cid() != cid) {
                open.extend(made.prev());
                all.push(made);
            }
        }
        let wanted = wanted.get(&all);
        let rev = wanted.rev().unwrap().to_string();
        let cid = wanted.cid().to_string();
        let of_rev = |text: &str| -> Vec<Cid> {
            let fitting = all.iter().filter(|one| one.rev().unwrap().to_string().starts_with(text));
            fitting.map(Commit::cid).collect()
        };
        let of_cid = |text: &str| -> Vec<Cid> {
            all.iter().map(Commit::cid).filter(|cid| cid.to_string()[7..].starts_with(text)).collect()
        };
        let short = &cid[7..7 + letters];
        let head_too = &cid[..7 + letters];
        for (text, expected) in [
            (&rev[..letters.min(13)], of_rev(&rev[..letters.min(13)])),
            (short, of_cid(short)),
            (head_too, of_cid(short)),
        ] {
            match (repo.history().resolve(&text.parse().unwrap()), expected.as_slice()) {
                (Ok(found), [one]) => prop_assert_eq!(found, *one),
                (Err(Error::Revision(error)), [_, _, ..]) => {
                    prop_assert_eq!(error.candidates.len(), expected.len().min(8));
                    prop_assert!(error.candidates.iter().all(|one| expected.contains(&one.commit)));
                }
                (found, expected) => prop_assert!(false, "{}: {:?} {:?}", text, found, expected),
            }
        }
    }
}
