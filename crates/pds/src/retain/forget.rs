//! The purge of records and of old history.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use crate::clock::now_micros;
use crate::error::{Error, Result};
use crate::history::handle::History;
use crate::history::log_pages::each_row;
use crate::model::progress::Progress;
use crate::model::revision::Revision;
use crate::model::write::RecordChange;
use crate::reading::{Moment, Reading};
use crate::retain::collection::{Collection, Decide, Drafted};
use crate::retain::gc::Swept;
use crate::retain::handle::Retain;
use crate::snapshot::read_commit;
use pds_core::data::cid::Cid;
use pds_core::syntax::record_path::RecordPath;
use pds_store::event::Event;
use pds_store::log::{LogEntry, LogQuery};
use pds_store::ref_name::RefName;
use pds_store::refs::{Expect, RefEdit};
use pds_store::store::View;
use pds_store::sweep::Fate;
use pds_store::version::Version;

/// The target of a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forget {
    /// Purge some records, with every state that has any version of them.
    Records(Vec<RecordPath>),
    /// Purge the states of all refs from before the current ref first pointed to this state.
    BeforeState(Revision),
    /// Purge the states of all refs from before this time, in microseconds since 1970.
    BeforeTime(u64),
}

/// The result of a purge.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// use pds::retain::forget::Forget;
///
/// let path: pds::syntax::RecordPath = "com.example.note/secret".parse()?;
/// repo.put(&path, &note)?;
/// let forgotten = repo.retain().forget(&Forget::Records(vec![path]), &mut |_| {})?;
/// assert_eq!(forgotten.written.len(), 1, "HEAD points to a new commit without it");
/// assert_eq!(forgotten.swept.states, 1, "one state had the record");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Forgotten {
    /// The refs that had one of the records, with their new commits. In a dry run, their present commits.
    pub written: Vec<(RefName, Cid)>,
    /// The deleted data.
    pub swept: Swept,
    /// The requested records that no state had.
    pub unknown: Vec<RecordPath>,
    /// The requested records that some state had, and the CIDs of the different versions of each, in key order.
    pub versions: Vec<(RecordPath, Vec<Cid>)>,
    /// The times of the first and the last deleted log entry, in microseconds since 1970.
    pub times: Option<(u64, u64)>,
}

/// A purge that was counted and not made; from [`Retain::plan_forget`].
#[derive(Debug)]
#[non_exhaustive]
pub struct ForgetPlan<'r> {
    /// The data that the purge would delete.
    pub forgotten: Forgotten,
    retain: Retain<'r>,
    what: Forget,
}

impl ForgetPlan<'_> {
    /// Makes the purge. It searches again, because other processes may have written meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Retain::forget`].
    pub fn apply(self, progress: &mut dyn FnMut(u64)) -> Result<Forgotten> {
        self.retain.forget(&self.what, progress)
    }
}

/// The times of the first and the last log entry that goes.
#[derive(Default)]
struct Times(Cell<Option<(u64, u64)>>);

impl Times {
    fn note(&self, row: &LogEntry) -> Fate {
        let at = row.at_micros;
        let (first, last) = self.0.get().unwrap_or((at, at));
        self.0.set(Some((first.min(at), last.max(at))));
        Fate::Goes
    }
}

/// The states that hold one of the records.
#[derive(Default)]
struct Holding {
    /// Whether the state of each visited commit has one of the records. Unreadable states count as holding.
    states: HashMap<Cid, bool>,
    found: BTreeMap<RecordPath, BTreeSet<Cid>>,
    /// Whether the records of some state are unknown, because it cannot be read.
    is_unread: bool,
}

impl Holding {
    /// Returns the records that no state has.
    fn unknown(&self, paths: &[RecordPath]) -> Vec<RecordPath> {
        match self.is_unread {
            true => Vec::new(),
            false => paths.iter().filter(|path| !self.found.contains_key(path)).cloned().collect(),
        }
    }
}

/// The new commits of refs after the deletion of some records.
struct Deletions {
    /// The version of the store that they are based on.
    seen: Version,
    drafted: Drafted,
    /// The refs that have one of the records, with their new commits. In a dry run, their present commits.
    written: Vec<(RefName, Cid)>,
}

impl<'r> Retain<'r> {
    /// Purges records, or the history before a state. Afterwards no block, log entry, blob or unused part of
    /// a file has the data.
    ///
    /// Every state that has any version of the records is deleted. A ref that points to such a state gets a
    /// new signed commit without the records. All of it is one change of the store. The log then leads from
    /// the state before the deleted ones to the state after them. The present state of a ref is never too old
    /// and stays. `progress` is called with the number of blocks that were visited since the last call.
    ///
    /// If a concurrent reader prevents the cleaning of the files, [`Swept::remains`] has the reason, and the
    /// next [`gc`](Self::gc) completes the purge. If the store does not manage all places that may contain
    /// remains, [`Swept::remains_elsewhere`] names them.
    ///
    /// # Errors
    ///
    /// [`Error::StillHeld`] if a ref has the record and there is no signing key, [`Error::Revision`] if the
    /// state does not exist, otherwise as [`gc`](Self::gc). After an error, nothing has been deleted.
    pub fn forget(&self, what: &Forget, progress: &mut dyn FnMut(u64)) -> Result<Forgotten> {
        self.forget_or_count(what, progress, false)
    }

    /// Counts what [`forget`](Self::forget) would delete. Changes nothing and needs no key.
    ///
    /// # Errors
    ///
    /// As [`forget`](Self::forget).
    pub fn plan_forget(
        &self,
        what: &Forget,
        progress: &mut dyn FnMut(u64),
    ) -> Result<ForgetPlan<'r>> {
        let forgotten = self.forget_or_count(what, progress, true)?;
        Ok(ForgetPlan { retain: *self, what: what.clone(), forgotten })
    }

    fn forget_or_count(
        &self,
        what: &Forget,
        progress: &mut dyn FnMut(u64),
        dry_run: bool,
    ) -> Result<Forgotten> {
        self.parts.until_first(|| match what {
            Forget::Records(paths) => self.forget_records(paths, progress, dry_run),
            Forget::BeforeState(revision) => {
                let view = self.parts.store.view()?;
                let (commit, seen) =
                    (History::new(self.parts).resolve_in(view.as_ref(), revision)?, view.version());
                let first = first_arrival(view.as_ref(), commit, &self.parts.name)?;
                drop(view);
                self.forget_before(seen, &|row| row.seq >= first, progress, dry_run)
            }
            Forget::BeforeTime(time) => {
                let seen = self.parts.store.view()?.version();
                self.forget_before(seen, &|row| row.at_micros >= *time, progress, dry_run)
            }
        })
    }

    fn forget_before(
        &self,
        seen: Version,
        stays: &dyn Fn(&LogEntry) -> bool,
        progress: &mut dyn FnMut(u64),
        dry_run: bool,
    ) -> Result<Forgotten> {
        let times = Times::default();
        let decide = |row: &LogEntry, later: u64| match later == 0 || stays(row) {
            true => Fate::Stays,
            false => times.note(row),
        };
        let done = self.collect(collection(&decide, None, seen, progress, dry_run))?;
        Ok(Forgotten {
            written: Vec::new(),
            swept: done.into(),
            unknown: Vec::new(),
            versions: Vec::new(),
            times: times.0.get(),
        })
    }

    fn forget_records(
        &self,
        paths: &[RecordPath],
        progress: &mut dyn FnMut(u64),
        dry_run: bool,
    ) -> Result<Forgotten> {
        let Deletions { seen, drafted, written } = self.deletions(paths, dry_run)?;
        let mut holding = Holding::default();
        let reading = Reading::since(self.parts.store.clone(), seen);
        each_row(self.parts, seen, &mut |row| match row.after {
            Some(commit) => self.note_holder(&reading, commit, paths, &mut holding),
            None => Ok(()),
        })?;
        let names: Vec<String> = paths.iter().map(RecordPath::to_string).collect();
        let times = Times::default();
        let decide = |row: &LogEntry, _: u64| {
            let holds = row.after.and_then(|commit| holding.states.get(&commit));
            match holds {
                Some(true) => times.note(row),
                _ if names.iter().any(|name| row.message.contains(name)) => {
                    Fate::StaysWithoutMessage
                }
                _ => Fate::Stays,
            }
        };
        let done = self.collect(collection(&decide, Some(&drafted), seen, progress, dry_run))?;
        let unknown = holding.unknown(paths);
        let list = |(path, cids): (_, BTreeSet<Cid>)| (path, cids.into_iter().collect());
        let versions = holding.found.into_iter().map(list).collect();
        Ok(Forgotten { written, swept: done.into(), unknown, versions, times: times.0.get() })
    }

    /// Drafts and signs a commit without some records, for every ref that has one of them.
    fn deletions(&self, paths: &[RecordPath], dry_run: bool) -> Result<Deletions> {
        let Moment { version: seen, refs, blocks } = self.parts.moment()?;
        let (mut drafted, mut written, mut held_by) = (Drafted::default(), Vec::new(), Vec::new());
        for (name, cid) in &refs {
            let commit = self.parts.commit_in(blocks.as_ref(), *cid)?;
            let snapshot = self.parts.snapshot_of(commit.clone(), blocks.clone());
            let mut edits: Vec<RecordChange> = Vec::new();
            for path in paths {
                if let Some(before) = snapshot.find_cid(path)?
                    && edits.iter().all(|edit| edit.path != *path)
                {
                    edits.push(RecordChange {
                        path: path.clone(),
                        before: Some(before),
                        after: None,
                    });
                }
            }
            if edits.is_empty() {
                continue;
            }
            if !dry_run && self.parts.signer.is_none() {
                held_by.push(name.clone());
                continue;
            }
            let base = self.parts.base_in(self.parts.store.view()?.as_ref(), commit)?;
            let on = self.parts.on(name.clone());
            let draft = on.draft_edits(
                &base,
                None,
                edits,
                blocks.as_ref(),
                Event::Forget,
                Progress::default(),
            )?;
            drafted.blocks.extend(draft.blocks().iter().cloned());
            drafted.roots.insert(name.clone(), draft.commit().data);
            let target = if dry_run {
                *cid
            } else {
                let signer = self.parts.signer_of(&base)?;
                let signed = draft.commit().clone().sign(signer.as_ref())?;
                drafted.blocks.insert(signed.block().clone());
                let (target, expect) = (Some(signed.cid()), Expect::Exactly(*cid));
                drafted.commits.push(RefEdit { name: name.clone(), target, expect });
                signed.cid()
            };
            written.push((name.clone(), target));
        }
        if !held_by.is_empty() {
            return Err(Error::StillHeld { refs: held_by });
        }
        Ok(Deletions { seen, drafted, written })
    }

    /// Notes whether a state has one of some records. An unreadable state counts as holding.
    fn note_holder(
        &self,
        blocks: &Reading,
        commit: Cid,
        paths: &[RecordPath],
        holding: &mut Holding,
    ) -> Result<()> {
        if holding.states.contains_key(&commit) {
            return Ok(());
        }
        let held = read_commit(blocks, commit).and_then(|commit| {
            let tree = self.parts.tree_of(&commit, blocks);
            let mut held = Vec::new();
            for path in paths {
                if let Some(cid) = tree.get(&path.to_key())? {
                    held.push((path.clone(), cid));
                }
            }
            Ok(held)
        });
        let holds = match held {
            Err(error) if error.is_swept() => return Err(error),
            Err(error) if error.is_corrupt() || error.is_not_found() => {
                holding.is_unread = true;
                true
            }
            held => {
                let held = held?;
                let holds = !held.is_empty();
                for (path, cid) in held {
                    holding.found.entry(path).or_default().insert(cid);
                }
                holds
            }
        };
        holding.states.insert(commit, holds);
        Ok(())
    }
}

fn collection<'a>(
    decide: &'a Decide<'a>,
    drafted: Option<&'a Drafted>,
    seen: Version,
    progress: &'a mut dyn FnMut(u64),
    dry_run: bool,
) -> Collection<'a> {
    Collection {
        fate: Some(decide),
        drafted,
        blobs_before_micros: now_micros().saturating_sub(BLOB_AGE_MICROS),
        is_forgetting: true,
        dry_run,
        seen: Some(seen),
        progress,
    }
}

/// Returns the first log row in which a ref, or else any ref, points to a commit. Returns 0 if the log does not
/// name the commit; all rows are later.
fn first_arrival(view: &dyn View, commit: Cid, name: &RefName) -> Result<u64> {
    let (mut first, mut first_of_name) = (None, None);
    view.log(&LogQuery::oldest_first().to(commit), &mut |row| {
        first.get_or_insert(row.seq);
        if row.name == *name {
            first_of_name = Some(row.seq);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(first_of_name.or(first).unwrap_or(0))
}

/// The age at which a purge deletes blobs that no record has ever referred to.
const BLOB_AGE_MICROS: u64 = 24 * 60 * 60 * 1_000_000;
