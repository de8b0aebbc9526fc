//! The step from the present state to a commit by the changes that a host announces, without a node of its tree.

use crate::error::Result;
use crate::model::advance::{Advance, AdvanceError};
use crate::model::report::Expected;
use crate::parts::empty_cid;
use crate::transfer::admission::SignedBy;
use crate::transfer::arriving::OneState;
use crate::transfer::handle::Transfer;
use crate::transfer::import::Imported;
use crate::transfer::incoming::Findings;
use crate::verify::check::Check;
use pds_core::commit::Commit;
use pds_core::data::block::MemoryBlocks;
use pds_core::mst::key::Key;
use pds_core::mst::tree::Tree;

impl Transfer<'_> {
    /// Makes announced changes on the present tree, and imports the commit that they lead to.
    ///
    /// The commit is checked first. Each change must begin with what the tree has, and the tree that they lead to must
    /// be the one of the commit. Then the commit is stored as by [`admit`](Self::admit), with the nodes and records
    /// that are new. The cost is proportional to the changes. A commit that is present already changes nothing.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let (store, blobs) = (pds::store::MemoryStore::default(), pds::blob::MemoryBlobs::default());
    /// # let mirror = pds::Repo::with(std::sync::Arc::new(store), std::sync::Arc::new(blobs));
    /// # let note = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
    /// use pds::{Advance, Expected, Write};
    ///
    /// let expected = Expected::default();
    /// let head = repo.head()?.expect("a new repository has a commit");
    /// mirror.transfer().admit(repo.store().as_ref(), head, &expected)?;
    ///
    /// let written = repo.write(&[Write::put("com.example.note/a".parse()?, note)])?;
    /// let step = Advance::new(&written.commit, &written.changes, repo.store().as_ref());
    /// let imported = mirror.transfer().advance(&step, &expected)?;
    /// assert_eq!((imported.commit.cid(), imported.records), (written.commit.cid(), 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`admit`](Self::admit). [`Error::NotAdvanced`](crate::Error::NotAdvanced) if the changes do not lead from the
    /// present state to the commit. After an error, nothing has changed.
    pub fn advance(&self, step: &Advance<'_>, expected: &Expected<'_>) -> Result<Imported> {
        self.parts.until_unchanged(|| {
            let blocks = self.advanced(step, expected)?;
            self.admit_once(&OneState(&blocks), step.commit.cid(), expected)
        })
    }

    /// Checks a commit, makes the changes that lead to it, and returns its new blocks.
    fn advanced(&self, step: &Advance<'_>, expected: &Expected<'_>) -> Result<MemoryBlocks> {
        let Advance { commit, changes, records, base } = *step;
        // Only the account can cause more work than this.
        Findings::default().take(Check::of(commit, &self.expected(expected)).drain())?;
        let is_signed = SignedBy::known(commit, expected).is_sound;
        let before = self.before_import(commit, is_signed)?;
        let mut blocks: MemoryBlocks = [commit.block().clone()].into_iter().collect();
        if before.as_ref().map(Commit::cid) == Some(commit.cid()) {
            return Ok(blocks);
        }
        let found = before.as_ref().map(Commit::data);
        if let Some(expected) = base.filter(|base| *base != found.unwrap_or_else(empty_cid)) {
            return Err(AdvanceError::Base { expected, found }.into());
        }
        let stored = self.parts.reading()?;
        let mut tree = match &before {
            Some(before) => self.parts.tree_of(before, stored.as_ref()),
            None => Tree::empty(stored.as_ref()),
        };
        for change in changes {
            let key = Key::new(change.path.to_key())?;
            let found = match change.after {
                Some(after) => {
                    let (path, cid) = (change.path.to_string(), after);
                    let missing = || AdvanceError::Record { path, cid };
                    blocks.extend([records.get(&after)?.ok_or_else(missing)?]);
                    tree.insert(key, after)?
                }
                None => tree.remove(key.as_bytes())?,
            };
            if found != change.before {
                let (path, expected) = (change.path.to_string(), change.before);
                return Err(AdvanceError::Change { path, expected, found }.into());
            }
        }
        let written = tree.write()?;
        if written.root != commit.data() {
            let (expected, found) = (commit.data(), written.root);
            return Err(AdvanceError::Root { expected, found }.into());
        }
        blocks.extend(written.nodes);
        Ok(blocks)
    }
}
