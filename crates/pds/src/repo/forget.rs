//! Letting go of the past for good.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::clock::now_micros;
use super::collect::{Collection, Drafted, without};
use super::{Error, Repo, Result, Revision, Swept, Write, WriteOptions};
use crate::data::Cid;
use crate::store::{LogEntry, RefName, Refs};
use crate::syntax::RecordPath;

/// What is to be forgotten.
///
/// ```
/// use pds::repo::Forget;
///
/// let secret = Forget::Records(vec!["com.example.note/secret".parse()?]);
/// let before_yesterday = Forget::BeforeState("HEAD~3".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forget {
    /// Some records, with every state that has a version of one of them.
    Records(Vec<RecordPath>),
    /// What every ref was before the current one came to this state for the first time.
    BeforeState(Revision),
    /// What every ref was before this time, in microseconds since 1970.
    BeforeTime(u64),
}

/// What has been forgotten.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// use pds::repo::Forget;
///
/// let path: pds::syntax::RecordPath = "com.example.note/secret".parse()?;
/// repo.put(&path, &note)?;
/// let forgotten = repo.forget(&Forget::Records(vec![path]), &mut |_| {})?;
/// assert_eq!(forgotten.written.len(), 1, "HEAD had it, and has a new commit without");
/// assert_eq!(forgotten.swept.states, 1, "one state had it");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Forgotten {
    /// The refs that had one of the records, with the commits they have now; in a dry run, the ones
    /// they have still.
    pub written: Vec<(RefName, Cid)>,
    /// What went.
    pub swept: Swept,
    /// Records that were to be forgotten, and that no state had.
    pub unknown: Vec<RecordPath>,
}

/// What is known of the states that have been looked at for records.
#[derive(Default)]
struct Looked {
    /// Whether a state has one of the records, or may have.
    holding: HashMap<Cid, bool>,
    found: HashSet<RecordPath>,
    /// Of one that cannot be read it is not known which of the records it has.
    is_unread: bool,
}

impl Looked {
    /// Returns the records that no state has.
    fn unknown(&self, what: &Forget) -> Vec<RecordPath> {
        match what {
            Forget::Records(paths) if !self.is_unread => {
                paths.iter().filter(|path| !self.found.contains(path)).cloned().collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Repo {
    /// Forgets records, or what is older than a state: no block, no row of the log, no blob and no
    /// remains in the files of the store hold it afterwards.
    ///
    /// A record that a ref still has is deleted there first, by a signed commit. The states that had
    /// it leave; the log then leads from the state before them to the one after. What a ref names
    /// at present is never older than anything: it stays. `progress` is called with how many blocks
    /// have been looked at since it was called last.
    ///
    /// What stands in the way is looked for before anything is signed. Where something does even so, once a deletion
    /// is signed, the error says on which refs: forgetting again completes it. Where somebody who is still reading stands
    /// in the way of the rest, [`Swept::remains`] says that the files are not clean yet: [`gc`](Self::gc) completes it.
    ///
    /// # Errors
    ///
    /// [`Error::StillHeld`] when a ref has the record and there is no key to sign with,
    /// [`Error::Revision`] when there is no such state, otherwise as [`gc`](Self::gc). Nothing has
    /// been forgotten then; [`Error::NotForgottenYet`] if something was deleted.
    pub fn forget(&self, what: &Forget, progress: &mut dyn FnMut(u64)) -> Result<Forgotten> {
        let mut written = BTreeMap::new();
        let swept = self.delete_and_collect(what, &mut written, progress);
        match swept {
            Ok((swept, unknown)) => {
                Ok(Forgotten { written: written.into_iter().collect(), swept, unknown })
            }
            Err(error) if written.is_empty() => Err(error),
            Err(error) => {
                let (refs, source) = (written.into_keys().collect(), Box::new(error));
                Err(Error::NotForgottenYet { refs, source })
            }
        }
    }

    fn delete_and_collect(
        &self,
        what: &Forget,
        written: &mut BTreeMap<RefName, Cid>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Swept, Vec<RecordPath>)> {
        if let Forget::Records(paths) = what
            && self.can_sign()
            && !self.deletions(paths)?.is_empty()
        {
            match self.forgettable(what, progress) {
                // Somebody wrote such a record meanwhile; it is deleted below.
                Err(Error::StillHeld { .. }) => {}
                looked => drop(looked?),
            }
        }
        let mut tries = MAX_TRIES;
        loop {
            if let Forget::Records(paths) = what {
                self.delete_everywhere(paths, written)?;
            }
            match self.collect_forgotten(what, &Drafted::default(), progress, false) {
                // Somebody wrote such a record again.
                Err(Error::StillHeld { .. }) if tries > 0 && self.can_sign() => tries -= 1,
                swept => return swept,
            }
        }
    }

    /// Tells what [`forget`](Self::forget) would do; changes nothing and needs no key.
    ///
    /// # Errors
    ///
    /// As [`forget`](Self::forget).
    pub fn forgettable(&self, what: &Forget, progress: &mut dyn FnMut(u64)) -> Result<Forgotten> {
        let (mut drafted, mut written) = (Drafted::default(), Vec::new());
        if let Forget::Records(paths) = what {
            for (name, commit, writes) in self.deletions(paths)? {
                let draft = self.on(name.clone()).draft(&writes)?;
                drafted.blocks.extend(draft.blocks().iter().cloned());
                drafted.roots.insert(name.clone(), draft.commit().data);
                written.push((name, commit));
            }
        }
        let (swept, unknown) = self.collect_forgotten(what, &drafted, progress, true)?;
        Ok(Forgotten { written, swept, unknown })
    }

    fn collect_forgotten(
        &self,
        what: &Forget,
        drafted: &Drafted,
        progress: &mut dyn FnMut(u64),
        dry_run: bool,
    ) -> Result<(Swept, Vec<RecordPath>)> {
        let since = match what {
            Forget::BeforeState(revision) => Some(self.resolve(revision)?),
            Forget::BeforeTime(_) | Forget::Records(_) => None,
        };
        let mut looked = Looked::default();
        let retell = |refs: &Refs, moves: &[LogEntry]| -> Result<Option<Vec<LogEntry>>> {
            let told = match what {
                Forget::Records(paths) => {
                    let drafted = |name: &RefName| drafted.roots.contains_key(name);
                    self.check_free(paths, refs, &drafted, &mut looked)?;
                    self.without_records(paths, moves, &mut looked)?
                }
                Forget::BeforeState(_) => {
                    let first = arrival(moves, since, self.ref_name());
                    beginning_with(moves, |arrival| arrival.seq >= first)?
                }
                Forget::BeforeTime(time) => {
                    beginning_with(moves, |arrival| arrival.at_micros >= *time)?
                }
            };
            Ok((told != moves).then_some(told))
        };
        let done = self.collect(&mut Collection {
            retell: Box::new(retell),
            drafted,
            blobs_before_micros: now_micros().saturating_sub(BLOB_AGE_MICROS),
            is_forgetting: true,
            dry_run,
            progress,
        })?;
        Ok((done.into(), looked.unknown(what)))
    }

    /// Checks that no ref has one of some records, but for those where a draft has none.
    fn check_free(
        &self,
        paths: &[RecordPath],
        refs: &Refs,
        is_drafted: &dyn Fn(&RefName) -> bool,
        looked: &mut Looked,
    ) -> Result<()> {
        let mut held_by = Vec::new();
        for (name, cid) in refs.entries.iter().filter(|(name, _)| !is_drafted(name)) {
            if self.holds(*cid, paths, looked)? {
                held_by.push(name.clone());
            }
        }
        if held_by.is_empty() { Ok(()) } else { Err(Error::StillHeld { refs: held_by }) }
    }

    /// Tells the log without the states that have one of some records, and without their names.
    fn without_records(
        &self,
        paths: &[RecordPath],
        moves: &[LogEntry],
        looked: &mut Looked,
    ) -> Result<Vec<LogEntry>> {
        let mut told =
            without(moves, &mut |state| Ok(!self.holds(state.commit, paths, looked)?))?;
        let names: Vec<String> = paths.iter().map(RecordPath::to_string).collect();
        for entry in &mut told {
            if names.iter().any(|name| entry.note.contains(name)) {
                NOTE.clone_into(&mut entry.note);
            }
        }
        Ok(told)
    }

    /// Deletes some records on every ref that has them, and takes note of the new commits.
    fn delete_everywhere(
        &self,
        paths: &[RecordPath],
        written: &mut BTreeMap<RefName, Cid>,
    ) -> Result<()> {
        let deletions = self.deletions(paths)?;
        if !deletions.is_empty() && !self.can_sign() {
            let refs = deletions.into_iter().map(|(name, ..)| name).collect();
            return Err(Error::StillHeld { refs });
        }
        let options = WriteOptions { note: NOTE.to_owned(), ..WriteOptions::default() };
        for (name, _, writes) in deletions {
            match self.on(name.clone()).write_with(&writes, &options) {
                // Somebody else has deleted it, or the ref.
                Err(error) if error.is_not_found() => {}
                deleted => drop(written.insert(name, deleted?.commit.cid())),
            }
        }
        Ok(())
    }

    /// The refs that have some records, where they stand, and how these are deleted there.
    fn deletions(&self, paths: &[RecordPath]) -> Result<Vec<(RefName, Cid, Vec<Write>)>> {
        let mut deletions = Vec::new();
        for (name, cid) in self.refs()? {
            let snapshot = self.snapshot_at(cid)?;
            let mut writes = Vec::new();
            for (n, path) in paths.iter().enumerate() {
                if !paths[..n].contains(path) && snapshot.find_cid(path)?.is_some() {
                    writes.push(Write::delete(path.clone()));
                }
            }
            if !writes.is_empty() {
                deletions.push((name, cid, writes));
            }
        }
        Ok(deletions)
    }

    /// Tells whether a state has one of some records; one that cannot be read may.
    fn holds(&self, commit: Cid, paths: &[RecordPath], looked: &mut Looked) -> Result<bool> {
        if let Some(holds) = looked.holding.get(&commit) {
            return Ok(*holds);
        }
        let holds = self.snapshot_at(commit).and_then(|snapshot| {
            let mut holds = false;
            for path in paths {
                if snapshot.find_cid(path)?.is_some() {
                    looked.found.insert(path.clone());
                    holds = true;
                }
            }
            Ok(holds)
        });
        let holds = match holds {
            Err(error) if error.is_corrupt() || error.is_not_found() => {
                looked.is_unread = true;
                true
            }
            holds => holds?,
        };
        looked.holding.insert(commit, holds);
        Ok(holds)
    }
}

/// Tells the log from some move of each ref on, and what the refs name at present.
fn beginning_with(moves: &[LogEntry], stays: impl Fn(&LogEntry) -> bool) -> Result<Vec<LogEntry>> {
    without(moves, &mut |state| Ok(state.later == 0 || state.arrival.is_some_and(&stays)))
}

/// Finds the move by which a ref, or else any, came to a commit for the first time. No move leads
/// to one that the log does not name: then all of them are later.
fn arrival(moves: &[LogEntry], commit: Option<Cid>, name: &RefName) -> u64 {
    let mut arrivals = moves.iter().filter(|entry| entry.after == commit);
    let first = arrivals.clone().find(|entry| entry.name == *name).or_else(|| arrivals.next());
    first.map_or(0, |entry| entry.seq)
}

/// What the log says about commits that are made to forget.
const NOTE: &str = "forget";

/// Blobs that nothing refers to, not even what is forgotten, go when they are this old.
const BLOB_AGE_MICROS: u64 = 24 * 60 * 60 * 1_000_000;

/// How often a record is deleted again that somebody keeps writing.
const MAX_TRIES: u32 = 100;
