//! The revert of a commit by a new commit.

use crate::error::{Error, Result};
use crate::history::origin::is_cut_before;
use crate::history::parent::{Back, Walk, commit_if_here};
use crate::merge::handle::Merge;
use crate::merge::plan::{plan, stopped};
use crate::model::conflict::{Resolution, Versions};
use crate::model::progress::StepKind;
use crate::model::write::Written;
use crate::reading::Reading;
use crate::snapshot::record_changes;
use pds_core::data::cid::Cid;
use pds_core::mst::diff::diff;
use pds_core::mst::tree::get;
use pds_store::error::StoreError;
use pds_store::event::Event;

impl Merge<'_> {
    /// Signs and stores a commit that undoes the changes of another commit.
    ///
    /// The state before the commit is that of its `prev`, or else the one in the log. Later changes of other
    /// records stay; a later change of the same record is a conflict. If the changes are already undone, no new
    /// commit is made.
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
    /// [`Error::Conflicts`] with the records that were changed later: `base` is the version after the commit,
    /// `ours` the present one, `theirs` the one before the commit. [`Error::NothingBefore`] if the state before
    /// the commit is unknown; [`Error::NoSigner`].
    pub fn revert(&self, commit: Cid) -> Result<Written> {
        self.parts.until_first(|| {
            let base = self.parts.base()?;
            let (undone, before) = {
                let view = self.parts.store.view()?;
                // The view must be of the same version as the base.
                if view.version() != base.version {
                    return Err(StoreError::Changed.into());
                }
                let view = view.as_ref();
                let past = Back { view, name: &self.parts.name };
                let walked = Walk::default().step(&past, commit)?;
                let undone = walked.commit?;
                let before = walked.before.ok_or(Error::NothingBefore(commit))?;
                let earlier = commit_if_here(view, before)?.ok_or(Error::NothingBefore(commit))?;
                // The changes of purged states must not be undone with those of the commit.
                if is_cut_before(self.parts, view, &undone, Some(before))? {
                    return Err(Error::NothingBefore(commit));
                }
                (undone, earlier)
            };
            let store = &Reading::since(self.parts.store.clone(), base.version);
            let head = &base.commit;
            // Only the changed records are read from the present state, however old the commit is.
            let changes = diff(store, Some(undone.data()), Some(before.data()));
            let records = record_changes(changes).map(|change| {
                let change = change?;
                self.progress.one(StepKind::Records);
                let key = change.path.to_string();
                let ours = get(store, head.data(), key.as_bytes())?;
                let (base, theirs) = (change.before, change.after);
                Ok(Versions { path: change.path, base, ours, theirs })
            });
            let changes = plan(&Resolution::default(), records)?;
            if !changes.conflicts.is_empty() {
                return Err(stopped(Some(undone), head, &before, changes));
            }
            let draft = self.parts.draft_edits(
                &base,
                head.rev(),
                changes.adopted,
                store,
                Event::Revert { commit },
                self.progress,
            )?;
            self.parts.sign_and_store(draft, &base, self.progress)
        })
    }
}
