//! The walk through a history and through a file, compared with `HEAD~N`, with times, and with the rule for parents on a
//! plain list of commits.

use std::io::Cursor;

use pds::car::{CarFile, CarWriter};
use pds::data::Block;
use pds::history::commits_in_file::commits_in_file;
use pds::history::in_file::resolve_in_file;
use pds::syntax::Tid;
use pds::{Cid, Error, Revision};
use proptest::prelude::*;

use super::revisions::{commit, head, repo_of, row};

/// A history as plain lists: commits with their revs and parents, those that are stored, and the moves of HEAD.
#[derive(Clone, Debug)]
struct Plan {
    /// The rev of each commit, and the commit that its `prev` names.
    commits: Vec<(u64, Option<usize>)>,
    is_stored: Vec<bool>,
    moves: Vec<usize>,
}

fn plans() -> impl Strategy<Value = Plan> {
    (1_usize..12).prop_flat_map(|count| {
        let commit = |n: usize| {
            (0_u64..20, prop::option::of(0..n.max(1)).prop_map(move |at| at.filter(|_| n > 0)))
        };
        let commits: Vec<_> = (0..count).map(commit).collect();
        let is_stored = prop::collection::vec(prop::bool::weighted(0.8), count);
        let moves = prop::collection::vec(0..count, 1..20);
        (commits, is_stored, moves).prop_map(|(commits, mut is_stored, moves)| {
            // The present state is stored.
            if let Some(last) = moves.last() {
                is_stored[*last] = true;
            }
            Plan { commits, is_stored, moves }
        })
    })
}

impl Plan {
    fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        for (n, (rev, prev)) in (0..).zip(&self.commits) {
            let rev = Tid::new(START + rev, 1).unwrap();
            blocks.push(commit(rev, prev.map(|prev| blocks[prev].cid()), n));
        }
        blocks
    }

    /// The commits that HEAD pointed to just before it pointed to this one, the latest first.
    fn arrivals(&self, at: usize) -> Vec<usize> {
        let pairs = self.moves.windows(2).rev().filter(|pair| pair[0] != pair[1]);
        pairs.filter(|pair| pair[1] == at).map(|pair| pair[0]).collect()
    }

    /// The commits from HEAD backwards.
    fn walk(&self, from: Option<usize>) -> Vec<usize> {
        let known = |prev: usize| self.is_stored[prev] || self.moves.contains(&prev);
        self.walk_by(from, &self.is_stored, &known, &|at, _| self.arrivals(at))
    }

    /// The commits of a walk, by the rule for parents. No commit comes twice.
    fn walk_by(
        &self,
        from: Option<usize>,
        is_readable: &[bool],
        is_known: &dyn Fn(usize) -> bool,
        candidates: &dyn Fn(usize, u64) -> Vec<usize>,
    ) -> Vec<usize> {
        let (mut walk, mut smallest, mut has_jumped) = (Vec::new(), u64::MAX, false);
        let mut next = from;
        while let Some(at) = next {
            assert!(!walk.contains(&at), "{at} comes twice in {self:?}");
            walk.push(at);
            let (rev, prev) = self.commits[at];
            let mut prev = prev.filter(|prev| is_readable[at] && is_known(*prev));
            if is_readable[at] {
                smallest = smallest.min(rev);
            }
            let leads_on = |to: &usize, is_bound: bool| match is_readable[*to] {
                true => !is_bound || self.commits[*to].0 < smallest,
                false => !walk.contains(to),
            };
            prev = prev.filter(|prev| leads_on(prev, has_jumped));
            has_jumped |= prev.is_none();
            let mut others = candidates(at, smallest).into_iter();
            next = prev.or_else(|| others.find(|other| leads_on(other, true)));
        }
        walk
    }

    /// The first commit of a walk until a rev, or the unreadable one that may be it.
    fn until(&self, walk: &[usize], is_readable: &[bool], rev: u64) -> Option<usize> {
        let is_meant = |at: &usize| is_readable[*at] && self.commits[*at].0 <= rev;
        let end = walk.iter().position(is_meant);
        let later = &walk[..end.unwrap_or(walk.len())];
        match later.last() {
            Some(last) if !is_readable[*last] => Some(*last),
            _ => end.map(|end| walk[end]),
        }
    }
}

const START: u64 = 1_700_000_000_000_000;

/// Parses a revision, in which `T` and digits are a time in microseconds.
fn revision(text: &str) -> Revision {
    Revision::parse_with_times(text, &|text| text.strip_prefix('T')?.parse().ok()).unwrap()
}

/// The commits that `HEAD`, `HEAD~1` and so on name.
fn named(resolve: &dyn Fn(&Revision) -> pds::Result<Cid>) -> Vec<Cid> {
    let by_name = |back: usize| match resolve(&revision(&format!("HEAD~{back}"))) {
        Err(Error::Revision(_)) => None,
        found => Some(found.unwrap()),
    };
    (0..).map_while(by_name).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_walk_has_the_commits_of_head_and_its_parents(plan in plans()) {
        let blocks = plan.blocks();
        let (mut log, mut before) = (Vec::new(), None);
        for (seq, at) in (1..).zip(&plan.moves) {
            let after = blocks[*at].cid();
            if before != Some(after) {
                // The log begins after all revs, so that a time is that of a rev.
                log.push(row(seq, &head(), before, after, START + 1_000 + seq));
                before = Some(after);
            }
        }
        let stored: Vec<Block> =
            blocks.iter().zip(&plan.is_stored).filter(|(_, is)| **is).map(|(block, _)| block.clone()).collect();
        let repo = repo_of(&stored, &log);
        let cids = |walk: Vec<usize>| walk.into_iter().map(|at| blocks[at].cid()).collect::<Vec<_>>();
        let expected = cids(plan.walk(plan.moves.last().copied()));

        let walked = |from: Option<&Revision>| -> Vec<_> {
            repo.history().commits(from).unwrap().map(Result::unwrap).collect()
        };
        let all = walked(None);
        prop_assert_eq!(all.iter().map(|past| past.cid).collect::<Vec<_>>(), expected.clone());
        for (past, next) in all.iter().zip(expected.iter().skip(1).map(Some).chain([None])) {
            prop_assert_eq!(past.parent.as_ref(), next);
            prop_assert_eq!(past.commit.is_ok(), stored.iter().any(|block| block.cid() == past.cid));
        }
        prop_assert_eq!(&named(&|at| repo.history().resolve(at)), &expected);
        for back in 0..expected.len() {
            let tail = walked(Some(&revision(&format!("HEAD~{back}"))));
            prop_assert_eq!(tail.iter().map(|past| past.cid).collect::<Vec<_>>(), &expected[back..]);
        }
        let of_head = plan.walk(plan.moves.last().copied());
        for rev in 0..20 {
            let meant = plan.until(&of_head, &plan.is_stored, rev).filter(|at| plan.is_stored[*at]);
            match repo.history().resolve(&revision(&format!("T{}", START + rev))) {
                Err(Error::Revision(_)) => prop_assert_eq!(meant, None),
                found => prop_assert_eq!(Some(found.unwrap()), meant.map(|at| blocks[at].cid())),
            }
        }
    }

    #[test]
    fn a_walk_in_a_file_has_the_commits_of_head_and_its_parents(
        plan in plans(),
        is_absent in prop::collection::vec(prop::bool::weighted(0.3), 12),
    ) {
        let blocks = plan.blocks();
        let root = *plan.moves.last().unwrap();
        let mut car = CarWriter::new(Vec::new(), &[blocks[root].cid()]).unwrap();
        let mut harm = Vec::new();
        for (at, block) in blocks.iter().enumerate() {
            if !plan.is_stored[at] && is_absent[at] {
                continue;
            }
            car.block(block.borrowed()).unwrap();
            harm.extend((!plan.is_stored[at]).then_some(block));
        }
        let mut bytes = car.finish().unwrap();
        for block in harm {
            let at = bytes.windows(block.bytes().len()).position(|part| part == block.bytes()).unwrap();
            bytes[at + block.bytes().len() - 3] ^= 1;
        }
        let file = CarFile::open_unchecked(Cursor::new(bytes)).unwrap();
        let is_known = |at: usize| plan.is_stored[at] || !is_absent[at];
        let lower = |_: usize, smallest: u64| -> Vec<usize> {
            let lower = (0..blocks.len()).filter(|at| plan.is_stored[*at] && plan.commits[*at].0 < smallest);
            lower.max_by_key(|at| (plan.commits[*at].0, blocks[*at].cid())).into_iter().collect()
        };
        let walk = plan.walk_by(Some(root), &plan.is_stored, &is_known, &lower);
        let expected: Vec<Cid> = walk.iter().map(|at| blocks[*at].cid()).collect();

        let walked = |from: Option<&Revision>| -> Vec<_> {
            commits_in_file(&file, from).unwrap().map(Result::unwrap).collect()
        };
        let all = walked(None);
        prop_assert_eq!(all.iter().map(|past| past.cid).collect::<Vec<_>>(), expected.clone());
        for (at, past) in walk.iter().zip(&all) {
            prop_assert_eq!(past.commit.is_ok(), plan.is_stored[*at]);
            let prev = plan.commits[*at].1.filter(|_| plan.is_stored[*at]).map(|prev| blocks[prev].cid());
            let is_cut = past.parent.is_some() && prev.is_some() && past.parent != prev;
            prop_assert_eq!(past.is_cut, is_cut);
        }
        prop_assert_eq!(&named(&|at| resolve_in_file(&file, at)), &expected);
        for back in 0..expected.len() {
            let tail = walked(Some(&revision(&format!("HEAD~{back}"))));
            prop_assert_eq!(tail.iter().map(|past| past.cid).collect::<Vec<_>>(), &expected[back..]);
        }
        for rev in 0..20 {
            let meant = plan.until(&walk, &plan.is_stored, rev);
            match resolve_in_file(&file, &revision(&format!("T{}", START + rev))) {
                Err(Error::Revision(_)) => prop_assert_eq!(meant, None),
                Err(error) => prop_assert!(error.is_corrupt() && !plan.is_stored[meant.unwrap()], "{}", error),
                Ok(found) => prop_assert_eq!(Some(found), meant.map(|at| blocks[at].cid())),
            }
        }
    }
}

#[test]
fn a_log_that_leads_to_a_commit_before_its_prev_ends() {
    let tid = |micros| Tid::new(START + micros, 1).unwrap();
    let later = commit(tid(9), None, 1);
    let earlier = commit(tid(1), Some(later.cid()), 2);
    let [first, second] = [earlier.cid(), later.cid()];
    let log = [
        row(1, &head(), None, first, START + 1_000),
        row(2, &head(), Some(first), second, START + 2_000),
    ];
    let repo = repo_of(&[later, earlier], &log);
    let time = |text: &str| repo.history().resolve(&revision(text));
    assert!(matches!(time(&format!("T{START}")).unwrap_err(), Error::Revision(_)));
    assert_eq!(time(&format!("T{}", START + 1)).unwrap(), first);
    assert_eq!(named(&|at| repo.history().resolve(at)), [second, first]);
}
