//! Garbage collection and purges of a repository and its model.

use std::num::NonZeroUsize;

use pds::retain::forget::Forget;
use pds::retain::gc::Keep;

use crate::repo::{files_with, moves, path};

use super::Trial;

impl Trial {
    /// Collects unreachable blocks. All states in the log stay, unless the log is shortened first.
    pub(super) fn collect(&mut self, states: Option<NonZeroUsize>) {
        let before = self.model.here().len();
        if let Some(states) = states {
            self.model.keep(|_, _, later| later < states.get());
            self.takes("collection of older states");
        }
        let swept = self.repo.retain().gc(&Keep::default().states(states), &mut |_| {}).unwrap();
        assert_eq!(swept.states, (before - self.model.here().len()) as u64);
        self.takes("collection");
    }

    /// Forgets a record. The refs that have it get a commit without it, and all states that had it are deleted.
    pub(super) fn forget(&mut self) {
        // Of two records, fewer states have this one. Often every state has one of them, and no other state would be
        // left.
        let paths = [self.dice.path(), self.dice.path()];
        let here = self.model.here();
        let states_with = |at: &String| {
            here.iter().filter(|n| self.model.commits[**n].state.contains_key(at)).count()
        };
        let at = paths.into_iter().min_by_key(states_with).unwrap();
        let with = states_with(&at);
        assert_eq!(self.is_in_files(&at), self.dir.is_some() && with > 0, "{at}");
        let what = Forget::Records(vec![path(&at)]);
        let weighed = self.repo.retain().plan_forget(&what, &mut |_| {}).unwrap().forgotten;
        let forgotten = self.repo.retain().forget(&what, &mut |_| {}).unwrap();
        assert!(forgotten.swept.remains.is_none());
        assert_eq!((weighed.swept.states, forgotten.swept.states), (with as u64, with as u64));
        let names = self.model.names().into_iter();
        let had: Vec<String> =
            names.filter(|name| self.model.state(name).contains_key(&at)).collect();
        let written = forgotten.written.iter().map(|(name, _)| name.as_str());
        assert!(written.eq(had.iter().map(String::as_str)), "{had:?}");
        for (name, cid) in forgotten.written {
            let mut state = self.model.state(name.as_str()).clone();
            state.remove(&at);
            self.model.commits(name.as_str(), cid, state, "forget");
        }
        self.model.keep(|commit, _, _| !commit.state.contains_key(&at));
        assert!(!self.is_in_files(&at), "{at}");
        match (with, had.len()) {
            (0, _) => {}
            (_, 0) => self.takes("forgetting of what is only in the past"),
            (..) => self.takes("forgetting of what is there"),
        }
    }

    pub(super) fn forget_before(&mut self) {
        let moves = moves(&self.repo);
        let one = self.dice.below(moves.len());
        let (what, first) = match moves[one].after {
            Some(cid) if self.dice.below(2) == 0 => {
                let state = self.model.commits.iter().position(|known| known.cid == cid);
                (Forget::BeforeState(cid.into()), self.model.arrival("HEAD", state.unwrap()))
            }
            _ => {
                let time = moves[one].at_micros;
                let first = moves.iter().position(|row| row.at_micros >= time).unwrap();
                (Forget::BeforeTime(time), self.model.when()[first])
            }
        };
        let before = self.model.here().len();
        self.model.keep(|_, arrival, _| arrival.at >= first);
        let forgotten = self.repo.retain().forget(&what, &mut |_| {}).unwrap();
        assert_eq!(forgotten.swept.states, (before - self.model.here().len()) as u64);
        if forgotten.swept.states > 0 {
            self.takes("forgetting of older states");
        }
    }

    /// Returns whether any file of the repository contains a text.
    pub(super) fn is_in_files(&self, bytes: &str) -> bool {
        let bytes = bytes.rsplit('/').next().unwrap();
        self.dir.as_deref().is_some_and(|dir| !files_with(dir, bytes).is_empty())
    }
}
