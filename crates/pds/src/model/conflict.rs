//! Records that two sides have changed, and which side wins.

use std::collections::HashMap;

use pds_core::data::cid::Cid;
use pds_core::syntax::record_path::RecordPath;

/// One record in three states: what two sides started from, and what each has made of it.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let repo = pds::Repo::create(dir.path().join("r"), &"did:web:example.com".parse()?)?;
/// # let note = |text: &str| pds::data::Value::from([("text", pds::data::Value::from(text))]);
/// use pds::Error;
///
/// let path = "com.example.note/a".parse()?;
/// let first = repo.put(&path, &note("first"))?.commit.cid();
/// repo.put(&path, &note("second"))?;
/// let Err(Error::Conflicts(conflicts)) = repo.merge().revert(first) else { panic!("it was changed since") };
/// let record = &conflicts[0];
/// assert!(record.base.is_some() && record.ours.is_some() && record.theirs.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Which record.
    pub path: RecordPath,
    /// Its CID in the state that both sides started from.
    pub base: Option<Cid>,
    /// Its CID here; `None` where it does not exist.
    pub ours: Option<Cid>,
    /// Its CID on the other side; `None` where it does not exist.
    pub theirs: Option<Cid>,
}

/// One of the two sides of a merge.
///
/// ```
/// use pds::{Resolution, Side};
///
/// let resolution = Resolution { rest: Some(Side::Theirs), ..Resolution::default() };
/// assert!(resolution.paths.is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The ref that is merged into.
    Ours,
    /// What is merged.
    Theirs,
}

/// Which side holds where both have changed a record.
///
/// ```
/// use pds::{Resolution, Side};
///
/// let path = "com.example.note/a".parse()?;
/// let resolution = Resolution { paths: [(path, Side::Ours)].into(), rest: Some(Side::Theirs) };
/// assert_eq!(resolution.paths.len(), 1);
/// # Ok::<(), pds::syntax::SyntaxError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The side that holds for single records.
    pub paths: HashMap<RecordPath, Side>,
    /// The side that holds for all others; without it each of them is a conflict.
    pub rest: Option<Side>,
}
