//! The repair of revs in the future: the present states are signed again with revs of today.

use std::collections::BTreeMap;

use crate::clock::ClockReading;
use crate::error::{Error, Result};
use crate::facts;
use crate::keys::commits::known_commits;
use crate::keys::handle::Keys;
use crate::parts::empty_cid;
use pds_core::commit::{Commit, UnsignedCommit};
use pds_core::data::cid::Cid;
use pds_core::data::limits::MAX_CLOCK_DRIFT_MICROS;
use pds_core::syntax::tid::Tid;
use pds_store::change::Change;
use pds_store::event::Event;
use pds_store::fact::{Fact, FactEdit, FactKind};
use pds_store::ref_name::RefName;
use pds_store::refs::{Expect, RefEdit};
use pds_store::store::View;

/// A ref whose state was signed again.
#[derive(Clone, Debug)]
pub struct Redated {
    /// The ref.
    pub name: RefName,
    /// The commit with the rev in the future.
    pub before: Commit,
    /// The new commit of the same data.
    pub commit: Commit,
}

impl Keys<'_> {
    /// Returns the refs that point to commits with revs in the future, which other readers refuse.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub fn future_refs(&self) -> Result<Vec<(RefName, Commit)>> {
        self.future_in(self.parts.store.view()?.as_ref())
    }

    /// Signs again, with a rev of today, the state of every ref whose rev is in the future.
    ///
    /// The new commits have no `prev`: they begin a new line of history, because revs must ascend along a line. The
    /// log keeps the old commits. A key that ended in the future ends now. The change is atomic.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// // A commit of the year 2065.
    /// let late = repo.clone().with_clock(|| 3_000_000_000_000_000);
    /// late.accepting_clock().put(&"com.example.note/a".parse()?, &note)?;
    /// assert!(!repo.verify().present(&Default::default(), &mut |_| {})?.is_ok());
    ///
    /// assert_eq!(repo.keys().redate()?.len(), 1);
    /// assert!(repo.verify().history(&Default::default(), &mut |_| {})?.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSigner`] and [`Error::WrongKey`]; [`Error::Clock`] if the clock shows a time before the release of
    /// this version, because then the clock is wrong and not the rev. After an error, nothing has changed.
    pub fn redate(&self) -> Result<Vec<Redated>> {
        self.parts.until_first(|| {
            let view = self.parts.store.view()?;
            let future = self.future_in(view.as_ref())?;
            if future.is_empty() {
                return Ok(Vec::new());
            }
            let now = self.parts.clock.now_micros();
            let reading = ClockReading::of(now, None, None);
            if reading.is_before_release() && !self.parts.accepts_clock {
                return Err(Error::Clock(reading));
            }
            let limit = Tid::new(now, 0).ok_or(Error::RevExhausted(empty_cid()))?;
            let facts = self.facts_until(view.as_ref(), limit)?;
            let redated = self.sign_again(view.as_ref(), limit, future)?;
            let version = view.version();
            drop(view);
            let blocks = redated.iter().map(|ref_| Ok(ref_.commit.block().clone()));
            let edits = redated.iter().map(|Redated { name, before, commit }| {
                let expect = Expect::Exactly(before.cid());
                RefEdit { name: name.clone(), target: Some(commit.cid()), expect }
            });
            let change = Change::new(Event::Repair).blocks(blocks).edits(edits).facts(facts);
            self.parts.store.apply(change.unless_changed_since(version))?;
            self.parts.caches.forget_base();
            Ok(redated)
        })
    }

    /// Signs the states of some refs with revs after the limit. Refs that point to the same commit get the same new one.
    fn sign_again(
        &self,
        view: &dyn View,
        limit: Tid,
        future: Vec<(RefName, Commit)>,
    ) -> Result<Vec<Redated>> {
        let signer = self.parts.signer_with(self.parts.key_in(view)?.as_ref())?;
        let mut after = Some(limit);
        for (_, head) in &view.refs()? {
            if let Ok(commit) = self.parts.commit_in(view, *head) {
                after = after.max(commit.rev().filter(|rev| !self.is_future(*rev)));
            }
        }
        // The clock may have made a TID in the future.
        self.parts.clock.restart();
        let mut made: BTreeMap<Cid, Commit> = BTreeMap::new();
        let mut redated = Vec::new();
        for (name, before) in future {
            let commit = match made.get(&before.cid()) {
                Some(commit) => commit.clone(),
                None => {
                    let exhausted = || Error::RevExhausted(before.cid());
                    let rev = self.parts.clock.next(after).ok_or_else(exhausted)?;
                    let (did, data) = (before.did().clone(), before.data());
                    let unsigned = UnsignedCommit { did, data, rev, prev: None };
                    unsigned.sign(signer.as_ref())?
                }
            };
            made.insert(before.cid(), commit.clone());
            redated.push(Redated { name, before, commit });
        }
        Ok(redated)
    }

    /// Returns the edits after which no key ends later than the limit. The key of each commit from the future is
    /// recorded for that commit, because later keys begin before its rev.
    fn facts_until(&self, view: &dyn View, limit: Tid) -> Result<Vec<FactEdit>> {
        let keys = self.key_history_in(view)?;
        let mut edits = Vec::new();
        if let Some(early) = keys.ended_by(limit) {
            edits.push(FactEdit::Clear(FactKind::EndedKey));
            edits.extend(early.ended_facts().map(FactEdit::Set));
        }
        if facts::unknown_before(view)?.is_some_and(|rev| rev > limit) {
            edits.push(FactEdit::Set(Fact::UnknownBefore(limit)));
        }
        for commit in known_commits(view)?.iter().filter(|commit| commit.rev() > Some(limit)) {
            if let Some(key) = keys.of(commit) {
                let fact = Fact::NamedKey { commit: commit.cid(), key: key.into() };
                edits.push(FactEdit::Set(fact));
            }
        }
        Ok(edits)
    }

    fn future_in(&self, view: &dyn View) -> Result<Vec<(RefName, Commit)>> {
        let mut future = Vec::new();
        for (name, head) in &view.refs()? {
            match self.parts.commit_in(view, *head) {
                Ok(commit) if commit.rev().is_some_and(|rev| self.is_future(rev)) => {
                    future.push((name.clone(), commit));
                }
                Err(error) if !error.is_corrupt() && !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(future)
    }

    fn is_future(&self, rev: Tid) -> bool {
        rev.micros() > self.parts.clock.now_micros().saturating_add(MAX_CLOCK_DRIFT_MICROS)
    }
}
