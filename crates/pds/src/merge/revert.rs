//! Undoing one commit by another.

use crate::error::{Error, Result};
use crate::history::before::Back;
use crate::merge::handle::Merge;
use crate::merge::plan::{Plan, plan};
use crate::model::conflict::{Resolution, Versions};
use crate::model::write::Written;
use crate::reading::Reading;
use crate::snapshot::{read_commit, record_changes};
use pds_core::data::cid::Cid;
use pds_core::mst::diff::diff;
use pds_core::mst::tree::get;
use pds_store::error::StoreError;
use pds_store::event::Event;

impl Merge<'_> {
    /// Signs and stores a commit that undoes what another one has changed in the records.
    ///
    /// What stood before a commit is what its `prev` says, or the log. Changes made since stay; where
    /// one of them is to a record that the commit has changed, nothing is done. A commit whose
    /// changes are undone already makes no new one.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
    /// # let note = |text: &str| pds::data::Value::from([("text", pds::data::Value::from(text))]);
    /// let (a, b) = ("com.example.note/a".parse()?, "com.example.note/b".parse()?);
    /// let mistake = repo.put(&a, &note("a mistake"))?.commit.cid();
    /// repo.put(&b, &note("something else"))?;
    /// repo.merge().revert(mistake)?;
    /// assert!(repo.find(&a)?.is_none() && repo.find(&b)?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Conflicts`] with the records that were changed since: `base` is what the commit left,
    /// `ours` what stands now, `theirs` what stood before it. [`Error::NothingBefore`] when it is not
    /// known what stood before the commit; [`Error::NoSigner`].
    pub fn revert(&self, commit: Cid) -> Result<Written> {
        self.parts.until_first(|| {
            let base = self.parts.base()?;
            let (undone, before) = {
                let view = self.parts.store.view()?;
                // All of it is of one moment.
                if view.version() != base.version {
                    return Err(StoreError::Changed.into());
                }
                let back = Back { view: view.as_ref(), name: &self.parts.name };
                let before = back.before(commit)?.ok_or(Error::NothingBefore(commit))?;
                (read_commit(view.as_ref(), commit)?, read_commit(view.as_ref(), before)?)
            };
            let store = &Reading::since(self.parts.store.clone(), base.version);
            let head = &base.commit;
            // What stands now is looked up for these records only, however far back the commit is.
            let changes = diff(store, Some(undone.data()), Some(before.data()));
            let records = record_changes(changes).map(|change| {
                let change = change?;
                let key = change.path.to_string();
                let ours = get(store, head.data(), key.as_bytes())?;
                let (base, theirs) = (change.before, change.after);
                Ok(Versions { path: change.path, base, ours, theirs })
            });
            let Plan { edits, conflicts } = plan(&Resolution::default(), records)?;
            if !conflicts.is_empty() {
                return Err(Error::Conflicts(conflicts));
            }
            let draft = self.parts.draft_edits(
                &base,
                head.rev(),
                edits,
                store,
                Event::Revert { commit },
            )?;
            self.parts.sign_and_store(draft, &base)
        })
    }
}
