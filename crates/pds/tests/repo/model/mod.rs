//! A repository under random use, compared with a model that keeps every state as a plain map.
//!
//! After each step, the repository and the model must give the same answers: each state by each of its names, the
//! differences between states, the log, and the versions of a record. A step that is impossible in the model must fail
//! and change nothing. A forgotten record must be in no answer and in no file. The repository is closed and opened
//! again from time to time.

mod check;
mod copies;
mod device;
mod states;
mod sweeps;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use pds::blob::MemoryBlobs;
use pds::commit::Commit;
use pds::crypto::{Curve, SigningKey};
use pds::data::Cid;
use pds::merge::commit::{MergeBase, MergeKind, MergeOptions};
use pds::store::{Expect, MemoryStore};
use pds::{Error, Repo, Resolution, Side, Write};

use self::states::{Dice, Model, State, differing, three_way};
use super::{action, did, note, path};

type Rotate = dyn Fn(&Repo) -> (Repo, Commit);
type Copy = dyn Fn(&Repo) -> Repo;

/// A repository and its model.
struct Trial {
    /// Opens the repository again.
    open: Box<dyn Fn() -> Repo>,
    /// Gives the repository another key.
    rotate: Box<Rotate>,
    /// Replaces the repository by a copy.
    copy: Box<Copy>,
    /// The directory of the repository, if it is in files.
    dir: Option<PathBuf>,
    repo: Repo,
    model: Model,
    dice: Dice,
    /// The number of times that each outcome of a step occurred.
    taken: BTreeMap<&'static str, usize>,
}

impl Trial {
    fn in_memory(seed: u64) -> Self {
        let key = Arc::new(Mutex::new(SigningKey::generate(Curve::K256).unwrap()));
        let stored =
            || Repo::with(Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
        let (held, place) = (key.clone(), Arc::new(Mutex::new(stored())));
        let copied = place.clone();
        let open = move || {
            let key = held.lock().unwrap().clone();
            place.lock().unwrap().clone().signing_with(key)
        };
        let copy = move |repo: &Repo| {
            let copy = stored();
            copy.transfer().copy_of(repo.transfer(), None).unwrap();
            *copied.lock().unwrap() = copy.clone();
            copy
        };
        open().init(&did()).unwrap();
        let rotate = move |repo: &Repo| {
            let next = SigningKey::generate(Curve::P256).unwrap();
            *key.lock().unwrap() = next.clone();
            super::rotate(repo, next).unwrap()
        };
        Self::new(open, rotate, copy, None, seed)
    }

    fn in_directory(dir: PathBuf, seed: u64) -> Self {
        Repo::create(&dir, &did()).unwrap();
        let (open, rotate, original) = (dir.clone(), dir.clone(), dir.clone());
        let copy = move |_: &Repo| copies::in_directory(&original);
        let open = move || Repo::open(&open).unwrap();
        let rotate =
            move |_: &Repo| pds::local::rotation::rotate_key(&rotate, Curve::P256).unwrap();
        Self::new(open, rotate, copy, Some(dir), seed)
    }

    fn new(
        open: impl Fn() -> Repo + 'static,
        rotate: impl Fn(&Repo) -> (Repo, Commit) + 'static,
        copy: impl Fn(&Repo) -> Repo + 'static,
        dir: Option<PathBuf>,
        seed: u64,
    ) -> Self {
        let repo = open();
        let mut model = Model::default();
        model.commits("HEAD", repo.head().unwrap().unwrap(), State::new(), "init");
        Self {
            open: Box::new(open),
            rotate: Box::new(rotate),
            copy: Box::new(copy),
            dir,
            repo,
            model,
            dice: Dice(seed),
            taken: BTreeMap::new(),
        }
    }

    fn step(&mut self) {
        let names = self.model.names();
        let on = self.dice.of(&names);
        match self.dice.below(36) {
            0..7 => self.put(&on),
            7 => self.delete(&on),
            8..12 => self.batch(&on),
            12 | 13 => self.reset(&on),
            14..17 => self.branch(),
            17 => self.remove_branch(),
            18 | 19 => self.revert(&on),
            20..26 => self.merge(&on),
            33 | 34 => self.merge_from_device(&on),
            26 => self.rotate(),
            27 => self.collect(None),
            28 => {
                let states = 6 + self.dice.below(6);
                self.collect(NonZeroUsize::new(states));
            }
            29 | 30 => self.forget(),
            31 => self.forget_before(),
            35 => self.copy(),
            _ => self.repo = (self.open)(),
        }
    }

    fn takes(&mut self, way: &'static str) {
        *self.taken.entry(way).or_default() += 1;
    }

    fn on(&self, name: &str) -> Repo {
        self.repo.on(name.parse().unwrap())
    }

    /// Returns one of all commits so far. It may have been deleted.
    fn commit(&mut self) -> (usize, Cid) {
        let commit = self.dice.below(self.model.commits.len());
        (commit, self.model.commits[commit].cid)
    }

    /// Records the result of a write in the model, or checks that it was refused.
    fn wrote(&mut self, on: &str, state: State, cid: Cid, note: &str) {
        let before = &self.model.commits[self.model.head(on)];
        if state == before.state {
            assert_eq!(cid, before.cid, "nothing changed, and there is a new commit");
        } else {
            self.model.commits(on, cid, state, note);
        }
    }

    fn put(&mut self, on: &str) {
        let at = self.dice.path();
        let text = self.dice.text(&at);
        let written = self.on(on).put(&path(&at), &note(&text)).unwrap();
        let mut state = self.model.state(on).clone();
        state.insert(at, text);
        self.wrote(on, state, written.commit.cid(), "write");
    }

    fn delete(&mut self, on: &str) {
        let at = self.dice.path();
        let mut state = self.model.state(on).clone();
        let deleted = self.on(on).delete(&path(&at));
        match state.remove(&at) {
            Some(_) => self.wrote(on, state, deleted.unwrap().commit.cid(), "write"),
            None => assert!(deleted.unwrap_err().is_not_found()),
        }
    }

    fn batch(&mut self, on: &str) {
        let mut state = self.model.state(on).clone();
        let paths: BTreeSet<String> = (0..=self.dice.below(5)).map(|_| self.dice.path()).collect();
        let mut writes = Vec::new();
        for at in paths {
            let is_there = state.contains_key(&at);
            let write = if is_there && self.dice.below(2) == 0 {
                state.remove(&at);
                Write::delete(path(&at))
            } else {
                let text = self.dice.text(&at);
                state.insert(at.clone(), text.clone());
                Write::put(path(&at), note(&text))
            };
            writes.push(write);
        }
        let written = self.on(on).write(&writes).unwrap();
        self.wrote(on, state, written.commit.cid(), "write");
    }

    fn reset(&mut self, on: &str) {
        let (to, cid) = self.commit();
        let reset = self.on(on).history().set_head(cid, Expect::Any, "back");
        self.moved(on, to, reset, "reset: back");
    }

    fn branch(&mut self) {
        let name = self.dice.of(&BRANCHES);
        let (to, cid) = self.commit();
        let set = self.repo.history().set_ref(&name.parse().unwrap(), cid, Expect::Any, "branch");
        self.moved(name, to, set, "set: branch");
    }

    /// Records a move in the model. If the commit is deleted, checks that the move was refused.
    fn moved(&mut self, name: &str, to: usize, moved: Result<(), Error>, note: &str) {
        if self.model.here().contains(&to) {
            moved.unwrap();
            self.model.moves(name, Some(to), note);
        } else {
            assert!(moved.unwrap_err().is_not_found());
            self.takes("move to what is gone");
        }
    }

    fn remove_branch(&mut self) {
        let name = self.dice.of(&BRANCHES);
        let removed = self.repo.history().remove_ref(&name.parse().unwrap());
        match self.model.stands(name) {
            Some(target) => {
                assert_eq!(removed.unwrap(), self.model.commits[target].cid);
                self.model.moves(name, None, "remove");
                self.takes("removal of a ref");
            }
            None => assert!(removed.unwrap_err().is_not_found()),
        }
    }

    fn rotate(&mut self) {
        let key = |repo: &Repo| repo.public_key().unwrap().unwrap().did_key();
        let (old, state) = (key(&self.repo), self.model.state("HEAD").clone());
        let (repo, commit) = (self.rotate)(&self.repo);
        let note = format!("rotate {old} {}", key(&repo));
        self.repo = repo;
        self.model.commits("HEAD", commit.cid(), state, &note);
        self.takes("rotation");
    }

    fn revert(&mut self, on: &str) {
        let (undone, cid) = self.commit();
        let reverted = self.on(on).merge().revert(cid);
        if !self.model.here().contains(&undone) {
            assert!(reverted.unwrap_err().is_not_found());
            return;
        }
        let Some(before) = self.model.chain(on, undone).get(1).copied() else {
            assert!(matches!(reverted, Err(Error::NothingBefore(_))));
            return self.takes("revert of the first commit");
        };
        let [left, before] = [undone, before].map(|commit| &self.model.commits[commit].state);
        let (state, conflicts) = three_way(left, self.model.state(on), before, None);
        let note = format!("revert {cid}");
        if !conflicts.is_empty() {
            self.takes("conflict of a revert");
            return assert_conflicts(reverted, &conflicts);
        }
        self.takes("revert");
        self.wrote(on, state, reverted.unwrap().commit.cid(), &note);
    }

    fn merge(&mut self, on: &str) {
        // The ref itself is merged only if there is no other.
        let mut names = self.model.names();
        names.retain(|name| name != on || name == "HEAD");
        let from = self.dice.of(&names);
        let side = self.dice.of(&[None, Some(Side::Ours), Some(Side::Theirs)]);
        let resolution = Resolution::default().rest(side);
        // Usually the merge finds the base. Sometimes the caller names one, which may be any commit.
        let named = (self.dice.below(4) == 0).then(|| {
            let here: Vec<usize> = self.model.here().into_iter().collect();
            self.dice.of(&here)
        });
        let base = named.map(|commit| MergeBase::Commit(self.model.commits[commit].cid));
        let options = MergeOptions::default().base(base).resolution(resolution);
        let merged = self.on(on).merge().revision(&from.parse().unwrap(), &options);
        let (ours, theirs) = (self.model.head(on), self.model.head(&from));
        let [by_us, by_them] = [ours, theirs].map(|commit| self.model.ancestors(commit));
        // Commits are numbered in their order, so the latest common ancestor has the greatest number.
        let common = by_us.intersection(&by_them).max().copied();
        let Some(base) = named.or(common) else {
            assert!(matches!(merged, Err(Error::Unrelated { .. })));
            return self.takes("merge of what has nothing in common any more");
        };
        let [base_state, our_state, their_state] =
            [base, ours, theirs].map(|commit| &self.model.commits[commit].state);
        let note = format!("merge {}", self.model.commits[theirs].cid);
        if base == theirs || ours == theirs {
            assert_eq!(merged.unwrap().how, MergeKind::Nothing);
            self.takes("nothing to merge");
        } else if base == ours && ours < theirs {
            assert_eq!(merged.unwrap().how, MergeKind::FastForward);
            // A move to a local commit is no merge.
            let moved = action(&self.on(on).history().log(1).unwrap()[0]);
            assert!(moved == note || moved == "set", "{moved}");
            self.model.moves(on, Some(theirs), &moved);
            self.takes("fast forward");
        } else {
            let (state, conflicts) = three_way(base_state, our_state, their_state, side);
            if !conflicts.is_empty() {
                self.takes("conflict of a merge");
                return assert_conflicts(merged, &conflicts);
            }
            let merged = merged.unwrap();
            assert_eq!(merged.how, MergeKind::Commit);
            let changed: Vec<String> =
                merged.changes.iter().map(|change| change.path.to_string()).collect();
            assert!(changed.into_iter().eq(differing(our_state, &state)));
            self.model.commits(on, merged.commit.cid(), state, &note);
            self.model.merges(on, theirs);
            self.takes("merge");
        }
    }
}

fn assert_conflicts<T>(result: Result<T, Error>, expected: &[String]) {
    match result.map(drop) {
        Err(Error::Conflicts(conflicts)) => {
            let paths = conflicts.changes.conflicts.iter().map(|record| record.path.to_string());
            assert!(paths.eq(expected.iter().cloned()), "{expected:?}");
        }
        other => panic!("{other:?} instead of conflicts over {expected:?}"),
    }
}

const BRANCHES: [&str; 3] = ["side", "draft", "phone/offline"];

#[test]
fn a_repository_and_a_map_of_all_states_agree_after_every_step() {
    let home = tempfile::tempdir().unwrap();
    let on_disk = (0..4).map(|seed| {
        let dir = home.path().join(format!("alice-{seed}"));
        (Trial::in_directory(dir, seed), 40)
    });
    let in_memory = (4..24).map(|seed| (Trial::in_memory(seed), 60));
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    for (mut trial, steps) in in_memory.chain(on_disk) {
        for step in 0..steps {
            trial.step();
            trial.check();
            if step % 20 == 19 {
                trial.repo = (trial.open)();
                trial.check();
            }
        }
        for (way, count) in &trial.taken {
            *taken.entry(way).or_default() += count;
        }
    }
    // An outcome that never occurs is not tested.
    assert_eq!(taken.len(), 19, "{taken:?}");
    assert!(taken.values().all(|count| *count > 2), "{taken:?}");
}
