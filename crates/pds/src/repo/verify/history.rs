//! Checking every commit that is still known: by the chain, and by the log.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::check::Check;
use super::indexed::damage;
use super::shared::{Checking, Trees};
use super::{Code, Expected, Finding, Report};
use crate::commit::{Commit, CommitError};
use crate::data::{Cid, Sitting};
use crate::repo::{Error, Jobs, Repo, Result};
use crate::store::LogEntry;
use crate::syntax::Tid;

impl Repo {
    /// Checks every commit that a ref or the log names, and all that these name in `prev`: signature,
    /// account, revs, and each tree.
    ///
    /// The report counts the present state; its errors and warnings are those of all. The key is the
    /// one that was named when a commit was taken in, or else the one that held at its rev, as far as the
    /// log knows of changes; a key that is expected is that of the present. Subtrees that commits share are checked once. Where the log says that
    /// history begins with a commit, it is a note that the one before is not here. It takes memory in
    /// the number of nodes and records.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// repo.put(&"com.example.note/a".parse()?, &note)?;
    /// let report = repo.verify_history(&Default::default(), &mut |finding| println!("{finding}"))?;
    /// assert!(report.is_ok());
    /// assert_eq!((report.commits, report.records), (2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn verify_history(
        &self,
        expected: &Expected<'_>,
        found: &mut dyn FnMut(Finding),
    ) -> Result<Report> {
        // What is believed, and what the log says, are of the moment of the head.
        let sitting = Sitting::begin(self.store.as_ref());
        let Some(head) = self.head()? else {
            drop(sitting);
            return self.verify(expected, found);
        };
        let Ok(present) = self.commit_at(head) else {
            // There is nothing to start from, which is said there.
            drop(sitting);
            return self.verify(expected, found);
        };
        let (did, keys) = (self.known_did()?, self.key_history()?);
        let log = Log::new(self.moves()?);
        drop(sitting);
        let of_present = keys.of(&present);
        let mut trees = Trees::default();
        let mut check = |commit: &Commit, found: &mut dyn FnMut(Finding)| {
            let known = keys.of(commit);
            let expected = Expected {
                did: expected.did.or(did.as_ref()),
                key: expected.key.filter(|_| known == of_present).or(known),
                ..*expected
            };
            let mut check = Check::new(&expected);
            check.commit(commit);
            let blocks = self.store.as_ref();
            let with = &mut Checking { blocks, check: &mut check, found };
            trees.check(commit.data(), with)?;
            check.drain().for_each(found);
            Ok::<Report, Error>(check.report)
        };
        // The present first, since its counts are the report; the others share most of its tree.
        let mut report = check(&present, found)?;
        self.count_blocks(&mut report, found)?;
        self.check_refs(&mut report, found)?;
        let history = self.all_commits(head, &log, &mut |finding| {
            report.count(&finding);
            found(finding);
        })?;
        for (_, cid) in history.iter().rev().filter(|(_, cid)| *cid != head) {
            let Report { missing, unreadable, errors, warnings, .. } =
                check(&self.commit_at(*cid)?, found)?;
            report.missing += missing;
            report.unreadable += unreadable;
            report.errors += errors;
            report.warnings += warnings;
        }
        report.commits = history.len() as u64;
        report.commit = Some(present);
        Ok(report)
    }

    /// Finds every commit there is, by rev, and says where one is missing or out of order.
    fn all_commits(
        &self,
        head: Cid,
        log: &Log,
        tell: &mut dyn FnMut(Finding),
    ) -> Result<BTreeSet<(Option<Tid>, Cid)>> {
        let mut history = BTreeSet::new();
        let mut seen: HashSet<Cid> = HashSet::new();
        // Each with the commit that names it in `prev`, if one does.
        let mut waiting: Vec<(Cid, Option<Commit>)> =
            log.named.iter().chain([&head]).map(|cid| (*cid, None)).collect();
        while let Some((cid, after)) = waiting.pop() {
            if after.is_none() && seen.contains(&cid) {
                continue;
            }
            let Some(commit) = self.read_commit(cid, after.as_ref(), log, tell)? else { continue };
            if let Some(after) = &after
                && after.rev() <= commit.rev()
            {
                let [later, earlier] = [after, &commit].map(|commit| {
                    commit.rev().map_or_else(|| "none".to_owned(), |rev| rev.to_string())
                });
                let message =
                    format!("rev {later} is not later than {earlier}, that of the commit before");
                tell(Finding::new(Code::RevNotAscending, message).cid(after.cid()));
            }
            if seen.insert(cid) {
                history.insert((commit.rev(), cid));
                waiting.extend(commit.prev().map(|prev| (prev, Some(commit))));
            }
        }
        Ok(history)
    }

    /// Reads a commit; where that cannot be done it is a finding about it, or about the one after it.
    fn read_commit(
        &self,
        cid: Cid,
        after: Option<&Commit>,
        log: &Log,
        tell: &mut dyn FnMut(Finding),
    ) -> Result<Option<Commit>> {
        match self.commit_at(cid) {
            Ok(commit) => Ok(Some(commit)),
            Err(Error::UnknownCommit(_)) => {
                let place = after.map_or(cid, Commit::cid);
                tell(match after {
                    Some(after) if log.begins_with(after.cid(), cid) => {
                        let message =
                            format!("the commit before, {cid}, never was here, or was forgotten");
                        Finding::new(Code::HistoryBegins, message).cid(place)
                    }
                    Some(_) => {
                        let message = format!("the commit before, {cid}, is missing");
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
                tell(not_read(cid, &error));
                Ok(None)
            }
            Err(Error::Read(error)) => match damage(&error) {
                Some(message) => {
                    tell(Finding::new(Code::BlockDamaged, message).cid(cid));
                    Ok(None)
                }
                None => Err(error.into()),
            },
            Err(error) => Err(error),
        }
    }
}

/// What the log says about commits.
struct Log {
    named: HashSet<Cid>,
    /// Where refs stood before they came to a commit.
    before: HashMap<Cid, Vec<Option<Cid>>>,
}

impl Log {
    fn new(rows: Vec<LogEntry>) -> Self {
        let mut log = Self { named: HashSet::new(), before: HashMap::new() };
        for LogEntry { before, after, .. } in rows {
            log.named.extend(before.into_iter().chain(after));
            if let Some(after) = after {
                log.before.entry(after).or_default().push(before);
            }
        }
        log
    }

    /// Tells whether a commit came here, and came without the one that it names as the one before.
    fn begins_with(&self, commit: Cid, prev: Cid) -> bool {
        let arrivals = self.before.get(&commit);
        arrivals.is_some_and(|before| !before.contains(&Some(prev)))
    }
}

fn not_read(cid: Cid, error: &CommitError) -> Finding {
    let mut check = Check::new(&NOTHING_EXPECTED);
    check.no_commit(cid, error);
    let finding = check.drain().next();
    finding.expect("that a commit cannot be read is a finding")
}

const NOTHING_EXPECTED: Expected<'static> =
    Expected { did: None, key: None, keys: None, partial: false, jobs: Jobs::ONE };
