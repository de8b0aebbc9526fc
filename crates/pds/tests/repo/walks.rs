//! The walk through a history, compared with `HEAD~N` and with the rule for parents on a plain list of commits.

use std::collections::HashSet;

use pds::data::Block;
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
            let rev = Tid::new(1_700_000_000_000_000 + rev, 1).unwrap();
            blocks.push(commit(rev, prev.map(|prev| blocks[prev].cid()), n));
        }
        blocks
    }

    /// The commits that HEAD pointed to just before it pointed to this one, the latest first.
    fn arrivals(&self, at: usize) -> Vec<usize> {
        let pairs = self.moves.windows(2).rev().filter(|pair| pair[0] != pair[1]);
        pairs.filter(|pair| pair[1] == at).map(|pair| pair[0]).collect()
    }

    /// The commits from HEAD backwards, by the rule for parents.
    fn walk(&self) -> Vec<usize> {
        let (mut walk, mut smallest, mut lost) = (Vec::new(), u64::MAX, HashSet::new());
        let mut next = self.moves.last().copied();
        while let Some(at) = next {
            walk.push(at);
            let (rev, prev) = self.commits[at];
            if self.is_stored[at] {
                smallest = smallest.min(rev);
                let is_known = |prev: &usize| self.is_stored[*prev] || self.moves.contains(prev);
                if let Some(prev) = prev.filter(is_known) {
                    next = Some(prev);
                    continue;
                }
            } else if !lost.insert(at) {
                break;
            }
            next = self.arrivals(at).into_iter().find(|before| match self.is_stored[*before] {
                true => self.commits[*before].0 < smallest,
                false => !lost.contains(before),
            });
        }
        walk
    }
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
                log.push(row(seq, &head(), before, after, seq));
                before = Some(after);
            }
        }
        let stored: Vec<Block> =
            blocks.iter().zip(&plan.is_stored).filter(|(_, is)| **is).map(|(block, _)| block.clone()).collect();
        let repo = repo_of(&stored, &log);
        let expected: Vec<Cid> = plan.walk().into_iter().map(|at| blocks[at].cid()).collect();

        let walked: Vec<_> = repo.history().commits(None).unwrap().map(Result::unwrap).collect();
        let cids: Vec<Cid> = walked.iter().map(|past| past.cid).collect();
        prop_assert_eq!(&cids, &expected);
        for (past, next) in walked.iter().zip(cids.iter().skip(1).map(Some).chain([None])) {
            prop_assert_eq!(past.parent.as_ref(), next);
            prop_assert_eq!(past.commit.is_ok(), stored.iter().any(|block| block.cid() == past.cid));
        }

        let by_name = |back: usize| -> Option<Cid> {
            let revision: Revision = format!("HEAD~{back}").parse().unwrap();
            match repo.history().resolve(&revision) {
                Err(Error::Revision(_)) => None,
                found => Some(found.unwrap()),
            }
        };
        let named: Vec<Cid> = (0..).map_while(by_name).collect();
        prop_assert_eq!(named, expected);
    }
}
