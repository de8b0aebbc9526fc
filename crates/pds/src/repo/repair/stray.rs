//! Refs that are gone, or that name what is no commit: where they stood.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Survey;
use crate::commit::Commit;
use crate::data::{Blocks, Cid};
use crate::mst;
use crate::repo::{META_DID, Repo, Result};
use crate::store::{Expect, LogEntry, META_LOG_CUT, RefEdit, RefName};

/// A ref that is gone, or that names what is no commit.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// use pds::repo::repair::StrayRef;
///
/// let survey = repo.survey(&[])?;
/// assert_eq!(survey.refs.iter().filter(|stray: &&StrayRef| stray.target.is_none()).count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StrayRef {
    /// Its name.
    pub name: RefName,
    /// What it names; `None` where it is gone.
    pub found: Option<Cid>,
    /// The commit it stood at last, of those that can be read; `None` where nothing says which.
    pub target: Option<Cid>,
    /// Whether the log says so. If not, it is the newest commit there is, whose tree is here.
    pub is_logged: bool,
    /// The commits where it stood since, the latest first; none of them can be read.
    pub lost: Vec<Cid>,
}

/// How much of a log was left when not all of it could be read.
struct LogCut {
    /// The last row.
    seq: u64,
    /// Whether all refs were read: one that is gone was removed.
    has_all_refs: bool,
}

impl Repo {
    /// Sets the refs that a survey has found astray to where they stood, as far as that can be told;
    /// returns how many.
    ///
    /// It comes after [`mend`](Self::mend), which takes in the commits. The log has a row for each, `repair`,
    /// and one for each other ref of which a log that was cut does not say where it stands.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](crate::repo::Error::Store) when one of them has moved in the meantime, or the store
    /// cannot be written. None is set then.
    pub fn restore_refs(&self, survey: &Survey) -> Result<u64> {
        self.restore(survey, &|_| true)
    }

    /// As [`restore_refs`](Self::restore_refs), of some of them.
    pub(super) fn restore(
        &self,
        survey: &Survey,
        chosen: &dyn Fn(&RefName) -> bool,
    ) -> Result<u64> {
        let stray =
            survey.refs.iter().filter(|stray| stray.target.is_some() && chosen(&stray.name));
        let mut edits: Vec<RefEdit> = stray
            .map(|StrayRef { name, found, target, .. }| {
                let expect = found.map_or(Expect::Absent, Expect::Exactly);
                RefEdit { name: name.clone(), target: *target, expect }
            })
            .collect();
        let set = edits.len() as u64;
        let Some(cut) = self.log_cut()? else {
            self.log_as_repair(&edits)?;
            return Ok(set);
        };
        let is_set: BTreeSet<RefName> = edits.iter().map(|edit| edit.name.clone()).collect();
        let mut unlogged = self.unlogged_refs(&cut)?;
        unlogged.retain(|edit| !is_set.contains(&edit.name));
        let known = unlogged.len();
        unlogged.retain(|edit| edit.target.is_none_or(|cid| self.commit_at(cid).is_ok()));
        let is_all = unlogged.len() == known;
        edits.extend(unlogged);
        self.log_as_repair(&edits)?;
        // From here on the log says of every ref where it stands. One whose commit is lost is remembered.
        if is_all {
            self.store.set_meta(META_LOG_CUT, None)?;
        }
        Ok(set)
    }

    fn log_as_repair(&self, edits: &[RefEdit]) -> Result<()> {
        if !edits.is_empty() {
            self.store.apply(&mut std::iter::empty(), edits, REPAIR_NOTE)?;
        }
        Ok(())
    }

    /// Lists the refs of which a log that was cut does not say where they stand: each edit leaves one there.
    fn unlogged_refs(&self, cut: &LogCut) -> Result<Vec<RefEdit>> {
        let (refs, log) = self.refs_and_moves()?;
        let last: BTreeMap<&RefName, &LogEntry> = log.iter().map(|row| (&row.name, row)).collect();
        let stands = refs.entries.iter().map(|(name, cid)| (name, Some(*cid)));
        let is_gone =
            |name: &RefName| refs.get(name).is_none() && cut.has_all_refs && *name != self.name;
        let gone = last.keys().filter(|name| is_gone(name)).map(|name| (*name, None));
        let unlogged = stands.chain(gone).filter(|(name, cid)| {
            last.get(name).is_none_or(|row| row.seq <= cut.seq && row.after != *cid)
        });
        let edit = |(name, target): (&RefName, Option<Cid>)| {
            let expect = target.map_or(Expect::Absent, Expect::Exactly);
            RefEdit { name: name.clone(), target, expect }
        };
        Ok(unlogged.map(edit).collect())
    }

    /// Returns how far the log goes that is left of one that was cut, until it says again where refs stand.
    fn log_cut(&self) -> Result<Option<LogCut>> {
        let text = self.store.meta(META_LOG_CUT)?;
        Ok(text.and_then(|text| {
            let (seq, refs) = text.split_once(' ').unwrap_or((&text, ""));
            Some(LogCut { seq: seq.parse().ok()?, has_all_refs: refs == "refs" })
        }))
    }

    /// Finds the refs that are astray.
    pub(super) fn stray_refs(
        &self,
        commits: &[Commit],
        blocks: &dyn Blocks,
    ) -> Result<Vec<StrayRef>> {
        let (refs, log) = self.refs_and_moves()?;
        let mut moves: BTreeMap<RefName, Vec<LogEntry>> = BTreeMap::new();
        for row in log {
            moves.entry(row.name.clone()).or_default().push(row);
        }
        let mut names: BTreeSet<&RefName> = moves.keys().collect();
        names.extend(refs.entries.iter().map(|(name, _)| name));
        if !commits.is_empty() && self.lacks_refs()? {
            names.insert(&self.name);
        }
        let cut = self.log_cut()?;
        let mut stray = Vec::new();
        for name in names {
            let (found, rows) = (refs.get(name), moves.get(name).map_or(&[][..], Vec::as_slice));
            let newest = rows.last().map(|row| row.after);
            let stands = match found {
                Some(cid) => is_commit(blocks, cid)?,
                None => newest == Some(None),
            };
            // What a log that was cut says may be of an earlier time. HEAD is not gone for nothing.
            let last = rows.last().map_or(0, |row| row.seq);
            let cut = cut.as_ref().filter(|cut| last <= cut.seq);
            let is_removed =
                found.is_none() && *name != self.name && cut.is_some_and(|cut| cut.has_all_refs);
            if stands || is_removed {
                continue;
            }
            let (mut target, mut lost) = last_state(rows, blocks)?;
            let is_logged = target.is_some();
            if !is_logged && *name == self.name {
                let did = self.store.meta(META_DID)?;
                target = newest_commit(commits, did.as_deref(), blocks);
            }
            if let Some(cid) = found.filter(|cid| matches!(blocks.get(cid), Ok(None))) {
                // Where the log agrees, or says nothing better, the commit is lost, and not the ref.
                if newest == Some(Some(cid)) || target.is_none() || cut.is_some() {
                    continue;
                }
                if newest.is_none() {
                    lost.push(cid);
                }
            }
            stray.push(StrayRef { name: name.clone(), found, target, is_logged, lost });
        }
        Ok(stray)
    }

    /// Finds the newest state of this ref that can be read, where its present commit cannot.
    pub(super) fn state_before(&self, survey: &Survey) -> Result<Option<Cid>> {
        let rows: Vec<LogEntry> =
            self.store.log(&self.name, usize::MAX)?.into_iter().rev().collect();
        let blocks = self.store.as_ref();
        let did = self.store.meta(META_DID)?;
        let (target, _) = last_state(&rows, blocks)?;
        Ok(target.or_else(|| newest_commit(&survey.commits, did.as_deref(), blocks)))
    }
}

/// Goes back in the moves of a ref, which come oldest first, to a commit that can be read; returns
/// also those on the way that cannot.
fn last_state(rows: &[LogEntry], blocks: &dyn Blocks) -> Result<(Option<Cid>, Vec<Cid>)> {
    // Before it was removed it was another ref.
    let rows = rows.iter().rev().take_while(|row| row.after.is_some());
    let stood = rows.flat_map(|row| [row.after, row.before]).flatten();
    let mut lost = Vec::new();
    for cid in stood {
        if is_commit(blocks, cid)? {
            return Ok((Some(cid), lost));
        }
        if !lost.contains(&cid) {
            lost.push(cid);
        }
    }
    Ok((None, lost))
}

/// Finds the commit with the greatest rev of those whose tree is here, if all others lead to it or
/// follow on it. A commit of a server names none before it, and is followed by those with later revs.
fn newest_commit(commits: &[Commit], did: Option<&str>, blocks: &dyn Blocks) -> Option<Cid> {
    let did = did.or_else(|| Some(commits.first()?.did().as_str()))?;
    if commits.iter().any(|commit| commit.did().as_str() != did) {
        return None;
    }
    // They come by rev, the latest first.
    let at = commits.iter().position(|commit| has_tree(blocks, commit))?;
    let newest = commits.get(at)?;
    let before: BTreeMap<Cid, Option<Cid>> =
        commits.iter().map(|commit| (commit.cid(), commit.prev())).collect();
    let line = |from: Cid| {
        let mut seen = HashSet::new();
        std::iter::successors(Some(from), |cid| before.get(cid).copied().flatten())
            .take_while(move |cid| seen.insert(*cid))
    };
    let led_here: HashSet<Cid> = line(newest.cid()).collect();
    let is_of_the_line = |commit: &Commit| {
        let is_of_a_server = commit.prev().is_none() && commit.rev() < newest.rev();
        led_here.contains(&commit.cid())
            || is_of_a_server
            || line(commit.cid()).any(|cid| cid == newest.cid())
    };
    commits.iter().all(is_of_the_line).then(|| newest.cid())
}

fn has_tree(blocks: &dyn Blocks, commit: &Commit) -> bool {
    mst::nodes(blocks, commit.data()).all(|node| node.is_ok())
}

fn is_commit(blocks: &dyn Blocks, cid: Cid) -> Result<bool> {
    let block = blocks.get(&cid)?;
    Ok(block.is_some_and(|block| Commit::decode(&block).is_ok()))
}

/// What the log says of a ref that was set, or found to stand where it does, or of a commit that was made,
/// by a repair.
pub(super) const REPAIR_NOTE: &str = "repair";
