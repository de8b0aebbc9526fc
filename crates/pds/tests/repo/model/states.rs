//! The model: every state a repository ever had, as plain maps.

use std::collections::{BTreeMap, BTreeSet};

use pds::data::{Cid, Codec, Value};
use pds::repo::Side;

/// What a repository holds: the text of each note.
pub(super) type State = BTreeMap<String, String>;

/// A commit as the model knows it.
pub(super) struct Known {
    pub(super) cid: Cid,
    pub(super) state: State,
    /// The number of the commit before.
    pub(super) prev: Option<usize>,
    /// The number of the commit that was merged, if one was.
    pub(super) merged: Option<usize>,
}

/// A move of a ref: from, to, and what for.
pub(super) type Move = (Option<usize>, usize, String);

/// Every state there ever was, in the order in which they came to be.
#[derive(Default)]
pub(super) struct Model {
    pub(super) commits: Vec<Known>,
    /// All moves of each ref, the oldest first.
    pub(super) refs: BTreeMap<String, Vec<Move>>,
}

impl Model {
    pub(super) fn head(&self, name: &str) -> usize {
        self.refs[name].last().unwrap().1
    }

    pub(super) fn state(&self, name: &str) -> &State {
        &self.commits[self.head(name)].state
    }

    pub(super) fn moves(&mut self, name: &str, to: usize, note: &str) {
        let before = self.refs.get(name).map(|moves| moves.last().unwrap().1);
        if before != Some(to) {
            let moves = self.refs.entry(name.to_owned()).or_default();
            moves.push((before, to, note.to_owned()));
        }
    }

    /// Takes note of a new commit on a ref.
    pub(super) fn commits(
        &mut self,
        name: &str,
        cid: Cid,
        state: State,
        merged: Option<usize>,
        note: &str,
    ) {
        let prev = self.refs.get(name).map(|moves| moves.last().unwrap().1);
        self.commits.push(Known { cid, state, prev, merged });
        self.moves(name, self.commits.len() - 1, note);
    }

    /// All commits that one comes from, itself included.
    pub(super) fn ancestors(&self, commit: usize) -> BTreeSet<usize> {
        let (mut found, mut waiting) = (BTreeSet::new(), vec![commit]);
        while let Some(commit) = waiting.pop() {
            if found.insert(commit) {
                let Known { prev, merged, .. } = &self.commits[commit];
                waiting.extend(prev.iter().chain(merged));
            }
        }
        found
    }

    /// Every commit that a ref has stood at, and all that lead to one.
    pub(super) fn known(&self) -> impl Iterator<Item = usize> + use<> {
        let moves = self.refs.values().flatten();
        let stood = moves.flat_map(|(before, after, _)| before.iter().chain([after]));
        let known: BTreeSet<usize> = stood.flat_map(|commit| self.chain(*commit)).collect();
        known.into_iter()
    }

    /// The chain of a commit, the newest first.
    pub(super) fn chain(&self, commit: usize) -> Vec<usize> {
        std::iter::successors(Some(commit), |commit| self.commits[*commit].prev).collect()
    }
}

/// The paths whose text differs between two states.
pub(super) fn differing(before: &State, after: &State) -> BTreeSet<String> {
    let paths = before.keys().chain(after.keys());
    paths.filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

/// Applies to `ours` what leads from one state to another; the paths on which both went their own
/// way come out beside it, as `side` says or as they were.
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

/// Numbers that look random and are the same in every run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// A number below a limit.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    pub(super) fn path(&mut self) -> String {
        format!("com.example.note/{}", self.below(12))
    }

    pub(super) fn text(&mut self) -> String {
        format!("text {}", self.below(6))
    }

    pub(super) fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}
