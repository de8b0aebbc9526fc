//! The import of one commit from blocks in any place: check what differs from the present state, store it, then move
//! the ref.

use crate::error::{Error, Result};
use crate::keys::handle::Keys;
use crate::keys::signers::AllKeys;
use crate::model::report::Expected;
use crate::reading::Moment;
use crate::transfer::admission::{Arrival, SignedBy, has_all};
use crate::transfer::arriving::{Arriving, OneState};
use crate::transfer::earlier::{Earlier, Judge};
use crate::transfer::handle::Transfer;
use crate::transfer::import::Imported;
use crate::transfer::incoming::{Incoming, root_commit};
use crate::transfer::state_blocks::{AllBlocks, StateBlocks};
use pds_core::commit::Commit;
use pds_core::data::block::Blocks;
use pds_core::data::cid::Cid;
use pds_core::data::overlay::Overlay;
use pds_core::mst::base_tree::BaseTree;
use pds_store::version::Version;

impl Transfer<'_> {
    /// Imports one commit whose new blocks are in any place, and points the current ref to it.
    ///
    /// The tree is read from `blocks` and, where these have no block, from the store. Parts that the present state has
    /// in the same place are not read, so the cost is proportional to the changes. Other commits are not looked for.
    /// The commit must follow the present one as in [`import_file`](Self::import_file), and its key is recorded in the
    /// same way.
    ///
    /// `expected` names the account, the key or the keys in time, and the present time. Its other fields are not used:
    /// all blocks must be there, and this handle has the threads and the progress.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// use pds::Expected;
    ///
    /// let (store, blobs) = (pds::store::MemoryStore::default(), pds::blob::MemoryBlobs::default());
    /// let mirror = pds::Repo::with(std::sync::Arc::new(store), std::sync::Arc::new(blobs));
    /// let head = repo.head()?.expect("a new repository has a commit");
    /// let key = repo.public_key()?;
    /// let expected = Expected::default().key(key.as_ref());
    /// let imported = mirror.transfer().admit(repo.store().as_ref(), head, &expected)?;
    /// assert_eq!((imported.commit.cid(), imported.new_blocks), (head, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`import_file`](Self::import_file). [`Error::Refused`] names the first block that is missing.
    pub fn admit(
        &self,
        blocks: &dyn Blocks,
        root: Cid,
        expected: &Expected<'_>,
    ) -> Result<Imported> {
        self.parts.until_unchanged(|| self.admit_once(&OneState(blocks), root, expected))
    }

    /// Imports what has arrived, once.
    pub(super) fn admit_once(
        &self,
        arriving: &dyn Arriving,
        root: Cid,
        expected: &Expected<'_>,
    ) -> Result<Imported> {
        let Moment { version, blocks: stored, .. } = self.parts.moment()?;
        let both = Overlay { over: arriving, under: stored.as_ref() };
        let commit = root_commit(&both, root)?;
        let signed = SignedBy::known(&commit, expected);
        let (before, key) = (self.before_import(&commit, signed.is_sound)?, signed.key.as_ref());
        if let Some(expected) = expected.did.filter(|did| *did != commit.did()) {
            let (expected, found) = (expected.clone(), commit.did().clone());
            return Err(Error::WrongDid { expected, found });
        }

        let expected = self.expected(expected);
        let is_walked = |cid: &Cid| arriving.replaces(cid);
        let base = || {
            let base = BaseTree::new(stored.as_ref(), before.as_ref()?.data(), &is_walked);
            Some(base.cached(self.parts.caches.nodes().as_ref()))
        };
        let arrive = || {
            let incoming = Incoming::new(&both, &commit, base(), &expected);
            incoming.ending_with(|| arriving.check_rest())
        };
        let followed = before.as_ref().filter(|_| signed.is_sound);
        let local = match self.check_loss(&commit, followed, &stored, &both) {
            Err(error) if error.is_corrupt() => {
                // If the damage is in what arrives, this fails with its first finding.
                arrive().check_all()?;
                return Err(error);
            }
            local => local?,
        };
        let own = Keys::new(self.parts).key_history()?;
        let keys = &AllKeys::new(key, &own, None, self.account_keys);
        let (parts, accepts_clock) = (self.parts, expected.accept_clock);
        let judge =
            Judge { parts, root: &commit, key, keys, accepts_clock, blocks: &both, base: &base };
        let commits = arriving.commits(self.parts.store.view()?.as_ref())?;
        let earlier = Earlier::of(commits, &judge)?;
        let arrival = Arrival { commit: &commit, before: before.as_ref(), key, earlier: &earlier };
        let imported = self.keep(&arrival, arriving, (&both, version), &arrive)?;
        Ok(imported.with(earlier, local))
    }

    /// Stores a commit and the states that arrive with it. `both` has the blocks of all of them.
    fn keep<'a>(
        &self,
        arrival: &Arrival<'_>,
        arriving: &dyn Arriving,
        (both, version): (&dyn Blocks, Version),
        arrive: &dyn Fn() -> Incoming<'a>,
    ) -> Result<Imported> {
        let Arrival { commit, before, key, earlier } = *arrival;
        let jobs = arriving.worth(self.jobs);
        let is_present = before.map(Commit::cid) == Some(commit.cid());
        let is_stored = |cid: &Cid| Ok(!arriving.replaces(cid));
        let (head, new_blocks) = if !earlier.states.is_empty() {
            let others = StateBlocks::new(both, commit.did(), earlier.to_read(), commit.cid());
            let others = others.without_stored(&is_stored);
            let mut blocks = AllBlocks::of(arrive().collecting(), others, self.progress);
            let new_blocks = self.admit_ahead(arrival, Some(version), jobs, &mut blocks)?;
            (blocks.head, new_blocks)
        } else {
            let mut head = arrive();
            if is_present && has_all(self.parts.store.as_ref(), &mut head)? {
                Keys::new(self.parts).name_key(commit, key)?;
                (head, 0)
            } else {
                let mut head = if is_present { arrive() } else { head };
                let new_blocks = self.admit_ahead(arrival, None, jobs, &mut head)?;
                (head, new_blocks)
            }
        };
        let Incoming { mut check, findings, .. } = head;
        let (commit, before) = (commit.clone(), before.cloned());
        Ok(Imported::new(commit, before, new_blocks, &mut check, findings))
    }

    /// Returns what this handle expects of every commit, and what a caller does.
    pub(super) fn expected<'k>(&self, of_caller: &Expected<'k>) -> Expected<'k>
    where
        Self: 'k,
    {
        let accept_clock = self.parts.accepts_clock || of_caller.accept_clock;
        Expected { partial: false, accept_clock, progress: self.progress, ..*of_caller }
    }
}
