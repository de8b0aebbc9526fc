//! The import from another repository: what is new there, with its earlier states and blobs.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::facts;
use crate::keys::handle::Keys;
use crate::keys::signers::AllKeys;
use crate::model::report::Expected;
use crate::parts::Parts;
use crate::reading::Moment;
use crate::snapshot::read_commit;
use crate::transfer::admission::{Arrival, has_all, is_by};
use crate::transfer::bring_blobs::{CopiedBlobs, bring_blobs, wanted_blobs};
use crate::transfer::earlier::{Earlier, Judge, is_logged};
use crate::transfer::handle::Transfer;
use crate::transfer::import::Imported;
use crate::transfer::incoming::Incoming;
use crate::transfer::state_blocks::{AllBlocks, StateBlocks};
use pds_core::commit::Commit;
use pds_core::crypto::public_key::PublicKey;
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::mst::base_tree::BaseTree;
use pds_store::log::LogQuery;
use pds_store::store::has_sound;

/// The result of an import from another repository.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ImportedFrom {
    /// The imported state. Only what differs from the present state was checked and counted, unless both are the same.
    pub imported: Imported,
    /// The blobs that were copied.
    pub blobs: CopiedBlobs,
}

impl Transfer<'_> {
    /// Imports the present state of another repository, and points the current ref to its commit.
    ///
    /// The states that the log of the other repository names since the present state of this one arrive as well, each
    /// with a row of the log. So do the blobs that the imported records refer to, before the records. The cost is
    /// proportional to the differences. If both have the same present state, all of it is checked, and blocks that are
    /// missing or damaged here are stored again.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
    /// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// use pds::local::copy::clone_repository;
    /// use pds::local::copy_options::CopyOptions;
    ///
    /// let here = pds::Repo::create(&one, &"did:web:example.com".parse()?)?;
    /// let (there, _) = clone_repository(&two, &one, &CopyOptions::default().with_key(true))?;
    /// there.put(&"com.example.note/a".parse()?, &note)?;
    /// there.put(&"com.example.note/b".parse()?, &note)?;
    /// let imported = here.transfer().import_from(there.transfer(), None)?.imported;
    /// assert_eq!((imported.records, imported.earlier), (2, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`import`](Self::import). After an error, no record has changed, and some blobs may be stored.
    pub fn import_from(
        &self,
        other: Transfer<'_>,
        key: Option<&PublicKey>,
    ) -> Result<ImportedFrom> {
        self.parts.until_unchanged(|| self.import_from_once(other.parts, key))
    }

    fn import_from_once(&self, other: &Parts, key: Option<&PublicKey>) -> Result<ImportedFrom> {
        let Moment { version, blocks: stored, .. } = self.parts.moment()?;
        let view = other.store.view()?;
        let (commit, theirs) = (other.head_in(view.as_ref())?, other.moment_of(view.as_ref())?);
        let left_out = facts::erasures(view.as_ref())?;
        let known_there = Keys::new(other).key_history_in(view.as_ref())?;
        drop(view);
        let both = Overlay { over: theirs.blocks.as_ref(), under: stored.as_ref() };
        let is_signed = is_by(&commit, key);
        let before = self.before_import(&commit, is_signed)?;
        let own = Keys::new(self.parts).key_history()?;
        let keys = &AllKeys::new(key, &own, Some(&known_there), self.account_keys);
        let (parts, accepts_clock) = (self.parts, self.parts.accepts_clock);
        let expected = Expected { progress: self.progress, ..Expected::default() };
        let expected = expected.key(key).accept_clock(accepts_clock);
        let is_walked = |_: &Cid| false;
        let base = || {
            let base = BaseTree::new(stored.as_ref(), before.as_ref()?.data(), &is_walked);
            Some(base.cached(self.parts.caches.nodes().as_ref()))
        };
        // All blocks of the present state are looked at, because some may be damaged here.
        let is_present = before.as_ref().map(Commit::cid) == Some(commit.cid());
        let compared = || if is_present { None } else { base() };
        let arrive = || Incoming::new(&both, &commit, compared(), &expected);
        let mut checked = arrive();
        checked.check_all()?;
        let followed = before.as_ref().filter(|_| is_signed);
        let local = self.check_loss(&commit, followed, &stored, &both)?;
        let commits = self.new_commits(other, &commit, before.as_ref())?;
        let judge =
            Judge { parts, root: &commit, key, keys, accepts_clock, blocks: &both, base: &base };
        let earlier = Earlier::of(commits, &judge)?;
        let Incoming { mut check, findings, .. } = checked;
        let mut imported = Imported::new(commit.clone(), before.clone(), 0, &mut check, findings)
            .with(earlier.clone(), local);
        let noted = imported.blobs.iter().chain(&earlier.blobs.cids).copied().collect();
        let has_more = imported.has_more_blobs || earlier.blobs.has_more;
        let mut wanted = wanted_blobs(noted, has_more, Some(other.blobs.as_ref()))?;
        wanted.extend(self.older_blobs(other, &wanted)?);
        wanted.retain(|cid| !left_out.contains(cid));
        let (to, from) = (self.parts.blobs.as_ref(), other.blobs.as_ref());
        let blobs = bring_blobs(to, from, &wanted, self.progress)?;

        if is_present && earlier.states.is_empty() && has_all(self.parts.store.as_ref(), arrive())?
        {
            Keys::new(self.parts).name_key(&commit, key)?;
            return Ok(ImportedFrom { imported, blobs });
        }
        let is_stored = |cid: &Cid| Ok(has_sound(stored.as_ref(), cid)?);
        let others = StateBlocks::new(&both, commit.did(), earlier.to_read(), commit.cid());
        let others = others.without_stored(&is_stored);
        let mut blocks = AllBlocks::of(arrive().collecting(), others, self.progress);
        let arrival = Arrival { commit: &commit, before: before.as_ref(), key, earlier: &earlier };
        imported.new_blocks = self.admit_ahead(&arrival, Some(version), self.jobs, &mut blocks)?;
        Ok(ImportedFrom { imported, blobs })
    }

    /// Returns the commits in the log of the other repository that no row of this one names, since the present commit
    /// of this one.
    fn new_commits(
        &self,
        other: &Parts,
        head: &Commit,
        before: Option<&Commit>,
    ) -> Result<Vec<Commit>> {
        let mut named = Vec::new();
        let query = LogQuery::newest_first().of(other.name.clone());
        other.store.view()?.log(&query, &mut |row| {
            if row.after.is_some() && row.after == before.map(Commit::cid) {
                return ControlFlow::Break(());
            }
            named.extend(row.after);
            ControlFlow::Continue(())
        })?;
        let view = self.parts.store.view()?;
        let (mut seen, mut commits) = (HashSet::from([head.cid()]), Vec::new());
        for cid in named {
            if !seen.insert(cid) || is_logged(view.as_ref(), cid)? {
                continue;
            }
            match read_commit(other.store.as_ref(), cid) {
                // The other repository has lost it.
                Err(error) if error.is_corrupt() || error.is_not_found() => {}
                commit => commits.push(commit?),
            }
        }
        Ok(commits)
    }

    /// Returns the blobs that only the other repository has, of those that other records of its present state refer to.
    fn older_blobs(&self, other: &Parts, known: &BTreeSet<Cid>) -> Result<BTreeSet<Cid>> {
        let (mut only_there, mut failed) = (HashSet::new(), None);
        other.blobs.list(&mut |info| {
            if known.contains(&info.cid) {
                return ControlFlow::Continue(());
            }
            match self.parts.blobs.open(&info.cid) {
                Ok(Some(_)) => {}
                Ok(None) => drop(only_there.insert(info.cid)),
                Err(error) => {
                    failed = Some(Error::from(error));
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        failed.map_or(Ok(()), Err)?;
        let mut found = BTreeSet::new();
        if !only_there.is_empty() {
            other.snapshot()?.each_blob(&mut |_, blob| {
                let cid = blob.map(|blob| blob.cid);
                found.extend(cid.filter(|cid| only_there.contains(cid)));
                Ok(())
            })?;
        }
        Ok(found)
    }
}
