//! The check of the whole history: every commit that a ref, the log or a `prev` names.

use crate::keys::handle::Keys;
use crate::verify::handle::Verify;
use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::keys::known::KeyHistory;
use crate::model::finding::{Code, Finding};
use crate::model::report::{Expected, Report};
use crate::reading::Moment;
use crate::snapshot::read_commit;
use crate::verify::check::{Check, no_commit};
use crate::verify::shared_subtrees::Trees;
use crate::verify::state::store_damaged;
use pds_core::commit::Commit;
use pds_core::data::block::Blocks;
use pds_core::data::block_kind::BlockKind;
use pds_core::data::cid::Cid;
use pds_core::syntax::tid::Tid;
use pds_store::error::{StoreError, damage};
use pds_store::log::LogQuery;
use pds_store::store::{CheckDepth, View};

impl Verify<'_> {
    /// Checks the signature, account, rev and tree of every commit that a ref or the log names, and of all their
    /// ancestors.
    ///
    /// The counts in the report are those of the present state; the errors and warnings are those of all states.
    /// The key of a commit is the one that was named for it, or else the known key at its rev. An expected key
    /// applies to commits with the present key. Subtrees that commits share are checked once. A missing commit
    /// before the start of the history is a note. Memory use grows with the number of nodes and records.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// repo.put(&"com.example.note/a".parse()?, &note)?;
    /// let report = repo.verify().history(&Default::default(), &mut |finding| println!("{finding}"))?;
    /// assert!(report.is_ok());
    /// assert_eq!((report.commits, report.records), (2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`present`](Self::present).
    pub fn history(
        &self,
        expected: &Expected<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Report> {
        // Refs, keys and log are of one moment.
        let read = || -> Result<(Moment, KeyHistory, Log)> {
            let view = self.parts.store.view()?;
            let keys = Keys::new(self.parts).key_history_in(view.as_ref())?;
            Ok((self.parts.moment_of(view.as_ref())?, keys, Log::of(view.as_ref())?))
        };
        self.checked(found, &read, &mut |read, found| self.check_history(read, expected, found))
    }

    fn check_history(
        &self,
        (at, keys, log): (Moment, KeyHistory, Log),
        expected: &Expected<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Report> {
        let did = self.parts.known_did()?;
        let head = at.refs.get(&self.parts.name);
        let present = head.map(|head| read_commit(at.blocks.as_ref(), head)).transpose();
        let (head, present) = match (head, present) {
            (Some(head), Ok(Some(present))) => (head, present),
            (_, Err(error)) if error.is_swept() => return Err(error),
            // There is nothing to start from: the present state is checked, and the store.
            _ => return self.check_moment(&at, CheckDepth::Whole, expected, found),
        };
        let of_present = keys.of(&present);
        let blocks: &dyn Blocks = at.blocks.as_ref();
        let mut trees = Trees::of(blocks);
        let mut check = |commit: &Commit, found: &mut dyn FnMut(Finding)| {
            let known = keys.of(commit);
            // The log keeps states whose revs were too late, after a repair has signed them again.
            let is_present = at.refs.iter().any(|(_, head)| *head == commit.cid());
            let expected = Expected {
                accept_clock: expected.accept_clock || !is_present,
                did: expected.did.or(did.as_ref()),
                key: expected.key.filter(|_| known == of_present).or(known),
                ..*expected
            };
            let mut check = Check::of(commit, &expected);
            trees.check(commit.data(), &mut check, found)?;
            check.drain().for_each(found);
            Ok::<Report, Error>(check.report)
        };
        // The present state comes first: its counts go to the report. The others share most of its tree.
        let mut report = check(&present, found)?;
        let is_sound = self.check_store(CheckDepth::Whole, &mut report, found)?;
        if let Some(damage) = log.damage.as_ref().filter(|_| is_sound) {
            // The check of the store found no damage, so this damage is not reported yet.
            report.tell(store_damaged(damage), found);
        }
        self.check_refs(&at, true, &mut report, found)?;
        let history = all_commits(blocks, head, &log, &mut |finding| {
            report.tell(finding, found);
        })?;
        for (_, cid) in history.iter().rev().filter(|(_, cid)| *cid != head) {
            let Report { missing, unreadable, errors, warnings, .. } =
                check(&read_commit(blocks, *cid)?, found)?;
            report.missing += missing;
            report.unreadable += unreadable;
            report.errors += errors;
            report.warnings += warnings;
        }
        report.commits = history.len() as u64;
        report.commit = Some(present);
        Ok(report)
    }
}

/// Returns every commit in the order of revs, and reports missing commits and revs that do not ascend.
fn all_commits(
    blocks: &dyn Blocks,
    head: Cid,
    log: &Log,
    tell: &mut dyn FnMut(Finding),
) -> Result<BTreeSet<(Option<Tid>, Cid)>> {
    let mut history = BTreeSet::new();
    let [mut seen, mut reported]: [HashSet<Cid>; 2] = Default::default();
    // Each commit with the one that names it in `prev`, if there is one.
    let mut waiting: Vec<(Cid, Option<Commit>)> =
        log.named.iter().chain([&head]).map(|cid| (*cid, None)).collect();
    while let Some((cid, after)) = waiting.pop() {
        if after.is_none() && seen.contains(&cid) {
            continue;
        }
        let Some(commit) = read_or_tell(blocks, cid, after.as_ref(), log, tell)? else { continue };
        // Commits of version 2 may have no revs.
        if let Some(after) = &after
            && commit.rev().is_some()
            && after.rev() <= commit.rev()
        {
            let [later, earlier] = [after, &commit].map(|commit| {
                commit.rev().map_or_else(|| "none".to_owned(), |rev| rev.to_string())
            });
            let message =
                format!("rev {later} is not later than {earlier}, the rev of the previous commit");
            tell(Finding::new(Code::RevNotAscending, message).cid(after.cid()));
            reported.insert(after.cid());
        }
        if seen.insert(cid) {
            history.insert((commit.rev(), cid));
            waiting.extend(commit.prev().map(|prev| (prev, Some(commit))));
        }
    }
    same_revs(&history, head, &reported, tell);
    Ok(history)
}

/// Reports commits that have the rev of another commit, other than the present one and those that were already
/// compared with their `prev`.
fn same_revs(
    history: &BTreeSet<(Option<Tid>, Cid)>,
    head: Cid,
    reported: &HashSet<Cid>,
    tell: &mut dyn FnMut(Finding),
) {
    let mut first: Option<(Tid, Cid)> = None;
    for (rev, cid) in history {
        let Some(rev) = *rev else { continue };
        match first {
            Some((before, other)) if before == rev => {
                let (cid, other) = if *cid == head { (other, *cid) } else { (*cid, other) };
                if reported.contains(&cid) || reported.contains(&other) {
                    continue;
                }
                let message = format!("commit {other} has the same rev {rev}");
                tell(Finding::new(Code::RevNotAscending, message).cid(cid));
            }
            _ => first = Some((rev, *cid)),
        }
    }
}

/// Reads a commit. An unreadable commit is a finding about it, or about the one after it.
fn read_or_tell(
    blocks: &dyn Blocks,
    cid: Cid,
    after: Option<&Commit>,
    log: &Log,
    tell: &mut dyn FnMut(Finding),
) -> Result<Option<Commit>> {
    match read_commit(blocks, cid) {
        Ok(commit) => Ok(Some(commit)),
        Err(Error::UnknownCommit(_)) => {
            let place = after.map_or(cid, Commit::cid);
            tell(match after {
                Some(_) if !log.named.contains(&cid) => {
                    let message =
                        format!("the previous commit {cid} was never stored, or was purged");
                    Finding::new(Code::HistoryBegins, message).cid(place)
                }
                Some(_) => {
                    let message = format!("the previous commit {cid} is missing");
                    Finding::new(Code::HistoryMissing, message).cid(place)
                }
                None => {
                    let message = "the log names a commit that is missing";
                    Finding::new(Code::HistoryMissing, message).cid(place)
                }
            });
            Ok(None)
        }
        Err(Error::Commit(error)) => {
            tell(no_commit(cid, &error));
            Ok(None)
        }
        Err(Error::Read(error)) => match damage(&error) {
            Some(message) => {
                let finding = Finding::new(Code::BlockDamaged, message).cid(cid);
                tell(finding.block_kind(Some(BlockKind::Commit)));
                Ok(None)
            }
            None => Err(error.into()),
        },
        Err(error) => Err(error),
    }
}

/// The commits that the log names, up to the first damaged row.
struct Log {
    named: BTreeSet<Cid>,
    damage: Option<String>,
}

impl Log {
    fn of(view: &dyn View) -> Result<Self> {
        let mut named = BTreeSet::new();
        let read = view.log(&LogQuery::oldest_first(), &mut |row| {
            named.extend(row.after);
            ControlFlow::Continue(())
        });
        let damage = match read {
            Err(StoreError::Damaged(error)) => Some(error.to_string()),
            read => read.map(|()| None)?,
        };
        Ok(Self { named, damage })
    }
}
