//! A repository under random use, beside a model that keeps every state as a plain map.
//!
//! After each step everything that can be asked is asked of both: each state by each of its names, what
//! differs between states, the log, the versions of a record. A step that the model says cannot be
//! done must fail and change nothing. From time to time the repository is closed and opened again.

mod states;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use pds::blob::MemoryBlobs;
use pds::commit::Commit;
use pds::crypto::{Curve, SigningKey};
use pds::data::Cid;
use pds::repo::verify::{Expected, Severity};
use pds::repo::{Error, Forget, How, Keep, MergeOptions, Repo, Resolution, Revision, Side, Write};
use pds::store::{Expect, MemoryStore, RefName};

use self::states::{Dice, Known, Model, State, cid_of, differing, three_way};
use super::{did, note, path};

type Rotate = dyn Fn(&Repo) -> (Repo, Commit);

/// A repository and its model.
struct Trial {
    /// Opens the repository anew.
    open: Box<dyn Fn() -> Repo>,
    /// Gives the repository another key.
    rotate: Box<Rotate>,
    repo: Repo,
    model: Model,
    dice: Dice,
    /// How often each way out of a step was taken.
    taken: BTreeMap<&'static str, usize>,
}

impl Trial {
    fn in_memory(seed: u64) -> Self {
        let key = Arc::new(Mutex::new(SigningKey::generate(Curve::K256).unwrap()));
        let (store, blobs) = (Arc::new(MemoryStore::default()), Arc::new(MemoryBlobs::default()));
        let held = key.clone();
        let open = move || {
            let key = held.lock().unwrap().clone();
            Repo::with(store.clone(), blobs.clone()).signing_with(key)
        };
        open().init(&did()).unwrap();
        let rotate = move |repo: &Repo| {
            let next = SigningKey::generate(Curve::P256).unwrap();
            *key.lock().unwrap() = next.clone();
            repo.rotate_key(next).unwrap()
        };
        Self::new(open, rotate, seed)
    }

    fn in_directory(dir: PathBuf, seed: u64) -> Self {
        Repo::create(&dir, &did()).unwrap();
        let place = dir.clone();
        let rotate = move |_: &Repo| Repo::rotate_key_in(&place, Curve::P256).unwrap();
        Self::new(move || Repo::open(&dir).unwrap(), rotate, seed)
    }

    fn new(
        open: impl Fn() -> Repo + 'static,
        rotate: impl Fn(&Repo) -> (Repo, Commit) + 'static,
        seed: u64,
    ) -> Self {
        let repo = open();
        let mut model = Model::default();
        model.commits("HEAD", repo.head().unwrap().unwrap(), State::new(), None, "init");
        Self {
            open: Box::new(open),
            rotate: Box::new(rotate),
            repo,
            model,
            dice: Dice(seed),
            taken: BTreeMap::new(),
        }
    }

    fn step(&mut self) {
        let names: Vec<String> = self.model.refs.keys().cloned().collect();
        let on = self.dice.of(&names);
        match self.dice.below(18) {
            0..4 => self.put(&on),
            4 => self.delete(&on),
            5..8 => self.batch(&on),
            8 | 9 => self.reset(&on),
            10 => self.branch(),
            11 | 12 => self.revert(&on),
            13 | 14 => self.merge(&on),
            15 => self.rotate(),
            16 => self.collect(),
            _ => self.repo = (self.open)(),
        }
    }

    fn takes(&mut self, way: &'static str) {
        *self.taken.entry(way).or_default() += 1;
    }

    fn on(&self, name: &str) -> Repo {
        self.repo.on(name.parse().unwrap())
    }

    /// Takes note of what a write has done, or of its refusal.
    fn wrote(&mut self, on: &str, state: State, cid: Cid, note: &str) {
        let before = &self.model.commits[self.model.head(on)];
        if state == before.state {
            assert_eq!(cid, before.cid, "nothing changed, and there is a new commit");
        } else {
            self.model.commits(on, cid, state, None, note);
        }
    }

    fn put(&mut self, on: &str) {
        let (at, text) = (self.dice.path(), self.dice.text());
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
                let text = self.dice.text();
                state.insert(at.clone(), text.clone());
                Write::put(path(&at), note(&text))
            };
            writes.push(write);
        }
        let written = self.on(on).write(&writes).unwrap();
        self.wrote(on, state, written.commit.cid(), "write");
    }

    fn reset(&mut self, on: &str) {
        let to = self.dice.below(self.model.commits.len());
        let cid = self.model.commits[to].cid;
        self.on(on).set_head(cid, Expect::Any, "reset").unwrap();
        self.model.moves(on, to, "reset");
    }

    fn rotate(&mut self) {
        let key = |repo: &Repo| repo.public_key().unwrap().unwrap().did_key();
        let (old, state) = (key(&self.repo), self.model.state("HEAD").clone());
        let (repo, commit) = (self.rotate)(&self.repo);
        let note = format!("key rotate {old} {}", key(&repo));
        self.repo = repo;
        self.model.commits("HEAD", commit.cid(), state, None, &note);
        self.takes("rotation");
    }

    /// Collects what nothing reaches: every state there ever was is in the log, and stays.
    fn collect(&mut self) {
        self.repo.gc(&Keep::default(), &mut |_| {}).unwrap();
        self.takes("collection");
    }

    /// Forgets a record, which ends the trial: what had it is gone, and what had not is as it was.
    fn forget(mut self) {
        let at = self.dice.path();
        let what = Forget::Records(vec![path(&at)]);
        self.repo.forget(&what, &mut |_| {}).unwrap();
        for repo in [self.repo.clone(), (self.open)()] {
            self.repo = repo;
            for commit in &self.model.commits {
                let revision = Revision::from(commit.cid);
                if commit.state.contains_key(&at) {
                    assert!(self.repo.checkout(&revision).is_err(), "{at} in {}", commit.cid);
                } else {
                    self.check_state(&revision, &commit.state);
                }
            }
            for name in self.model.refs.keys() {
                let mut left = self.model.state(name).clone();
                left.remove(&at);
                let head = self.on(name).head().unwrap().unwrap();
                self.check_state(&head.into(), &left);
                let log = self.on(name).log(usize::MAX).unwrap();
                for cid in log.iter().flat_map(|row| [row.before, row.after]).flatten() {
                    let state = self.repo.checkout(&cid.into()).unwrap();
                    assert_eq!(state.find_cid(&path(&at)).unwrap(), None, "{at} in {cid}");
                }
            }
            let whole = self.repo.verify_history(&Expected::default(), &mut |f| {
                assert!(f.severity() != Severity::Error, "{f}");
            });
            assert!(whole.unwrap().is_ok());
        }
    }

    fn branch(&mut self) {
        let name = self.dice.of(&["side", "draft", "phone/offline"]);
        let to = self.dice.below(self.model.commits.len());
        let as_name: RefName = name.parse().unwrap();
        let cid = self.model.commits[to].cid;
        self.repo.set_ref(&as_name, cid, Expect::Any, "branch").unwrap();
        self.model.moves(name, to, "branch");
    }

    fn revert(&mut self, on: &str) {
        let undone = self.dice.below(self.model.commits.len());
        let Known { cid, state: left, prev, .. } = &self.model.commits[undone];
        let reverted = self.on(on).revert(*cid);
        let Some(prev) = prev else {
            assert!(matches!(reverted, Err(Error::NothingBefore(_))));
            return self.takes("revert of the first commit");
        };
        let before = &self.model.commits[*prev].state;
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
        let names: Vec<String> = self.model.refs.keys().cloned().collect();
        let from = self.dice.of(&names);
        let side = self.dice.of(&[None, Some(Side::Ours), Some(Side::Theirs)]);
        let resolution = Resolution { rest: side, ..Resolution::default() };
        let options = MergeOptions { resolution, ..MergeOptions::default() };
        let merged = self.on(on).merge(&from.parse().unwrap(), &options);
        let (ours, theirs) = (self.model.head(on), self.model.head(&from));
        let [by_us, by_them] = [ours, theirs].map(|commit| self.model.ancestors(commit));
        // Commits are numbered as they come, so the latest that both come from is the greatest.
        let base = *by_us.intersection(&by_them).max().unwrap();
        let [base_state, our_state, their_state] =
            [base, ours, theirs].map(|commit| &self.model.commits[commit].state);
        let note = format!("merge {}", self.model.commits[theirs].cid);
        if base == theirs {
            assert_eq!(merged.unwrap().how, How::Nothing);
            self.takes("nothing to merge");
        } else if base == ours {
            assert_eq!(merged.unwrap().how, How::FastForward);
            self.model.moves(on, theirs, &note);
            self.takes("fast forward");
        } else {
            let (state, conflicts) = three_way(base_state, our_state, their_state, side);
            if !conflicts.is_empty() {
                self.takes("conflict of a merge");
                return assert_conflicts(merged, &conflicts);
            }
            let merged = merged.unwrap();
            assert_eq!(merged.how, How::Commit);
            let changed: Vec<String> =
                merged.changes.iter().map(|change| change.path.to_string()).collect();
            assert!(changed.into_iter().eq(differing(our_state, &state)));
            self.model.commits(on, merged.commit.cid(), state, Some(theirs), &note);
            self.takes("merge");
        }
    }

    /// Asks everything of both.
    fn check(&mut self) {
        for commit in &self.model.commits {
            self.check_state(&Revision::from(commit.cid), &commit.state);
        }
        self.check_names();
        self.check_log();
        self.check_diff();
        self.check_record();
    }

    fn check_state(&self, at: &Revision, expected: &State) {
        let snapshot = self.repo.checkout(at).unwrap();
        let found = snapshot.records().map(|entry| {
            let entry = entry.unwrap();
            (entry.path.to_string(), entry.cid)
        });
        let expected = expected.iter().map(|(path, text)| (path.clone(), cid_of(text)));
        assert!(found.eq(expected), "{at}");
    }

    fn check_names(&self) {
        let resolve = |name: String| {
            let found = self.repo.resolve(&name.parse().unwrap());
            found.map_err(|error| assert!(error.is_not_found(), "{name}: {error}")).ok()
        };
        let cid = |commit: usize| self.model.commits[commit].cid;
        for (name, moves) in &self.model.refs {
            let head = self.model.head(name);
            assert_eq!(resolve(name.clone()), Some(cid(head)));
            for (n, earlier) in self.model.chain(head).into_iter().enumerate() {
                assert_eq!(resolve(format!("{name}~{n}")), Some(cid(earlier)), "{name}~{n}");
            }
            let beyond = self.model.chain(head).len();
            assert_eq!(resolve(format!("{name}~{beyond}")), None, "{name}~{beyond}");
            for (n, (before, ..)) in moves.iter().rev().enumerate() {
                let n = n + 1;
                assert_eq!(resolve(format!("{name}@{{{n}}}")), before.map(cid), "{name}@{{{n}}}");
            }
        }
        for known in self.model.known() {
            let cid = cid(known);
            let rev = self.repo.checkout(&cid.into()).unwrap().commit().rev().unwrap();
            assert_eq!(resolve(rev.to_string()), Some(cid));
        }
    }

    fn check_log(&self) {
        for (name, moves) in &self.model.refs {
            let log = self.on(name).log(usize::MAX).unwrap();
            assert_eq!(log.len(), moves.len(), "{name}");
            for (row, (before, after, note)) in log.iter().rev().zip(moves) {
                let cid = |commit: usize| self.model.commits[commit].cid;
                assert_eq!(row.before, before.map(cid));
                assert_eq!((row.after, &row.note), (Some(cid(*after)), note));
            }
        }
    }

    fn check_diff(&mut self) {
        let [a, b] = [0, 0].map(|_| self.dice.below(self.model.commits.len()));
        let [before, after] = [a, b].map(|commit| &self.model.commits[commit]);
        let found = self.repo.diff(&before.cid.into(), &after.cid.into()).unwrap();
        let found = found.into_iter().map(|one| (one.path.to_string(), one.before, one.after));
        let expected = differing(&before.state, &after.state).into_iter().map(|path| {
            let [old, new] =
                [before, after].map(|commit| commit.state.get(&path).map(|text| cid_of(text)));
            (path, old, new)
        });
        assert!(found.eq(expected), "{} to {}", before.cid, after.cid);
    }

    fn check_record(&mut self) {
        let at = self.dice.path();
        for name in self.model.refs.keys() {
            let repo = self.on(name);
            let found = repo.record_history(&path(&at)).unwrap().map(|version| {
                let version = version.unwrap();
                (version.commit.cid(), version.after)
            });
            let text = |commit: usize| self.model.commits[commit].state.get(&at);
            let chain = self.model.chain(self.model.head(name));
            let changed = chain.into_iter().filter(|commit| {
                let before = self.model.commits[*commit].prev.and_then(text);
                text(*commit) != before
            });
            let expected = changed.map(|commit| {
                (self.model.commits[commit].cid, text(commit).map(|text| cid_of(text)))
            });
            assert!(found.eq(expected), "{at} on {name}");
        }
    }

    /// Checks every commit there is, in this process and as the next one finds it.
    fn check_whole(&mut self) {
        self.repo = (self.open)();
        let report = self.repo.verify_history(&Default::default(), &mut |f| panic!("{f}")).unwrap();
        assert!(report.is_ok());
        let known = self.model.known().count();
        assert_eq!(report.commits, known as u64);
    }
}

fn assert_conflicts<T>(result: Result<T, Error>, expected: &[String]) {
    match result.map(drop) {
        Err(Error::Conflicts(conflicts)) => {
            let paths = conflicts.iter().map(|record| record.path.to_string());
            assert!(paths.eq(expected.iter().cloned()), "{expected:?}");
        }
        other => panic!("{other:?} instead of conflicts over {expected:?}"),
    }
}

#[test]
fn a_repository_and_a_map_of_all_states_agree_after_every_step() {
    let home = tempfile::tempdir().unwrap();
    let on_disk = Trial::in_directory(home.path().join("alice"), 0);
    let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
    // On a disk each step waits for it, so there are fewer.
    let in_memory = (1..18).map(|seed| (Trial::in_memory(seed), 60));
    for (mut trial, steps) in in_memory.chain([(on_disk, 20)]) {
        for step in 0..steps {
            trial.step();
            trial.check();
            if step % 20 == 19 {
                trial.check_whole();
                trial.check();
            }
        }
        for (way, count) in &trial.taken {
            *taken.entry(way).or_default() += count;
        }
        trial.forget();
    }
    // A way that is never taken is not tested.
    assert_eq!(taken.len(), 9, "{taken:?}");
    assert!(taken.values().all(|count| *count > 2), "{taken:?}");
}
