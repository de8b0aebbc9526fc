//! Whether states have left while something was read.

use std::collections::BTreeSet;

use super::{Repo, Result};

/// What the log held at a moment.
///
/// A state that `gc` or `forget` lets go of is gone for whoever is still reading it, too: what is missing then is no
/// damage. Who remembers a moment before reading can tell the two apart.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::repo::Repo::create(&dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let value = pds::data::Value::from([("text", pds::data::Value::from("hi"))]);
/// # repo.put(&"com.example.note/a".parse()?, &value)?;
/// use pds::repo::Keep;
///
/// let moment = repo.moment()?;
/// assert!(!repo.has_let_go_since(&moment)?);
/// let keep = Keep { states: std::num::NonZeroUsize::new(1), ..Keep::default() };
/// repo.gc(&keep, &mut |_| {})?;
/// assert!(repo.has_let_go_since(&moment)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Moment(BTreeSet<u64>);

impl Repo {
    /// Remembers what the log holds at present.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](super::Error::Store).
    pub fn moment(&self) -> Result<Moment> {
        Ok(Moment(self.moves()?.into_iter().map(|row| row.seq).collect()))
    }

    /// Tells whether states have been let go of since: rows have left the log.
    ///
    /// # Errors
    ///
    /// [`Error::Store`](super::Error::Store).
    pub fn has_let_go_since(&self, moment: &Moment) -> Result<bool> {
        Ok(!moment.0.is_subset(&self.moment()?.0))
    }
}
