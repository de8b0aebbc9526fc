//! The model: every state of a repository, as plain maps.

use std::collections::{BTreeMap, BTreeSet};

use pds::Side;
use pds::data::{Cid, Codec, Value};

/// The content of a repository: the text of each note.
pub(super) type State = BTreeMap<String, String>;

/// A commit in the model.
pub(super) struct Known {
    pub(super) cid: Cid,
    pub(super) state: State,
    /// The number of its parent commit.
    pub(super) prev: Option<usize>,
}

/// A move of a ref.
#[derive(Clone)]
pub(super) struct Move {
    /// The time of the move, counted over the moves of all refs.
    pub(super) at: usize,
    /// The number of the commit, or `None` if the ref was removed.
    pub(super) to: Option<usize>,
    pub(super) note: String,
    /// The number of the merged commit, if there is one.
    pub(super) merged: Option<usize>,
}

/// Every state, in the order of their creation, and the present content of the log.
#[derive(Default)]
pub(super) struct Model {
    pub(super) commits: Vec<Known>,
    /// The moves of each ref, oldest first, including those of removed refs.
    pub(super) refs: BTreeMap<String, Vec<Move>>,
    clock: usize,
}

impl Model {
    /// Returns the names of the existing refs.
    pub(super) fn names(&self) -> Vec<String> {
        self.refs.keys().filter(|name| self.stands(name).is_some()).cloned().collect()
    }

    pub(super) fn stands(&self, name: &str) -> Option<usize> {
        self.refs.get(name)?.last()?.to
    }

    pub(super) fn head(&self, name: &str) -> usize {
        self.stands(name).unwrap()
    }

    pub(super) fn state(&self, name: &str) -> &State {
        &self.commits[self.head(name)].state
    }

    pub(super) fn moves(&mut self, name: &str, to: Option<usize>, note: &str) {
        if self.stands(name) != to {
            self.clock += 1;
            let (at, note) = (self.clock, note.to_owned());
            self.refs.entry(name.to_owned()).or_default().push(Move { at, to, note, merged: None });
        }
    }

    /// Records a new commit on a ref.
    pub(super) fn commits(&mut self, name: &str, cid: Cid, state: State, note: &str) {
        let prev = self.stands(name);
        self.commits.push(Known { cid, state, prev });
        self.moves(name, Some(self.commits.len() - 1), note);
    }

    /// Records a commit that was made elsewhere, and returns its number.
    pub(super) fn arrives(&mut self, cid: Cid, state: State, prev: usize) -> usize {
        self.commits.push(Known { cid, state, prev: Some(prev) });
        self.commits.len() - 1
    }

    /// Records which commit the last move of a ref has merged.
    pub(super) fn merges(&mut self, name: &str, merged: usize) {
        self.refs.get_mut(name).unwrap().last_mut().unwrap().merged = Some(merged);
    }

    /// Deletes states. The targets of the refs stay, and so do the states that `stays` selects by the move and the
    /// number of later moves of its ref. A ref does not move to its own target.
    pub(super) fn keep(&mut self, stays: impl Fn(&Known, &Move, usize) -> bool) {
        for moves in self.refs.values_mut() {
            let last = moves.len() - 1;
            let mut kept: Vec<Move> = Vec::new();
            for (n, one) in moves.iter().enumerate() {
                let stays = match one.to {
                    Some(commit) => n == last || stays(&self.commits[commit], one, last - n),
                    None => true,
                };
                if stays && kept.last().and_then(|before| before.to) != one.to {
                    kept.push(one.clone());
                }
            }
            *moves = kept;
        }
        self.refs.retain(|_, moves| !moves.is_empty());
    }

    /// Returns the time of the first move of a ref to a commit, or else that of any ref.
    pub(super) fn arrival(&self, name: &str, commit: usize) -> usize {
        let to_it = |moves: &Vec<Move>| {
            moves.iter().filter(|one| one.to == Some(commit)).map(|one| one.at).min()
        };
        to_it(&self.refs[name]).or_else(|| self.refs.values().filter_map(to_it).min()).unwrap()
    }

    /// Returns the times of all moves, over all refs.
    pub(super) fn when(&self) -> Vec<usize> {
        let all: BTreeSet<usize> = self.refs.values().flatten().map(|one| one.at).collect();
        all.into_iter().collect()
    }

    /// Returns the existing commits. A commit that the log does not name is deleted.
    pub(super) fn here(&self) -> BTreeSet<usize> {
        self.refs.values().flatten().filter_map(|one| one.to).collect()
    }

    /// Returns the parent of a commit, if it exists.
    pub(super) fn prev(&self, commit: usize) -> Option<usize> {
        self.commits[commit].prev.filter(|prev| self.here().contains(prev))
    }

    /// Returns all known ancestors of a commit, including the commit itself.
    pub(super) fn ancestors(&self, commit: usize) -> BTreeSet<usize> {
        let here = self.here();
        let (mut found, mut waiting) = (BTreeSet::new(), vec![commit]);
        while let Some(commit) = waiting.pop() {
            if here.contains(&commit) && found.insert(commit) {
                let arrivals = self.refs.values().flatten().filter(|one| one.to == Some(commit));
                waiting.extend(self.commits[commit].prev);
                waiting.extend(arrivals.filter_map(|one| one.merged));
            }
        }
        found
    }

    /// Returns the steps back on a ref. A step goes to the parent, or else to the target of the ref before its last
    /// move to the commit from an earlier one.
    pub(super) fn chain(&self, name: &str, commit: usize) -> Vec<usize> {
        let before = |commit: &usize| {
            let before = self.refs[name].windows(2).rev().find_map(|pair| {
                let came = pair[1].to == Some(*commit);
                pair[0].to.filter(|before| came && before < commit)
            });
            self.prev(*commit).or(before)
        };
        std::iter::successors(Some(commit), before).collect()
    }
}

/// Returns the paths whose text differs between two states.
pub(super) fn differing(before: &State, after: &State) -> BTreeSet<String> {
    let paths = before.keys().chain(after.keys());
    paths.filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

/// Applies the changes from `base` to `theirs` to `ours`. `side` decides about the paths that both sides have changed
/// differently. Without it, these paths are returned as conflicts.
pub(super) fn three_way(
    base: &State,
    ours: &State,
    theirs: &State,
    side: Option<Side>,
) -> (State, Vec<String>) {
    let (mut result, mut conflicts) = (ours.clone(), Vec::new());
    for path in differing(base, theirs) {
        if ours.get(&path) == theirs.get(&path) {
            continue;
        }
        if ours.get(&path) != base.get(&path) {
            match side {
                None => conflicts.push(path.clone()),
                Some(Side::Theirs) => {}
                Some(Side::Ours) => continue,
            }
        }
        match theirs.get(&path) {
            Some(text) => result.insert(path, text.clone()),
            None => result.remove(&path),
        };
    }
    (result, conflicts)
}

pub(super) fn cid_of(text: &str) -> Cid {
    let kind = ("$type", Value::from("com.example.note"));
    Cid::of(Codec::Cbor, &Value::from([kind, ("text", Value::from(text))]).encode())
}

/// Random numbers that are the same in every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// Returns a number below a limit.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    /// Returns a path whose text occurs nowhere else, so that a test can search for it in raw files.
    pub(super) fn path(&mut self) -> String {
        let letter = char::from(b'a' + u8::try_from(self.below(16)).unwrap());
        format!("com.example.note/{letter}-is-the-key")
    }

    /// Returns a text that only the record at this path has, or one that other records may have too.
    pub(super) fn text(&mut self, path: &str) -> String {
        match self.below(9) {
            n @ 0..4 => format!("text {n} of {path}"),
            n => format!("text {n}"),
        }
    }

    pub(super) fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}
